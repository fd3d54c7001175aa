//! Host functions that answer later.

use super::bench::{Bench, args, finish_i32, run_on, timed};
use crate::support::{all_granted, assert_error, config, wat};
use wasm_runtime::{
    CallOptions, ErrorKind, Host, HostCall, HostError, Output, PluginCall, Progress,
    WasmPluginRegistry, WasmValue,
};

/// Starts a function that waits for ticket 7, and runs it until it does.
fn suspended(
    plugin: &std::sync::Arc<wasm_runtime::WasmPluginInstance>,
    function: &str,
) -> PluginCall {
    let mut call = plugin.start(function, &args(&[7])).unwrap();
    assert_eq!(run_on(&mut call, 50).unwrap(), Progress::Suspended(7));
    call
}

#[test]
fn a_suspended_call_goes_on_with_the_answer_and_what_was_written() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = suspended(&plugin, "wait");
    // However often it is asked.
    assert_eq!(call.run(1_000).unwrap(), Progress::Suspended(7));
    call.complete(7, |out: &mut Output<'_>| {
        assert_eq!(out.capacity(), 8);
        out.write(b"answer")
    })
    .unwrap();
    assert_eq!(finish_i32(&mut call, 50), 1_006);
    let lease = plugin.lease().unwrap();
    let mut bytes = [0; 8];
    lease.read("memory", 0x1000, &mut bytes).unwrap();
    assert_eq!(&bytes, b"answer\0\0");
}

#[test]
fn what_does_not_fit_is_told_by_its_length_and_not_written_and_paid_all_the_same() {
    let (_bench, plugin) = Bench::waiter();
    let fuel = |value: &[u8]| {
        let mut call = suspended(&plugin, "wait");
        call.complete(7, |out| out.write(value)).unwrap();
        assert_eq!(finish_i32(&mut call, 50), 1_000 + value.len() as i32);
        call.fuel_spent()
    };
    let (short, long) = (fuel(b""), fuel(&[1; 6_400]));
    assert_eq!(long - short, 2 * 100);
    let lease = plugin.lease().unwrap();
    let mut bytes = [7; 8];
    lease.read("memory", 0x1000, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 8]);
}

#[test]
fn an_answer_that_the_call_cannot_pay_for_ends_it() {
    let (_bench, plugin) = Bench::waiter();
    let options = CallOptions { fuel: Some(1_000), ..CallOptions::default() };
    let mut call = plugin.start_with("wait", &args(&[7]), options).unwrap();
    assert_eq!(run_on(&mut call, 50).unwrap(), Progress::Suspended(7));
    call.complete(7, |out| out.write(&[0; 64_000])).unwrap();
    assert_eq!(call.run(50).unwrap_err().kind(), ErrorKind::OutOfFuel);
}

#[test]
fn records_are_written_as_by_a_scan() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = suspended(&plugin, "wait");
    call.complete(7, |out| {
        assert!(!out.push(b"key", b"value")?, "12 bytes and more do not fit into 8");
        assert!(out.push(b"", b"")?);
        i32::try_from(out.len()).map_err(|_| HostError::LimitReached)
    })
    .unwrap();
    assert_eq!(finish_i32(&mut call, 50), 1_008);
}

#[test]
fn an_error_is_the_status_that_any_host_function_answers() {
    let (_bench, plugin) = Bench::waiter();
    for (error, status) in [
        (HostError::NotFound, -2),
        (HostError::InvalidArguments, -3),
        (HostError::Failed, -4),
        (HostError::LimitReached, -5),
        (HostError::NotSupported, -6),
    ] {
        let mut call = suspended(&plugin, "wait");
        call.complete(7, |_| Err::<i32, _>(error)).unwrap();
        assert_eq!(finish_i32(&mut call, 50), 1_000 + status);
    }
    let mut call = suspended(&plugin, "wait");
    call.complete(7, |_| Err::<i32, _>(HostError::Abort("enough"))).unwrap();
    let error = call.run(50).unwrap_err();
    assert_error(&error, ErrorKind::Host, &["`wait`", "`later`", "enough"]);
    // A function without room for a status stops the guest.
    let mut call = suspended(&plugin, "wait_f64");
    call.complete(7, |_| Err::<f64, _>(HostError::NotFound)).unwrap();
    assert_error(&call.run(50).unwrap_err(), ErrorKind::Host, &["`later_f64`", "not found"]);
}

