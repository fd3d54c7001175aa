//! Cancelling calls by token, by plugin and by tenant.

use super::bench::{Bench, args, finish_i32, granted, run_on};
use crate::support::assert_error;
use std::thread;
use wasm_runtime::{ErrorKind, Progress, WasmInstanceConfig};

#[test]
fn a_token_ends_its_call_wherever_it_is() {
    let (_bench, plugin) = Bench::waiter();
    // Before it runs, amid its run, while it waits, once it is answered.
    for stage in 0..4 {
        let mut call = plugin.start("wait", &args(&[7])).unwrap();
        let token = call.cancel_token();
        if stage > 0 {
            call.run(1).unwrap();
        }
        if stage > 1 {
            run_on(&mut call, 50).unwrap();
        }
        if stage > 2 {
            call.complete(7, |_| Ok(1)).unwrap();
        }
        assert!(token.cancel());
        assert!(!token.cancel(), "it is cancelled already");
        let error = call.run(50).unwrap_err();
        assert_error(&error, ErrorKind::Cancelled, &["`waiter`", "`wait`", "cancelled"]);
        assert!(!token.cancel(), "it has ended");
        assert!(!call.cancel_token().cancel());
    }
    assert_eq!(plugin.trap_stats()[0].kind, ErrorKind::Cancelled);
}

#[test]
fn a_late_token_does_not_touch_the_next_call() {
    let (_bench, plugin) = Bench::waiter();
    let call = plugin.start("spin", &args(&[10])).unwrap();
    let dropped = call.cancel_token();
    drop(call);
    let mut call = plugin.start("spin", &args(&[10])).unwrap();
    let ended = call.cancel_token();
    assert_eq!(finish_i32(&mut call, 50), 10);
    let mut call = plugin.start("spin", &args(&[10])).unwrap();
    assert!(!dropped.cancel() && !ended.cancel());
    assert_eq!(finish_i32(&mut call, 50), 10);
    assert!(!dropped.cancel() && !ended.cancel());
    assert!(plugin.call("spin", &args(&[10])).is_ok());
}

#[test]
fn a_plain_call_is_cancelled_from_another_thread() {
    let bench = Bench::new();
    let mut config = granted();
    config.capabilities.fuel_limit = u64::MAX / 2;
    let plugin = bench.load("waiter", config);
    let endless = || plugin.call("spin", &args(&[0])).unwrap_err().kind();
    thread::scope(|scope| {
        let call = scope.spawn(endless);
        while plugin.cancel_calls() == 0 {
            thread::yield_now();
        }
        assert_eq!(call.join().unwrap(), ErrorKind::Cancelled);
    });
    assert_eq!(plugin.cancel_calls(), 0, "nothing is going on");
    assert!(plugin.call("spin", &args(&[10])).is_ok());
}

#[test]
fn the_token_of_a_lease_cancels_its_next_call_and_no_other() {
    let bench = Bench::new();
    let mut config = granted();
    config.capabilities.fuel_limit = u64::MAX / 2;
    let plugin = bench.load("waiter", config);
    let mut lease = plugin.lease().unwrap();
    let token = lease.cancel_token();
    assert!(token.cancel());
    assert_eq!(lease.call("spin", &args(&[0])).unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(lease.call("spin", &args(&[5])).is_ok());
    let token = lease.cancel_token();
    thread::scope(|scope| {
        let cancelling = scope.spawn(|| {
            while plugin.cancel_calls() == 0 {
                thread::yield_now();
            }
            token.cancel()
        });
        assert_eq!(lease.call("spin", &args(&[0])).unwrap_err().kind(), ErrorKind::Cancelled);
        assert!(!cancelling.join().unwrap());
    });
    let unused = lease.cancel_token();
    drop(lease);
    assert!(!unused.cancel());
    assert!(plugin.call("spin", &args(&[10])).is_ok());
}

#[test]
fn cancelling_by_plugin_and_by_tenant_reaches_what_is_going_on_there_and_nothing_else() {
    let bench = Bench::new();
    let of =
        |tenant: &str| WasmInstanceConfig { tenant: tenant.into(), max_instances: 2, ..granted() };
    let plugins = [("a", "one"), ("b", "one"), ("c", "two")]
        .map(|(name, tenant)| bench.load(name, of(tenant)));
    let start = || {
        let calls = plugins.iter().flat_map(|plugin| [plugin.clone(), plugin.clone()]);
        calls.map(|plugin| plugin.start("spin", &args(&[1_000])).unwrap()).collect::<Vec<_>>()
    };
    let outcomes = |calls: Vec<wasm_runtime::PluginCall>| -> Vec<bool> {
        calls.into_iter().map(|mut call| run_on(&mut call, 100).is_ok()).collect()
    };
    let calls = start();
    assert_eq!(plugins[1].cancel_calls(), 2);
    assert_eq!(outcomes(calls), [true, true, false, false, true, true]);
    let calls = start();
    assert_eq!(bench.registry.cancel_tenant("one"), 4);
    assert_eq!(bench.registry.cancel_tenant("none"), 0);
    assert_eq!(outcomes(calls), [false, false, false, false, true, true]);
    assert_eq!(outcomes(start()), [true; 6]);
}

#[test]
fn a_started_call_that_is_cancelled_amid_a_run_ends_within_it() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = plugin.start("spin", &args(&[1_000])).unwrap();
    assert_eq!(call.run(500).unwrap(), Progress::Running);
    assert_eq!(plugin.cancel_calls(), 1);
    let before = call.fuel_spent();
    assert_eq!(call.run(u64::MAX).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(call.fuel_spent(), before);
}
