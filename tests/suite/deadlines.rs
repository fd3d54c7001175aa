//! Timeouts, on a clock that a test sets the pace of.

use crate::support::{StepClock, all_granted, assert_error, call_i32, config, fixture, wat};
use std::sync::Arc;
use wasm_runtime::{
    Clock, EmbeddedHost, ErrorKind, Grant, HostCall, HostCost, HostError, HostFunctionTable,
    WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

/// Far more fuel than the timeout leaves time for.
fn timed(timeout_ms: u64) -> WasmInstanceConfig {
    config(WasmPluginCapabilities { fuel_limit: 200_000_000, timeout_ms, ..all_granted() })
}

/// A registry whose clock goes on by so much each time it is read.
fn registry(step_us: u64) -> WasmPluginRegistry {
    WasmPluginRegistry::builder().clock(StepClock::new(step_us)).build().unwrap()
}

fn load(
    registry: &WasmPluginRegistry,
    name: &str,
    config: WasmInstanceConfig,
) -> Arc<WasmPluginInstance> {
    registry.load(name, &fixture(&format!("misbehaving/{name}")), config).unwrap();
    registry.get(name).unwrap()
}

#[test]
fn an_endless_loop_of_any_kind_ends_at_its_deadline() {
    let registry = registry(1_000);
    let plugin = load(&registry, "endless_loop", timed(30));
    for function in ["run", "run_with_work", "run_with_calls", "run_with_tail_calls"] {
        let error = plugin.call(function, &[]).unwrap_err();
        let says = ["`endless_loop`", function, "timeout of 30 ms"];
        assert_error(&error, ErrorKind::Deadline, &says);
        assert_eq!(call_i32(&plugin, "ping", &[]).unwrap(), 1);
    }
    assert_eq!(plugin.stats().trap_count, 4);
}

#[test]
fn an_endless_loop_through_the_host_ends_at_its_deadline() {
    let registry = registry(20);
    let plugin = load(&registry, "endless_host_loop", timed(30));
    for function in ["log", "config", "refused", "metrics"] {
        let error = plugin.call(function, &[]).unwrap_err();
        assert_error(&error, ErrorKind::Deadline, &[function, "timeout of 30 ms"]);
    }
    assert!(plugin.stats().host_calls > 1_000);
}

#[test]
fn endless_growing_ends_at_its_deadline() {
    let registry = registry(1_000);
    for name in ["memory_grower", "table_grower"] {
        let plugin = load(&registry, name, timed(30));
        let error = plugin.call("grow_zero", &[WasmValue::I32(-1)]).unwrap_err();
        assert_error(&error, ErrorKind::Deadline, &["`grow_zero`"]);
    }
}

#[test]
fn a_start_function_has_the_deadline_of_a_call() {
    let registry = registry(1_000);
    let wasm = fixture("misbehaving/endless_start");
    let error = registry.load("plugin", &wasm, timed(30)).unwrap_err();
    assert_error(&error, ErrorKind::Deadline, &["`plugin`", "timeout of 30 ms"]);
    assert!(registry.get("plugin").is_none());
}

#[test]
fn a_start_function_has_the_fuel_of_a_call() {
    let registry = registry(0);
    let wasm = fixture("misbehaving/endless_start");
    let capabilities = WasmPluginCapabilities { fuel_limit: 123_456, ..all_granted() };
    let error = registry.load("plugin", &wasm, config(capabilities)).unwrap_err();
    assert_error(&error, ErrorKind::OutOfFuel, &["`plugin`", "limit is 123456"]);
}

#[test]
fn time_counts_from_the_beginning_of_each_call() {
    let registry = registry(1_000);
    let plugin = load(&registry, "endless_loop", timed(30));
    let fuel = || plugin.stats().total_fuel_consumed;
    let mut before = fuel();
    let mut spent = Vec::new();
    for _ in 0..5 {
        plugin.call("run", &[]).unwrap_err();
        spent.push(fuel() - before);
        before = fuel();
    }
    // A reading each slice of 1,000 fuel, each a millisecond later: about thirty.
    assert!(spent.iter().all(|fuel| (28 * 1_000..33 * 1_000).contains(fuel)), "{spent:?}");
}

#[test]
fn without_a_timeout_or_with_epochs_off_only_fuel_ends_a_call() {
    let registry = registry(1_000_000);
    let fuel = |timeout_ms, enable_epochs| {
        let capabilities =
            WasmPluginCapabilities { fuel_limit: 500_000, timeout_ms, ..all_granted() };
        WasmInstanceConfig { enable_epochs, ..config(capabilities) }
    };
    for config in [fuel(0, true), fuel(1, false)] {
        let plugin = load(&registry, "endless_loop", config);
        assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::OutOfFuel);
        registry.unload("endless_loop").unwrap();
    }
    let plugin = load(&registry, "endless_loop", fuel(1, true));
    assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::Deadline);
}

