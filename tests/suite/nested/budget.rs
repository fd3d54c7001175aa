//! One budget for the caller and everyone it calls.

use super::asker::{Asker, granted};
use crate::support::{StepClock, all_granted, config, fixture, wat};
use std::sync::{Arc, Mutex};
use wasm_runtime::{
    CallOptions, Clock, EmbeddedHost, ErrorKind, Grant, HostCall, HostCost, HostError,
    HostFunctionTable, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry, WasmValue,
};

fn fuel(asker: &Asker, plugin: &str) -> u64 {
    asker.registry.get(plugin).unwrap().stats().total_fuel_consumed
}

#[test]
fn what_the_called_plugin_spends_is_part_of_what_its_caller_spends() {
    let asker = Asker::new();
    asker.ask("echo", "echo", b"x", 64);
    // Filling memory costs the callee by the byte; everything else stays the same.
    let spent = |len: u32| {
        let before = (fuel(&asker, "asker"), fuel(&asker, "echo"));
        asker.ask("echo", "answer_len", &len.to_le_bytes(), 0);
        (fuel(&asker, "asker") - before.0, fuel(&asker, "echo") - before.1)
    };
    let (small, large) = (spent(64), spent(64 * 100));
    assert!(large.1 > small.1);
    // 99 times 64 bytes of answer more, at two fuel each.
    assert_eq!(large.0 - small.0, large.1 - small.1 + 99 * 2);
}

#[test]
fn a_called_plugin_spends_at_most_its_own_limit() {
    let mut narrow = granted();
    narrow.capabilities.fuel_limit = 10_000;
    let asker = Asker::new();
    asker.registry.load("looper", &fixture("misbehaving/liar_alloc_loop"), narrow).unwrap();
    assert_eq!(asker.explain("looper", "echo", b"hello"), (-7, 4, 0));
    let spent = fuel(&asker, "looper");
    assert!((9_990..=10_000).contains(&spent), "{spent}");
    assert!((spent + 600..spent + 800).contains(&fuel(&asker, "asker")));
}

#[test]
fn a_called_plugin_spends_at_most_what_its_caller_has_left() {
    let asker = Asker::new();
    asker.load("looper", "misbehaving/liar_alloc_loop");
    for limit in [700, 1_000, 39_999, 40_000, 40_001, 100_000, 333_333] {
        let before = (fuel(&asker, "asker"), fuel(&asker, "looper"));
        let options = CallOptions { fuel: Some(limit), ..CallOptions::default() };
        let outcome = asker.try_ask(("looper", "echo", b"hello", 64), options);
        let spent = fuel(&asker, "asker") - before.0;
        let callee = fuel(&asker, "looper") - before.1;
        assert!(callee < spent && spent <= limit && limit - spent < 20, "{callee} {spent} {limit}");
        // Whether the caller could still return with what its callee left is a matter of units.
        match outcome {
            Ok(status) => assert_eq!(status, -7),
            Err(error) => assert_eq!(error.kind(), ErrorKind::OutOfFuel),
        }
    }
}

#[test]
fn the_same_nested_call_spends_the_same_each_time() {
    let asker = Asker::new();
    let spent: Vec<_> = (0..10)
        .map(|_| {
            let before = fuel(&asker, "asker");
            assert_eq!(asker.ask("echo", "copy", &[7; 5_000], 64), 5_000);
            fuel(&asker, "asker") - before
        })
        .collect();
    assert!(spent.iter().all(|fuel| *fuel == spent[0]), "{spent:?}");
}

#[test]
fn a_fuel_budget_of_the_called_plugin_pays_for_its_part() {
    let config = WasmInstanceConfig { fuel_budget: Some(100_000), ..granted() };
    let asker = Asker::with(granted(), config);
    let echo = asker.registry.get("echo").unwrap();
    assert_eq!(asker.ask("echo", "echo", b"hello", 64), 5);
    let left = echo.fuel_budget_left().unwrap();
    assert_eq!(left, 100_000 - echo.stats().total_fuel_consumed);
    assert!(left < 100_000);
}

#[test]
fn a_deadline_of_the_caller_holds_for_the_called_plugin() {
    // Each reading of the clock is one millisecond later; a slice ends with one.
    let registry = WasmPluginRegistry::builder().clock(StepClock::new(1_000)).build().unwrap();
    let mut capabilities = all_granted();
    capabilities.fuel_limit = u64::MAX;
    let patient = config(capabilities.clone());
    capabilities.timeout_ms = 50;
    registry.load("caller", &fixture("caller"), config(capabilities)).unwrap();
    registry.load("looper", &fixture("misbehaving/liar_alloc_loop"), patient).unwrap();
    let caller = registry.get("caller").unwrap();
    let outcome = caller.call_bytes("explain", b"looper\0echo\0hello");
    // The callee was stopped, and its caller at its next slice or host call, if it got that far.
    match outcome {
        Ok(answer) => assert_eq!(answer, [-7_i32, 4, 0].map(i32::to_le_bytes).concat()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Deadline),
    }
    let slices = registry.get("looper").unwrap().stats().total_fuel_consumed / 40_000;
    assert!(slices <= 51, "{slices} slices");
}

