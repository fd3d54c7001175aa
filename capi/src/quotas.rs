//! What the plugins of a tenant may hold and spend together.

use crate::{
    code::{Failure, wpr_code_t},
    error::{boundary, wpr_error_t},
    handle::take,
    host::{CHost, wpr_registry_t},
    pointers::{In, Out, Struct, Text},
};
use runtime::{FuelRate, RegistryBuilder, TenantQuota, TenantUsage};

/// What the plugins of one tenant may hold and spend together, or those of all. `wpr_quota_init`: no ceiling, which is
/// `UINT64_MAX`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_quota_t {
    /// The size of the struct.
    pub struct_size: usize,
    /// Loaded plugins.
    pub max_plugins: u64,
    /// Sandboxes, idle ones included.
    pub max_sandboxes: u64,
    /// Bytes of all linear memories of all sandboxes.
    pub max_memory_bytes: u64,
    /// Elements of all tables of all sandboxes.
    pub max_table_elements: u64,
    /// Bytes of heap for all of it: code, sandboxes, memories, tables and stacks, by an estimate that is never too low.
    pub max_heap_bytes: u64,
    /// Rows that plugins have stored.
    pub max_stored_rows: u64,
    /// Bytes that plugins have stored.
    pub max_stored_bytes: u64,
    /// Fuel that comes each second. Default: `UINT64_MAX`, no limit over time.
    pub fuel_per_second: u64,
    /// The most fuel that can have come together.
    pub fuel_burst: u64,
}

// SAFETY: `repr(C)`, the size first, numbers.
unsafe impl Struct for wpr_quota_t {
    const NAME: &'static str = "wpr_quota_t";

    fn initial() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            max_plugins: u64::MAX,
            max_sandboxes: u64::MAX,
            max_memory_bytes: u64::MAX,
            max_table_elements: u64::MAX,
            max_heap_bytes: u64::MAX,
            max_stored_rows: u64::MAX,
            max_stored_bytes: u64::MAX,
            fuel_per_second: u64::MAX,
            fuel_burst: u64::MAX,
        }
    }
}

impl In<wpr_quota_t> {
    fn quota(&self) -> Result<TenantQuota, Failure> {
        let quota = self.read()?;
        let rate = FuelRate { per_second: quota.fuel_per_second, burst: quota.fuel_burst };
        Ok(TenantQuota {
            max_plugins: quota.max_plugins,
            max_sandboxes: quota.max_sandboxes,
            max_memory_bytes: quota.max_memory_bytes,
            max_table_elements: quota.max_table_elements,
            max_heap_bytes: quota.max_heap_bytes,
            max_stored_rows: quota.max_stored_rows,
            max_stored_bytes: quota.max_stored_bytes,
            fuel_rate: (rate.per_second != u64::MAX).then_some(rate),
        })
    }
}

/// What the plugins of one tenant hold. `wpr_usage_init` sets its size.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_usage_t {
    /// The size of the struct.
    pub struct_size: usize,
    /// Loaded plugins.
    pub plugins: u64,
    /// Sandboxes.
    pub sandboxes: u64,
    /// Bytes of linear memories.
    pub memory_bytes: u64,
    /// Elements of tables.
    pub table_elements: u64,
    /// Bytes of heap, by an estimate that is never too low.
    pub heap_bytes: u64,
    /// Rows stored.
    pub stored_rows: u64,
    /// Bytes stored.
    pub stored_bytes: u64,
    /// Fuel that is there now; `UINT64_MAX` without a limit over time.
    pub fuel_left: u64,
}

// SAFETY: `repr(C)`, the size first, numbers.
unsafe impl Struct for wpr_usage_t {
    const NAME: &'static str = "wpr_usage_t";

    fn initial() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            plugins: 0,
            sandboxes: 0,
            memory_bytes: 0,
            table_elements: 0,
            heap_bytes: 0,
            stored_rows: 0,
            stored_bytes: 0,
            fuel_left: u64::MAX,
        }
    }
}

impl wpr_usage_t {
    fn of(usage: &TenantUsage) -> Self {
        Self {
            struct_size: size_of::<Self>(),
            plugins: usage.plugins,
            sandboxes: usage.sandboxes,
            memory_bytes: usage.memory_bytes,
            table_elements: usage.table_elements,
            heap_bytes: usage.heap_bytes,
            stored_rows: usage.stored_rows,
            stored_bytes: usage.stored_bytes,
            fuel_left: usage.fuel_left.unwrap_or(u64::MAX),
        }
    }
}

/// Fills a quota with no ceilings.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_quota_init(quota: Out<wpr_quota_t>, struct_size: usize) {
    quota.initialise(struct_size);
}

/// Sets the size of a usage.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_usage_init(usage: Out<wpr_usage_t>, struct_size: usize) {
    usage.initialise(struct_size);
}

/// Sets what a tenant's plugins may hold and spend together, in the place of what was set before. What is over a
/// ceiling stays; nothing is added until enough has gone.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_set_quota(
    registry: wpr_registry_t,
    tenant: Text,
    quota: In<wpr_quota_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let registry = take(registry)?;
        Ok(registry.tenant(tenant.get("tenant")?).quota(quota.quota()?)?)
    })
}

/// Answers what a tenant's plugins hold.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_usage(
    registry: wpr_registry_t,
    tenant: Text,
    usage: Out<wpr_usage_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let registry = take(registry)?;
        usage.fill(wpr_usage_t::of(&registry.tenant(tenant.get("tenant")?).usage()))
    })
}

/// Sets what all plugins may hold together.
pub(crate) fn limit_registry(
    builder: RegistryBuilder<CHost>,
    quota: &In<wpr_quota_t>,
) -> Result<RegistryBuilder<CHost>, Failure> {
    Ok(builder.quota(quota.quota()?))
}
