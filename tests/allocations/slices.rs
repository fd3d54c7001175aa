//! Calls that are suspended and resumed many times on their way.

use crate::{
    heap,
    support::{config, fixture, load},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use wasm_runtime::{Clock, PluginFunction, WasmPluginRegistry, WasmValue};

/// A clock that stands still and counts how often it is read: at the end of each slice.
#[derive(Clone, Default)]
struct CountedClock(Arc<AtomicU64>);

impl Clock for CountedClock {
    fn now_us(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed);
        0
    }
}

#[test]
fn suspending_and_resuming_a_call_allocates_nothing() {
    let clock = CountedClock::default();
    let registry = WasmPluginRegistry::builder().clock(clock.clone()).build().unwrap();
    let plugin = load(&registry, "kernels", &fixture("kernels"), config());
    let spin: PluginFunction<i32, ()> = plugin.function("spin").unwrap();
    let fib: PluginFunction<i32, i32> = plugin.function("fib").unwrap();
    spin.call(1).unwrap();
    fib.call(2).unwrap();
    let readings = || clock.0.load(Ordering::Relaxed);
    let slices_of = |call: &mut dyn FnMut()| {
        let before = readings();
        assert_eq!(heap::allocations(&mut *call), 0);
        readings() - before
    };
    let typed = slices_of(&mut || spin.call(2_000_000).unwrap());
    assert!(typed > 60, "{typed} readings");
    let by_name = slices_of(&mut || {
        plugin.call("spin", &[WasmValue::I32(2_000_000)]).unwrap();
    });
    assert!(by_name > 60, "{by_name} readings");
    // A recursive function, so that the stack that is kept while suspended is not a flat one.
    assert_eq!(fib.call(20).unwrap(), 6_765);
    let recursive = slices_of(&mut || assert_eq!(fib.call(20).unwrap(), 6_765));
    assert!(recursive > 1, "{recursive} slices");
}

#[test]
fn suspending_a_call_under_a_lease_allocates_nothing() {
    let clock = CountedClock::default();
    let registry = WasmPluginRegistry::builder().clock(clock.clone()).build().unwrap();
    let plugin = load(&registry, "kernels", &fixture("kernels"), config());
    let mut lease = plugin.lease().unwrap();
    lease.call("spin", &[WasmValue::I32(1)]).unwrap();
    let before = clock.0.load(Ordering::Relaxed);
    let count = heap::allocations(|| {
        lease.call("spin", &[WasmValue::I32(500_000)]).unwrap();
    });
    assert_eq!(count, 0);
    assert!(clock.0.load(Ordering::Relaxed) - before > 15);
}
