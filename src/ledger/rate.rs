//! How much fuel may be spent over time: a token bucket, filled by the clock.

use super::reached::Reached;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering};
use alloc::boxed::Box;

/// A rate of fuel, if one is set, and the one above it, if there is one.
pub(super) trait Rate: Send + Sync + core::fmt::Debug {
    /// Sets the rate, a second's fuel and a burst's, and fills the bucket; or takes it away. Gives a flag
    /// its value at the same moment.
    fn set(&self, rate: Option<(u64, u64)>, now_us: u64, flag: (&AtomicBool, bool));

    /// Takes `fuel`, or a full bucket if that is less, here and above, or nothing at all; returns how
    /// much that is.
    fn take(&self, fuel: u64, now_us: u64) -> Result<u64, Box<Reached>>;

    /// Takes what was spent already, even if there is less.
    fn spend(&self, fuel: u64);

    /// Gives back what was taken and not spent.
    fn give(&self, fuel: u64);

    /// What is there; nothing if no rate is set.
    fn tokens(&self, now_us: u64) -> Option<u64>;
}

/// A rate that is not set, below another.
pub(super) fn new_rate(above: Option<Arc<dyn Rate>>) -> Arc<dyn Rate> {
    Arc::new(Guarded { bucket: Mutex::default(), above })
}

#[derive(Debug, Default)]
struct Guarded {
    bucket: Mutex<Option<Bucket>>,
    above: Option<Arc<dyn Rate>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    per_second: u64,
    burst: u64,
    tokens: u64,
    /// What was spent beyond what there was; then there are no tokens.
    debt: u64,
    /// Millionths of a token.
    rest: u64,
    filled_us: u64,
}

impl Rate for Guarded {
    fn set(&self, rate: Option<(u64, u64)>, now_us: u64, (flag, value): (&AtomicBool, bool)) {
        let mut bucket = self.bucket.lock();
        flag.store(value, Ordering::Relaxed);
        *bucket = rate.map(|(per_second, burst)| Bucket {
            per_second,
            burst,
            tokens: burst,
            debt: 0,
            rest: 0,
            filled_us: now_us,
        });
    }

    fn take(&self, fuel: u64, now_us: u64) -> Result<u64, Box<Reached>> {
        let here = match &mut *self.bucket.lock() {
            Some(bucket) => bucket.take(fuel, now_us)?,
            None => fuel,
        };
        let Some(above) = &self.above else {
            return Ok(here);
        };
        let taken = above.take(here, now_us);
        self.give_here(here.saturating_sub(*taken.as_ref().unwrap_or(&0)));
        taken.map_err(|reached| Box::new(Reached { is_above: true, ..*reached }))
    }

    fn spend(&self, fuel: u64) {
        if let Some(bucket) = &mut *self.bucket.lock() {
            bucket.debt = bucket.debt.saturating_add(fuel.saturating_sub(bucket.tokens));
            bucket.tokens = bucket.tokens.saturating_sub(fuel);
        }
        if let Some(above) = &self.above {
            above.spend(fuel);
        }
    }

    fn give(&self, fuel: u64) {
        self.give_here(fuel);
        if let Some(above) = &self.above {
            above.give(fuel);
        }
    }

    fn tokens(&self, now_us: u64) -> Option<u64> {
        let mut bucket = self.bucket.lock();
        let bucket = bucket.as_mut()?;
        bucket.fill(now_us);
        Some(bucket.tokens)
    }
}

impl Guarded {
    fn give_here(&self, fuel: u64) {
        if let Some(bucket) = &mut *self.bucket.lock() {
            bucket.add(fuel);
        }
    }
}

impl Bucket {
    fn take(&mut self, fuel: u64, now_us: u64) -> Result<u64, Box<Reached>> {
        self.fill(now_us);
        let fuel = fuel.min(self.burst);
        let Some(left) = self.tokens.checked_sub(fuel) else {
            return Err(Box::new(Reached {
                limit_name: "fuel_rate",
                limit: self.burst,
                used: self.burst.saturating_sub(self.tokens),
                is_above: false,
            }));
        };
        self.tokens = left;
        Ok(fuel)
    }

