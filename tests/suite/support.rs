//! What the tests share: fixtures, small modules, configurations.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicU64, Ordering},
};
use wasm_runtime::{
    Clock, EmbeddedHost, Error, ErrorKind, Grant, Host, HostCall, HostCost, HostError,
    HostFunctionTable, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance,
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

/// A clock that a test moves by hand: each reading advances it by `step_us`, by default not at all. Its
/// clones show the same time.
#[derive(Debug, Default, Clone)]
pub struct StepClock {
    now_us: Arc<AtomicU64>,
    pub step_us: u64,
}

impl StepClock {
    pub fn new(step_us: u64) -> Self {
        Self { step_us, ..Self::default() }
    }

    pub fn advance(&self, us: u64) {
        self.now_us.fetch_add(us, Ordering::Relaxed);
    }
}

impl Clock for StepClock {
    fn now_us(&self) -> u64 {
        self.now_us.fetch_add(self.step_us, Ordering::Relaxed)
    }
}

/// Why a module does not load as `plugin`.
pub fn load_error(wasm: &[u8], config: WasmInstanceConfig) -> Error {
    WasmPluginRegistry::new().load("plugin", wasm, config).unwrap_err()
}

/// Asserts the kind of an error, and that its text has each of `parts`.
#[track_caller]
pub fn assert_error(error: &Error, kind: ErrorKind, parts: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{error}: says nothing of {part}");
    }
}

/// A guest whose `run(i32) -> i32` is the host function `env.hook`.
const HOOKED: &str = r#"(module
    (import "env" "hook" (func $hook (param i32) (result i32)))
    (memory (export "memory") 1)
    (global $runs (mut i32) (i32.const 0))
    (func (export "runs") (result i32) (global.get $runs))
    (func (export "run") (param i32) (result i32)
        (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
        (call $hook (local.get 0))))"#;

type HookCall<'a, 'b> = &'a mut HostCall<'b, EmbeddedHost>;

/// A plugin whose `run` runs `hook`.
pub fn load_hooked(
    config: WasmInstanceConfig,
    hook: impl Fn(HookCall<'_, '_>, i32) -> Result<i32, HostError> + Send + Sync + 'static,
) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    table.define("env", "hook", Grant::Always, HostCost::default(), hook).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    registry.load("plugin", &wat(HOOKED), config).unwrap();
    let plugin = registry.get("plugin").unwrap();
    (registry, plugin)
}

/// A plugin whose `run` runs `hook` with a handle on the plugin itself.
pub fn load_hooked_on_itself(
    config: WasmInstanceConfig,
    hook: impl Fn(&WasmPluginInstance, i32) -> i32 + Send + Sync + 'static,
) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let itself = Arc::new(OnceLock::<Weak<WasmPluginInstance>>::new());
    let handle = Arc::clone(&itself);
    let loaded = load_hooked(config, move |_: HookCall<'_, '_>, x| {
        let plugin = handle.get().and_then(Weak::upgrade).ok_or(HostError::Failed)?;
        Ok(hook(&plugin, x))
    });
    itself.set(Arc::downgrade(&loaded.1)).unwrap();
    loaded
}

/// Runs `test` on a thread with a native stack of 128 KiB.
pub fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(test).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
