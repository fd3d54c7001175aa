//! A call that can be left and gone on with, as often as whoever runs it wants.

use super::{
    convention::{Bytes, Exchange},
    failure::{Failure, HostStop},
    limits::CallLimits,
    link::{HostResult, perform},
    run::{Answer, At, AtUntyped, Stop, Untyped, step, stopped},
    sandbox::Sandbox,
    store::StoreData,
    unwind::Caught,
    values::{CallValues, lift},
};
use crate::{
    ValueType, WasmValue, WasmValues,
    audit::Recorded,
    host::{Host, HostCall, HostError, NestedLimits, Suspension},
};
use alloc::boxed::Box;
use core::any::Any;
use wasmi::{AsContextMut, Func};

/// A call of a sandbox, and where it is.
pub(crate) struct Task {
    work: Work,
    /// What the host call it waits for has answered.
    answer: Answer,
}

/// What is to be called.
enum Work {
    /// A function, with its arguments and room for its results.
    Values(Box<Values>, AtUntyped),
    /// The functions that hand over bytes and take an answer, one after another.
    Bytes(Exchange),
}

struct Values {
    function: Func,
    values: CallValues,
    args: usize,
}

impl Values {
    fn call(&mut self) -> Untyped<'_> {
        let (args, results) = self.values.split_at_mut_checked(self.args).unwrap_or_default();
        Untyped { function: self.function, args, results }
    }
}

impl Task {
    fn new(work: Work) -> Self {
        Self { work, answer: None }
    }

    fn of_values(values: Values) -> Self {
        Self::new(Work::Values(Box::new(values), At::Begin))
    }

    /// Whether the input has been handed over, so that it is not asked for again.
    pub(crate) fn has_placed_input(&self) -> bool {
        match &self.work {
            Work::Values(..) => true,
            Work::Bytes(exchange) => exchange.has_placed_input(),
        }
    }
}

impl<H: Host> Sandbox<H> {
    /// A call of the start function, if the module has one.
    pub(crate) fn start_task(&mut self) -> Result<Option<Task>, Failure> {
        let Some(function) = self.start_function()? else {
            return Ok(None);
        };
        if !self.is_nested() {
            self.check_rate()?;
        }
        let values = Values { function, values: CallValues::new(), args: 0 };
        Ok(Some(Task::of_values(values)))
    }

    /// A call of an exported function with values, which must have its parameters' types.
    pub(crate) fn values_task(
        &mut self,
        index: usize,
        args: &[WasmValue],
    ) -> Result<Task, Failure> {
        let mut values = CallValues::new();
        let function = self.lower_all(index, args, &mut values)?;
        let values = Values { function, values, args: args.len() };
        Ok(Task::of_values(values))
    }

    /// A call of a function of the byte convention.
    pub(crate) fn bytes_task(&mut self, index: usize, input_len: usize) -> Result<Task, Failure> {
        let convention = self.convention()?;
        let exchange = convention.begin(self.resolve(index)?, input_len)?;
        Ok(Task::new(Work::Bytes(exchange)))
    }

    /// Makes the sandbox run for another plugin; returns whether there was memory for that.
    #[must_use]
    pub(crate) fn enter(&mut self, outer: &NestedLimits<'_>) -> bool {
        self.store.data_mut().call.enter(outer)
    }

    /// Makes the sandbox forget the calls that led to it.
    pub(crate) fn leave(&mut self) {
        self.store.data_mut().call.leave();
    }

    /// Begins a call that a task runs, under limits.
    pub(crate) fn begin_task(&mut self, limits: &CallLimits, can_pause: bool) {
        self.begin(Some(limits));
        let can_suspend = self.code().can_suspend();
        let call = &mut self.store.data_mut().call;
        // It is always one that can be gone on with: it may have to pause, or its caller.
        call.whole = false;
        call.suspension.can_pause = can_pause;
        call.suspension.possible = can_pause && can_suspend;
    }

    /// Lets a task that was begun run on for `fuel`; fails if it may not any more.
    pub(crate) fn resume_task(&mut self, fuel: u64) -> Result<(), Failure> {
        let spent = self.spent_so_far();
        let StoreData { context, call, .. } = self.store.data_mut();
        if call.suspension.can_pause {
            call.suspension.pause_at = spent.saturating_add(fuel);
            call.check_cancelled().map_err(stopped)?;
            let paused_at = call.suspension.paused_at.take();
            // A callee that begins inside of its caller goes on with the time that that has.
            if paused_at.is_some() || call.chain.is_empty() {
                call.pace.resume(context.clock(), spent, paused_at).map_err(stopped)?;
            }
        }
        Ok(())
    }

