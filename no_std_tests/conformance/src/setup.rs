//! Registries and configurations that the checks share.

use crate::{
    Device,
    check::{Result, some},
    fixtures::wasm,
};
use alloc::{string::ToString, sync::Arc, vec, vec::Vec};
use wasm_runtime::{
    Clock, Distance, EmbeddedHost, Error, Grant, HostCall, HostCost, HostError, HostFunctionTable,
    IndexKey, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry,
    WasmValue,
};

pub type Plugin = Arc<WasmPluginInstance>;

/// Memory that a plugin may have here: a few fit into the heap of a small board.
pub const MEMORY_LIMIT_BYTES: u64 = 2 << 20;

/// Everything granted, and no timeout, so that nothing depends on the speed of the device.
pub fn granted() -> WasmInstanceConfig {
    let all = || vec!["*".to_string()];
    WasmInstanceConfig {
        capabilities: WasmPluginCapabilities {
            can_read_table: all(),
            can_write_table: all(),
            can_index_search: true,
            can_vector_search: true,
            can_call_plugin: all(),
            memory_limit_bytes: MEMORY_LIMIT_BYTES,
            fuel_limit: 1_000_000,
            timeout_ms: 0,
        },
        settings: vec![
            ("greeting".to_string(), "hello".to_string()),
            ("users".to_string(), "blue".to_string()),
        ],
        max_instances: 1,
        ..WasmInstanceConfig::default()
    }
}

/// Nothing granted.
pub fn bare() -> WasmInstanceConfig {
    let granted = granted();
    let capabilities = WasmPluginCapabilities {
        memory_limit_bytes: MEMORY_LIMIT_BYTES,
        timeout_ms: 0,
        ..WasmPluginCapabilities::default()
    };
    WasmInstanceConfig { capabilities, ..granted }
}

pub fn with_fuel(fuel_limit: u64) -> WasmInstanceConfig {
    let mut config = granted();
    config.capabilities.fuel_limit = fuel_limit;
    config
}

/// A registry whose tenant `default` has some rows, an index and a collection.
pub fn registry() -> Result<WasmPluginRegistry> {
    let registry = WasmPluginRegistry::builder().functions(functions()?).build()?;
    fill(registry.host())?;
    Ok(registry)
}

/// A registry with the device's clock, and no rows.
pub fn clocked_registry(device: &dyn Device) -> Result<WasmPluginRegistry> {
    let now_us = some("a clock", device.clock())?;
    let builder = WasmPluginRegistry::builder().functions(functions()?).clock(DeviceClock(now_us));
    Ok(builder.build()?)
}

/// A fixture, loaded under its own name.
pub fn load(
    registry: &WasmPluginRegistry,
    fixture: &str,
    config: WasmInstanceConfig,
) -> Result<Plugin> {
    load_as(registry, fixture, fixture, config)
}

pub fn load_as(
    registry: &WasmPluginRegistry,
    name: &str,
    fixture: &str,
    config: WasmInstanceConfig,
) -> Result<Plugin> {
    registry.load(name, wasm(fixture)?, config)?;
    some(name, registry.get(name))
}

/// One fixture in a registry of its own.
pub fn alone(fixture: &str, config: WasmInstanceConfig) -> Result<(WasmPluginRegistry, Plugin)> {
    let registry = registry()?;
    let plugin = load(&registry, fixture, config)?;
    Ok((registry, plugin))
}

/// Calls a function with `i32` arguments; its one `i32`.
pub fn call_i32(plugin: &WasmPluginInstance, function: &str, args: &[i32]) -> Result<i32> {
    let values = try_call(plugin, function, args)?;
    some(function, values.first().and_then(WasmValue::as_i32))
}

/// Calls a function with `i32` arguments.
pub fn try_call(
    plugin: &WasmPluginInstance,
    function: &str,
    args: &[i32],
) -> core::result::Result<wasm_runtime::WasmValues, Error> {
    plugin.call(function, &i32s(args))
}

pub fn i32s(args: &[i32]) -> Vec<WasmValue> {
    args.iter().copied().map(WasmValue::I32).collect()
}

struct DeviceClock(fn() -> u64);

impl Clock for DeviceClock {
    fn now_us(&self) -> u64 {
        (self.0)()
    }
}

/// The row id that the searches find first.
pub const ROW_ID: u64 = 7;

fn fill(host: &EmbeddedHost) -> Result {
    let rows: [(&str, &str, &str); 7] = [
        ("users", "key", "row"),
        ("people", "1", "1,Ada,ada@example.org,36"),
        ("people", "2", "2,Ben,ben@example.org,41"),
        ("people", "3", "no row at all"),
        ("rivers", "Danube", "2850"),
        ("rivers", "Nile", "6650"),
        ("rivers", "Rhine", "1233"),
    ];
    for (table, key, value) in rows {
        host.put("default", table, key.as_bytes(), value.as_bytes())?;
    }
    host.create_index("default", "users", "places", IndexKey::field(0, 3))?;
    host.create_collection("default", "users", "places", 2, Distance::L2)?;
    for (id, [x, y], place) in
        [(ROW_ID, [1.0, 2.0], "key"), (8, [3.0, 4.0], "kez"), (9, [-1.0, 0.5], "aaa")]
    {
        host.put("default", "places", &u64::to_be_bytes(id), place.as_bytes())?;
        host.insert_vector("default", "users", id, &[x, y])?;
    }
    Ok(())
}

/// The built-in functions, and those that the fixtures `dispatch_check`, `sensor` and `waiter` import.
fn functions() -> Result<HostFunctionTable<EmbeddedHost>> {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();

    table.define(
        "check",
        "mark",
        Grant::Always,
        HostCost::default(),
        |_: &mut HostCall<'_, EmbeddedHost>, _: i32| Ok(()),
    )?;
    let add = |_: &mut HostCall<'_, EmbeddedHost>, a: i32, b: i32| Ok(a.wrapping_add(b));
    table.define("check", "add", Grant::Always, HostCost::default(), add)?;
    let read = |_: &mut HostCall<'_, EmbeddedHost>, channel: i32| Ok(channel.wrapping_mul(100));
    table.define("env", "read", Grant::Always, HostCost::default(), read)?;
    let later = |call: &mut HostCall<'_, EmbeddedHost>, ticket: i32, out: i32, cap: i32| {
        call.split([], (out, cap))?;
        Err::<i32, _>(pending(ticket))
    };
    table.define("env", "later", Grant::Always, HostCost::default(), later)?;
    let later_f64 =
        |_: &mut HostCall<'_, EmbeddedHost>, ticket: i32| Err::<f64, _>(pending(ticket));
    table.define("env", "later_f64", Grant::Always, HostCost::default(), later_f64)?;
    let later_nothing =
        |_: &mut HostCall<'_, EmbeddedHost>, ticket: i32| Err::<(), _>(pending(ticket));
    table.define("env", "later_nothing", Grant::Always, HostCost::default(), later_nothing)?;
    Ok(table)
}

fn pending(ticket: i32) -> HostError {
    HostError::Pending(u64::from(ticket.cast_unsigned()))
}
