//! When a running call stops to look at the clock.
//!
//! A metered call runs in slices of fuel. At the end of each it is suspended, which unwinds the
//! native stack, and the clock is read; so neither a timeout nor the stack depends on what the guest
//! does. A call that ends within its first slice reads no clock at all.

use crate::{Clock, host::HostError, stats::SlotCounts};

/// Fuel of one slice.
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

/// The timing of one call.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    pub(crate) slice_fuel: u64,
    timeout_us: u64,
    /// When the call must have ended; known once the clock has been read.
    deadline_us: Option<u64>,
    /// When the clock was first read, and the fuel spent by then.
    timed_from: Option<(u64, u64)>,
    first: Option<First>,
}

impl Pace {
    /// Begins a call that may take `timeout_us` (0 = for ever).
    #[inline]
    pub(crate) fn new(slice_fuel: u64, timeout_us: u64) -> Self {
        Self { slice_fuel, timeout_us, deadline_us: None, timed_from: None, first: None }
    }

    /// Says when the call that led to this one must have ended.
    pub(crate) fn set_outer_deadline(&mut self, deadline_us: Option<u64>) {
        self.deadline_us = deadline_us;
    }

    /// Times the call from its first instruction on.
    #[cold]
    pub(crate) fn start_timing(&mut self, clock: Option<&dyn Clock>, first: Option<First>) {
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

    /// Reads the clock after `spent` fuel, and says whether the call may go on.
    pub(crate) fn check(&mut self, clock: Option<&dyn Clock>, spent: u64) -> Result<(), HostError> {
        let Some(clock) = clock else {
            return Ok(());
        };
        let now = clock.now_us();
        if self.timed_from.is_none() {
            self.read(now, spent);
        }
        match self.deadline_us {
            Some(deadline) if now > deadline => Err(HostError::Deadline),
            _ => Ok(()),
        }
    }

    /// Takes the first reading. The timeout counts from here: how long the slice before it took is
    /// not known, and a guess that is too long would end a call before its time.
    fn read(&mut self, now: u64, spent: u64) {
        self.timed_from = Some((now, spent));
        if self.timeout_us > 0 {
            let own = now.saturating_add(self.timeout_us);
            self.deadline_us = Some(self.deadline_us.map_or(own, |outer| outer.min(own)));
        }
    }

    /// Books the time of a call that spent `spent` fuel in all, and returns about how long it took,
    /// in microseconds, rounded up.
    #[inline]
    pub(crate) fn finish(&self, clock: Option<&dyn Clock>, spent: u64, counts: &SlotCounts) -> u64 {
        match (self.timed_from, clock) {
            (Some(from), Some(clock)) => self.finish_timed(from, clock.now_us(), spent, counts),
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
