//! How a check says that it failed.

use crate::Device;
use alloc::{format, string::String};
use core::{fmt, result};

/// What went wrong, with what was expected.
#[derive(Debug)]
pub struct Failure(String);

pub type Result<T = ()> = result::Result<T, Failure>;

/// A sentence, and what finds out whether it is true.
#[derive(Debug)]
pub struct Check {
    pub name: &'static str,
    pub run: fn(&mut dyn Device) -> Result,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<wasm_runtime::Error> for Failure {
    fn from(error: wasm_runtime::Error) -> Self {
        Self(format!("unexpected error {:?}: {error}", error.kind()))
    }
}

/// Fails unless both are equal; `what` says where.
pub fn same<T: PartialEq + fmt::Debug>(what: impl fmt::Display, found: T, expected: T) -> Result {
    match found == expected {
        true => Ok(()),
        false => Err(Failure(format!("{what}: found {found:?}, expected {expected:?}"))),
    }
}

/// Fails unless `condition` holds.
pub fn that(what: impl fmt::Display, condition: bool) -> Result {
    match condition {
        true => Ok(()),
        false => Err(Failure(format!("not so: {what}"))),
    }
}

/// The error that must have come.
pub fn error<T>(
    what: impl fmt::Display,
    result: result::Result<T, wasm_runtime::Error>,
) -> Result<wasm_runtime::Error> {
    result.err().ok_or_else(|| Failure(format!("{what}: no error")))
}

/// What must be there.
pub fn some<T>(what: impl fmt::Display, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Failure(format!("{what}: not there")))
}

/// The checks of a file, each with its name as a sentence.
macro_rules! checks {
    ($($check:ident),* $(,)?) => {
        pub const CHECKS: &[$crate::check::Check] =
            &[$($crate::check::Check { name: stringify!($check), run: $check }),*];
    };
}
pub(crate) use checks;
