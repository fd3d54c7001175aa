//! One sandbox: a store and an instance, and the calls that run in it.

use super::{
    code::{Code, ExportedFunction},
    convention::{Convention, Input},
    failure::{BadAnswer, Evidence, Failure},
    rewrite::START_EXPORT,
    run::{run, run_typed, untyped},
    signature::{Params, Results},
    store::StoreData,
    values::{lift, lower, placeholder},
};
use crate::{
    ErrorKind, HostError, TrapCode, WasmValue, WasmValues,
    audit::Recorded,
    host::{Chain, Host, PluginContext},
    schedule::{First, Pace, SLICE_FUEL},
    stats::{SlotCounts, Stop},
    sync::Arc,
    value::MAX_VALUES,
};
use alloc::{boxed::Box, format};
use core::any::Any;
use wasmi::{Extern, Func, Instance, Memory, Store, TypedFunc};

/// One call in so many is timed as a whole, beginning with a sandbox's first.
const TIMED_EVERY: u32 = 64;

/// What a call may use.
#[derive(Debug, Clone)]
pub(crate) struct CallLimits<'c> {
    pub(crate) fuel: u64,
    pub(crate) timeout_us: u64,
    pub(crate) tag: u64,
    pub(crate) slice_fuel: u64,
    /// When the caller's own call must have ended, for a nested call.
    pub(crate) deadline_us: Option<u64>,
    /// The plugins that led to a nested call.
    pub(crate) chain: Option<&'c Chain>,
    /// How many decisions of a nested call's callers went to the audit ring.
    pub(crate) recorded: Option<&'c Recorded>,
}

/// An instance with a store of its own, linked and started.
///
/// A sandbox is given back to its plugin after a call, unless [`is_usable`](Self::is_usable) says
/// otherwise: nothing is ever called in a guest that trapped or was stopped midway.
pub(crate) struct Sandbox<H: Host> {
    store: Store<StoreData<H>>,
    convention: Option<Convention>,
    instance: Instance,
    code: Arc<Code<H>>,
    /// The exported functions, in the order of `code.functions()`.
    functions: Box<[Func]>,
    /// The typed form of each exported function, made on first use: a `TypedFunc` of some type.
    typed: Box<[Option<Box<dyn Any + Send + Sync>>]>,
    /// Whether a call is running, was stopped midway, or unwound.
    midway: bool,
    /// How many calls have begun, start function included; every so many are timed as a whole.
    calls: u32,
}

impl<H: Host> Sandbox<H> {
    /// Makes an instance and runs its start function, under a call's limits.
    pub(crate) fn start(
        code: &Arc<Code<H>>,
        context: &Arc<PluginContext<H>>,
        counts: &Arc<SlotCounts>,
    ) -> Result<Self, (Failure, Box<Evidence>)> {
        let mut sandbox = Self::instantiate(code, context, counts)
            .map_err(|failure| (failure, Box::default()))?;
        match sandbox.run_start_function() {
            Ok(()) => Ok(sandbox),
            Err((spent, failure)) => Err((failure, sandbox.evidence(spent))),
        }
    }

    fn instantiate(
        code: &Arc<Code<H>>,
        context: &Arc<PluginContext<H>>,
        counts: &Arc<SlotCounts>,
    ) -> Result<Self, Failure> {
        counts.sandboxes.add(1);
        let data = StoreData::new(Arc::clone(context), Arc::clone(counts));
        let mut store = Store::new(&code.engine, data);
        store.limiter(|data| &mut data.limiter);
        let instance = code.linker.instantiate_and_start(&mut store, &code.module);
        let instance = instance.map_err(|error| setup_failure(&error))?;
        store.data_mut().limiter.started();
        store.data_mut().memory = instance.get_memory(&store, "memory");
        let functions: Option<Box<[Func]>> =
            code.functions().iter().map(|f| instance.get_func(&store, &f.name)).collect();
        let functions = functions.ok_or_else(|| Failure::Engine("an export is missing".into()))?;
        Ok(Self {
            convention: Convention::find(&store, &instance),
            typed: functions.iter().map(|_| None).collect(),
            functions,
            code: Arc::clone(code),
            instance,
            store,
            midway: false,
            calls: 0,
        })
    }

    /// Runs the start function as a call; an error has what it spent.
    fn run_start_function(&mut self) -> Result<(), (u64, Failure)> {
        if !self.code.has_start {
            return Ok(());
        }
        let function = self.instance.get_typed_func::<(), ()>(&self.store, START_EXPORT);
        let function = function.map_err(|error| (0, Failure::from(&error)))?;
        let config = &self.store.data().context.config;
        let limits = CallLimits {
            fuel: config.capabilities.fuel_limit,
            timeout_us: config.timeout_us(),
            tag: 0,
            slice_fuel: SLICE_FUEL,
            deadline_us: None,
            chain: None,
            recorded: None,
        };
        self.begin(&limits);
        let result = run_typed(&mut self.store, function, ());
        let (spent, _) = self.end(result.as_ref().err());
        result.map_err(|failure| (spent, failure))
    }

