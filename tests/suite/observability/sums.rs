//! A plugin that adds up what it is told, against a model of what it should have.

use super::{metrics, observed, one_instance, snapshot};
use crate::support::fixture;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::collections::BTreeMap;
use wasm_runtime::{LogLevel, ObservabilityExtension, WasmObservabilityPlugin};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    kind: usize,
    name: String,
    labels: Vec<(String, String)>,
}

fn text() -> impl Strategy<Value = String> {
    let few = prop::sample::select(vec!["", "a", "a=b", "a,b", "ü", "{}", "\\", " \n"]);
    prop_oneof![few.prop_map(String::from), "(?s).{0,6}".prop_map(|text| text)]
}

fn series() -> impl Strategy<Value = Series> {
    let labels = prop::collection::vec((text(), text()), 0..4);
    (0..3_usize, text(), labels).prop_map(|(kind, name, labels)| Series { kind, name, labels })
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1.0..200_000.0,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, 1.0, 10.0, f64::NAN, f64::INFINITY]),
    ]
}

fn send(to: &WasmObservabilityPlugin, series: &Series, value: f64) {
    let labels: Vec<_> = series.labels.iter().map(|(n, v)| (&**n, &**v)).collect();
    match series.kind {
        0 => to.counter_inc(&series.name, value.to_bits(), &labels),
        1 => to.gauge_set(&series.name, value, &labels),
        _ => to.histogram_observe(&series.name, value, &labels),
    }
}

fn escaped(text: &str) -> String {
    let special = |c| "\\{}=, ".contains(c);
    text.chars()
        .map(|c| match c {
            '\n' => "\\n".into(),
            c if special(c) => format!("\\{c}"),
            c => c.to_string(),
        })
        .collect()
}

/// The line of a series that saw these values.
fn line(series: &Series, values: &[f64]) -> String {
    let labels: Vec<_> =
        series.labels.iter().map(|(n, v)| format!("{}={}", escaped(n), escaped(v))).collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let name = format!("{}{labels}", escaped(&series.name));
    match series.kind {
        0 => {
            let sum = values.iter().fold(0_u64, |sum, value| sum.saturating_add(value.to_bits()));
            format!("counter {name} {sum}")
        }
        1 => format!("gauge {name} {:?}", values.last().unwrap()),
        _ => format!("histogram {name} {}", distribution(values)),
    }
}

fn distribution(values: &[f64]) -> String {
    let sum = values.iter().fold(0.0, |sum, value| sum + value);
    let mut text = format!("count={} sum={sum:?}", values.len());
    let bounds = ["0.001", "0.01", "0.1", "1", "10", "100", "1000", "10000", "inf"];
    let mut low = f64::NEG_INFINITY;
    for bound in bounds {
        let high: f64 = bound.parse().unwrap();
        let inside = |v: &&f64| (**v > low && **v <= high) || (v.is_nan() && bound == "inf");
        let lowest = |v: &&f64| **v == low && low == f64::NEG_INFINITY;
        let count = values.iter().filter(|v| inside(v) || lowest(v)).count();
        if count > 0 {
            text += &format!(" {bound}:{count}");
        }
        low = high;
    }
    text
}

#[test]
fn what_a_plugin_adds_up_is_what_it_was_told() {
    // Shortest digits of large numbers are dear for a guest.
    let mut config = one_instance();
    config.capabilities.fuel_limit = 10_000_000;
    let (_registry, metrics) = observed(&fixture("metrics"), config);
    let told = (
        prop::collection::vec(series(), 1..6),
        prop::collection::vec((any::<prop::sample::Index>(), value()), 0..20),
    );
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    let run = runner.run(&told, |(series, events)| {
        metrics.plugin().call_bytes("reset", b"").unwrap();
        let mut model = BTreeMap::<Series, Vec<f64>>::new();
        for (index, value) in events {
            let series = index.get(&series);
            send(&metrics, series, value);
            model.entry(series.clone()).or_default().push(value);
        }
        let mut expected: Vec<_> = model.iter().map(|(s, values)| line(s, values)).collect();
        expected.sort();
        expected.push("log debug=0 info=0 warn=0 error=0".into());
        expected.push("lost events=0".into());
        expected.push("spans started=0 ended=0 open=0 events=0".into());
        let mut lines = snapshot(&metrics, "");
        let rest = lines.len().saturating_sub(3);
        // A label's end sorts differently from the number behind it.
        lines[..rest].sort();
        prop_assert_eq!(lines, expected);
        Ok(())
    });
    run.unwrap();
    assert_eq!(metrics.stats().failed + metrics.stats().dropped + metrics.stats().ignored, 0);
}

#[test]
fn a_snapshot_is_sorted_and_may_be_of_names_that_begin_alike() {
    let (_registry, metrics) = metrics();
    metrics.counter_inc("requests", 2, &[("method", "PUT")]);
    metrics.gauge_set("requests_open", -0.5, &[]);
    metrics.counter_inc("requests", 40, &[("method", "GET")]);
    metrics.counter_inc("requests", 2, &[("method", "GET")]);
    metrics.histogram_observe("latency_ms", 12.5, &[]);
    metrics.counter_inc("r", 1, &[]);
    let lines = snapshot(&metrics, "req");
    let expected = [
        "counter requests{method=GET} 42",
        "counter requests{method=PUT} 2",
        "gauge requests_open -0.5",
    ];
    assert_eq!(lines, expected);
    assert_eq!(snapshot(&metrics, "latency_ms"), ["histogram latency_ms count=1 sum=12.5 100:1"]);
    assert_eq!(snapshot(&metrics, "requests{"), [""; 0], "a brace is part of no name here");
}

#[test]
fn spans_and_log_lines_are_counted() {
    let (_registry, metrics) = metrics();
    let outer = metrics.span_start("request", None);
    let inner = metrics.span_start("query", Some(outer));
    metrics.span_event(inner, "cache miss", &[("key", "7")]);
    metrics.span_event(outer, "retry", &[]);
    metrics.span_end(inner);
    for level in LogLevel::iter() {
        metrics.log(level, "a line", &[("field", "value")]);
    }
    metrics.log(LogLevel::Error, "", &[]);
    let expected = [
        "log debug=2 info=1 warn=1 error=2",
        "lost events=0",
        "spans started=2 ended=1 open=1 events=2",
    ];
    assert_eq!(snapshot(&metrics, ""), expected);
}

#[test]
fn the_fuel_of_observability_only_is_enough_for_every_event() {
    let (_registry, metrics) = metrics();
    // The dearest: as many series as there may be, all alike up to their ends.
    let common = "x".repeat(250);
    for n in 0..520_u32 {
        let name = format!("{common}{n:03}");
        metrics.counter_inc(&name, 1, &[]);
        metrics.gauge_set(&name, f64::from(n), &[]);
        metrics.histogram_observe(&name, f64::from(n), &[]);
    }
    let long = "y".repeat(16_000);
    let special = "{=,}".repeat(60);
    let many = [("", ""); 2_000];
    let before = metrics.stats();
    metrics.counter_inc(&long, 1, &[]);
    metrics.gauge_set("", 1.0, &many);
    metrics.histogram_observe(&special, 1.0, &[]);
    let span = metrics.span_start(&long, None);
    metrics.span_event(span, "", &many);
    metrics.span_end(span);
    metrics.log(LogLevel::Error, &long, &[]);
    let after = metrics.stats();
    assert_eq!((before.delivered, after.delivered), (1_560, 1_567));
    assert_eq!((after.failed, after.dropped, after.too_long), (0, 0, 0), "{after:?}");
}
