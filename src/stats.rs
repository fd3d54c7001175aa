//! What a plugin has done so far.

mod latency;
mod speed;
mod stride;
mod traps;

pub(crate) use self::traps::{Stop, TrapCounts, trap_totals};
pub use self::{latency::LatencyHistogram, traps::TrapStats};

use self::{
    latency::Latencies,
    speed::{Speed, estimate_us},
    stride::{Stride, Watch},
};
use crate::{
    cancel::CancelCell,
    sync::{Arc, AtomicUsize, Counter, Once},
};
use alloc::string::String;

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
    /// slice, and every 256th call of a sandbox as a whole, beginning with its first. All other fuel
    /// is converted at the speed that these gave, first calls apart, so that most short calls read
    /// no clock. Zero without a clock. Never falls, even where a later sample says that it was
    /// less.
    pub total_execution_us: u64,
    /// Calls that ended in a trap, were stopped at a limit of fuel or time or by a host function, or
    /// were cancelled; a started call that is dropped in its midst is one of these.
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

impl WasmPluginStats {
    /// Adds what another plugin of the same tenant, or another slot of the same plugin, has done.
    pub(crate) fn add(&mut self, other: &Self) {
        self.total_calls = self.total_calls.saturating_add(other.total_calls);
        self.total_fuel_consumed =
            self.total_fuel_consumed.saturating_add(other.total_fuel_consumed);
        self.total_execution_us = self.total_execution_us.saturating_add(other.total_execution_us);
        self.trap_count = self.trap_count.saturating_add(other.trap_count);
        self.peak_memory_bytes = self.peak_memory_bytes.max(other.peak_memory_bytes);
        self.host_calls = self.host_calls.saturating_add(other.host_calls);
        self.denied_host_calls = self.denied_host_calls.saturating_add(other.denied_host_calls);
        self.sandboxes_started = self.sandboxes_started.saturating_add(other.sandboxes_started);
    }
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
struct FunctionCounts {
    calls: Counter,
    denials: Counter,
    errors: Counter,
    watch: Watch,
}

/// Counts of one slot of a plugin's pool. Written by whoever holds the slot, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct SlotCounts {
    /// How the slot's calls are cancelled.
    pub(crate) cancel: Arc<CancelCell>,
    /// Of which version the slot's last sandbox was made.
    pub(crate) version: AtomicUsize,
    /// As which trial of a plugin in quarantine the slot's call was let in; 0 for none.
    pub(crate) trial: AtomicUsize,
    pub(crate) stride: Stride,
    /// The calls, by how long they took.
    pub(crate) latencies: Latencies,
    /// Fuel of calls, or parts of them, that were too short to be timed, and of the others.
    pub(crate) untimed_fuel: Counter,
    pub(crate) timed_fuel: Counter,
    /// Microseconds of what was timed in calls, and of start functions.
    pub(crate) timed_us: Counter,
    pub(crate) start_us: Counter,
    pub(crate) speed: Speed,
    pub(crate) traps: TrapCounts,
    pub(crate) peak_memory: Counter,
    pub(crate) sandboxes: Counter,
    /// How many host functions the registry's table has.
    host_functions: usize,
    /// Their counts, once the slot had a sandbox.
    host_counts: Once<HostCounts>,
}

/// Counts of the host functions in the registry's table, by their index there.
#[derive(Debug, Clone)]
pub(crate) struct HostCounts(Arc<[FunctionCounts]>);

impl SlotCounts {
    pub(crate) fn new(functions: usize) -> Self {
        Self { host_functions: functions, ..Self::default() }
    }

    /// What a sandbox of the slot counts host calls in.
    pub(crate) fn host_counts(&self) -> &HostCounts {
        let counts = |_| FunctionCounts::default();
        self.host_counts.call_once(|| HostCounts((0..self.host_functions).map(counts).collect()))
    }

    fn functions(&self) -> &[FunctionCounts] {
        self.host_counts.get().map_or(&[], |counts| &counts.0)
    }

    /// Takes in what was counted of a sandbox's start in a slot of its own.
    pub(crate) fn take_start(&self, start: &Self) {
        self.timed_fuel.add(fuel_consumed(core::iter::once(start)));
        self.start_us.add(start.start_us.get().saturating_add(start.timed_us.get()));
        self.peak_memory.raise_to(start.peak_memory.get());
        self.sandboxes.add(start.sandboxes.get());
        self.traps.take(&start.traps);
        for (function, counted) in self.host_counts().0.iter().zip(start.functions()) {
            function.calls.add(counted.calls.get());
            function.denials.add(counted.denials.get());
            function.errors.add(counted.errors.get());
        }
    }
}

