//! How a call is stopped from outside: from another thread, or from an interrupt handler.
//!
//! The calls of one slot follow one another, and each has a number of its own. Who cancels names the
//! number, so that what comes too late hits nothing. The running call looks at one word, at the end
//! of each slice, before each host call and at each checkpoint.

use crate::sync::{Arc, AtomicBool, AtomicUsize, Ordering};

/// The lowest bit of a cell's word: its call is cancelled.
const CANCELLED: usize = 1;
/// From the number of one call to that of the next.
const NEXT: usize = 2;

/// Which call of a slot is cancelled. Whoever has the slot begins and ends calls; anyone cancels.
#[derive(Debug, Default)]
pub(crate) struct CancelCell {
    /// The number of the call that is running, or of the next, and whether it is cancelled.
    word: AtomicUsize,
    /// Whether that call has begun.
    running: AtomicBool,
}

impl CancelCell {
    /// Begins the slot's call.
    #[inline]
    pub(crate) fn begin(&self) {
        self.running.store(true, Ordering::Release);
    }

    /// Ends the slot's call, begun or not: whatever was meant for it hits nothing from here on.
    #[inline]
    pub(crate) fn end(&self) {
        self.running.store(false, Ordering::Relaxed);
        // Nobody else changes the number. A cancellation in between is overwritten, as it should be.
        let number = self.word.load(Ordering::Relaxed) & !CANCELLED;
        self.word.store(number.wrapping_add(NEXT), Ordering::Release);
    }

    /// Says that nothing runs for now, where the slot's next call is still to come.
    pub(crate) fn pause(&self) {
        self.running.store(false, Ordering::Relaxed);
    }

    /// Whether the slot's call is cancelled; asked by whoever runs it.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.word.load(Ordering::Relaxed) & CANCELLED != 0
    }

    /// Cancels the call that is running now, if one is; returns whether it did.
    pub(crate) fn cancel_running(&self) -> bool {
        self.cancel_running_if(|| true)
    }

    /// Cancels the call that is running now, if one is and `concerned` says so while it does.
    pub(crate) fn cancel_running_if(&self, concerned: impl FnOnce() -> bool) -> bool {
        // In this order: if the number is still the same at the end, it is that of the call that
        // was running in between.
        let number = self.word.load(Ordering::Acquire) & !CANCELLED;
        self.is_running() && concerned() && self.cancel(number)
    }

    /// Whether the slot's call has begun, and has not ended.
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Cancels call `number`, unless it has ended or is cancelled already; returns whether it did.
    fn cancel(&self, number: usize) -> bool {
        let cancelled = number | CANCELLED;
        // One try: where the word is another, that call is over, or cancelled.
        self.word.compare_exchange(number, cancelled, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// Cancels one call: that of a [`PluginCall`](crate::PluginCall), or the one that a
/// [`PluginLease`](crate::PluginLease) runs next.
///
/// Made before the call, given to whoever may want to stop it, and used at any time: once the call
/// has ended it does nothing, least of all to the next one.
#[derive(Debug, Clone)]
pub struct CancelToken {
    cell: Arc<CancelCell>,
    number: usize,
}

impl CancelToken {
    /// The token of the cell's call: the one that is running, or the next.
    pub(crate) fn new(cell: Arc<CancelCell>) -> Self {
        let number = cell.word.load(Ordering::Relaxed) & !CANCELLED;
        Self { cell, number }
    }

    /// A token that has nothing to cancel.
    pub(crate) fn of_nothing() -> Self {
        let cell = Arc::new(CancelCell::default());
        cell.end();
        Self { cell, number: 0 }
    }

    /// Cancels the call: it ends with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) at the
    /// end of its slice, at its next host call or at its next
    /// [`checkpoint`](crate::HostCall::checkpoint), whichever comes first; a call that has not begun
    /// ends when it does. Returns whether it was this that cancelled it: not if the call has ended,
    /// or is cancelled already.
    ///
    /// One atomic compare-and-exchange, which neither waits, allocates nor calls anything: it may be
    /// used in an interrupt handler. The number that it compares is one of 2^31 on a 32-bit target,
    /// and of 2^63 on others; a token kept while as many calls go by in one sandbox's place would
    /// hit the one that comes then.
    #[allow(clippy::must_use_candidate)] // it acts
    pub fn cancel(&self) -> bool {
        self.cell.cancel(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_cancels_its_call_before_and_while_it_runs() {
        let cell = Arc::new(CancelCell::default());
        assert!(CancelToken::new(Arc::clone(&cell)).cancel());
        cell.begin();
        assert!(cell.is_cancelled());
        cell.end();
        cell.begin();
        assert!(!cell.is_cancelled());
        assert!(CancelToken::new(Arc::clone(&cell)).cancel());
        assert!(cell.is_cancelled());
    }

    #[test]
    fn a_token_does_nothing_once_its_call_has_ended() {
        let cell = Arc::new(CancelCell::default());
        let late = CancelToken::new(Arc::clone(&cell));
        cell.begin();
        cell.end();
        assert!(!late.cancel());
        cell.begin();
        assert!(!late.cancel());
        assert!(!cell.is_cancelled());
    }

    #[test]
    fn a_late_token_does_not_take_back_the_cancellation_of_another() {
        let cell = Arc::new(CancelCell::default());
        let late = CancelToken::new(Arc::clone(&cell));
        cell.end();
        cell.begin();
        assert!(cell.cancel_running());
        assert!(!late.cancel());
        assert!(cell.is_cancelled());
    }

    #[test]
    fn only_a_call_that_has_begun_is_cancelled_as_running() {
        let cell = CancelCell::default();
        assert!(!cell.cancel_running());
        cell.begin();
        assert!(cell.cancel_running());
        assert!(!cell.cancel_running());
        cell.end();
        assert!(!cell.cancel_running());
        assert!(!cell.is_cancelled());
    }
}
