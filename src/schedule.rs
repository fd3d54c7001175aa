//! When a running call stops to look at the clock.
//!
//! A metered call runs in slices of fuel. At the end of each it is suspended, which unwinds the
//! native stack; so the stack does not depend on what the guest does. Every few slices, on a slow
//! device after each, the clock is read, and how far a guest came meanwhile says how much fuel may
//! go by until the next look: fuel is a poor clock, but the speed of the last stretch is a good guess
//! of that of the next. A call that ends within its first slice reads no clock at all.

use crate::{Clock, host::HostError, stats::SlotCounts};

/// Fuel of one slice at most.
///
/// `memory.grow` and `table.grow` leave up to 192 bytes of native stack behind in wasmi 2.0.0 and
/// cost at least 255 fuel, so one slice leaves at most 30 KiB.
pub(crate) const SLICE_FUEL: u64 = 40_000;

/// The most fuel of a call that is not sliced although it is longer than a slice: about half a
/// millisecond on a server core.
///
/// Only a call without a timeout, in a module of which no operator leaves native stack behind: there
/// is nothing to look at between its slices. What is never stopped need not be able to go on, which
/// makes it cheaper by a tenth of a short call.
pub(crate) const MAX_WHOLE_FUEL: u64 = 1_000_000;

/// Fuel of the smallest slice a nested call gets, however little its caller's slice has left. With
/// the deepest chain of 16 it adds 15 × 3 KiB of native stack to the 30 KiB.
pub(crate) const MIN_NESTED_SLICE_FUEL: u64 = 4_000;

/// A clock, with what only a program that has one needs: without one, none of it is linked.
pub(crate) trait Timer: Send + Sync {
    /// Microseconds since a fixed point.
    fn now_us(&self) -> u64;

    /// Looks at the clock at the end of a slice, after `spent` fuel.
    fn end_slice(
        &self,
        pace: &mut Pace,
        spent: u64,
        interval_us: u64,
        counts: &SlotCounts,
    ) -> Result<(), HostError>;

    /// Books the time of a call that was timed `from` a reading and the fuel spent by then.
    fn finish(&self, pace: &Pace, from: (u64, u64), spent: u64, counts: &SlotCounts) -> u64;
}

impl<C: Clock> Timer for C {
    fn now_us(&self) -> u64 {
        Clock::now_us(self)
    }

    fn end_slice(
        &self,
        pace: &mut Pace,
        spent: u64,
        interval_us: u64,
        counts: &SlotCounts,
    ) -> Result<(), HostError> {
        pace.end_slice_at(Clock::now_us(self), spent, interval_us, counts)
    }

    fn finish(&self, pace: &Pace, from: (u64, u64), spent: u64, counts: &SlotCounts) -> u64 {
        pace.finish_timed(from, Clock::now_us(self), spent, counts)
    }
}

/// The timing of one call.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    pub(crate) slice_fuel: u64,
    max_slice_fuel: u64,
    timeout_us: u64,
    /// When the call must have ended; known once the clock has been read.
    deadline_us: Option<u64>,
    /// When the clock was first read, and the fuel spent by then. The time that a call was paused is
    /// added, so that it does not count as the call's.
    timed_from: Option<(u64, u64)>,
    /// The last reading, and the fuel spent by then, once there is a first one.
    last: (u64, u64),
    /// The fuel at which the clock is read next.
    look_at: u64,
    first: Option<First>,
}

impl Pace {
    /// Begins a call that may take `timeout_us` (0 = for ever) and must have ended by
    /// `outer_deadline_us`, with a first slice of `slice_fuel` and none over `max_slice_fuel`.
    #[inline]
    pub(crate) fn begin(
        &mut self,
        (slice_fuel, max_slice_fuel): (u64, u64),
        timeout_us: u64,
        outer_deadline_us: Option<u64>,
    ) {
        self.slice_fuel = slice_fuel;
        self.max_slice_fuel = max_slice_fuel;
        self.timeout_us = timeout_us;
        self.deadline_us = outer_deadline_us;
        self.timed_from = None;
        self.look_at = 0;
        self.first = None;
    }

    /// Times the call from its first instruction on.
    #[cold]
    pub(crate) fn start_timing(&mut self, clock: Option<&dyn Timer>, first: Option<First>) {
        self.first = first;
        if let Some(clock) = clock {
            self.read(clock.now_us(), 0);
        }
    }

    pub(crate) fn deadline_us(&self) -> Option<u64> {
        self.deadline_us
    }

    pub(crate) fn timeout_us(&self) -> u64 {
        self.timeout_us
    }

    /// What the clock said when it was last read.
    pub(crate) fn last_us(&self) -> u64 {
        self.last.0
    }

    /// Whether there is a deadline, known yet or not.
    #[inline]
    pub(crate) fn has_deadline(&self) -> bool {
        self.timeout_us > 0 || self.deadline_us.is_some()
    }

