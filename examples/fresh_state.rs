//! Fresh state for every call, made before the call comes; and idle plugins that give their memory back.
//!
//! `cargo run --release --example fresh_state`

use std::time::{Duration, Instant};
use wasm_runtime::{
    MaintenanceBudget, ResetPolicy, WasmInstanceConfig, WasmPluginRegistry, WasmValue,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = WasmPluginRegistry::new();
    let wasm = include_bytes!("../fixtures/wasm/kernels.wasm");

    println!("Sixteen calls with fresh state of 2 MiB each:");
    let config = |min_instances| WasmInstanceConfig {
        reset: ResetPolicy::AfterCall,
        min_instances,
        max_instances: 16,
        ..WasmInstanceConfig::default()
    };
    registry.load("as it comes", wasm, config(0))?;
    registry.load("made ahead", wasm, config(16))?;
    // In idle time: until all is done, or something else is to do.
    let budget = MaintenanceBudget { steps: 4, ..MaintenanceBudget::default() };
    while !registry.maintain(&budget).is_done {}
    for name in ["as it comes", "made ahead"] {
        let plugin = registry.get(name).ok_or("not loaded")?;
        let (before, began) = (plugin.stats().sandboxes_started, Instant::now());
        for n in 1..=16 {
            assert_eq!(plugin.call("fib", &[WasmValue::I32(n % 3)])?.len(), 1);
        }
        let took = began.elapsed() / 16;
        let made = plugin.stats().sandboxes_started - before;
        println!("  {name:<12} {took:>9.1?} a call, in which {made:>2} sandboxes were made");
        assert_eq!(made, if name == "made ahead" { 0 } else { 15 });
    }

    println!("A thread keeps them ready:");
    let maintainer = registry.maintain_in_background(budget, Duration::from_millis(1))?;
    let plugin = registry.get("made ahead").ok_or("not loaded")?;
    let until = Instant::now() + Duration::from_secs(30);
    while plugin.stats().sandboxes_started < 32 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("  {} have been made", plugin.stats().sandboxes_started);
    assert_eq!(plugin.stats().sandboxes_started, 32);
    drop(maintainer);
    registry.shutdown_all();

    println!("A hundred plugins that can do without their state, on memory for ten:");
    let counter = include_bytes!("../fixtures/wasm/counter.wasm");
    for n in 0..100 {
        let config = WasmInstanceConfig { trim_idle: true, ..WasmInstanceConfig::default() };
        registry.load(&format!("plugin {n}"), counter, config)?;
    }
    let count = |n: usize| registry.call(&format!("plugin {n}"), "increment", &[]);
    for n in 0..100 {
        assert_eq!(*count(n)?, [WasmValue::I32(1)]);
        registry.maintain(&MaintenanceBudget { max_idle_bytes: 1 << 20, ..budget });
    }
    let held = registry.maintain(&budget).idle_bytes;
    println!("  {held} bytes are held; those called last have their state");
    assert!(held <= 1 << 20);
    assert_eq!(count(99)?.first(), Some(&WasmValue::I32(2)));
    assert_eq!(count(0)?.first(), Some(&WasmValue::I32(1)));
    Ok(())
}
