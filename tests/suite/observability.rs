//! What a program tells of itself, handed to a plugin as events.

mod arrival;
mod information;
mod losses;
mod recorder;
mod sharing;
mod sums;

use crate::support::{config, fixture, load};
use wasm_runtime::{
    WasmInstanceConfig, WasmObservabilityPlugin, WasmPluginCapabilities, WasmPluginRegistry,
};

/// What a plugin for this is given: 100,000 fuel an event. There is no timeout, so that a slow
/// machine changes nothing.
fn one_instance() -> WasmInstanceConfig {
    let observability = WasmPluginCapabilities::observability_only();
    let capabilities = WasmPluginCapabilities { timeout_ms: 0, ..observability };
    WasmInstanceConfig { max_instances: 1, ..config(capabilities) }
}

/// A plugin that events are handed to, and its registry.
fn observed(
    wasm: &[u8],
    config: WasmInstanceConfig,
) -> (WasmPluginRegistry, WasmObservabilityPlugin) {
    let (registry, plugin) = load(wasm, config);
    (registry, WasmObservabilityPlugin::new(plugin))
}

/// The plugin that adds everything up.
fn metrics() -> (WasmPluginRegistry, WasmObservabilityPlugin) {
    observed(&fixture("metrics"), one_instance())
}

/// What it has added up for names that begin with `prefix`, line by line.
fn snapshot(metrics: &WasmObservabilityPlugin, prefix: &str) -> Vec<String> {
    let text = metrics.plugin().call_bytes("snapshot", prefix.as_bytes()).unwrap();
    String::from_utf8(text).unwrap().lines().map(String::from).collect()
}
