//! A bounded number of metric series of one tenant.

use super::MetricSample;
use crate::{HostError, Labels, Metric, MetricKind};
use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec::Vec,
};
use core::hash::{BuildHasher, Hasher};
use hashbrown::{DefaultHashBuilder, HashTable};

/// The series of one tenant.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    series: HashTable<Series>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Series {
    /// The name, and behind it the labels as they are on the wire. Together, so that there is no
    /// empty allocation: comparing with one costs a look at an address that is never there.
    name_and_labels: Box<[u8]>,
    name_len: usize,
    state: State,
}

/// What was observed. The buckets stand apart, so that counters and gauges do not pay for them.
#[derive(Debug)]
enum State {
    Counter(Tally),
    Gauge(Tally),
    Histogram(Box<Distribution>),
}

#[derive(Debug, Default)]
struct Tally {
    value: f64,
    count: u64,
}

const BOUNDS: [f64; 16] = MetricSample::BUCKET_BOUNDS;

#[derive(Debug, Default)]
struct Distribution {
    tally: Tally,
    buckets: [u64; BOUNDS.len() + 1],
}

impl Metrics {
    /// Takes in an observation. A new series over `max` is refused; the others stay.
    pub(super) fn observe(&mut self, metric: &Metric<'_>, max: usize) -> Result<(), HostError> {
        let key = (metric.kind, metric.name.as_bytes(), metric.labels.as_bytes());
        let key_hash = hash(&self.hasher, key);
        if let Some(series) = self.series.find_mut(key_hash, |series| series.is(key)) {
            series.state.take_in(metric.value);
            return Ok(());
        }
        if self.series.len() >= max {
            return Err(HostError::LimitReached);
        }
        let mut series = Series {
            name_and_labels: [metric.name.as_bytes(), metric.labels.as_bytes()].concat().into(),
            name_len: metric.name.len(),
            state: State::new(metric.kind),
        };
        series.state.take_in(metric.value);
        let hasher = &self.hasher;
        self.series.insert_unique(key_hash, series, |series| hash(hasher, series.key()));
        Ok(())
    }

    /// The series of a kind, or all, sorted by kind, name and labels.
    pub(super) fn samples(&self, kind: Option<MetricKind>) -> Vec<MetricSample> {
        let of_kind = |series: &&Series| kind.is_none_or(|kind| kind == series.state.kind());
        let mut series: Vec<_> = self.series.iter().filter(of_kind).collect();
        series.sort_by(|a, b| a.key().cmp(&b.key()));
        series.into_iter().map(Series::sample).collect()
    }
}

/// What tells series apart: kind, name, labels.
type Key<'a> = (MetricKind, &'a [u8], &'a [u8]);

/// The hash of a series. As few parts as there can be: each costs a step that waits for the last.
#[inline]
fn hash(hasher: &DefaultHashBuilder, (kind, name, labels): Key<'_>) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(name);
    if !labels.is_empty() {
        hasher.write(labels);
    }
    // Where the name ends, and the kind: in so many bytes as both fit, whatever `usize` is.
    hasher.write_u64(((name.len() as u64) << 2) | kind as u64);
    hasher.finish()
}

impl Series {
    /// Whether this is the series of `key`: most have no labels to compare.
    #[inline]
    fn is(&self, (kind, name, labels): Key<'_>) -> bool {
        self.name_len == name.len()
            && self.name_and_labels.len() == name.len().saturating_add(labels.len())
            && self.state.kind() == kind
            && self.name_and_labels.starts_with(name)
            && (labels.is_empty() || self.name_and_labels.ends_with(labels))
    }

