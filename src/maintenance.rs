//! How much maintenance does at a time, and what it has done.

/// What [`WasmPluginRegistry::maintain`](crate::WasmPluginRegistry::maintain) may do before it returns.
/// Default: all that there is to do, whatever idle sandboxes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaintenanceBudget {
    /// How many sandboxes it may make or drop. Default: any number.
    ///
    /// To drop one takes as long as to return its memory, to make one as long as the start of the plugin: its
    /// data, and its start function under the limits of a call.
    pub steps: usize,
    /// How many bytes all idle sandboxes may hold together before some are dropped. Default: any number.
    ///
    /// Counted as for [`TenantQuota::max_heap_bytes`](crate::TenantQuota::max_heap_bytes), but for stacks and
    /// what calls in batches; memories alone without the feature `quotas`.
    pub max_idle_bytes: u64,
}

impl Default for MaintenanceBudget {
    fn default() -> Self {
        Self { steps: usize::MAX, max_idle_bytes: u64::MAX }
    }
}

/// What [`WasmPluginRegistry::maintain`](crate::WasmPluginRegistry::maintain) has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Maintained {
    /// Sandboxes made ahead.
    pub made: usize,
    /// Sandboxes dropped that were used up.
    pub dropped: usize,
    /// Sandboxes dropped for want of memory.
    pub trimmed: usize,
    /// Sandboxes that did not start. No further one of the plugin is made ahead before a call of it has made
    /// one, or it is reloaded.
    pub failed: usize,
    /// What the idle sandboxes hold now, in bytes; above the ceiling if no more may be dropped.
    pub idle_bytes: u64,
    /// Whether nothing is left to do. If not, the budget was short.
    pub is_done: bool,
}