impl HostCounts {
    /// Counts a call of a host function; returns whether it is one that is timed.
    #[inline]
    pub(crate) fn called(&self, function: usize) -> bool {
        let Some(counts) = self.0.get(function) else {
            return false;
        };
        let before = counts.calls.get();
        counts.calls.set(before.wrapping_add(1));
        counts.watch.is_due(before)
    }

    /// Takes in how long a host function took.
    pub(crate) fn took(&self, function: usize, us: u64, interval_us: u64) {
        if let Some(counts) = self.0.get(function) {
            counts.watch.adapt(us, interval_us);
        }
    }

    /// Counts that a call of a host function, counted already, did not go well.
    pub(crate) fn refused(&self, function: usize, denied: bool) {
        if let Some(counts) = self.0.get(function) {
            match denied {
                true => counts.denials.add(1),
                false => counts.errors.add(1),
            }
        }
    }
}

/// How long the calls of several slots took.
#[derive(Debug, Default)]
struct Time {
    timed_us: u64,
    untimed_fuel: u64,
    sampled: (u64, u64),
}

impl Time {
    fn add(&mut self, slot: &SlotCounts) {
        let (fuel, us) = slot.speed.sampled();
        self.timed_us = self.timed_us.saturating_add(slot.timed_us.get());
        self.untimed_fuel = self.untimed_fuel.saturating_add(slot.untimed_fuel.get());
        self.sampled = (self.sampled.0.saturating_add(fuel), self.sampled.1.saturating_add(us));
    }

    fn us(&self) -> u64 {
        self.timed_us.saturating_add(estimate_us(self.untimed_fuel, self.sampled))
    }
}

/// Adds up the counts of all slots.
pub(crate) fn total<'a>(
    slots: impl Iterator<Item = &'a SlotCounts>,
    timed: bool,
) -> WasmPluginStats {
    let mut stats = WasmPluginStats::default();
    let (mut time, mut start_us) = (Time::default(), 0_u64);
    for slot in slots {
        let functions = slot.functions();
        // Saturating: a host function may charge what a guest says, up to all that there is.
        stats.add(&WasmPluginStats {
            total_calls: slot.latencies.calls(),
            total_fuel_consumed: fuel_consumed(core::iter::once(slot)),
            total_execution_us: 0,
            trap_count: slot.traps.total(),
            peak_memory_bytes: slot.peak_memory.get(),
            host_calls: functions.iter().map(|function| function.calls.get()).sum(),
            denied_host_calls: functions.iter().map(|function| function.denials.get()).sum(),
            sandboxes_started: slot.sandboxes.get(),
        });
        time.add(slot);
        start_us = start_us.saturating_add(slot.start_us.get());
    }
    if timed {
        stats.total_execution_us = time.us().saturating_add(start_us);
    }
    stats
}

/// The fuel that a plugin has spent in all its slots.
pub(crate) fn fuel_consumed<'a>(slots: impl Iterator<Item = &'a SlotCounts>) -> u64 {
    slots.fold(0, |sum, slot| {
        sum.saturating_add(slot.untimed_fuel.get()).saturating_add(slot.timed_fuel.get())
    })
}

/// Adds up how long the calls of all slots took.
pub(crate) fn latency<'a>(slots: impl Iterator<Item = &'a SlotCounts>) -> LatencyHistogram {
    let (mut histogram, mut time) = (LatencyHistogram::default(), Time::default());
    for slot in slots {
        slot.latencies.add_to(&mut histogram);
        time.add(slot);
    }
    histogram.sum_us = time.us();
    histogram
}

/// Adds up how often host function `index` was called over all slots.
pub(crate) fn function_total<'a>(
    slots: impl Iterator<Item = &'a SlotCounts>,
    index: usize,
) -> (u64, u64, u64) {
    slots.filter_map(|slot| slot.functions().get(index)).fold(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_slots_do_not_overflow() {
        let slots = [SlotCounts::new(0), SlotCounts::new(0)];
        for slot in &slots {
            slot.timed_fuel.set(u64::MAX);
            slot.untimed_fuel.set(u64::MAX);
            slot.speed.sample(u64::MAX, 1);
        }
        assert_eq!(total(slots.iter(), true).total_fuel_consumed, u64::MAX);
        assert_eq!(latency(slots.iter()).sum_us, 2);
    }
}
