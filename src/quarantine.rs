//! The quarantine of a plugin that fails again and again: a circuit breaker.
//!
//! *Closed*, calls run and failures in a row are counted. With as many as the policy says it
//! *opens*: calls are refused before anything of the plugin runs. Once the backoff is over one call
//! is let in on trial, and all others are refused until it has ended: if it went well, the breaker
//! closes; if it failed, the breaker is open again, for twice as long.

use crate::{
    AuditDecision,
    condition::{Condition, FAILING, QUARANTINED},
    sync::{AtomicUsize, Mutex, Ordering},
};
use alloc::{boxed::Box, format, string::String};
use core::fmt;

/// When a plugin that fails again and again is put in quarantine, and for how long.
///
/// In quarantine a call fails at once, with [`ErrorKind::Quarantined`](crate::ErrorKind::Quarantined);
/// no code of the plugin runs. After the backoff one call is let in on trial: if it goes well, the
/// quarantine is over; if it fails, the next one is twice as long, up to the longest. A trial that says
/// nothing about the plugin, because it was cancelled or never ran, leaves the next call to be it.
///
/// A failure is a call, or a start function, that trapped, ran out of fuel or time, executed invalid
/// code, or was stopped by [`DenyPolicy::Trap`](crate::DenyPolicy::Trap). These are not failures of
/// the plugin: a call that was cancelled; one that had less than the plugin's own
/// [`fuel_limit`](crate::WasmPluginCapabilities::fuel_limit) or
/// [`timeout_ms`](crate::WasmPluginCapabilities::timeout_ms) and ran out of it; a deadline that passed
/// while the host ran the call piece by piece; a host function that stopped the call for other reasons;
/// a quota of the tenant that kept a memory or table from growing; a host without memory.
///
/// ```
/// use wasm_runtime::{QuarantinePolicy, WasmInstanceConfig};
///
/// let config = WasmInstanceConfig {
///     quarantine: Some(QuarantinePolicy::after(5).backoff_ms(200, 10_000)),
///     ..WasmInstanceConfig::default()
/// };
/// # let _ = config;
/// ```
// No plain struct: a program that makes none is linked without what acts on it.
#[derive(Clone, Copy)]
pub struct QuarantinePolicy {
    failures: u32,
    backoff_ms: [u64; 2],
    backoff_calls: [u32; 2],
    make: fn(Self) -> Box<dyn Breaker>,
}

impl QuarantinePolicy {
    /// Returns a policy of a quarantine after so many failures in a row, at least 1.
    ///
    /// The first is 1,000 ms long and the longest 60,000 ms; without a clock it is over when 16 calls
    /// have been refused, the longest when 1,024 have been.
    pub fn after(failures: u32) -> Self {
        Self {
            failures,
            backoff_ms: [1_000, 60_000],
            backoff_calls: [16, 1_024],
            make: |policy| Box::new(Guarded { policy, state: Mutex::default() }),
        }
    }

    /// Sets how long the first quarantine in a row and the longest are, in milliseconds of the
    /// registry's clock.
    pub fn backoff_ms(self, first: u64, longest: u64) -> Self {
        Self { backoff_ms: [first, longest], ..self }
    }

    /// Sets how many calls are refused in the first quarantine in a row and in the longest, where there
    /// is no clock.
    pub fn backoff_calls(self, first: u32, longest: u32) -> Self {
        Self { backoff_calls: [first, longest], ..self }
    }

    /// What acts on it, for one plugin.
    pub(crate) fn breaker(self) -> Box<dyn Breaker> {
        (self.make)(self)
    }
}

impl QuarantinePolicy {
    fn numbers(&self) -> (u32, [u64; 2], [u32; 2]) {
        (self.failures, self.backoff_ms, self.backoff_calls)
    }
}

impl PartialEq for QuarantinePolicy {
    fn eq(&self, other: &Self) -> bool {
        self.numbers() == other.numbers()
    }
}

impl Eq for QuarantinePolicy {}

impl fmt::Debug for QuarantinePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuarantinePolicy")
            .field("failures", &self.failures)
            .field("backoff_ms", &self.backoff_ms)
            .field("backoff_calls", &self.backoff_calls)
            .finish()
    }
}

/// Why a plugin is in quarantine, and what ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// How the last failure came about, in a few words.
    pub reason: &'static str,
    /// The function that failed, empty for the start function.
    pub function: String,
    /// How many failures in a row there were, trials included.
    pub failures: u32,
    /// How many quarantines in a row this is the last of: 1 for the first, one more for each trial
    /// that failed.
    pub round: u32,
    /// What has to happen before a call is let in.
    pub until: QuarantineEnd,
}

