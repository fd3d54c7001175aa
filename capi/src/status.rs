//! What a callback answers a plugin's host call.

use alloc::format;
use runtime::HostError;

use crate::code::Failure;

/// What a callback that answers a host call returns: one of these, or a number from 0 on if it went well.
///
/// Down to -7 the plugin gets the number as its answer, if the function it called returns an integer; the others end
/// its call, or suspend it.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wpr_host_status_t {
    /// It went well.
    WPR_HOST_OK = 0,
    /// A grant is missing. `on_denied` says whether the plugin gets this, or its call ends with `WPR_DENIED`.
    WPR_HOST_DENIED = -1,
    /// There is no such thing.
    WPR_HOST_NOT_FOUND = -2,
    /// The arguments are invalid.
    WPR_HOST_INVALID_ARGUMENTS = -3,
    /// The host failed.
    WPR_HOST_FAILED = -4,
    /// A quota or limit was reached, or the answer does not fit.
    WPR_HOST_LIMIT_REACHED = -5,
    /// This host does not support it.
    WPR_HOST_NOT_SUPPORTED = -6,
    /// A plugin that was called failed.
    WPR_HOST_PLUGIN_FAILED = -7,
    /// The call has not enough fuel left: ends it with `WPR_OUT_OF_FUEL`.
    WPR_HOST_OUT_OF_FUEL = -100,
    /// The call is past its deadline: ends it with `WPR_DEADLINE`.
    WPR_HOST_DEADLINE = -101,
    /// The call was cancelled: ends it with `WPR_CANCELLED`.
    WPR_HOST_CANCELLED = -102,
    /// The answer comes later: suspends the call, for which `wpr_host_call_suspend` has to have said the ticket.
    WPR_HOST_PENDING = -103,
    /// Ends the call with `WPR_HOST`.
    WPR_HOST_ABORT = -104,
    /// Of a `wpr_host_call_*` function: the host call is over, or another thread's.
    WPR_HOST_NO_CALL = -105,
}

use wpr_host_status_t::{
    WPR_HOST_ABORT, WPR_HOST_CANCELLED, WPR_HOST_DEADLINE, WPR_HOST_DENIED, WPR_HOST_FAILED,
    WPR_HOST_INVALID_ARGUMENTS, WPR_HOST_LIMIT_REACHED, WPR_HOST_NOT_FOUND, WPR_HOST_NOT_SUPPORTED,
    WPR_HOST_OUT_OF_FUEL, WPR_HOST_PENDING, WPR_HOST_PLUGIN_FAILED,
};

const ENDED: HostError = HostError::Abort("the host program's callback ended it");
const NO_TICKET: HostError =
    HostError::Abort("the host program's callback answers later and gave no ticket");

/// What a callback answered: a number from 0 on, or why it did not go well.
#[inline]
pub(crate) fn answered(status: i32, ticket: Option<u64>) -> Result<i32, HostError> {
    match status {
        0.. => Ok(status),
        _ => Err(failed(status, ticket)),
    }
}

#[cold]
fn failed(status: i32, ticket: Option<u64>) -> HostError {
    const DENIED: i32 = WPR_HOST_DENIED as i32;
    const NOT_FOUND: i32 = WPR_HOST_NOT_FOUND as i32;
    const INVALID_ARGUMENTS: i32 = WPR_HOST_INVALID_ARGUMENTS as i32;
    const FAILED: i32 = WPR_HOST_FAILED as i32;
    const LIMIT_REACHED: i32 = WPR_HOST_LIMIT_REACHED as i32;
    const NOT_SUPPORTED: i32 = WPR_HOST_NOT_SUPPORTED as i32;
    const PLUGIN_FAILED: i32 = WPR_HOST_PLUGIN_FAILED as i32;
    const OUT_OF_FUEL: i32 = WPR_HOST_OUT_OF_FUEL as i32;
    const DEADLINE: i32 = WPR_HOST_DEADLINE as i32;
    const CANCELLED: i32 = WPR_HOST_CANCELLED as i32;
    const PENDING: i32 = WPR_HOST_PENDING as i32;
    match (status, ticket) {
        (DENIED, _) => HostError::Denied,
        (NOT_FOUND, _) => HostError::NotFound,
        (INVALID_ARGUMENTS, _) => HostError::InvalidArguments,
        (FAILED, _) => HostError::Failed,
        (LIMIT_REACHED, _) => HostError::LimitReached,
        (NOT_SUPPORTED, _) => HostError::NotSupported,
        (PLUGIN_FAILED, _) => HostError::PluginFailed,
        (OUT_OF_FUEL, _) => HostError::OutOfFuel,
        (DEADLINE, _) => HostError::Deadline,
        (CANCELLED, _) => HostError::Cancelled,
        (PENDING, Some(ticket)) => HostError::Pending(ticket),
        (PENDING, None) => NO_TICKET,
        _ => ENDED,
    }
}

/// What a callback gets to hear of an error.
pub(crate) fn status_of(error: HostError) -> i32 {
    let status = match error {
        HostError::Denied => WPR_HOST_DENIED,
        HostError::NotFound => WPR_HOST_NOT_FOUND,
        HostError::InvalidArguments => WPR_HOST_INVALID_ARGUMENTS,
        HostError::Failed => WPR_HOST_FAILED,
        HostError::LimitReached => WPR_HOST_LIMIT_REACHED,
        HostError::NotSupported => WPR_HOST_NOT_SUPPORTED,
        HostError::PluginFailed => WPR_HOST_PLUGIN_FAILED,
        HostError::OutOfFuel => WPR_HOST_OUT_OF_FUEL,
        HostError::Deadline => WPR_HOST_DEADLINE,
        HostError::Cancelled => WPR_HOST_CANCELLED,
        HostError::Pending(_) => WPR_HOST_PENDING,
        _ => WPR_HOST_ABORT,
    };
    status as i32
}

/// The answer that the host program gives for a suspended host call.
pub(crate) fn error_answer(status: i32) -> Result<HostError, Failure> {
    match answered(status, None) {
        Err(error) if error != NO_TICKET => Ok(error),
        _ => Err(Failure::argument(format!("`status` is {status}, which is not that of an error"))),
    }
}
