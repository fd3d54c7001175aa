//! What a host function can fail with, and the status the guest gets.

use core::fmt;

/// Why a host function did not succeed.
///
/// The first six answer the guest a status; the others stop the call. A host function that returns
/// no integer has no room for a status: there the first six stop the call too, with
/// [`ErrorKind::Host`](crate::ErrorKind::Host).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostError {
    /// There is no such thing: status -2.
    NotFound,
    /// The arguments are invalid: status -3.
    InvalidArguments,
    /// The host failed: status -4.
    Failed,
    /// A quota or limit was reached: status -5.
    LimitReached,
    /// This host does not support it: status -6.
    NotSupported,
    /// A plugin that was called failed: status -7.
    PluginFailed,
    /// A grant is missing: status -1, or the end of the call, as
    /// [`on_denied`](crate::WasmInstanceConfig::on_denied) says.
    Denied,
    /// The call has not enough fuel left: ends it with
    /// [`ErrorKind::OutOfFuel`](crate::ErrorKind::OutOfFuel).
    OutOfFuel,
    /// The call is past its deadline: ends it with
    /// [`ErrorKind::Deadline`](crate::ErrorKind::Deadline).
    Deadline,
    /// The call was cancelled: ends it with
    /// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    Cancelled,
    /// The answer comes later: suspends the call until the host
    /// [completes](crate::PluginCall::complete) it under this ticket, a number of the host's own. A
    /// call that was not [started](crate::WasmPluginInstance::start) cannot be suspended
    /// ([`HostCall::can_suspend`](crate::HostCall::can_suspend)) and ends with
    /// [`ErrorKind::Host`](crate::ErrorKind::Host).
    Pending(u64),
    /// Ends the call with [`ErrorKind::Host`](crate::ErrorKind::Host) and this reason.
    Abort(&'static str),
}

impl HostError {
    /// Returns the status a guest gets, if this error has one.
    pub const fn status(self) -> Option<i32> {
        match self {
            Self::Denied => Some(-1),
            Self::NotFound => Some(-2),
            Self::InvalidArguments => Some(-3),
            Self::Failed => Some(-4),
            Self::LimitReached => Some(-5),
            Self::NotSupported => Some(-6),
            Self::PluginFailed => Some(-7),
            Self::OutOfFuel
            | Self::Deadline
            | Self::Cancelled
            | Self::Pending(_)
            | Self::Abort(_) => None,
        }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::InvalidArguments => "invalid arguments",
            Self::Failed => "the host failed",
            Self::LimitReached => "a limit was reached",
            Self::NotSupported => "not supported by this host",
            Self::PluginFailed => "the called plugin failed",
            Self::Denied => "permission denied",
            Self::OutOfFuel => "out of fuel",
            Self::Deadline => "past its deadline",
            Self::Cancelled => "cancelled",
            Self::Pending(_) => {
                "its answer comes later, and this call cannot wait: only a call that was started can, \
                 in a module without indirect tail calls"
            },
            Self::Abort(reason) => reason,
        })
    }
}

impl core::error::Error for HostError {}
