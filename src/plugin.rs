//! One loaded plugin: its state, its calls, its statistics.

mod draft;
mod maintenance;
mod quarantine;
mod recording;
mod reload;
mod sandboxes;
mod spending;
mod statistics;
mod versions;

pub(crate) use self::{
    maintenance::{Idle, Prepared},
    sandboxes::Visit,
};

use self::versions::{Current, FIRST, Known};

use crate::{
    AuditLevel, AuditLog, CallOptions, CodeSharing, Error, ErrorKind, PluginLease,
    WasmInstanceConfig, WasmPluginState, WasmValue, WasmValues,
    condition::{BUDGETED, Condition, NOT_READY, POOLED, QUARANTINED, TRAPPED, UNLOADED},
    engine::{Code, Evidence, Exports, Failure, Sandbox, SharedCode, Source, Version},
    host::{Host, HostFunctions, PluginContext},
    ledger::{Account, Resource},
    origin::Origin,
    pool::Pool,
    report,
    stats::SlotCounts,
    sync::{Arc, AtomicU64, HighWater, Mutex, Once, Ordering},
    value::filled,
};
use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::any::Any;

/// One loaded plugin.
///
/// It may be called from several threads at once: up to
/// [`max_instances`](WasmInstanceConfig::max_instances) calls run in parallel, each in a sandbox of
/// its own; one more is refused with [`ErrorKind::Busy`]. A handle outlives its registry and still
/// works.
pub struct WasmPluginInstance<H: Host = crate::EmbeddedHost> {
    known: Known<H>,
    table: Arc<HostFunctions<H>>,
    /// The code that its versions may share.
    shared: SharedCode,
    current: Mutex<Current<H>>,
    pool: Pool<Sandbox<H>, SlotCounts>,
    condition: Condition,
    /// What is left of the fuel over all calls.
    budget: AtomicU64,
    /// The longest times that statistics have told: a better estimate never takes them back.
    told_execution_us: HighWater,
    told_call_us: HighWater,
    /// What is remembered of its versions, once there is something.
    // Behind a pointer, so that it is linked only where plugins are reloaded.
    reloads: Mutex<Option<Box<dyn Any + Send + Sync>>>,
}

impl<H: Host> WasmPluginInstance<H> {
    /// A plugin that `account` has been charged for, which it gives back when it goes.
    pub(crate) fn build(
        name: &str,
        wasm: &[u8],
        config: WasmInstanceConfig,
        origin: &Origin<H>,
        account: Arc<Account>,
    ) -> Result<Self, Error> {
        let (hash, code, exports) = Self::check(name, wasm, &config, origin, &account)
            .map_err(|error| error.in_plugin(name))?;
        let slots = usize::try_from(config.max_instances).unwrap_or(usize::MAX);
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let budget = config.fuel_budget.unwrap_or(u64::MAX);
        let condition = Condition::new();
        condition.hold(BUDGETED, config.fuel_budget.is_some());
        condition.hold(POOLED, config.min_instances > 0);
        let context = Arc::new(PluginContext {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            config,
            hash,
            exports,
            host: Arc::clone(&origin.host),
            clock: origin.clock.clone(),
            directory: origin.directory.clone(),
            audit: Arc::clone(&origin.audit),
            function_names: Arc::clone(&origin.table) as _,
            account,
            kept: Once::new(),
        });
        Ok(Self {
            known: Known::new(Arc::clone(&context)),
            table: Arc::clone(&origin.table),
            shared: origin.shared.clone(),
            pool: Pool::new(slots, FIRST, || SlotCounts::new(origin.table.len())),
            condition,
            current: Mutex::new(Current {
                version: Some(Arc::new(Version::new(FIRST, Arc::new(code), Arc::clone(&context)))),
                context,
            }),
            budget: AtomicU64::new(budget),
            told_execution_us: HighWater::default(),
            told_call_us: HighWater::default(),
            reloads: Mutex::default(),
        })
    }

    /// Checks name, configuration, hash and module, and compiles it.
    fn check(
        name: &str,
        wasm: &[u8],
        config: &WasmInstanceConfig,
        origin: &Origin<H>,
        account: &Arc<Account>,
    ) -> Result<([u8; 32], Code<H>, Exports), Error> {
        report::check_plugin_name(name)?;
        report::check_config(config, origin.clock.is_some())?;
        let wasm = &*private(wasm, config)?;
        let hash = report::hash(wasm);
        report::check_hash(&hash, config)?;
        let (code, exports) = Code::compile(&Source {
            wasm,
            hash: &hash,
            config,
            table: &origin.table,
            audited: is_audited(&origin.audit),
            account,
            shared: &origin.shared,
        })?;
        Ok((hash, code, exports))
    }

