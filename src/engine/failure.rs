//! How running a sandbox can fail, before it is told to a host in words.

use crate::{
    ErrorKind, TrapCode,
    host::{HostError, NestedFailure, RECENT_CALLS, RecentCall},
    ledger::Reached,
    stats::Stop,
};
use alloc::{boxed::Box, string::String};
use core::fmt;

/// How a call in a sandbox failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Trap(TrapCode),
    OutOfFuel,
    Deadline,
    Cancelled,
    /// A host function, by its index in the table, stopped the call.
    Host {
        error: HostError,
        function: usize,
    },
    /// The guest broke the byte convention.
    BadAnswer(BadAnswer),
    /// The guest answered a status.
    Status(i32),
    /// The answer is longer than the caller has room for.
    AnswerTooLong {
        len: usize,
        room: usize,
    },
    /// The sandbox cannot be made or used: `limit` if it is a matter of limits.
    Setup {
        message: String,
        limit: bool,
    },
    /// A ceiling of the tenant's or the registry's was reached before anything ran.
    Quota(Box<Reached>),
    /// One `ExternRef` more than a sandbox holds.
    TooManyExternRefs,
    /// A function that is compiled on its first call turned out to be invalid.
    Invalid(Box<str>),
    /// Something that validation should have made impossible.
    Engine(Box<str>),
}

impl Failure {
    /// Whether the guest was stopped before it had returned.
    pub(crate) fn is_midway(&self) -> bool {
        self.stop().is_some()
    }

    /// How the guest was stopped, if it was stopped before it had returned.
    #[cold]
    pub(super) fn stop(&self) -> Option<Stop> {
        match self {
            Self::Trap(code) => Some(Stop::trap(*code)),
            Self::OutOfFuel => Some(Stop::of(ErrorKind::OutOfFuel)),
            Self::Deadline => Some(Stop::of(ErrorKind::Deadline)),
            Self::Cancelled => Some(Stop::of(ErrorKind::Cancelled)),
            Self::Host { error: HostError::Denied, .. } => Some(Stop::of(ErrorKind::Denied)),
            Self::Host { .. } | Self::Engine(_) => Some(Stop::of(ErrorKind::Host)),
            Self::Invalid(_) => Some(Stop::of(ErrorKind::InvalidModule)),
            Self::BadAnswer(_)
            | Self::Status(_)
            | Self::AnswerTooLong { .. }
            | Self::Setup { .. }
            | Self::Quota(_)
            | Self::TooManyExternRefs => None,
        }
    }
}

impl From<Box<Reached>> for Failure {
    fn from(reached: Box<Reached>) -> Self {
        Self::Quota(reached)
    }
}

impl From<&Failure> for NestedFailure {
    /// What a plugin is told of one that it called.
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Trap(code) => Self::trapped(code.code()),
            Failure::OutOfFuel | Failure::Deadline | Failure::Cancelled | Failure::Quota(_) => {
                Self::BUDGET
            }
            Failure::Host { error, .. } => Self::trapped(HostError::status(*error).unwrap_or(0)),
            Failure::AnswerTooLong { .. } => Self::LimitReached,
            Failure::Status(status) => Self::refused(*status),
            Failure::BadAnswer(_)
            | Failure::Setup { .. }
            | Failure::TooManyExternRefs
            | Failure::Invalid(_)
            | Failure::Engine(_) => Self::trapped(0),
        }
    }
}

/// What a call that failed leaves for a report.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// What it spent.
    pub(crate) fuel: u64,
    pub(crate) memory_bytes: u64,
    /// The last host calls, the latest last.
    pub(crate) host_calls: heapless::Vec<RecentCall, RECENT_CALLS>,
    /// The beginning of the last line it logged.
    pub(crate) last_log: String,
}

