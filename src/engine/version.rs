//! One version of a plugin, as its sandboxes are made from it.

use super::{CallLimits, Code};
use crate::{
    CallOptions,
    host::{Host, PluginContext},
    quarantine::{Breaker, QuarantinePolicy},
    sync::Arc,
};
use alloc::boxed::Box;

/// One version of a plugin: what its sandboxes share.
pub(crate) struct Version<H: Host> {
    /// The first is 1. No number comes twice in the life of a plugin.
    pub(crate) number: usize,
    /// What a call may use that nothing narrows.
    pub(crate) limits: CallLimits,
    pub(crate) code: Arc<Code<H>>,
    pub(crate) context: Arc<PluginContext<H>>,
    /// What puts it in quarantine, if anything does.
    pub(crate) breaker: Option<Box<dyn Breaker>>,
}

impl<H: Host> Version<H> {
    pub(crate) fn new(number: usize, code: Arc<Code<H>>, context: Arc<PluginContext<H>>) -> Self {
        let limits = code.limits(&context.config, &CallOptions::default());
        let breaker = context.config.quarantine.map(QuarantinePolicy::breaker);
        Self { number, limits, code, context, breaker }
    }
}