    /// Says that the task does not run from here on, until it is resumed.
    pub(crate) fn pause_task(&mut self) {
        let spent = self.spent_so_far();
        let StoreData { context, call, .. } = self.store.data_mut();
        call.suspension.paused_at = call.pace.pause(context.clock(), spent);
    }

    /// Ends the start function's call.
    pub(crate) fn end_start_task(&mut self, result: Result<(), &Failure>) {
        self.end();
        if !self.is_nested() {
            self.pay_for_start();
        }
        self.end_any_task(result);
    }

    /// Ends a call that a task ran.
    pub(crate) fn end_task(&mut self, result: Result<(), &Failure>) {
        self.end_call();
        self.end_any_task(result);
    }

    fn end_any_task(&mut self, result: Result<(), &Failure>) {
        self.store.data_mut().call.suspension = Suspension::default();
        match result {
            Ok(()) => self.midway = false,
            Err(failure) => self.count_stop(failure),
        }
    }

    /// A panic of a host function, if that is what stopped the guest.
    pub(crate) fn take_panic(&mut self) -> Caught {
        core::mem::take(&mut self.store.data_mut().caught)
    }

    /// What the call has spent so far.
    pub(crate) fn spent_so_far(&self) -> u64 {
        let meter = &self.store.data().call.meter;
        match meter.is_metered() {
            true => meter.spent(self.store.get_fuel().unwrap_or(0)),
            false => 0,
        }
    }

    /// When the call must have ended, once that is known.
    pub(crate) fn deadline_us(&self) -> Option<u64> {
        self.store.data().call.pace.deadline_us()
    }

    /// Whether it runs for another call.
    pub(crate) fn is_nested(&self) -> bool {
        !self.store.data().call.chain.is_empty()
    }

    /// How many decisions of the call went to the audit ring.
    pub(crate) fn recorded(&self) -> &Recorded {
        &self.store.data().call.recorded
    }

    /// Runs a task until it has finished, has to wait, or has spent what it may.
    pub(crate) fn advance(
        &mut self,
        task: &mut Task,
        bytes: &mut Bytes<'_>,
    ) -> Result<Stop, Failure> {
        let (store, answer) = (&mut self.store, &mut task.answer);
        match &mut task.work {
            Work::Values(values, at) => step(store, &mut values.call(), at, answer),
            Work::Bytes(exchange) => exchange.advance(store, answer, bytes),
        }
    }

    /// The results of a task that has finished.
    pub(crate) fn results(&self, task: &Task) -> WasmValues {
        let Work::Values(call, _) = &task.work else {
            return WasmValues::new();
        };
        let results = call.values.get(call.args..).unwrap_or_default();
        // Only functions of which all results are values of the host's are called with values.
        results.iter().filter_map(|value| lift(&self.store, value)).collect()
    }

    /// The ticket of the host call that the task waits for, and the types of its answer.
    pub(crate) fn pending(&self) -> Option<(u64, &'static [ValueType])> {
        let pending = self.store.data().call.suspension.pending?;
        Some((pending.ticket, pending.results))
    }

    /// The called plugin that the task waits for.
    pub(crate) fn take_callee(&mut self) -> Option<Box<dyn Any + Send>> {
        self.store.data_mut().call.suspension.callee.take()
    }

    /// Does the rest of the host call that the task waits for, and keeps what it answers until the
    /// task runs again.
    pub(crate) fn answer<R: HostResult>(
        &mut self,
        task: &mut Task,
        body: impl FnOnce(&mut HostCall<'_, H>) -> Result<R, HostError>,
    ) {
        let store = &mut self.store;
        let Some(pending) = store.data_mut().call.suspension.pending.take() else {
            return;
        };
        let answered =
            perform(store.as_context_mut(), &pending.spec, Some(pending), |call, caught| {
                caught.run(|| body(call))
            });
        task.answer = match answered {
            Ok(value) => Some(Ok(value.into_val())),
            // It comes later still.
            Err(_) if store.data().call.suspension.pending.is_some() => None,
            Err(error) => Some(Err(stop_of(&error, pending.spec.index()))),
        };
    }
}

/// Why a host call stops the guest.
fn stop_of(error: &wasmi::Error, function: usize) -> HostStop {
    match error.downcast_ref::<HostStop>() {
        Some(stop) => *stop,
        None => HostStop { error: HostError::Abort("the interpreter failed"), function },
    }
}
