//! The limits on growth of one sandbox: all its memories together, all its tables together.

use super::weight::{Share, Shared, TABLE_ELEMENT_BYTES};
use crate::{
    GrowthPolicy, WasmInstanceConfig,
    ledger::{Account, Reached, Resource},
    sync::Arc,
};
use alloc::boxed::Box;
use wasmi::errors::TableError;
use wasmi_core::LimiterError;

/// What a sandbox holds of memories and tables, and what it may.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_bytes: usize,
    table_elements: usize,
    /// What the growth in progress adds, itself and of the heap; taken back if it fails after all.
    pending: (usize, usize),
    /// The heap that memories and tables take.
    memory_heap: Share,
    table_heap: Share,
    /// Whether the module's own memories and tables are being made, to which no step applies.
    starting: bool,
    /// Whether an instance of the library's own is being made, which is paid for otherwise.
    pub(super) is_own: bool,
    /// Whether the last `table.grow` stopped for want of fuel.
    table_growth_interrupted: bool,
    /// The ceiling of the tenant's or the registry's that forbade the last growth, if one did.
    reached: Option<(Resource, usize)>,
    account: Arc<Account>,
    weight: Shared,
}

pub(super) type Verdict = Result<bool, LimiterError>;

impl Limiter {
    pub(super) fn new(account: Arc<Account>, weight: Shared) -> Result<Self, Box<Reached>> {
        account.try_take(Resource::Sandboxes, 1)?;
        weight.enter().inspect_err(|_| account.give(Resource::Sandboxes, 1))?;
        Ok(Self {
            memory_bytes: 0,
            table_elements: 0,
            pending: (0, 0),
            memory_heap: Share::default(),
            table_heap: Share::default(),
            starting: true,
            is_own: false,
            table_growth_interrupted: false,
            reached: None,
            account,
            weight,
        })
    }

    /// From here on, growth is the guest's.
    pub(super) fn started(&mut self) {
        self.starting = false;
    }

    /// What all memories hold together.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes as u64
    }

    /// What its end gives back of the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let memories = self.memory_heap.bytes().max(self.memory_bytes);
        memories.saturating_add(self.table_heap.bytes()).saturating_add(self.weight.sandbox())
    }

    /// Whether the guest stopped inside a `table.grow`; forgotten once asked.
    pub(super) fn take_interrupted_table_growth(&mut self) -> bool {
        core::mem::take(&mut self.table_growth_interrupted)
    }

    /// The ceiling of the tenant's or the registry's that forbade the last growth, if one did.
    pub(super) fn reached(&self) -> Option<Box<Reached>> {
        self.reached.and_then(|(what, n)| self.account.reached(what, n))
    }

    /// Takes what a growth adds, itself and of the heap, from the tenant's account.
    fn take(&mut self, what: Resource, added: usize, heap: usize) -> bool {
        self.reached = self.account.take_all([(what, added), (Resource::HeapBytes, heap)]).err();
        self.reached.is_none()
    }

    fn give_back(&self, what: Resource, added: usize, heap: usize) {
        self.account.give(what, added);
        self.account.give(Resource::HeapBytes, heap);
    }

    fn deny(&self, config: &WasmInstanceConfig) -> Verdict {
        match (self.starting, config.limits.on_growth_denied) {
            (false, GrowthPolicy::Trap) => Err(LimiterError::ResourceLimiterDeniedAllocation),
            _ => Ok(false),
        }
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.weight.leave();
        let held = [
            (Resource::Sandboxes, 1),
            (Resource::MemoryBytes, self.memory_bytes),
            (Resource::TableElements, self.table_elements),
            (Resource::HeapBytes, self.memory_heap.bytes()),
            (Resource::HeapBytes, self.table_heap.bytes()),
        ];
        for (what, n) in held {
            self.account.give(what, n);
        }
    }
}

fn saturate(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl Limiter {
    /// Whether a memory may grow from `current` to `desired` bytes.
    pub(super) fn memory_growing(
        &mut self,
        config: &WasmInstanceConfig,
        current: usize,
        desired: usize,
    ) -> Verdict {
        let added = desired.saturating_sub(current);
        let total = self.memory_bytes.saturating_add(added);
        let max_step = saturate(config.limits.max_growth_step_bytes);
        let max_total = saturate(config.capabilities.memory_limit_bytes);
        if total > max_total || (!self.starting && added > max_step) {
            self.reached = None;
            return self.deny(config);
        }
        let heap = self.memory_heap.needs(added, total, self.starting);
        if !self.take(Resource::MemoryBytes, added, heap) {
            return self.deny(config);
        }
        self.memory_heap.grow(heap);
        self.memory_bytes = total;
        self.pending = (added, heap);
        Ok(true)
    }

    /// Whether a table may grow from `current` to `desired` elements.
    pub(super) fn table_growing(
        &mut self,
        config: &WasmInstanceConfig,
        current: usize,
        desired: usize,
        max: Option<usize>,
    ) -> Verdict {
        let added = desired.saturating_sub(current);
        let total = self.table_elements.saturating_add(added);
        self.reached = None;
        if total > saturate(config.limits.max_table_elements) {
            return self.deny(config);
        }
        if max.is_some_and(|max| desired > max) {
            return Ok(false);
        }
        let bytes = |elements: usize| elements.saturating_mul(TABLE_ELEMENT_BYTES);
        let heap = self.table_heap.needs(bytes(added), bytes(total), self.starting);
        if !self.take(Resource::TableElements, added, heap) {
            return self.deny(config);
        }
        self.table_heap.grow(heap);
        self.table_elements = total;
        self.pending = (added, heap);
        Ok(true)
    }

    /// Takes back the growth that was allowed last.
    pub(super) fn memory_grow_failed(&mut self) {
        let (pending, heap) = core::mem::take(&mut self.pending);
        self.memory_bytes = self.memory_bytes.saturating_sub(pending);
        self.memory_heap.shrink(heap);
        self.give_back(Resource::MemoryBytes, pending, heap);
    }

    /// Takes back the growth that was allowed last.
    pub(super) fn table_grow_failed(&mut self, error: &TableError) {
        let (pending, heap) = core::mem::take(&mut self.pending);
        self.table_elements = self.table_elements.saturating_sub(pending);
        self.table_heap.shrink(heap);
        self.give_back(Resource::TableElements, pending, heap);
        self.table_growth_interrupted = matches!(error, TableError::OutOfFuel { .. });
    }
}
