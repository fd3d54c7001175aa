//! What a call's time is taken to be, when no clock was read at its beginning.

use crate::support::{StepClock, all_granted, call_i32, config, wat};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use wasm_runtime::{
    AuditLevel, Clock, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry,
};

/// `tiny` costs a few units of fuel, `long` several slices.
const CALLS: &str = r#"(module (func (export "tiny") (result i32) (i32.const 1))
    (func (export "long") (result i32) (local $i i32)
        (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
            (i32.const 50000))))
        (local.get $i)))"#;

/// A clock whose first two readings are a millisecond apart, after which it stands still.
#[derive(Debug, Default)]
struct ColdClock(AtomicU64);

impl Clock for ColdClock {
    fn now_us(&self) -> u64 {
        1_000_000 + self.0.fetch_add(1, Ordering::Relaxed).min(1) * 1_000
    }
}

fn plugin() -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    // An audit record would read the clock too.
    let builder = WasmPluginRegistry::builder().audit(AuditLevel::Off);
    let registry = builder.clock(ColdClock::default()).build().unwrap();
    let capabilities = WasmPluginCapabilities { timeout_ms: 10, ..all_granted() };
    registry.load("plugin", &wat(CALLS), config(capabilities)).unwrap();
    let plugin = registry.get("plugin").unwrap();
    (registry, plugin)
}

#[test]
fn a_slow_first_call_does_not_bring_the_next_call_s_deadline_forward() {
    let (_registry, plugin) = plugin();
    // A few units of fuel in a millisecond; after that no time passes at all.
    call_i32(&plugin, "tiny", &[]).unwrap();
    assert_eq!(call_i32(&plugin, "long", &[]).unwrap(), 50_000);
}

#[test]
fn a_slow_first_call_does_not_make_later_calls_look_slow() {
    let (_registry, plugin) = plugin();
    for _ in 0..1_000 {
        call_i32(&plugin, "tiny", &[]).unwrap();
    }
    let stats = plugin.stats();
    assert!((1_000..1_010).contains(&stats.total_execution_us), "{stats:?}");
}

#[test]
fn short_calls_are_taken_to_be_as_slow_as_those_of_them_that_are_timed() {
    // Each reading is 10 us after the one before, so a call that is timed takes 10 us.
    let registry = WasmPluginRegistry::builder().clock(StepClock::new(10)).build().unwrap();
    registry.load("plugin", &wat(CALLS), config(all_granted())).unwrap();
    let plugin = registry.get("plugin").unwrap();
    for _ in 0..1_000 {
        call_i32(&plugin, "tiny", &[]).unwrap();
    }
    assert_eq!(plugin.stats().total_execution_us, 10_000);
}
