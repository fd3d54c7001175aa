//! What a sandbox's store carries besides the guest's own state.

use super::{limiter::Limiter, unwind::Caught};
use crate::{
    host::{CallState, Host, PluginContext},
    stats::SlotCounts,
    sync::Arc,
};
use alloc::vec::Vec;
use wasmi::{
    ResourceLimiter,
    errors::{MemoryError, TableError},
};
// The error of the trait's methods, which wasmi itself does not export.
use wasmi_core::LimiterError;

/// The most `ExternRef`s of a sandbox that differ.
pub(super) const MAX_EXTERN_REFS: usize = 64;

/// The data of a sandbox's store.
pub(super) struct StoreData<H> {
    pub(super) context: Arc<PluginContext<H>>,
    pub(super) call: CallState,
    pub(super) limiter: Limiter,
    /// A panic of the host's, until the guest that called it has been left.
    pub(super) caught: Caught,
    /// The memory exported as `memory`, if there is one.
    pub(super) memory: Option<wasmi::Memory>,
    /// The host's references that the guest has been given. A store never frees one, so each
    /// number is wrapped once.
    pub(super) extern_refs: Vec<(u64, wasmi::ExternRef)>,
}

impl<H> StoreData<H> {
    pub(super) fn new(
        context: Arc<PluginContext<H>>,
        counts: Arc<SlotCounts>,
        limiter: Limiter,
    ) -> Self {
        Self {
            call: CallState::new(context.config.enable_fuel, counts),
            limiter,
            caught: Caught::default(),
            context,
            memory: None,
            extern_refs: Vec::new(),
        }
    }
}

/// Asks the [`Limiter`], and tells of a ceiling of the tenant's or the registry's.
impl<H: Host> ResourceLimiter for StoreData<H> {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        if self.limiter.is_own {
            return Ok(true);
        }
        let verdict = self.limiter.memory_growing(&self.context.config, current, desired);
        self.call.counts.peak_memory.raise_to(self.limiter.memory_bytes());
        self.tell_of_ceiling().and(verdict)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        let config = &self.context.config;
        let verdict = self.limiter.table_growing(config, current, desired, maximum);
        self.tell_of_ceiling().and(verdict)
    }

    fn memory_grow_failed(&mut self, _error: &MemoryError) -> Result<(), LimiterError> {
        self.limiter.memory_grow_failed();
        Ok(())
    }

    fn table_grow_failed(&mut self, error: &TableError) -> Result<(), LimiterError> {
        self.limiter.table_grow_failed(error);
        Ok(())
    }

    // A guest cannot make any.
    fn instances(&self) -> usize {
        usize::MAX
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}

impl<H: Host> StoreData<H> {
    /// The host hears of it inside of the interpreter, which a panic of its cannot cross.
    fn tell_of_ceiling(&mut self) -> Result<(), LimiterError> {
        let Some(reached) = self.limiter.reached() else {
            return Ok(());
        };
        let Self { context, call, caught, .. } = self;
        let told = caught.run(|| {
            context.tell_quota(&reached, Some(&call.recorded));
            Ok(())
        });
        told.map_err(|_| LimiterError::ResourceLimiterDeniedAllocation)
    }
}
