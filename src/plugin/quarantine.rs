//! How the calls of a plugin put it in quarantine, and out again.

use super::WasmPluginInstance;
use crate::{
    Error, ErrorKind, Quarantine, TrapCode, WasmValue, WasmValues,
    condition::{FAILING, NOT_READY, QUARANTINED},
    engine::{CallLimits, Failure, Sandbox, Version},
    host::{Host, HostError},
    quarantine::{Change, Changed},
    report,
    schedule::Timer,
    stats::SlotCounts,
    sync::AtomicUsize,
    value::filled,
};

impl<H: Host> WasmPluginInstance<H> {
    /// Returns why the plugin is in quarantine, and until when; nothing if it is not.
    pub fn quarantine(&self) -> Option<Quarantine> {
        let now_us = self.now_us();
        self.try_version()?.breaker.as_ref()?.status(now_us)
    }

    /// Ends the quarantine, and forgets the failures that led to it; returns whether there was one.
    pub fn revive(&self) -> bool {
        self.change_current(&AtomicUsize::new(0), Change::Revive) == Changed::Closed
    }

    /// Calls a function by name, as [`call`](Self::call) does; returns `fallback` at once if the plugin
    /// is in quarantine. That allocates nothing.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), but for [`ErrorKind::Quarantined`];
    /// [`ErrorKind::SignatureMismatch`] if `fallback` is not of the results' number and types.
    pub fn call_or(
        &self,
        function: &str,
        args: &[WasmValue],
        fallback: &[WasmValue],
    ) -> Result<WasmValues, Error> {
        let context = self.context();
        report::check_fallback(context.export(function).map(|(_, function)| function), fallback)
            .map_err(|error| self.name_error(error, function))?;
        filled(|results| match self.try_visit() {
            Ok(mut visit) => {
                let sandbox = visit.sandbox()?;
                let index = self.find_in(sandbox, function)?;
                self.call_values(function, sandbox, index, args, results)
            }
            Err(ErrorKind::Quarantined) => {
                results.extend(fallback.iter().copied());
                Ok(())
            }
            Err(kind) => Err(self.unavailable(kind)),
        })
    }

    #[cold]
    pub(super) fn refused_in_quarantine(&self) -> Error {
        let now_us = self.now_us();
        let version = self.try_version();
        let breaker = version.as_ref().and_then(|version| version.breaker.as_ref());
        let words = breaker.map(|breaker| breaker.words(now_us)).unwrap_or_default();
        Error::guest(ErrorKind::Quarantined, words).in_plugin(self.name())
    }

    /// Whether a call in the slot of `counts` may run although the plugin is in quarantine: if it is
    /// the trial, or becomes it.
    pub(super) fn is_let_in(&self, counts: &SlotCounts) -> bool {
        self.change_current(&counts.trial, Change::Begin) != Changed::Refused
    }

    /// Takes in that a call in a sandbox went well.
    #[inline]
    pub(crate) fn went_well(&self, sandbox: &Sandbox<H>) {
        if self.condition.has(QUARANTINED | FAILING) {
            self.change(sandbox.version(), &sandbox.counts().trial, Change::WentWell);
        }
    }

    /// Takes in how a call in the slot of `counts` failed, which could use `limits`.
    #[cold]
    pub(super) fn went_wrong(
        &self,
        function: &str,
        failure: &Failure,
        limits: &CallLimits,
        version: &Version<H>,
        counts: &SlotCounts,
    ) {
        let change = match (failure, own_doing(failure, limits, &version.limits)) {
            // While it is being loaded, a failure is the load's.
            _ if self.condition.has(NOT_READY) => return,
            // It has run to its end.
            (Failure::Status(_), _) => Change::WentWell,
            (_, Some(reason)) => Change::Failed(function, reason),
            (_, None) => return,
        };
        self.change(version, &counts.trial, change);
    }

    /// Takes in that the slot of `counts` is left.
    #[inline]
    pub(super) fn leave(&self, counts: &SlotCounts) {
        if self.condition.has(QUARANTINED) {
            self.change_current(&counts.trial, Change::Left);
        }
    }

    /// Takes in what happened to a call in the version that is called.
    #[cold]
    #[inline(never)]
    fn change_current(&self, trial: &AtomicUsize, change: Change<'_>) -> Changed {
        match self.try_version() {
            Some(version) => self.change(&version, trial, change),
            None => Changed::Nothing,
        }
    }

    /// Takes in what happened to a call in a version.
    #[cold]
    #[inline(never)]
    fn change(&self, version: &Version<H>, trial: &AtomicUsize, change: Change<'_>) -> Changed {
        let Some(breaker) = &version.breaker else {
            return Changed::Nothing;
        };
        let tell = |decision, function: &str, resource: &str| {
            self.identity().tell(decision, function, resource, 0, 0);
        };
        breaker.change(&self.condition, self.now_us(), trial, change, &tell)
    }

    pub(super) fn now_us(&self) -> Option<u64> {
        self.identity().clock().map(Timer::now_us)
    }
}

/// How a call failed that could use `limits`, if that is the doing of the plugin, whose calls may use
/// `full`.
fn own_doing(failure: &Failure, limits: &CallLimits, full: &CallLimits) -> Option<&'static str> {
    match failure {
        Failure::Trap(TrapCode::OutOfSystemMemory) => None,
        Failure::Trap(code) => Some(code.text()),
        Failure::OutOfFuel if limits.fuel >= full.fuel => Some("out of fuel"),
        Failure::Deadline if limits.has_timeout_of(full) => Some("past its deadline"),
        Failure::Host { error: HostError::Denied, .. } => Some("a grant is missing"),
        Failure::Invalid(_) => Some("invalid code"),
        _ => None,
    }
}