/// What has to happen before a plugin in quarantine is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuarantineEnd {
    /// So many milliseconds have to pass, rounded up; with 0, the next call is the trial.
    AfterMs(u64),
    /// So many calls have to be refused, for want of a clock; with 0, the next call is the trial.
    AfterCalls(u32),
    /// A call is on trial.
    OnTrial,
}

impl fmt::Display for QuarantineEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AfterMs(0) | Self::AfterCalls(0) => f.write_str("the next call is a trial"),
            Self::AfterMs(ms) => write!(f, "it is tried again in {ms} ms"),
            Self::AfterCalls(calls) => write!(f, "it is tried again after {calls} more calls"),
            Self::OnTrial => f.write_str("a call is on trial"),
        }
    }
}

/// What keeps calls from one plugin, or not. Times are the clock's, in microseconds; none without one.
// Behind a pointer, so that it is linked only where a policy is made.
pub(crate) trait Breaker: Send + Sync {
    /// Takes in what happened to the call in the slot whose trial is `trial`, 0 for none; returns whether
    /// the call may run, once all that there is to `tell` is told. `condition` says afterwards what holds
    /// now.
    fn change(
        &self,
        condition: &Condition,
        now_us: Option<u64>,
        trial: &AtomicUsize,
        change: Change<'_>,
        tell: Tell<'_>,
    ) -> Changed;

    /// Why calls are refused, and until when; nothing if they are not.
    fn status(&self, now_us: Option<u64>) -> Option<Quarantine>;

    /// The same in words.
    fn words(&self, now_us: Option<u64>) -> String;
}

/// Tells a decision: with a function, and how it came about.
pub(crate) type Tell<'a> = &'a dyn Fn(AuditDecision, &str, &str);

/// What happened to a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'a> {
    /// It wants to begin, although the breaker was open.
    Begin,
    WentWell,
    /// A function failed, for a reason that is the plugin's own doing.
    Failed(&'a str, &'static str),
    /// It has left its slot: a trial that has not been decided is none.
    Left,
    /// None: the breaker is closed by hand.
    Revive,
    /// None: another version is about to be called. From here on, nothing that happens in this one changes
    /// anything.
    Retire,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Nothing,
    Refused,
    Opened,
    Closed,
}

/// The breaker of a policy.
struct Guarded {
    policy: QuarantinePolicy,
    state: Mutex<State>,
}

impl Breaker for Guarded {
    fn change(
        &self,
        condition: &Condition,
        now_us: Option<u64>,
        trial: &AtomicUsize,
        change: Change<'_>,
        tell: Tell<'_>,
    ) -> Changed {
        let mut state = self.state.lock();
        if state.is_retired {
            return Changed::Nothing;
        }
        let number = trial.load(Ordering::Relaxed);
        let (changed, number) = match change {
            Change::Begin if state.is_trial(number) => (Changed::Nothing, number),
            Change::Begin => match state.admit(now_us) {
                Some(number) => (Changed::Nothing, number),
                None => (Changed::Refused, 0),
            },
            Change::WentWell if state.succeed(number) => (Changed::Closed, 0),
            Change::Failed(function, reason)
                if state.fail(&self.policy, now_us, number, (function, reason)) =>
            {
                (Changed::Opened, 0)
            }
            Change::Left => {
                state.abandon(number);
                (Changed::Nothing, 0)
            }
            Change::Revive if state.close() => (Changed::Closed, number),
            Change::Retire => {
                *state = State { is_retired: true, ..State::default() };
                (Changed::Nothing, 0)
            }
            Change::WentWell | Change::Failed(..) | Change::Revive => (Changed::Nothing, number),
        };
        trial.store(number, Ordering::Relaxed);
        // While the state is locked, so that they never say what an earlier change has left.
        condition.hold(QUARANTINED, state.is_open());
        condition.hold(FAILING, state.has_failures());
        drop(state);
        match (changed, change) {
            (Changed::Opened, Change::Failed(function, reason)) => {
                tell(AuditDecision::Quarantine, function, reason);
            }
            (Changed::Closed, Change::Revive) => tell(AuditDecision::Revive, "", "by hand"),
            (Changed::Closed, _) => tell(AuditDecision::Revive, "", "a trial went well"),
            _ => {}
        }
        changed
    }

    fn status(&self, now_us: Option<u64>) -> Option<Quarantine> {
        self.state.lock().status(now_us)
    }

    fn words(&self, now_us: Option<u64>) -> String {
        match self.status(now_us) {
            Some(Quarantine { reason, function, failures, until, .. }) => format!(
                "it is in quarantine after {failures} failures in a row, the last in `{function}`: \
                 {reason}; {until}"
            ),
            None => "it was in quarantine until now".into(),
        }
    }
}

