//! What is known of a call that was stopped, for whoever has to find out why.

use crate::{ErrorKind, TrapCode};
use alloc::{string::String, vec::Vec};
use core::fmt;

/// What is known of a call that trapped or was stopped.
///
/// With [`debug_mode`](crate::WasmInstanceConfig::debug_mode) it is logged as a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrapReport {
    /// How the call ended: a trap, or out of fuel, past its deadline, denied, stopped by the host.
    pub kind: ErrorKind,
    /// How the guest trapped, if it did.
    pub trap_code: Option<TrapCode>,
    /// The function that was called, as exported; empty for the start function.
    pub function: String,
    /// What the module's name section calls that function, if it says so. At most 128 bytes.
    ///
    /// Which function inside of the guest trapped is not known: the interpreter keeps no backtrace.
    pub debug_name: Option<String>,
    /// Fuel that the call spent, guest and host work together.
    pub fuel_spent: u64,
    /// Fuel that the call could spend.
    pub fuel_limit: u64,
    /// Bytes of all linear memories of the sandbox.
    pub memory_bytes: u64,
    /// The last host calls of the call, at most eight, the latest last.
    pub host_calls: Vec<ReportedHostCall>,
    /// The last line the guest logged in the call; empty if none. At most 128 bytes.
    pub last_log: String,
}

/// One host call of a call that was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportedHostCall {
    /// The import name of the host function, such as `soch_read`.
    pub function: String,
    /// What it answered, or would have if its status had not stopped the guest
    /// ([`DenyPolicy::Trap`](crate::DenyPolicy::Trap), a result without room for a status); nothing
    /// if it stopped the guest without a status.
    pub status: Option<i32>,
}

impl fmt::Display for TrapReport {
    /// Several lines, in which names and text from the guest are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trap_code {
            Some(code) => write!(f, "trap: {code}")?,
            None => write!(f, "stopped: {:?}", self.kind)?,
        }
        match self.function.as_str() {
            "" => f.write_str("\n  in the start function")?,
            function => write!(f, "\n  in {function:?}")?,
        }
        if let Some(name) = &self.debug_name {
            write!(f, ", in the source {name:?}")?;
        }
        write!(f, "\n  fuel {} of {}", self.fuel_spent, self.fuel_limit)?;
        write!(f, "\n  memory {} bytes", self.memory_bytes)?;
        if !self.host_calls.is_empty() {
            f.write_str("\n  last host calls:")?;
        }
        for call in &self.host_calls {
            match call.status {
                Some(status) => write!(f, " {} = {status};", call.function)?,
                None => write!(f, " {} stopped it;", call.function)?,
            }
        }
        if !self.last_log.is_empty() {
            write!(f, "\n  last log line: {:?}", self.last_log)?;
        }
        Ok(())
    }
}
