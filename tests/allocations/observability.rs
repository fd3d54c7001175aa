//! Events for a plugin that allocate nothing once it is warm, whatever becomes of them.

use crate::{
    heap,
    support::{assert_allocates_nothing, fixture, one_plugin, wat},
};
use wasm_runtime::{LogLevel, ObservabilityExtension, ObservabilityStats, WasmObservabilityPlugin};

const LABELS: &[(&str, &str)] = &[("method", "GET"), ("path", "/räume"), ("", "")];

/// Shows that each kind of event allocates nothing; returns how many events there were.
fn assert_no_event_allocates(to: &dyn ObservabilityExtension) -> u64 {
    let mut events = 0;
    let mut assert_nothing = |what: &str, event: &dyn Fn()| {
        assert_allocates_nothing(what, || {
            event();
            events += 1;
        });
    };
    assert_nothing("counter_inc", &|| to.counter_inc("requests", 1, LABELS));
    assert_nothing("gauge_set", &|| to.gauge_set("load", f64::NAN, LABELS));
    assert_nothing("histogram_observe", &|| to.histogram_observe("latency_ms", 12.5, &[]));
    assert_nothing("span_start", &|| {
        to.span_start("request", Some(7));
    });
    assert_nothing("span_end", &|| to.span_end(1));
    assert_nothing("span_event", &|| to.span_event(1, "retry", LABELS));
    assert_nothing("log", &|| to.log(LogLevel::Warn, "slow", LABELS));
    events
}

#[test]
fn an_event_that_a_plugin_takes_in_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&fixture("metrics"));
    let metrics = WasmObservabilityPlugin::new(plugin);
    // As many spans as the guest keeps open, so that its memory grows no more.
    (0..512).for_each(|_| _ = metrics.span_start("warm", None));
    let events = assert_no_event_allocates(&metrics);
    let expected = ObservabilityStats { delivered: 512 + events, ..ObservabilityStats::default() };
    assert_eq!(metrics.stats(), expected);
}

#[test]
fn an_event_that_a_plugin_ignores_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&fixture("counter"));
    let observed = WasmObservabilityPlugin::new(plugin);
    let ignored = assert_no_event_allocates(&observed);
    assert_eq!(observed.stats(), ObservabilityStats { ignored, ..ObservabilityStats::default() });
}

#[test]
fn an_event_that_is_dropped_too_long_refused_or_too_late_allocates_nothing() {
    let (registry, plugin) = one_plugin(&wat(r#"(module
        (memory (export "memory") 1)
        (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "log_line") (param i32 i32) (result i64) (i64.const -1)))"#));
    let observed = WasmObservabilityPlugin::new(plugin);
    let long = "x".repeat(20_000);
    assert_allocates_nothing("too long", || observed.log(LogLevel::Info, &long, &[]));
    assert_allocates_nothing("refused", || observed.log(LogLevel::Info, "line", &[]));
    let lease = observed.plugin().lease().unwrap();
    // Each looks a thousand times for a sandbox: a hundred are enough.
    let drop_some = || (0..100).for_each(|_| observed.log(LogLevel::Info, "line", &[]));
    assert_eq!(heap::allocations(drop_some), 0, "dropped");
    drop(lease);
    registry.unload("plugin").unwrap();
    assert_allocates_nothing("unloaded", || observed.log(LogLevel::Info, "line", &[]));
    let stats = observed.stats();
    assert_eq!((stats.too_long, stats.failed), (10_001, 20_002));
    assert_eq!((stats.delivered, stats.ignored, stats.dropped), (0, 0, 100));
}
