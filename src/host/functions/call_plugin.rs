use super::length;
use crate::host::{
    Host, HostCall, HostError, Nested, NestedFailure, NestedOutcome, NestedResult, Output,
    call::check_name,
};
use alloc::vec::Vec;

/// Calls a function of the byte convention in another plugin of the same tenant, on this call's
/// budget. Returns the full length of its answer; it is written only if it fits, and kept for
/// `last_answer` in any case.
#[allow(clippy::too_many_arguments)] // the ABI has them
pub(super) fn call_plugin<H: Host>(
    call: &mut HostCall<'_, H>,
    plugin: i32,
    plugin_len: i32,
    function: i32,
    function_len: i32,
    input: i32,
    input_len: i32,
    out: i32,
    out_cap: i32,
) -> Result<i32, HostError> {
    let (plugin, [function, input], mut out) = call.named_arguments(
        (plugin, plugin_len),
        |call, plugin| call.require(|grants| grants.can_call(plugin)),
        [(function, function_len, usize::MAX), (input, input_len, usize::MAX)],
        (out, out_cap),
    )?;
    let function = check_name(function)?;
    if function.starts_with("soch_") {
        return Err(HostError::Denied);
    }
    call.charge_bytes(input.len())?;
    let mut answer = core::mem::take(&mut call.state().last_answer);
    answer.clear();
    match ask(call, plugin, function, input, &mut answer)? {
        NestedResult::Ended { spent, outcome } => {
            finish_call_plugin(call, spent, outcome, &mut answer, &mut out)
        }
        NestedResult::Suspended(callee) => {
            call.state().suspension.callee = Some(callee);
            // The ticket is nobody's: whoever runs the call finds the callee.
            Err(HostError::Pending(0))
        }
    }
}

/// Runs the callee as far as it comes.
fn ask<H: Host>(
    call: &HostCall<'_, H>,
    plugin: &str,
    function: &str,
    input: &[u8],
    answer: &mut Vec<u8>,
) -> Result<NestedResult, HostError> {
    let context = call.context();
    // Nobody to ask: the registry is gone, or the plugin stands alone.
    let directory = context.directory.upgrade().ok_or(HostError::Failed)?;
    let callee = directory.find(plugin);
    let Some(callee) = callee.filter(|callee| callee.tenant() == context.config.tenant) else {
        return Ok(NestedResult::failed(NestedFailure::NotFound));
    };
    let nested = Nested {
        function,
        input,
        limits: call.nested_limits(),
        max_answer_bytes: context.config.limits.max_answer_bytes,
    };
    Ok(callee.call_nested(&nested, answer))
}

/// Charges what the callee spent to the caller, keeps its answer and writes it to `out`.
pub(crate) fn finish_call_plugin<H: Host>(
    call: &mut HostCall<'_, H>,
    spent: u64,
    outcome: NestedOutcome,
    answer: &mut Vec<u8>,
    out: &mut Output<'_>,
) -> Result<i32, HostError> {
    let result = conclude(call, spent, outcome, answer)
        .and_then(|()| out.write_value(call, answer).and_then(length));
    call.state().last_answer = core::mem::take(answer);
    result
}

fn conclude<H: Host>(
    call: &mut HostCall<'_, H>,
    spent: u64,
    outcome: NestedOutcome,
    answer: &mut Vec<u8>,
) -> Result<(), HostError> {
    call.charge(spent)?;
    match outcome {
        Ok(()) => Ok(()),
        Err(NestedFailure::NotFound) => Err(HostError::NotFound),
        Err(NestedFailure::LimitReached) => Err(HostError::LimitReached),
        Err(NestedFailure::Failed { reason, code }) => {
            answer.clear();
            if answer.try_reserve(8).is_ok() {
                answer.extend_from_slice(&reason.to_le_bytes());
                answer.extend_from_slice(&code.to_le_bytes());
            }
            Err(HostError::PluginFailed)
        }
    }
}
