//! A pool: callers, leases, and one who unloads.

use super::{Arc, Note};
use crate::{
    pool::{Pool, Seat},
    sync::{AtomicUsize, Ordering},
};
use loom::thread;

/// How many sandboxes were made, and how many are there.
#[derive(Default)]
struct Tally {
    made: Note,
    alive: Note,
}

/// In a sandbox's place.
struct Payload {
    tally: Arc<Tally>,
    /// A step in which another thread may come.
    calls: AtomicUsize,
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.tally.alive.subtract(1);
    }
}

/// A pool and what is told of it. What each slot counts is who holds it.
struct Plugin {
    pool: Pool<Payload, Note>,
    tally: Arc<Tally>,
    /// Whether a lease is about to be given back.
    returning: Note,
}

impl Plugin {
    fn new(slots: usize) -> Arc<Self> {
        let pool = Pool::new(slots, Note::default);
        Arc::new(Self { pool, tally: Arc::default(), returning: Note::default() })
    }

    /// A call, in a sandbox that is made if there is none; alone in its slot. Returns whether it got one.
    fn call(&self) -> bool {
        let Some(mut held) = self.pool.hold() else {
            return false;
        };
        let (seat, holders) = held.sandbox().expect("a slot that is held has a seat");
        self.work(seat, holders);
        true
    }

    /// The same in a sandbox that is taken out.
    fn lease(&self) -> bool {
        self.lease_that(|_| ())
    }

    /// The same, with what happens to the sandbox before it is put back.
    fn lease_that(&self, end: impl FnOnce(&mut Seat<Payload>)) -> bool {
        let Some(held) = self.pool.hold() else {
            return false;
        };
        let (slot, mut seat) = self.pool.take_out(held);
        let holders = self.pool.counts_of(slot).expect("the slot is there");
        self.work(&mut seat, holders);
        end(&mut seat);
        self.returning.add(1);
        self.pool.put_back(slot, seat);
        true
    }

    fn work(&self, seat: &mut Seat<Payload>, holders: &Note) {
        assert_eq!(holders.add(1), 0, "nobody else is in the slot");
        let payload = seat.get_or_insert_with(|| {
            self.tally.made.add(1);
            self.tally.alive.add(1);
            Box::new(Payload { tally: Arc::clone(&self.tally), calls: AtomicUsize::new(0) })
        });
        payload.calls.fetch_add(1, Ordering::Relaxed);
        holders.subtract(1);
    }

    /// After the last use: nothing is in use, and what was closed has nothing.
    fn is_gone(&self) {
        assert!(!self.pool.is_in_use());
        assert_eq!(self.tally.alive.get(), 0, "no sandbox is kept");
        assert!(self.call(), "no slot is lost");
        assert_eq!(self.tally.alive.get(), 0, "nor made to stay");
    }
}

fn spawn(plugin: &Arc<Plugin>, work: impl FnOnce(&Plugin) + 'static) -> thread::JoinHandle<()> {
    let plugin = Arc::clone(plugin);
    thread::spawn(move || work(&plugin))
}

/// Two callers with two calls each and one who unloads, on one slot.
pub fn two_callers_and_one_who_unloads() {
    let plugin = Plugin::new(1);
    let callers = [(); 2].map(|()| {
        spawn(&plugin, |plugin| {
            plugin.call();
            plugin.call();
        })
    });
    plugin.pool.close();
    for caller in callers {
        caller.join().unwrap();
    }
    plugin.is_gone();
}

/// A lease, a caller and one who unloads, on one slot.
pub fn a_lease_a_caller_and_one_who_unloads() {
    let plugin = Plugin::new(1);
    let lease = spawn(&plugin, |plugin| {
        plugin.lease();
    });
    let caller = spawn(&plugin, |plugin| {
        plugin.call();
    });
    plugin.pool.close();
    lease.join().unwrap();
    caller.join().unwrap();
    plugin.is_gone();
}

/// A lease that is there already, given back while another calls and one unloads.
pub fn a_lease_given_back_to_a_plugin_that_is_unloaded() {
    let plugin = Plugin::new(1);
    assert!(plugin.call());
    let held = plugin.pool.hold().expect("the slot is free");
    let (slot, seat) = plugin.pool.take_out(held);
    assert!(seat.is_some(), "the sandbox of the call before");
    let caller = spawn(&plugin, |plugin| {
        let is_in_use = plugin.pool.is_in_use();
        assert!(is_in_use || plugin.returning.get() > 0, "a lease is a use");
        plugin.call();
    });
    let closer = spawn(&plugin, |plugin| plugin.pool.close());
    plugin.returning.add(1);
    plugin.pool.put_back(slot, seat);
    caller.join().unwrap();
    closer.join().unwrap();
    plugin.is_gone();
}

/// Two leases, of which one loses its sandbox, and one who unloads, on two slots.
pub fn two_leases_and_one_who_unloads() {
    let plugin = Plugin::new(2);
    // Whoever unloads has a slot for a moment, so either may find none.
    let lease = spawn(&plugin, |plugin| {
        plugin.lease();
    });
    let other = spawn(&plugin, |plugin| {
        plugin.lease_that(|seat| *seat = None);
    });
    plugin.pool.close();
    lease.join().unwrap();
    other.join().unwrap();
    plugin.is_gone();
}

/// Callers and a lease on two slots, and nobody unloads: what was made is there.
pub fn callers_and_a_lease_of_a_plugin_that_stays() {
    let plugin = Plugin::new(2);
    let lease = spawn(&plugin, |plugin| {
        plugin.lease();
    });
    let caller = spawn(&plugin, |plugin| {
        plugin.call();
    });
    plugin.call();
    lease.join().unwrap();
    caller.join().unwrap();
    assert!(!plugin.pool.is_in_use());
    let tally = Arc::clone(&plugin.tally);
    assert_eq!(tally.alive.get(), tally.made.get(), "no sandbox is lost");
    assert!((1..=2).contains(&tally.made.get()), "one for each slot");
    drop(plugin);
    assert_eq!(tally.alive.get(), 0);
}
