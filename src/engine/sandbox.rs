//! One sandbox: a store and an instance, and the calls that run in it.

use super::{
    code::Code,
    compiled::ExportedFunction,
    convention::{Convention, Input},
    driver::Drivers,
    failure::{BadAnswer, Evidence, Failure, setup_failure},
    limiter::Limiter,
    limits::Narrowed,
    rewrite::START_EXPORT,
    run::{Untyped, run_typed, run_untyped},
    signature::{Params, Results},
    store::StoreData,
    values::{CallValues, lift, lower, placeholder},
    version::Version,
};
use crate::{
    ResetPolicy, WasmValue, WasmValues,
    host::Host,
    ledger::Reached,
    pool::Versioned,
    schedule::First,
    stats::SlotCounts,
    sync::{Arc, Ordering},
};
use alloc::{boxed::Box, vec::Vec};
use core::any::Any;
use wasmi::{Extern, Func, Instance, Store, TypedFunc};

/// One call in so many is timed as a whole, beginning with a sandbox's first.
const TIMED_EVERY: u32 = 256;

/// An instance with a store of its own, linked and started.
///
/// A sandbox is given back to its plugin after a call, unless [`is_usable`](Self::is_usable) says
/// otherwise: nothing is ever called in a guest that trapped or was stopped midway.
pub(crate) struct Sandbox<H: Host> {
    pub(super) store: Store<StoreData<H>>,
    convention: Option<Convention>,
    pub(super) instance: Instance,
    version: Arc<Version<H>>,
    /// The number of the version.
    number: usize,
    outlasts_calls: bool,
    /// The exported functions, in the order of `version.context.exports`.
    pub(super) functions: Box<[Func]>,
    /// The typed form of each exported function, made on first use: a `TypedFunc` of some type. Empty
    /// before that.
    typed: Box<[Option<Box<dyn Any + Send + Sync>>]>,
    /// What calls functions in batches, once there was one.
    pub(super) drivers: Option<Box<Drivers>>,
    /// Whether a call is running, was stopped midway, or unwound; or no further one is to run.
    pub(super) midway: bool,
    /// The function that was looked up last.
    last_found: usize,
    /// The fuel that the last call spent.
    spent: u64,
    /// How many calls have begun, start function included; every so many are timed as a whole.
    pub(super) calls: u32,
    pub(super) idle: Idle,
}

/// How long nothing has been called in a sandbox, by those who looked.
#[derive(Default)]
pub(super) struct Idle {
    /// How many calls had begun when somebody looked.
    pub(super) calls: u32,
    /// How often nothing had been called since.
    pub(super) looks: u32,
}

impl<H: Host> Versioned for Sandbox<H> {
    #[inline]
    fn version(&self) -> usize {
        self.number
    }

    fn is_ready(&self) -> bool {
        self.is_usable()
    }
}

impl<H: Host> Sandbox<H> {
    /// Makes an instance and runs its start function, under a call's limits.
    pub(crate) fn start(
        version: &Arc<Version<H>>,
        counts: &Arc<SlotCounts>,
    ) -> Result<Self, (Failure, Box<Evidence>)> {
        let mut sandbox =
            Self::instantiate(version, counts).map_err(|failure| (failure, Box::default()))?;
        match sandbox.run_start_function() {
            Ok(()) => Ok(sandbox),
            Err(failure) => Err((failure, sandbox.evidence())),
        }
    }

