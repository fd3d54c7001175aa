//! A slot of the C API's table of handles: users of a handle, old ones and new ones, and who releases it.

use super::Note;
use crate::slot::{Slot, Stale};
use loom::thread;
use std::sync::Arc;

/// A value that counts how many of its kind were dropped.
struct Counted(usize, Arc<Note>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.add(1);
    }
}

/// A slot with one value in it, of generation 1.
struct Bench {
    slot: Slot<Counted>,
    dropped: Arc<Note>,
    /// How many values have been in it.
    filled: Note,
}

impl Bench {
    fn new() -> loom::sync::Arc<Self> {
        let (dropped, slot) = (Arc::new(Note::default()), Slot::empty());
        let bench = loom::sync::Arc::new(Self { slot, dropped, filled: Note::default() });
        assert_eq!(bench.fill(), 1);
        bench
    }

    /// What the table does with a slot that is free.
    #[allow(unsafe_code)]
    fn fill(&self) -> u32 {
        let value = self.filled.add(1) + 1;
        // SAFETY: it is new, or whoever comes here has emptied it.
        unsafe { self.slot.fill(Counted(value, Arc::clone(&self.dropped))) }
    }

    /// Looks up a handle and uses what it stands for; whoever empties the slot puts something else in.
    #[allow(unsafe_code)]
    fn use_handle(&self, generation: u32) -> Result<(), Stale> {
        let entered = self.slot.enter(generation);
        if entered.is_ok() {
            // SAFETY: it was entered, and is left below.
            let value = unsafe { self.slot.get() };
            assert_eq!(value.0, generation as usize, "another value");
        }
        self.leave();
        entered
    }

    fn release(&self, generation: u32) -> Result<(), Stale> {
        let entered = self.slot.enter(generation);
        let released = entered.and_then(|()| match self.slot.release() {
            true => Ok(()),
            false => Err(Stale::Released),
        });
        self.leave();
        released
    }

    fn leave(&self) {
        if self.slot.leave() && self.filled.get() < 2 {
            self.fill();
        }
    }

    /// Once all are through: what was released is gone, and what came after it is there.
    fn judge(&self) {
        assert_eq!((self.filled.get(), self.dropped.get()), (2, 1));
        assert_eq!(self.use_handle(1), Err(Stale::Released));
        assert_eq!(self.use_handle(2), Ok(()));
        assert_eq!(self.release(2), Ok(()));
        assert_eq!((self.filled.get(), self.dropped.get()), (2, 2));
        assert_eq!(self.use_handle(2), Err(Stale::Released));
    }
}

/// Two use a handle while a third releases it: it stands for its value or is released, and the value goes once, with
/// the last.
pub fn two_who_use_a_handle_and_one_who_releases_it() {
    let bench = Bench::new();
    let users = [0, 1].map(|_| {
        let bench = bench.clone();
        thread::spawn(move || assert_ne!(bench.use_handle(1), Err(Stale::Unknown)))
    });
    assert_eq!(bench.release(1), Ok(()));
    for user in users {
        user.join().unwrap();
    }
    bench.judge();
}

/// Two release a handle: one of them does.
pub fn two_who_release_a_handle() {
    let bench = Bench::new();
    let other = bench.clone();
    let other = thread::spawn(move || other.release(1));
    let own = bench.release(1);
    let other = other.join().unwrap();
    assert!(own.is_ok() != other.is_ok());
    bench.judge();
}

/// One looks a handle up that another releases, again and again, while the slot gets something new.
pub fn an_old_handle_while_its_slot_gets_something_new() {
    let bench = Bench::new();
    let old = bench.clone();
    let old = thread::spawn(move || {
        let first = old.use_handle(1);
        let second = old.use_handle(1);
        assert!(first.is_ok() || second.is_err(), "it came back");
    });
    assert_eq!(bench.release(1), Ok(()));
    assert_eq!(bench.use_handle(1), Err(Stale::Released));
    old.join().unwrap();
    bench.judge();
}
