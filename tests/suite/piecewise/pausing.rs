//! Pausing: nothing depends on how a call is divided.

use super::bench::{Bench, args, finish, finish_i32, granted, run_on, timed};
use crate::support::{all_granted, assert_error, config, fixture, load};
use wasm_runtime::{
    CallOptions, ErrorKind, PluginCall, Progress, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginRegistry, WasmPluginState, WasmValue,
};

const SLICES: [u64; 6] = [1, 37, 1_000, 10_007, 1_000_000, u64::MAX];

#[test]
fn a_started_call_can_go_to_another_thread() {
    fn is_send<T: Send + 'static>() {}
    is_send::<PluginCall>();
}

#[test]
fn results_and_fuel_are_those_of_a_plain_call_however_it_is_divided() {
    let cases: [(&str, &str, &[i32]); 7] = [
        ("kernels", "fib", &[12]),
        ("kernels", "sort", &[200]),
        ("kernels", "bulk", &[50]),
        ("kernels", "dispatch", &[500]),
        ("misbehaving/memory_grower", "grow_by", &[3]),
        ("misbehaving/memory_grower", "grow_zero", &[100]),
        ("misbehaving/table_grower", "grow_by", &[5_000]),
    ];
    for (module, function, numbers) in cases {
        // A fresh plugin each: some of them change their state.
        let plugin = || load(&fixture(module), config(all_granted()));
        let (_registry, plain) = plugin();
        let expected = plain.call(function, &args(numbers)).unwrap();
        let fuel = plain.stats().total_fuel_consumed;
        for slice in SLICES {
            let (_registry, plugin) = plugin();
            let mut call = plugin.start(function, &args(numbers)).unwrap();
            assert_eq!(finish(&mut call, slice).unwrap(), expected, "{function} by {slice}");
            assert_eq!(call.fuel_spent(), fuel, "{function} by {slice}");
            assert_eq!(plugin.stats().total_fuel_consumed, fuel, "{function} by {slice}");
            assert_eq!(plugin.stats().total_calls, 1);
        }
    }
}

#[test]
fn a_trap_and_a_limit_come_after_the_same_fuel_however_the_call_is_divided() {
    for (module, function) in
        [("misbehaving/traps", "unreachable"), ("misbehaving/endless_loop", "run_with_calls")]
    {
        let outcome = |slice: Option<u64>| {
            let (_registry, plugin) = load(&fixture(module), config(all_granted()));
            let error = match slice {
                None => plugin.call(function, &[]).unwrap_err(),
                Some(slice) => {
                    run_on(&mut plugin.start(function, &[]).unwrap(), slice).unwrap_err()
                }
            };
            let report = error.trap_report().unwrap().clone();
            (error.to_string(), report, plugin.stats().total_fuel_consumed, plugin.trap_stats())
        };
        let plain = outcome(None);
        for slice in SLICES {
            assert_eq!(outcome(Some(slice)), plain, "{function} by {slice}");
        }
    }
}

#[test]
fn bytes_are_exchanged_piece_by_piece_as_at_once() {
    for function in ["echo", "copy", "length", "nothing"] {
        for input in [&b""[..], b"hello", &[7; 3_000]] {
            let (_registry, plain) = load(&fixture("echo"), config(all_granted()));
            let expected = plain.call_bytes(function, input).unwrap();
            for slice in SLICES {
                let (_registry, plugin) = load(&fixture("echo"), config(all_granted()));
                let options = CallOptions::default();
                let mut call = plugin.start_bytes(function, input, options).unwrap();
                assert!(finish(&mut call, slice).unwrap().is_empty());
                assert_eq!(call.answer(), expected, "{function} by {slice}");
                let fuel = [&plain, &plugin].map(|plugin| plugin.stats().total_fuel_consumed);
                assert_eq!(fuel[0], fuel[1], "{function} by {slice}");
            }
        }
    }
}

