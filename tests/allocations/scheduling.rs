//! The turns of a scheduler.

use crate::{
    heap,
    support::{CALLS, config, load, wat},
};
use std::num::NonZeroU32;
use wasm_runtime::{
    CallId, EmbeddedHost, Grant, HostCall, HostCost, HostError, HostFunctionTable, Scheduler, Turn,
    WasmInstanceConfig, WasmPluginRegistry,
};

/// A guest that never ends, one that waits for its host, and one that overruns whatever it gets.
const GUEST: &str = r#"(module
    (import "env" "wait" (func $wait))
    (memory (export "memory") 16)
    (func (export "loop") (loop $again (br $again)))
    (func (export "wait") (call $wait))
    (func (export "ask") (loop $again (call $wait) (br $again)))
    (func (export "fill")
        (loop $again
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000))
            (br $again))))"#;

fn registry() -> WasmPluginRegistry {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let wait = |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
        Err(HostError::Pending(7))
    };
    table.define("env", "wait", Grant::Always, HostCost::default(), wait).unwrap();
    WasmPluginRegistry::builder().functions(table).build().unwrap()
}

/// 24 calls that run, of three tenants, and 60 that are about to wait.
fn crowded(registry: &WasmPluginRegistry) -> Scheduler {
    let mut scheduler = Scheduler::new(2_000);
    for (tenant, weight) in [("a", 1), ("b", 2), ("c", 5)] {
        scheduler.set_weight(tenant, NonZeroU32::new(weight).unwrap());
        let config = WasmInstanceConfig { tenant: tenant.into(), max_instances: 32, ..config() };
        let plugin = load(registry, &format!("{tenant}.guest"), &wat(GUEST), config);
        for (function, count) in [("loop", 6), ("wait", 20), ("fill", 2)] {
            for _ in 0..count {
                scheduler.spawn(plugin.start(function, &[]).unwrap());
            }
        }
    }
    scheduler
}

/// Has had so many calls at once that its table stays as large, whatever comes and goes: one that is more
/// than half full may grow for the holes that are left in it, as chance and its hashes will have it.
fn make_room(registry: &WasmPluginRegistry, scheduler: &mut Scheduler) {
    let config = WasmInstanceConfig { max_instances: 40, ..config() };
    let plugin = load(registry, "many", &wat(GUEST), config);
    let calls: Vec<_> =
        (0..40).map(|_| scheduler.spawn(plugin.start("wait", &[]).unwrap())).collect();
    for call in calls {
        assert!(scheduler.remove(call).is_some());
    }
}

/// Turns until so many calls more are suspended.
fn suspend(scheduler: &mut Scheduler, count: usize) -> Vec<CallId> {
    let mut suspended = Vec::new();
    for _ in 0..100 * (count + 100) {
        if suspended.len() == count {
            return suspended;
        }
        if let Turn::Suspended(id, _) = scheduler.turn() {
            suspended.push(id);
        }
    }
    panic!("{} of {count} calls are suspended", suspended.len());
}

#[test]
fn ten_thousand_warm_turns_allocate_nothing() {
    let registry = registry();
    let mut scheduler = crowded(&registry);
    suspend(&mut scheduler, 60);
    let mut turns = |count| {
        (0..count).for_each(|_| assert!(matches!(scheduler.turn(), Turn::Ran(_))));
    };
    turns(1_000);
    assert_eq!(heap::allocations(|| turns(CALLS)), 0, "allocations in {CALLS} turns");
    assert_eq!(scheduler.len(), 84);
}

#[test]
fn calls_that_come_and_go_leave_nothing_behind() {
    let registry = registry();
    let mut scheduler = crowded(&registry);
    make_room(&registry, &mut scheduler);
    let mut refill = |suspended: Vec<CallId>| {
        for id in suspended {
            let plugin = scheduler.remove(id).unwrap().plugin().clone();
            scheduler.spawn(plugin.start("wait", &[]).unwrap());
            // Gone before it had a turn.
            let passing = scheduler.spawn(plugin.start("wait", &[]).unwrap());
            assert!(scheduler.remove(passing).is_some());
        }
        suspend(&mut scheduler, 60)
    };
    let mut suspended = refill(Vec::new());
    for _ in 0..5 {
        suspended = refill(suspended);
    }
    let (kept, ()) = heap::kept_bytes(|| {
        for _ in 0..50 {
            suspended = refill(core::mem::take(&mut suspended));
        }
    });
    assert_eq!(kept, 0, "bytes kept");
}

#[test]
fn a_call_that_waits_again_and_again_leaves_nothing_behind() {
    let registry = registry();
    let mut scheduler = Scheduler::new(2_000);
    let config = WasmInstanceConfig { max_instances: 61, ..config() };
    let plugin = load(&registry, "plugin", &wat(GUEST), config);
    for _ in 0..60 {
        scheduler.spawn(plugin.start("wait", &[]).unwrap());
    }
    suspend(&mut scheduler, 60);
    let asking = scheduler.spawn(plugin.start("ask", &[]).unwrap());
    let mut ask = |times| {
        for _ in 0..times {
            assert_eq!(suspend(&mut scheduler, 1), [asking]);
            assert!(matches!(scheduler.turn(), Turn::Idle));
            scheduler.complete(asking, 7, |_| Ok(())).unwrap();
        }
    };
    ask(100);
    let (kept, ()) = heap::kept_bytes(|| ask(2_000));
    assert_eq!(kept, 0, "bytes kept");
}

#[test]
fn calls_that_never_had_a_turn_leave_nothing_behind() {
    let registry = registry();
    let plugin = load(&registry, "plugin", &wat(GUEST), config());
    let mut scheduler = Scheduler::new(2_000);
    let mut pass = |times| {
        for _ in 0..times {
            let id = scheduler.spawn(plugin.start("loop", &[]).unwrap());
            assert!(scheduler.remove(id).is_some());
        }
    };
    pass(10);
    let (kept, ()) = heap::kept_bytes(|| pass(10_000));
    assert_eq!(kept, 0, "bytes kept");
}
