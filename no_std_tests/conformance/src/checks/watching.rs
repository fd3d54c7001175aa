//! What is told of plugins, and to them.

use crate::{
    Device,
    check::{Result, checks, error, same, some, that},
    setup::{alone, granted, load, registry, try_call},
};
use alloc::string::String;
use wasm_runtime::{
    AuditDecision, AuditLevel, ObservabilityExtension, WasmObservabilityPlugin, WasmPluginRegistry,
};

checks![
    statistics_count_calls_traps_and_fuel,
    the_audit_has_a_load_a_denial_and_a_trap,
    prometheus_text_has_the_plugin_s_numbers,
    an_observability_plugin_adds_up_what_it_is_told,
];

fn statistics_count_calls_traps_and_fuel(_: &mut dyn Device) -> Result {
    let (registry, plugin) = alone("misbehaving/traps", granted())?;
    for _ in 0..3 {
        try_call(&plugin, "ping", &[])?;
        error("trap", try_call(&plugin, "unreachable", &[]))?;
    }
    let stats = plugin.stats();
    same("calls and traps", (stats.total_calls, stats.trap_count), (6, 3))?;
    same("all", registry.global_stats(), (6, 3))?;
    that("fuel", stats.total_fuel_consumed > 0)
}

fn the_audit_has_a_load_a_denial_and_a_trap(_: &mut dyn Device) -> Result {
    let registry = WasmPluginRegistry::builder().audit(AuditLevel::HostCalls).build()?;
    let mut config = granted();
    config.capabilities.can_read_table.clear();
    let plugin = load(&registry, "misbehaving/forbidden_table", config)?;
    try_call(&plugin, "read", &[])?;
    let traps = load(&registry, "misbehaving/traps", granted())?;
    error("trap", try_call(&traps, "unreachable", &[]))?;
    let mut seen = [false; 3];
    while let Some(record) = registry.audit().pop() {
        let [loaded, denied, trapped] = &mut seen;
        match record.decision() {
            AuditDecision::Load => *loaded = true,
            AuditDecision::Denial => *denied = record.function() == "soch_read",
            AuditDecision::Trap => *trapped = true,
            _ => {}
        }
    }
    same("loaded, denied, trapped", seen, [true; 3])
}

fn prometheus_text_has_the_plugin_s_numbers(_: &mut dyn Device) -> Result {
    let (registry, plugin) = alone("counter", granted())?;
    try_call(&plugin, "increment", &[])?;
    let mut text = String::new();
    that("rendered", registry.render_prometheus(&mut text).is_ok())?;
    let line = "wasm_plugin_calls_total{tenant=\"default\",plugin=\"counter\"} 1\n";
    that("the calls", text.contains(line))
}

fn an_observability_plugin_adds_up_what_it_is_told(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let plugin = load(&registry, "metrics", granted())?;
    let metrics = WasmObservabilityPlugin::new(plugin);
    metrics.counter_inc("requests", 40, &[("method", "GET")]);
    metrics.counter_inc("requests", 2, &[("method", "GET")]);
    metrics.gauge_set("load", 0.5, &[]);
    metrics.histogram_observe("latency_ms", 25.5, &[]);
    same("delivered", metrics.stats().delivered, 4)?;
    let text = metrics.plugin().call_bytes("snapshot", b"requests")?;
    same("text", text.as_slice(), b"counter requests{method=GET} 42\n")?;
    let text =
        some("text", String::from_utf8(metrics.plugin().call_bytes("snapshot", b"l")?).ok())?;
    that(&text, text.contains("gauge load 0.5\n") && text.contains("latency_ms count=1 sum=25.5"))
}
