//! The sandboxes of one plugin.
//!
//! A plugin has `max_instances` slots. A plain call locks one for its time; a lease takes the
//! sandbox out. A slot is only ever tried: if none is free, the call is refused as `Busy`.
//!
//! **Reloading** makes another version the one that is called. The slots stay; a sandbox of another
//! version is never called again, but by the call or the lease that has it. Whoever reloads asks each
//! slot to be emptied of such, and does it where the slot is free; whoever leaves another slot hears
//! of it, and does it then. **Unloading** is the same, with no version to come. So the memory of a
//! version returns with its last call.
//!
//! **What a reset clears.** A reset drops the store and makes a new one, since globals that are not
//! exported cannot be set from outside. So everything the guest can see is as the module says:
//! linear memories, tables, globals, dropped data and element segments, references of the host's;
//! and the start function has run again. What stays is the plugin's: its statistics, its fuel
//! budget, and whatever the guest wrote through host functions.

use crate::sync::{Arc, AtomicUsize, Ordering, TryGuard, TryMutex, Uses};
use alloc::boxed::Box;

/// What belongs to one version of a plugin.
pub(crate) trait Versioned {
    /// The number of its version.
    fn version(&self) -> usize;
}

/// The version of which nothing is: that of a plugin that is unloaded.
const NO_VERSION: usize = usize::MAX;

/// The slots of one plugin, for sandboxes `S`. What is counted in a slot, `C`, stays with it.
///
/// It knows nothing of either, so that its code can be run under a model of memory.
pub(crate) struct Pool<S, C> {
    slots: Box<[Slot<S, C>]>,
    /// How many of the slots are used, from the first on.
    len: AtomicUsize,
    /// The version whose sandboxes are called.
    version: AtomicUsize,
    /// How many sandboxes leases have.
    leased: AtomicUsize,
}

/// Where one sandbox is, or was, or will be.
pub(crate) struct Slot<S, C> {
    place: TryMutex<Place<S>>,
    uses: Uses,
    counts: Arc<C>,
}

/// A slot's sandbox; none where the next call is to make one.
pub(crate) type Seat<S> = Option<Box<S>>;

enum Place<S> {
    Here(Seat<S>),
    /// A lease has it.
    Out,
}

/// A slot held for the time of one call.
pub(crate) struct Held<'p, S: Versioned, C> {
    pool: &'p Pool<S, C>,
    /// There until this is dropped.
    place: Option<TryGuard<'p, Place<S>>>,
    slot: &'p Slot<S, C>,
    at: usize,
}

impl<S: Versioned, C> Pool<S, C> {
    /// Slots for the sandboxes of a first version.
    pub(crate) fn new(slots: usize, version: usize, counts: impl Fn() -> C) -> Self {
        let slot = |_| Slot {
            place: TryMutex::new(Place::Here(None)),
            uses: Uses::default(),
            counts: Arc::new(counts()),
        };
        Self {
            slots: (0..slots).map(slot).collect(),
            len: AtomicUsize::new(slots),
            version: AtomicUsize::new(version),
            leased: AtomicUsize::new(0),
        }
    }

    /// How many sandboxes may be used at once.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// The most that it may ever be.
    pub(crate) fn max_len(&self) -> usize {
        self.slots.len()
    }

    /// The version whose sandboxes are called.
    #[inline]
    pub(crate) fn version(&self) -> usize {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn counts(&self) -> impl Iterator<Item = &C> {
        self.slots.iter().map(|slot| &*slot.counts)
    }

    pub(crate) fn counts_of(&self, slot: usize) -> Option<&Arc<C>> {
        self.slots.get(slot).map(|slot| &slot.counts)
    }

    /// Holds the first free slot. Slots fill from the front, so it has a sandbox if any free one has,
    /// unless a trap emptied it.
    #[inline]
    pub(crate) fn hold(&self) -> Option<Held<'_, S, C>> {
        self.slots.iter().take(self.len()).enumerate().find_map(|(at, slot)| {
            let place = slot.place.try_lock()?;
            match *place {
                Place::Out => None,
                Place::Here(_) => Some(Held { pool: self, place: Some(place), slot, at }),
            }
        })
    }

