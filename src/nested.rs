//! One plugin called by another: the callee runs on the caller's native stack and budget.

use crate::{
    CallOptions, ErrorKind, TrapCode, WasmPluginInstance,
    engine::{CallLimits, Failure},
    host::{Chain, ChainEnd, Host, HostError, Nested, NestedFailure, NestedLimits, NestedResult},
    report,
};
use alloc::vec::Vec;

impl<H: Host> WasmPluginInstance<H> {
    /// Calls a function of the byte convention for another plugin, never waiting, and appends its
    /// answer to `answer`.
    pub(crate) fn call_nested(&self, nested: &Nested<'_>, answer: &mut Vec<u8>) -> NestedResult {
        let chain = match self.extend(&nested.limits) {
            Ok(chain) => chain,
            Err(failure) => return (0, Err(failure)),
        };
        let (index, limits) = match self.prepare(nested, &chain) {
            Ok(prepared) => prepared,
            Err(failure) => return (0, Err(failure)),
        };
        // A callee that is busy or gone is a status for the caller: no words, so no allocation.
        let held = match self.try_hold() {
            Ok(held) => held,
            Err(kind) => return (0, Err(unavailable(kind, None))),
        };
        let max = usize::try_from(nested.max_answer_bytes).unwrap_or(usize::MAX);
        let keep = |bytes: &[u8]| keep(bytes, max, answer);
        let called = self.in_held(held, |sandbox| {
            let function = nested.function;
            let (spent, result) =
                self.spend_limits(function, limits, sandbox, |sandbox, limits| {
                    sandbox.call_bytes(index, nested.input, limits, keep)
                });
            let result = result.map_err(|failure| {
                let reason = reason(&failure);
                if self.config().debug_mode {
                    let options = CallOptions::default();
                    self.failed(function, failure, &options, &sandbox.evidence(spent));
                }
                reason
            });
            Ok((spent, result))
        });
        called.unwrap_or_else(|error| (0, Err(unavailable(error.kind(), error.trap_code()))))
    }

    /// Finds the function and what it may use.
    fn prepare<'c>(
        &self,
        nested: &Nested<'c>,
        chain: &'c Chain,
    ) -> Result<(usize, CallLimits<'c>), NestedFailure> {
        let outer = &nested.limits;
        let (index, function) = self.export(nested.function).ok_or(NestedFailure::NotFound)?;
        if !report::is_byte_function(&function.params, &function.results) {
            return Err(NestedFailure::NotFound);
        }
        let own = self.config();
        let timeout_us = match (own.timeout_us(), outer.timeout_us) {
            (0, other) | (other, 0) => other,
            (own, outer) => own.min(outer),
        };
        let limits = CallLimits {
            fuel: outer.fuel.min(own.capabilities.fuel_limit),
            timeout_us,
            tag: outer.tag,
            slice_fuel: outer.slice_fuel,
            deadline_us: outer.deadline_us,
            chain: Some(chain),
            recorded: Some(outer.recorded),
        };
        Ok((index, limits))
    }

    fn extend(&self, outer: &NestedLimits<'_>) -> Result<Chain, NestedFailure> {
        let chain = outer.chain.extend(outer.caller, self.context.id, outer.max_depth);
        chain.map_err(|end| match end {
            ChainEnd::TooDeep => NestedFailure::LimitReached,
            ChainEnd::Cycle => NestedFailure::refused(0),
        })
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
