//! What the tests share: fixtures, configurations, and the measure of a warm call.

use crate::heap;
use std::sync::Arc;
use wasm_runtime::{
    Host, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry,
    WasmValue,
};

/// How many warm calls must allocate nothing.
pub const CALLS: i32 = 10_000;

/// A committed module of `fixtures/wasm`, such as `counter` or `misbehaving/traps`.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/wasm/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A module written in place, for what no fixture has.
pub fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// One sandbox; tables whose names begin with `open` and every plugin but `locked`; fuel and time
/// that never run out.
pub fn config() -> WasmInstanceConfig {
    WasmInstanceConfig {
        max_instances: 1,
        settings: vec![("region".into(), "eu-central".into())],
        capabilities: WasmPluginCapabilities {
            can_read_table: vec!["open*".into()],
            can_write_table: vec!["open*".into()],
            can_index_search: true,
            can_vector_search: true,
            can_call_plugin: vec!["open*".into()],
            fuel_limit: u64::MAX,
            timeout_ms: 3_600_000,
            ..WasmPluginCapabilities::default()
        },
        ..WasmInstanceConfig::default()
    }
}

/// As [`config`], with four sandboxes.
pub fn config_of_four() -> WasmInstanceConfig {
    WasmInstanceConfig { max_instances: 4, ..config() }
}

/// Loads a module and returns its handle.
pub fn load<H: Host>(
    registry: &WasmPluginRegistry<H>,
    name: &str,
    wasm: &[u8],
    config: WasmInstanceConfig,
) -> Arc<WasmPluginInstance<H>> {
    registry.load(name, wasm, config).unwrap();
    registry.get(name).unwrap()
}

/// A registry with one plugin named `plugin`, and that plugin.
pub fn one_plugin(wasm: &[u8]) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "plugin", wasm, config());
    (registry, plugin)
}

/// Shows that `call`, once it has run, runs 10,000 times without allocating.
pub fn assert_allocates_nothing(what: &str, mut call: impl FnMut()) {
    call();
    assert_allocates_nothing_from_the_start(what, call);
}

/// As [`assert_allocates_nothing`], for what was warmed already.
pub fn assert_allocates_nothing_from_the_start(what: &str, mut call: impl FnMut()) {
    let count = heap::allocations(|| (0..CALLS).for_each(|_| call()));
    assert_eq!(count, 0, "allocations in {CALLS} calls: {what}");
}

/// The memory of a plugin with one sandbox, filled with arguments for its host calls.
pub struct Arguments<'p, H: Host> {
    plugin: &'p WasmPluginInstance<H>,
    next: i32,
}

impl<'p, H: Host> Arguments<'p, H> {
    pub fn new(plugin: &'p WasmPluginInstance<H>) -> Self {
        Self { plugin, next: 1_024 }
    }

    /// Puts bytes into the guest's memory; returns their pointer and length, which do not overlap
    /// what was put before.
    pub fn put(&mut self, bytes: &[u8]) -> [i32; 2] {
        let at = self.room(bytes.len());
        self.plugin.lease().unwrap().write("memory", at[0] as u64, bytes).unwrap();
        at
    }

    /// Room for an answer.
    pub fn room(&mut self, len: usize) -> [i32; 2] {
        let at = self.next;
        let len = i32::try_from(len).unwrap();
        self.next += len;
        [at, len]
    }
}

/// Several pointers, lengths and numbers as the arguments of one call.
pub fn flat(parts: &[&[i32]]) -> Vec<WasmValue> {
    parts.iter().flat_map(|part| part.iter()).copied().map(WasmValue::I32).collect()
}

/// Shows that a host function answers `status` without allocating: 10,000 times inside one call of
/// the guest, and in 10,000 calls of the guest.
///
/// The plugin is the fixture `abi_probe`.
pub fn assert_host_function_allocates_nothing<H: Host>(
    plugin: &WasmPluginInstance<H>,
    function: &str,
    args: &[WasmValue],
    status: i32,
) {
    let expected = [WasmValue::I32(status)];
    let (once, often) = (format!("call_{function}"), format!("loop_{function}"));
    let looped: Vec<_> = [WasmValue::I32(CALLS)].iter().chain(args).copied().collect();
    let what = format!("{function} answering {status}");
    assert_allocates_nothing(&what, || {
        assert_eq!(*plugin.call(&once, args).unwrap(), expected, "{what}");
    });
    let host_calls = plugin.stats().host_calls;
    let count = heap::allocations(|| {
        assert_eq!(*plugin.call(&often, &looped).unwrap(), expected, "{what}, in one call");
    });
    assert_eq!(count, 0, "allocations in {CALLS} host calls of one call: {what}");
    assert_eq!(plugin.stats().host_calls - host_calls, CALLS as u64);
}
