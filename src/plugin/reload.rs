//! Another version in the place of the one that is called.
//!
//! All that can fail comes first, beside the version that is called: the new one is admitted, compiled,
//! instantiated, handed the state and tried. Then one lock is taken, the version is replaced, and the
//! pool told its number; from there on every call runs in the new one. Sandboxes of the old one are let
//! go of as [`Pool`](crate::pool::Pool) says, and its code with the last of them.

use super::{Visit, WasmPluginInstance, is_audited, private, versions::Current};
use crate::{
    AuditDecision, Error, ErrorKind, ReloadOptions, StateHandover, VersionChange, VersionRecord,
    WasmInstanceConfig,
    condition::{BUDGETED, HELD_BACK, POOLED, RELOADING, TRAPPED, UNLOADED},
    engine::{Code, Exports, Sandbox, Source, Version},
    host::{Host, PluginContext},
    ledger::{Paid, Resource},
    quarantine::Change,
    report,
    stats::SlotCounts,
    sync::{Arc, AtomicUsize, Once, Ordering, relax},
};
use alloc::{boxed::Box, collections::VecDeque, format, string::ToString, vec::Vec};

/// How many changes are remembered.
const MAX_HISTORY: usize = 16;

/// What is remembered of a plugin's versions.
struct Reloads<H: Host> {
    /// The last changes, the oldest first.
    history: VecDeque<VersionRecord>,
    previous: Option<Arc<Previous<H>>>,
}

/// A version that was replaced.
struct Previous<H: Host> {
    code: Arc<Code<H>>,
    context: Arc<PluginContext<H>>,
    /// The state that it handed over, if it did.
    state: Option<State>,
}

/// What a change of version needs and how it is done.
struct Replacement<'a, H: Host> {
    code: Arc<Code<H>>,
    context: Arc<PluginContext<H>>,
    /// What it is handed instead of what the version before saves.
    state: Option<&'a [u8]>,
    options: &'a ReloadOptions<'a>,
}

/// What came of it.
struct Changed<H: Host> {
    replaced: Previous<H>,
    cancelled_calls: usize,
}

/// The state of a sandbox, and what it takes of the tenant's heap.
struct State {
    bytes: Vec<u8>,
    _paid: Paid,
}

/// A sandbox whose state is handed over, held so that nobody changes it, and the state.
struct Saved<'p, H: Host> {
    visit: Visit<'p, H>,
    state: State,
}

/// The right to change a plugin's version.
struct Turn<'p, H: Host>(&'p WasmPluginInstance<H>);

impl<H: Host> Drop for Turn<'_, H> {
    fn drop(&mut self) {
        self.0.condition.hold(RELOADING, false);
    }
}

impl<H: Host> WasmPluginInstance<H> {
    /// Returns how the plugin came to the version that is called: the load, the reloads and rollbacks, and
    /// the attempts at one. Of these the last 16, the oldest first; nothing once it is unloaded.
    pub fn history(&self) -> Vec<VersionRecord> {
        if self.condition.has(UNLOADED) {
            return Vec::new();
        }
        self.with_reloads(|reloads| reloads.history.iter().cloned().collect())
    }

    /// Puts a version made from `wasm` in the place of the one that is called.
    pub(crate) fn reload(
        &self,
        wasm: &[u8],
        config: WasmInstanceConfig,
        options: &ReloadOptions<'_>,
    ) -> Result<(), Error> {
        let turn = self.take_turn()?;
        let wasm = &*private(wasm, &config).map_err(|error| error.in_plugin(self.name()))?;
        let hash = report::hash(wasm);
        let changed = self.try_reload(wasm, hash, config, options);
        let result = self.remember(VersionChange::Reload, hash, options.keep_previous, changed);
        // Whoever hears of it may reload it.
        drop(turn);
        self.tell_of_change(AuditDecision::Reload, result)
    }

