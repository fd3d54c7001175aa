//! Calls through a pool whose slots have cells, and others who cancel them.

use super::{Arc, Note};
use crate::{
    cancel::{CancelCell, CancelToken},
    pool::{Pool, Versioned},
};
use loom::thread;

type Cell = crate::sync::Arc<CancelCell>;

/// What a slot counts, of which only the cell is needed here.
#[derive(Default)]
struct Counts {
    cancel: Cell,
}

/// Sandboxes need nothing here.
struct Nothing;

impl Versioned for Nothing {
    fn version(&self) -> usize {
        1
    }

    fn is_ready(&self) -> bool {
        true
    }
}

type Slots = Pool<Nothing, Counts>;

struct Plugin {
    slots: Slots,
    /// Whether what cancels has returned.
    cancelled: Note,
    /// How many calls saw that they are cancelled.
    seen: Note,
}

impl Plugin {
    fn new(slots: usize) -> Arc<Self> {
        let slots = Slots::new(slots, 1, Counts::default);
        Arc::new(Self { slots, cancelled: Note::default(), seen: Note::default() })
    }

    /// A call in a slot: returns whether it was cancelled; nothing if no slot is free.
    fn call(&self) -> Option<bool> {
        let mut held = self.slots.hold()?;
        let (_, counts) = held.sandbox().expect("a slot that is held has a seat");
        Some(run(&counts.cancel))
    }

    /// A call that may be cancelled if it begins before what cancels has returned, and not later.
    fn call_amid_cancelling(&self) {
        let Some(mut held) = self.slots.hold() else {
            return;
        };
        let (_, counts) = held.sandbox().expect("a slot that is held has a seat");
        let is_late = self.cancelled.get() > 0;
        if run(&counts.cancel) {
            assert!(!is_late, "calls that begin later are not concerned");
            self.seen.add(1);
        }
    }

    /// Every call that goes on, as the library does it.
    fn cancel_calls(&self) -> usize {
        let hits = self.slots.counts().filter(|counts| counts.cancel.cancel_running()).count();
        self.cancelled.add(1);
        hits
    }
}

fn run(cell: &Cell) -> bool {
    cell.begin();
    let early = cell.is_cancelled();
    let late = cell.is_cancelled();
    assert!(late || !early, "nothing takes a cancellation back");
    cell.end();
    late
}

/// A call that is held, a token of it in use elsewhere, and another caller on the same slot.
pub fn the_token_of_a_call_and_the_next_caller() {
    let plugin = Plugin::new(1);
    let mut held = plugin.slots.hold().expect("the slot is free");
    let (_, counts) = held.sandbox().expect("a slot that is held has a seat");
    let token = CancelToken::new(Cell::clone(&counts.cancel));
    let canceller = thread::spawn(move || token.cancel());
    let next = Arc::clone(&plugin);
    let caller = thread::spawn(move || {
        for _ in 0..2 {
            assert_ne!(next.call(), Some(true), "the token is not its own");
        }
    });
    let is_seen = run(&counts.cancel);
    drop(held);
    let is_hit = canceller.join().unwrap();
    caller.join().unwrap();
    assert!(is_hit || !is_seen);
    assert_eq!(plugin.call(), Some(false));
}

/// The same with a lease, whose next call the token is of and which may never come.
fn leased(is_called: bool) {
    let plugin = Plugin::new(1);
    let held = plugin.slots.hold().expect("the slot is free");
    let (slot, seat) = plugin.slots.take_out(held);
    let cell = Cell::clone(&plugin.slots.counts_of(slot).expect("the slot is there").cancel);
    let token = CancelToken::new(Cell::clone(&cell));
    let canceller = thread::spawn(move || token.cancel());
    let next = Arc::clone(&plugin);
    let caller = thread::spawn(move || {
        for _ in 0..2 {
            assert_ne!(next.call(), Some(true), "the token is not its own");
        }
    });
    let is_seen = is_called && run(&cell);
    // The library ends the call that never came before it gives the slot back.
    cell.end();
    plugin.slots.put_back(slot, seat);
    let is_hit = canceller.join().unwrap();
    caller.join().unwrap();
    assert!(is_hit || !is_seen);
    assert_eq!(plugin.call(), Some(false));
}

/// A lease that runs a call, a token of that call, and a caller who waits for the slot.
pub fn the_token_of_a_lease_and_the_next_caller() {
    leased(true);
}

/// A lease that runs none.
pub fn the_token_of_a_lease_that_never_calls() {
    leased(false);
}

/// Two callers, and one who cancels the calls of the plugin, on two slots.
pub fn two_callers_and_one_who_cancels_them() {
    let plugin = Plugin::new(2);
    let callers = [(); 2].map(|()| {
        let plugin = Arc::clone(&plugin);
        thread::spawn(move || plugin.call_amid_cancelling())
    });
    let hits = plugin.cancel_calls();
    plugin.call_amid_cancelling();
    for caller in callers {
        caller.join().unwrap();
    }
    assert!(plugin.seen.get() <= hits, "each was counted");
    assert_eq!(plugin.call(), Some(false), "nothing is left of it");
}

/// One who cancels the calls of a plugin and unloads it, and a caller with two calls on one slot.
pub fn a_caller_and_one_who_cancels_and_unloads() {
    let plugin = Plugin::new(1);
    let others = [(); 2].map(|()| {
        let plugin = Arc::clone(&plugin);
        thread::spawn(move || plugin.call_amid_cancelling())
    });
    let hits = plugin.cancel_calls();
    plugin.slots.close();
    for other in others {
        other.join().unwrap();
    }
    assert!(plugin.seen.get() <= hits, "each was counted");
    assert_eq!(plugin.call(), Some(false), "nothing is left of it");
}
