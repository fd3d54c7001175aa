//! How a guest can trap.

mod report;

pub use self::report::{ReportedHostCall, TrapReport};

use core::fmt;

/// How a guest trapped. Spelled as wasmi spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrapCode {
    /// It executed `unreachable`.
    UnreachableCodeReached,
    /// It accessed memory outside of its bounds.
    MemoryOutOfBounds,
    /// It accessed a table outside of its bounds.
    TableOutOfBounds,
    /// It called a null reference.
    IndirectCallToNull,
    /// It divided an integer by zero.
    IntegerDivisionByZero,
    /// An integer result does not fit its type.
    IntegerOverflow,
    /// It converted a float that has no integer value.
    BadConversionToInteger,
    /// It recursed deeper, or used more stack, than the limits allow.
    StackOverflow,
    /// An indirect call found a function of another type.
    BadSignature,
    /// It grew a memory or table past a limit, and the configuration makes that a trap.
    GrowthOperationLimited,
    /// The host had no memory for a growth that the limits allow.
    OutOfSystemMemory,
}

impl TrapCode {
    /// Returns a number that stays the same in later versions: 1 for the first variant, counting up.
    /// `last_answer` gives it to a plugin whose callee trapped.
    pub const fn code(self) -> i32 {
        self as i32 + 1
    }
}

impl TrapCode {
    /// What happened, in a few words.
    // Once: where it is inlined it is a table.
    #[inline(never)]
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::UnreachableCodeReached => "`unreachable` was executed",
            Self::MemoryOutOfBounds => "memory access out of bounds",
            Self::TableOutOfBounds => "table access out of bounds",
            Self::IndirectCallToNull => "call of a null reference",
            Self::IntegerDivisionByZero => "integer division by zero",
            Self::IntegerOverflow => "integer overflow",
            Self::BadConversionToInteger => "float has no integer value",
            Self::StackOverflow => "call stack exhausted",
            Self::BadSignature => "indirect call of another type",
            Self::GrowthOperationLimited => "growth over a limit",
            Self::OutOfSystemMemory => "out of system memory",
        }
    }
}

impl fmt::Display for TrapCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
