//! What a plugin has done so far, added up over its sandboxes.

use super::WasmPluginInstance;
use crate::{
    HostFunctionStats, LatencyHistogram, TrapStats, WasmPluginStats,
    host::Host,
    stats::{TrapCounts, function_total, latency, total, trap_totals},
};
use alloc::{string::ToString, vec::Vec};

impl<H: Host> WasmPluginInstance<H> {
    /// Returns what the plugin has done so far.
    pub fn stats(&self) -> WasmPluginStats {
        let mut stats = total(self.pool.counts(), self.identity().clock.is_some());
        stats.total_execution_us = self.told_execution_us.raise_to(stats.total_execution_us);
        stats
    }

    /// Returns how often the guest was stopped in each way that occurred. The counts add up to
    /// [`WasmPluginStats::trap_count`].
    pub fn trap_stats(&self) -> Vec<TrapStats> {
        trap_totals(self.trap_counts())
    }

    /// The stops that each slot has counted.
    pub(crate) fn trap_counts(&self) -> impl Iterator<Item = &TrapCounts> {
        self.pool.counts().map(|slot| &slot.traps)
    }

    /// Returns how long the plugin's calls took; nothing without a clock, or with
    /// [`enable_fuel`](crate::WasmInstanceConfig::enable_fuel) off, where nothing tells how long a
    /// call took that was not timed.
    ///
    /// While no call is going on, the counts add up to [`WasmPluginStats::total_calls`].
    pub fn latency(&self) -> Option<LatencyHistogram> {
        self.identity().clock.as_ref().filter(|_| self.context().config.enable_fuel)?;
        let mut latency = latency(self.pool.counts());
        latency.sum_us = self.told_call_us.raise_to(latency.sum_us);
        Some(latency)
    }

    /// Returns how often the plugin has called each host function that it has called at all.
    pub fn host_function_stats(&self) -> Vec<HostFunctionStats> {
        let counted = self.table.iter().enumerate().map(|(index, function)| {
            let (calls, denials, errors) = function_total(self.pool.counts(), index);
            let (module, name) = (function.module.to_string(), function.name.to_string());
            HostFunctionStats { module, name, calls, denials, errors }
        });
        counted.filter(|stats| stats.calls > 0).collect()
    }
}
