//! What the tests share: fixtures, small modules, configurations.

use std::sync::Arc;
use wasm_runtime::{
    Clock, Error, Host, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance,
    WasmPluginRegistry, WasmValue,
};

/// A committed module of `fixtures/wasm`, such as `counter` or `misbehaving/traps`.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/wasm/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A module written in place, for what no fixture has.
pub fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A configuration with these capabilities.
pub fn config(capabilities: WasmPluginCapabilities) -> WasmInstanceConfig {
    WasmInstanceConfig { capabilities, ..WasmInstanceConfig::default() }
}

/// Everything allowed, the default limits, no timeout.
pub fn all_granted() -> WasmPluginCapabilities {
    WasmPluginCapabilities {
        can_read_table: vec!["*".into()],
        can_write_table: vec!["*".into()],
        can_index_search: true,
        can_vector_search: true,
        can_call_plugin: vec!["*".into()],
        timeout_ms: 0,
        ..WasmPluginCapabilities::default()
    }
}

/// A registry over an `EmbeddedHost` with one plugin, and that plugin.
pub fn load(
    wasm: &[u8],
    config: WasmInstanceConfig,
) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", wasm, config).unwrap();
    let plugin = registry.get("plugin").unwrap();
    (registry, plugin)
}

/// Calls a function that takes `i32`s and returns one.
pub fn call_i32<H: Host>(
    plugin: &WasmPluginInstance<H>,
    function: &str,
    args: &[i32],
) -> Result<i32, Error> {
    let args: Vec<_> = args.iter().copied().map(WasmValue::I32).collect();
    Ok(plugin.call(function, &args)?[0].as_i32().unwrap())
}

/// A clock that a test moves by hand: each reading advances it by `step_us`.
#[derive(Debug, Default)]
pub struct StepClock {
    now_us: std::sync::atomic::AtomicU64,
    pub step_us: u64,
}

impl StepClock {
    pub fn new(step_us: u64) -> Self {
        Self { step_us, ..Self::default() }
    }
}

impl Clock for StepClock {
    fn now_us(&self) -> u64 {
        self.now_us.fetch_add(self.step_us, std::sync::atomic::Ordering::Relaxed)
    }
}

/// Why a module does not load as `plugin`.
pub fn load_error(wasm: &[u8], config: WasmInstanceConfig) -> Error {
    WasmPluginRegistry::new().load("plugin", wasm, config).unwrap_err()
}
