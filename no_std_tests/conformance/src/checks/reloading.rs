//! A plugin gets another version, or keeps the one it has.

use crate::{
    Device,
    check::{Result, checks, error, same},
    fixtures::wasm,
    setup::{alone, call_i32, granted},
};
use wasm_runtime::{
    ErrorKind, PluginFunction, Probe, ReloadOptions, StateHandover, WasmValue::I32,
};

checks![
    a_reload_takes_the_state_over_and_a_rollback_brings_it_back,
    what_fails_leaves_the_version_before_serving,
    a_hundred_reloads_leave_the_heap_where_it_was,
];

fn handed_over() -> ReloadOptions<'static> {
    ReloadOptions { state: StateHandover::Required, ..ReloadOptions::default() }
}

fn a_reload_takes_the_state_over_and_a_rollback_brings_it_back(_: &mut dyn Device) -> Result {
    let (registry, plugin) = alone("tally", granted())?;
    let votes: PluginFunction<i32, i64> = plugin.function("votes")?;
    for _ in 0..5 {
        call_i32(&plugin, "vote", &[2])?;
    }
    registry.reload_with("tally", wasm("tally_wide")?, granted(), &handed_over())?;
    same("taken over", (votes.call(2)?, votes.call(1)?), (5, 0))?;
    same("counted", call_i32(&plugin, "vote", &[2])?, 6)?;
    registry.rollback("tally")?;
    same("rolled back", votes.call(2)?, 5)?;
    same("history", plugin.history().len(), 3)
}

fn what_fails_leaves_the_version_before_serving(_: &mut dyn Device) -> Result {
    let (registry, plugin) = alone("tally", granted())?;
    call_i32(&plugin, "vote", &[0])?;
    let probe = [Probe::Values { function: "vote", args: &[I32(0)], expected: Some(&[I32(7)]) }];
    let probed = ReloadOptions { probes: &probe, ..ReloadOptions::default() };
    for (fixture, options, kind) in [
        ("tally_wide", probed, ErrorKind::Refused),
        ("counter", handed_over(), ErrorKind::Refused),
        ("misbehaving/trap_start", ReloadOptions::default(), ErrorKind::Trap),
        ("misbehaving/missing_import", ReloadOptions::default(), ErrorKind::Refused),
    ] {
        let reloaded = registry.reload_with("tally", wasm(fixture)?, granted(), &options);
        same(fixture, error(fixture, reloaded)?.kind(), kind)?;
    }
    same("votes", call_i32(&plugin, "vote", &[0])?, 2)
}

fn a_hundred_reloads_leave_the_heap_where_it_was(device: &mut dyn Device) -> Result {
    let (registry, plugin) = alone("tally", granted())?;
    let reload = |_| -> Result {
        registry.reload_with("tally", wasm("tally_wide")?, granted(), &handed_over())?;
        call_i32(&plugin, "vote", &[1]).map(|_| ())
    };
    // The history has its length then.
    (0..20).try_for_each(reload)?;
    let before = device.heap();
    (20..120).try_for_each(reload)?;
    let live = |heap: crate::HeapUse| heap.live_bytes;
    same("heap", device.heap().map(live), before.map(live))?;
    same("votes", call_i32(&plugin, "vote", &[1])?, 121)
}