#[test]
fn an_exchange_that_goes_wrong_fails_as_at_once() {
    let failures = [
        ("misbehaving/liar_alloc_zero", "echo"),
        ("misbehaving/liar_alloc_wild", "echo"),
        ("misbehaving/liar_free_traps", "echo"),
        ("misbehaving/liar_alloc_trap", "echo"),
        ("kernels", "fib"),
    ];
    for (module, function) in failures {
        let (_registry, plugin) = load(&fixture(module), config(all_granted()));
        let plain = plugin.call_bytes(function, b"input").unwrap_err();
        let started = plugin.start_bytes(function, b"input", CallOptions::default());
        let error = started.and_then(|mut call| run_on(&mut call, 100)).unwrap_err();
        assert_eq!(error.to_string(), plain.to_string(), "{module}");
        assert_eq!(error.kind(), plain.kind(), "{module}");
    }
}

#[test]
fn a_run_of_nothing_runs_nothing_and_a_run_of_one_gets_on() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = plugin.start("spin", &args(&[1_000])).unwrap();
    for _ in 0..3 {
        assert_eq!(call.run(0).unwrap(), Progress::Running);
        assert_eq!(call.fuel_spent(), 0);
    }
    let mut spent = 0;
    for _ in 0..5 {
        assert_eq!(call.run(1).unwrap(), Progress::Running);
        assert!(call.fuel_spent() > spent);
        spent = call.fuel_spent();
    }
}

#[test]
fn a_run_spends_what_it_was_given_but_for_its_last_block() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = plugin.start("spin", &args(&[1_000_000])).unwrap();
    let mut before = 0;
    for fuel in [100, 5_000, 40_000, 77_777, 300_000] {
        assert_eq!(call.run(fuel).unwrap(), Progress::Running);
        let spent = call.fuel_spent() - before;
        assert!(spent.abs_diff(fuel) < 40, "{spent} of {fuel}");
        before = call.fuel_spent();
    }
}

#[test]
fn a_call_that_has_ended_has_given_its_sandbox_back_and_does_not_run_again() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = plugin.start("spin", &args(&[10])).unwrap();
    assert_eq!(plugin.state(), WasmPluginState::Executing);
    assert_eq!(plugin.call("spin", &args(&[1])).unwrap_err().kind(), ErrorKind::Busy);
    assert!(!call.has_ended());
    assert_eq!(finish_i32(&mut call, u64::MAX), 10);
    assert!(call.has_ended());
    assert_eq!(plugin.state(), WasmPluginState::Ready);
    assert_error(&call.run(10).unwrap_err(), ErrorKind::NotReady, &["`waiter`", "has ended"]);
    assert!(plugin.call("spin", &args(&[1])).is_ok());
    assert_eq!(plugin.stats().sandboxes_started, 1);

    let mut call = plugin.start("trap", &[]).unwrap();
    assert_eq!(call.run(10).unwrap_err().kind(), ErrorKind::Trap);
    assert_eq!(call.run(10).unwrap_err().kind(), ErrorKind::NotReady);
    assert!(plugin.call("spin", &args(&[1])).is_ok());
    assert_eq!(plugin.stats().sandboxes_started, 2);
}

#[test]
fn what_cannot_be_called_is_refused_when_it_is_started_and_takes_no_sandbox() {
    let (_bench, plugin) = Bench::waiter();
    let refused = |function: &str, numbers: &[i32]| plugin.start(function, &args(numbers));
    assert_error(&refused("no", &[]).unwrap_err(), ErrorKind::FunctionNotFound, &["`no`"]);
    assert_error(&refused("spin", &[]).unwrap_err(), ErrorKind::SignatureMismatch, &["`spin`"]);
    let bytes = plugin.start_bytes("spin", b"", CallOptions::default());
    assert_error(&bytes.unwrap_err(), ErrorKind::SignatureMismatch, &["`spin`"]);
    assert_eq!(plugin.state(), WasmPluginState::Ready);
    let call = plugin.start("spin", &args(&[1])).unwrap();
    assert_error(&refused("spin", &[1]).unwrap_err(), ErrorKind::Busy, &["`waiter`"]);
    drop(call);
}

