//! Events while the plugin is busy: with other threads, or with itself.

use super::{metrics, observed, one_instance, snapshot};
use crate::support::{fixture, wat};
use std::sync::{Arc, OnceLock, Weak};
use wasm_runtime::{
    EmbeddedHost, Grant, HostCall, HostCost, HostError, HostFunctionTable, LogLevel,
    ObservabilityExtension, ObservabilityStats, WasmInstanceConfig, WasmObservabilityPlugin,
    WasmPluginRegistry,
};

#[test]
fn an_event_for_a_plugin_whose_sandbox_is_leased_is_dropped() {
    let (_registry, metrics) = metrics();
    metrics.counter_inc("requests", 1, &[]);
    let lease = metrics.plugin().lease().unwrap();
    metrics.counter_inc("requests", 10, &[]);
    assert_eq!(metrics.span_start("work", None), 1, "numbered nevertheless");
    drop(lease);
    metrics.counter_inc("requests", 100, &[]);
    let expected = ObservabilityStats { delivered: 2, dropped: 2, ..Default::default() };
    assert_eq!(metrics.stats(), expected);
    assert_eq!(
        snapshot(&metrics, ""),
        [
            "counter requests 101",
            "log debug=0 info=0 warn=0 error=0",
            "lost events=0",
            "spans started=0 ended=0 open=0 events=0",
        ]
    );
}

#[test]
fn four_threads_lose_only_what_is_counted_as_dropped() {
    let (_registry, metrics) = metrics();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let metrics = &metrics;
            scope.spawn(move || {
                let labels = [("thread", &*thread.to_string())];
                for _ in 0..1_000 {
                    metrics.counter_inc("events", 1, &labels);
                }
            });
        }
    });
    let stats = metrics.stats();
    assert_eq!(stats.delivered + stats.dropped, 4_000, "{stats:?}");
    let sum: u64 = snapshot(&metrics, "events")
        .iter()
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(sum, stats.delivered);
    assert!(sum > 0, "whoever holds the sandbox gets on");
}

#[test]
fn with_several_instances_each_adds_up_what_came_to_it() {
    let config = WasmInstanceConfig { max_instances: 2, ..one_instance() };
    let (_registry, metrics) = observed(&fixture("metrics"), config);
    metrics.counter_inc("events", 1, &[]);
    let mut first = metrics.plugin().lease().unwrap();
    metrics.counter_inc("events", 10, &[]);
    let mut second = metrics.plugin().lease().unwrap();
    assert_eq!(first.call_bytes("snapshot", b"events").unwrap(), b"counter events 1\n");
    assert_eq!(second.call_bytes("snapshot", b"events").unwrap(), b"counter events 10\n");
}

/// A guest whose `log_line` tells the host.
const TALKATIVE: &str = r#"(module
    (import "env" "tell" (func $tell))
    (memory (export "memory") 1)
    (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "log_line") (param i32 i32) (result i64) (call $tell) (i64.const 0)))"#;

#[test]
fn what_is_told_inside_of_an_event_s_own_delivery_goes_round_in_no_circle() {
    let itself = Arc::new(OnceLock::<Weak<WasmObservabilityPlugin>>::new());
    let handle = Arc::clone(&itself);
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let tell = move |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
        let observed = handle.get().and_then(Weak::upgrade).ok_or(HostError::Failed)?;
        observed.log(LogLevel::Info, "again", &[]);
        Ok(())
    };
    table.define("env", "tell", Grant::Always, HostCost::default(), tell).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let config = WasmInstanceConfig { max_instances: 2, ..one_instance() };
    registry.load("plugin", &wat(TALKATIVE), config).unwrap();
    let observed = Arc::new(WasmObservabilityPlugin::new(registry.get("plugin").unwrap()));
    itself.set(Arc::downgrade(&observed)).unwrap();
    observed.log(LogLevel::Info, "once", &[]);
    let expected = ObservabilityStats { delivered: 2, dropped: 1, ..Default::default() };
    assert_eq!(
        observed.stats(),
        expected,
        "as many as there are sandboxes, and one that found none"
    );
}