/// The state of one plugin.
#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Which quarantine in a row this is; 0 if it is closed.
    round: u32,
    until: Until,
    /// The number of the trial that is going on; 0 if there is none.
    trial: usize,
    trials: usize,
    reason: &'static str,
    function: Box<str>,
    /// Whether its plugin has another by now.
    is_retired: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Us(u64),
    Calls(u32),
}

impl Default for Until {
    fn default() -> Self {
        Self::Calls(0)
    }
}

impl State {
    const fn is_open(&self) -> bool {
        self.round > 0
    }

    /// Whether there is a failure that no success has followed.
    const fn has_failures(&self) -> bool {
        self.failures > 0
    }

    /// Takes in a failure of the call that was let in as `trial`, 0 if it was none; returns whether the
    /// breaker opens.
    fn fail(
        &mut self,
        policy: &QuarantinePolicy,
        now_us: Option<u64>,
        trial: usize,
        (function, reason): (&str, &'static str),
    ) -> bool {
        // A call that began before says nothing new.
        if self.is_open() && !self.is_trial(trial) {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        if !self.is_open() && self.failures < policy.failures {
            return false;
        }
        self.round = self.round.saturating_add(1);
        self.trial = 0;
        (self.function, self.reason) = (function.into(), reason);
        let doublings = self.round.saturating_sub(1).min(63);
        self.until = match now_us {
            Some(now_us) => {
                let [first, longest] = policy.backoff_ms;
                let ms = doubled(first, doublings).min(longest);
                Until::Us(now_us.saturating_add(ms.saturating_mul(1_000)))
            }
            None => {
                let [first, longest] = policy.backoff_calls;
                let calls = doubled(first.into(), doublings).min(longest.into());
                Until::Calls(u32::try_from(calls).unwrap_or(u32::MAX))
            }
        };
        true
    }

    /// Takes in that the call that was let in as `trial`, 0 if it was none, went well; returns whether
    /// the breaker closes.
    fn succeed(&mut self, trial: usize) -> bool {
        if self.is_open() && !self.is_trial(trial) {
            return false;
        }
        self.close()
    }

    /// Closes the breaker and forgets the failures; returns whether it was open.
    fn close(&mut self) -> bool {
        let was_open = self.is_open();
        (self.failures, self.round, self.trial) = (0, 0, 0);
        was_open
    }

    /// Whether a call may run: as the trial of the number, or, with 0, because the breaker is closed.
    fn admit(&mut self, now_us: Option<u64>) -> Option<usize> {
        if !self.is_open() {
            return Some(0);
        }
        if self.trial != 0 || !self.is_over(now_us) {
            return None;
        }
        self.trials = self.trials.wrapping_add(1).max(1);
        self.trial = self.trials;
        Some(self.trial)
    }

    /// Whether the backoff is over. Where it counts calls, this is one.
    fn is_over(&mut self, now_us: Option<u64>) -> bool {
        match &mut self.until {
            Until::Us(until_us) => now_us.is_none_or(|now_us| now_us >= *until_us),
            Until::Calls(0) => true,
            Until::Calls(left) => {
                *left = left.saturating_sub(1);
                false
            }
        }
    }

    /// Takes in that a trial ended and says nothing about the plugin.
    fn abandon(&mut self, trial: usize) {
        if self.is_trial(trial) {
            self.trial = 0;
        }
    }

    fn is_trial(&self, trial: usize) -> bool {
        trial != 0 && self.trial == trial
    }

    /// Why calls are refused, and until when; nothing if they are not.
    fn status(&self, now_us: Option<u64>) -> Option<Quarantine> {
        self.is_open().then(|| Quarantine {
            reason: self.reason,
            function: self.function.clone().into(),
            failures: self.failures,
            round: self.round,
            until: match self.until {
                _ if self.trial != 0 => QuarantineEnd::OnTrial,
                Until::Us(until_us) => {
                    let left_us = until_us.saturating_sub(now_us.unwrap_or(until_us));
                    QuarantineEnd::AfterMs(left_us.div_ceil(1_000))
                }
                Until::Calls(calls) => QuarantineEnd::AfterCalls(calls),
            },
        })
    }
}

/// `n`, doubled so many times, or the most there is.
fn doubled(n: u64, times: u32) -> u64 {
    match n.leading_zeros() >= times {
        true => n << times,
        false => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn policy() -> QuarantinePolicy {
        QuarantinePolicy::after(3).backoff_ms(2, 9).backoff_calls(2, 9)
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// A call begins, if it may.
        Begin,
        /// The call of this number, of those that are going on, ends: well, badly, or neither.
        End(usize, Option<bool>),
        Revive,
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Begin),
            4 => (0_usize..8, any::<Option<bool>>()).prop_map(|(call, how)| Step::End(call, how)),
            1 => Just(Step::Revive),
            2 => (0_u64..5_000).prop_map(Step::Wait),
        ]
    }

    /// What a reader of the documentation would write down.
    #[derive(Debug, Default)]
    struct Model {
        in_a_row: u32,
        /// How many quarantines in a row, and how long the last is: microseconds, or calls.
        quarantine: Option<(u32, u64)>,
        waited: u64,
        /// The place in history of the call on trial.
        on_trial: Option<u64>,
    }

    impl Model {
        fn begin(&mut self, id: u64, has_clock: bool) -> bool {
            let Some((_, backoff)) = self.quarantine else {
                return true;
            };
            if self.on_trial.is_some() {
                return false;
            }
            if self.waited < backoff {
                self.waited += u64::from(!has_clock);
                return false;
            }
            self.on_trial = Some(id);
            true
        }

        fn end(&mut self, id: u64, went_well: Option<bool>, has_clock: bool) {
            let is_trial = self.on_trial == Some(id);
            if self.quarantine.is_some() && !is_trial {
                return;
            }
            self.on_trial = None;
            match went_well {
                None => {}
                Some(true) => (self.quarantine, self.in_a_row) = (None, 0),
                Some(false) => {
                    self.in_a_row += 1;
                    let rounds = self.quarantine.map_or(0, |(rounds, _)| rounds) + 1;
                    if is_trial || self.in_a_row >= 3 {
                        let backoff = (2 * 2_u64.saturating_pow(rounds - 1)).min(9);
                        let unit = if has_clock { 1_000 } else { 1 };
                        (self.quarantine, self.waited) = (Some((rounds, backoff * unit)), 0);
                    }
                }
            }
        }
    }

    fn agree(steps: &[Step], has_clock: bool) {
        let (mut state, mut model) = (State::default(), Model::default());
        let (mut now_us, mut running) = (0, Vec::new());
        for (id, step) in (0_u64..).zip(steps) {
            let now = has_clock.then_some(now_us);
            match *step {
                Step::Begin => {
                    let admitted = state.admit(now);
                    assert_eq!(admitted.is_some(), model.begin(id, has_clock), "{model:?}");
                    running.extend(admitted.map(|trial| (id, trial)));
                }
                Step::End(at, how) if at < running.len() => {
                    let (id, trial) = running.remove(at);
                    match how {
                        Some(true) => _ = state.succeed(trial),
                        Some(false) => _ = state.fail(&policy(), now, trial, ("f", "why")),
                        None => state.abandon(trial),
                    }
                    model.end(id, how, has_clock);
                }
                Step::End(..) => {}
                Step::Revive => {
                    assert_eq!(state.close(), model.quarantine.is_some());
                    model = Model::default();
                }
                Step::Wait(us) => {
                    now_us += us;
                    model.waited += if has_clock { us } else { 0 };
                }
            }
            assert_eq!(state.is_open(), model.quarantine.is_some(), "{step:?} {model:?}");
            let status = state.status(has_clock.then_some(now_us));
            let (rounds, backoff) = model.quarantine.unwrap_or_default();
            let left = backoff.saturating_sub(model.waited);
            let until = match (model.on_trial, has_clock) {
                (Some(_), _) => QuarantineEnd::OnTrial,
                (None, true) => QuarantineEnd::AfterMs(left.div_ceil(1_000)),
                (None, false) => QuarantineEnd::AfterCalls(u32::try_from(left).unwrap()),
            };
            let expected = model.quarantine.map(|_| (rounds, model.in_a_row, until));
            assert_eq!(status.map(|s| (s.round, s.failures, s.until)), expected, "{step:?}");
        }
    }

    proptest! {
        #[test]
        fn it_does_what_its_documentation_says(
            steps in prop::collection::vec(step(), 0..200),
            has_clock: bool,
        ) {
            agree(&steps, has_clock);
        }
    }

    #[test]
    fn the_longest_backoff_does_not_overflow() {
        let policy = QuarantinePolicy::after(1)
            .backoff_ms(u64::MAX / 3, u64::MAX)
            .backoff_calls(u32::MAX / 3, u32::MAX);
        for now in [None, Some(u64::MAX)] {
            let mut state = State::default();
            for _ in 0..100 {
                let trial = match state.admit(now) {
                    Some(trial) => trial,
                    None => break,
                };
                assert!(state.fail(&policy, now, trial, ("f", "why")));
            }
            assert!(state.is_open());
        }
    }
}