#[test]
fn a_call_dropped_before_it_ran_leaves_its_sandbox_and_no_trace() {
    let (_bench, plugin) = Bench::waiter();
    drop(plugin.start("spin", &args(&[10])).unwrap());
    let stats = plugin.stats();
    assert_eq!((stats.total_calls, stats.sandboxes_started, stats.trap_count), (0, 1, 0));
    assert_eq!(plugin.state(), WasmPluginState::Ready);
}

#[test]
fn a_call_dropped_in_its_midst_is_booked_as_cancelled_and_its_sandbox_is_gone() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = plugin.start("spin", &args(&[100_000])).unwrap();
    call.run(5_000).unwrap();
    let spent = call.fuel_spent();
    drop(call);
    let stats = plugin.stats();
    assert_eq!((stats.total_calls, stats.trap_count), (1, 1));
    assert_eq!(stats.total_fuel_consumed, spent);
    assert_eq!(plugin.trap_stats()[0].kind, ErrorKind::Cancelled);
    // The state it left is not seen by the next.
    let mut lease = plugin.lease().unwrap();
    assert_eq!(lease.global("turns"), Some(WasmValue::I32(0)));
    lease.call("spin", &args(&[3])).unwrap();
    drop(lease);
    assert_eq!(plugin.stats().sandboxes_started, 2);
}

#[test]
fn a_fuel_budget_over_all_calls_gets_back_what_a_dropped_call_did_not_spend() {
    let bench = Bench::new();
    let config = WasmInstanceConfig { fuel_budget: Some(2_000_000), ..granted() };
    let plugin = bench.load("waiter", config);
    let mut call = plugin.start("spin", &args(&[100_000])).unwrap();
    assert_eq!(plugin.fuel_budget_left(), Some(2_000_000));
    call.run(5_000).unwrap();
    assert_eq!(plugin.fuel_budget_left(), Some(1_000_000));
    let spent = call.fuel_spent();
    drop(call);
    assert_eq!(plugin.fuel_budget_left(), Some(2_000_000 - spent));
}

#[test]
fn the_deadline_counts_from_the_first_run_and_goes_on_while_the_call_is_left_alone() {
    let bench = Bench::new();
    let plugin = bench.load("waiter", timed());
    let mut call = plugin.start("spin", &args(&[100_000])).unwrap();
    bench.clock.advance(1_000_000);
    assert_eq!(call.deadline_us(), None);
    assert_eq!(call.run(1_000).unwrap(), Progress::Running);
    assert_eq!(call.deadline_us(), Some(1_010_000));
    bench.clock.advance(10_000);
    assert_eq!(call.run(1_000).unwrap(), Progress::Running);
    bench.clock.advance(1);
    let error = call.run(1_000).unwrap_err();
    assert_error(&error, ErrorKind::Deadline, &["`spin`", "timeout of 10 ms"]);
    assert_eq!(call.deadline_us(), None);
}

#[test]
fn the_time_that_a_call_is_left_alone_does_not_count_as_the_plugin_s() {
    let bench = Bench::new();
    let plugin = bench.load("waiter", granted());
    let mut call = plugin.start("spin", &args(&[10_000])).unwrap();
    while call.run(1_000).unwrap() == Progress::Running {
        bench.clock.advance(1_000_000);
    }
    assert_eq!(plugin.stats().total_execution_us, 0);
}

