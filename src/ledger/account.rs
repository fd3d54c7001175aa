//! One account, and the ceilings on it.

use super::{
    Resource,
    rate::{Rate, new_rate},
    reached::Reached,
};
use crate::{
    schedule::Timer,
    sync::{Arc, AtomicBool, AtomicUsize, Once, Ordering},
};
use alloc::boxed::Box;

/// The account of a tenant, or of the registry.
#[derive(Debug)]
pub(crate) struct Account {
    /// The tenant; empty for the registry.
    name: Box<str>,
    gauges: [Gauge; 5],
    /// Behind a pointer, so that it is linked only where a quota is set.
    rate: Once<Arc<dyn Rate>>,
    /// Whether a rate is set, here or above.
    is_rated: AtomicBool,
    /// Whether a quota was set.
    is_kept: AtomicBool,
    above: Option<Arc<Self>>,
}

/// How much is in use, and how much may be.
#[derive(Debug)]
struct Gauge {
    used: AtomicUsize,
    limit: AtomicUsize,
}

impl Default for Gauge {
    fn default() -> Self {
        Self { used: AtomicUsize::new(0), limit: AtomicUsize::new(usize::MAX) }
    }
}

impl Account {
    /// The account of a tenant below a registry's, whose rate is set by now; or of a registry, or of a
    /// plugin that stands alone, with no name. Nothing has a ceiling.
    pub(crate) fn new(name: &str, above: Option<Arc<Self>>) -> Self {
        let is_rated = above.as_ref().is_some_and(|above| above.is_rated());
        Self {
            name: name.into(),
            gauges: Default::default(),
            rate: Once::new(),
            is_rated: AtomicBool::new(is_rated),
            is_kept: AtomicBool::new(false),
            above,
        }
    }

    /// The tenant; empty for the registry.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The tenant; nothing for the registry.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.above.as_ref().map(|_| self.name())
    }

    /// The account above it: the registry's, for a tenant.
    pub(crate) const fn above(&self) -> Option<&Arc<Self>> {
        self.above.as_ref()
    }

    /// Keeps it although no plugin needs it.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }

    pub(crate) fn used(&self, what: Resource) -> u64 {
        self.gauge(what).map_or(0, |gauge| gauge.used.load(Ordering::Relaxed) as u64)
    }

    /// Sets a ceiling; what is in use stays, even if it is more.
    pub(crate) fn set_limit(&self, what: Resource, limit: u64) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if let Some(gauge) = self.gauge(what) {
            gauge.limit.store(limit, Ordering::Relaxed);
        }
    }

    /// Always there.
    fn gauge(&self, what: Resource) -> Option<&Gauge> {
        self.gauges.get(what as usize)
    }

    /// Takes `n`, here and above, or nothing at all; returns whether it did.
    #[inline(never)]
    pub(crate) fn take(&self, what: Resource, n: usize) -> bool {
        let Some(Gauge { used, limit }) = self.gauge(what) else {
            return true;
        };
        let limit = limit.load(Ordering::Relaxed);
        let taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(n).filter(|total| *total <= limit)
        });
        if taken.is_err() {
            return false;
        }
        let taken = self.above.as_ref().is_none_or(|above| above.take(what, n));
        if !taken {
            used.fetch_sub(n, Ordering::Relaxed);
        }
        taken
    }

    /// Takes `n`, here and above, or says which ceiling forbids it.
    pub(crate) fn try_take(&self, what: Resource, n: usize) -> Result<(), Box<Reached>> {
        match self.take(what, n) {
            true => Ok(()),
            false => Err(self.ceiling(what, n)),
        }
    }

    /// Takes all of what is `wanted`, or nothing of it; returns what there is too little of.
    pub(crate) fn take_all<const N: usize>(
        &self,
        wanted: [(Resource, usize); N],
    ) -> Result<(), (Resource, usize)> {
        for (at, (what, n)) in wanted.into_iter().enumerate() {
            if !self.take(what, n) {
                wanted.into_iter().take(at).for_each(|(what, n)| self.give(what, n));
                return Err((what, n));
            }
        }
        Ok(())
    }

    /// Which ceiling forbids `n` more.
    pub(crate) fn reached(&self, what: Resource, n: usize) -> Option<Box<Reached>> {
        Some(self.ceiling(what, n))
    }

    #[cold]
    fn ceiling(&self, what: Resource, n: usize) -> Box<Reached> {
        let (used, limit) = self.gauge(what).map_or((0, 0), |gauge| {
            (gauge.used.load(Ordering::Relaxed), gauge.limit.load(Ordering::Relaxed))
        });
        let fits = used.checked_add(n).is_some_and(|total| total <= limit);
        match &self.above {
            Some(above) if fits => Box::new(Reached { is_above: true, ..*above.ceiling(what, n) }),
            _ => Box::new(Reached {
                limit_name: limit_name(what),
                limit: limit as u64,
                used: used as u64,
                is_above: false,
            }),
        }
    }

    /// Gives back what was taken.
    #[inline(never)]
    pub(crate) fn give(&self, what: Resource, n: usize) {
        if let Some(gauge) = self.gauge(what) {
            gauge.used.fetch_sub(n, Ordering::Relaxed);
        }
        if let Some(above) = &self.above {
            above.give(what, n);
        }
    }

    /// Whether fuel is rationed over time, here or above.
    #[inline]
    pub(crate) fn is_rated(&self) -> bool {
        self.is_rated.load(Ordering::Relaxed)
    }

    /// Sets the rate of fuel, and fills the bucket; or takes it away.
    pub(crate) fn set_rate(&self, rate: Option<(u64, u64)>, now_us: u64) {
        let above = || self.above.as_ref().and_then(|above| above.rate.get().cloned());
        let is_rated = (&self.is_rated, rate.is_some() || above().is_some());
        self.rate.call_once(|| new_rate(above())).set(rate, now_us, is_rated);
    }

    /// Takes the fuel of one call, or a full bucket if that is less, or nothing at all; returns how much
    /// that is.
    pub(crate) fn take_fuel(
        &self,
        fuel: u64,
        clock: Option<&dyn Timer>,
    ) -> Result<u64, Box<Reached>> {
        match (self.rate(), clock) {
            (Some(rate), Some(clock)) => rate.take(fuel, clock.now_us()),
            _ => Ok(fuel),
        }
    }

    /// Takes fuel that was spent already, even if there is less.
    pub(crate) fn spend_fuel(&self, fuel: u64) {
        if let Some(rate) = self.rate() {
            rate.spend(fuel);
        }
    }

    /// Gives back what a call has not spent.
    pub(crate) fn give_fuel(&self, fuel: u64) {
        if let Some(rate) = self.rate() {
            rate.give(fuel);
        }
    }

    /// The fuel that may be spent at once; nothing if no rate is set.
    pub(crate) fn fuel_left(&self, clock: Option<&dyn Timer>) -> Option<u64> {
        self.rate.get()?.tokens(clock?.now_us())
    }

    /// The rate that holds here, which minds the one above, if there is one.
    #[inline(never)]
    fn rate(&self) -> Option<&dyn Rate> {
        let rate = self.rate.get().or_else(|| self.above.as_ref()?.rate.get());
        rate.map(|rate| &**rate)
    }
}

