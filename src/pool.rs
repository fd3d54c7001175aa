//! The sandboxes of one plugin.
//!
//! A plugin has `max_instances` slots. A plain call locks one for its time; a lease takes the
//! sandbox out. A slot is only ever tried: if none is free, the call is refused as `Busy`.
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
    sync::{Arc, AtomicUsize, Ordering, TryGuard, TryMutex},
};
use alloc::boxed::Box;

/// The slots of one plugin.
pub(crate) struct Pool<H: Host> {
    slots: Box<[Slot<H>]>,
    /// How many sandboxes leases have.
    leased: AtomicUsize,
}

struct Slot<H: Host> {
    place: TryMutex<Place<H>>,
    counts: Arc<SlotCounts>,
}

/// What is in a slot.
pub(crate) enum Place<H: Host> {
    /// Nothing yet, or nothing any more: the next call makes a sandbox.
    Empty,
    Idle(Box<Sandbox<H>>),
    /// A lease has it.
    Out,
}

/// A slot held for the time of one call.
pub(crate) struct Held<'p, H: Host> {
    pub(crate) place: TryGuard<'p, Place<H>>,
    pub(crate) slot: usize,
    pub(crate) counts: &'p Arc<SlotCounts>,
}

impl<H: Host> Pool<H> {
    pub(crate) fn new(slots: usize, functions: usize) -> Self {
        let slot = |_| Slot {
            place: TryMutex::new(Place::Empty),
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
        self.slots.iter().enumerate().find_map(|(slot, Slot { place, counts })| {
            let place = place.try_lock()?;
            match *place {
                Place::Out => None,
                Place::Empty | Place::Idle(_) => Some(Held { place, slot, counts }),
            }
        })
    }

    /// Takes the sandbox out of a slot that is held, for a lease.
    pub(crate) fn take_out(&self, mut held: Held<'_, H>) -> Option<Box<Sandbox<H>>> {
        match core::mem::replace(&mut *held.place, Place::Out) {
            Place::Idle(sandbox) => {
                self.leased.fetch_add(1, Ordering::AcqRel);
                Some(sandbox)
            }
            other => {
                *held.place = other;
                None
            }
        }
    }

    /// Puts a leased sandbox back, or lets go of it.
    pub(crate) fn put_back(&self, slot: usize, sandbox: Option<Box<Sandbox<H>>>) {
        let Some(slot) = self.slots.get(slot) else {
            return;
        };
        let place = sandbox.map_or(Place::Empty, Place::Idle);
        // Whoever else locks the slot sees `Out` and lets go at once.
        *slot.place.lock() = place;
        self.leased.fetch_sub(1, Ordering::AcqRel);
    }

    /// Drops every sandbox that is not in use. Says whether all were.
    pub(crate) fn clear(&self) -> bool {
        let mut all = true;
        for slot in &self.slots {
            let emptied = slot.place.try_lock().is_some_and(|mut place| {
                if matches!(*place, Place::Idle(_)) {
                    *place = Place::Empty;
                }
                matches!(*place, Place::Empty)
            });
            all &= emptied;
        }
        all
    }

    /// Whether a call or lease is going on.
    pub(crate) fn is_in_use(&self) -> bool {
        self.leased.load(Ordering::Acquire) > 0
            || self.slots.iter().any(|slot| slot.place.is_locked())
    }
}