/// How a guest broke the byte convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadAnswer {
    /// It has no `soch_alloc` of the right type, or no memory.
    NoAllocator,
    /// `soch_alloc` answered 0.
    AllocationRefused { len: usize },
    /// `soch_alloc` answered a range outside of its memory.
    AllocationOutside { ptr: u32, len: usize, size: usize },
    /// The answer lies outside of its memory.
    AnswerOutside { ptr: u32, len: u32, size: usize },
    /// The input is longer than an `i32` can say.
    InputTooLong { len: usize },
}

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAllocator => f.write_str(
                "it does not follow the byte convention: it needs exports `memory` and \
                 `soch_alloc` (i32) -> (i32)",
            ),
            Self::AllocationRefused { len } => {
                write!(f, "`soch_alloc` refused {len} bytes for the input")
            }
            Self::AllocationOutside { ptr, len, size } => write!(
                f,
                "`soch_alloc` answered {len} bytes at {ptr}, outside of its memory of {size} bytes"
            ),
            Self::AnswerOutside { ptr, len, size } => {
                write!(f, "it answered {len} bytes at {ptr}, outside of its memory of {size} bytes")
            }
            Self::InputTooLong { len } => {
                write!(f, "the input of {len} bytes is longer than a guest can be told")
            }
        }
    }
}

/// The error that travels through wasmi from a host function to the executor. It is `Copy`, since a
/// suspended call shows it by reference only.
#[derive(Clone, Copy)]
pub(super) struct HostStop {
    pub(super) error: HostError,
    pub(super) function: usize,
}

impl fmt::Display for HostStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Nobody sees it, and wasmi keeps it where everything is linked: derived, it takes 200 bytes.
impl fmt::Debug for HostStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl wasmi::errors::HostError for HostStop {}

impl From<HostStop> for Failure {
    fn from(HostStop { error, function }: HostStop) -> Self {
        match error {
            HostError::OutOfFuel => Self::OutOfFuel,
            HostError::Deadline => Self::Deadline,
            HostError::Cancelled => Self::Cancelled,
            error => Self::Host { error, function },
        }
    }
}

impl From<&wasmi::Error> for Failure {
    #[cold]
    fn from(error: &wasmi::Error) -> Self {
        if let Some(stop) = error.downcast_ref::<HostStop>() {
            return (*stop).into();
        }
        use wasmi::errors::ErrorKind;
        let text = || alloc::format!("{error}").into_boxed_str();
        match (error.as_trap_code(), error.kind()) {
            (Some(wasmi::TrapCode::OutOfFuel), _) => Self::OutOfFuel,
            (Some(code), _) => Self::Trap(trap_code(code)),
            (None, ErrorKind::Wasm(_) | ErrorKind::Translation(_)) => Self::Invalid(text()),
            (None, _) => Self::Engine(text()),
        }
    }
}

fn trap_code(code: wasmi::TrapCode) -> TrapCode {
    use wasmi::TrapCode as Theirs;
    match code {
        Theirs::UnreachableCodeReached => TrapCode::UnreachableCodeReached,
        Theirs::MemoryOutOfBounds => TrapCode::MemoryOutOfBounds,
        Theirs::TableOutOfBounds => TrapCode::TableOutOfBounds,
        Theirs::IndirectCallToNull => TrapCode::IndirectCallToNull,
        Theirs::IntegerDivisionByZero => TrapCode::IntegerDivisionByZero,
        Theirs::IntegerOverflow => TrapCode::IntegerOverflow,
        Theirs::BadConversionToInteger => TrapCode::BadConversionToInteger,
        Theirs::StackOverflow => TrapCode::StackOverflow,
        Theirs::BadSignature => TrapCode::BadSignature,
        // Running out of fuel is no trap here; it is told apart before.
        Theirs::GrowthOperationLimited | Theirs::OutOfFuel => TrapCode::GrowthOperationLimited,
        Theirs::OutOfSystemMemory => TrapCode::OutOfSystemMemory,
    }
}

/// Why an instance cannot be made.
pub(super) fn setup_failure(error: &wasmi::Error) -> Failure {
    use wasmi::errors::{ErrorKind, InstantiationError as Instantiation};
    match error.kind() {
        _ if error.as_trap_code().is_some() => error.into(),
        ErrorKind::Instantiation(Instantiation::ElementSegmentDoesNotFit { .. }) => {
            Failure::Trap(TrapCode::TableOutOfBounds)
        }
        ErrorKind::Instantiation(
            Instantiation::FailedToInstantiateMemory(_)
            | Instantiation::FailedToInstantiateTable(_)
            | Instantiation::TooManyMemories
            | Instantiation::TooManyTables,
        ) => Failure::Setup { message: alloc::format!("{error}"), limit: true },
        _ => Failure::Setup { message: alloc::format!("{error}"), limit: false },
    }
}
