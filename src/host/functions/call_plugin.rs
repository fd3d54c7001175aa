use super::length;
use crate::host::{Host, HostCall, HostError, Nested, NestedFailure, Output, call::check_name};
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
    let result = ask(call, plugin, function, input, &mut answer)
        .and_then(|()| write(call, &answer, &mut out));
    call.state().last_answer = answer;
    result
}

/// Runs the callee and charges what it spent to the caller.
fn ask<H: Host>(
    call: &mut HostCall<'_, H>,
    plugin: &str,
    function: &str,
    input: &[u8],
    answer: &mut Vec<u8>,
) -> Result<(), HostError> {
    let context = call.context();
    // Nobody to ask: the registry is gone, or the plugin stands alone.
    let directory = context.directory.upgrade().ok_or(HostError::Failed)?;
    let nested = Nested {
        tenant: &context.config.tenant,
        plugin,
        function,
        input,
        limits: call.nested_limits(),
        max_answer_bytes: context.config.limits.max_answer_bytes,
    };
    let (spent, outcome) = directory.call_nested(&nested, answer);
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

fn write<H: Host>(
    call: &mut HostCall<'_, H>,
    answer: &[u8],
    out: &mut Output<'_>,
) -> Result<i32, HostError> {
    out.write_value(call, answer).and_then(length)
}
