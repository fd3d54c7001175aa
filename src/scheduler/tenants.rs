//! What each tenant gets in a round, and owes for what it got too early.

use alloc::string::String;
use core::num::NonZeroU32;
use hashbrown::HashMap;

/// So many tenants are kept before it is looked at whether some can be forgotten.
const FEW: usize = 16;

/// The round that is going on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    /// Its number, from 1. Where rounds are passed over, the last of them.
    pub(super) number: u64,
    /// For how many rounds it stands.
    pub(super) length: u64,
    /// The fuel of one round for each unit of weight.
    pub(super) quantum: u64,
}

impl Round {
    /// The next round, or the last of the next `length` rounds where it stands for all of them.
    pub(super) fn next(self, length: u64) -> Self {
        Self { number: self.number.saturating_add(length), length, ..self }
    }
}

/// A tenant that has calls, owes fuel, or has a weight.
#[derive(Debug)]
pub(super) struct Tenant {
    weight: NonZeroU32,
    /// How many of its calls are in the scheduler, and how many of them can run.
    calls: usize,
    runnable: usize,
    /// The last round of which its calls got their share, which they keep to the round's end.
    seen: u64,
    share: u64,
    /// Fuel that is taken off the next rounds' credit.
    owed: u64,
    /// Fuel that is added to the next round's, where nothing is owed.
    saved: u64,
}

impl Tenant {
    fn new(round: Round) -> Self {
        let seen = round.number;
        Self { weight: NonZeroU32::MIN, calls: 0, runnable: 0, seen, share: 0, owed: 0, saved: 0 }
    }

    /// What the tenant is credited in one round.
    fn credit(&self, round: Round) -> u64 {
        round.quantum.saturating_mul(u64::from(self.weight.get()))
    }

    /// What each of its calls is credited in this round: the same for all, whoever comes or goes.
    pub(super) fn share(&mut self, round: Round) -> u64 {
        let passed = round.number.saturating_sub(self.seen);
        if passed > 0 {
            let credit = self.credit(round);
            // What is owed is paid from rounds without a call as well; the rest of those is lost.
            let due = credit.saturating_mul(passed);
            let credit = credit.saturating_mul(round.length).min(due.saturating_sub(self.owed));
            let saved = if passed == round.length { self.saved } else { 0 };
            let credit = credit.saturating_add(saved);
            (self.owed, self.saved) = (self.owed.saturating_sub(due), 0);
            let calls = u64::try_from(self.runnable).unwrap_or(u64::MAX).max(1);
            // Rounded up, so that a small credit is some; what is too much is owed.
            self.share = credit.div_ceil(calls);
            self.owes(self.share.saturating_mul(calls).saturating_sub(credit));
            self.seen = round.number;
        }
        self.share
    }

    /// After how many rounds a call that overran by `debt` may run, if all stays as it is.
    pub(super) fn rounds_to_go(&self, debt: u64, round: Round) -> u64 {
        let calls = u64::try_from(self.runnable).unwrap_or(u64::MAX);
        let missing = self.owed.saturating_add(debt.saturating_mul(calls));
        let missing = missing.saturating_sub(self.saved);
        let rounds = missing.checked_div(self.credit(round)).unwrap_or(0);
        rounds.saturating_add(1)
    }

    /// Has one more call that can run, from the next round on.
    pub(super) fn begin_running(&mut self, round: Round) {
        self.share(round);
        self.runnable = self.runnable.saturating_add(1);
    }

    pub(super) fn end_running(&mut self) {
        self.runnable = self.runnable.saturating_sub(1);
    }

    pub(super) fn begin_call(&mut self) {
        self.calls = self.calls.saturating_add(1);
    }

    pub(super) fn end_call(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }

    /// Takes `fuel` off the next rounds' credit.
    pub(super) fn owes(&mut self, fuel: u64) {
        let paid = fuel.min(self.saved);
        self.saved = self.saved.saturating_sub(paid);
        self.owed = self.owed.saturating_add(fuel.saturating_sub(paid));
    }

    /// Adds `fuel` to the next round's credit, which at most doubles.
    pub(super) fn saves(&mut self, fuel: u64, round: Round) {
        let paid = fuel.min(self.owed);
        self.owed = self.owed.saturating_sub(paid);
        let saved = self.saved.saturating_add(fuel.saturating_sub(paid));
        self.saved = saved.min(self.credit(round));
    }

    /// Whether it would be no different, had it never been here.
    fn can_be_forgotten(&mut self, round: Round) -> bool {
        if self.calls > 0 {
            return false;
        }
        self.share(round);
        self.weight == NonZeroU32::MIN && self.owed == 0
    }
}

/// The tenants by name.
#[derive(Debug)]
pub(super) struct Tenants {
    named: HashMap<String, Tenant>,
    /// At so many it is looked at whether some can be forgotten.
    many: usize,
}

impl Tenants {
    pub(super) fn new() -> Self {
        Self { named: HashMap::new(), many: FEW }
    }

    pub(super) fn set_weight(&mut self, name: &str, weight: NonZeroU32, round: Round) {
        let tenant = self.of(name, round);
        // What went by counts by the old weight.
        tenant.share(round);
        tenant.weight = weight;
    }

