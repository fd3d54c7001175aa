//! One plugin called by another: the callee runs on the caller's native stack and budget, as long as
//! its caller may run.

use crate::{
    ErrorKind, TrapCode, WasmPluginInstance,
    engine::{Bytes, CallLimits, Failure},
    frame::{Callee, Frame, Plan, Run},
    host::{ChainEnd, Host, Nested, NestedFailure, NestedResult, PluginContext},
    ledger::{Paid, Resource},
    report,
    sync::Arc,
};
use alloc::{boxed::Box, vec::Vec};

impl<H: Host> WasmPluginInstance<H> {
    /// Calls a function of the byte convention for another plugin, never waiting, and appends its
    /// answer to `answer`.
    pub(crate) fn call_nested(
        self: &Arc<Self>,
        nested: &Nested<'_>,
        answer: &mut Vec<u8>,
    ) -> NestedResult {
        let mut frame = match self.nested_frame(nested) {
            Ok(frame) => frame,
            Err(failure) => return NestedResult::failed(failure),
        };
        let max_answer_bytes = usize::try_from(nested.max_answer_bytes).unwrap_or(usize::MAX);
        let fuel = nested.limits.pause_after.unwrap_or(u64::MAX);
        let mut bytes = Bytes { input: nested.input, answer, max_answer_bytes };
        if let Run::Ended(result) = frame.run(fuel, &mut bytes) {
            let (spent, outcome) = frame.end_nested(result, nested.limits.recorded);
            return NestedResult::Ended { spent, outcome };
        }
        let len = if frame.has_placed_input() { 0 } else { nested.input.len() };
        let paid = Paid::take(frame.plugin().account(), Resource::HeapBytes, len);
        let input = nested.input.get(..len).map(report::copy);
        let (Ok(paid), Some(Ok(input))) = (paid, input) else {
            let failure = Failure::AnswerTooLong { len, room: 0 };
            let (spent, outcome) = frame.end_nested(Err(failure), nested.limits.recorded);
            return NestedResult::Ended { spent, outcome };
        };
        let answer = core::mem::take(answer);
        let callee = Callee { frame, input, answer, max_answer_bytes, _paid: paid };
        NestedResult::Suspended(Box::new(callee))
    }

    /// The call, in a sandbox of its own.
    // Out of line: what it needs of native stack is given back before the callee runs.
    #[inline(never)]
    fn nested_frame(self: &Arc<Self>, nested: &Nested<'_>) -> Result<Frame<H>, NestedFailure> {
        let limits = &nested.limits;
        let may_call = limits.chain.check(&limits.caller, self.id(), limits.max_depth);
        may_call.map_err(|end| match end {
            ChainEnd::TooDeep => NestedFailure::LimitReached,
            ChainEnd::Cycle => NestedFailure::refused(0),
        })?;
        let context = self.context();
        let (index, narrowed) = prepare(nested, &context)?;
        // A callee that is busy or gone is a status for the caller: no words, so no allocation.
        let place = self.try_take_out().map_err(|kind| unavailable(kind, None))?;
        let can_pause = limits.pause_after.is_some();
        let plan = Plan { index, values: None, limits: narrowed, can_pause };
        let frame = Frame::new(Arc::clone(self), place, plan);
        let mut frame = frame.map_err(|error| unavailable(error.kind(), error.trap_code()))?;
        if let Some(context) = frame.reloaded_since(&context) {
            let (index, narrowed) = prepare(nested, &context)?;
            frame.set_plan(Plan { index, values: None, limits: narrowed, can_pause });
        }
        match frame.enter(limits) {
            true => Ok(frame),
            false => Err(NestedFailure::LimitReached),
        }
    }
}

/// Finds the function in a version and what it may use.
fn prepare<H>(
    nested: &Nested<'_>,
    context: &PluginContext<H>,
) -> Result<(usize, CallLimits), NestedFailure> {
    let limits = &nested.limits;
    let (index, function) = context.export(nested.function).ok_or(NestedFailure::NotFound)?;
    if !report::is_byte_function(&function.params, &function.results) {
        return Err(NestedFailure::NotFound);
    }
    let own = &context.config;
    let timeout_us = match (own.timeout_us(), limits.timeout_us) {
        (0, other) | (other, 0) => other,
        (own, outer) => own.min(outer),
    };
    let limits = CallLimits {
        fuel: limits.fuel.min(own.capabilities.fuel_limit),
        timeout_us,
        tag: limits.tag,
        slice_fuel: limits.slice_fuel,
        whole: false,
        outer_deadline_us: limits.deadline_us,
    };
    Ok((index, limits))
}

/// What the caller is told of a callee that could not be called at all.
fn unavailable(kind: ErrorKind, trap: Option<TrapCode>) -> NestedFailure {
    match kind {
        ErrorKind::Busy => NestedFailure::BUSY,
        ErrorKind::Quarantined => NestedFailure::QUARANTINED,
        ErrorKind::Unloaded | ErrorKind::NotReady => NestedFailure::NotFound,
        ErrorKind::OutOfFuel | ErrorKind::Deadline | ErrorKind::QuotaExceeded => {
            NestedFailure::BUDGET
        }
        _ => NestedFailure::trapped(trap.map_or(0, TrapCode::code)),
    }
}
