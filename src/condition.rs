//! What keeps calls from a plugin, in one word: a call that nothing keeps reads it and goes on.

use crate::sync::{AtomicUsize, Ordering};

/// What keeps calls from a plugin, and what the last ones left behind.
pub(crate) struct Condition(AtomicUsize);

/// No sandbox has been made yet.
pub(crate) const NOT_READY: usize = 1;
pub(crate) const UNLOADED: usize = 2;
/// The breaker is open.
pub(crate) const QUARANTINED: usize = 4;
/// The breaker counts a failure that no success has followed.
pub(crate) const FAILING: usize = 8;
/// The last call that ended had trapped or was stopped, and none has begun since.
pub(crate) const TRAPPED: usize = 16;
/// The version that is called has a fuel budget.
pub(crate) const BUDGETED: usize = 32;
/// The tenant's fuel has a rate.
pub(crate) const RATED: usize = 128;
/// Another version is being made.
pub(crate) const RELOADING: usize = 64;
/// The version that is called has sandboxes made ahead.
pub(crate) const POOLED: usize = 256;
/// The last sandbox that was made ahead did not start, and none has been made since.
pub(crate) const HELD_BACK: usize = 512;

impl Condition {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(NOT_READY))
    }

    /// Whether one of `bits` holds.
    #[inline]
    pub(crate) fn has(&self, bits: usize) -> bool {
        self.which(bits) != 0
    }

    /// Which of `bits` hold.
    #[inline]
    pub(crate) fn which(&self, bits: usize) -> usize {
        self.0.load(Ordering::Acquire) & bits
    }

    /// Makes `bit` hold, or not; returns whether it did before.
    pub(crate) fn hold(&self, bit: usize, holds: bool) -> bool {
        let before = match holds {
            true => self.0.fetch_or(bit, Ordering::AcqRel),
            false => self.0.fetch_and(!bit, Ordering::AcqRel),
        };
        before & bit != 0
    }
}
