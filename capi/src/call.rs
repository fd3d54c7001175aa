//! Calls that the host runs piece by piece: paused, gone on with, answered later, cancelled.

use crate::{
    bytes::{wpr_bytes, wpr_bytes_t},
    cancel::wpr_cancel_t,
    code::{Failure, wpr_code_t},
    config::wpr_call_options_t,
    error::{boundary, wpr_error_t},
    handle::{give, handle, release, take},
    host::CHost,
    plugin::wpr_plugin_t,
    pointers::{In, Out, Text},
    status::error_answer,
    sync::TryMutex,
    thread::may_run_plugins,
    value::{Arguments, put_values, wpr_value_t},
};
use runtime::{HostError, HostResult, Output, PluginCall, Progress, WasmValue, WasmValues};

/// What a call handle stands for. Whoever runs it holds it for that time; others are told that it is busy.
pub(crate) struct StartedCall(TryMutex<Started>);

struct Started {
    call: PluginCall<CHost>,
    results: Option<WasmValues>,
}

impl StartedCall {
    fn give(call: PluginCall<CHost>) -> Result<wpr_call_t, Failure> {
        give(Self(TryMutex::new(Started { call, results: None })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Started) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut call = self.0.try_lock().ok_or_else(|| {
            Failure::misuse(wpr_code_t::WPR_BUSY, "the call is running, on this thread or another")
        })?;
        act(&mut call)
    }
}

/// A call that the host runs piece by piece.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct wpr_call_t {
    /// The handle's number; 0 is none.
    pub id: u64,
}

handle!(wpr_call_t, "call", 4, StartedCall);

/// How far a call came.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wpr_progress_t {
    /// It has ended; `wpr_call_results` or `wpr_call_answer` has what it returned.
    WPR_FINISHED = 0,
    /// It spent what it was given, and goes on with the next run.
    WPR_RUNNING = 1,
    /// A callback answers later, under a ticket: the call goes on once it is completed.
    WPR_SUSPENDED = 2,
}

/// Begins a call of a function by name, of which nothing runs yet. It has a sandbox of its own until it ends.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_start(
    plugin: wpr_plugin_t,
    function: Text,
    args: In<wpr_value_t>,
    arg_count: usize,
    options: In<wpr_call_options_t>,
    call: Out<wpr_call_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        call.require("call")?;
        let (function, mut arguments) = (function.get("function")?, Arguments::new());
        let args = arguments.read(&args, arg_count)?;
        let options = options.options()?.unwrap_or_default();
        call.set(StartedCall::give(take(plugin)?.start_with(function, args, options)?)?);
        Ok(())
    })
}

/// Begins to hand bytes to a function of the byte convention.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_start_bytes(
    plugin: wpr_plugin_t,
    function: Text,
    input: In<u8>,
    input_length: usize,
    options: In<wpr_call_options_t>,
    call: Out<wpr_call_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        call.require("call")?;
        let (function, input) = (function.get("function")?, input.slice(input_length, "input")?);
        let options = options.options()?.unwrap_or_default();
        call.set(StartedCall::give(take(plugin)?.start_bytes(function, input, options)?)?);
        Ok(())
    })
}

/// Runs a call until it has spent `fuel`, waits for its host, or has ended; says how far it came, a `wpr_progress_t`,
/// and the ticket if it is suspended.
///
/// It may be left alone after that for as long as one likes: that is how it is paused, and this how it is resumed. Its
/// deadline counts from the first run on. An error ends it.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_run(
    call: wpr_call_t,
    fuel: u64,
    progress: Out<u32>,
    ticket: Out<u64>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        progress.require("progress")?;
        let came = take(call)?.with(|started| {
            Ok(match started.call.run(fuel)? {
                Progress::Finished(results) => {
                    started.results = Some(results);
                    wpr_progress_t::WPR_FINISHED
                }
                Progress::Running => wpr_progress_t::WPR_RUNNING,
                Progress::Suspended(number) => {
                    ticket.set(number);
                    wpr_progress_t::WPR_SUSPENDED
                }
            })
        })?;
        progress.set(came as u32);
        Ok(())
    })
}