    /// The tenant, if it has calls, owes fuel or has a weight.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Tenant> {
        self.named.get_mut(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Tenant> {
        self.named.get(name)
    }

    /// The tenant, which is new if there is none.
    pub(super) fn of(&mut self, name: &str, round: Round) -> &mut Tenant {
        if !self.named.contains_key(name) {
            self.make_room(round);
        }
        self.named.entry_ref(name).or_insert_with(|| Tenant::new(round))
    }

    /// Forgets tenants once they are twice as many as were left the last time.
    fn make_room(&mut self, round: Round) {
        if self.named.len() >= self.many {
            self.named.retain(|_, tenant| !tenant.can_be_forgotten(round));
            self.many = self.named.len().saturating_mul(2).max(FEW);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    const START: Round = Round { number: 0, length: 1, quantum: 100 };

    fn tenant_of(calls: usize) -> Tenant {
        let mut tenant = Tenant::new(START);
        (0..calls).for_each(|_| tenant.begin_running(START));
        tenant
    }

    #[test]
    fn what_is_rounded_up_in_one_round_is_missing_in_the_next() {
        let mut tenant = tenant_of(7);
        let shares = (1..=7).map(|number| tenant.share(Round { number, ..START }));
        let given: u64 = shares.map(|share| share * 7).sum();
        assert_eq!(given, 700);
    }

    #[test]
    fn a_credit_smaller_than_the_calls_are_many_is_given_in_some_rounds() {
        let mut tenant = tenant_of(1_000);
        let shares = (1..=100).map(|number| tenant.share(Round { number, ..START }));
        assert_eq!(shares.sum::<u64>(), 10);
    }

    #[test]
    fn what_is_owed_is_paid_in_rounds_without_calls_and_nothing_is_saved_up() {
        let mut tenant = tenant_of(0);
        tenant.owes(350);
        tenant.begin_running(Round { number: 2, ..START });
        assert_eq!(tenant.owed, 150);
        assert_eq!(tenant.share(Round { number: 3, ..START }), 0);
        assert_eq!(tenant.share(Round { number: 4, ..START }), 50);
        tenant.end_running();
        tenant.begin_running(Round { number: 1_000, ..START });
        assert_eq!(tenant.share(Round { number: 1_001, ..START }), 100);
    }

    #[test]
    fn what_is_saved_pays_what_is_owed_and_doubles_the_next_round_at_most() {
        let mut tenant = tenant_of(1);
        let share = |tenant: &mut Tenant, number| tenant.share(Round { number, ..START });
        tenant.owes(30);
        tenant.saves(50, START);
        assert_eq!((tenant.owed, tenant.saved), (0, 20));
        tenant.owes(5);
        assert_eq!((tenant.owed, tenant.saved), (0, 15));
        assert_eq!(share(&mut tenant, 1), 115);
        assert_eq!(share(&mut tenant, 2), 100);
        (0..10).for_each(|_| tenant.saves(70, START));
        assert_eq!(share(&mut tenant, 3), 200);
        // Of a round without a call nothing is left.
        tenant.saves(70, START);
        assert_eq!(share(&mut tenant, 5), 100);
    }

    #[test]
    fn a_share_stays_the_same_to_the_end_of_its_round() {
        let round = Round { number: 1, ..START };
        let mut tenant = tenant_of(4);
        let shares: [_; 4] = core::array::from_fn(|_| {
            let share = tenant.share(round);
            tenant.end_running();
            share
        });
        assert_eq!(shares, [25; 4]);
    }

    #[test]
    fn tenants_without_calls_and_debts_are_forgotten() {
        let mut tenants = Tenants::new();
        tenants.set_weight("heavy", NonZeroU32::MIN.saturating_add(1), START);
        tenants.of("busy", START).begin_call();
        for number in 0..10_000 {
            let round = Round { number, ..START };
            tenants.of(&format!("tenant {number}"), round).owes(250);
            assert!(tenants.named.len() <= 4 * FEW, "{number}");
        }
        assert!(tenants.get("heavy").is_some() && tenants.get("busy").is_some());
        assert!(tenants.get("tenant 0").is_none() && tenants.get("tenant 9999").is_some());
    }

    proptest! {
        #[test]
        fn rounds_passed_over_at_once_give_what_they_give_one_by_one(
            (calls, owed, saved, debt) in (1_usize..9, 0_u64..2_000, 0_u64..200, 0_u64..1_000)
        ) {
            let tenant = || {
                let mut tenant = tenant_of(calls);
                tenant.owes(owed);
                tenant.saves(saved, START);
                tenant
            };
            let length = tenant().rounds_to_go(debt, START);
            let mut slow = tenant();
            let shares = |slow: &mut Tenant, rounds: core::ops::RangeInclusive<u64>| -> u64 {
                rounds.map(|number| slow.share(Round { number, ..START })).sum()
            };
            let before_the_last = shares(&mut slow, 1..=length - 1);
            prop_assert!(before_the_last <= debt, "it could have run earlier");
            let all = before_the_last + shares(&mut slow, length..=length);
            prop_assert!(all > debt, "it can run now");
            let mut fast = tenant();
            prop_assert_eq!((fast.share(START.next(length)), fast.owed), (all, slow.owed));
        }
    }
}
