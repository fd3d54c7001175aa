//! Calls that are run piece by piece.

use crate::{
    heap::{self, live_bytes},
    support::{assert_allocates_nothing, config, fixture, load, wat},
};
use std::sync::Arc;
use wasm_runtime::{
    CallOptions, EmbeddedHost, Grant, HostCall, HostCost, HostError, HostFunctionTable, PluginCall,
    Progress, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

const WAITER: &str = r#"(module
  (import "env" "later" (func $later (result i32)))
  (memory (export "memory") 1)
  (func (export "wait") (param $times i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $later)))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $sum)))"#;

fn waiter() -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let later = |_call: &mut HostCall<'_, EmbeddedHost>| -> Result<i32, HostError> {
        Err(HostError::Pending(7))
    };
    table.define("env", "later", Grant::Always, HostCost::default(), later).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let plugin = load(&registry, "waiter", &wat(WAITER), config());
    (registry, plugin)
}

#[test]
fn running_on_allocates_nothing() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "kernels", &fixture("kernels"), config());
    plugin.call("spin", &[WasmValue::I32(1)]).unwrap();
    let mut call = plugin.start("spin", &[WasmValue::I32(i32::MAX)]).unwrap();
    assert_allocates_nothing("a run of 1,000", || {
        assert_eq!(call.run(1_000).unwrap(), Progress::Running);
    });
}

#[test]
fn a_suspension_allocates_twice_at_most_and_its_answer_not_at_all() {
    let (_registry, plugin) = waiter();
    let mut call = plugin.start("wait", &[WasmValue::I32(1_000)]).unwrap();
    assert_eq!(call.run(10_000).unwrap(), Progress::Suspended(7));
    for _ in 0..900 {
        assert_eq!(heap::allocations(|| call.complete(7, |_| Ok(1)).unwrap()), 0);
        let count = heap::allocations(|| {
            assert_eq!(call.run(10_000).unwrap(), Progress::Suspended(7));
        });
        assert!(count <= 2, "{count}");
    }
}

#[test]
fn a_called_plugin_that_ends_within_its_caller_s_run_allocates_nothing() {
    let registry = WasmPluginRegistry::new();
    load(&registry, "open_echo", &fixture("echo"), config());
    let caller = load(&registry, "caller", &fixture("caller"), config());
    let input = b"open_echo\0copy\0payload";
    let run = || {
        let options = CallOptions::default();
        let mut call = caller.start_bytes("relay", input, options).unwrap();
        let count = heap::allocations(|| {
            assert!(matches!(call.run(1_000_000).unwrap(), Progress::Finished(_)));
        });
        assert_eq!(call.answer(), b"payload");
        count
    };
    run();
    // The answer that the host gets is one.
    assert_eq!(run(), 1);
}

/// Brings a call into every state that there is, and drops it there.
fn drop_in_every_state(start: impl Fn(i32) -> PluginCall) {
    drop(start(1));
    for (runs, answers, fuel) in [(1, 0, 10), (1, 0, 10_000), (2, 1, 10_000), (3, 3, 10_000)] {
        let mut call = start(3);
        for n in 0..runs {
            if let Progress::Suspended(ticket) = call.run(fuel).unwrap()
                && n < answers
            {
                call.complete(ticket, |_| Ok(1)).unwrap();
            }
        }
    }
    let mut ended = start(1);
    ended.run(10_000).unwrap();
    ended.complete(7, |_| Ok(1)).unwrap();
    assert!(matches!(ended.run(10_000).unwrap(), Progress::Finished(_)));
    let mut aborted = start(1);
    aborted.run(10_000).unwrap();
    aborted.complete(7, |_| Err::<i32, _>(HostError::Abort("enough"))).unwrap();
    aborted.run(10_000).unwrap_err();
    let cancelled = start(1);
    cancelled.cancel_token().cancel();
}

#[test]
fn a_call_dropped_in_any_state_leaves_the_heap_where_it_was() {
    let (registry, plugin) = waiter();
    let mut levels = Vec::with_capacity(10);
    for _ in 0..10 {
        drop_in_every_state(|times| plugin.start("wait", &[WasmValue::I32(times)]).unwrap());
        // The next call makes the sandbox that the last one has lost.
        plugin.start("wait", &[WasmValue::I32(1)]).unwrap().run(1).unwrap();
        drop(plugin.lease().unwrap());
        while registry.audit().pop().is_some() {}
        levels.push(live_bytes());
    }
    assert_eq!(levels[2], levels[9], "{levels:?}");
}

#[test]
fn paused_callees_leave_the_heap_where_it_was() {
    let registry = WasmPluginRegistry::new();
    load(&registry, "open_echo", &fixture("echo"), config());
    let caller = load(&registry, "caller", &fixture("caller"), config());
    let input = b"open_echo\0copy\0payload";
    let mut levels = Vec::with_capacity(10);
    for _ in 0..10 {
        for runs in 1..60 {
            let mut call = caller.start_bytes("relay", input, CallOptions::default()).unwrap();
            for _ in 0..runs {
                if call.has_ended() || call.run(40).is_err() {
                    break;
                }
            }
        }
        for name in ["open_echo", "caller"] {
            drop(registry.get(name).unwrap().lease().unwrap());
        }
        while registry.audit().pop().is_some() {}
        levels.push(live_bytes());
    }
    assert_eq!(levels[2], levels[9], "{levels:?}");
    assert!(caller.stats().trap_count > 100, "most were dropped in their midst");
}

#[test]
fn a_call_keeps_its_unloaded_plugin_until_it_is_dropped() {
    let (registry, plugin) = waiter();
    let before = live_bytes();
    let (other, handle) = waiter();
    let mut call = handle.start("wait", &[WasmValue::I32(3)]).unwrap();
    call.run(10_000).unwrap();
    other.unload("waiter").unwrap();
    drop((other, handle));
    assert!(live_bytes() > before + 64 * 1_024);
    drop(call);
    assert_eq!(live_bytes(), before);
    drop((registry, plugin));
}
