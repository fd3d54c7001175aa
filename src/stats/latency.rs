//! How long calls take, counted in a few buckets of fixed bounds.

use crate::sync::Counter;

const BUCKETS: usize = LatencyHistogram::BOUNDS_US.len() + 1;

/// How long a plugin's calls took.
///
/// Partly estimated: a call that ends in its first slice of fuel is timed only once in 256 times;
/// otherwise, and for the first slice of a longer call, it is taken to have run at the speed that
/// its sandboxes were last seen to run at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LatencyHistogram {
    /// How long all calls took together, in microseconds. Never falls.
    pub sum_us: u64,
    /// How many calls took at most as long as the bound of the same index and longer than the one
    /// before; the last count has no bound.
    pub counts: [u64; 12],
}

impl LatencyHistogram {
    /// The upper bounds of the buckets but the last, in microseconds.
    pub const BOUNDS_US: [u64; 11] =
        [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576];

    /// The calls of both.
    pub(crate) fn plus(mut self, other: Self) -> Self {
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum = sum.saturating_add(count);
        }
        self
    }

    /// Returns how many calls there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// The calls of one slot, by how long they took. Written by whoever holds the slot, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Latencies([Counter; BUCKETS]);

impl Latencies {
    /// Counts a call that took `us`, rounded up.
    #[inline]
    pub(crate) fn add(&self, us: u64) {
        self.add_all(us, 1);
    }

    /// Counts so many calls that took `us` each, rounded up.
    #[inline]
    pub(crate) fn add_all(&self, us: u64, calls: u64) {
        if let Some(count) = self.0.get(bucket(us)) {
            count.add(calls);
        }
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.0.iter().map(Counter::get).sum()
    }

    /// Adds the counts to those of `histogram`.
    pub(crate) fn add_to(&self, histogram: &mut LatencyHistogram) {
        for (sum, count) in histogram.counts.iter_mut().zip(&self.0) {
            *sum = sum.saturating_add(count.get());
        }
    }
}

/// The bucket of a call that took `us`: each bound is four times the one before, so two bits of a
/// number more are a bucket more.
#[inline]
fn bucket(us: u64) -> usize {
    if us <= 1 {
        return 0;
    }
    let bits = u64::BITS - us.saturating_sub(1).leading_zeros();
    (bits.div_ceil(2) as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_the_bounds(us: u64) -> usize {
        LatencyHistogram::BOUNDS_US.iter().filter(|bound| **bound < us).count()
    }

    #[test]
    fn a_bound_belongs_to_its_bucket_and_one_more_to_the_next() {
        for (at, bound) in LatencyHistogram::BOUNDS_US.into_iter().enumerate() {
            assert_eq!((bucket(bound), bucket(bound + 1)), (at, at + 1));
        }
        assert_eq!((bucket(0), bucket(u64::MAX)), (0, BUCKETS - 1));
    }

    proptest! {
        #[test]
        fn each_duration_is_in_the_bucket_of_its_bounds(us: u64, shift in 0..64_u32) {
            prop_assert_eq!(bucket(us >> shift), by_the_bounds(us >> shift));
        }
    }
}
