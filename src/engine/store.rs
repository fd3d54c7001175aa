//! What a sandbox's store carries besides the guest's own state.

use super::{limiter::Limiter, unwind::Caught};
use crate::{
    host::{CallState, PluginContext},
    stats::SlotCounts,
    sync::Arc,
};
use alloc::vec::Vec;

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
    pub(super) fn new(context: Arc<PluginContext<H>>, counts: Arc<SlotCounts>) -> Self {
        Self {
            call: CallState::new(context.config.enable_fuel, Arc::clone(&counts)),
            limiter: Limiter::new(&context.config, counts),
            caught: Caught::default(),
            context,
            memory: None,
            extern_refs: Vec::new(),
        }
    }
}