    /// Whether further calls may run in it.
    pub(crate) fn is_usable(&self) -> bool {
        !self.midway
    }

    pub(crate) fn code(&self) -> &Arc<Code<H>> {
        &self.code
    }

    pub(crate) fn export(&self, index: usize) -> Option<&ExportedFunction> {
        self.code.functions().get(index)
    }

    /// What the last call, which spent `fuel`, leaves for a report.
    ///
    /// Boxed, so that no frame of a call, which may be one of many, has room for it.
    #[cold]
    #[inline(never)]
    pub(crate) fn evidence(&self, fuel: u64) -> Box<Evidence> {
        let StoreData { call, limiter, .. } = self.store.data();
        Box::new(Evidence {
            fuel,
            memory_bytes: limiter.memory_bytes(),
            host_calls: call.recent.iter().collect(),
            last_log: call.last_log.clone(),
        })
    }

    /// Calls an exported function with values, which must have its parameters' types. Returns the
    /// fuel spent and the results.
    pub(crate) fn call_values(
        &mut self,
        index: usize,
        args: &[WasmValue],
        limits: &CallLimits<'_>,
    ) -> (u64, Result<WasmValues, Failure>) {
        self.in_call(limits, |sandbox| sandbox.run_values(index, args))
    }

    /// Calls an exported function with Rust types, which must be its signature.
    #[inline]
    pub(crate) fn call_typed<P: Params, R: Results>(
        &mut self,
        index: usize,
        params: P,
        limits: &CallLimits<'_>,
    ) -> (u64, Result<R, Failure>) {
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
        limits: &CallLimits<'_>,
        take: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> (u64, Result<T, Failure>) {
        self.in_call(limits, |sandbox| {
            let convention =
                sandbox.convention.ok_or(Failure::BadAnswer(BadAnswer::NoAllocator))?;
            let function = sandbox.resolve::<(i32, i32), i64>(index)?;
            convention.exchange(&mut sandbox.store, function, input, take)
        })
    }

    /// Runs `body` as one call: one budget and one deadline, booked when it ends.
    #[inline]
    fn in_call<T>(
        &mut self,
        limits: &CallLimits<'_>,
        body: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> (u64, Result<T, Failure>) {
        self.begin(limits);
        let result = body(self);
        let (spent, us) = self.end(result.as_ref().err());
        let call = &self.store.data().call;
        call.counts.latencies.add(us);
        if let Some(outer) = limits.recorded {
            outer.set_to(Some(&call.recorded));
        }
        if result.is_err() {
            self.store.data_mut().caught.resume();
        }
        (spent, result)
    }

    #[inline]
    fn begin(&mut self, limits: &CallLimits<'_>) {
        self.midway = true;
        let StoreData { context, call, .. } = self.store.data_mut();
        call.pace = Pace::new(limits.slice_fuel, limits.timeout_us, limits.deadline_us);
        if self.calls.is_multiple_of(TIMED_EVERY) {
            let first = match self.code.has_start {
                _ if self.calls > 0 => None,
                true => Some(First::Start),
                false => Some(First::Call),
            };
            call.pace.start_timing(context.clock(), first);
        }
        self.calls = self.calls.wrapping_add(1);
        call.tag = limits.tag;
        match limits.chain {
            Some(chain) => call.chain.clone_from(chain),
            None if call.chain.is_empty() => {}
            None => call.chain = Chain::default(),
        }
        call.clear();
        call.recorded.set_to(limits.recorded);
        let first = call.meter.begin(limits.fuel, limits.slice_fuel);
        if call.meter.is_metered() {
            // Cannot fail: the engine meters exactly if the meter does.
            let _ = self.store.set_fuel(first);
        }
    }

    /// Books a call; returns the fuel spent and about how many microseconds it took, rounded up.
    #[inline]
    fn end(&mut self, failure: Option<&Failure>) -> (u64, u64) {
        let left = match self.store.data().call.meter.is_metered() {
            true => Some(self.store.get_fuel().unwrap_or(0)),
            false => None,
        };
        let StoreData { context, call, .. } = self.store.data_mut();
        let spent = left.map_or(0, |left| call.meter.spent(left));
        let us = call.pace.finish(context.clock(), spent, &call.counts);
        call.counts.fuel.add(spent);
        let stop = failure.and_then(Failure::stop);
        self.midway = stop.is_some();
        if let Some(stop) = stop {
            call.counts.traps.add(stop);
        }
        (spent, us)
    }

    /// Resolves the typed form of a function once.
    #[inline]
    fn resolve<P: Params, R: Results>(&mut self, index: usize) -> Result<TypedFunc<P, R>, Failure> {
        let slot = self.typed.get_mut(index).ok_or_else(no_such_export)?;
        if let Some(typed) = slot.as_ref().and_then(|any| any.downcast_ref::<TypedFunc<P, R>>()) {
            return Ok(*typed);
        }
        let function = self.functions.get(index).ok_or_else(no_such_export)?;
        let typed = function.typed::<P, R>(&self.store).map_err(|error| Failure::from(&error))?;
        *slot = Some(Box::new(typed));
        Ok(typed)
    }

    fn run_values(&mut self, index: usize, args: &[WasmValue]) -> Result<WasmValues, Failure> {
        let function = *self.functions.get(index).ok_or_else(no_such_export)?;
        let mut inputs = heapless::Vec::<_, MAX_VALUES>::new();
        for arg in args {
            let value = lower(&mut self.store, *arg)?;
            inputs.push(value).map_err(|_| no_such_export())?;
        }
        let results = self.code.functions().get(index).map_or(&[][..], |f| &f.results);
        let mut outputs: heapless::Vec<_, MAX_VALUES> =
            results.iter().copied().map(placeholder).collect();
        let first = function.call_resumable(&mut self.store, &inputs, &mut outputs);
        let first = untyped(first, &mut outputs)?;
        run(&mut self.store, first)?;
        let values: Option<WasmValues> =
            outputs.iter().map(|value| lift(&self.store, value)).collect();
        values.ok_or_else(no_such_export)
    }

    /// Reads an exported memory. `false` if the range is not inside; nothing if there is no such
    /// memory.
    pub(crate) fn read(&self, memory: &str, offset: u64, into: &mut [u8]) -> Option<bool> {
        let memory = self.memory(memory)?;
        let read = usize::try_from(offset).map(|at| memory.read(&self.store, at, into).is_ok());
        Some(read.unwrap_or(false))
    }

    /// Writes an exported memory. Answers as [`read`](Self::read).
    pub(crate) fn write(&mut self, memory: &str, offset: u64, bytes: &[u8]) -> Option<bool> {
        let memory = self.memory(memory)?;
        let written =
            usize::try_from(offset).map(|at| memory.write(&mut self.store, at, bytes).is_ok());
        Some(written.unwrap_or(false))
    }

    /// The size of an exported memory in bytes.
    pub(crate) fn memory_bytes(&self, memory: &str) -> Option<u64> {
        Some(self.memory(memory)?.data_size(&self.store) as u64)
    }

    /// Grows an exported memory and returns its former size in pages; `Some(None)` if a limit
    /// forbids it.
    pub(crate) fn grow(&mut self, memory: &str, pages: u64) -> Option<Option<u64>> {
        let memory = self.memory(memory)?;
        Some(memory.grow(&mut self.store, pages).ok())
    }

    /// The value of an exported global, if it is of a type that a host gets.
    pub(crate) fn global(&self, name: &str) -> Option<WasmValue> {
        let global = self.instance.get_global(&self.store, name)?;
        lift(&self.store, &global.get(&self.store))
    }

    fn memory(&self, name: &str) -> Option<Memory> {
        self.instance.get_export(&self.store, name).and_then(Extern::into_memory)
    }
}

impl Failure {
    /// Whether the guest was stopped before it had returned.
    pub(crate) fn is_midway(&self) -> bool {
        self.stop().is_some()
    }

    /// How the guest was stopped, if it was stopped before it had returned.
    #[cold]
    fn stop(&self) -> Option<Stop> {
        match self {
            Self::Trap(code) => Some(Stop::trap(*code)),
            Self::OutOfFuel => Some(Stop::of(ErrorKind::OutOfFuel)),
            Self::Deadline => Some(Stop::of(ErrorKind::Deadline)),
            Self::Host { error: HostError::Denied, .. } => Some(Stop::of(ErrorKind::Denied)),
            Self::Host { .. } | Self::Engine(_) => Some(Stop::of(ErrorKind::Host)),
            Self::Invalid(_) => Some(Stop::of(ErrorKind::InvalidModule)),
            Self::BadAnswer(_)
            | Self::Status(_)
            | Self::AnswerTooLong { .. }
            | Self::Setup { .. }
            | Self::TooManyExternRefs => None,
        }
    }
}

#[cold]
fn no_such_export() -> Failure {
    Failure::Engine("no such export".into())
}

/// Why an instance cannot be made.
fn setup_failure(error: &wasmi::Error) -> Failure {
    use wasmi::errors::{ErrorKind, InstantiationError as Instantiation};
    match error.kind() {
        _ if error.as_trap_code().is_some() => error.into(),
        ErrorKind::Instantiation(Instantiation::ElementSegmentDoesNotFit { .. }) => {
            Failure::Trap(TrapCode::TableOutOfBounds)
        }
        ErrorKind::Instantiation(
            Instantiation::FailedToInstantiateMemory(_)
            | Instantiation::FailedToInstantiateTable(_)
            | Instantiation::TooManyMemories
            | Instantiation::TooManyTables,
        ) => Failure::Setup { message: format!("{error}"), limit: true },
        _ => Failure::Setup { message: format!("{error}"), limit: false },
    }
}