    #[inline]
    fn key(&self) -> Key<'_> {
        let (name, labels) =
            self.name_and_labels.split_at_checked(self.name_len).unwrap_or_default();
        (self.state.kind(), name, labels)
    }

    fn sample(&self) -> MetricSample {
        let (kind, name, labels) = self.key();
        let labels = Labels::parse(labels).unwrap_or_default();
        let (tally, buckets) = match &self.state {
            State::Counter(tally) | State::Gauge(tally) => (tally, &[][..]),
            State::Histogram(distribution) => (&distribution.tally, &distribution.buckets[..]),
        };
        MetricSample {
            kind,
            name: String::from_utf8_lossy(name).into_owned(),
            labels: labels.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
            value: tally.value,
            count: tally.count,
            buckets: buckets.to_vec(),
        }
    }
}

impl State {
    fn new(kind: MetricKind) -> Self {
        match kind {
            MetricKind::Counter => Self::Counter(Tally::default()),
            MetricKind::Gauge => Self::Gauge(Tally::default()),
            MetricKind::Histogram => Self::Histogram(Box::default()),
        }
    }

    fn kind(&self) -> MetricKind {
        match self {
            Self::Counter(_) => MetricKind::Counter,
            Self::Gauge(_) => MetricKind::Gauge,
            Self::Histogram(_) => MetricKind::Histogram,
        }
    }

    fn take_in(&mut self, value: f64) {
        match self {
            Self::Counter(tally) => tally.add(value),
            Self::Gauge(tally) => *tally = Tally { value, count: tally.count.saturating_add(1) },
            Self::Histogram(distribution) => distribution.take_in(value),
        }
    }
}

impl Tally {
    fn add(&mut self, value: f64) {
        self.value += value;
        self.count = self.count.saturating_add(1);
    }
}

impl Distribution {
    fn take_in(&mut self, value: f64) {
        self.tally.add(value);
        let at = BOUNDS.partition_point(|bound| *bound < value);
        if let Some(count) = self.buckets.get_mut(at) {
            *count = count.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_series_without_buckets_has_no_room_for_them() {
        assert_eq!(size_of::<Series>(), 48);
    }

    #[test]
    fn a_name_that_reads_like_another_s_name_and_labels_is_a_series_of_its_own() {
        let labels = b"\x01\0\0\0n\x01\0\0\0v";
        let name = std::format!("x{}", str::from_utf8(labels).unwrap());
        let mut metrics = Metrics::default();
        for (kind, name, labels) in [
            (MetricKind::Counter, "x", &labels[..]),
            (MetricKind::Counter, &name, &[]),
            (MetricKind::Gauge, "x", labels),
            (MetricKind::Counter, "x", &[]),
        ] {
            let labels = Labels::parse(labels).unwrap();
            let metric = Metric { kind, name, value: 1.0, labels };
            (0..3).for_each(|_| metrics.observe(&metric, 4).unwrap());
        }
        let counts: Vec<_> = metrics.samples(None).iter().map(|sample| sample.count).collect();
        assert_eq!(counts, [3; 4]);
    }

    #[test]
    fn the_bounds_of_buckets_are_the_powers_of_ten() {
        for (exponent, bound) in (-6..).zip(BOUNDS) {
            assert_eq!(std::format!("1e{exponent}").parse(), Ok(bound));
        }
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let any = any::<f64>().prop_filter("a number", |value| !value.is_nan());
        let bound = prop::sample::select(&BOUNDS[..]);
        prop::collection::vec(prop_oneof![any, bound, -1e12..1e12], 0..50)
    }

    proptest! {
        #[test]
        fn each_value_is_counted_in_the_first_bucket_whose_bound_it_does_not_exceed(
            values in values(),
        ) {
            let mut distribution = Distribution::default();
            values.iter().for_each(|value| distribution.take_in(*value));
            let mut below = 0;
            for (bound, count) in BOUNDS.iter().chain([&f64::INFINITY]).zip(distribution.buckets) {
                below += count;
                let expected = values.iter().filter(|value| *value <= bound).count();
                prop_assert_eq!(below, expected as u64, "at most {}", bound);
            }
            prop_assert_eq!(distribution.tally.count, below);
        }
    }
}
