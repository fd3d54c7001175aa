//! How often the calls of a slot look at the clock: as often as their speed so far demands.

use crate::sync::Counter;

/// Fuel between two looks, where nothing is known yet.
const FIRST_STRIDE_FUEL: u64 = 1_000;
/// Fuel between two looks at least.
const MIN_STRIDE_FUEL: u64 = 100;
/// Fuel between two looks at most: more would save less than a percent.
const MAX_STRIDE_FUEL: u64 = 160_000;
/// Fuel between two looks at most, for each microsecond of the interval. A guest that was fast may
/// turn slow; hardly one is slower than this on a core for which the most is in question.
const MAX_STRIDE_FUEL_PER_US: u64 = 16;
/// How many looks there should be in one interval.
const LOOKS_PER_INTERVAL: u64 = 8;

/// How many calls of a host function go by between two that are timed, at most; one less than a power
/// of two.
const MAX_UNWATCHED: u64 = 127;

/// How much fuel goes by in a slot between two looks at the clock.
#[derive(Debug)]
pub(crate) struct Stride(Counter);

impl Default for Stride {
    fn default() -> Self {
        Self(Counter::new(FIRST_STRIDE_FUEL))
    }
}

impl Stride {
    #[inline]
    pub(crate) fn fuel(&self) -> u64 {
        self.0.get()
    }

    /// Takes in that `fuel` took `us`, where deadlines are to be noticed within `interval_us`.
    pub(crate) fn adapt(&self, us: u64, fuel: u64, interval_us: u64) {
        self.0.set(next_stride(self.0.get(), us, fuel, interval_us));
    }
}

/// Which calls of one host function are timed.
#[derive(Debug, Default)]
pub(crate) struct Watch(Counter);

impl Watch {
    /// Whether the call is timed before which there were `calls`.
    #[inline]
    pub(crate) fn is_due(&self, calls: u64) -> bool {
        calls & self.0.get() == 0
    }

    /// Takes in that a call took `us`, where deadlines are to be noticed within `interval_us`.
    pub(crate) fn adapt(&self, us: u64, interval_us: u64) {
        self.0.set(next_mask(self.0.get(), us, interval_us));
    }
}

/// How much fuel may go by until the next look, after `fuel` took `us`.
fn next_stride(stride: u64, us: u64, fuel: u64, interval_us: u64) -> u64 {
    let target_us = (interval_us / LOOKS_PER_INTERVAL).max(1);
    let max = interval_us.saturating_mul(MAX_STRIDE_FUEL_PER_US);
    let max = max.clamp(MIN_STRIDE_FUEL, MAX_STRIDE_FUEL);
    let next = if us > target_us {
        // What was spent, not what was meant: one block or one host call may have been longer.
        let fuel = u128::from(fuel) * u128::from(target_us) / u128::from(us);
        u64::try_from(fuel).unwrap_or(u64::MAX).min(stride)
    } else if us <= target_us / 2 {
        stride.saturating_mul(2)
    } else {
        stride
    };
    next.clamp(MIN_STRIDE_FUEL, max)
}

/// Which calls of a host function are timed after one that took `us`: those whose number has none of
/// these bits.
fn next_mask(mask: u64, us: u64, interval_us: u64) -> u64 {
    match us.saturating_mul(MAX_UNWATCHED + 1) <= interval_us {
        true => (mask << 1 | 1).min(MAX_UNWATCHED),
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// How long the looks of a guest lie apart that runs at these speeds, one after another.
    fn gaps(speeds: &[u64], interval_us: u64) -> impl Iterator<Item = u64> {
        let mut stride = FIRST_STRIDE_FUEL;
        speeds.iter().map(move |fuel_per_us| {
            let (fuel, us) = (stride, stride / fuel_per_us);
            stride = next_stride(stride, us, fuel, interval_us);
            us
        })
    }

    proptest! {
        #[test]
        fn a_guest_of_any_speed_is_looked_at_within_the_interval(
            interval_us in 1_000..1_000_000_u64,
            fuel_per_us in 1..30_000_u64,
        ) {
            let speeds = [fuel_per_us; 40];
            let gaps: Vec<_> = gaps(&speeds, interval_us).collect();
            let worst = gaps.iter().max();
            prop_assert!(worst <= Some(&interval_us), "{gaps:?}");
            // And not too often, once its speed is known.
            let last = gaps[39];
            let most = MAX_STRIDE_FUEL.min(interval_us * MAX_STRIDE_FUEL_PER_US) / fuel_per_us;
            prop_assert!(last >= most.min(interval_us / 33), "{gaps:?}");
        }

        #[test]
        fn a_guest_that_turns_slow_is_looked_at_within_the_interval(
            interval_us in 1_000..1_000_000_u64,
            speeds in prop::collection::vec(MAX_STRIDE_FUEL_PER_US..30_000, 1..100),
        ) {
            let worst = gaps(&speeds, interval_us).max();
            prop_assert!(worst <= Some(interval_us), "{worst:?}");
        }

        #[test]
        fn strides_never_overflow(stride: u64, us: u64, fuel: u64, interval_us: u64) {
            let next = next_stride(stride, us, fuel, interval_us);
            prop_assert!((MIN_STRIDE_FUEL..=MAX_STRIDE_FUEL).contains(&next));
            prop_assert!(next_mask(fuel & MAX_UNWATCHED, us, interval_us) <= MAX_UNWATCHED);
        }
    }

    #[test]
    fn a_host_function_is_timed_ever_less_often_while_it_is_quick_and_always_once_it_is_slow() {
        let mut mask = 0;
        let masks: Vec<_> = [0, 1, 2, 1, 78, 78, 0, 1, 79]
            .into_iter()
            .map(|us| {
                mask = next_mask(mask, us, 10_000);
                mask
            })
            .collect();
        assert_eq!(masks, [1, 3, 7, 15, 31, 63, 127, 127, 0]);
    }
}