/// What a host function saw of its callers: plugin, tenant, tag.
type Seen = Arc<Mutex<Vec<(String, String, u64)>>>;

#[test]
fn a_host_function_sees_who_calls_and_the_outermost_call_s_tag() {
    let seen = Seen::default();
    let record = Arc::clone(&seen);
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    table
        .define(
            "env",
            "mark",
            Grant::Always,
            HostCost::default(),
            move |call: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
                let who = (call.plugin().into(), call.tenant().into(), call.tag());
                record.lock().unwrap().push(who);
                Ok(())
            },
        )
        .unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let wasm = wat(super::stack::LINK);
    for name in ["a", "b", "c"] {
        let config = WasmInstanceConfig { tenant: "acme".into(), ..granted() };
        registry.load(name, &wasm, config).unwrap();
    }
    let a = registry.get("a").unwrap();
    for tag in [7, 0, u64::MAX] {
        let options = CallOptions { tag, ..CallOptions::default() };
        a.call_with("start", &[], options).unwrap();
        let expected = ["a", "b", "c"].map(|name| (name.to_string(), "acme".to_string(), tag));
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected);
    }
}

/// A caller, its limits, and a callee that traps each time, whose start function never ends once the
/// table `flag` has a row; otherwise it ends after some 300,000 fuel.
fn caller_of_a_callee_made_anew(
    clock: StepClock,
    (fuel_limit, timeout_ms): (u64, u64),
) -> WasmPluginRegistry {
    let registry = WasmPluginRegistry::builder().clock(clock).build().unwrap();
    let callee = wat(r#"(module
        (import "soch_v1" "soch_read"
            (func $read (param i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "flag")
        (func $start (local $left i32) (local.set $left (i32.const 50000))
            (loop $again
                (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
            (if (i32.eqz (call $read (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4)
                    (i32.const 8) (i32.const 0)))
                (then (loop $ever (br $ever)))))
        (start $start)
        (func (export "soch_alloc") (param i32) (result i32) (i32.const 16))
        (func (export "trap") (param i32 i32) (result i64) (unreachable)))"#);
    let caller = wat(r#"(module
        (import "soch_v1" "call_plugin"
            (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "calleetrap")
        (func (export "run") (loop $again
            (drop (call $call (i32.const 0) (i32.const 6) (i32.const 6) (i32.const 4)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
            (br $again))))"#);
    let limited = |fuel_limit, timeout_ms| {
        config(WasmPluginCapabilities { fuel_limit, timeout_ms, ..all_granted() })
    };
    registry.load("callee", &callee, limited(u64::MAX / 2, 60_000)).unwrap();
    registry.load("caller", &caller, limited(fuel_limit, timeout_ms)).unwrap();
    // The sandbox that loading made is gone after this.
    let trapped = registry.call("callee", "trap", &[0, 0].map(WasmValue::I32));
    assert_eq!(trapped.unwrap_err().kind(), ErrorKind::Trap);
    registry
}

#[test]
fn a_deadline_of_the_caller_holds_for_the_start_function_of_the_called_plugin() {
    let clock = StepClock::new(100);
    let registry = caller_of_a_callee_made_anew(clock.clone(), (u64::MAX / 2, 10));
    // Its value is empty: the read answers 0.
    registry.host().put("default", "flag", b"flag", b"").unwrap();
    let began = clock.now_us();
    let error = registry.call("caller", "run", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline, "{error}");
    let took = clock.now_us() - began;
    assert!((10_000..=20_000).contains(&took), "{took} us");
}

#[test]
fn what_start_functions_of_called_plugins_spend_is_paid_by_the_caller() {
    let registry = caller_of_a_callee_made_anew(StepClock::new(1), (1_000_000, 0));
    let fuel = |plugin: &str| registry.get(plugin).unwrap().stats().total_fuel_consumed;
    let before = fuel("callee");
    let error = registry.call("caller", "run", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfFuel, "{error}");
    let callee = fuel("callee") - before;
    assert!(callee <= 1_000_000, "the callee spent {callee} for a caller that had 1,000,000");
}
