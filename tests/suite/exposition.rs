//! A strict reader of the text format of Prometheus: another's parser, and the rules that it leaves
//! out.

use nom_openmetrics::{Family, MetricDescriptor, Sample, parser::prometheus};
use std::collections::{BTreeMap, BTreeSet};

/// One line with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Line {
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// Reads a text that must be valid; returns its lines in order.
#[track_caller]
pub fn read(text: &str) -> Vec<Line> {
    let (rest, families) = prometheus(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(rest, "");
    let read: usize = families.iter().map(|f| f.descriptors.len() + f.samples.len()).sum();
    assert_eq!(text.lines().count(), read, "each line is one thing\n{text}");
    let mut names = BTreeSet::new();
    families.iter().flat_map(|family| check_family(family, &mut names)).collect()
}

/// Help and type, in that order and of one name that no other family has; then its lines.
fn check_family(family: &Family<'_>, names: &mut BTreeSet<String>) -> Vec<Line> {
    let [MetricDescriptor::Help { metric, help }, MetricDescriptor::Type { metric: typed, r#type }] =
        &family.descriptors[..]
    else {
        panic!("{:?}", family.descriptors);
    };
    assert_eq!(metric, typed);
    assert!(names.insert(metric.to_string()), "`{metric}` stands in two places");
    assert!(!help.is_empty());
    let kind = r#type.to_string().to_lowercase();
    let lines: Vec<_> = family.samples.iter().map(line).collect();
    let suffixes: &[&str] = match kind.as_str() {
        "counter" | "gauge" => &[""],
        "histogram" => &["_bucket", "_sum", "_count"],
        other => panic!("{metric} is a {other}"),
    };
    assert_eq!(metric.ends_with("_total"), kind == "counter", "{metric}");
    let mut series = BTreeSet::new();
    for line in &lines {
        let suffix = line.name.strip_prefix(metric).unwrap();
        assert!(suffixes.contains(&suffix), "{line:?} in {metric}");
        assert_eq!(line.labels.contains_key("le"), suffix == "_bucket", "{line:?}");
        // An empty label is none.
        let told = line.labels.iter().filter(|(_, value)| !value.is_empty());
        let key = (line.name.clone(), told.collect::<Vec<_>>());
        assert!(series.insert(key), "twice: {line:?}");
    }
    if kind == "histogram" {
        check_histograms(metric, &lines);
    }
    lines
}

fn line(sample: &Sample<'_>) -> Line {
    let labels: BTreeMap<_, _> =
        sample.labels().iter().map(|label| (label.name.to_string(), label.value.clone())).collect();
    assert_eq!(labels.len(), sample.labels().len(), "a label stands twice: {sample:?}");
    assert!(!labels.keys().any(|name| name.starts_with("__")), "reserved: {sample:?}");
    Line { name: sample.name().to_string(), labels, value: sample.number() }
}

/// The lines of each series stand together: buckets that grow up to the infinite one, sum, count.
fn check_histograms(metric: &str, lines: &[Line]) {
    let (mut bound, mut below) = (f64::NEG_INFINITY, 0.0);
    let mut series = None;
    for line in lines {
        let mut labels = line.labels.clone();
        let le = labels.remove("le");
        assert!(series.is_none() || series == Some(labels.clone()), "torn apart: {line:?}");
        match (line.name.strip_prefix(metric).unwrap(), le) {
            ("_bucket", Some(le)) => {
                let le: f64 = le.parse().unwrap();
                assert!(le > bound && line.value >= below, "{line:?}");
                (bound, below) = (le, line.value);
                series = Some(labels);
            }
            ("_sum", _) => assert_eq!(bound, f64::INFINITY, "{line:?}"),
            _ => {
                assert_eq!(line.value, below, "{line:?}");
                (bound, below, series) = (f64::NEG_INFINITY, 0.0, None);
            }
        }
    }
    assert_eq!(series, None);
}

#[test]
fn the_reader_refuses_what_prometheus_would() {
    let good = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\"} 1\n";
    assert_eq!(read(good).len(), 1);
    let histogram = "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\n\
        h_bucket{le=\"+Inf\"} 3\nh_sum 1\nh_count 3\n";
    assert_eq!(read(histogram).len(), 4);
    let bad = [
        format!("{good}a_total{{x=\"1\"}} 2\n"),
        format!("{good}a_total{{x=\"1\",y=\"\"}} 2\n"),
        format!("{good}{good}"),
        format!("{good}b_total 1\n"),
        good.replace("x=\"1\"", "x=\"1\n\""),
        good.replace("x=\"1\"", "x=\"1\",x=\"2\""),
        good.replace("x=", "x-="),
        good.replace("} 1", "} one"),
        good.replace("# HELP a_total A.\n", ""),
        histogram.replace("h_count 3", "h_count 2"),
        histogram.replace("} 3", "} 1"),
        histogram.replace("h_bucket{le=\"+Inf\"} 3\n", ""),
    ];
    for text in bad {
        let read = std::panic::catch_unwind(|| read(&text));
        assert!(read.is_err(), "{text}");
    }
}
