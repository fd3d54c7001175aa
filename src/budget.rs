//! The one budget that guest and host work share.

use crate::host::HostError;

/// What a call may still spend.
///
/// While the guest runs, the interpreter holds the current slice and counts it down by itself; the
/// meter holds the rest. For the time of a host function the slice is handed to the meter, so that
/// the host charges against the whole of what is left.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: u64,
    rest: u64,
    slice: u64,
    metered: bool,
}

impl Meter {
    pub(crate) fn new(metered: bool) -> Self {
        Self { limit: 0, rest: 0, slice: 0, metered }
    }

    pub(crate) fn is_metered(&self) -> bool {
        self.metered
    }

    /// Begins a call with `limit` fuel and returns its first slice.
    #[inline]
    pub(crate) fn begin(&mut self, limit: u64, slice: u64) -> u64 {
        let first = slice.min(limit);
        self.limit = limit;
        self.rest = limit - first;
        first
    }

    /// Returns the next slice of a guest that stopped with `left` in hand and cannot go on with less
    /// than `required`; nothing if the call has not that much.
    #[inline]
    pub(crate) fn next_slice(&mut self, left: u64, slice: u64, required: u64) -> Option<u64> {
        let available = left.saturating_add(self.rest);
        if required > available {
            return None;
        }
        let next = slice.max(required).min(available);
        self.rest = available - next;
        Some(next)
    }

    /// Lets the call spend `fuel` more.
    pub(crate) fn allow(&mut self, fuel: u64) {
        self.limit = self.limit.saturating_add(fuel);
        self.rest = self.rest.saturating_add(fuel);
    }

    /// Counts `fuel` that was spent as if it had not been.
    pub(crate) fn forgive(&mut self, fuel: u64) {
        self.limit = self.limit.saturating_sub(fuel);
    }

    /// Returns what has been charged so far, when the guest has `left` of its slice.
    #[inline]
    pub(crate) fn spent(&self, left: u64) -> u64 {
        self.limit.saturating_sub(self.rest).saturating_sub(left)
    }

    /// Takes over the slice when a host function begins, and charges `fuel` for that, or nothing at
    /// all if it does not fit.
    #[inline]
    pub(crate) fn open(&mut self, slice: u64, fuel: u64) -> Result<(), HostError> {
        match slice.checked_sub(fuel) {
            Some(left) => {
                self.slice = left;
                Ok(())
            }
            None => {
                self.slice = slice;
                self.charge_rest(fuel)
            }
        }
    }

    /// Gives back what is left of the slice when a host function ends.
    #[inline]
    pub(crate) fn close(&mut self) -> u64 {
        self.slice
    }

    /// What a host function may still charge.
    #[inline]
    pub(crate) fn left(&self) -> u64 {
        match self.metered {
            true => self.slice.saturating_add(self.rest),
            false => u64::MAX,
        }
    }

    /// What is left besides the slice.
    #[inline]
    pub(crate) fn rest(&self) -> u64 {
        self.rest
    }

    /// What is left of the slice.
    #[inline]
    pub(crate) fn slice_left(&self) -> u64 {
        self.slice
    }

    /// Charges `fuel`, or nothing at all if it does not fit.
    #[inline]
    pub(crate) fn charge(&mut self, fuel: u64) -> Result<(), HostError> {
        if let Some(slice) = self.slice.checked_sub(fuel) {
            self.slice = slice;
            return Ok(());
        }
        self.charge_rest(fuel)
    }

    #[cold]
    fn charge_rest(&mut self, fuel: u64) -> Result<(), HostError> {
        if !self.metered {
            return Ok(());
        }
        let over = fuel - self.slice;
        self.rest = self.rest.checked_sub(over).ok_or(HostError::OutOfFuel)?;
        self.slice = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Work {
        Guest(u64),
        /// What a host function costs at its beginning, and later.
        Host(u64, u64),
    }

    fn work() -> impl Strategy<Value = Work> {
        prop_oneof![
            (0..500_u64).prop_map(Work::Guest),
            (0..300_u64, 0..300_u64).prop_map(|(base, more)| Work::Host(base, more)),
        ]
    }

    /// Runs `works` on a meter sliced by `slice`, as the executor does; returns what was charged and
    /// whether everything was done.
    fn run(limit: u64, slice: u64, works: &[Work]) -> (u64, bool) {
        let mut meter = Meter::new(true);
        let mut store = meter.begin(limit, slice);
        for work in works {
            match *work {
                Work::Guest(fuel) => {
                    if fuel > store {
                        match meter.next_slice(store, slice, fuel) {
                            Some(next) => store = next,
                            None => return (meter.spent(store), false),
                        }
                    }
                    store -= fuel;
                }
                Work::Host(base, more) => {
                    let charged = meter.open(store, base).and_then(|()| meter.charge(more));
                    store = meter.close();
                    if charged.is_err() {
                        return (meter.spent(store), false);
                    }
                }
            }
        }
        (meter.spent(store), true)
    }

    proptest! {
        #[test]
        fn slices_never_change_what_a_call_may_spend(
            limit in 0..5_000_u64,
            slice in 1..600_u64,
            works in prop::collection::vec(work(), 0..30),
        ) {
            let mut spent = 0;
            let mut done = true;
            let charges = works.iter().flat_map(|work| match *work {
                Work::Guest(fuel) => [fuel, 0],
                Work::Host(base, more) => [base, more],
            });
            for fuel in charges {
                if spent + fuel > limit {
                    done = false;
                    break;
                }
                spent += fuel;
            }
            prop_assert_eq!(run(limit, slice, &works), (spent, done));
        }
    }
}
