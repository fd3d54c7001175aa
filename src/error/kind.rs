//! What kinds of errors there are, and whose doing each is.

/// What went wrong, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
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
    /// The guest trapped; [`Error::trap_code`](crate::Error::trap_code) says how.
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
    /// The guest broke the byte convention, or answered a status: [`Error::guest_status`](crate::Error::guest_status).
    BadGuestAnswer,
    /// The table of host functions is full, or holds the name already.
    TableFull,
    /// A host function stopped the call, or the host's own storage refused.
    Host,
    /// The plugin was unloaded.
    Unloaded,
    /// A file could not be read, or no thread started.
    Io,
}

impl ErrorKind {
    /// Returns the name of the variant, as `Debug` writes it.
    #[inline(never)]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidModule => "InvalidModule",
            Self::Refused => "Refused",
            Self::LimitExceeded => "LimitExceeded",
            Self::AlreadyLoaded => "AlreadyLoaded",
            Self::NotFound => "NotFound",
            Self::FunctionNotFound => "FunctionNotFound",
            Self::SignatureMismatch => "SignatureMismatch",
            Self::Busy => "Busy",
            Self::NotReady => "NotReady",
            Self::OutOfFuel => "OutOfFuel",
            Self::Deadline => "Deadline",
            Self::Cancelled => "Cancelled",
            Self::Trap => "Trap",
            Self::Denied => "Denied",
            Self::Quarantined => "Quarantined",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::HashMismatch => "HashMismatch",
            Self::ClockMissing => "ClockMissing",
            Self::UnsoundDispatch => "UnsoundDispatch",
            Self::BadGuestAnswer => "BadGuestAnswer",
            Self::TableFull => "TableFull",
            Self::Host => "Host",
            Self::Unloaded => "Unloaded",
            Self::Io => "Io",
        }
    }
}

impl core::fmt::Debug for ErrorKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
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
