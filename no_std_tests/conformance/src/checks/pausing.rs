//! A call can be left, cancelled or dropped at any point, and nothing depends on where.

use crate::{
    Device,
    check::{Failure, Result, checks, error, same, that},
    setup::{Plugin, alone, granted, i32s, load_as, registry, try_call},
};
use alloc::format;
use wasm_runtime::{
    CallOptions, ErrorKind, Output, PluginCall, Progress, WasmPluginRegistry, WasmValue, WasmValues,
};

checks![
    results_and_fuel_are_those_of_a_plain_call_however_it_is_divided,
    a_trap_comes_after_the_same_fuel_however_it_is_divided,
    bytes_are_exchanged_piece_by_piece_as_at_once,
    a_suspended_call_goes_on_with_the_answer,
    a_called_plugin_waits_with_its_caller,
    a_cancelled_call_ends_and_a_late_token_hits_nothing,
    a_dropped_call_gives_its_sandbox_back,
];

const SLICES: [u64; 4] = [1, 997, 50_000, u64::MAX];

fn waiter() -> Result<(WasmPluginRegistry, Plugin)> {
    alone("waiter", granted())
}

/// Runs a call to its end or to where it waits, by so much fuel at a time.
fn run_on(call: &mut PluginCall, fuel: u64) -> core::result::Result<Progress, wasm_runtime::Error> {
    loop {
        match call.run(fuel)? {
            Progress::Running => {}
            progress => return Ok(progress),
        }
    }
}

fn finish(call: &mut PluginCall, fuel: u64) -> Result<WasmValues> {
    match run_on(call, fuel)? {
        Progress::Finished(values) => Ok(values),
        other => Err(Failure::from(format!("{other:?}"))),
    }
}

fn results_and_fuel_are_those_of_a_plain_call_however_it_is_divided(_: &mut dyn Device) -> Result {
    let cases = [
        ("kernels", "fib", 9),
        ("kernels", "sort", 40),
        ("kernels", "bulk", 20),
        ("kernels", "dispatch", 60),
        ("misbehaving/memory_grower", "grow_by", 3),
        ("misbehaving/memory_grower", "grow_zero", 50),
        ("misbehaving/table_grower", "grow_by", 500),
    ];
    for (fixture, function, n) in cases {
        // A fresh plugin each: some change their state.
        let (_registry, plain) = alone(fixture, granted())?;
        let expected = try_call(&plain, function, &[n])?;
        let fuel = plain.stats().total_fuel_consumed;
        for slice in SLICES {
            let (_registry, plugin) = alone(fixture, granted())?;
            let mut call = plugin.start(function, &i32s(&[n]))?;
            let values = finish(&mut call, slice)?;
            same(format_args!("{function} by {slice}"), &values, &expected)?;
            same(format_args!("fuel of {function} by {slice}"), call.fuel_spent(), fuel)?;
        }
    }
    Ok(())
}

fn a_trap_comes_after_the_same_fuel_however_it_is_divided(_: &mut dyn Device) -> Result {
    for (fixture, function) in [
        ("misbehaving/traps", "unreachable"),
        ("misbehaving/traps", "load_across_the_end"),
        ("misbehaving/endless_loop", "run_with_calls"),
    ] {
        let outcome = |slice: Option<u64>| {
            let mut config = granted();
            config.capabilities.fuel_limit = 20_000;
            let (_registry, plugin) = alone(fixture, config)?;
            let end = match slice {
                None => error(function, try_call(&plugin, function, &[]))?,
                Some(slice) => error(function, run_on(&mut plugin.start(function, &[])?, slice))?,
            };
            Result::Ok((end.kind(), end.trap_code(), plugin.stats().total_fuel_consumed))
        };
        let plain = outcome(None)?;
        for slice in SLICES {
            same(format_args!("{function} by {slice}"), outcome(Some(slice))?, plain)?;
        }
    }
    Ok(())
}

fn bytes_are_exchanged_piece_by_piece_as_at_once(_: &mut dyn Device) -> Result {
    let (_registry, plugin) = alone("echo", granted())?;
    for function in ["echo", "copy", "length", "nothing"] {
        let expected = plugin.call_bytes(function, b"some bytes")?;
        for slice in SLICES {
            let mut call = plugin.start_bytes(function, b"some bytes", CallOptions::default())?;
            finish(&mut call, slice)?;
            same(function, call.answer(), expected.as_slice())?;
        }
    }
    Ok(())
}

fn a_suspended_call_goes_on_with_the_answer(_: &mut dyn Device) -> Result {
    let (_registry, plugin) = waiter()?;
    for function in ["wait", "wait_in_tail_call"] {
        let mut call = plugin.start(function, &i32s(&[7]))?;
        same(function, run_on(&mut call, 50)?, Progress::Suspended(7))?;
        same("however often it is asked", call.run(1_000)?, Progress::Suspended(7))?;
        let wrong = call.complete(8, |_: &mut Output<'_>| Ok(0));
        same("another ticket", error(function, wrong)?.kind(), ErrorKind::NotFound)?;
        call.complete(7, |out: &mut Output<'_>| out.write(b"answer"))?;
        let added = if function == "wait" { 1_000 } else { 0 };
        same(function, &*finish(&mut call, 50)?, &[WasmValue::I32(6 + added)])?;
        let mut written = [0; 8];
        plugin.lease()?.read("memory", 0x1000, &mut written)?;
        same(function, &written, b"answer\0\0")?;
    }
    Ok(())
}

fn a_called_plugin_waits_with_its_caller(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let caller = load_as(&registry, "waiter", "waiter", granted())?;
    load_as(&registry, "waiter-b", "waiter", granted())?;
    let outcome = |slice: u64| {
        let mut call = caller.start("ask_to_wait", &[])?;
        same("ticket", run_on(&mut call, slice)?, Progress::Suspended(7))?;
        call.complete(7, |out: &mut Output<'_>| out.write(b"abc"))?;
        let values = finish(&mut call, slice)?;
        Result::Ok((values, call.fuel_spent()))
    };
    let whole = outcome(u64::MAX)?;
    same("answer", &*whole.0, &[WasmValue::I32(104)])?;
    same("piece by piece", outcome(13)?, whole)
}

fn a_cancelled_call_ends_and_a_late_token_hits_nothing(_: &mut dyn Device) -> Result {
    let (_registry, plugin) = waiter()?;
    let mut call = plugin.start("spin", &i32s(&[i32::MAX]))?;
    same("runs", call.run(1_000)?, Progress::Running)?;
    let token = call.cancel_token();
    that("the token is in time", token.cancel())?;
    same("end", error("run", call.run(1_000))?.kind(), ErrorKind::Cancelled)?;
    drop(call);
    that("a late token", !token.cancel())?;
    same("the next call", &*try_call(&plugin, "spin", &[5])?, &[WasmValue::I32(5)])
}

fn a_dropped_call_gives_its_sandbox_back(_: &mut dyn Device) -> Result {
    let (_registry, plugin) = waiter()?;
    for fuel in [0, 1, 500] {
        let mut call = plugin.start("spin", &i32s(&[i32::MAX]))?;
        call.run(fuel)?;
        let busy = error("a second call", try_call(&plugin, "spin", &[5]))?;
        same("a second call", busy.kind(), ErrorKind::Busy)?;
        drop(call);
        try_call(&plugin, "spin", &[5])?;
    }
    Ok(())
}