    fn fill(&mut self, now_us: u64) {
        const SECOND_US: u64 = 1_000_000;
        let elapsed_us = now_us.saturating_sub(self.filled_us);
        self.filled_us = self.filled_us.max(now_us);
        let (seconds, us) = (elapsed_us / SECOND_US, elapsed_us % SECOND_US);
        // In parts, so that nothing overflows: whole tokens a microsecond, and millionths of one.
        let (whole, millionths) = (self.per_second / SECOND_US, self.per_second % SECOND_US);
        let rest = millionths * us + self.rest;
        self.rest = rest % SECOND_US;
        let gained = self
            .per_second
            .saturating_mul(seconds)
            .saturating_add(whole * us)
            .saturating_add(rest / SECOND_US);
        self.add(gained);
    }

    fn add(&mut self, tokens: u64) {
        let pays = tokens.min(self.debt);
        self.debt -= pays;
        self.tokens = self.tokens.saturating_add(tokens - pays).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(rate: &dyn Rate, to: Option<(u64, u64)>, now_us: u64) {
        rate.set(to, now_us, (&AtomicBool::new(false), true));
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Wait(u64),
        Take(u64),
        Spend(u64),
        GiveBack(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u64..3_000_000).prop_map(Step::Wait),
            (0_u64..5_000).prop_map(Step::Take),
            (0_u64..5_000).prop_map(Step::Spend),
            (0_u64..1_000).prop_map(Step::GiveBack),
        ]
    }

    proptest! {
        /// In exact arithmetic, in millionths of a token; what is owed is less than nothing.
        #[test]
        fn it_holds_what_exact_arithmetic_says(
            per_second in 0_u64..3_000_000,
            burst in 0_u64..4_000,
            steps in prop::collection::vec(step(), 0..100),
        ) {
            const TOKEN: i128 = 1_000_000;
            let rate = Guarded::default();
            set(&rate, Some((per_second, burst)), 7);
            let full = i128::from(burst) * TOKEN;
            let (mut now_us, mut exact) = (7_u64, full);
            for step in steps {
                match step {
                    Step::Wait(us) => {
                        now_us += us;
                        exact += i128::from(us) * i128::from(per_second);
                    }
                    Step::Take(fuel) => {
                        let fuel = i128::from(fuel.min(burst));
                        let taken = rate.take(fuel.try_into().unwrap(), now_us).is_ok();
                        prop_assert_eq!(taken, exact.max(0) / TOKEN >= fuel);
                        exact -= if taken { fuel * TOKEN } else { 0 };
                    }
                    Step::Spend(fuel) => {
                        rate.spend(fuel);
                        exact -= i128::from(fuel) * TOKEN;
                    }
                    Step::GiveBack(fuel) => {
                        rate.give(fuel);
                        exact += i128::from(fuel) * TOKEN;
                    }
                }
                // A full bucket spills whole tokens and keeps the millionths of one.
                if exact > full {
                    exact = full + exact.rem_euclid(TOKEN);
                }
                let tokens = exact.max(0) / TOKEN;
                prop_assert_eq!(i128::from(rate.tokens(now_us).unwrap()), tokens);
            }
        }
    }

    #[test]
    fn what_is_refused_above_is_not_taken_below() {
        let above = new_rate(None);
        set(&*above, Some((0, 10)), 0);
        let below = new_rate(Some(Arc::clone(&above)));
        // No rate of its own: that above holds.
        assert_eq!(below.take(4, 0).ok(), Some(4));
        set(&*below, Some((0, 100)), 0);
        assert!(below.take(7, 0).unwrap_err().is_above);
        assert_eq!((below.tokens(0), above.tokens(0)), (Some(100), Some(6)));
        // At most what fits into either bucket.
        set(&*above, Some((0, 5)), 0);
        assert_eq!(below.take(50, 0).ok(), Some(5));
        assert_eq!((below.tokens(0), above.tokens(0)), (Some(95), Some(0)));
        below.give(2);
        below.spend(1);
        assert_eq!((below.tokens(0), above.tokens(0)), (Some(96), Some(1)));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let rate = Guarded::default();
        set(&rate, Some((u64::MAX, u64::MAX)), 0);
        assert_eq!(rate.take(u64::MAX, 0).ok(), Some(u64::MAX));
        assert_eq!(rate.take(1, 0).ok(), None);
        assert_eq!(rate.take(u64::MAX, u64::MAX).ok(), Some(u64::MAX));
        // A clock that goes back fills nothing.
        assert_eq!(rate.take(1, 5).ok(), None);
    }
}
