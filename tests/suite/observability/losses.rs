//! Plugins that do not take in what they are told: counted by kind, and nobody else notices.

use super::{metrics, observed, one_instance, snapshot};
use crate::support::{fixture, wat};
use wasm_runtime::{
    LogLevel, ObservabilityExtension, ObservabilityStats, WasmInstanceConfig,
    WasmObservabilityPlugin, WasmPluginInstance,
};

/// Everything that can be told, once. Returns the number of the span.
fn tell_everything(to: &dyn ObservabilityExtension) -> u64 {
    to.counter_inc("c", 1, &[]);
    to.gauge_set("g", 1.0, &[]);
    to.histogram_observe("h", 1.0, &[]);
    let span = to.span_start("s", None);
    to.span_event(span, "e", &[]);
    to.span_end(span);
    to.log(LogLevel::Info, "l", &[]);
    span
}

fn stats(delivered: u64, failed: u64, ignored: u64) -> ObservabilityStats {
    ObservabilityStats { delivered, failed, ignored, ..ObservabilityStats::default() }
}

/// Each export misbehaves in its own way, but for `span_event` and `log_line`.
const MISBEHAVING: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "counter_inc") (param i32 i32) (result i64) unreachable)
    (func (export "gauge_set") (param i32 i32) (result i64) (loop (br 0)) (i64.const 0))
    (func (export "histogram_observe") (param i32 i32) (result i64) (i64.const -4095))
    (func (export "span_start") (param i32 i32) (result i64) (i64.const -4096))
    (func (export "span_end") (param i32 i32) (result i64) (i64.const 0x10000_00000001))
    (func (export "span_event") (param i32 i32) (result i64) (i64.const 0))
    (func (export "log_line") (param i32 i32) (result i64)
        (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32))
            (i64.extend_i32_u (local.get 1)))))"#;

#[test]
fn a_trap_an_endless_loop_a_status_and_a_wild_answer_are_failures_and_no_more() {
    let (_registry, observed) = observed(&wat(MISBEHAVING), one_instance());
    for turn in 1..=3 {
        assert_eq!(tell_everything(&observed), turn);
        assert_eq!(observed.stats(), stats(2 * turn, 5 * turn, 0));
    }
    let plugin = observed.plugin().stats();
    assert_eq!((plugin.total_calls, plugin.trap_count), (21, 6), "a trap and a loop in each turn");
    assert_eq!(plugin.sandboxes_started, 7, "after each of them, a fresh one");
}

#[test]
fn exports_that_are_missing_or_of_another_type_are_ignored() {
    let wasm = wat(r#"(module
        (memory (export "memory") 1)
        (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "counter_inc") (param i32 i32) (result i64) (i64.const 0))
        (func (export "log_line") (param i32 i32) (result i64) (i64.const 0))
        (func (export "span_start") (param i32 i32) (result i64) (i64.const 0))
        (func (export "gauge_set") (param i32 i32) (result i32) unreachable)
        (func (export "span_end") (param i64) (result i64) unreachable))"#);
    let (_registry, observed) = observed(&wasm, one_instance());
    assert_eq!(tell_everything(&observed), 1);
    assert_eq!(observed.stats(), stats(3, 0, 4));
    let _lease = observed.plugin().lease().unwrap();
    observed.gauge_set("g", 1.0, &[]);
    assert_eq!(observed.stats(), stats(3, 0, 5), "ignored, busy or not");
    assert_eq!(observed.plugin().stats().total_calls, 3);
}

#[test]
fn spans_are_numbered_even_if_nobody_hears_of_them() {
    let (_registry, observed) = observed(&fixture("counter"), one_instance());
    for turn in 1..=3 {
        assert_eq!(tell_everything(&observed), turn);
    }
    assert_eq!(observed.stats(), stats(0, 0, 21));
}

#[test]
fn a_plugin_without_memory_for_the_record_fails() {
    let exporting = |alloc: &str| {
        let log = r#"(func (export "log_line") (param i32 i32) (result i64) unreachable)"#;
        wat(&format!(r#"(module (memory (export "memory") 1) {alloc} {log})"#))
    };
    for alloc in [
        "",
        r#"(func (export "soch_alloc") (param i32) (result i32) (i32.const 0))"#,
        r#"(func (export "soch_alloc") (param i32) (result i32) (i32.const 65530))"#,
        r#"(func (export "soch_alloc") (param i32) (result i32) (i32.const -1))"#,
        r#"(func (export "soch_alloc") (param i32) (result i32) unreachable)"#,
    ] {
        let (_registry, observed) = observed(&exporting(alloc), one_instance());
        observed.log(LogLevel::Warn, "message", &[]);
        assert_eq!(observed.stats(), stats(0, 1, 0), "{alloc}");
    }
}

#[test]
fn a_plugin_that_is_unloaded_or_not_initialised_fails() {
    let (registry, metrics) = metrics();
    tell_everything(&metrics);
    registry.unload("plugin").unwrap();
    assert_eq!(tell_everything(&metrics), 2);
    assert_eq!(metrics.stats(), stats(7, 7, 0));
    let alone = WasmPluginInstance::new("alone", &fixture("metrics"), one_instance()).unwrap();
    let alone = WasmObservabilityPlugin::new(alone.into());
    tell_everything(&alone);
    assert_eq!(alone.stats(), stats(0, 7, 0));
    alone.plugin().init().unwrap();
    assert_eq!(tell_everything(&alone), 2);
    assert_eq!(alone.stats(), stats(7, 7, 0));
}

#[test]
fn a_trap_costs_the_plugin_its_state_and_a_status_does_not() {
    let wasm = wat(r#"(module
        (memory (export "memory") 1)
        (global $seen (mut i64) (i64.const 0))
        (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "seen") (result i64) (global.get $seen))
        (func (export "span_end") (param i32 i32) (result i64)
            (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
            (i64.const 0))
        (func (export "gauge_set") (param i32 i32) (result i64) (i64.const -3))
        (func (export "log_line") (param i32 i32) (result i64) unreachable))"#);
    let (_registry, observed) = observed(&wasm, one_instance());
    let seen = || observed.plugin().call("seen", &[]).unwrap()[0].as_i64().unwrap();
    observed.span_end(1);
    observed.gauge_set("g", 0.0, &[]);
    observed.span_end(2);
    assert_eq!(seen(), 2);
    observed.log(LogLevel::Debug, "", &[]);
    observed.span_end(3);
    assert_eq!(seen(), 1);
}

#[test]
fn events_are_paid_for_out_of_the_plugin_s_fuel_budget() {
    let config = WasmInstanceConfig { fuel_budget: Some(20_000), ..one_instance() };
    let (_registry, metrics) = observed(&fixture("metrics"), config);
    let mut taken = 0;
    while metrics.stats().failed == 0 {
        metrics.counter_inc("requests", 1, &[]);
        taken += 1;
    }
    assert!(taken > 3, "one event takes less than a third of it");
    assert_eq!(metrics.stats(), stats(taken - 1, 1, 0));
    metrics.plugin().refuel();
    metrics.counter_inc("requests", 7, &[]);
    assert_eq!(metrics.stats(), stats(taken, 1, 0));
    metrics.plugin().refuel();
    assert_eq!(
        snapshot(&metrics, "requests"),
        ["counter requests 7"],
        "its state went with a trap"
    );
}
