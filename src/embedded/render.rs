//! The metrics of guests, for Prometheus to read.
//!
//! What guests choose stands in the values of labels, and in their names where these are
//! identifiers; it never makes a name of a family.

use super::{EmbeddedHost, MetricSample};
use crate::{
    MetricKind,
    prometheus::exposition::{Family, LabelSet, Number},
};
use alloc::string::String;
use core::fmt::{self, Display, Write};

/// Kind, name of the family, its kind in the text, help.
const FAMILIES: [(MetricKind, &str, &str, &str); 3] = [
    (MetricKind::Counter, "wasm_guest_counter_total", "counter", "Sums that plugins count."),
    (MetricKind::Gauge, "wasm_guest_gauge", "gauge", "Values that plugins set."),
    (
        MetricKind::Histogram,
        "wasm_guest_histogram",
        "histogram",
        "Distributions of what plugins observe.",
    ),
];

/// Writes the metrics of all tenants. No lock is held while `out` is written to.
pub(super) fn render(host: &EmbeddedHost, out: &mut dyn Write) -> fmt::Result {
    let tenants = host.tenants();
    for (kind, name, text_kind, help) in FAMILIES {
        let mut family = Family::new(out, name, text_kind, help);
        for tenant in &tenants {
            for sample in host.samples(tenant, Some(kind)) {
                render_series(&mut family, tenant, &sample)?;
            }
        }
    }
    Ok(())
}

fn render_series(family: &mut Family<'_>, tenant: &str, sample: &MetricSample) -> fmt::Result {
    let form = Form::of(&sample.labels);
    let identify = |labels: &mut LabelSet<'_>| {
        labels.pair("tenant", tenant)?;
        labels.pair("metric", &sample.name)?;
        form.write(&sample.labels, labels)
    };
    match sample.kind {
        MetricKind::Counter | MetricKind::Gauge => family.number(identify, Number(sample.value)),
        MetricKind::Histogram => {
            let bounds = MetricSample::BUCKET_BOUNDS.map(Number);
            family.histogram(identify, bounds, &sample.buckets, Number(sample.value))
        }
    }
}

type Pairs = [(String, String)];

/// How the labels of a series are told. No two lists of labels are told alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One label for each, in the order of their names.
    Apart,
    /// One label for each, and one for their order: to Prometheus labels have none.
    ApartInOrder,
    /// All in one, since a name is no identifier or stands twice, or a value is empty, which to
    /// Prometheus is no label at all.
    Joined,
}

impl Form {
    fn of(pairs: &Pairs) -> Self {
        let told = |(name, value): &(String, String)| is_identifier(name) && !value.is_empty();
        let repeats = |at: usize, name: &String| pairs.iter().take(at).any(|(n, _)| n == name);
        if !pairs.iter().all(told) || pairs.iter().enumerate().any(|(at, (n, _))| repeats(at, n)) {
            return Self::Joined;
        }
        match pairs.is_sorted_by_key(|(name, _)| name) {
            true => Self::Apart,
            false => Self::ApartInOrder,
        }
    }

    fn write(self, pairs: &Pairs, labels: &mut LabelSet<'_>) -> fmt::Result {
        if self == Self::Joined {
            return labels.pair("labels", JoinedPairs(pairs));
        }
        for (name, value) in pairs {
            labels.pair(format_args!("label_{name}"), value)?;
        }
        match self {
            Self::ApartInOrder => labels.pair("order", JoinedNames(pairs)),
            Self::Apart | Self::Joined => Ok(()),
        }
    }
}

/// Whether a label can be called that.
fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Names with commas between.
struct JoinedNames<'a>(&'a Pairs);

impl Display for JoinedNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, _)) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if at > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// `name=value` with commas between, and a backslash before what would be taken for one of these.
struct JoinedPairs<'a>(&'a Pairs);

impl Display for JoinedPairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { "," } else { "" })?;
            write_quoted(f, name)?;
            f.write_char('=')?;
            write_quoted(f, value)?;
        }
        Ok(())
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if matches!(c, '\\' | ',' | '=') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    Ok(())
}
