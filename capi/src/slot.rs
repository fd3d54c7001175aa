//! One slot of a table of handles: what is in it stays as long as somebody uses it, and nobody waits.
//!
//! `tests/interleavings` runs this file in every order of its steps.

use crate::sync::{AtomicUsize, Ordering, Place};

/// Of a slot's state: nothing is in it.
const EMPTY: usize = 1;
/// What is in it was released; nobody new may use it.
const RELEASED: usize = 2;
/// One who looks at it, or uses it.
const USE: usize = 4;

/// A value, and who uses it.
pub(crate) struct Slot<T> {
    /// `EMPTY`, `RELEASED`, and how many look at it or use it.
    state: AtomicUsize,
    /// Which value of those that have been in it is in it, or was last; 0 before the first.
    generation: AtomicUsize,
    value: Place<T>,
}

/// Why a handle does not stand for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stale {
    /// It was released.
    Released,
    /// No such handle was ever given out.
    Unknown,
}

// SAFETY: what is in a slot is put there by one thread and may be used by others and dropped by another.
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// A slot with nothing in it.
    pub(crate) fn empty() -> Self {
        Self {
            state: AtomicUsize::new(EMPTY | RELEASED),
            generation: AtomicUsize::new(0),
            value: Place::new(),
        }
    }

    /// Puts a value in; returns its generation, 1 to 2^32 - 1.
    ///
    /// # Safety
    ///
    /// The slot is empty, and nobody else fills it.
    pub(crate) unsafe fn fill(&self, value: T) -> u32 {
        // SAFETY: nobody looks at the value before the state says that there is one.
        unsafe { self.value.put(value) };
        let before = u32::try_from(self.generation.load(Ordering::Relaxed)).unwrap_or(0);
        let generation = before.wrapping_add(1).max(1);
        self.generation.store(generation as usize, Ordering::Release);
        self.state.fetch_and(!(EMPTY | RELEASED), Ordering::AcqRel);
        generation
    }

    /// Counts somebody in, who looks at what is here. Whatever that is, it stays until [`leave`](Self::leave). Fails if
    /// it is not to be used; whoever asked is counted in all the same.
    #[inline]
    pub(crate) fn enter(&self, generation: u32) -> Result<(), Stale> {
        let state = self.state.fetch_add(USE, Ordering::AcqRel);
        let current = self.generation.load(Ordering::Acquire);
        match (current == generation as usize && generation != 0, state & RELEASED) {
            (true, 0) => Ok(()),
            (true, _) => Err(Stale::Released),
            (false, _) if (1..current).contains(&(generation as usize)) => Err(Stale::Released),
            (false, _) => Err(Stale::Unknown),
        }
    }

    /// The value.
    ///
    /// # Safety
    ///
    /// [`enter`](Self::enter) went well, and [`leave`](Self::leave) comes after the value is used.
    #[inline]
    pub(crate) unsafe fn get(&self) -> &T {
        // SAFETY: there was a value of that generation which was not released, and it stays.
        unsafe { self.value.get() }
    }

    /// Releases what was entered; returns whether it was this that did.
    pub(crate) fn release(&self) -> bool {
        self.state.fetch_or(RELEASED, Ordering::AcqRel) & RELEASED == 0
    }

    /// Counts somebody out. If it was the last of a value that was released, drops it, and returns that the slot is empty.
    #[inline]
    pub(crate) fn leave(&self) -> bool {
        let state = self.state.fetch_sub(USE, Ordering::AcqRel) - USE;
        state == RELEASED && self.drop_value()
    }

    #[cold]
    fn drop_value(&self) -> bool {
        // Somebody who looks here with an old handle may come and go in between, and end up here as well.
        let emptied = self.state.compare_exchange(
            RELEASED,
            RELEASED | EMPTY,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if emptied.is_ok() {
            // SAFETY: there was a value, nobody uses it, and only one can say that the slot is empty.
            unsafe { self.value.drop_in_place() };
        }
        emptied.is_ok()
    }
}
