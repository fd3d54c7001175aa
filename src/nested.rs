//! One plugin called by another: the callee runs on the caller's native stack and budget.

use crate::{
    CallOptions, ErrorKind, TrapCode, WasmPluginInstance,
    engine::{CallLimits, Failure, Outer},
    host::{ChainEnd, Host, HostError, Nested, NestedFailure, NestedLimits, NestedResult},
    report,
};
use alloc::vec::Vec;

impl<H: Host> WasmPluginInstance<H> {
    /// Calls a function of the byte convention for another plugin, never waiting, and appends its
    /// answer to `answer`.
    pub(crate) fn call_nested(&self, nested: &Nested<'_>, answer: &mut Vec<u8>) -> NestedResult {
        let outer = match self.outer(&nested.limits) {
            Ok(outer) => outer,
            Err(failure) => return (0, Err(failure)),
        };
        let (index, limits) = match self.prepare(nested, &outer) {
            Ok(prepared) => prepared,
            Err(failure) => return (0, Err(failure)),
        };
        // A callee that is busy or gone is a status for the caller: no words, so no allocation.
        let mut visit = match self.try_visit() {
            Ok(visit) => visit,
            Err(kind) => return (0, Err(unavailable(kind, None))),
        };
        let sandbox = match visit.sandbox() {
            Ok(sandbox) => sandbox,
            Err(error) => return (0, Err(unavailable(error.kind(), error.trap_code()))),
        };
        let max = usize::try_from(nested.max_answer_bytes).unwrap_or(usize::MAX);
        let keep = |bytes: &[u8]| keep(bytes, max, answer);
        let function = nested.function;
        let result = self.spend_limits(function, &limits, sandbox, |sandbox, limits| {
            sandbox.call_bytes(index, nested.input, limits, keep)
        });
        let result = result.map_err(|failure| {
            let reason = reason(&failure);
            if self.config().debug_mode {
                self.failed(function, failure, &CallOptions::default(), &sandbox.evidence());
            }
            reason
        });
        (sandbox.spent(), result)
    }

    /// Finds the function and what it may use.
    fn prepare<'c>(
        &self,
        nested: &Nested<'c>,
        outer: &'c Outer<'c>,
    ) -> Result<(usize, CallLimits<'c>), NestedFailure> {
        let limits = &nested.limits;
        let (index, function) = self.export(nested.function).ok_or(NestedFailure::NotFound)?;
        if !report::is_byte_function(&function.params, &function.results) {
            return Err(NestedFailure::NotFound);
        }
        let own = self.config();
        let timeout_us = match (own.timeout_us(), limits.timeout_us) {
            (0, other) | (other, 0) => other,
            (own, outer) => own.min(outer),
        };
        let limits = CallLimits {
            fuel: limits.fuel.min(own.capabilities.fuel_limit),
            timeout_us,
            tag: limits.tag,
            slice_fuel: limits.slice_fuel,
            outer: Some(outer),
        };
        Ok((index, limits))
    }

    fn outer<'c>(&self, limits: &NestedLimits<'c>) -> Result<Outer<'c>, NestedFailure> {
        let chain = limits.chain.extend(limits.caller, self.context.id, limits.max_depth);
        let chain = chain.map_err(|end| match end {
            ChainEnd::TooDeep => NestedFailure::LimitReached,
            ChainEnd::Cycle => NestedFailure::refused(0),
        })?;
        Ok(Outer { deadline_us: limits.deadline_us, chain, recorded: limits.recorded })
    }
}

fn keep(bytes: &[u8], max: usize, answer: &mut Vec<u8>) -> Result<(), Failure> {
    let (len, room) = (bytes.len(), max);
    if len > max || answer.try_reserve(len).is_err() {
        return Err(Failure::AnswerTooLong { len, room });
    }
    answer.extend_from_slice(bytes);
    Ok(())
}

/// What the caller is told of a callee that failed.
fn reason(failure: &Failure) -> NestedFailure {
    match failure {
        Failure::Trap(code) => NestedFailure::trapped(code.code()),
        Failure::OutOfFuel | Failure::Deadline => NestedFailure::BUDGET,
        Failure::Host { error, .. } => {
            NestedFailure::trapped(HostError::status(*error).unwrap_or(0))
        }
        Failure::AnswerTooLong { .. } => NestedFailure::LimitReached,
        Failure::Status(status) => NestedFailure::refused(*status),
        Failure::BadAnswer(_)
        | Failure::Setup { .. }
        | Failure::TooManyExternRefs
        | Failure::Invalid(_)
        | Failure::Engine(_) => NestedFailure::trapped(0),
    }
}

/// What the caller is told of a callee that could not be called at all.
fn unavailable(kind: ErrorKind, trap: Option<TrapCode>) -> NestedFailure {
    match kind {
        ErrorKind::Busy => NestedFailure::BUSY,
        ErrorKind::Unloaded | ErrorKind::NotReady => NestedFailure::NotFound,
        ErrorKind::OutOfFuel | ErrorKind::Deadline => NestedFailure::BUDGET,
        _ => NestedFailure::trapped(trap.map_or(0, TrapCode::code)),
    }
}
