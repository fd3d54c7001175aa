//! The sandboxes of one plugin.
//!
//! A plugin has `max_instances` slots. A plain call locks one for its time; a lease takes the
//! sandbox out. A slot is only ever tried: if none is free, the call is refused as `Busy`.
//!
//! **Unloading** closes each slot and empties those that are free. Whoever leaves another hears that
//! it was closed, and empties it. So the memory returns with the last call.
//!
//! **What a reset clears.** A reset drops the store and makes a new one, since globals that are not
//! exported cannot be set from outside. So everything the guest can see is as the module says:
//! linear memories, tables, globals, dropped data and element segments, references of the host's;
//! and the start function has run again. What stays is the plugin's: its statistics, its fuel
//! budget, and whatever the guest wrote through host functions.

use crate::sync::{Arc, AtomicUsize, Ordering, TryGuard, TryMutex, Uses};
use alloc::boxed::Box;

/// The slots of one plugin, for sandboxes `S`. What is counted in a slot, `C`, stays with it.
///
/// It knows nothing of either, so that its code can be run under a model of memory.
pub(crate) struct Pool<S, C> {
    slots: Box<[Slot<S, C>]>,
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
pub(crate) struct Held<'p, S, C> {
    /// There until this is dropped.
    place: Option<TryGuard<'p, Place<S>>>,
    slot: &'p Slot<S, C>,
    at: usize,
}

impl<S, C> Pool<S, C> {
    pub(crate) fn new(slots: usize, counts: impl Fn() -> C) -> Self {
        let slot = |_| Slot {
            place: TryMutex::new(Place::Here(None)),
            uses: Uses::default(),
            counts: Arc::new(counts()),
        };
        Self { slots: (0..slots).map(slot).collect(), leased: AtomicUsize::new(0) }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
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
        self.slots.iter().enumerate().find_map(|(at, slot)| {
            let place = slot.place.try_lock()?;
            match *place {
                Place::Out => None,
                Place::Here(_) => Some(Held { place: Some(place), slot, at }),
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
        slot.leave();
    }

    /// Lets go of every sandbox: at once if it is free, else with its last use.
    pub(crate) fn close(&self) {
        for slot in &self.slots {
            slot.uses.close();
            slot.empty();
        }
    }

    /// Whether a call or lease is going on.
    pub(crate) fn is_in_use(&self) -> bool {
        self.leased.load(Ordering::Acquire) > 0
            || self.slots.iter().any(|slot| slot.place.is_locked())
    }
}

#[cfg(test)]
impl<S, C> Pool<S, C> {
    /// Whether no slot has a sandbox.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| matches!(*slot.place.lock(), Place::Here(None)))
    }
}

impl<S, C> Slot<S, C> {
    /// Ends a use, once the place is free again.
    #[inline]
    fn leave(&self) {
        if self.uses.end() {
            self.empty();
        }
    }

    #[cold]
    fn empty(&self) {
        // Whoever has it instead ends a use later.
        if let Some(mut place) = self.place.try_lock()
            && let Place::Here(sandbox) = &mut *place
        {
            *sandbox = None;
        }
    }
}

impl<'p, S, C> Held<'p, S, C> {
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

impl<S, C> Drop for Held<'_, S, C> {
    #[inline]
    fn drop(&mut self) {
        self.place = None;
        self.slot.leave();
    }
}
