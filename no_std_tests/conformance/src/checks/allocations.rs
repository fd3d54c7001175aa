//! A warm call allocates nothing, and everything comes back.

use crate::{
    Device, HeapUse,
    check::{Result, checks, error, same},
    fixtures::wasm,
    probe::{ORDINARY, Probe},
    setup::{alone, bare, granted, registry, try_call},
};
use wasm_runtime::{PluginFunction, WasmValue};

checks![
    a_warm_call_allocates_nothing,
    a_warm_exchange_of_bytes_allocates_nothing,
    no_host_function_allocates,
    loading_and_unloading_leaves_the_heap_where_it_was,
    a_load_that_fails_leaves_the_heap_where_it_was,
];

/// Fails unless `work` allocates nothing the second time.
fn allocates_nothing(device: &dyn Device, what: &str, mut work: impl FnMut() -> Result) -> Result {
    work()?;
    let before = device.heap();
    work()?;
    let count = |heap: HeapUse| heap.allocations;
    same(what, device.heap().map(count), before.map(count))
}

fn leaves_nothing(device: &dyn Device, what: &str, mut work: impl FnMut() -> Result) -> Result {
    work()?;
    let before = device.heap();
    for _ in 0..20 {
        work()?;
    }
    let live = |heap: HeapUse| heap.live_bytes;
    same(what, device.heap().map(live), before.map(live))
}

fn a_warm_call_allocates_nothing(device: &mut dyn Device) -> Result {
    let (registry, plugin) = alone("counter", bare())?;
    let add: PluginFunction<i32, i32> = plugin.function("add")?;
    allocates_nothing(device, "typed", || {
        for _ in 0..100 {
            add.call(1)?;
        }
        Ok(())
    })?;
    allocates_nothing(device, "by name", || {
        for _ in 0..100 {
            registry.call("counter", "add", &[WasmValue::I32(1)])?;
        }
        Ok(())
    })
}

fn a_warm_exchange_of_bytes_allocates_nothing(device: &mut dyn Device) -> Result {
    let (_registry, plugin) = alone("text_transform", bare())?;
    let mut answer = [0; 64];
    allocates_nothing(device, "bytes", || {
        for _ in 0..100 {
            plugin.call_bytes_into("reverse_words", b"all is well", &mut answer)?;
        }
        Ok(())
    })
}

fn no_host_function_allocates(device: &mut dyn Device) -> Result {
    let probe = Probe::new(granted())?;
    // Deleting frees, and inserting again allocates: the second deletion finds nothing.
    for call in &ORDINARY {
        let often = probe.often(call);
        allocates_nothing(device, call.function, || often(100).map(|_| ()))?;
    }
    Ok(())
}

fn loading_and_unloading_leaves_the_heap_where_it_was(device: &mut dyn Device) -> Result {
    let registry = registry()?;
    for fixture in ["counter", "kernels", "echo", "externref", "row_validator"] {
        leaves_nothing(device, fixture, || {
            registry.load(fixture, wasm(fixture)?, granted())?;
            registry.unload(fixture)?;
            Ok(())
        })?;
    }
    Ok(())
}

fn a_load_that_fails_leaves_the_heap_where_it_was(device: &mut dyn Device) -> Result {
    let registry = registry()?;
    for fixture in ["misbehaving/trap_start", "misbehaving/missing_import"] {
        leaves_nothing(device, fixture, || {
            error(fixture, registry.load(fixture, wasm(fixture)?, bare())).map(|_| ())
        })?;
    }
    let (_registry, plugin) = alone("misbehaving/traps", granted())?;
    leaves_nothing(device, "a trap", || {
        error("trap", try_call(&plugin, "unreachable", &[])).map(|_| ())
    })
}
