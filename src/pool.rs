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
//! **Maintaining** is for plugins with `min_instances`: who leaves a sandbox that is used up leaves it in
//! its slot, and the next prefers a slot whose sandbox is ready. Whoever maintains the plugin takes away
//! what is used up, and offers what it made beside the slots. It holds none for longer than a look.
//!
//! **What a reset clears.** A reset drops the store and makes a new one, since globals that are not
//! exported cannot be set from outside. So everything the guest can see is as the module says:
//! linear memories, tables, globals, dropped data and element segments, references of the host's;
//! and the start function has run again. What stays is the plugin's: its statistics, its fuel
//! budget, and whatever the guest wrote through host functions.

use crate::sync::{Arc, AtomicUsize, Ordering, PATIENCE, TryGuard, TryMutex, Uses, fence, relax};
use alloc::boxed::Box;

/// What belongs to one version of a plugin.
pub(crate) trait Versioned {
    /// The number of its version.
    fn version(&self) -> usize;

    /// Whether a call may run in it.
    fn is_ready(&self) -> bool;
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
    /// How many are going through the slots, and hold each for a moment.
    sweeping: AtomicUsize,
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
            sweeping: AtomicUsize::new(0),
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
        let (mut tries, mut ended) = (0, 0);
        loop {
            let held = self.free().next();
            if held.is_some() {
                return held;
            }
            // Not all of the loop: what an outlined function returns is not in registers.
            ended = self.look_again(tries, ended)?;
            tries += 1;
        }
    }

    /// As [`hold`](Self::hold); the first free slot that has a sandbox that is ready, if one has and
    /// `wants_ready`.
    #[cold]
    #[inline(never)]
    pub(crate) fn hold_outlined(&self, mut wants_ready: bool) -> Option<Held<'_, S, C>> {
        let (mut tries, mut ended) = (0, 0);
        loop {
            let held = self.free().find(|held| !wants_ready || held.is_ready());
            if held.is_some() {
                return held;
            }
            if !core::mem::take(&mut wants_ready) {
                ended = self.look_again(tries, ended)?;
                tries += 1;
            }
        }
    }

    /// After no slot was found for so many times, returns how many uses have ended if that may be so by
    /// chance: until all were in use at one and the same time. They were not if a use has `ended` since
    /// the time before, or if somebody who sweeps has a slot for a moment.
    #[cold]
    #[inline(never)]
    fn look_again(&self, tries: usize, ended: usize) -> Option<usize> {
        fence(Ordering::SeqCst);
        let is_swept = self.sweeping.fetch_add(0, Ordering::AcqRel) > 0;
        // A sweep that was over before has ended a use.
        let now = self.ended_uses();
        let is_chance = tries == 0 || is_swept || now != ended;
        (tries < PATIENCE && is_chance).then(|| {
            relax();
            now
        })
    }

    fn ended_uses(&self) -> usize {
        self.slots.iter().fold(0, |sum, slot| sum.wrapping_add(slot.uses.ended()))
    }

    /// The free slots, each held until it is let go of. One at a time: whoever holds no more than one looks
    /// to others like one call.
    #[inline]
    fn free(&self) -> impl Iterator<Item = Held<'_, S, C>> {
        let slots = self.slots.iter().take(self.len()).enumerate();
        slots.filter_map(|(at, slot)| self.hold_slot(at, slot))
    }

    #[inline]
    fn hold_slot<'p>(&'p self, at: usize, slot: &'p Slot<S, C>) -> Option<Held<'p, S, C>> {
        let place = slot.place.try_lock()?;
        match *place {
            Place::Out => None,
            Place::Here(_) => Some(Held { pool: self, place: Some(place), slot, at }),
        }
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

    /// Makes another version the one that is called, in the first `len` slots.
    pub(crate) fn call_version(&self, version: usize, len: usize) {
        self.len.store(len.min(self.slots.len()), Ordering::Relaxed);
        self.version.store(version, Ordering::Release);
    }

    /// Lets go of every sandbox of another version than the one that is called: at once if it is free,
    /// else with its last use.
    pub(crate) fn sweep(&self) {
        self.begin_sweep();
        for slot in &self.slots {
            slot.uses.close();
            self.empty(slot);
        }
        self.end_sweep();
    }

    /// Puts a sandbox in the first slot that is free and has none that is ready, if there is one and the
    /// sandbox is of the version that is called; returns whether it did. `adopt` gets what counts there.
    pub(crate) fn offer(&self, sandbox: Box<S>, adopt: impl FnOnce(&mut S, &Arc<C>)) -> bool {
        self.begin_sweep();
        let lacking = self.free().find(|held| !held.is_ready());
        // Under the slot: who makes another version the one that is called asks for it to be emptied later.
        let lacking = lacking.filter(|_| sandbox.version() == self.version());
        let is_taken = lacking.is_some();
        let older = lacking.and_then(|mut held| self.put(&mut held, sandbox, adopt));
        self.end_sweep();
        drop(older);
        is_taken
    }

    /// Looks into a slot if it is free, for a moment. `look` gets what is there, and may take it out; it is
    /// dropped when the slot is free again.
    pub(crate) fn look_into(&self, slot: usize, look: impl FnOnce(&mut Seat<S>) -> Seat<S>) {
        let Some(place) = self.slots.get(slot) else {
            return;
        };
        self.begin_sweep();
        let taken = self
            .hold_slot(slot, place)
            .and_then(|mut held| held.sandbox().and_then(|(seat, _)| look(seat)));
        self.end_sweep();
        drop(taken);
    }

    /// Says that slots are held for a moment from here on. Whoever finds one held sees that.
    fn begin_sweep(&self) {
        self.sweeping.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }

    fn end_sweep(&self) {
        self.sweeping.fetch_sub(1, Ordering::AcqRel);
    }

    /// Puts a sandbox of the version that is called in a slot that is held; returns the one before.
    pub(crate) fn put(
        &self,
        held: &mut Held<'_, S, C>,
        mut sandbox: Box<S>,
        adopt: impl FnOnce(&mut S, &Arc<C>),
    ) -> Seat<S> {
        let (seat, counts) = held.sandbox()?;
        adopt(&mut sandbox, counts);
        seat.replace(sandbox)
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
    #[inline(never)]
    fn empty(&self, slot: &Slot<S, C>) {
        // Whoever has it instead ends a use later.
        while let Some(mut place) = slot.place.try_lock() {
            let Place::Here(seat) = &mut *place else {
                return;
            };
            // Before the look at the version: who reloads after it asks again.
            slot.uses.open();
            let older = seat.take_if(|sandbox| sandbox.version() != self.version());
            // The slot is free before the sandbox is gone, which takes longer.
            drop(place);
            drop(older);
            if !slot.uses.end() {
                return;
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
    /// What is counted in the slot.
    pub(crate) fn counts(&self) -> &'p Arc<C> {
        &self.slot.counts
    }

    /// Whether there is a sandbox of the version that is called in which a call may run.
    fn is_ready(&self) -> bool {
        match self.place.as_deref() {
            Some(Place::Here(Some(sandbox))) => {
                sandbox.version() == self.pool.version() && sandbox.is_ready()
            }
            _ => false,
        }
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
