//! What a call may use, and the fuel budget over all calls.

use super::WasmPluginInstance;
use crate::{
    CallOptions, Error, TrapCode,
    condition::{BUDGETED, RATED, TRAPPED},
    engine::{CallLimits, Failure, Narrowed, Sandbox, Version},
    host::{Host, PluginContext},
    sync::Ordering,
};

impl<H: Host> WasmPluginInstance<H> {
    /// Fills the fuel budget up again. Without one, does nothing.
    pub fn refuel(&self) {
        if let Some(budget) = self.context().config.fuel_budget {
            self.budget.store(budget, Ordering::Relaxed);
        }
    }

    /// Returns what is left of the fuel budget; nothing if there is none.
    pub fn fuel_budget_left(&self) -> Option<u64> {
        self.context().config.fuel_budget.map(|_| self.budget.load(Ordering::Relaxed))
    }

    /// Runs `call` on the plugin's budget and reports how it ended.
    #[inline]
    pub(crate) fn spend<T>(
        &self,
        function: &str,
        sandbox: &mut Sandbox<H>,
        call: impl FnOnce(&mut Sandbox<H>, Narrowed<'_>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        match self.spend_limits(function, None, sandbox, call) {
            Ok(value) => Ok(value),
            Err(failure) => Err(self.ended(function, failure, &CallOptions::default(), sandbox)),
        }
    }

    /// As [`spend`](Self::spend), under limits that `options` may narrow.
    #[inline]
    pub(crate) fn spend_options<T>(
        &self,
        function: &str,
        options: &CallOptions,
        sandbox: &mut Sandbox<H>,
        call: impl FnOnce(&mut Sandbox<H>, Narrowed<'_>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let Version { code, context, .. } = &**sandbox.version();
        let narrowed = code.limits(&context.config, options);
        self.spend_within(function, options, &narrowed, sandbox, call)
    }

    /// As [`spend_options`](Self::spend_options), under limits that are not those of one call.
    #[inline]
    pub(crate) fn spend_within<T>(
        &self,
        function: &str,
        options: &CallOptions,
        limits: &CallLimits,
        sandbox: &mut Sandbox<H>,
        call: impl FnOnce(&mut Sandbox<H>, Narrowed<'_>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        match self.spend_limits(function, Some(limits), sandbox, call) {
            Ok(value) => Ok(value),
            Err(failure) => Err(self.ended(function, failure, options, sandbox)),
        }
    }

    /// Runs `call` on as much of what it may use as the fuel budget and the fuel rate allow.
    #[inline]
    pub(crate) fn spend_limits<T>(
        &self,
        function: &str,
        narrowed: Narrowed<'_>,
        sandbox: &mut Sandbox<H>,
        call: impl FnOnce(&mut Sandbox<H>, Narrowed<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let special = self.condition.which(TRAPPED | BUDGETED | RATED);
        let mut reserved = None;
        let narrowed = match special {
            0 => narrowed,
            _ => self.begin_special(narrowed, special, &mut reserved, sandbox.version())?,
        };
        let result = call(sandbox, narrowed);
        if special & (BUDGETED | RATED) != 0 {
            self.end_special(narrowed, sandbox);
        }
        match &result {
            Ok(_) => self.went_well(sandbox),
            Err(failure) => self.stopped(function, failure, narrowed, sandbox),
        }
        result
    }

    /// Begins a call that follows one that trapped, or whose fuel is rationed; puts what it may use then in
    /// `reserved`.
    #[cold]
    #[inline(never)]
    fn begin_special<'l>(
        &self,
        narrowed: Narrowed<'l>,
        special: usize,
        reserved: &'l mut Option<CallLimits>,
        version: &Version<H>,
    ) -> Result<Narrowed<'l>, Failure> {
        self.forget_trap();
        if special & (BUDGETED | RATED) == 0 {
            return Ok(narrowed);
        }
        let limits = narrowed.unwrap_or(&version.limits);
        let fuel = self.take_fuel(limits.fuel, &version.context)?;
        Ok(Some(reserved.insert(CallLimits { fuel, ..*limits })))
    }

