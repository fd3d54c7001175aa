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

use crate::{
    engine::Sandbox,
    host::Host,
    stats::SlotCounts,
    sync::{Arc, AtomicUsize, Ordering, TryGuard, TryMutex, Uses},
};
use alloc::boxed::Box;

/// The slots of one plugin.
pub(crate) struct Pool<H: Host> {
    slots: Box<[Slot<H>]>,
    /// How many sandboxes leases have.
    leased: AtomicUsize,
}

/// Where one sandbox is, or was, or will be.
pub(crate) struct Slot<H: Host> {
    place: TryMutex<Place<H>>,
    uses: Uses,
    counts: Arc<SlotCounts>,
}

/// A slot's sandbox; none where the next call is to make one.
pub(crate) type Seat<H> = Option<Box<Sandbox<H>>>;

enum Place<H: Host> {
    Here(Seat<H>),
    /// A lease has it.
    Out,
}

/// A slot held for the time of one call.
pub(crate) struct Held<'p, H: Host> {
    /// There until this is dropped.
    place: Option<TryGuard<'p, Place<H>>>,
    slot: &'p Slot<H>,
    at: usize,
}

impl<H: Host> Pool<H> {
    pub(crate) fn new(slots: usize, functions: usize) -> Self {
        let slot = |_| Slot {
            place: TryMutex::new(Place::Here(None)),
            uses: Uses::default(),
            counts: Arc::new(SlotCounts::new(functions)),
        };
        Self { slots: (0..slots).map(slot).collect(), leased: AtomicUsize::new(0) }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn counts(&self) -> impl Iterator<Item = &SlotCounts> {
        self.slots.iter().map(|slot| &*slot.counts)
    }

    pub(crate) fn counts_of(&self, slot: usize) -> Option<&Arc<SlotCounts>> {
        self.slots.get(slot).map(|slot| &slot.counts)
    }

    /// Holds the first free slot. Slots fill from the front, so it has a sandbox if any free one has,
    /// unless a trap emptied it.
    #[inline]
    pub(crate) fn hold(&self) -> Option<Held<'_, H>> {
        self.slots.iter().enumerate().find_map(|(at, slot)| {
            let place = slot.place.try_lock()?;
            match *place {
                Place::Out => None,
                Place::Here(_) => Some(Held { place: Some(place), slot, at }),
            }
        })
    }

    /// Takes the sandbox, or the right to make one, out of a slot that is held; returns which slot.
    pub(crate) fn take_out(&self, mut held: Held<'_, H>) -> (usize, Seat<H>) {
        self.leased.fetch_add(1, Ordering::AcqRel);
        let place = held.place.as_deref_mut();
        match place.map(|place| core::mem::replace(place, Place::Out)) {
            Some(Place::Here(sandbox)) => (held.at, sandbox),
            Some(Place::Out) | None => (held.at, None),
        }
    }

    /// Puts a leased sandbox back, or lets go of it.
    pub(crate) fn put_back(&self, slot: usize, sandbox: Seat<H>) {
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
impl<H: Host> Pool<H> {
    /// Whether no slot has a sandbox.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| matches!(*slot.place.lock(), Place::Here(None)))
    }
}

impl<H: Host> Slot<H> {
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

impl<'p, H: Host> Held<'p, H> {
    /// The sandbox that is there or is to be, and what counts for it.
    #[inline]
    pub(crate) fn sandbox(&mut self) -> Option<(&mut Seat<H>, &'p Arc<SlotCounts>)> {
        match self.place.as_deref_mut() {
            Some(Place::Here(sandbox)) => Some((sandbox, &self.slot.counts)),
            Some(Place::Out) | None => None,
        }
    }
}

impl<H: Host> Drop for Held<'_, H> {
    #[inline]
    fn drop(&mut self) {
        self.place = None;
        self.slot.leave();
    }
}
