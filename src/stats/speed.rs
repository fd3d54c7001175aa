//! How fast a guest runs, as the calls that were timed tell.

use crate::sync::Counter;

/// What a microsecond of guest code costs before anything was sampled: about right for a server
/// core with tail-call dispatch (`examples/calibrate.rs`).
const NOMINAL_FUEL_PER_US: u64 = 3_000;

/// The bits of a fixed-point number that stand for less than one.
const FRACTION_BITS: u32 = 32;

/// The speed of one slot's calls. Written by whoever holds the slot, read by anyone.
#[derive(Debug)]
pub(crate) struct Speed {
    /// Fuel and microseconds of what was timed and tells how fast the guest runs.
    sampled_fuel: Counter,
    sampled_us: Counter,
    /// Microseconds for one unit of fuel, in fixed point, so that a call that was not timed is
    /// judged by a multiplication.
    us_per_fuel: Counter,
    /// The most fuel that takes a microsecond at most, so that short calls, of which there are most,
    /// are judged by a comparison.
    fuel_in_a_us: Counter,
}

impl Default for Speed {
    fn default() -> Self {
        let us_per_fuel = (1 << FRACTION_BITS) / NOMINAL_FUEL_PER_US;
        Self {
            sampled_fuel: Counter::default(),
            sampled_us: Counter::default(),
            us_per_fuel: Counter::new(us_per_fuel),
            fuel_in_a_us: Counter::new(fuel_in_a_us(us_per_fuel)),
        }
    }
}

impl Speed {
    /// Takes in that `fuel` took `us`.
    pub(crate) fn sample(&self, fuel: u64, us: u64) {
        self.sampled_fuel.add(fuel);
        self.sampled_us.add(us);
        let (fuel, us) = self.sampled();
        if us > 0 {
            let us = u128::from(us) << FRACTION_BITS;
            let us_per_fuel = us.checked_div(u128::from(fuel)).map_or(u64::MAX, saturate);
            self.us_per_fuel.set(us_per_fuel);
            self.fuel_in_a_us.set(fuel_in_a_us(us_per_fuel));
        }
    }

    /// About how many microseconds `fuel` takes, rounded up; at most 2^32, over an hour.
    #[inline]
    pub(crate) fn us_of(&self, fuel: u64) -> u64 {
        if fuel <= self.fuel_in_a_us.get() {
            return u64::from(fuel > 0 && self.us_per_fuel.get() > 0);
        }
        fuel.saturating_mul(self.us_per_fuel.get()).div_ceil(1 << FRACTION_BITS)
    }

    /// Fuel and microseconds of all samples.
    pub(crate) fn sampled(&self) -> (u64, u64) {
        (self.sampled_fuel.get(), self.sampled_us.get())
    }
}

/// The most fuel that takes a microsecond at most.
fn fuel_in_a_us(us_per_fuel: u64) -> u64 {
    (1_u64 << FRACTION_BITS).checked_div(us_per_fuel).unwrap_or(u64::MAX)
}

/// How long `fuel` takes where `sampled_fuel` took `sampled_us`, in microseconds.
pub(crate) fn estimate_us(fuel: u64, (sampled_fuel, sampled_us): (u64, u64)) -> u64 {
    let us = u128::from(fuel) * u128::from(sampled_us);
    match us.checked_div(u128::from(sampled_fuel)) {
        Some(us) if sampled_us > 0 => saturate(us),
        _ => fuel / NOMINAL_FUEL_PER_US,
    }
}

fn saturate(n: u128) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn before_any_sample_the_speed_is_the_nominal_one() {
        let speed = Speed::default();
        let us = [0, 1, 2_999, 3_000, 3_002, 30_000].map(|fuel| speed.us_of(fuel));
        assert_eq!(us, [0, 1, 1, 1, 2, 10]);
    }

    #[test]
    fn a_sample_too_short_for_the_clock_leaves_the_speed_as_it_was() {
        let speed = Speed::default();
        speed.sample(100, 0);
        assert_eq!(speed.us_of(30_000), 10);
        speed.sample(100, 1);
        assert_eq!(speed.us_of(30_000), 150);
    }

    proptest! {
        #[test]
        fn fuel_takes_as_long_as_the_samples_say(
            samples in prop::collection::vec((1..1_000_000_u64, 0..1_000_000_u64), 1..10),
            fuel in 0..10_000_000_u64,
        ) {
            let speed = Speed::default();
            samples.iter().for_each(|(fuel, us)| speed.sample(*fuel, *us));
            let (sampled_fuel, sampled_us) = speed.sampled();
            prop_assume!(sampled_us > 0);
            let exact = fuel as f64 * sampled_us as f64 / sampled_fuel as f64;
            let us = speed.us_of(fuel) as f64;
            // Cutting the reciprocal short makes it too small by less than 2^-32 for a unit of fuel.
            prop_assert!(us > exact - 0.01 && us < exact + 1.01 || us > f64::from(u32::MAX));
        }

        #[test]
        fn a_short_call_is_judged_as_by_multiplying(
            sample in (1..1_000_000_u64, 0..1_000_000_u64),
            near in -3..4_i64,
        ) {
            let speed = Speed::default();
            speed.sample(sample.0, sample.1);
            let fuel = speed.fuel_in_a_us.get().saturating_add_signed(near);
            let us = fuel.saturating_mul(speed.us_per_fuel.get()).div_ceil(1 << FRACTION_BITS);
            prop_assert_eq!(speed.us_of(fuel), us);
        }

        #[test]
        fn no_numbers_overflow(fuel: u64, sampled: (u64, u64), other: u64) {
            let speed = Speed::default();
            speed.sample(sampled.0, sampled.1);
            prop_assert!(speed.us_of(fuel) <= 1 << 32);
            prop_assert!(speed.us_of(other) <= 1 << 32);
            estimate_us(fuel, sampled);
        }
    }
}
