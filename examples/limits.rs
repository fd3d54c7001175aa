//! What stops a plugin that will not stop: fuel, time, memory, recursion and the module's own shape.
//!
//! `cargo run --release --example limits`

use wasm_runtime::{
    Error, ErrorKind, GrowthPolicy, ModuleLimits, TrapCode, WasmInstanceConfig,
    WasmPluginCapabilities, WasmPluginRegistry, WasmValue,
};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const ENDLESS_LOOP: &[u8] = include_bytes!("../fixtures/wasm/misbehaving/endless_loop.wasm");
const MEMORY_GROWER: &[u8] = include_bytes!("../fixtures/wasm/misbehaving/memory_grower.wasm");
const DEEP_RECURSION: &[u8] = include_bytes!("../fixtures/wasm/misbehaving/deep_recursion.wasm");

fn main() -> Outcome {
    let registry = WasmPluginRegistry::new();

    println!("Fuel: 1,000,000 units for each call, as much as the default.");
    let config = with(WasmPluginCapabilities { timeout_ms: 0, ..Default::default() });
    registry.load("loop_on_fuel", ENDLESS_LOOP, config)?;
    stopped(&registry, "loop_on_fuel", "run", ErrorKind::OutOfFuel)?;

    println!("Time: 20 ms, and more fuel than that can burn.");
    let fuel_limit = u64::MAX;
    let config = with(WasmPluginCapabilities { fuel_limit, timeout_ms: 20, ..Default::default() });
    registry.load("loop_on_time", ENDLESS_LOOP, config)?;
    stopped(&registry, "loop_on_time", "run", ErrorKind::Deadline)?;

    println!("Memory: 1 MiB. By default the guest is told that it cannot grow, and goes on.");
    let memory = WasmPluginCapabilities { memory_limit_bytes: 1 << 20, ..Default::default() };
    registry.load("grower", MEMORY_GROWER, with(memory.clone()))?;
    assert_eq!(*registry.call("grower", "grow_all", &[])?, [WasmValue::I32(16)]);
    println!("  it got 16 pages of 64 KiB\n");

    println!("Or growing over the limit ends the call.");
    let limits = ModuleLimits { on_growth_denied: GrowthPolicy::Trap, ..Default::default() };
    registry.load("strict_grower", MEMORY_GROWER, WasmInstanceConfig { limits, ..with(memory) })?;
    let error = stopped(&registry, "strict_grower", "grow_all", ErrorKind::Trap)?;
    assert_eq!(error.trap_code(), Some(TrapCode::GrowthOperationLimited));

    println!("Recursion: 1,000 calls deep, on a stack of its own, not the host's.");
    registry.load("recursion", DEEP_RECURSION, WasmInstanceConfig::default())?;
    let error = stopped(&registry, "recursion", "endless", ErrorKind::Trap)?;
    assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));

    println!("Shape: a module over a limit is not loaded.");
    let limits = ModuleLimits { max_module_bytes: 64, ..Default::default() };
    let config = WasmInstanceConfig { limits, ..Default::default() };
    let error = registry.load("large", DEEP_RECURSION, config).err().ok_or("it was loaded")?;
    println!("  {error}\n");
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);

    // A plugin that was stopped takes the next call in a fresh sandbox.
    let hundred = WasmValue::I32(100);
    assert_eq!(*registry.call("recursion", "depth", &[hundred])?, [hundred]);
    println!("Afterwards `recursion` still answers.");
    Ok(())
}

fn with(capabilities: WasmPluginCapabilities) -> WasmInstanceConfig {
    WasmInstanceConfig { capabilities, ..WasmInstanceConfig::default() }
}

/// Calls a function that must fail in this way.
fn stopped(
    registry: &WasmPluginRegistry,
    plugin: &str,
    function: &str,
    kind: ErrorKind,
) -> Outcome<Error> {
    let error = registry.call(plugin, function, &[]).err().ok_or("it was not stopped")?;
    println!("  {error}\n");
    assert_eq!(error.kind(), kind);
    Ok(error)
}
