//! A call that can be left and gone on with, as often as whoever runs it wants.

use super::{
    convention::{Bytes, Exchange, Exchanged},
    failure::{BadAnswer, Failure, HostStop},
    link::{HostResult, perform},
    run::{next_slice, stopped},
    sandbox::{CallLimits, Sandbox, no_such_export},
    store::StoreData,
    unwind::Caught,
    values::{lift, lower, placeholder},
};
use crate::{
    ValueType, WasmValue, WasmValues,
    audit::Recorded,
    host::{Host, HostCall, HostError, Suspension},
    value::MAX_VALUES,
};
use alloc::boxed::Box;
use core::any::Any;
use wasmi::{
    AsContextMut, Func, ResumableCall, ResumableCallHostTrap, ResumableCallOutOfFuel, Store, Val,
};

/// A call of a sandbox, and where it is.
pub(crate) struct Task {
    work: Work,
    at: At,
    /// What the host call it waits for has answered.
    answer: Option<Result<Option<Val>, HostStop>>,
}

/// What is to be called.
enum Work {
    /// A function, with its arguments and room for its results.
    Values(Box<Values>),
    /// The functions that hand over bytes and take an answer, one after another.
    Bytes(Exchange),
}

struct Values {
    function: Func,
    /// The arguments, then the results.
    values: heapless::Vec<Val, { 2 * MAX_VALUES }>,
    args: usize,
}

/// Where the function is that is called now.
enum At {
    Begin,
    OutOfFuel(ResumableCallOutOfFuel),
    /// In a host call. Nothing but the result is left to come where there is no guest to go on with:
    /// the function is the host's, or called it last.
    Waiting(Option<ResumableCallHostTrap>),
}

/// Why a task does not run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Finished,
    /// It has spent what it may for now.
    Paused,
    /// It waits for the answer of a host call.
    Waiting,
}

impl Task {
    fn new(work: Work) -> Self {
        Self { work, at: At::Begin, answer: None }
    }

    /// Whether the input has been handed over, so that it is not asked for again.
    pub(crate) fn has_placed_input(&self) -> bool {
        match &self.work {
            Work::Values(_) => true,
            Work::Bytes(exchange) => exchange.has_placed_input(),
        }
    }

    fn calls(&mut self) -> (Func, &[Val], &mut [Val]) {
        match &mut self.work {
            Work::Values(call) => {
                let (args, results) =
                    call.values.split_at_mut_checked(call.args).unwrap_or_default();
                (call.function, args, results)
            }
            Work::Bytes(exchange) => exchange.calls(),
        }
    }
}

impl<H: Host> Sandbox<H> {
    /// A call of the start function, if the module has one.
    pub(crate) fn start_task(&mut self) -> Result<Option<Task>, Failure> {
        let Some(function) = self.start_function()? else {
            return Ok(None);
        };
        let values = Values { function: *function.func(), values: heapless::Vec::new(), args: 0 };
        Ok(Some(Task::new(Work::Values(Box::new(values)))))
    }

    /// A call of an exported function with values, which must have its parameters' types.
    pub(crate) fn values_task(
        &mut self,
        index: usize,
        args: &[WasmValue],
    ) -> Result<Task, Failure> {
        let full = |_| Failure::Engine("too many values".into());
        let function = *self.functions.get(index).ok_or_else(no_such_export)?;
        let mut values = heapless::Vec::new();
        for arg in args {
            values.push(lower(&mut self.store, *arg)?).map_err(full)?;
        }
        for ty in self.export(index).map_or(&[][..], |function| &function.results) {
            values.push(placeholder(*ty)).map_err(full)?;
        }
        let values = Values { function, values, args: args.len() };
        Ok(Task::new(Work::Values(Box::new(values))))
    }