    /// Takes the sandbox, or the right to make one, out of a slot that is held; returns which slot.
    pub(crate) fn take_out(&self, mut held: Held<'_, S, C>) -> (usize, Seat<S>) {
        self.leased.fetch_add(1, Ordering::AcqRel);
        let place = held.place.as_deref_mut();
        match place.map(|place| core::mem::replace(place, Place::Out)) {
            Some(Place::Here(sandbox)) => (held.at, sandbox),
            Some(Place::Out) | None => (held.at, None),
        }
    }

    /// Puts a leased sandbox back, or lets go of it.
    pub(crate) fn put_back(&self, slot: usize, sandbox: Seat<S>) {
        let Some(slot) = self.slots.get(slot) else {
            return;
        };
        // Whoever else locks the slot sees that it is out and lets go at once.
        *slot.place.lock() = Place::Here(sandbox);
        self.leased.fetch_sub(1, Ordering::AcqRel);
        self.leave(slot);
    }

    /// Says that a slot is about to be filled with a sandbox of the version that is called: what is
    /// asked from here on concerns it. To be followed by a look at what that version is.
    pub(crate) fn fills(&self, slot: usize) {
        if let Some(slot) = self.slots.get(slot) {
            slot.uses.open();
        }
    }

    /// Makes another version the one that is called, in the first `len` slots.
    pub(crate) fn call_version(&self, version: usize, len: usize) {
        self.len.store(len.min(self.slots.len()), Ordering::Relaxed);
        self.version.store(version, Ordering::Release);
    }

    /// Lets go of every sandbox of another version than the one that is called: at once if it is free,
    /// else with its last use.
    pub(crate) fn sweep(&self) {
        for slot in &self.slots {
            slot.uses.close();
            self.empty(slot);
        }
    }

    /// Lets go of every sandbox: at once if it is free, else with its last use.
    pub(crate) fn close(&self) {
        self.version.store(NO_VERSION, Ordering::Release);
        self.sweep();
    }

    /// Ends a use, once the place is free again.
    #[inline]
    fn leave(&self, slot: &Slot<S, C>) {
        if slot.uses.end() {
            self.empty(slot);
        }
    }

    #[cold]
    fn empty(&self, slot: &Slot<S, C>) {
        // Whoever has it instead ends a use later.
        let Some(mut place) = slot.place.try_lock() else {
            return;
        };
        if let Place::Here(seat) = &mut *place {
            // Before the look at the version: who reloads after it asks again.
            slot.uses.open();
            if seat.as_ref().is_some_and(|sandbox| sandbox.version() != self.version()) {
                *seat = None;
            }
        }
    }

    /// Whether a call or lease is going on.
    pub(crate) fn is_in_use(&self) -> bool {
        self.leased.load(Ordering::Acquire) > 0
            || self.slots.iter().any(|slot| slot.place.is_locked())
    }
}

#[cfg(test)]
impl<S: Versioned, C> Pool<S, C> {
    /// Whether no slot has a sandbox.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| matches!(*slot.place.lock(), Place::Here(None)))
    }
}

impl<'p, S: Versioned, C> Held<'p, S, C> {
    /// Which slot it is.
    pub(crate) const fn slot(&self) -> usize {
        self.at
    }

    /// What is counted in the slot.
    pub(crate) fn counts(&self) -> &'p Arc<C> {
        &self.slot.counts
    }

    /// The sandbox that is there or is to be, and what counts for it.
    #[inline]
    pub(crate) fn sandbox(&mut self) -> Option<(&mut Seat<S>, &'p Arc<C>)> {
        match self.place.as_deref_mut() {
            Some(Place::Here(sandbox)) => Some((sandbox, &self.slot.counts)),
            Some(Place::Out) | None => None,
        }
    }
}

impl<S: Versioned, C> Drop for Held<'_, S, C> {
    #[inline]
    fn drop(&mut self) {
        self.place = None;
        self.pool.leave(self.slot);
    }
}