#[test]
fn a_wrong_ticket_or_type_changes_nothing() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = plugin.start("wait", &args(&[7])).unwrap();
    let unused = |_: &mut Output<'_>| -> Result<i32, HostError> { panic!("it is not asked") };
    assert_error(&call.complete(7, unused).unwrap_err(), ErrorKind::NotFound, &["ticket 7"]);
    run_on(&mut call, 50).unwrap();
    assert_error(&call.complete(8, unused).unwrap_err(), ErrorKind::NotFound, &["ticket 8"]);
    let mistyped = call.complete(7, |_| -> Result<f64, HostError> { panic!("it is not asked") });
    assert_error(&mistyped.unwrap_err(), ErrorKind::SignatureMismatch, &["(i32)", "(f64)"]);
    assert_eq!(call.run(50).unwrap(), Progress::Suspended(7));
    call.complete(7, |_| Ok(3)).unwrap();
    assert_error(&call.complete(7, unused).unwrap_err(), ErrorKind::NotFound, &["ticket 7"]);
    assert_eq!(finish_i32(&mut call, 50), 1_003);
    assert_error(&call.complete(7, unused).unwrap_err(), ErrorKind::NotFound, &["ticket 7"]);
}

#[test]
fn an_answer_may_come_later_still_under_another_ticket() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = suspended(&plugin, "wait");
    call.complete(7, |_| Err::<i32, _>(HostError::Pending(8))).unwrap();
    assert_eq!(call.run(50).unwrap(), Progress::Suspended(8));
    call.complete(8, |out| out.write(b"now")).unwrap();
    assert_eq!(finish_i32(&mut call, 50), 1_003);
}

#[test]
fn every_result_type_is_answered() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = suspended(&plugin, "wait_f64");
    call.complete(7, |_| Ok(1.25)).unwrap();
    let Progress::Finished(values) = run_on(&mut call, 50).unwrap() else { panic!("it waits") };
    assert_eq!(values[0], WasmValue::F64(2.5));
    let mut call = suspended(&plugin, "wait_for_nothing");
    call.complete(7, |_| Ok(())).unwrap();
    assert_eq!(finish_i32(&mut call, 50), 5);
}

#[test]
fn a_guest_waits_as_often_as_it_likes_and_spends_what_it_would_have_without() {
    let (_bench, plugin) = Bench::waiter();
    let mut spent = Vec::new();
    for slice in [1, 37, 1_000, u64::MAX] {
        let mut call = plugin.start("wait_often", &args(&[100])).unwrap();
        let sum = loop {
            match call.run(slice).unwrap() {
                Progress::Running => {}
                Progress::Suspended(ticket) => {
                    call.complete(ticket, |_| Ok(ticket as i32)).unwrap();
                }
                Progress::Finished(values) => break values[0].as_i32().unwrap(),
            }
        };
        assert_eq!(sum, 5_050);
        spent.push(call.fuel_spent());
    }
    assert!(spent.iter().all(|fuel| *fuel == spent[0] && *fuel > 100 * 40), "{spent:?}");
    assert_eq!(plugin.stats().total_fuel_consumed, spent.iter().sum());
    assert_eq!(plugin.stats().host_calls, 400);
}

#[test]
fn a_host_function_that_is_the_call_or_its_tail_gives_the_call_s_result() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = plugin.start("direct", &args(&[7, 0x1000, 8])).unwrap();
    assert_eq!(call.run(1_000).unwrap(), Progress::Suspended(7));
    call.complete(7, |out| out.write(b"root")).unwrap();
    assert_eq!(finish_i32(&mut call, 1_000), 4);

    let mut call = suspended(&plugin, "wait_in_tail_call");
    call.complete(7, |out| out.write(b"tail")).unwrap();
    assert_eq!(finish_i32(&mut call, 50), 4);
    assert!(call.complete(7, |_| Ok(1)).is_err());
    let mut call = suspended(&plugin, "wait_in_tail_call");
    call.complete(7, |_| Err::<i32, _>(HostError::Abort("no"))).unwrap();
    assert_eq!(call.run(50).unwrap_err().kind(), ErrorKind::Host);
}

#[test]
fn a_host_function_called_last_by_a_function_below_goes_on_where_that_was_called() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = suspended(&plugin, "wait_below_tail_call");
    call.complete(7, |_| Ok(5)).unwrap();
    assert_eq!(finish_i32(&mut call, 50), 75);
}