    /// Makes the first sandbox and runs its start function; calls are accepted from here on. Does
    /// nothing if that is done already.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Trap`], [`ErrorKind::OutOfFuel`] or [`ErrorKind::Deadline`] if the start
    /// function fails or a segment does not fit; [`ErrorKind::LimitExceeded`] if there is no memory.
    pub fn init(&self) -> Result<(), Error> {
        if !self.condition.has(NOT_READY) {
            return Ok(());
        }
        self.note_rate();
        self.make_first()?;
        self.condition.hold(NOT_READY, false);
        Ok(())
    }

    /// Returns the plugin's name.
    pub fn name(&self) -> &str {
        &self.identity().name
    }

    /// Returns the tenant the plugin belongs to.
    pub fn tenant(&self) -> &str {
        &self.identity().config.tenant
    }

    /// Returns where the plugin is in its life, as of now.
    pub fn state(&self) -> WasmPluginState {
        let in_use = self.pool.is_in_use();
        match self.condition.has(UNLOADED) {
            true if in_use => WasmPluginState::Unloading,
            true => WasmPluginState::Unloaded,
            false if self.condition.has(NOT_READY) => WasmPluginState::Loading,
            false if self.condition.has(QUARANTINED) => WasmPluginState::Trapped,
            false if in_use => WasmPluginState::Executing,
            false if self.condition.has(TRAPPED) => WasmPluginState::Trapped,
            false => WasmPluginState::Ready,
        }
    }

    /// Calls a function by name, in whichever sandbox is free, and returns its results.
    ///
    /// A call that succeeds allocates nothing once the sandbox is warm.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FunctionNotFound`], [`ErrorKind::SignatureMismatch`] if the arguments are not
    /// of the parameters' number and types, [`ErrorKind::Busy`], [`ErrorKind::NotReady`],
    /// [`ErrorKind::Unloaded`]; [`ErrorKind::Trap`], [`ErrorKind::OutOfFuel`],
    /// [`ErrorKind::Deadline`], [`ErrorKind::Denied`], [`ErrorKind::Host`] as the call ends.
    pub fn call(&self, function: &str, args: &[WasmValue]) -> Result<WasmValues, Error> {
        filled(|results| {
            self.in_sandbox(function, |sandbox, index| {
                self.call_values(function, sandbox, index, args, results)
            })
        })
    }

    #[inline]
    fn call_values(
        &self,
        function: &str,
        sandbox: &mut Sandbox<H>,
        index: usize,
        args: &[WasmValue],
        results: &mut WasmValues,
    ) -> Result<(), Error> {
        report::check_arguments(sandbox.export(index), args)
            .map_err(|error| self.name_error(error, function))?;
        self.spend(function, sandbox, |sandbox, limits| {
            sandbox.call_values(index, args, results, limits)
        })
    }

