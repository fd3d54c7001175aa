//! What plugins have done so far.

use crate::{
    code::wpr_code_t,
    error::{boundary, wpr_error_t},
    handle::take,
    host::wpr_registry_t,
    plugin::wpr_plugin_t,
    pointers::{Out, Struct, Text},
};
use runtime::WasmPluginStats;

/// What a plugin has done since it was loaded, over all its sandboxes. `wpr_stats_init` sets its size.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_stats_t {
    /// The size of the struct.
    pub struct_size: usize,
    /// Calls that ran, however they ended.
    pub total_calls: u64,
    /// Fuel charged to guest and host work, sandbox starts included.
    pub total_fuel_consumed: u64,
    /// Time spent in calls, in microseconds, sampled; 0 without a clock.
    pub total_execution_us: u64,
    /// Calls that ended in a trap, were stopped at a limit or by a host function, or were cancelled.
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

// SAFETY: `repr(C)`, the size first, numbers.
unsafe impl Struct for wpr_stats_t {
    const NAME: &'static str = "wpr_stats_t";

    fn initial() -> Self {
        Self::of(&WasmPluginStats::default())
    }
}

impl wpr_stats_t {
    fn of(stats: &WasmPluginStats) -> Self {
        Self {
            struct_size: size_of::<Self>(),
            total_calls: stats.total_calls,
            total_fuel_consumed: stats.total_fuel_consumed,
            total_execution_us: stats.total_execution_us,
            trap_count: stats.trap_count,
            peak_memory_bytes: stats.peak_memory_bytes,
            host_calls: stats.host_calls,
            denied_host_calls: stats.denied_host_calls,
            sandboxes_started: stats.sandboxes_started,
        }
    }
}

/// Sets the size of statistics.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_stats_init(stats: Out<wpr_stats_t>, struct_size: usize) {
    stats.initialise(struct_size);
}

/// Answers what a plugin has done.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_stats(
    plugin: wpr_plugin_t,
    stats: Out<wpr_stats_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || stats.fill(wpr_stats_t::of(&take(plugin)?.stats())))
}

/// Answers what the loaded plugins of a tenant have done together.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_tenant_stats(
    registry: wpr_registry_t,
    tenant: Text,
    stats: Out<wpr_stats_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let tenant = tenant.get("tenant")?;
        stats.fill(wpr_stats_t::of(&take(registry)?.tenant_stats(tenant)))
    })
}

/// Says how many calls of all plugins there were, and how many of them trapped.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_global_stats(
    registry: wpr_registry_t,
    calls: Out<u64>,
    traps: Out<u64>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let (total_calls, total_traps) = take(registry)?.global_stats();
        calls.set(total_calls);
        traps.set(total_traps);
        Ok(())
    })
}
