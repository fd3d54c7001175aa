//! The limits on growth of one sandbox: all its memories together, all its tables together.

use crate::{GrowthPolicy, WasmInstanceConfig, stats::SlotCounts, sync::Arc};
use wasmi::{
    ResourceLimiter,
    errors::{MemoryError, TableError},
};
// The error of the trait's methods, which wasmi itself does not export.
use wasmi_core::LimiterError;

/// What a sandbox holds of memories and tables, and what it may.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_bytes: usize,
    table_elements: usize,
    max_memory_bytes: usize,
    max_table_elements: usize,
    max_step_bytes: usize,
    policy: GrowthPolicy,
    /// What the growth in progress adds; taken back if it fails after all.
    pending: usize,
    /// Whether the module's own memories and tables are being made, to which no step applies.
    starting: bool,
    /// Whether the last `table.grow` stopped for want of fuel.
    table_growth_interrupted: bool,
    counts: Arc<SlotCounts>,
}

type Verdict = Result<bool, LimiterError>;

impl Limiter {
    pub(super) fn new(config: &WasmInstanceConfig, counts: Arc<SlotCounts>) -> Self {
        let limits = &config.limits;
        Self {
            memory_bytes: 0,
            table_elements: 0,
            max_memory_bytes: saturate(config.capabilities.memory_limit_bytes),
            max_table_elements: saturate(limits.max_table_elements),
            max_step_bytes: saturate(limits.max_growth_step_bytes),
            policy: limits.on_growth_denied,
            pending: 0,
            starting: true,
            table_growth_interrupted: false,
            counts,
        }
    }

    /// From here on, growth is the guest's.
    pub(super) fn started(&mut self) {
        self.starting = false;
    }

    /// What all memories hold together.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes as u64
    }

    /// Whether the guest stopped inside a `table.grow`; forgotten once asked.
    pub(super) fn take_interrupted_table_growth(&mut self) -> bool {
        core::mem::take(&mut self.table_growth_interrupted)
    }

    fn deny(&self) -> Verdict {
        match (self.starting, self.policy) {
            (false, GrowthPolicy::Trap) => Err(LimiterError::ResourceLimiterDeniedAllocation),
            _ => Ok(false),
        }
    }
}

fn saturate(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _max: Option<usize>) -> Verdict {
        let added = desired.saturating_sub(current);
        let total = self.memory_bytes.saturating_add(added);
        if total > self.max_memory_bytes || (!self.starting && added > self.max_step_bytes) {
            return self.deny();
        }
        self.memory_bytes = total;
        self.pending = added;
        self.counts.peak_memory.raise_to(total as u64);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, max: Option<usize>) -> Verdict {
        let added = desired.saturating_sub(current);
        let total = self.table_elements.saturating_add(added);
        if total > self.max_table_elements {
            return self.deny();
        }
        if max.is_some_and(|max| desired > max) {
            return Ok(false);
        }
        self.table_elements = total;
        self.pending = added;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: &MemoryError) -> Result<(), LimiterError> {
        self.memory_bytes = self.memory_bytes.saturating_sub(self.pending);
        Ok(())
    }

    fn table_grow_failed(&mut self, error: &TableError) -> Result<(), LimiterError> {
        self.table_elements = self.table_elements.saturating_sub(self.pending);
        self.table_growth_interrupted = matches!(error, TableError::OutOfFuel { .. });
        Ok(())
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}
