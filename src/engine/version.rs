//! One version of a plugin, as its sandboxes are made from it.

use super::{CallLimits, Code};
use crate::{
    host::{Host, PluginContext},
    sync::Arc,
};

/// One version of a plugin: what its sandboxes share.
pub(crate) struct Version<H: Host> {
    /// The first is 1. No number comes twice in the life of a plugin.
    pub(crate) number: usize,
    pub(crate) code: Arc<Code<H>>,
    pub(crate) context: Arc<PluginContext<H>>,
}

impl<H: Host> Version<H> {
    /// What a call may use that nothing narrows.
    #[inline]
    pub(crate) fn limits(&self) -> &CallLimits {
        self.code.full_limits()
    }
}

impl<H: Host> Clone for Version<H> {
    fn clone(&self) -> Self {
        Self {
            number: self.number,
            code: Arc::clone(&self.code),
            context: Arc::clone(&self.context),
        }
    }
}
