//! What a tenant's tables hold together, and why something is not taken in.

use super::HostQuota;
use crate::{Error, ErrorKind, HostError, MAX_DIMS};
use core::fmt;

/// Rows and bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) rows: usize,
    /// Keys and values of rows; keys and ids of index entries; components and ids of vectors.
    pub(super) bytes: usize,
}

impl Usage {
    /// Returns what is held once `removed` has gone and `added` has come, if the quota allows it.
    pub(super) fn exchange(
        self,
        removed: Self,
        added: Self,
        quota: &HostQuota,
    ) -> Result<Self, Refusal> {
        let (rows, bytes) = (
            self.rows.saturating_sub(removed.rows).saturating_add(added.rows),
            self.bytes.saturating_sub(removed.bytes).saturating_add(added.bytes),
        );
        if bytes > quota.max_bytes {
            return Err(Refusal::Over("max_bytes"));
        }
        if rows > quota.max_rows {
            return Err(Refusal::Over("max_rows"));
        }
        Ok(Self { rows, bytes })
    }

    /// Bytes that are no row's.
    pub(super) fn of_bytes(bytes: usize) -> Self {
        Self { rows: 0, bytes }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows.saturating_add(other.rows),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// What the host has to do for a change of a row beside changing the row.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    /// Indexes and collections that are asked whether the change concerns them.
    pub(super) asked: usize,
    /// Index entries that go or come, and vectors that go.
    pub(super) changed: usize,
    /// Fuel for the keys of indexes that are looked for, where they are long.
    pub(super) long_keys_fuel: u64,
}

/// Why something is not taken in. Nothing is changed then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Refusal {
    /// It would be over this quota.
    Over(&'static str),
    /// The table has as many indexes as it may.
    TooManyIndexes(usize),
    NameTaken,
    NoCollection,
    /// The plugin that asks for it cannot pay.
    Unpaid(HostError),
    /// No collection can have vectors of so many components.
    Dims(usize),
    /// The vector has another number of components than the collection.
    OtherDims {
        given: usize,
        expected: usize,
    },
    /// The vector's squared length allows no distances.
    Length(f32),
}

impl Refusal {
    /// The error for the host program; `what` names the tenant and what it is about.
    #[cold]
    pub(super) fn into_error(self, what: fmt::Arguments<'_>) -> Error {
        let message = alloc::format!("{what}: {self}");
        match self {
            Self::Over(_) => Error::configuration(ErrorKind::QuotaExceeded, message),
            Self::TooManyIndexes(_) | Self::Dims(_) => {
                Error::host(ErrorKind::LimitExceeded, message)
            }
            Self::NameTaken => Error::host(ErrorKind::AlreadyLoaded, message),
            Self::NoCollection => Error::host(ErrorKind::NotFound, message),
            Self::Unpaid(_) | Self::OtherDims { .. } | Self::Length(_) => {
                Error::host(ErrorKind::Host, message)
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over(quota) => write!(f, "over `{quota}`"),
            Self::TooManyIndexes(max) => {
                write!(f, "its table has {max} indexes, the most there can be")
            }
            Self::NameTaken => f.write_str("there is one of that name"),
            Self::NoCollection => f.write_str("there is no such collection"),
            Self::Unpaid(error) => error.fmt(f),
            Self::Dims(dims) => write!(f, "vectors have 1 to {MAX_DIMS} components, not {dims}"),
            Self::OtherDims { given, expected } => {
                write!(f, "its vectors have {expected} components, this one has {given}")
            }
            Self::Length(squared) => write!(
                f,
                "a vector's squared length is {:e} to {:e}, and this one's is {squared:e}",
                f32::MIN_POSITIVE,
                f32::MAX / 4.0
            ),
        }
    }
}