#[test]
fn a_plain_call_cannot_wait_and_says_so() {
    let (_bench, plugin) = Bench::waiter();
    let error = plugin.call("wait", &args(&[7])).unwrap_err();
    assert_error(&error, ErrorKind::Host, &["`wait`", "`later`", "this call cannot wait"]);
    assert_eq!(plugin.host_function_stats()[0].errors, 1);
}

#[test]
fn an_invalid_output_is_refused_before_anything_waits() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = plugin.start("wait_outside", &args(&[7])).unwrap();
    assert_eq!(finish_i32(&mut call, 50), -3);
}

#[test]
fn a_waiting_call_is_under_its_deadline() {
    let bench = Bench::new();
    let plugin = bench.load("waiter", timed());
    let mut call = suspended(&plugin, "wait");
    bench.clock.advance(10_000);
    assert_eq!(call.run(0).unwrap(), Progress::Suspended(7));
    bench.clock.advance(1);
    // An answer that comes too late helps no more.
    call.complete(7, |_| Ok(3)).unwrap();
    assert_eq!(call.run(50).unwrap_err().kind(), ErrorKind::Deadline);
}

#[test]
fn a_call_dropped_while_it_waits_gives_everything_back() {
    let (_bench, plugin) = Bench::waiter();
    for completed in [false, true] {
        let mut call = suspended(&plugin, "wait");
        if completed {
            call.complete(7, |_| Ok(3)).unwrap();
        }
        drop(call);
        assert!(plugin.call("spin", &args(&[1])).is_ok());
    }
    assert_eq!(plugin.trap_stats()[0].kind, ErrorKind::Cancelled);
    assert_eq!(plugin.stats().trap_count, 2);
}

#[test]
fn a_panic_in_an_answer_goes_on_from_the_run_and_leaves_everything_in_order() {
    let (_bench, plugin) = Bench::waiter();
    let mut call = suspended(&plugin, "wait");
    call.complete(7, |_| -> Result<i32, HostError> { panic!("a panic that is meant") }).unwrap();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call.run(50)));
    assert!(panic.is_err());
    assert!(call.has_ended());
    drop(call);
    assert!(plugin.call("spin", &args(&[1])).is_ok());
}

/// A host whose storage answers later.
struct LateHost;

impl Host for LateHost {
    fn read(
        &self,
        call: &mut HostCall<'_, Self>,
        _table: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        match call.can_suspend() {
            true => Err(HostError::Pending(u64::from(key[0]))),
            false => out.write_value(call, b"at once"),
        }
    }

    fn index_table(
        &self,
        _call: &HostCall<'_, Self>,
        _index: &str,
    ) -> Result<std::sync::Arc<str>, HostError> {
        Err(HostError::Pending(1))
    }
}

#[test]
fn a_host_s_storage_can_answer_later_and_a_grant_cannot() {
    let registry = WasmPluginRegistry::with_host(LateHost);
    let wasm = wat(r#"(module
      (import "soch_v1" "soch_read" (func $read (param i32 i32 i32 i32 i32 i32) (result i32)))
      (import "soch_v1" "index_lookup" (func $look (param i32 i32 i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 0) "tablek")
      (func (export "read") (result i32)
        (call $read (i32.const 0) (i32.const 5) (i32.const 5) (i32.const 1) (i32.const 64) (i32.const 32)))
      (func (export "look") (result i32)
        (call $look (i32.const 0) (i32.const 5) (i32.const 5) (i32.const 1) (i32.const 64) (i32.const 32))))"#);
    registry.load("plugin", &wasm, config(all_granted())).unwrap();
    let plugin = registry.get("plugin").unwrap();
    assert_eq!(plugin.call("read", &[]).unwrap()[0], WasmValue::I32(7));
    let mut call = plugin.start("read", &[]).unwrap();
    assert_eq!(call.run(10_000).unwrap(), Progress::Suspended(u64::from(b'k')));
    call.complete(u64::from(b'k'), |out| out.write(b"later")).unwrap();
    let Progress::Finished(values) = call.run(10_000).unwrap() else { panic!("it runs on") };
    assert_eq!(values[0], WasmValue::I32(5));
    let mut call = plugin.start("look", &[]).unwrap();
    let Progress::Finished(values) = call.run(10_000).unwrap() else { panic!("it waits") };
    assert_eq!(values[0], WasmValue::I32(-4));
}
