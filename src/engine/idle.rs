//! A sandbox that no call has: how long that has been so, and what it holds.

use super::sandbox::{Idle, Sandbox};
use crate::host::Host;

impl<H: Host> Sandbox<H> {
    /// Takes in that somebody looks whether something was called in it; returns how often in a row nothing
    /// was.
    pub(crate) fn look(&mut self) -> u32 {
        let looks = if self.was_called_since() { 0 } else { self.idle.looks.saturating_add(1) };
        self.idle = Idle { calls: self.calls, looks };
        looks
    }

    /// Whether something was called in it since somebody looked.
    pub(crate) fn was_called_since(&self) -> bool {
        self.idle.calls != self.calls
    }

    /// What its end gives back of the heap, but for what calls in batches.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.store.data().limiter.heap_bytes()
    }

    /// Sees to it that no further call runs in it.
    pub(crate) fn use_up(&mut self) {
        self.midway = true;
    }
}