/// Something that was taken from an account, and is given back when this goes.
#[derive(Debug)]
pub(crate) struct Paid {
    account: Arc<Account>,
    what: Resource,
    n: usize,
}

impl Paid {
    /// Takes `n`, here and above, or says which ceiling forbids it.
    pub(crate) fn take(
        account: &Arc<Account>,
        what: Resource,
        n: usize,
    ) -> Result<Self, Box<Reached>> {
        account.try_take(what, n)?;
        Ok(Self { account: Arc::clone(account), what, n })
    }

    /// Leaves it to somebody else to give it back.
    pub(crate) fn leave(mut self) {
        self.n = 0;
    }
}

impl Drop for Paid {
    fn drop(&mut self) {
        self.account.give(self.what, self.n);
    }
}

/// The field of the quota that limits it.
const fn limit_name(what: Resource) -> &'static str {
    match what {
        Resource::Plugins => "max_plugins",
        Resource::Sandboxes => "max_sandboxes",
        Resource::MemoryBytes => "max_memory_bytes",
        Resource::TableElements => "max_table_elements",
        Resource::HeapBytes => "max_heap_bytes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::thread;

    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// A tenant takes some.
        Take(usize, usize),
        /// A tenant gives back a part of what it has, in thousandths.
        Give(usize, usize),
        /// A ceiling is set: a tenant's, or the registry's.
        Limit(Option<usize>, u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let amount = prop_oneof![0_usize..1_000, Just(usize::MAX)];
        let limit = prop_oneof![0_u64..3_000, Just(u64::MAX)];
        prop_oneof![
            4 => (0_usize..3, amount).prop_map(|(tenant, n)| Step::Take(tenant, n)),
            2 => (0_usize..3, 0_usize..=1_000).prop_map(|(tenant, n)| Step::Give(tenant, n)),
            1 => (prop::option::of(0_usize..3), limit).prop_map(|(whose, n)| Step::Limit(whose, n)),
        ]
    }

    fn tenants() -> (Arc<Account>, [Account; 3]) {
        let above = Arc::new(Account::new("", None));
        let tenants = ["a", "b", "c"].map(|name| Account::new(name, Some(Arc::clone(&above))));
        (above, tenants)
    }

    proptest! {
        #[test]
        fn totals_are_the_model_s_and_a_ceiling_lets_nothing_through(
            steps in prop::collection::vec(step(), 0..200),
        ) {
            const WHAT: Resource = Resource::MemoryBytes;
            let (above, tenants) = tenants();
            let (mut held, mut limits, mut limit) = ([0_u64; 3], [u64::MAX; 3], u64::MAX);
            for step in steps {
                match step {
                    Step::Take(at, n) => {
                        let added = n as u64;
                        let fits = |used: u64, limit: u64| {
                            used.checked_add(added).is_some_and(|total| total <= limit)
                        };
                        let (here, sum) = (fits(held[at], limits[at]), fits(held.iter().sum(), limit));
                        let taken = tenants[at].try_take(WHAT, n);
                        prop_assert_eq!(taken.is_ok(), here && sum);
                        match taken {
                            Ok(()) => held[at] += added,
                            Err(reached) => {
                                prop_assert_eq!(reached.is_above, here);
                                let ceiling = if here { limit } else { limits[at] };
                                prop_assert_eq!(reached.limit, ceiling);
                            }
                        }
                    }
                    Step::Give(at, thousandths) => {
                        let n = held[at] / 1_000 * thousandths as u64;
                        tenants[at].give(WHAT, usize::try_from(n).unwrap());
                        held[at] -= n;
                    }
                    Step::Limit(Some(at), n) => {
                        tenants[at].set_limit(WHAT, n);
                        limits[at] = n;
                    }
                    Step::Limit(None, n) => {
                        above.set_limit(WHAT, n);
                        limit = n;
                    }
                }
                for (tenant, held) in tenants.iter().zip(held) {
                    prop_assert_eq!(tenant.used(WHAT), held);
                    prop_assert_eq!(tenant.used(Resource::Sandboxes), 0);
                }
                prop_assert_eq!(above.used(WHAT), held.iter().sum::<u64>());
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_together_is_taken_whole_or_not_at_all(
            limits in prop::array::uniform2(prop::array::uniform3(0_u64..100)),
            wanted in prop::collection::vec((0_usize..3, prop::array::uniform3(0_usize..30)), 0..30),
        ) {
            const WHAT: [Resource; 3] =
                [Resource::MemoryBytes, Resource::HeapBytes, Resource::TableElements];
            let (above, tenants) = tenants();
            for (what, at) in WHAT.into_iter().zip(0..) {
                above.set_limit(what, limits[0][at]);
                tenants[0].set_limit(what, limits[1][at]);
            }
            let mut held = [[0_u64; 3]; 3];
            for (tenant, n) in wanted {
                let all = |at: usize| held.iter().map(|held| held[at]).sum::<u64>();
                let fits = (0..3).map(|at| {
                    let n = n[at] as u64;
                    all(at) + n <= limits[0][at] && (tenant > 0 || held[0][at] + n <= limits[1][at])
                });
                let refused = fits.into_iter().position(|fits| !fits).map(|at| (WHAT[at], n[at]));
                let taken = tenants[tenant].take_all([0, 1, 2].map(|at| (WHAT[at], n[at])));
                prop_assert_eq!(taken.err(), refused);
                for at in 0..3 {
                    held[tenant][at] += if refused.is_none() { n[at] as u64 } else { 0 };
                    prop_assert_eq!(tenants[tenant].used(WHAT[at]), held[tenant][at]);
                    let all: u64 = held.iter().map(|held| held[at]).sum();
                    prop_assert_eq!(above.used(WHAT[at]), all);
                }
            }
        }
    }

    #[test]
    fn threads_that_take_and_give_at_once_never_hold_more_than_a_ceiling() {
        let (above, tenants) = tenants();
        above.set_limit(Resource::Sandboxes, 7);
        tenants.iter().for_each(|tenant| tenant.set_limit(Resource::Sandboxes, 4));
        thread::scope(|scope| {
            for at in 0..6 {
                let (tenant, above) = (&tenants[at % 3], &above);
                scope.spawn(move || {
                    for n in (1..=3).cycle().take(20_000) {
                        if tenant.take(Resource::Sandboxes, n) {
                            let (here, sum) =
                                (tenant.used(Resource::Sandboxes), above.used(Resource::Sandboxes));
                            assert!(
                                (1..=4).contains(&here) && (1..=7).contains(&sum),
                                "{here} {sum}"
                            );
                            tenant.give(Resource::Sandboxes, n);
                        }
                    }
                });
            }
        });
        assert_eq!(above.used(Resource::Sandboxes), 0);
        assert!(tenants.iter().all(|tenant| tenant.used(Resource::Sandboxes) == 0));
    }
}
