//! What is measured and not judged: heap, stack, flash, and instructions of a host call.

use crate::{
    Device,
    check::Result,
    fixtures::FIXTURES,
    probe::{ORDINARY, Probe},
    setup::{alone, bare, granted},
};
use wasm_runtime::PluginFunction;

/// How often each is done, so that a coarse counter tells enough.
const TIMES: i32 = 20;

/// Prints what the device measured. The suite's checks used `stack_bytes` of native stack at most.
pub fn print(device: &mut dyn Device, stack_bytes: usize) {
    if let Some(heap) = device.heap().filter(|heap| heap.peak_bytes > 0) {
        device.print(format_args!(
            "heap: peak {} bytes, {} allocations",
            heap.peak_bytes, heap.allocations
        ));
    }
    if let Some(bytes) = device.flash_bytes() {
        let fixtures: usize = FIXTURES.iter().map(|fixture| fixture.wasm.len()).sum();
        device.print(format_args!("flash: {bytes} bytes, {fixtures} of them fixtures"));
    }
    if stack_bytes > 0 {
        device.print(format_args!("stack: peak {stack_bytes} bytes"));
    }
    if let Err(failure) = stack(device).and_then(|()| instructions(device)) {
        device.print(format_args!("no figures: {failure}"));
    }
}

/// The native stack of the two deepest things that an ordinary host does.
fn stack(device: &mut dyn Device) -> Result {
    let Some(stack) = device.stack() else { return Ok(()) };
    stack.paint();
    let base = stack.peak_bytes();
    let (_registry, plugin) = alone("metrics", granted())?;
    let load = stack.peak_bytes() - base;
    stack.paint();
    let base = stack.peak_bytes();
    plugin.call_bytes("snapshot", b"")?;
    let call = stack.peak_bytes() - base;
    device.print(format_args!("stack: load {load} bytes, call {call} bytes"));
    Ok(())
}

fn instructions(device: &mut dyn Device) -> Result {
    let (_registry, counter) = alone("counter", bare())?;
    let add: PluginFunction<i32, i32> = counter.function("add")?;
    add.call(1)?;
    let mut result = Ok(0);
    let work = &mut || {
        for _ in 0..TIMES {
            result = add.call(1);
        }
    };
    let Some(count) = device.instructions(work) else { return Ok(()) };
    result?;
    device.print(format_args!("instructions: a typed call of `counter.add` {}", per_time(count)));
    let probe = Probe::new(granted())?;
    for call in ORDINARY.iter().filter(|call| call.function != "soch_delete") {
        let often = probe.often(call);
        often(TIMES)?;
        let mut result = Ok(0);
        let [none, all] =
            [0, TIMES].map(|times| device.instructions(&mut || result = often(times)));
        result?;
        let count = all.unwrap_or_default().saturating_sub(none.unwrap_or_default());
        device.print(format_args!("instructions: `{}` {}", call.function, per_time(count)));
    }
    Ok(())
}

fn per_time(count: u64) -> u64 {
    count / u64::from(TIMES.unsigned_abs())
}
