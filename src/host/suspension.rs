//! What a sandbox keeps of a host call whose answer comes later.

use super::{FunctionSpec, memory::Range};
use crate::ValueType;
use alloc::boxed::Box;
use core::any::Any;

/// How a call can be suspended, and what it waits for if it is.
#[derive(Debug)]
pub(crate) struct Suspension {
    /// Whether the call can be paused.
    pub(crate) can_pause: bool,
    /// Whether it can be suspended in a host call, which some modules cannot.
    pub(crate) possible: bool,
    /// The fuel at which the call is paused.
    pub(crate) pause_at: u64,
    /// When the call was paused, if it is.
    pub(crate) paused_at: Option<u64>,
    /// Where in guest memory the host call has its output that the guest waits for.
    pub(crate) output: Range,
    /// The host call that the guest waits for.
    pub(crate) pending: Option<PendingCall>,
    /// The called plugin that it waits for instead, until the executor takes it.
    pub(crate) callee: Option<Box<dyn Any + Send>>,
}

/// A host call whose answer comes later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingCall {
    /// What the host completes it with; of no meaning where the guest waits for a plugin.
    pub(crate) ticket: u64,
    pub(crate) spec: FunctionSpec,
    /// The types of the answer.
    pub(crate) results: &'static [ValueType],
    pub(crate) opened: Opened,
}

/// What a call had left when it called the host: in its slice, and besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) slice: u64,
    pub(crate) rest: u64,
}

impl Default for Suspension {
    fn default() -> Self {
        Self {
            can_pause: false,
            possible: false,
            pause_at: u64::MAX,
            paused_at: None,
            output: Range::EMPTY,
            pending: None,
            callee: None,
        }
    }
}
