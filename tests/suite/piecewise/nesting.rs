//! Calls of other plugins, piece by piece.

use super::bench::{Bench, args, finish_i32, granted, run_on, timed};
use crate::support::assert_error;
use wasm_runtime::{CallOptions, ErrorKind, Progress, WasmInstanceConfig, WasmPluginStats};

fn three(config: impl Fn() -> WasmInstanceConfig) -> Bench {
    let bench = Bench::new();
    for name in ["waiter-a", "waiter-b", "waiter-c"] {
        bench.load(name, config());
    }
    bench
}

fn fuel(bench: &Bench) -> [u64; 2] {
    ["waiter-a", "waiter-b"]
        .map(|name| bench.registry.get(name).unwrap().stats().total_fuel_consumed)
}

#[test]
fn a_called_plugin_is_paused_with_its_caller_and_nothing_depends_on_where() {
    let plain = three(granted);
    let expected = plain.registry.call("waiter-a", "ask_to_spin", &args(&[2_000])).unwrap();
    for slice in [1, 37, 1_000, 10_007, u64::MAX] {
        let bench = three(granted);
        let plugin = bench.registry.get("waiter-a").unwrap();
        let mut call = plugin.start("ask_to_spin", &args(&[2_000])).unwrap();
        let mut runs = 1;
        while call.run(slice).unwrap() == Progress::Running {
            runs += 1;
        }
        assert_eq!(fuel(&bench), fuel(&plain), "by {slice}");
        // What the caller was charged for its callee is in its own.
        assert_eq!(call.fuel_spent(), fuel(&bench)[0], "by {slice}");
        // A run of 1 is one block of a dozen.
        let most = slice.saturating_add(15);
        assert!(runs >= fuel(&bench)[0] / most, "{runs} runs by {slice}");
        assert_eq!(expected[0].as_i32(), Some(7));
    }
}

#[test]
fn a_called_plugin_that_waits_has_its_caller_wait_and_is_completed_through_it() {
    let bench = three(granted);
    let plugin = bench.registry.get("waiter-a").unwrap();
    for slice in [1, 1_000, u64::MAX] {
        let mut call = plugin.start("ask_to_wait", &[]).unwrap();
        assert_eq!(run_on(&mut call, slice).unwrap(), Progress::Suspended(7));
        assert_eq!(
            bench.registry.call("waiter-b", "spin", &args(&[1])).unwrap_err().kind(),
            ErrorKind::Busy,
        );
        call.complete(7, |out| out.write(b"hello")).unwrap();
        assert_eq!(finish_i32(&mut call, slice), 104);
        let lease = plugin.lease().unwrap();
        let mut answer = [0; 4];
        lease.read("memory", 0x2000, &mut answer).unwrap();
        assert_eq!(answer, 0x0102_0304_u32.to_le_bytes());
    }
}

#[test]
fn a_caller_dropped_while_its_callee_is_paused_gives_both_back() {
    let bench = three(granted);
    let plugin = bench.registry.get("waiter-a").unwrap();
    let mut call = plugin.start("ask_to_spin", &args(&[100_000])).unwrap();
    for _ in 0..5 {
        assert_eq!(call.run(1_000).unwrap(), Progress::Running);
    }
    let spent = call.fuel_spent();
    drop(call);
    for name in ["waiter-a", "waiter-b"] {
        let plugin = bench.registry.get(name).unwrap();
        assert_eq!(plugin.trap_stats()[0].kind, ErrorKind::Cancelled);
        assert!(plugin.call("spin", &args(&[1])).is_ok(), "{name} is free again");
    }
    assert!(spent >= 5_000);
}

#[test]
fn the_chain_s_fuel_and_deadline_hold_while_the_callee_is_paused() {
    let bench = three(timed);
    let plugin = bench.registry.get("waiter-a").unwrap();
    let options = CallOptions { fuel: Some(20_000), ..CallOptions::default() };
    let mut call = plugin.start_with("ask_to_spin", &args(&[100_000]), options).unwrap();
    // The callee has what its caller has left; the caller is told, and ends with the last of it.
    assert_eq!(finish_i32(&mut call, 500), 3 - 7);
    let spent = call.fuel_spent();
    assert!((19_900..=20_000).contains(&spent), "{spent}");

    let mut call = plugin.start("ask_to_spin", &args(&[100_000])).unwrap();
    for _ in 0..5 {
        assert_eq!(call.run(1_000).unwrap(), Progress::Running);
    }
    bench.clock.advance(10_001);
    let error = run_on(&mut call, 1_000).unwrap_err();
    assert_error(&error, ErrorKind::Deadline, &["`waiter-a`", "timeout of 10 ms"]);
    assert!(bench.registry.call("waiter-b", "spin", &args(&[1])).is_ok());
}

#[test]
fn a_cancelled_caller_ends_also_while_its_callee_runs_and_so_does_a_cancelled_callee() {
    let bench = three(granted);
    let [a, b] = ["waiter-a", "waiter-b"].map(|name| bench.registry.get(name).unwrap());
    for paused in [true, false] {
        let mut call = a.start("ask_to_spin", &args(&[100_000])).unwrap();
        if paused {
            call.run(5_000).unwrap();
        }
        assert!(call.cancel_token().cancel());
        assert_eq!(run_on(&mut call, 1_000).unwrap_err().kind(), ErrorKind::Cancelled);
        assert!(b.call("spin", &args(&[1])).is_ok());
    }
    // The caller of a cancelled callee gets status -7 and goes on.
    let mut call = a.start("ask_to_spin", &args(&[100_000])).unwrap();
    call.run(5_000).unwrap();
    assert_eq!(b.cancel_calls(), 1);
    assert_eq!(finish_i32(&mut call, 1_000), 3 - 7);
}

#[test]
fn an_endless_loop_over_plugins_ends_at_its_deadline() {
    let bench = three(timed);
    let plugin = bench.registry.get("waiter-a").unwrap();
    let mut call = plugin.start("ask_forever", &[]).unwrap();
    let error = loop {
        bench.clock.advance(100);
        match call.run(1_000) {
            Ok(progress) => assert_eq!(progress, Progress::Running),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Deadline);
}

#[test]
fn statistics_and_the_audit_are_those_of_a_plain_call() {
    let outcome = |piecewise: bool| {
        let bench = three(granted);
        let plugin = bench.registry.get("waiter-a").unwrap();
        let options = CallOptions { fuel: Some(9_000), ..CallOptions::default() };
        for turns in [10, 100_000] {
            let result = match piecewise {
                true => run_on(
                    &mut plugin.start_with("ask_to_spin", &args(&[turns]), options).unwrap(),
                    300,
                )
                .map(|_| ()),
                false => plugin.call_with("ask_to_spin", &args(&[turns]), options).map(|_| ()),
            };
            result.unwrap();
        }
        let stats = ["waiter-a", "waiter-b"].map(|name| {
            let plugin = bench.registry.get(name).unwrap();
            // The time is an estimate.
            let stats = WasmPluginStats { total_execution_us: 0, ..plugin.stats() };
            (stats, plugin.trap_stats(), plugin.host_function_stats())
        });
        let records = std::iter::from_fn(|| bench.registry.audit().pop());
        let records: Vec<_> = records
            .map(|record| (record.decision(), record.plugin().to_string(), record.fuel()))
            .collect();
        (stats, records)
    };
    assert_eq!(outcome(true), outcome(false));
}
