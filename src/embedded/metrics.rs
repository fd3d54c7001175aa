//! A bounded number of metric series of one tenant.

use super::MetricSample;
use crate::{HostError, Labels, Metric, MetricKind};
use alloc::{boxed::Box, string::ToString, vec::Vec};
use core::hash::BuildHasher;
use hashbrown::{DefaultHashBuilder, HashTable};

/// The series of one tenant.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    series: HashTable<Series>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Series {
    kind: MetricKind,
    name: Box<str>,
    /// The labels as they are on the wire.
    labels: Box<[u8]>,
    value: f64,
    count: u64,
}

impl Metrics {
    /// Takes in an observation. A new series over `max` is refused; the others stay.
    pub(super) fn observe(&mut self, metric: &Metric<'_>, max: usize) -> Result<(), HostError> {
        let key = (metric.kind, metric.name, metric.labels.as_bytes());
        let hash = self.hasher.hash_one(key);
        if let Some(series) = self.series.find_mut(hash, |series| series.key() == key) {
            series.take_in(metric.value);
            return Ok(());
        }
        if self.series.len() >= max {
            return Err(HostError::LimitReached);
        }
        let mut series = Series {
            kind: metric.kind,
            name: metric.name.into(),
            labels: metric.labels.as_bytes().into(),
            value: 0.0,
            count: 0,
        };
        series.take_in(metric.value);
        let hasher = &self.hasher;
        self.series.insert_unique(hash, series, |series| hasher.hash_one(series.key()));
        Ok(())
    }

    pub(super) fn samples(&self) -> Vec<MetricSample> {
        let mut series: Vec<_> = self.series.iter().collect();
        series.sort_by(|a, b| a.key().cmp(&b.key()));
        series.into_iter().map(Series::sample).collect()
    }
}

impl Series {
    fn key(&self) -> (MetricKind, &str, &[u8]) {
        (self.kind, &self.name, &self.labels)
    }

    fn take_in(&mut self, value: f64) {
        self.count += 1;
        match self.kind {
            MetricKind::Counter | MetricKind::Histogram => self.value += value,
            MetricKind::Gauge => self.value = value,
        }
    }

    fn sample(&self) -> MetricSample {
        let labels = Labels::parse(&self.labels).unwrap_or_default();
        MetricSample {
            kind: self.kind,
            name: self.name.to_string(),
            labels: labels.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
            value: self.value,
            count: self.count,
        }
    }
}