    /// Ends a slice, after `spent` fuel: reads the clock if it is time to, and says whether the call
    /// may go on. How far it came is kept in `counts`, for the calls that come after.
    #[inline]
    pub(crate) fn end_slice(
        &mut self,
        clock: Option<&dyn Timer>,
        spent: u64,
        interval_us: u64,
        counts: &SlotCounts,
    ) -> Result<(), HostError> {
        match clock {
            Some(clock) if spent >= self.look_at => {
                clock.end_slice(self, spent, interval_us, counts)
            }
            _ => Ok(()),
        }
    }

    fn end_slice_at(
        &mut self,
        now: u64,
        spent: u64,
        interval_us: u64,
        counts: &SlotCounts,
    ) -> Result<(), HostError> {
        let before = self.timed_from.is_some().then_some(self.last);
        self.note(now, spent);
        if let Some((at, fuel)) = before {
            let (us, fuel) = (now.saturating_sub(at), spent.saturating_sub(fuel));
            counts.stride.adapt(us, fuel, interval_us);
            self.slice_fuel = counts.stride.fuel().min(self.max_slice_fuel);
        }
        // Slices end somewhat before their last unit, so the one that is nearest counts.
        let stride = counts.stride.fuel().saturating_sub(self.slice_fuel / 2);
        self.look_at = spent.saturating_add(stride);
        self.in_time(now)
    }

    /// Reads the clock after `spent` fuel, and says whether the call may go on.
    pub(crate) fn check(&mut self, clock: Option<&dyn Timer>, spent: u64) -> Result<(), HostError> {
        match clock {
            Some(clock) => {
                let now = self.look(clock, spent);
                self.in_time(now)
            }
            None => Ok(()),
        }
    }

    /// Says that the call does not run from here on, until it is [resumed](Self::resume); returns
    /// when that is.
    pub(crate) fn pause(&mut self, clock: Option<&dyn Timer>, spent: u64) -> Option<u64> {
        clock.map(|clock| self.look(clock, spent))
    }

    /// Goes on with a call that was paused, if it ever ran; says whether it may.
    pub(crate) fn resume(
        &mut self,
        clock: Option<&dyn Timer>,
        spent: u64,
        paused_at: Option<u64>,
    ) -> Result<(), HostError> {
        let Some(clock) = clock else {
            return Ok(());
        };
        let now = self.look(clock, spent);
        if let Some((from, _)) = &mut self.timed_from
            && let Some(paused_at) = paused_at
        {
            *from = from.saturating_add(now.saturating_sub(paused_at));
        }
        self.in_time(now)
    }

    fn in_time(&self, now: u64) -> Result<(), HostError> {
        match self.deadline_us {
            Some(deadline) if now > deadline => Err(HostError::Deadline),
            _ => Ok(()),
        }
    }

    fn look(&mut self, clock: &dyn Timer, spent: u64) -> u64 {
        let now = clock.now_us();
        self.note(now, spent);
        now
    }

    fn note(&mut self, now: u64, spent: u64) {
        if self.timed_from.is_none() {
            self.read(now, spent);
        }
        self.last = (now, spent);
    }

    /// Takes the first reading. The timeout counts from here: how long the slice before it took is
    /// not known, and a guess that is too long would end a call before its time.
    fn read(&mut self, now: u64, spent: u64) {
        self.timed_from = Some((now, spent));
        self.last = (now, spent);
        if self.timeout_us > 0 {
            let own = now.saturating_add(self.timeout_us);
            self.deadline_us = Some(self.deadline_us.map_or(own, |outer| outer.min(own)));
        }
    }

    /// Counts `fuel` that was spent as if it had not been. How fast the rest was says little about later
    /// calls.
    pub(crate) fn forgive(&mut self, fuel: u64) {
        if let Some((_, from_fuel)) = &mut self.timed_from {
            *from_fuel = from_fuel.saturating_sub(fuel);
        }
        self.first.get_or_insert(First::Call);
    }

    /// Books the time of a call that spent `spent` fuel in all, and returns about how long it took,
    /// in microseconds, rounded up.
    #[inline]
    pub(crate) fn finish(&self, clock: Option<&dyn Timer>, spent: u64, counts: &SlotCounts) -> u64 {
        match (self.timed_from, clock) {
            (Some(from), Some(clock)) => clock.finish(self, from, spent, counts),
            _ => {
                counts.untimed_fuel.add(spent);
                counts.speed.us_of(spent)
            }
        }
    }

    #[cold]
    fn finish_timed(
        &self,
        (from_us, from_fuel): (u64, u64),
        now_us: u64,
        spent: u64,
        counts: &SlotCounts,
    ) -> u64 {
        let us = now_us.saturating_sub(from_us);
        let timed = match self.first {
            Some(First::Start) => &counts.start_us,
            Some(First::Call) | None => &counts.timed_us,
        };
        timed.add(us);
        counts.untimed_fuel.add(from_fuel);
        counts.timed_fuel.add(spent.saturating_sub(from_fuel));
        if self.first.is_none() {
            counts.speed.sample(spent.saturating_sub(from_fuel), us);
        }
        us.saturating_add(counts.speed.us_of(from_fuel))
    }
}

/// What runs first in a sandbox. Its time says nothing about later calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// The module's start function.
    Start,
    /// A call, if there is no start function.
    Call,
}