    /// Calls a function by name, under limits that `options` may narrow.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_with(
        &self,
        function: &str,
        args: &[WasmValue],
        options: CallOptions,
    ) -> Result<WasmValues, Error> {
        filled(|results| {
            self.in_sandbox(function, |sandbox, index| {
                report::check_arguments(sandbox.export(index), args)
                    .map_err(|error| self.name_error(error, function))?;
                self.spend_options(function, &options, sandbox, |sandbox, limits| {
                    sandbox.call_values(index, args, results, limits)
                })
            })
        })
    }

    /// Hands `input` to a function of the byte convention and returns its answer.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call); [`ErrorKind::BadGuestAnswer`] if the plugin breaks the convention or
    /// answers a status ([`Error::guest_status`]).
    pub fn call_bytes(&self, function: &str, input: &[u8]) -> Result<Vec<u8>, Error> {
        self.exchange_bytes(function, input, report::copy)
    }

    /// Hands `input` to a function of the byte convention, writes its answer to the beginning of
    /// `output` and returns its length. Allocates nothing once the sandbox is warm.
    ///
    /// # Errors
    ///
    /// As [`call_bytes`](Self::call_bytes); [`ErrorKind::LimitExceeded`] if the answer is longer
    /// than `output`, which is then as it was.
    pub fn call_bytes_into(
        &self,
        function: &str,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, Error> {
        self.exchange_bytes(function, input, |answer| report::copy_into(answer, output))
    }

    fn exchange_bytes<T>(
        &self,
        function: &str,
        input: &[u8],
        take: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        self.in_sandbox(function, |sandbox, index| {
            report::check_byte_function(sandbox.export(index))
                .map_err(|error| self.name_error(error, function))?;
            self.spend(function, sandbox, |sandbox, limits| {
                sandbox.call_bytes(index, input, limits, take)
            })
        })
    }

    /// Takes a sandbox out of the pool, to be used for several calls. It is returned when the lease
    /// is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`], [`ErrorKind::NotReady`], [`ErrorKind::Unloaded`]; the errors of
    /// [`init`](Self::init) if a sandbox has to be made.
    pub fn lease(&self) -> Result<PluginLease<'_, H>, Error> {
        let (slot, sandbox) = self.take_out()?;
        PluginLease::borrowed(self, slot, sandbox)
    }

    /// Takes a sandbox out of the pool, as [`lease`](Self::lease) does, and keeps the plugin alive
    /// with it.
    ///
    /// # Errors
    ///
    /// As [`lease`](Self::lease).
    pub fn lease_owned(self: &Arc<Self>) -> Result<PluginLease<'static, H>, Error> {
        let (slot, sandbox) = self.take_out()?;
        PluginLease::owned(Arc::clone(self), slot, sandbox)
    }

    /// Runs `call` in a free sandbox, which has the function at the index given.
    #[inline]
    pub(crate) fn in_sandbox<T>(
        &self,
        function: &str,
        call: impl FnOnce(&mut Sandbox<H>, usize) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.in_any_sandbox(|sandbox| {
            let index = self.find_in(sandbox, function)?;
            call(sandbox, index)
        })
    }

    #[inline]
    fn find_in(&self, sandbox: &mut Sandbox<H>, function: &str) -> Result<usize, Error> {
        sandbox.find(function).ok_or_else(|| report::no_function(self.name(), function))
    }

    /// Runs `call` in a free sandbox.
    #[inline]
    pub(crate) fn in_any_sandbox<T>(
        &self,
        call: impl FnOnce(&mut Sandbox<H>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        call(self.visit()?.sandbox()?)
    }

    #[cold]
    pub(crate) fn unavailable(&self, kind: ErrorKind) -> Error {
        match kind {
            ErrorKind::Unloaded => self.gone(),
            ErrorKind::NotReady => {
                let what = "it has not been initialised; call `init` first";
                Error::host(kind, what).in_plugin(self.name())
            }
            ErrorKind::Quarantined => self.refused_in_quarantine(),
            _ => self.busy(),
        }
    }

    /// Puts in words how the last call of a sandbox failed.
    #[cold]
    #[inline(never)]
    fn ended(
        &self,
        function: &str,
        failure: Failure,
        options: &CallOptions,
        sandbox: &Sandbox<H>,
    ) -> Error {
        let evidence = match failure {
            // The call has not begun.
            Failure::Quota(_) => Box::default(),
            _ => sandbox.evidence(),
        };
        self.failed(function, failure, options, &evidence, &sandbox.version().context)
    }

    /// Puts a failure of a call in the version of `context` in words.
    #[cold]
    pub(crate) fn failed(
        &self,
        function: &str,
        failure: Failure,
        options: &CallOptions,
        evidence: &Evidence,
        context: &PluginContext<H>,
    ) -> Error {
        let was_stopped = failure.is_midway();
        let error = report::describe(failure, &context.config, &self.table, options);
        let error = error.in_plugin(self.name()).in_function(function);
        let mut error = error.with_last_log(&evidence.last_log);
        if was_stopped {
            let report = self.trap_report(&error, options, evidence, context);
            error = error.with_report(report);
        }
        if context.config.debug_mode {
            match error.trap_report() {
                Some(report) => log::warn!("{error}\n{report}"),
                None => log::warn!("{error}"),
            }
        }
        error
    }

    pub(crate) fn name_error(&self, error: Error, function: &str) -> Error {
        error.in_plugin(self.name()).in_function(function)
    }

    #[cold]
    fn busy(&self) -> Error {
        report::busy(self.pool.len()).in_plugin(self.name())
    }

    #[cold]
    fn gone(&self) -> Error {
        Error::host(ErrorKind::Unloaded, "it was unloaded").in_plugin(self.name())
    }
}

/// The bytes of a module, which nobody can change while they are hashed and compiled if others are to have
/// the code.
fn private<'w>(wasm: &'w [u8], config: &WasmInstanceConfig) -> Result<Cow<'w, [u8]>, Error> {
    // What is too long is refused, and shared with nobody.
    let is_too_long = wasm.len() as u64 > config.limits.max_module_bytes;
    if !CodeSharing::IS_POSSIBLE || config.code_sharing == CodeSharing::Own || is_too_long {
        return Ok(Cow::Borrowed(wasm));
    }
    let mut copy = Vec::new();
    match copy.try_reserve_exact(wasm.len()) {
        Ok(()) => {
            copy.extend_from_slice(wasm);
            Ok(Cow::Owned(copy))
        }
        Err(_) => Err(report::no_room_for_copy(wasm.len())),
    }
}

fn is_audited(audit: &AuditLog) -> bool {
    audit.level() == AuditLevel::HostCalls
}

impl<H: Host> Drop for WasmPluginInstance<H> {
    fn drop(&mut self) {
        if !self.condition.has(UNLOADED) {
            self.identity().account.give(Resource::Plugins, 1);
        }
    }
}

impl<H: Host> core::fmt::Debug for WasmPluginInstance<H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WasmPluginInstance")
            .field("name", &self.name())
            .field("tenant", &self.tenant())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
