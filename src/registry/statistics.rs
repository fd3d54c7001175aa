//! What the loaded plugins have done together, over all of them and by tenant.

use super::WasmPluginRegistry;
use crate::{
    LatencyHistogram, TrapStats, WasmPluginInstance, WasmPluginStats, host::Host,
    stats::trap_totals, sync::Arc,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

impl<H: Host> WasmPluginRegistry<H> {
    /// Returns how many calls the loaded plugins have run, and how many of them trapped.
    pub fn global_stats(&self) -> (u64, u64) {
        self.plugins().iter().map(|plugin| plugin.stats()).fold((0, 0), |(calls, traps), stats| {
            (calls + stats.total_calls, traps + stats.trap_count)
        })
    }

    /// Returns the tenants that have a plugin loaded, sorted.
    pub fn tenants(&self) -> Vec<String> {
        let mut tenants: Vec<_> =
            self.plugins().iter().map(|plugin| plugin.tenant().to_string()).collect();
        tenants.sort_unstable();
        tenants.dedup();
        tenants
    }

    /// Returns what the loaded plugins of a tenant have done together; the peak is the largest of
    /// theirs. All zeros if it has none. What an unloaded plugin did is forgotten with it.
    pub fn tenant_stats(&self, tenant: &str) -> WasmPluginStats {
        let mut stats = WasmPluginStats::default();
        for plugin in self.plugins_of(tenant) {
            stats.add(&plugin.stats());
        }
        stats
    }

    /// Returns how often the guests of a tenant's loaded plugins were stopped in each way that
    /// occurred. The counts add up to [`tenant_stats`](Self::tenant_stats)' `trap_count`.
    pub fn tenant_trap_stats(&self, tenant: &str) -> Vec<TrapStats> {
        let plugins = self.plugins_of(tenant);
        trap_totals(plugins.iter().flat_map(|plugin| plugin.trap_counts()))
    }

    /// Returns how long the calls of a tenant's loaded plugins took, of those that have a
    /// [`latency`](WasmPluginInstance::latency); nothing if none has.
    pub fn tenant_latency(&self, tenant: &str) -> Option<LatencyHistogram> {
        let plugins = self.plugins_of(tenant);
        plugins.iter().filter_map(|plugin| plugin.latency()).reduce(LatencyHistogram::plus)
    }

    pub(super) fn plugins_of(&self, tenant: &str) -> Vec<Arc<WasmPluginInstance<H>>> {
        let mut plugins = self.plugins();
        plugins.retain(|plugin| plugin.tenant() == tenant);
        plugins
    }
}