    /// Makes an instance, whose start function is still to run.
    pub(crate) fn instantiate(
        version: &Arc<Version<H>>,
        counts: &Arc<SlotCounts>,
    ) -> Result<Self, Failure> {
        let Version { code, context, .. } = &**version;
        let limiter = Limiter::new(Arc::clone(&context.account), code.weight.clone())
            .inspect_err(|reached| context.tell_quota(reached, None))?;
        counts.sandboxes.add(1);
        counts.version.store(version.number, Ordering::Release);
        let data = StoreData::new(Arc::clone(context), Arc::clone(counts), limiter);
        let mut store = Store::new(&code.compiled.engine, data);
        store.limiter(|data| data);
        let mut imports = Vec::with_capacity(code.linked().len());
        for (function, spec) in code.linked() {
            imports.push(Extern::Func(Arc::clone(function).link(&mut store, *spec)));
        }
        let instance = Instance::new(&mut store, &code.compiled.module, &imports);
        store.data_mut().caught.resume();
        let instance = instance.map_err(|error| match store.data().limiter.reached() {
            Some(reached) => reached.into(),
            None => setup_failure(&error),
        })?;
        store.data_mut().limiter.started();
        store.data_mut().memory = instance.get_memory(&store, "memory");
        let mut functions = Vec::with_capacity(context.exports.len());
        for exported in context.exports.iter() {
            let function = instance.get_func(&store, &exported.name);
            functions.push(function.ok_or_else(no_such_export)?);
        }
        Ok(Self {
            convention: None,
            typed: Box::default(),
            drivers: None,
            functions: functions.into(),
            version: Arc::clone(version),
            number: version.number,
            outlasts_calls: context.config.reset == ResetPolicy::OnTrap,
            instance,
            store,
            midway: false,
            last_found: 0,
            spent: 0,
            calls: 0,
            idle: Idle::default(),
        })
    }

    /// Moves it to a slot, which counts what its start has cost.
    pub(crate) fn adopt(&mut self, counts: &Arc<SlotCounts>) {
        let call = &mut self.store.data_mut().call;
        counts.take_start(&call.counts);
        counts.version.store(self.number, Ordering::Release);
        call.move_to(Arc::clone(counts));
    }

    /// Runs the start function as a call.
    fn run_start_function(&mut self) -> Result<(), Failure> {
        let Some(function) = self.start_function()? else {
            return Ok(());
        };
        self.check_rate()?;
        let cancel = Arc::clone(&self.store.data().call.counts.cancel);
        cancel.begin();
        self.begin(None);
        let result =
            run_untyped(&mut self.store, Untyped { function, args: &[], results: &mut [] });
        self.end_outlined();
        self.pay_for_start();
        // The call that the sandbox is made for is still to come.
        cancel.pause();
        match &result {
            Ok(()) => self.midway = false,
            Err(failure) => {
                self.count_stop(failure);
                self.store.data_mut().caught.resume();
            }
        }
        result
    }

    /// Whether there is fuel for a start function, which is paid for when it has run.
    #[inline(never)]
    pub(super) fn check_rate(&self) -> Result<(), Failure> {
        let context = &self.store.data().context;
        context.give_fuel(context.take_fuel(1)?);
        Ok(())
    }

    /// Has the tenant's rate of fuel pay for what the start function spent.
    #[inline(never)]
    pub(super) fn pay_for_start(&self) {
        let context = &self.store.data().context;
        if context.config.enable_fuel {
            context.account.spend_fuel(self.spent);
        }
    }

    pub(super) fn start_function(&self) -> Result<Option<Func>, Failure> {
        if !self.version.code.compiled.has_start {
            return Ok(None);
        }
        let function = self.instance.get_func(&self.store, START_EXPORT);
        function.map(Some).ok_or_else(no_such_export)
    }

    /// The exports of the byte convention, found by the first call that needs them.
    #[inline]
    pub(super) fn convention(&mut self) -> Result<Convention, Failure> {
        if self.convention.is_none() {
            self.convention = Convention::find(&self.store, &self.instance);
        }
        self.convention.ok_or(Failure::BadAnswer(BadAnswer::NoAllocator))
    }

    /// Whether it stays when a call has ended well.
    #[inline]
    pub(crate) fn outlasts_calls(&self) -> bool {
        self.outlasts_calls
    }

    /// Whether further calls may run in it.
    pub(crate) fn is_usable(&self) -> bool {
        !self.midway
    }

    pub(super) fn code(&self) -> &Code<H> {
        &self.version.code
    }

    /// The version of the plugin that it runs.
    #[inline]
    pub(crate) fn version(&self) -> &Arc<Version<H>> {
        &self.version
    }

    /// The index of an exported function. Most look-ups are for the function of the last one.
    #[inline]
    pub(crate) fn find(&mut self, name: &str) -> Option<usize> {
        if self.export(self.last_found).is_none_or(|function| *function.name != *name) {
            self.last_found = self.version.context.export(name)?.0;
        }
        Some(self.last_found)
    }