#[test]
fn a_timeout_of_any_length_is_added_to_the_clock_without_overflow() {
    for timeout_ms in [u64::MAX, u64::MAX / 1_000, 1 << 60] {
        let registry = registry(u64::MAX / 1_000);
        let capabilities =
            WasmPluginCapabilities { fuel_limit: 200_000, timeout_ms, ..all_granted() };
        let plugin = load(&registry, "endless_loop", config(capabilities));
        assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::OutOfFuel);
    }
}

#[test]
fn the_system_s_clock_ends_a_call_too() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "endless_loop", timed(5));
    let error = plugin.call("run", &[]).unwrap_err();
    assert_error(&error, ErrorKind::Deadline, &["timeout of 5 ms"]);
    let spent_us = plugin.stats().total_execution_us;
    assert!((4_000..5_000_000).contains(&spent_us), "{spent_us} us");
}

/// A plugin that calls a host function for ever, and the clock, which goes on by as many microseconds
/// in each of these calls as `us` says of its number.
fn calls_that_take(
    us: impl Fn(u64) -> u64 + Send + Sync + 'static,
) -> (StepClock, Arc<WasmPluginInstance>) {
    let clock = StepClock::default();
    let (moved, calls) = (clock.clone(), std::sync::atomic::AtomicU64::new(0));
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let slow = move |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
        moved.advance(us(calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
        Ok(())
    };
    table.define("env", "slow", Grant::Always, HostCost::default(), slow).unwrap();
    let builder = WasmPluginRegistry::builder().functions(table).clock(clock.clone());
    let registry = builder.build().unwrap();
    let wasm = wat(r#"(module (import "env" "slow" (func $slow))
        (func (export "run") (loop $again (call $slow) (br $again))))"#);
    registry.load("plugin", &wasm, timed(10)).unwrap();
    (clock, registry.get("plugin").unwrap())
}

#[test]
fn a_slow_host_function_is_noticed_right_after_it() {
    let (_clock, plugin) = calls_that_take(|_| 6_000);
    for calls in [2, 4, 6] {
        assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::Deadline);
        assert_eq!(plugin.stats().host_calls, calls, "6 ms are in time, 12 are not");
    }
}

#[test]
fn a_host_function_that_turns_slow_is_noticed_within_128_calls() {
    let (_clock, plugin) = calls_that_take(|calls| if calls < 10_000 { 0 } else { 6_000 });
    assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::Deadline);
    let calls = plugin.stats().host_calls - 10_000;
    assert!((2..=130).contains(&calls), "{calls}");
    // And once it is known to be slow, at once.
    let before = plugin.stats().host_calls;
    plugin.call("run", &[]).unwrap_err();
    assert_eq!(plugin.stats().host_calls - before, 2);
}

#[test]
fn on_a_device_of_any_speed_a_deadline_is_noticed_within_the_interval() {
    // Each turn of the guest costs some 50 units of fuel.
    for us in [1, 5, 50, 400, 2_000] {
        let (clock, plugin) = calls_that_take(move |_| us);
        for _ in 0..3 {
            let began = clock.now_us();
            assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::Deadline);
            let took = clock.now_us() - began;
            assert!((10_000..=20_000).contains(&took), "{took} us at {us} us a turn");
        }
    }
}
