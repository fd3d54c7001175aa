//! Every event arrives byte for byte as the documentation lays it out.

use super::recorder::{EXPORTS, last, recorder};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use wasm_runtime::{LogLevel, ObservabilityExtension};

type Pairs = Vec<(String, String)>;

#[derive(Debug, Clone)]
enum Told {
    Counter(u64, String, Pairs),
    Gauge(f64, String, Pairs),
    Histogram(f64, String, Pairs),
    SpanStart(Option<u64>, String),
    SpanEnd(u64),
    SpanEvent(u64, String, Pairs),
    Log(LogLevel, String, Pairs),
}

fn text() -> impl Strategy<Value = String> {
    "(?s).{0,12}"
}

fn pairs() -> impl Strategy<Value = Pairs> {
    prop::collection::vec((text(), text()), 0..5)
}

fn level() -> impl Strategy<Value = LogLevel> {
    prop::sample::select(LogLevel::iter().collect::<Vec<_>>())
}

fn number() -> impl Strategy<Value = f64> {
    // Every bit pattern: NaN and the infinities too.
    any::<u64>().prop_map(f64::from_bits)
}

fn event() -> impl Strategy<Value = Told> {
    prop_oneof![
        (any::<u64>(), text(), pairs()).prop_map(|(v, n, p)| Told::Counter(v, n, p)),
        (number(), text(), pairs()).prop_map(|(v, n, p)| Told::Gauge(v, n, p)),
        (number(), text(), pairs()).prop_map(|(v, n, p)| Told::Histogram(v, n, p)),
        (any::<Option<u64>>(), text()).prop_map(|(p, n)| Told::SpanStart(p, n)),
        any::<u64>().prop_map(Told::SpanEnd),
        (any::<u64>(), text(), pairs()).prop_map(|(s, n, p)| Told::SpanEvent(s, n, p)),
        (level(), text(), pairs()).prop_map(|(l, m, f)| Told::Log(l, m, f)),
    ]
}

fn field(record: &mut Vec<u8>, text: &str) {
    record.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    record.extend(text.as_bytes());
}

fn record(numbers: &[u8], text: &str, pairs: &Pairs) -> Vec<u8> {
    let mut record = numbers.to_vec();
    field(&mut record, text);
    for (name, value) in pairs {
        field(&mut record, name);
        field(&mut record, value);
    }
    record
}

fn borrowed(pairs: &Pairs) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (&**name, &**value)).collect()
}

/// Gives the event to an extension; returns the export that must see it, and its input.
fn send(event: &Told, to: &dyn ObservabilityExtension) -> (&'static str, Vec<u8>) {
    match event {
        Told::Counter(value, name, labels) => {
            to.counter_inc(name, *value, &borrowed(labels));
            (EXPORTS[0], record(&value.to_le_bytes(), name, labels))
        }
        Told::Gauge(value, name, labels) => {
            to.gauge_set(name, *value, &borrowed(labels));
            (EXPORTS[1], record(&value.to_le_bytes(), name, labels))
        }
        Told::Histogram(value, name, labels) => {
            to.histogram_observe(name, *value, &borrowed(labels));
            (EXPORTS[2], record(&value.to_le_bytes(), name, labels))
        }
        Told::SpanStart(parent, name) => {
            let span = to.span_start(name, *parent);
            let numbers = [span.to_le_bytes(), parent.unwrap_or(0).to_le_bytes()].concat();
            (EXPORTS[3], record(&numbers, name, &Vec::new()))
        }
        Told::SpanEnd(span) => {
            to.span_end(*span);
            (EXPORTS[4], span.to_le_bytes().to_vec())
        }
        Told::SpanEvent(span, name, attributes) => {
            to.span_event(*span, name, &borrowed(attributes));
            (EXPORTS[5], record(&span.to_le_bytes(), name, attributes))
        }
        Told::Log(level, message, fields) => {
            to.log(*level, message, &borrowed(fields));
            let level = match level {
                LogLevel::Trace | LogLevel::Debug => 0_u32,
                LogLevel::Info => 1,
                LogLevel::Warn => 2,
                LogLevel::Error => 3,
            };
            (EXPORTS[6], record(&level.to_le_bytes(), message, fields))
        }
    }
}

#[test]
fn every_event_arrives_as_it_was_sent() {
    let (_registry, recorder) = recorder();
    let mut runner = TestRunner::new(Config { cases: 1_000, ..Config::default() });
    let run = runner.run(&event(), |event| {
        let expected = send(&event, &recorder);
        prop_assert_eq!(last(&recorder), expected);
        Ok(())
    });
    run.unwrap();
    let stats = recorder.stats();
    assert_eq!(stats.delivered, recorder.plugin().stats().total_calls);
    assert_eq!((stats.failed, stats.ignored, stats.dropped, stats.too_long), (0, 0, 0, 0));
}

#[test]
fn spans_are_numbered_from_one_and_each_extension_numbers_its_own() {
    let (_registry, first) = recorder();
    let second = wasm_runtime::WasmObservabilityPlugin::new(first.plugin().clone());
    let numbers: Vec<_> = (0..3).map(|_| first.span_start("work", None)).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(second.span_start("other work", Some(3)), 1);
}

#[test]
fn a_record_of_16_kib_arrives_whole_and_a_longer_one_not_at_all() {
    let (_registry, recorder) = recorder();
    // A number and three length words take 20 bytes.
    let value = "v".repeat(16_384 - 20 - 5);
    recorder.counter_inc("name", 1, &[("l", &value)]);
    let (_, longest) = last(&recorder);
    assert_eq!(longest.len(), 16_384);
    assert_eq!(longest[longest.len() - value.len()..], *value.as_bytes());
    recorder.counter_inc("name!", 1, &[("l", &value)]);
    assert_eq!(last(&recorder).1, longest, "nothing came after it");
    let stats = recorder.stats();
    assert_eq!((stats.delivered, stats.too_long, stats.failed), (1, 1, 0));
    assert_eq!(recorder.plugin().stats().total_calls, 1);
}
