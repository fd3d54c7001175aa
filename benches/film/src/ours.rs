//! The same guests behind the library.

use crate::{guests, row};
use std::{
    hint::black_box,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use wasm_runtime::{
    Clock, EmbeddedHost, Grant, HostCall, HostCost, HostError, HostFunctionTable,
    WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry,
};

/// The plugin's name in its registry.
pub const PLUGIN: &str = "plugin";

/// Once set, the plugins that are loaded run by a clock that costs what the system's does, and says
/// that each reading is a microsecond after the last: for counting instructions, where nothing may
/// depend on how fast they are executed.
pub static STEADY: OnceLock<()> = OnceLock::new();

#[derive(Default)]
struct SteadyClock(AtomicU64);

impl Clock for SteadyClock {
    fn now_us(&self) -> u64 {
        black_box(Instant::now());
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// A registry with one plugin.
pub struct Ours {
    /// The registry.
    pub registry: WasmPluginRegistry,
    /// Its plugin.
    pub plugin: Arc<WasmPluginInstance>,
}

impl Ours {
    /// Loads [`guests::calls`].
    pub fn calls(config: WasmInstanceConfig) -> Self {
        Self::new(&guests::calls(), config)
    }

    /// Loads [`guests::metrics`].
    pub fn metrics(config: WasmInstanceConfig) -> Self {
        Self::new(&guests::metrics(), config)
    }

    /// Loads [`guests::reads`], with `rows` rows to read from.
    pub fn reads(config: WasmInstanceConfig, rows: u64) -> Self {
        let ours = Self::new(&guests::reads(), config);
        for at in 0..rows {
            let put = ours.registry.host().put("default", guests::NAME, &at.to_be_bytes(), &row());
            assert!(put.is_ok_and(|replaced| !replaced));
        }
        ours
    }

    /// Loads a module into a registry of its own, with the embedder's functions `env.nothing` and
    /// `env.next`, which cost no fuel, as those by hand.
    pub fn new(wasm: &[u8], config: WasmInstanceConfig) -> Self {
        let mut functions = HostFunctionTable::<EmbeddedHost>::new();
        let nothing = |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> { Ok(()) };
        let next =
            |_: &mut HostCall<'_, EmbeddedHost>, n: i32| -> Result<i32, HostError> { Ok(n + 1) };
        let defined = functions
            .define("env", "nothing", Grant::Always, HostCost::default(), nothing)
            .and_then(|()| {
                functions.define("env", "next", Grant::Always, HostCost::default(), next)
            });
        let builder = match STEADY.get() {
            Some(()) => WasmPluginRegistry::builder().clock(SteadyClock::default()),
            None => WasmPluginRegistry::builder(),
        };
        let loaded = defined
            .and_then(|()| builder.functions(functions).build())
            .and_then(|registry| registry.load(PLUGIN, wasm, config).map(|()| registry));
        let registry = loaded.unwrap_or_else(|error| panic!("{error}"));
        let plugin = registry.get(PLUGIN).unwrap_or_else(|| panic!("it was just loaded"));
        Self { registry, plugin }
    }
}

/// The default configuration, with a grant to read the table.
pub fn default_config() -> WasmInstanceConfig {
    WasmInstanceConfig {
        capabilities: WasmPluginCapabilities {
            can_read_table: vec![guests::NAME.into()],
            ..WasmPluginCapabilities::default()
        },
        ..WasmInstanceConfig::default()
    }
}

/// The default configuration but for fuel, of which a loop of many host calls needs more.
pub fn long_config() -> WasmInstanceConfig {
    let mut config = default_config();
    config.capabilities.fuel_limit = u64::MAX;
    config.capabilities.timeout_ms = 60_000;
    config
}

/// The default configuration without a deadline.
pub fn untimed_config() -> WasmInstanceConfig {
    let mut config = default_config();
    config.capabilities.timeout_ms = 0;
    config
}