    /// A call of a function of the byte convention.
    pub(crate) fn bytes_task(&mut self, index: usize, input_len: usize) -> Result<Task, Failure> {
        let function = *self.functions.get(index).ok_or_else(no_such_export)?;
        let exchange = self
            .convention
            .ok_or(Failure::BadAnswer(BadAnswer::NoAllocator))?
            .begin(function, input_len)?;
        Ok(Task::new(Work::Bytes(exchange)))
    }

    /// Begins a call that a task runs, under limits.
    pub(crate) fn begin_task(&mut self, limits: &CallLimits<'_>, can_pause: bool) {
        self.begin(limits);
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
            call.pace.resume(context.clock(), spent, paused_at).map_err(stopped)?;
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
        self.end_any_task(result);
    }

    /// Ends a call that a task ran.
    pub(crate) fn end_task(&mut self, limits: &CallLimits<'_>, result: Result<(), &Failure>) {
        self.end_call(limits);
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
        loop {
            let store = &mut self.store;
            match step(store, task)? {
                Some(Stop::Finished) => match &mut task.work {
                    Work::Values(_) => return Ok(Stop::Finished),
                    Work::Bytes(exchange) => match exchange.advance(store, bytes)? {
                        Exchanged::All => return Ok(Stop::Finished),
                        Exchanged::Some => task.at = At::Begin,
                    },
                },
                Some(stop) => return Ok(stop),
                None => {}
            }
        }
    }

    /// The results of a task that has finished.
    pub(crate) fn results(&self, task: &Task) -> WasmValues {
        let Work::Values(call) = &task.work else {
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
            Err(error) => Some(Err(stop_of(&error, pending.spec.index))),
        };
    }
}

/// Runs a task's function to the end of its slice. Nothing where it can go on at once.
fn step<H: Host>(
    store: &mut Store<StoreData<H>>,
    task: &mut Task,
) -> Result<Option<Stop>, Failure> {
    let required = match &task.at {
        At::OutOfFuel(call) => call.required_fuel(),
        At::Waiting(_) if task.answer.is_none() => return Ok(Some(Stop::Waiting)),
        At::Begin | At::Waiting(_) => 0,
    };
    if !next_slice(store, required)? {
        return Ok(Some(Stop::Paused));
    }
    let answer = task.answer.take();
    let at = core::mem::replace(&mut task.at, At::Begin);
    let (function, args, results) = task.calls();
    let call = match (at, answer) {
        (At::Begin, _) => function.call_resumable(&mut *store, args, results),
        (At::OutOfFuel(call), _) => call.resume(&mut *store, results),
        (At::Waiting(_), Some(Err(stop))) => return Err(stop.into()),
        (At::Waiting(Some(trap)), Some(Ok(value))) => {
            trap.resume(&mut *store, value.as_slice(), results)
        }
        (At::Waiting(None), Some(Ok(value))) => {
            if let (Some(result), Some(value)) = (results.first_mut(), value) {
                *result = value;
            }
            return Ok(Some(Stop::Finished));
        }
        (waiting @ At::Waiting(_), None) => {
            task.at = waiting;
            return Ok(Some(Stop::Waiting));
        }
    };
    let is_pending = store.data().call.suspension.pending.is_some();
    match call {
        Ok(ResumableCall::Finished) => return Ok(Some(Stop::Finished)),
        Ok(ResumableCall::OutOfFuel(call)) => {
            task.at = At::OutOfFuel(call);
            return Ok(None);
        }
        Ok(ResumableCall::HostTrap(trap)) if is_pending => task.at = At::Waiting(Some(trap)),
        Ok(ResumableCall::HostTrap(trap)) => return Err(trap.host_error().into()),
        Err(_) if is_pending => task.at = At::Waiting(None),
        Err(error) => return Err((&error).into()),
    }
    Ok(Some(Stop::Waiting))
}

/// Why a host call stops the guest.
fn stop_of(error: &wasmi::Error, function: usize) -> HostStop {
    match error.downcast_ref::<HostStop>() {
        Some(stop) => *stop,
        None => HostStop { error: HostError::Abort("the interpreter failed"), function },
    }
}