    /// Gives back what a call has not used.
    #[cold]
    #[inline(never)]
    fn end_special(&self, narrowed: Narrowed<'_>, sandbox: &Sandbox<H>) {
        let Version { limits, context, .. } = &**sandbox.version();
        let taken = narrowed.unwrap_or(limits).fuel;
        self.give_back(taken.saturating_sub(sandbox.spent()), context);
    }

    /// Says that a call begins: the last one that ended is no longer what there is to tell.
    fn forget_trap(&self) {
        self.condition.hold(TRAPPED, false);
    }

    /// Takes in whether the tenant's fuel has a rate now.
    pub(crate) fn note_rate(&self) {
        let account = &self.identity().account;
        let mut noted = !account.is_rated();
        // Again if it has changed: whoever changed it may have noted it before.
        while noted != account.is_rated() {
            noted = account.is_rated();
            self.condition.hold(RATED, noted);
        }
    }

    /// Takes in how a call in a sandbox failed.
    #[cold]
    pub(crate) fn stopped(
        &self,
        function: &str,
        failure: &Failure,
        narrowed: Narrowed<'_>,
        sandbox: &Sandbox<H>,
    ) {
        let recorded = sandbox.is_nested().then(|| sandbox.recorded());
        self.record_failure(function, sandbox.spent(), failure, recorded);
        // What other plugins of the tenant hold is not this one's doing.
        let is_quota = matches!(failure, Failure::Trap(TrapCode::GrowthOperationLimited))
            && sandbox.reached().is_some();
        if !is_quota {
            let limits = narrowed.unwrap_or(&sandbox.version().limits);
            self.went_wrong(function, failure, limits, sandbox.version(), sandbox.counts());
        }
    }

    /// Begins a call that a frame runs, on up to `fuel`; returns how much of it it may use. What another
    /// plugin calls runs on the fuel that its caller took.
    pub(crate) fn begin_spending(&self, fuel: u64, sandbox: &Sandbox<H>) -> Result<u64, Failure> {
        self.forget_trap();
        let context = &sandbox.version().context;
        match sandbox.is_nested() {
            true => Ok(self.take_of_budget(fuel, context)),
            false => self.take_fuel(fuel, context),
        }
    }

    /// Ends a call that a frame ran, which has not used `fuel`.
    pub(crate) fn end_spending(&self, fuel: u64, sandbox: &Sandbox<H>) {
        let context = &sandbox.version().context;
        match sandbox.is_nested() {
            true => self.give_to_budget(fuel, context),
            false => self.give_back(fuel, context),
        }
    }

    /// Takes fuel out of the rate and the budget, or as much as is left in the budget.
    fn take_fuel(&self, fuel: u64, context: &PluginContext<H>) -> Result<u64, Failure> {
        let of_rate = context.take_fuel(fuel)?;
        let fuel = self.take_of_budget(of_rate, context);
        context.give_fuel(of_rate.saturating_sub(fuel));
        Ok(fuel)
    }

    /// Takes fuel out of the budget, or as much as is left.
    fn take_of_budget(&self, fuel: u64, context: &PluginContext<H>) -> u64 {
        match context.config.fuel_budget {
            Some(_) => self.change_budget(&|left| left.saturating_sub(fuel)).min(fuel),
            None => fuel,
        }
    }

    /// Returns what a call has not used.
    #[inline(never)]
    fn give_back(&self, fuel: u64, context: &PluginContext<H>) {
        context.give_fuel(fuel);
        self.give_to_budget(fuel, context);
    }

    /// Returns what a call has not used to the budget, which may have been filled up meanwhile.
    fn give_to_budget(&self, fuel: u64, context: &PluginContext<H>) {
        if let Some(full) = context.config.fuel_budget {
            self.change_budget(&|left| left.saturating_add(fuel).min(full));
        }
    }

    /// Changes what is left of the budget; returns what was left before.
    // Once for all changes: where there are no 64-bit atomics, this is the longest part of them.
    #[inline(never)]
    fn change_budget(&self, change: &dyn Fn(u64) -> u64) -> u64 {
        let changed = self
            .budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(change(left)));
        // Cannot fail: the closure always answers.
        changed.unwrap_or_else(|left| left)
    }
}