    /// Puts the version that was replaced last in the place of the one that replaced it.
    pub(crate) fn rollback(&self) -> Result<(), Error> {
        let turn = self.take_turn()?;
        let previous = self.with_reloads(|reloads| reloads.previous.clone()).ok_or_else(|| {
            let what = "no version is kept that it could be rolled back to";
            Error::host(ErrorKind::NotFound, what).in_plugin(self.name())
        })?;
        let changed = self.change_version(Replacement {
            code: Arc::clone(&previous.code),
            context: Arc::clone(&previous.context),
            state: previous.state.as_ref().map(|state| &*state.bytes),
            options: &ReloadOptions::default(),
        });
        let hash = previous.context.hash;
        let result = self.remember(VersionChange::Rollback, hash, false, changed);
        drop(turn);
        self.tell_of_change(AuditDecision::Rollback, result)
    }

    fn take_turn(&self) -> Result<Turn<'_, H>, Error> {
        match self.condition.hold(RELOADING, true) {
            false => Ok(Turn(self)),
            true => {
                let what = "it is being reloaded";
                Err(Error::host(ErrorKind::Busy, what).in_plugin(self.name()))
            }
        }
    }

    fn try_reload(
        &self,
        wasm: &[u8],
        hash: [u8; 32],
        config: WasmInstanceConfig,
        options: &ReloadOptions<'_>,
    ) -> Result<Changed<H>, Error> {
        let named = |error: Error| error.in_plugin(self.name());
        self.check_reload(&config, options).map_err(named)?;
        report::check_hash(&hash, &config).map_err(named)?;
        let (code, exports) = {
            let PluginContext { audit, account, .. } = self.identity();
            let source = Source {
                wasm,
                hash: &hash,
                config: &config,
                table: &self.table,
                audited: is_audited(audit),
                account,
                shared: &self.shared,
            };
            Code::compile(&source).map_err(named)?
        };
        let context = self.context_of(hash, config, exports);
        self.change_version(Replacement { code: Arc::new(code), context, state: None, options })
    }

    fn check_reload(
        &self,
        config: &WasmInstanceConfig,
        options: &ReloadOptions<'_>,
    ) -> Result<(), Error> {
        let refused = |what| Err(Error::configuration(ErrorKind::Refused, what));
        let has_clock = self.identity().clock.is_some();
        report::check_config(config, has_clock)?;
        if config.tenant != self.tenant() {
            let (is, given) = (self.tenant(), &config.tenant);
            return refused(format!("the tenant is `{is}`, and cannot become `{given}`"));
        }
        let (most, given) = (self.pool.max_len(), config.max_instances);
        if given as usize > most {
            return refused(format!(
                "`max_instances` is {given}, and cannot become more than the {most} that it was \
                 loaded with"
            ));
        }
        if !has_clock && options.drain_ms.is_some_and(|ms| ms > 0) {
            let what = "`drain_ms` is set and there is no clock: give the registry's builder one, \
                        or set it to 0 or nothing";
            return Err(Error::configuration(ErrorKind::ClockMissing, what));
        }
        let instances = [self.context().config.max_instances, given];
        match instances.into_iter().find(|n| *n != 1) {
            Some(n) if options.state != StateHandover::Fresh => refused(format!(
                "its state can be handed over only where all calls share one: `max_instances` is \
                 {n}, not 1"
            )),
            _ => Ok(()),
        }
    }

    /// What is to be known of a new version: the same as is known of one just like it.
    fn context_of(
        &self,
        hash: [u8; 32],
        config: WasmInstanceConfig,
        exports: Exports,
    ) -> Arc<PluginContext<H>> {
        let previous = self.with_reloads(|reloads| {
            reloads.previous.as_ref().map(|previous| Arc::clone(&previous.context))
        });
        let alike = |context: &PluginContext<H>| context.hash == hash && context.config == config;
        let mut known = previous.into_iter().chain([self.context()]);
        let known = known.find(|context| alike(context));
        if let Some(known) = known.or_else(|| self.known.find(&alike)) {
            return known;
        }
        let identity = self.identity();
        Arc::new(PluginContext {
            id: identity.id,
            name: identity.name.clone(),
            config,
            hash,
            exports,
            host: Arc::clone(&identity.host),
            clock: identity.clock.clone(),
            directory: identity.directory.clone(),
            audit: Arc::clone(&identity.audit),
            function_names: Arc::clone(&identity.function_names),
            account: Arc::clone(&identity.account),
            kept: Once::new(),
        })
    }

    /// Makes and tries the version, and then lets it take over.
    fn change_version(&self, replacement: Replacement<'_, H>) -> Result<Changed<H>, Error> {
        let Replacement { code, context, state, options } = replacement;
        // Only whoever has the turn changes it.
        let number = self.pool.version().saturating_add(1);
        let version = Arc::new(Version::new(number, code, context));
        let saved = self.save_state(&version.context, options)?;
        let (visit, saved) = saved.map(|saved| (saved.visit, saved.state)).unzip();
        let given = state.or(saved.as_ref().map(|state: &State| &*state.bytes));
        if !options.probes.is_empty() {
            let mut draft = self.draft(&version, given)?;
            for (at, probe) in options.probes.iter().enumerate() {
                self.run_probe(&mut draft, at, probe)?;
            }
        }
        let draft = self.draft(&version, given)?;
        let replaced = self.replace_version(version)?;
        match visit {
            // No call comes between the state that was saved and the version that has it.
            Some(visit) => visit.replace(Box::new(draft)),
            None => {
                self.pool.offer(Box::new(draft), Sandbox::adopt);
            }
        }
        self.pool.sweep();
        let cancelled_calls = self.drain(options.drain_ms);
        let (code, context) = (Arc::clone(&replaced.code), Arc::clone(&replaced.context));
        let replaced = Previous { code, context, state: saved };
        Ok(Changed { replaced, cancelled_calls })
    }

    /// Holds the sandbox whose state the version of `next` is to be handed, and saves it.
    fn save_state(
        &self,
        next: &PluginContext<H>,
        options: &ReloadOptions<'_>,
    ) -> Result<Option<Saved<'_, H>>, Error> {
        let context = self.context();
        let is_required = match options.state {
            StateHandover::Fresh => return Ok(None),
            StateHandover::IfExported => false,
            StateHandover::Required => true,
        };
        for (context, function, whose) in
            [(&*context, "soch_save", "old"), (next, "soch_restore", "new")]
        {
            match context.export(function) {
                Some((_, function)) => report::check_byte_function(Some(function)),
                None if !is_required => return Ok(None),
                None => {
                    let what = format!("the {whose} version does not export it");
                    Err(Error::guest(ErrorKind::Refused, what))
                }
            }
            .map_err(|error| self.name_error(error, function))?;
        }
        let mut visit = self.visit_within(options.drain_ms)?;
        let sandbox = visit.sandbox()?;
        let index = self.find_in(sandbox, "soch_save")?;
        let bytes = self.spend("soch_save", sandbox, |sandbox, limits| {
            sandbox.call_bytes(index, &[][..], limits, report::copy)
        })?;
        let paid = Paid::take(self.account(), Resource::HeapBytes, bytes.len());
        let paid =
            paid.map_err(|reached| self.name_error(report::over_quota(&reached), "soch_save"))?;
        Ok(Some(Saved { visit, state: State { bytes, _paid: paid } }))
    }

    /// Holds a slot, whatever keeps calls from the plugin; waits so long for it.
    fn visit_within(&self, ms: Option<u64>) -> Result<Visit<'_, H>, Error> {
        let mut wait = self.wait(ms.unwrap_or(0));
        loop {
            match self.visit_anyway() {
                Some(visit) => return Ok(visit),
                None if wait() => {}
                None => return Err(self.busy()),
            }
        }
    }

    /// Waits a moment with each call, and returns whether so many milliseconds are not over yet.
    fn wait(&self, ms: u64) -> impl FnMut() -> bool {
        let until = self.now_us().map(|now| now.saturating_add(ms.saturating_mul(1_000)));
        move || {
            relax();
            matches!((self.now_us(), until), (Some(now), Some(until)) if now < until)
        }
    }

    /// Lets a version take over; returns the one before.
    fn replace_version(&self, version: Arc<Version<H>>) -> Result<Arc<Version<H>>, Error> {
        let number = version.number;
        let context = Arc::clone(&version.context);
        let config = &version.context.config;
        let len = usize::try_from(config.max_instances).unwrap_or(usize::MAX);
        let (budget, is_pooled) = (config.fuel_budget, config.min_instances > 0);
        let next = Current { version: Some(version), context };
        let mut current = self.current.lock();
        if current.version.is_none() {
            drop(current);
            return Err(self.gone());
        }
        // Before the new version is there, so that what the old one's breaker does ends here.
        let unused = AtomicUsize::new(0);
        if let Some(breaker) = current.version.as_ref().and_then(|old| old.breaker.as_ref()) {
            breaker.change(&self.condition, None, &unused, Change::Retire, &|_, _, _| ());
        }
        for counts in self.pool.counts() {
            counts.trial.store(0, Ordering::Relaxed);
        }
        self.condition.hold(TRAPPED | HELD_BACK, false);
        let replaced = core::mem::replace(&mut *current, next);
        // Under the lock, so that whoever makes a sandbox of the new version finds it called.
        self.pool.call_version(number, len);
        self.condition.hold(BUDGETED, budget.is_some());
        self.condition.hold(POOLED, is_pooled);
        self.budget.store(budget.unwrap_or(u64::MAX), Ordering::Relaxed);
        drop(current);
        replaced.version.ok_or_else(|| self.gone())
    }

    /// Waits until the calls of older versions have ended, and cancels those that have not in time;
    /// returns how many.
    fn drain(&self, ms: Option<u64>) -> usize {
        let Some(ms) = ms else {
            return 0;
        };
        let number = self.pool.version();
        let is_older = |counts: &&SlotCounts| counts.version.load(Ordering::Acquire) != number;
        let mut wait = self.wait(ms);
        loop {
            let mut older = self.pool.counts().filter(is_older);
            if !older.any(|counts| counts.cancel.is_running()) {
                return 0;
            }
            if !wait() {
                break;
            }
        }
        // Its number first: if the call is over by the time that its version is looked at, it is not hit.
        let cancelled = self
            .pool
            .counts()
            .filter(|counts| counts.cancel.cancel_running_if(|| is_older(counts)));
        cancelled.count()
    }

    /// Remembers a change, and the version that was replaced in it, if it is to be kept.
    fn remember(
        &self,
        change: VersionChange,
        module_hash: [u8; 32],
        keep_previous: bool,
        changed: Result<Changed<H>, Error>,
    ) -> Result<(), Error> {
        let at_us = self.now_us();
        let (result, cancelled_calls, replaced) = match changed {
            Ok(changed) => (Ok(()), changed.cancelled_calls, Some(changed.replaced)),
            Err(error) => (Err(error), 0, None),
        };
        let failure = result.as_ref().err().map(|error| (error.kind(), error.to_string()));
        let record = VersionRecord { change, module_hash, at_us, cancelled_calls, failure };
        let is_replaced = replaced.is_some();
        let kept = replaced.filter(|_| keep_previous).map(Arc::new);
        let let_go = self.with_reloads(|reloads| {
            // Whoever unloads says so before it lets go of what is remembered.
            if self.condition.has(UNLOADED) {
                return kept;
            }
            if reloads.history.len() == MAX_HISTORY {
                reloads.history.pop_front();
            }
            reloads.history.push_back(record);
            match is_replaced {
                true => core::mem::replace(&mut reloads.previous, kept),
                false => None,
            }
        });
        // Not under the lock.
        drop(let_go);
        result
    }

    /// Tells how a change went.
    fn tell_of_change(
        &self,
        decision: AuditDecision,
        result: Result<(), Error>,
    ) -> Result<(), Error> {
        match &result {
            Ok(()) => self.record_version(decision, 0),
            Err(error) => {
                self.identity().tell(decision, "", error.kind().name(), -1, 0);
            }
        }
        result
    }

    /// What is remembered: at first, that it was loaded. No code of others runs under the lock.
    fn with_reloads<T>(&self, act: impl FnOnce(&mut Reloads<H>) -> T) -> T {
        let mut kept = self.reloads.lock();
        let reloads = kept.get_or_insert_with(|| Box::new(self.loaded()));
        match reloads.downcast_mut::<Reloads<H>>() {
            Some(reloads) => act(reloads),
            // Cannot be: nothing else is ever put there.
            None => act(&mut self.loaded()),
        }
    }

    /// What there is to remember of a plugin whose version has never changed.
    fn loaded(&self) -> Reloads<H> {
        let current = self.current.lock();
        let record = VersionRecord {
            change: VersionChange::Load,
            module_hash: current.context.hash,
            at_us: None,
            cancelled_calls: 0,
            failure: None,
        };
        Reloads { history: VecDeque::from([record]), previous: None }
    }
}
