//! However long a guest runs, the native stack's high-water mark stays where a short run leaves it.

use crate::{
    Device, Stack,
    check::{Result, checks, error, same, some, that},
    probe::{ORDINARY, Probe},
    setup::{Plugin, alone, granted, i32s, try_call},
};
use alloc::vec::Vec;
use wasm_runtime::WasmInstanceConfig;

checks![
    a_loop_of_a_million_turns_leaves_the_mark_where_ten_leave_it,
    ten_thousand_turns_of_every_family_of_operators_leave_it_too,
    ten_thousand_calls_of_every_host_function_leave_it_too,
    growing_without_end_stays_within_what_a_slice_takes,
    endless_recursion_ends_on_the_guest_s_own_stack,
];

fn rich() -> WasmInstanceConfig {
    let mut config = granted();
    config.capabilities.fuel_limit = 1 << 40;
    config
}

/// The stack that a call uses at most.
fn mark(stack: Stack, plugin: &Plugin, function: &str, args: &[i32]) -> Result<usize> {
    stack.paint();
    plugin.call(function, &i32s(args))?;
    Ok(stack.peak_bytes())
}

/// What a call may use more if it takes several slices: the way back into the interpreter lies a
/// little deeper than the way in. A guest whose turns left a single byte each would use more.
const RESUMED_BYTES: usize = 1 << 10;

fn same_mark(stack: Stack, plugin: &Plugin, function: &str, few: i32, many: i32) -> Result {
    // Once before, so that neither of the two is the first.
    mark(stack, plugin, function, &[few])?;
    let short = mark(stack, plugin, function, &[few])?;
    let long = mark(stack, plugin, function, &[many])?;
    stays(format_args!("{function}, {many} turns against {few}"), long, short)
}

fn stays(what: impl core::fmt::Display, long: usize, short: usize) -> Result {
    that(format_args!("{what}: {long} bytes, and not {short}"), long <= short + RESUMED_BYTES)
}

fn a_loop_of_a_million_turns_leaves_the_mark_where_ten_leave_it(device: &mut dyn Device) -> Result {
    let stack = some("a stack", device.stack())?;
    let (_registry, plugin) = alone("kernels", rich())?;
    same_mark(stack, &plugin, "spin", 10, 1_000_000)?;
    let [some, more] = [100_000, 1_000_000].map(|turns| mark(stack, &plugin, "spin", &[turns]));
    same("a million turns against a hundred thousand", more?, some?)?;
    for function in ["sieve", "crc32", "sort", "dispatch", "mix"] {
        same_mark(stack, &plugin, function, 10, 1_000)?;
    }
    Ok(())
}

fn ten_thousand_turns_of_every_family_of_operators_leave_it_too(device: &mut dyn Device) -> Result {
    let stack = some("a stack", device.stack())?;
    for (fixture, families) in [("dispatch_check", 36), ("dispatch_check_simd", 9)] {
        let (_registry, plugin) = alone(fixture, rich())?;
        let functions: Vec<_> = plugin.functions().collect();
        for function in &functions {
            same_mark(stack, &plugin, function, 10, 10_000)?;
        }
        same(fixture, functions.len(), families)?;
    }
    Ok(())
}

fn ten_thousand_calls_of_every_host_function_leave_it_too(device: &mut dyn Device) -> Result {
    let stack = some("a stack", device.stack())?;
    let probe = Probe::new(rich())?;
    for call in ORDINARY.iter().filter(|call| call.function != "soch_delete") {
        let often = probe.often(call);
        often(10)?;
        let mut marks = [0; 2];
        for (mark, times) in marks.iter_mut().zip([10, 10_000]) {
            stack.paint();
            often(times)?;
            *mark = stack.peak_bytes();
        }
        let [short, long] = marks;
        stays(call.function, long, short)?;
    }
    Ok(())
}

/// `memory.grow` and `table.grow` leave native stack behind until their slice ends (wasmi 2.0.0).
const SLICE_BYTES: usize = 64 << 10;

fn growing_without_end_stays_within_what_a_slice_takes(device: &mut dyn Device) -> Result {
    let stack = some("a stack", device.stack())?;
    for fixture in ["misbehaving/memory_grower", "misbehaving/table_grower"] {
        let (_registry, plugin) = alone(fixture, rich())?;
        let short = mark(stack, &plugin, "grow_zero", &[10])?;
        let long = mark(stack, &plugin, "grow_zero", &[100_000])?;
        that(
            format_args!("{fixture}: {long} is not far from {short}"),
            long < short + SLICE_BYTES,
        )?;
    }
    Ok(())
}

fn endless_recursion_ends_on_the_guest_s_own_stack(device: &mut dyn Device) -> Result {
    let stack = some("a stack", device.stack())?;
    let (_registry, plugin) = alone("misbehaving/deep_recursion", granted())?;
    let short = mark(stack, &plugin, "depth", &[1])?;
    let long = mark(stack, &plugin, "depth", &[900])?;
    stays("depth", long, short)?;
    stack.paint();
    error("endless", try_call(&plugin, "endless", &[]))?;
    that("making the error takes little", stack.peak_bytes() < short + SLICE_BYTES)
}
