//! The error a host gets, and what kinds there are.

mod kind;

pub use self::kind::{ErrorKind, Fault};

use crate::trap::{TrapCode, TrapReport};
use alloc::{
    boxed::Box,
    string::{String, ToString},
};
use core::fmt;

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
    report: Option<TrapReport>,
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

    /// Returns what is known of the call, if it trapped or was stopped.
    pub fn trap_report(&self) -> Option<&TrapReport> {
        self.0.report.as_ref()
    }

    #[cold]
    #[inline(never)]
    fn new(kind: ErrorKind, fault: Fault, message: String) -> Self {
        Self(Box::new(Parts {
            kind,
            fault,
            plugin: String::new(),
            function: String::new(),
            message,
            trap: None,
            status: None,
            last_log: String::new(),
            report: None,
            source: None,
        }))
    }

    /// A fault of the guest's.
    #[cold]
    pub(crate) fn guest(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, Fault::Guest, message.into())
    }

    /// A fault of the host program's.
    #[cold]
    pub(crate) fn host(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, Fault::Host, message.into())
    }

    /// A fault of the configuration's.
    #[cold]
    pub(crate) fn configuration(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, Fault::Configuration, message.into())
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn in_plugin(mut self, plugin: &str) -> Self {
        self.0.plugin = plugin.to_string();
        self
    }

    #[cold]
    #[inline(never)]
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

    pub(crate) fn with_report(mut self, report: TrapReport) -> Self {
        self.0.report = Some(report);
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