    pub(crate) fn export(&self, index: usize) -> Option<&ExportedFunction> {
        self.version.context.exports.get(index)
    }

    /// The fuel that the last call spent.
    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }

    /// What the last call leaves for a report.
    ///
    /// Boxed, so that no frame of a call, which may be one of many, has room for it.
    #[cold]
    #[inline(never)]
    pub(crate) fn evidence(&self) -> Box<Evidence> {
        let StoreData { call, limiter, .. } = self.store.data();
        Box::new(Evidence {
            fuel: self.spent,
            memory_bytes: limiter.memory_bytes(),
            host_calls: call.recent.iter().collect(),
            last_log: call.last_log.clone(),
        })
    }

    /// Calls an exported function with values, which must have its parameters' types, and appends
    /// its results to `results`.
    #[inline]
    pub(crate) fn call_values(
        &mut self,
        index: usize,
        args: &[WasmValue],
        results: &mut WasmValues,
        limits: Narrowed<'_>,
    ) -> Result<(), Failure> {
        self.in_call(limits, |sandbox| sandbox.run_values(index, args, results))
    }

    /// Calls an exported function with Rust types, which must be its signature.
    #[inline]
    pub(crate) fn call_typed<P: Params, R: Results>(
        &mut self,
        index: usize,
        params: P,
        limits: Narrowed<'_>,
    ) -> Result<R, Failure> {
        self.in_call(limits, |sandbox| {
            let function = sandbox.resolve::<P, R>(index)?;
            run_typed(&mut sandbox.store, function, params)
        })
    }

    /// Calls a function of the byte convention and hands its answer to `take`.
    pub(crate) fn call_bytes<T>(
        &mut self,
        index: usize,
        input: &(impl Input + ?Sized),
        limits: Narrowed<'_>,
        take: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.in_call(limits, |sandbox| {
            let convention = sandbox.convention()?;
            let function = sandbox.resolve::<(i32, i32), i64>(index)?;
            convention.exchange(&mut sandbox.store, function, input, take)
        })
    }

    /// Runs `body` as one call: one budget and one deadline, booked when it ends.
    #[inline]
    fn in_call<T>(
        &mut self,
        limits: Narrowed<'_>,
        body: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.store.data().call.counts.cancel.begin();
        self.begin(limits);
        match body(self) {
            Ok(value) => {
                self.end_call();
                self.midway = false;
                Ok(value)
            }
            Err(failure) => {
                self.fail_call(&failure);
                Err(failure)
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn fail_call(&mut self, failure: &Failure) {
        let us = self.end_outlined();
        self.book(us);
        self.count_stop(failure);
        self.store.data_mut().caught.resume();
    }

    // Always, as `begin`: a call in between is a tenth of what the library adds to a call.
    #[inline(always)]
    pub(super) fn end_call(&mut self) {
        let us = self.end();
        self.book(us);
    }

    #[inline(always)]
    fn book(&self, us: u64) {
        let call = &self.store.data().call;
        call.counts.cancel.end();
        call.counts.latencies.add(us);
    }

    #[cold]
    #[inline(never)]
    pub(super) fn end_outlined(&mut self) -> u64 {
        self.end()
    }

    #[inline(always)]
    pub(super) fn begin(&mut self, narrowed: Narrowed<'_>) {
        let limits = narrowed.unwrap_or(&self.version.limits);
        self.midway = true;
        let StoreData { context, call, .. } = self.store.data_mut();
        call.begin(limits.tag);
        let slice_fuel = match limits.whole {
            true => limits.fuel,
            false => limits.slice_fuel.min(call.counts.stride.fuel()),
        };
        let slices = (slice_fuel, limits.slice_fuel);
        call.pace.begin(slices, limits.timeout_us, limits.outer_deadline_us);
        call.whole = slice_fuel >= limits.fuel;
        if self.calls.is_multiple_of(TIMED_EVERY) {
            let first = match self.version.code.compiled.has_start {
                _ if self.calls > 0 => None,
                true => Some(First::Start),
                false => Some(First::Call),
            };
            call.pace.start_timing(context.clock(), first);
        }
        self.calls = self.calls.wrapping_add(1);
        let first = call.meter.begin(limits.fuel, slice_fuel);
        if call.meter.is_metered() {
            // Cannot fail: the engine meters exactly if the meter does.
            let _ = self.store.set_fuel(first);
        }
    }

    /// Books what a call spent; returns about how many microseconds it took, rounded up.
    #[inline(always)]
    pub(super) fn end(&mut self) -> u64 {
        let left = match self.store.data().call.meter.is_metered() {
            true => Some(self.store.get_fuel().unwrap_or(0)),
            false => None,
        };
        let StoreData { context, call, .. } = self.store.data_mut();
        self.spent = left.map_or(0, |left| call.meter.spent(left));
        call.pace.finish(context.clock(), self.spent, &call.counts)
    }

    /// The ceiling of the tenant's or the registry's that forbade the last growth, if one did.
    pub(crate) fn reached(&self) -> Option<Box<Reached>> {
        self.store.data().limiter.reached()
    }

    /// What is counted in its slot.
    #[inline]
    pub(crate) fn counts(&self) -> &SlotCounts {
        &self.store.data().call.counts
    }

    /// Counts how the guest was stopped, if it was stopped midway.
    #[cold]
    pub(super) fn count_stop(&mut self, failure: &Failure) {
        let stop = failure.stop();
        self.midway = stop.is_some();
        if let Some(stop) = stop {
            self.store.data().call.counts.traps.add(stop);
        }
    }

    /// Resolves the typed form of a function once.
    #[inline]
    pub(super) fn resolve<P: Params, R: Results>(
        &mut self,
        index: usize,
    ) -> Result<TypedFunc<P, R>, Failure> {
        let known = self.typed.get(index).and_then(Option::as_ref);
        if let Some(typed) = known.and_then(|any| any.downcast_ref::<TypedFunc<P, R>>()) {
            return Ok(*typed);
        }
        self.resolve_anew(index)
    }

    #[cold]
    #[inline(never)]
    fn resolve_anew<P: Params, R: Results>(
        &mut self,
        index: usize,
    ) -> Result<TypedFunc<P, R>, Failure> {
        let function = self.functions.get(index).ok_or_else(no_such_export)?;
        let typed = function.typed::<P, R>(&self.store).map_err(|error| Failure::from(&error))?;
        if self.typed.is_empty() {
            self.typed = self.functions.iter().map(|_| None).collect();
        }
        if let Some(slot) = self.typed.get_mut(index) {
            *slot = Some(Box::new(typed));
        }
        Ok(typed)
    }

    fn run_values(
        &mut self,
        index: usize,
        args: &[WasmValue],
        results: &mut WasmValues,
    ) -> Result<(), Failure> {
        // Filled where they lie: moving them costs more than the call.
        let mut values = CallValues::new();
        let function = self.lower_all(index, args, &mut values)?;
        let (inputs, outputs) = values.split_at_mut_checked(args.len()).unwrap_or_default();
        run_untyped(&mut self.store, Untyped { function, args: inputs, results: outputs })?;
        for value in &*outputs {
            let value = lift(&self.store, value).ok_or_else(no_such_export)?;
            results.push(value).map_err(|_| no_such_export())?;
        }
        Ok(())
    }

    /// Puts the arguments of a function in `values`, and room for its results; returns the function.
    #[inline]
    pub(super) fn lower_all(
        &mut self,
        index: usize,
        args: &[WasmValue],
        values: &mut CallValues,
    ) -> Result<Func, Failure> {
        let function = *self.functions.get(index).ok_or_else(no_such_export)?;
        for arg in args {
            values.push(lower(&mut self.store, *arg)?).map_err(|_| no_such_export())?;
        }
        let types = self.version.context.exports.get(index).map_or(&[][..], |f| &f.results);
        for ty in types {
            values.push(placeholder(*ty)).map_err(|_| no_such_export())?;
        }
        Ok(function)
    }
}

#[cold]
pub(super) fn no_such_export() -> Failure {
    Failure::Engine("no such export".into())
}