#[test]
fn a_start_function_runs_piece_by_piece_too() {
    let registry = WasmPluginRegistry::new();
    let config =
        WasmInstanceConfig { reset: wasm_runtime::ResetPolicy::AfterCall, ..config(all_granted()) };
    let wasm = crate::support::wat(
        r#"(module (global $g (mut i32) (i32.const 0)) (start $start)
        (func $start (loop $l
            (global.set $g (i32.add (global.get $g) (i32.const 1)))
            (br_if $l (i32.ne (global.get $g) (i32.const 1000)))))
        (func (export "get") (result i32) (global.get $g)))"#,
    );
    registry.load("plugin", &wasm, config).unwrap();
    let plugin = registry.get("plugin").unwrap();
    plugin.call("get", &[]).unwrap();
    // The sandbox is gone: the next call makes one, and its start function takes several runs.
    let before = plugin.stats().total_fuel_consumed;
    let mut call = plugin.start("get", &[]).unwrap();
    let mut runs = 1;
    let values = loop {
        match call.run(1_000).unwrap() {
            Progress::Finished(values) => break values,
            progress => assert_eq!(progress, Progress::Running),
        }
        runs += 1;
    };
    assert_eq!(values[0], WasmValue::I32(1_000));
    assert!(runs > 5, "{runs}");
    assert_eq!(call.fuel_spent(), plugin.stats().total_fuel_consumed - before);
    // Dropped in the middle of the start function, and before it: no sandbox is left half made.
    let mut call = plugin.start("get", &[]).unwrap();
    call.run(100).unwrap();
    drop(call);
    drop(plugin.start("get", &[]).unwrap());
    assert_eq!(plugin.call("get", &[]).unwrap()[0], WasmValue::I32(1_000));
}

#[test]
fn a_start_function_that_fails_fails_the_call() {
    let bench = Bench::new();
    let capabilities = WasmPluginCapabilities { fuel_limit: 50_000, ..all_granted() };
    // The first instance starts well; those after it run out of fuel, or trap.
    let wasm = crate::support::wat(
        r#"(module (import "soch_v1" "soch_read"
            (func $read (param i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "table") (start $start)
        (func $start (if (i32.ge_s (call $read (i32.const 0) (i32.const 5) (i32.const 0)
            (i32.const 1) (i32.const 16) (i32.const 0)) (i32.const 0)) (then (unreachable))))
        (func (export "get") (result i32) (i32.const 1)))"#,
    );
    let config =
        WasmInstanceConfig { reset: wasm_runtime::ResetPolicy::AfterCall, ..config(capabilities) };
    bench.registry.load("plugin", &wasm, config).unwrap();
    let plugin = bench.registry.get("plugin").unwrap();
    plugin.call("get", &[]).unwrap();
    bench.registry.host().put("default", "table", b"t", b"now").unwrap();
    let mut call = plugin.start("get", &[]).unwrap();
    let error = run_on(&mut call, 50).unwrap_err();
    assert_eq!((error.kind(), error.function()), (ErrorKind::Trap, ""));
    assert_eq!(plugin.call("get", &[]).unwrap_err().kind(), ErrorKind::Trap);
}

#[test]
fn a_call_goes_on_after_its_plugin_is_unloaded_and_its_registry_is_gone() {
    let (bench, plugin) = Bench::waiter();
    let mut call = plugin.start("spin", &args(&[10_000])).unwrap();
    call.run(100).unwrap();
    bench.registry.unload("waiter").unwrap();
    drop(bench);
    assert_eq!(plugin.state(), WasmPluginState::Unloading);
    assert_eq!(finish_i32(&mut call, 100), 10_000);
    assert_eq!(plugin.state(), WasmPluginState::Unloaded);
    assert_eq!(plugin.start("spin", &args(&[1])).unwrap_err().kind(), ErrorKind::Unloaded);
}

#[test]
fn the_limits_of_one_started_call_can_be_narrowed() {
    let (_bench, plugin) = Bench::waiter();
    let options = CallOptions { fuel: Some(5_000), ..CallOptions::default() };
    let mut call = plugin.start_with("spin", &args(&[100_000]), options).unwrap();
    let error = run_on(&mut call, 700).unwrap_err();
    assert_error(&error, ErrorKind::OutOfFuel, &["`spin`", "limit is 5000"]);
    assert!(call.fuel_spent() <= 5_000 && call.fuel_spent() > 4_900);
}
