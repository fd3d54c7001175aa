//! One call as it runs in one sandbox, left and gone on with at will, and the call of another plugin
//! that it waits for.
//!
//! A call that the host started is a frame; each plugin that is called along the way has one more. A
//! callee's frame lies on the native stack while it runs inside of its caller. If it has to be left
//! before it has ended, it goes to the heap, its caller is suspended as well, and whoever runs the
//! caller runs the callee first.

use crate::{
    Error, HostResult, WasmPluginInstance, WasmValues,
    audit::Recorded,
    engine::{Bytes, CallLimits, Evidence, Failure, Sandbox, Stop, Task},
    host::{
        Host, HostCall, HostError, NestedLimits, NestedOutcome, PluginContext, finish_call_plugin,
    },
    ledger::Paid,
    pool::Seat,
    sync::Arc,
};
use alloc::{boxed::Box, vec::Vec};

/// One call in one sandbox.
pub(crate) struct Frame<H: Host> {
    plugin: Arc<WasmPluginInstance<H>>,
    slot: usize,
    /// There until the call has ended.
    seat: Seat<Sandbox<H>>,
    plan: Plan,
    phase: Phase,
    task: Option<Task>,
    /// The call of another plugin that this one waits for.
    callee: Option<Box<Callee<H>>>,
    /// The fuel spent in it and below it.
    used: u64,
    /// What the sandbox's start function spent of the fuel of a call that another plugin made.
    start_spent: u64,
}

/// What is to be called, and what it may use.
pub(crate) struct Plan {
    /// Which exported function.
    pub(crate) index: usize,
    /// The arguments, and later the results; nothing for a function of the byte convention.
    pub(crate) values: Option<Box<WasmValues>>,
    pub(crate) limits: CallLimits,
    /// Whether it can be paused and suspended.
    pub(crate) can_pause: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has run: the start function is next, or the call.
    Fresh,
    Ready,
    Starting,
    Running,
    Ended,
}

/// Why a frame does not run on.
#[derive(Debug)]
pub(crate) enum Run {
    Paused,
    /// A host call's answer is still to come.
    Waiting,
    Ended(Result<(), Failure>),
}

/// A called plugin's frame, with the bytes that it takes and gives.
pub(crate) struct Callee<H: Host> {
    pub(crate) frame: Frame<H>,
    /// Empty once it has been handed over.
    pub(crate) input: Vec<u8>,
    pub(crate) answer: Vec<u8>,
    pub(crate) max_answer_bytes: usize,
    /// For the input.
    pub(crate) _paid: Paid,
}

impl<H: Host> Callee<H> {
    fn run(&mut self, fuel: u64) -> Run {
        let Self { frame, input, answer, max_answer_bytes, .. } = self;
        let max_answer_bytes = *max_answer_bytes;
        frame.run(fuel, &mut Bytes { input, answer, max_answer_bytes })
    }
}

impl<H: Host> Frame<H> {
    /// A call in a sandbox that was taken out of the plugin's pool, and is made if there is none.
    pub(crate) fn new(
        plugin: Arc<WasmPluginInstance<H>>,
        (slot, seat): (usize, Seat<Sandbox<H>>),
        plan: Plan,
    ) -> Result<Self, Error> {
        let (phase, task, callee) = (Phase::Ready, None, None);
        // Whatever happens, the slot is given back when it is dropped.
        let mut frame =
            Self { plugin, slot, seat, plan, phase, task, callee, used: 0, start_spent: 0 };
        if frame.plugin.begin_in(slot, &mut frame.seat)? {
            frame.phase = Phase::Fresh;
        }
        Ok(frame)
    }

    pub(crate) fn plugin(&self) -> &Arc<WasmPluginInstance<H>> {
        &self.plugin
    }

    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    /// What is known of the version that runs, if it is another than that of `planned`.
    pub(crate) fn reloaded_since(
        &self,
        planned: &Arc<PluginContext<H>>,
    ) -> Option<Arc<PluginContext<H>>> {
        let context = self.context()?;
        (!Arc::ptr_eq(&context, planned)).then_some(context)
    }

    /// What is known of the version that runs; nothing once the call has ended.
    pub(crate) fn context(&self) -> Option<Arc<PluginContext<H>>> {
        Some(Arc::clone(&self.seat.as_deref()?.version().context))
    }

