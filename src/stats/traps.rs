//! How calls were stopped, counted by kind.

use crate::{
    ErrorKind, TrapCode,
    sync::{Counter, Once},
};
use alloc::{boxed::Box, vec::Vec};

/// How often a plugin's guest was stopped in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrapStats {
    /// The kind of the error that the caller got.
    pub kind: ErrorKind,
    /// How the guest trapped, if it is [`ErrorKind::Trap`].
    pub trap_code: Option<TrapCode>,
    /// How often.
    pub count: u64,
}

/// A way in which a guest is stopped before it has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop {
    kind: ErrorKind,
    trap_code: Option<TrapCode>,
}

impl Stop {
    pub(crate) const fn of(kind: ErrorKind) -> Self {
        Self { kind, trap_code: None }
    }

    pub(crate) const fn trap(code: TrapCode) -> Self {
        Self { kind: ErrorKind::Trap, trap_code: Some(code) }
    }
}

/// Every way there is, in the order in which they are told. One that is missing would be counted as
/// the last.
const STOPS: [Stop; 17] = [
    Stop::trap(TrapCode::UnreachableCodeReached),
    Stop::trap(TrapCode::MemoryOutOfBounds),
    Stop::trap(TrapCode::TableOutOfBounds),
    Stop::trap(TrapCode::IndirectCallToNull),
    Stop::trap(TrapCode::IntegerDivisionByZero),
    Stop::trap(TrapCode::IntegerOverflow),
    Stop::trap(TrapCode::BadConversionToInteger),
    Stop::trap(TrapCode::StackOverflow),
    Stop::trap(TrapCode::BadSignature),
    Stop::trap(TrapCode::GrowthOperationLimited),
    Stop::trap(TrapCode::OutOfSystemMemory),
    Stop::of(ErrorKind::OutOfFuel),
    Stop::of(ErrorKind::Deadline),
    Stop::of(ErrorKind::Cancelled),
    Stop::of(ErrorKind::Denied),
    Stop::of(ErrorKind::InvalidModule),
    Stop::of(ErrorKind::Host),
];

/// The stops of one slot, by kind. Written by whoever holds the slot, read by anyone.
///
/// Behind a pointer: most slots never see one, and stopping a guest takes heap anyway.
#[derive(Debug, Default)]
pub(crate) struct TrapCounts(Once<Box<[Counter; STOPS.len()]>>);

impl TrapCounts {
    #[cold]
    pub(crate) fn add(&self, stop: Stop) {
        let at = STOPS.iter().position(|other| *other == stop).unwrap_or(STOPS.len() - 1);
        if let Some(count) = self.0.call_once(Box::default).get(at) {
            count.add(1);
        }
    }

    /// Takes in what was counted elsewhere.
    pub(super) fn take(&self, other: &Self) {
        if let Some(counted) = other.0.get() {
            for (count, counted) in self.0.call_once(Box::default).iter().zip(&**counted) {
                count.add(counted.get());
            }
        }
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        self.0.get().into_iter().flat_map(|counts| counts.iter().map(Counter::get))
    }

    /// How often a guest was stopped, in whatever way.
    pub(crate) fn total(&self) -> u64 {
        self.counts().sum()
    }
}

/// Adds up the stops of all slots; those that never happened are left out.
pub(crate) fn trap_totals<'a>(slots: impl Iterator<Item = &'a TrapCounts>) -> Vec<TrapStats> {
    let mut sums = [0_u64; STOPS.len()];
    for slot in slots {
        for (sum, count) in sums.iter_mut().zip(slot.counts()) {
            *sum = sum.saturating_add(count);
        }
    }
    let counted = STOPS.iter().zip(sums).filter(|(_, count)| *count > 0);
    counted
        .map(|(Stop { kind, trap_code }, count)| TrapStats {
            kind: *kind,
            trap_code: *trap_code,
            count,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_stop_is_counted_apart_and_told_in_order() {
        let (one, other) = (TrapCounts::default(), TrapCounts::default());
        for (times, stop) in (1..).zip(STOPS) {
            (0..times).for_each(|_| one.add(stop));
            other.add(stop);
        }
        let told = trap_totals([&one, &other].into_iter());
        let expected = (2..).zip(STOPS).map(|(count, Stop { kind, trap_code })| TrapStats {
            kind,
            trap_code,
            count,
        });
        assert_eq!(told, expected.collect::<Vec<_>>());
        assert_eq!((one.total(), other.total()), (17 * 18 / 2, 17));
    }

    #[test]
    fn every_trap_code_has_a_count() {
        // The codes count up from 1, so the table has them all if it has as many as the last says.
        let codes: Vec<_> = STOPS.iter().filter_map(|stop| stop.trap_code).collect();
        let numbers: Vec<_> = codes.iter().map(|code| code.code()).collect();
        assert_eq!(numbers, (1..=TrapCode::OutOfSystemMemory.code()).collect::<Vec<_>>());
    }
}
