//! Fresh state for every call: the heap is maintenance's business, and no call's.

use crate::{
    heap::{allocations, kept_bytes, live_bytes},
    support::{config, fixture, load, wat},
};
use wasm_runtime::{
    MaintenanceBudget, PluginFunction, ResetPolicy, WasmInstanceConfig, WasmPluginRegistry,
};

const ALL: MaintenanceBudget = MaintenanceBudget { steps: usize::MAX, max_idle_bytes: u64::MAX };

fn pooled(min_instances: u32) -> WasmInstanceConfig {
    let reset = ResetPolicy::AfterCall;
    WasmInstanceConfig { reset, min_instances, max_instances: 8, ..config() }
}

/// Seventeen pages, of which a call writes to one.
fn seventeen_pages() -> Vec<u8> {
    wat(r#"(module (memory (export "memory") 17)
        (func (export "same") (param i32) (result i32)
            (i32.store (i32.const 64) (local.get 0))
            (i32.load (i32.const 64))))"#)
}

#[test]
fn a_call_in_a_sandbox_made_ahead_takes_little_and_gives_nothing_back() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "plugin", &seventeen_pages(), pooled(8));
    let same: PluginFunction<i32, i32> = plugin.function("same").unwrap();
    // The engine has a stack from the first call on.
    same.call(0).unwrap();
    for _ in 0..3 {
        registry.maintain(&ALL);
        for n in 0..8 {
            let before = live_bytes();
            let count = allocations(|| assert_eq!(same.call(n).unwrap(), n));
            // Where its functions are kept once they are resolved.
            assert!(count <= 2, "{count} allocations");
            assert!((0..=64).contains(&(live_bytes() - before)), "the sandbox stays");
        }
    }
}

#[test]
fn a_thousand_rounds_of_calls_and_maintenance_leave_the_heap_where_it_was() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "plugin", &fixture("counter"), pooled(3));
    let round = |n: u64| {
        for _ in 0..n % 6 {
            plugin.call("increment", &[]).unwrap();
        }
        registry.maintain(&MaintenanceBudget { max_idle_bytes: (n % 5) << 16, ..ALL });
    };
    (0..30).for_each(round);
    let (kept, ()) = kept_bytes(|| (0..1_020).for_each(round));
    assert_eq!(kept, 0);
    let (returned, ()) = kept_bytes(|| {
        registry.unload("plugin").unwrap();
        drop(plugin);
    });
    assert!(returned < -3 * (64 << 10), "{returned}");
}

#[test]
fn what_is_trimmed_is_given_back() {
    let registry = WasmPluginRegistry::new();
    let config = WasmInstanceConfig { trim_idle: true, ..config() };
    let plugin = load(&registry, "plugin", &seventeen_pages(), config);
    let same: PluginFunction<i32, i32> = plugin.function("same").unwrap();
    same.call(1).unwrap();
    let (kept, done) =
        kept_bytes(|| registry.maintain(&MaintenanceBudget { max_idle_bytes: 0, ..ALL }));
    assert_eq!(done.trimmed, 1);
    assert!(kept < -17 * (64 << 10), "{kept}");
}

#[test]
fn maintenance_that_finds_nothing_to_do_allocates_a_list_or_two_of_the_plugins() {
    let registry = WasmPluginRegistry::new();
    for n in 0..100 {
        load(&registry, &format!("plugin {n}"), &fixture("counter"), pooled(1));
    }
    registry.maintain(&ALL);
    let count = allocations(|| assert!(registry.maintain(&ALL).is_done));
    assert!(count <= 12, "{count} allocations");
}