    /// Sets what is to be called, before anything has run.
    pub(crate) fn set_plan(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// The fuel spent in the call and below it, its sandbox's start function included.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Makes it the call of another plugin; returns whether there was memory for that.
    #[must_use]
    pub(crate) fn enter(&mut self, outer: &NestedLimits<'_>) -> bool {
        self.seat.as_deref_mut().is_none_or(|sandbox| sandbox.enter(outer))
    }

    /// Whether the input has been handed over.
    pub(crate) fn has_placed_input(&self) -> bool {
        self.phase == Phase::Running && self.task.as_ref().is_some_and(Task::has_placed_input)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// When the call must have ended, once that is known.
    pub(crate) fn deadline_us(&self) -> Option<u64> {
        match self.phase {
            Phase::Running => self.seat.as_deref()?.deadline_us(),
            _ => None,
        }
    }

    /// The name of the function that runs, empty for the start function and once the call has ended.
    pub(crate) fn function(&self) -> &str {
        match (self.phase, &self.seat) {
            (Phase::Starting, _) | (_, None) => "",
            (_, Some(sandbox)) => sandbox.version().context.export_name(self.plan.index),
        }
    }

    /// The results of a call with values that has ended well.
    pub(crate) fn take_results(&mut self) -> WasmValues {
        self.plan.values.take().map_or_else(WasmValues::new, |values| *values)
    }

    /// Runs for about `fuel`: until it is spent, the call has to wait, or has ended.
    pub(crate) fn run(&mut self, fuel: u64, bytes: &mut Bytes<'_>) -> Run {
        let mut left = fuel;
        loop {
            let run = match self.phase {
                Phase::Fresh => self.begin_start(),
                Phase::Ready => self.begin_call(bytes.input.len()),
                Phase::Starting | Phase::Running => self.advance(&mut left, bytes),
                Phase::Ended => Err(Failure::Engine("the call has ended".into())),
            };
            match run {
                Ok(None) => {}
                Ok(Some(Run::Ended(result))) => return Run::Ended(result),
                Ok(Some(run)) => {
                    if let Some(sandbox) = self.seat.as_deref_mut() {
                        sandbox.pause_task();
                    }
                    return run;
                }
                Err(failure) => return Run::Ended(Err(failure)),
            }
        }
    }

    // Out of line, as what follows: what they need of native stack is given back before a guest runs,
    // which may be one of several on it.
    #[inline(never)]
    fn begin_start(&mut self) -> Result<Option<Run>, Failure> {
        let sandbox = self.seat.as_deref_mut().ok_or_else(no_sandbox)?;
        match sandbox.start_task()? {
            Some(task) => {
                // Another plugin that waits for it pays for it, and waits no longer than for the call.
                let limits = match sandbox.is_nested() {
                    true => self.plan.limits,
                    false => sandbox.version().limits,
                };
                sandbox.begin_task(&limits, self.plan.can_pause);
                (self.phase, self.task) = (Phase::Starting, Some(task));
            }
            None => self.phase = Phase::Ready,
        }
        Ok(None)
    }

    #[inline(never)]
    fn begin_call(&mut self, input_len: usize) -> Result<Option<Run>, Failure> {
        let sandbox = self.seat.as_deref_mut().ok_or_else(no_sandbox)?;
        let fuel = self.plan.limits.fuel;
        self.plan.limits.fuel = self.plugin.begin_spending(fuel, sandbox)?;
        sandbox.begin_task(&self.plan.limits, self.plan.can_pause);
        self.phase = Phase::Running;
        self.task = Some(match &self.plan.values {
            Some(args) => sandbox.values_task(self.plan.index, args)?,
            None => sandbox.bytes_task(self.plan.index, input_len)?,
        });
        Ok(None)
    }

    /// Runs what is to run next: a callee, or the sandbox.
    fn advance(&mut self, left: &mut u64, bytes: &mut Bytes<'_>) -> Result<Option<Run>, Failure> {
        if let Some(run) = self.advance_callee(left) {
            return Ok(Some(run));
        }
        let (Some(sandbox), Some(task)) = (self.seat.as_deref_mut(), &mut self.task) else {
            return Err(no_sandbox());
        };
        let before = sandbox.spent_so_far();
        sandbox.resume_task(*left)?;
        let stop = sandbox.advance(task, bytes);
        let used = sandbox.spent_so_far().saturating_sub(before);
        self.used = self.used.saturating_add(used);
        *left = left.saturating_sub(used);
        match stop? {
            Stop::Paused => Ok(Some(Run::Paused)),
            Stop::Waiting => Ok(self.wait(left)),
            Stop::Finished if self.phase == Phase::Starting => {
                sandbox.end_start_task(Ok(()));
                if sandbox.is_nested() {
                    self.start_spent = sandbox.spent();
                    let fuel = &mut self.plan.limits.fuel;
                    *fuel = fuel.saturating_sub(self.start_spent);
                }
                (self.phase, self.task) = (Phase::Ready, None);
                Ok(None)
            }
            Stop::Finished => {
                if let Some(values) = &mut self.plan.values {
                    **values = sandbox.results(task);
                }
                Ok(Some(Run::Ended(Ok(()))))
            }
        }
    }

    /// Takes over the callee that the sandbox waits for; if it waits for the host, so does the frame.
    #[inline(never)]
    fn wait(&mut self, left: &mut u64) -> Option<Run> {
        let callee = self.seat.as_deref_mut().and_then(Sandbox::take_callee);
        match callee.map(<Box<dyn core::any::Any + Send>>::downcast::<Callee<H>>) {
            Some(Ok(callee)) => {
                // It ran inside of its caller, which is charged for it when it has ended.
                let used = callee.frame.used;
                self.used = self.used.saturating_add(used);
                *left = left.saturating_sub(used);
                self.callee = Some(callee);
                None
            }
            Some(Err(_)) | None => Some(Run::Waiting),
        }
    }

    /// Runs the callee, if there is one, and answers its caller once it has ended.
    #[inline(never)]
    fn advance_callee(&mut self, left: &mut u64) -> Option<Run> {
        let callee = self.callee.as_deref_mut()?;
        let before = callee.frame.used;
        let run = callee.run(*left);
        let used = callee.frame.used.saturating_sub(before);
        self.used = self.used.saturating_add(used);
        *left = left.saturating_sub(used);
        let Run::Ended(result) = run else {
            return Some(run);
        };
        let recorded = self.seat.as_deref().map(Sandbox::recorded)?;
        let (spent, outcome) = callee.frame.end_nested(result, recorded);
        let mut answer = core::mem::take(&mut callee.answer);
        self.callee = None;
        let charged = self.answer(|call| {
            let mut out = call.suspended_output()?;
            finish_call_plugin(call, spent, outcome, &mut answer, &mut out)
        });
        // The callee's part is in what was used already.
        let used = charged.saturating_sub(spent);
        self.used = self.used.saturating_add(used);
        *left = left.saturating_sub(used);
        None
    }

    /// Answers the host call that this sandbox waits for; returns what was charged.
    fn answer<R: HostResult>(
        &mut self,
        body: impl FnOnce(&mut HostCall<'_, H>) -> Result<R, HostError>,
    ) -> u64 {
        let (Some(sandbox), Some(task)) = (self.seat.as_deref_mut(), &mut self.task) else {
            return 0;
        };
        let before = sandbox.spent_so_far();
        sandbox.answer(task, body);
        sandbox.spent_so_far().saturating_sub(before)
    }

    /// Answers the host call that the call waits for, in this sandbox or the last of those below;
    /// returns what was charged.
    pub(crate) fn complete<R: HostResult>(
        &mut self,
        body: impl FnOnce(&mut HostCall<'_, H>) -> Result<R, HostError>,
    ) -> u64 {
        let used = match &mut self.callee {
            Some(callee) => callee.frame.complete(body),
            None => self.answer(body),
        };
        self.used = self.used.saturating_add(used);
        used
    }

    /// The ticket that the call waits for, and the types of its answer.
    pub(crate) fn pending(&self) -> Option<(u64, &'static [crate::ValueType])> {
        match &self.callee {
            Some(callee) => callee.frame.pending(),
            None => self.seat.as_deref()?.pending(),
        }
    }

    /// Ends a call that another plugin made, and says what it spent and how it ended; the caller's
    /// count of decisions that went to the audit ring goes on where this one's ends.
    pub(crate) fn end_nested(
        &mut self,
        result: Result<(), Failure>,
        recorded: &Recorded,
    ) -> (u64, NestedOutcome) {
        let debugged = self.context().filter(|context| context.config.debug_mode);
        let debugged = debugged.map(|context| (context, Box::<str>::from(self.function())));
        let (spent, evidence) =
            self.end_and_tell(result.as_ref().copied(), debugged.is_some(), Some(recorded));
        let outcome = result.map_err(|failure| {
            let reason = (&failure).into();
            if let (Some(evidence), Some((context, function))) = (evidence, debugged) {
                let options = crate::CallOptions::default();
                self.plugin.failed(&function, failure, &options, &evidence, &context);
            }
            reason
        });
        (spent.saturating_add(self.start_spent), outcome)
    }

    /// Ends the call: books it, gives the sandbox back, and returns what was spent and what is left
    /// for a report, if it failed and `is_reported`.
    pub(crate) fn end(
        &mut self,
        result: Result<(), &Failure>,
        is_reported: bool,
    ) -> (u64, Option<Box<Evidence>>) {
        self.end_and_tell(result, is_reported, None)
    }

    #[inline(never)]
    fn end_and_tell(
        &mut self,
        result: Result<(), &Failure>,
        is_reported: bool,
        told: Option<&Recorded>,
    ) -> (u64, Option<Box<Evidence>>) {
        let phase = core::mem::replace(&mut self.phase, Phase::Ended);
        // What the calls below had goes back first: the native order of things.
        self.callee = None;
        self.task = None;
        let Some(sandbox) = self.seat.as_deref_mut() else {
            return (0, None);
        };
        match phase {
            Phase::Starting => sandbox.end_start_task(result),
            Phase::Running => sandbox.end_task(result),
            Phase::Fresh | Phase::Ready | Phase::Ended => {}
        }
        let spent = sandbox.spent();
        let evidence = (is_reported && result.is_err()).then(|| sandbox.evidence());
        let mut panic = sandbox.take_panic();
        if phase == Phase::Running {
            let unused = self.plan.limits.fuel.saturating_sub(spent);
            self.plugin.end_spending(unused, sandbox);
        }
        let (plugin, plan) = (&self.plugin, &self.plan);
        // Whoever hears of it may panic; that goes on when everything is given back.
        let _ = panic.run(|| {
            match (result, phase) {
                (Ok(()), _) => plugin.went_well(sandbox),
                (Err(failure), Phase::Starting) => {
                    let limits = match sandbox.is_nested() {
                        true => &plan.limits,
                        false => &sandbox.version().limits,
                    };
                    plugin.stopped("", failure, Some(&without_deadline(limits)), sandbox);
                }
                (Err(failure), _) => {
                    let function = sandbox.version().context.export_name(plan.index);
                    plugin.stopped(
                        function,
                        failure,
                        Some(&without_deadline(&plan.limits)),
                        sandbox,
                    );
                }
            }
            Ok(())
        });
        if let Some(told) = told {
            told.set_to(Some(sandbox.recorded()));
        }
        sandbox.leave();
        let seat = self.seat.take().filter(|_| phase != Phase::Fresh);
        self.plugin.put_back(self.slot, seat);
        panic.resume();
        (spent, evidence)
    }
}

impl<H: Host> Drop for Frame<H> {
    fn drop(&mut self) {
        match self.phase {
            Phase::Ended => {}
            // A sandbox whose start function has not run is none.
            Phase::Fresh => self.plugin.put_back(self.slot, None),
            Phase::Ready => {
                self.seat.as_deref_mut().into_iter().for_each(Sandbox::leave);
                self.plugin.put_back(self.slot, self.seat.take());
            }
            // Whoever lets go of a call in its midst cancels it.
            Phase::Starting | Phase::Running => {
                self.end(Err(&Failure::Cancelled), false);
            }
        }
    }
}

/// The limits of a call whose deadline says nothing about its plugin: it goes on while the host leaves the
/// call alone.
fn without_deadline(limits: &CallLimits) -> CallLimits {
    CallLimits { outer_deadline_us: Some(0), ..*limits }
}

#[cold]
fn no_sandbox() -> Failure {
    Failure::Engine("no sandbox".into())
}
