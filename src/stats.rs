//! What a plugin has done so far.

use crate::sync::Counter;
use alloc::{boxed::Box, string::String};

/// What a plugin has done since it was loaded, over all its sandboxes.
///
/// Each sandbox counts for itself, without locks; reading adds the counts up, so a read during a
/// call may miss what that call has not finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WasmPluginStats {
    /// Calls that ran, however they ended. A call refused before it ran is not counted.
    pub total_calls: u64,
    /// Fuel charged to guest and host work, sandbox starts included.
    pub total_fuel_consumed: u64,
    /// Time spent in calls, in microseconds.
    ///
    /// Sampled: a call that needs more than one slice of fuel is timed from the end of its first
    /// slice, and every 64th call of a sandbox as a whole, beginning with its first. All other fuel
    /// is converted at the speed that these gave, first calls apart, so that most short calls read
    /// no clock. Zero without a clock.
    pub total_execution_us: u64,
    /// Calls that ended in a trap, or were stopped at a limit of fuel or time.
    pub trap_count: u64,
    /// The largest sum of linear memories that one sandbox has held, in bytes.
    pub peak_memory_bytes: u64,
    /// Host function calls that the guest made.
    pub host_calls: u64,
    /// Host function calls that were denied for want of a grant.
    pub denied_host_calls: u64,
    /// Sandboxes made, the first one included.
    pub sandboxes_started: u64,
}

/// How often a plugin has called one host function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFunctionStats {
    /// The import module, such as `soch_v1`.
    pub module: String,
    /// The import name, such as `soch_read`.
    pub name: String,
    /// Calls, denied and failed ones included.
    pub calls: u64,
    /// Calls denied for want of a grant.
    pub denials: u64,
    /// Calls that answered a negative status other than a denial, or stopped the guest.
    pub errors: u64,
}

/// Counts of one host function, as one sandbox makes them.
#[derive(Debug, Default)]
pub(crate) struct FunctionCounts {
    pub(crate) calls: Counter,
    pub(crate) denials: Counter,
    pub(crate) errors: Counter,
}

/// Counts of one slot of a plugin's pool. Written by whoever holds the slot, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct SlotCounts {
    pub(crate) calls: Counter,
    pub(crate) traps: Counter,
    pub(crate) fuel: Counter,
    /// Fuel of calls that were too short to be timed.
    pub(crate) untimed_fuel: Counter,
    /// Microseconds of what was timed.
    pub(crate) timed_us: Counter,
    /// Fuel and microseconds of what was timed and tells how fast the guest runs.
    pub(crate) sampled_fuel: Counter,
    pub(crate) sampled_us: Counter,
    pub(crate) peak_memory: Counter,
    pub(crate) sandboxes: Counter,
    /// One for each host function in the registry's table, by its index there.
    pub(crate) functions: Box<[FunctionCounts]>,
}

impl SlotCounts {
    pub(crate) fn new(functions: usize) -> Self {
        Self {
            functions: (0..functions).map(|_| FunctionCounts::default()).collect(),
            ..Self::default()
        }
    }
}

/// What a microsecond of guest code costs before anything was sampled: about right for a server
/// core with tail-call dispatch (`examples/calibrate.rs`).
const NOMINAL_FUEL_PER_US: u64 = 3_000;

/// How long `fuel` takes where `sampled_fuel` took `sampled_us`.
fn estimate_us(fuel: u64, sampled_fuel: u64, sampled_us: u64) -> u64 {
    let us = u128::from(fuel) * u128::from(sampled_us);
    match us.checked_div(u128::from(sampled_fuel)) {
        Some(us) if sampled_us > 0 => u64::try_from(us).unwrap_or(u64::MAX),
        _ => fuel / NOMINAL_FUEL_PER_US,
    }
}

/// Adds up the counts of all slots.
pub(crate) fn total<'a>(
    slots: impl Iterator<Item = &'a SlotCounts>,
    timed: bool,
) -> WasmPluginStats {
    let mut stats = WasmPluginStats::default();
    let (mut sampled_fuel, mut sampled_us, mut untimed_fuel) = (0, 0, 0);
    for slot in slots {
        stats.total_calls += slot.calls.get();
        stats.total_fuel_consumed += slot.fuel.get();
        stats.total_execution_us += slot.timed_us.get();
        stats.trap_count += slot.traps.get();
        stats.peak_memory_bytes = stats.peak_memory_bytes.max(slot.peak_memory.get());
        stats.sandboxes_started += slot.sandboxes.get();
        sampled_fuel += slot.sampled_fuel.get();
        sampled_us += slot.sampled_us.get();
        untimed_fuel += slot.untimed_fuel.get();
        for function in &slot.functions {
            stats.host_calls += function.calls.get();
            stats.denied_host_calls += function.denials.get();
        }
    }
    if timed {
        stats.total_execution_us += estimate_us(untimed_fuel, sampled_fuel, sampled_us);
    } else {
        stats.total_execution_us = 0;
    }
    stats
}

/// Adds up how often host function `index` was called over all slots.
pub(crate) fn function_total<'a>(
    slots: impl Iterator<Item = &'a SlotCounts>,
    index: usize,
) -> (u64, u64, u64) {
    slots.filter_map(|slot| slot.functions.get(index)).fold(
        (0, 0, 0),
        |(calls, denials, errors), function| {
            (
                calls + function.calls.get(),
                denials + function.denials.get(),
                errors + function.errors.get(),
            )
        },
    )
}