/// Answers the host call that a call is suspended in. It goes on with the next run.
///
/// `value` is what the host function returns to the plugin, null if it returns nothing. `output` goes to the part of
/// the plugin's memory that the function has its output in, if it fits, and is charged for; `value` is then its length
/// for `soch_read`, and so on as the host ABI says. `WPR_NOT_FOUND` if the call is not suspended with this ticket;
/// `WPR_SIGNATURE_MISMATCH` if the host function returns another type.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_complete(
    call: wpr_call_t,
    ticket: u64,
    value: In<wpr_value_t>,
    output: In<u8>,
    output_length: usize,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let output = output.slice(output_length, "output")?;
        let count = usize::from(value.get().is_some());
        let value = Arguments::new().read(&value, count)?.first().copied();
        take(call)?.with(|started| {
            let call = &mut started.call;
            match value {
                None => complete(call, ticket, output, ()),
                Some(WasmValue::I32(value)) => complete(call, ticket, output, value),
                Some(WasmValue::I64(value)) => complete(call, ticket, output, value),
                Some(WasmValue::F32(value)) => complete(call, ticket, output, value),
                Some(WasmValue::F64(value)) => complete(call, ticket, output, value),
                Some(WasmValue::ExternRef(_)) => {
                    Err(Failure::argument("`value` is a reference, which no host function returns"))
                }
            }
        })
    })
}

fn complete<R: HostResult>(
    call: &mut PluginCall<CHost>,
    ticket: u64,
    bytes: &[u8],
    value: R,
) -> Result<(), Failure> {
    Ok(call.complete(ticket, |output: &mut Output<'_>| {
        if !bytes.is_empty() {
            output.write(bytes)?;
        }
        Ok::<R, HostError>(value)
    })?)
}

/// Answers the host call that a call is suspended in with an error: a negative `wpr_host_status_t`. `WPR_NOT_FOUND` if
/// the call is not suspended with this ticket.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_fail(
    call: wpr_call_t,
    ticket: u64,
    status: i32,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let answer = error_answer(status)?;
        take(call)?.with(|started| {
            let call = &mut started.call;
            // The type is one of these; an answer of another leaves the call as it was.
            fail::<i32>(call, ticket, answer)
                .or_else(|_| fail::<i64>(call, ticket, answer))
                .or_else(|_| fail::<()>(call, ticket, answer))
                .or_else(|_| fail::<f32>(call, ticket, answer))
                .or_else(|_| fail::<f64>(call, ticket, answer))
        })
    })
}

fn fail<R: HostResult>(
    call: &mut PluginCall<CHost>,
    ticket: u64,
    error: HostError,
) -> Result<(), Failure> {
    Ok(call.complete(ticket, |_: &mut Output<'_>| Err::<R, _>(error))?)
}

/// Answers the results of a call that has finished, any number of times.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_results(
    call: wpr_call_t,
    results: Out<wpr_value_t>,
    result_capacity: usize,
    result_count: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        take(call)?.with(|started| {
            let values = started.results.as_ref().ok_or_else(not_finished)?;
            put_values(&results, result_capacity, &result_count, values)
        })
    })
}

/// Answers the bytes that a function of the byte convention answered, once the call has finished.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_answer(
    call: wpr_call_t,
    answer: Out<wpr_bytes_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        answer.require("answer")?;
        take(call)?.with(|started| {
            started.results.as_ref().ok_or_else(not_finished)?;
            answer.set(wpr_bytes(started.call.answer().to_vec())?);
            Ok(())
        })
    })
}

/// Says how much fuel a call has spent so far.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_fuel_spent(
    call: wpr_call_t,
    fuel: Out<u64>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        fuel.require("fuel")?;
        fuel.set(take(call)?.with(|started| Ok(started.call.fuel_spent()))?);
        Ok(())
    })
}

/// Gives what cancels a call, wherever it is, from any thread.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_cancel_token(
    call: wpr_call_t,
    token: Out<wpr_cancel_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        token.require("token")?;
        let cancel = take(call)?.with(|started| Ok(started.call.cancel_token()))?;
        token.set(give(cancel)?);
        Ok(())
    })
}

/// Releases a call. One that has not ended is cancelled, and everything it had is given back.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_release(call: wpr_call_t, error: Out<wpr_error_t>) -> wpr_code_t {
    boundary(error, || release(call))
}

fn not_finished() -> Failure {
    Failure::misuse(wpr_code_t::WPR_NOT_READY, "the call has not finished, or not well")
}
