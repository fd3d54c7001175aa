//! A pool: callers, leases, and one who reloads or unloads.

use super::{Arc, Note};
use crate::{
    pool::{Pool, Seat, Versioned},
    sync::{AtomicUsize, Ordering, has_given_up},
};
use loom::thread;

/// How many sandboxes were made, and how many are there.
#[derive(Default)]
struct Tally {
    made: Note,
    alive: Note,
    /// How many of the first version are there.
    old: Note,
}

const FIRST: usize = 1;
const SECOND: usize = 2;
/// In the place of a version, once the plugin is unloaded.
const NONE: usize = 0;

/// In a sandbox's place.
struct Payload {
    version: usize,
    tally: Arc<Tally>,
    /// Whether a call has had it that was to be its only one.
    is_used_up: bool,
    /// A step in which another thread may come.
    calls: AtomicUsize,
}

impl Payload {
    fn new(version: usize, tally: &Arc<Tally>) -> Box<Self> {
        tally.made.add(1);
        tally.alive.add(1);
        tally.old.add(usize::from(version == FIRST));
        let tally = Arc::clone(tally);
        Box::new(Self { version, tally, is_used_up: false, calls: AtomicUsize::new(0) })
    }
}

impl Versioned for Payload {
    fn version(&self) -> usize {
        self.version
    }

    fn is_ready(&self) -> bool {
        !self.is_used_up
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.tally.alive.subtract(1);
        self.tally.old.subtract(usize::from(self.version == FIRST));
    }
}

/// A pool and what is told of it. What each slot counts is who holds it.
struct Plugin {
    pool: Pool<Payload, Note>,
    tally: Arc<Tally>,
    /// The version of which sandboxes are made.
    current: AtomicUsize,
    /// Whether a reload has returned, for those who are told.
    reloaded: AtomicUsize,
    /// Whether a lease is about to be given back.
    returning: Note,
}

