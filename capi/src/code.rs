//! How a function of the API ends: its code, and why it did not do what it is for.

use crate::no_handle::NoHandle;
use alloc::borrow::Cow;
use runtime::{Error, ErrorKind};

/// How a function ended.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wpr_code_t {
    /// It did what it is for.
    WPR_OK = 0,
    /// The bytes are not a valid core WebAssembly module; the message says what they look like.
    WPR_INVALID_MODULE = 1,
    /// The module or the configuration asks for something that is not allowed here.
    WPR_REFUSED = 2,
    /// A size or count is over its limit.
    WPR_LIMIT_EXCEEDED = 3,
    /// The name is taken.
    WPR_ALREADY_LOADED = 4,
    /// There is nothing of that name or number.
    WPR_NOT_FOUND = 5,
    /// The plugin exports no function of that name, or no memory of that name.
    WPR_FUNCTION_NOT_FOUND = 6,
    /// The function has another signature, or one that a host cannot call.
    WPR_SIGNATURE_MISMATCH = 7,
    /// All sandboxes of the plugin are in use, or what the handle stands for is used by another thread or by this
    /// one further up.
    WPR_BUSY = 8,
    /// The call has ended already.
    WPR_NOT_READY = 9,
    /// The call spent its fuel, or the plugin its fuel budget.
    WPR_OUT_OF_FUEL = 10,
    /// The call ran past its timeout.
    WPR_DEADLINE = 11,
    /// The call was cancelled.
    WPR_CANCELLED = 12,
    /// The guest trapped; `trap_code` says how.
    WPR_TRAP = 13,
    /// A host function was denied, and the configuration makes that a trap.
    WPR_DENIED = 14,
    /// The plugin failed too often and accepts no calls for now.
    WPR_QUARANTINED = 15,
    /// A quota of the tenant or the host was reached.
    WPR_QUOTA_EXCEEDED = 16,
    /// The module's SHA-256 is not the pinned one.
    WPR_HASH_MISMATCH = 17,
    /// A timeout was asked for and there is no clock.
    WPR_CLOCK_MISSING = 18,
    /// This build's interpreter dispatch grows the native stack; no plugin may run in it.
    WPR_UNSOUND_DISPATCH = 19,
    /// The guest broke the byte convention, or answered a status: `guest_status`.
    WPR_BAD_GUEST_ANSWER = 20,
    /// The table of host functions is full, or holds the name already.
    WPR_TABLE_FULL = 21,
    /// A host function stopped the call, or the host's own storage refused.
    WPR_HOST = 22,
    /// The plugin was unloaded.
    WPR_UNLOADED = 23,
    /// A file could not be read.
    WPR_IO = 24,
    /// A pointer is null that must not be.
    WPR_NULL_POINTER = 100,
    /// The handle was released, was never given out, or is of another kind; the message says which.
    WPR_INVALID_HANDLE = 101,
    /// An argument is not what it may be: a text without an end or not UTF-8, a number that stands for nothing, a
    /// length that no memory has.
    WPR_INVALID_ARGUMENT = 102,
    /// The size that a struct says it has is impossible, or it asks for what this version does not know.
    WPR_INVALID_STRUCT = 103,
    /// The answer does not fit where it was to go; how much room it needs was said, and nothing was written.
    WPR_BUFFER_TOO_SMALL = 104,
    /// A callback asked for something that runs a plugin.
    WPR_REENTRANT = 105,
    /// The library failed in a way that it should not have. What the handle stands for may be used on; please report
    /// the message.
    WPR_PANIC = 106,
    /// This build of the library does not have it.
    WPR_NOT_SUPPORTED = 107,
    /// There is no memory for another handle.
    WPR_TOO_MANY_HANDLES = 108,
}

use wpr_code_t::{
    WPR_ALREADY_LOADED, WPR_BAD_GUEST_ANSWER, WPR_BUSY, WPR_CANCELLED, WPR_CLOCK_MISSING,
    WPR_DEADLINE, WPR_DENIED, WPR_FUNCTION_NOT_FOUND, WPR_HASH_MISMATCH, WPR_HOST,
    WPR_INVALID_ARGUMENT, WPR_INVALID_HANDLE, WPR_INVALID_MODULE, WPR_IO, WPR_LIMIT_EXCEEDED,
    WPR_NOT_FOUND, WPR_NOT_READY, WPR_OUT_OF_FUEL, WPR_QUARANTINED, WPR_QUOTA_EXCEEDED,
    WPR_REFUSED, WPR_SIGNATURE_MISMATCH, WPR_TABLE_FULL, WPR_TRAP, WPR_UNLOADED,
    WPR_UNSOUND_DISPATCH,
};

impl wpr_code_t {
    pub(crate) const fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidModule => WPR_INVALID_MODULE,
            ErrorKind::Refused => WPR_REFUSED,
            ErrorKind::LimitExceeded => WPR_LIMIT_EXCEEDED,
            ErrorKind::AlreadyLoaded => WPR_ALREADY_LOADED,
            ErrorKind::NotFound => WPR_NOT_FOUND,
            ErrorKind::FunctionNotFound => WPR_FUNCTION_NOT_FOUND,
            ErrorKind::SignatureMismatch => WPR_SIGNATURE_MISMATCH,
            ErrorKind::Busy => WPR_BUSY,
            ErrorKind::NotReady => WPR_NOT_READY,
            ErrorKind::OutOfFuel => WPR_OUT_OF_FUEL,
            ErrorKind::Deadline => WPR_DEADLINE,
            ErrorKind::Cancelled => WPR_CANCELLED,
            ErrorKind::Trap => WPR_TRAP,
            ErrorKind::Denied => WPR_DENIED,
            ErrorKind::Quarantined => WPR_QUARANTINED,
            ErrorKind::QuotaExceeded => WPR_QUOTA_EXCEEDED,
            ErrorKind::HashMismatch => WPR_HASH_MISMATCH,
            ErrorKind::ClockMissing => WPR_CLOCK_MISSING,
            ErrorKind::UnsoundDispatch => WPR_UNSOUND_DISPATCH,
            ErrorKind::BadGuestAnswer => WPR_BAD_GUEST_ANSWER,
            ErrorKind::TableFull => WPR_TABLE_FULL,
            ErrorKind::Unloaded => WPR_UNLOADED,
            ErrorKind::Io => WPR_IO,
            // What a later version of the library adds has its number here before it is released.
            _ => WPR_HOST,
        }
    }
}

/// Why a function did not do what it is for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library says so.
    Library(Error),
    /// The program uses the API in a way that it must not, or that this build does not have.
    Misuse(wpr_code_t, Cow<'static, str>),
    /// A handle is none.
    Handle(NoHandle),
}

impl Failure {
    #[cold]
    pub(crate) fn misuse(code: wpr_code_t, what: impl Into<Cow<'static, str>>) -> Self {
        Self::Misuse(code, what.into())
    }

    #[cold]
    pub(crate) fn argument(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Misuse(WPR_INVALID_ARGUMENT, what.into())
    }

    pub(crate) fn code(&self) -> wpr_code_t {
        match self {
            Self::Library(error) => wpr_code_t::of(error.kind()),
            Self::Misuse(code, _) => *code,
            Self::Handle(_) => WPR_INVALID_HANDLE,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}
