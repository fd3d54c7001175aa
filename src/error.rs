//! The error a host gets, and what kinds there are.

use crate::trap::TrapCode;
use alloc::{
    boxed::Box,
    string::{String, ToString},
};
use core::fmt;

/// What went wrong, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not a valid core WebAssembly module; the message says what they look like.
    InvalidModule,
    /// The module or the configuration asks for something that is not allowed here.
    Refused,
    /// A size or count is over its limit.
    LimitExceeded,
    /// The name is taken.
    AlreadyLoaded,
    /// There is no plugin of that name, or no collection.
    NotFound,
    /// The plugin exports no function of that name, or no memory of that name.
    FunctionNotFound,
    /// The function has another signature, or one that a host cannot call.
    SignatureMismatch,
    /// All sandboxes of the plugin are in use.
    Busy,
    /// The plugin has not been initialised.
    NotReady,
    /// The call spent its fuel, or the plugin its fuel budget.
    OutOfFuel,
    /// The call ran past its timeout.
    Deadline,
    /// The call was cancelled.
    Cancelled,
    /// The guest trapped; [`Error::trap_code`] says how.
    Trap,
    /// A host function was denied, and the configuration makes that a trap.
    Denied,
    /// The plugin failed too often and accepts no calls.
    Quarantined,
    /// A quota of the tenant or the host was reached.
    QuotaExceeded,
    /// The module's SHA-256 is not the pinned one.
    HashMismatch,
    /// A timeout was asked for and there is no clock.
    ClockMissing,
    /// This build's interpreter dispatch grows the native stack; no plugin may run in it.
    UnsoundDispatch,
    /// The guest broke the byte convention, or answered a status: [`Error::guest_status`].
    BadGuestAnswer,
    /// The table of host functions is full, or holds the name already.
    TableFull,
    /// A host function stopped the call, or the host's own storage refused.
    Host,
    /// The plugin was unloaded.
    Unloaded,
    /// A file could not be read.
    Io,
}

/// Whose doing an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The plugin's.
    Guest,
    /// The host program's: its arguments, its `Host`, its build or its load.
    Host,
    /// The configuration's: a limit or grant that does not fit the plugin.
    Configuration,
}

/// Why a load, a call or an access failed.
///
/// Its text names the plugin, the function, the limit and the value concerned, and whose fault it is.
pub struct Error(Box<Parts>);

struct Parts {
    kind: ErrorKind,
    fault: Fault,
    plugin: String,
    function: String,
    message: String,
    trap: Option<TrapCode>,
    status: Option<i32>,
    last_log: String,
    source: Option<Box<dyn core::error::Error + Send + Sync>>,
}

impl Error {
    /// Returns what went wrong, in one word.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whose doing it is.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Returns the name of the plugin concerned; empty where there is none.
    pub fn plugin(&self) -> &str {
        &self.0.plugin
    }

    /// Returns the name of the function concerned; empty where there is none.
    pub fn function(&self) -> &str {
        &self.0.function
    }

    /// Returns how the guest trapped, if it did.
    pub fn trap_code(&self) -> Option<TrapCode> {
        self.0.trap
    }

    /// Returns the status (-4095 to -1) that a function of the byte convention answered instead of
    /// bytes, if it did.
    pub fn guest_status(&self) -> Option<i32> {
        self.0.status
    }

    /// Returns the last line the guest logged in the call that failed; empty if none. At most 128
    /// bytes are kept.
    pub fn last_log(&self) -> &str {
        &self.0.last_log
    }

    #[cold]
    pub(crate) fn new(kind: ErrorKind, fault: Fault, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            fault,
            plugin: String::new(),
            function: String::new(),
            message: message.into(),
            trap: None,
            status: None,
            last_log: String::new(),
            source: None,
        }))
    }

    /// A fault of the guest's.
    #[cold]
    pub(crate) fn guest(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, Fault::Guest, message)
    }

    /// A fault of the host program's.
    #[cold]
    pub(crate) fn host(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, Fault::Host, message)
    }

    /// A fault of the configuration's.
    #[cold]
    pub(crate) fn configuration(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, Fault::Configuration, message)
    }

    pub(crate) fn in_plugin(mut self, plugin: &str) -> Self {
        self.0.plugin = plugin.to_string();
        self
    }

    pub(crate) fn in_function(mut self, function: &str) -> Self {
        self.0.function = function.to_string();
        self
    }

    pub(crate) fn with_trap(mut self, code: TrapCode) -> Self {
        self.0.trap = Some(code);
        self
    }

    pub(crate) fn with_status(mut self, status: i32) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_last_log(mut self, line: &str) -> Self {
        self.0.last_log = line.to_string();
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl core::error::Error + Send + Sync + 'static,
    ) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { plugin, function, message, last_log, fault, .. } = &*self.0;
        match (plugin.is_empty(), function.is_empty()) {
            (false, false) => write!(f, "plugin `{plugin}`, function `{function}`: ")?,
            (false, true) => write!(f, "plugin `{plugin}`: ")?,
            (true, false) => write!(f, "function `{function}`: ")?,
            (true, true) => {}
        }
        f.write_str(message)?;
        if !last_log.is_empty() {
            write!(f, "; its last log line: {last_log:?}")?;
        }
        f.write_str(match fault {
            Fault::Guest => " (the plugin's fault)",
            Fault::Host => " (the host's fault)",
            Fault::Configuration => " (a matter of configuration)",
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.0.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn the_text_names_plugin_function_and_fault() {
        let error = Error::guest(ErrorKind::Trap, "unreachable")
            .in_plugin("p")
            .in_function("f")
            .with_last_log("here");
        assert_eq!(
            error.to_string(),
            "plugin `p`, function `f`: unreachable; its last log line: \"here\" (the plugin's fault)"
        );
    }
}