impl Plugin {
    fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self {
            pool: Pool::new(slots, FIRST, Note::default),
            tally: Arc::default(),
            current: AtomicUsize::new(FIRST),
            reloaded: AtomicUsize::new(0),
            returning: Note::default(),
        })
    }

    /// Unloads it, as the library does.
    fn unload(&self) {
        self.current.store(NONE, Ordering::Release);
        self.pool.close();
    }

    /// Reloads it, as the library does.
    fn reload(&self) {
        let draft = Payload::new(SECOND, &self.tally);
        self.current.store(SECOND, Ordering::Release);
        self.pool.call_version(SECOND, usize::MAX);
        self.pool.offer(draft, |_, _| ());
        self.pool.sweep();
        self.reloaded.store(1, Ordering::Release);
    }

    /// A call, in a sandbox that is made if there is none; alone in its slot. Returns whether it got one.
    fn call(&self) -> bool {
        let Some(mut held) = self.pool.hold() else {
            return false;
        };
        let (seat, holders) = held.sandbox().expect("a slot that is held has a seat");
        self.make_callable(seat);
        self.work(seat, holders);
        true
    }

    /// A call that is told of a reload that has returned before, and runs in no older version.
    fn call_late(&self) {
        let oldest = match self.reloaded.load(Ordering::Acquire) {
            0 => FIRST,
            _ => SECOND,
        };
        if let Some(mut held) = self.pool.hold() {
            let (seat, _) = held.sandbox().expect("a slot that is held has a seat");
            self.make_callable(seat);
            assert!(seat.as_ref().is_some_and(|payload| payload.version >= oldest));
        }
    }

    /// A call of one of no more callers than there are slots: it runs, if it has the patience.
    fn call_that_is_not_refused(&self) {
        has_given_up();
        assert!(self.call() || has_given_up(), "as many slots as callers");
    }

    /// A call of a plugin that is maintained: in a sandbox that is ready, if there is one, which it leaves
    /// used up. Returns whether it got a slot.
    fn call_once(&self) -> bool {
        let Some(mut held) = self.pool.hold_outlined(true) else {
            return false;
        };
        let (seat, holders) = held.sandbox().expect("a slot that is held has a seat");
        self.make_callable(seat);
        assert!(seat.as_ref().is_none_or(|payload| payload.calls.load(Ordering::Relaxed) == 0));
        self.work(seat, holders);
        if let Some(payload) = seat {
            payload.is_used_up = true;
        }
        true
    }

    /// The same of one of no more callers than there are slots.
    fn call_once_that_is_not_refused(&self) {
        has_given_up();
        assert!(self.call_once() || has_given_up(), "as many slots as callers");
    }

    /// Maintains it, as the library does: what is used up goes, and another takes a place.
    fn maintain(&self) {
        for slot in 0..self.pool.len() {
            self.pool.look_into(slot, |seat| {
                let version = self.pool.version();
                seat.take_if(|payload| !payload.is_ready() || payload.version != version)
            });
        }
        match self.current.load(Ordering::Acquire) {
            NONE => {}
            version => drop(self.pool.offer(Payload::new(version, &self.tally), |_, _| ())),
        }
    }

    fn make_callable(&self, seat: &mut Seat<Payload>) {
        let version = self.pool.version();
        if seat.as_ref().is_none_or(|payload| payload.version != version || payload.is_used_up) {
            *seat = None;
            *seat = match self.current.load(Ordering::Acquire) {
                NONE => None,
                version => Some(Payload::new(version, &self.tally)),
            };
        }
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
        self.make_callable(&mut seat);
        self.work(&mut seat, holders);
        end(&mut seat);
        self.returning.add(1);
        self.pool.put_back(slot, seat);
        true
    }

    fn work(&self, seat: &mut Seat<Payload>, holders: &Note) {
        assert_eq!(holders.add(1), 0, "nobody else is in the slot");
        if let Some(payload) = seat {
            payload.calls.fetch_add(1, Ordering::Relaxed);
        }
        holders.subtract(1);
    }

    /// After the last use: nothing is in use, and what was closed has nothing.
    fn is_gone(&self) {
        assert!(!self.pool.is_in_use());
        assert_eq!(self.tally.alive.get(), 0, "no sandbox is kept");
        assert!(self.call(), "no slot is lost");
        assert_eq!(self.tally.alive.get(), 0, "nor made to stay");
    }

    /// After the last use: nothing is in use, and of the old version nothing is left.
    fn is_reloaded(&self) {
        assert!(!self.pool.is_in_use());
        assert_eq!(self.tally.old.get(), 0, "no old sandbox is kept");
        assert!(self.call(), "no slot is lost");
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
    plugin.unload();
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
    plugin.unload();
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
    let closer = spawn(&plugin, |plugin| plugin.unload());
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
    plugin.unload();
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

/// Two callers on two slots and one who reloads: each gets a slot, and nothing old is left.
pub fn two_callers_and_one_who_reloads() {
    let plugin = Plugin::new(2);
    let callers = [(); 2].map(|()| spawn(&plugin, Plugin::call_that_is_not_refused));
    plugin.reload();
    for caller in callers {
        caller.join().unwrap();
    }
    plugin.is_reloaded();
}

/// One caller with two calls on one slot and one who reloads: no call is refused.
pub fn a_caller_and_one_who_reloads() {
    let plugin = Plugin::new(1);
    assert!(plugin.call());
    let caller = spawn(&plugin, |plugin| {
        plugin.call_that_is_not_refused();
        plugin.call_that_is_not_refused();
    });
    plugin.reload();
    caller.join().unwrap();
    plugin.is_reloaded();
}

/// A lease that was there before, a caller, and one who reloads, on two slots.
pub fn a_lease_a_caller_and_one_who_reloads() {
    let plugin = Plugin::new(2);
    let held = plugin.pool.hold().expect("the slot is free");
    let (slot, mut seat) = plugin.pool.take_out(held);
    plugin.make_callable(&mut seat);
    let caller = spawn(&plugin, Plugin::call_that_is_not_refused);
    let reloader = spawn(&plugin, Plugin::reload);
    assert_eq!(seat.as_ref().map(|payload| payload.version), Some(FIRST), "it stays");
    plugin.pool.put_back(slot, seat);
    caller.join().unwrap();
    reloader.join().unwrap();
    plugin.is_reloaded();
}

/// A lease and a caller on one slot, and one who reloads and then unloads.
pub fn a_lease_and_one_who_reloads_and_unloads() {
    let plugin = Plugin::new(1);
    let lease = spawn(&plugin, |plugin| {
        plugin.lease();
    });
    plugin.reload();
    plugin.unload();
    lease.join().unwrap();
    plugin.is_gone();
}

/// A caller and one who is told of a reload, on two slots that have old sandboxes.
pub fn one_who_is_told_of_a_reload() {
    let plugin = Plugin::new(2);
    assert!(plugin.call());
    let caller = spawn(&plugin, |plugin| {
        plugin.call();
    });
    let told = spawn(&plugin, |plugin| {
        plugin.call_late();
        plugin.call_late();
    });
    plugin.reload();
    caller.join().unwrap();
    told.join().unwrap();
    plugin.is_reloaded();
}

/// Two callers on two slots and one who maintains: each gets a slot, and a sandbox that nobody had.
pub fn two_callers_and_one_who_maintains() {
    let plugin = Plugin::new(2);
    assert!(plugin.call_once());
    let callers = [(); 2].map(|()| spawn(&plugin, Plugin::call_once_that_is_not_refused));
    plugin.maintain();
    for caller in callers {
        caller.join().unwrap();
    }
    assert!(!plugin.pool.is_in_use());
    assert!(plugin.tally.alive.get() <= 2, "no more than slots");
}

/// A caller, one who maintains, and one who reloads, on one slot: nothing old is left.
pub fn a_caller_one_who_maintains_and_one_who_reloads() {
    let plugin = Plugin::new(1);
    assert!(plugin.call_once());
    let caller = spawn(&plugin, Plugin::call_once_that_is_not_refused);
    let maintainer = spawn(&plugin, Plugin::maintain);
    plugin.reload();
    caller.join().unwrap();
    maintainer.join().unwrap();
    plugin.is_reloaded();
}

/// A caller, one who maintains, and one who unloads, on one slot: nothing is left.
pub fn a_caller_one_who_maintains_and_one_who_unloads() {
    let plugin = Plugin::new(1);
    assert!(plugin.call_once());
    let caller = spawn(&plugin, |plugin| {
        plugin.call_once();
    });
    let maintainer = spawn(&plugin, Plugin::maintain);
    plugin.unload();
    caller.join().unwrap();
    maintainer.join().unwrap();
    plugin.is_gone();
}

/// Two who maintain, and a lease that comes back used up, on two slots.
pub fn two_who_maintain_and_a_lease() {
    let plugin = Plugin::new(2);
    let lease = spawn(&plugin, |plugin| {
        plugin.lease_that(|seat| {
            if let Some(payload) = seat {
                payload.is_used_up = true;
            }
        });
    });
    let maintainer = spawn(&plugin, Plugin::maintain);
    plugin.maintain();
    lease.join().unwrap();
    maintainer.join().unwrap();
    assert!(!plugin.pool.is_in_use());
    assert!(plugin.tally.alive.get() <= 2, "no more than slots");
    assert!(plugin.call_once(), "no slot is lost");
}
