//! What a tenant's tables hold together, and why something is not taken in.

use super::HostQuota;
use crate::{
    Error, ErrorKind, HostError, MAX_DIMS,
    sync::{AtomicUsize, Ordering},
};
use core::fmt;

/// Rows and bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) rows: usize,
    /// Keys and values of rows; keys and ids of index entries; components and ids of vectors.
    pub(super) bytes: usize,
}

impl Usage {
    /// Returns what is held once `removed` has gone and `added` has come, if that is no more or the limits
    /// of the tenant allow it.
    pub(super) fn exchange(
        self,
        removed: Self,
        added: Self,
        limits: &Limits<'_>,
    ) -> Result<Self, Refusal> {
        let (rows, bytes) = (
            self.rows.saturating_sub(removed.rows).saturating_add(added.rows),
            self.bytes.saturating_sub(removed.bytes).saturating_add(added.bytes),
        );
        if bytes > limits.quota.max_bytes.max(self.bytes) {
            return Err(Refusal::Over(limits.bytes_name));
        }
        if rows > limits.quota.max_rows.max(self.rows) {
            return Err(Refusal::Over(limits.rows_name));
        }
        Ok(Self { rows, bytes })
    }

    /// Makes it `next`, if the limits over all tenants allow it.
    pub(super) fn become_next(&mut self, next: Self, limits: &Limits<'_>) -> Result<(), Refusal> {
        limits.all.exchange(*self, next)?;
        *self = next;
        Ok(())
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

/// What a tenant may hold.
#[derive(Debug)]
pub(super) struct Limits<'h> {
    /// Where the tenant's own are lower than the host's, these.
    pub(super) quota: HostQuota,
    /// What the lower limits are called.
    pub(super) rows_name: &'static str,
    pub(super) bytes_name: &'static str,
    /// What all tenants hold, and may.
    pub(super) all: &'h Total,
}

impl<'h> Limits<'h> {
    /// The host's limits, and those of one tenant.
    pub(super) fn new(mut quota: HostQuota, own: &Ceiling, all: &'h Total) -> Self {
        let (mut rows_name, mut bytes_name) = ("max_rows", "max_bytes");
        let own = own.get();
        if own.rows < quota.max_rows {
            (quota.max_rows, rows_name) = (own.rows, "max_stored_rows");
        }
        if own.bytes < quota.max_bytes {
            (quota.max_bytes, bytes_name) = (own.bytes, "max_stored_bytes");
        }
        Self { quota, rows_name, bytes_name, all }
    }
}

/// A limit that can be set at any time. What is over it stays.
#[derive(Debug)]
pub(super) struct Ceiling {
    rows: AtomicUsize,
    bytes: AtomicUsize,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self { rows: AtomicUsize::new(usize::MAX), bytes: AtomicUsize::new(usize::MAX) }
    }
}

impl Ceiling {
    pub(super) fn set(&self, rows: u64, bytes: u64) {
        for (limit, new) in [(&self.rows, rows), (&self.bytes, bytes)] {
            limit.store(usize::try_from(new).unwrap_or(usize::MAX), Ordering::Relaxed);
        }
    }

    fn get(&self) -> Usage {
        Usage { rows: self.rows.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }
}

/// What all tenants hold, each of which changes it under a lock of its own.
#[derive(Debug, Default)]
pub(super) struct Total {
    rows: AtomicUsize,
    bytes: AtomicUsize,
    pub(super) ceiling: Ceiling,
}

impl Total {
    pub(super) fn held(&self) -> Usage {
        Usage { rows: self.rows.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// Takes in that a tenant goes from one usage to another, if the ceiling allows it.
    fn exchange(&self, from: Usage, to: Usage) -> Result<(), Refusal> {
        let ceiling = self.ceiling.get();
        if !exchange(&self.rows, from.rows, to.rows, ceiling.rows) {
            return Err(Refusal::OverAll("max_stored_rows"));
        }
        if !exchange(&self.bytes, from.bytes, to.bytes, ceiling.bytes) {
            // Back, whatever the ceiling is.
            exchange(&self.rows, to.rows, from.rows, usize::MAX);
            return Err(Refusal::OverAll("max_stored_bytes"));
        }
        Ok(())
    }
}

/// Takes `from` out of a total and puts `to` into it, unless that makes it more and over `limit`; returns
/// whether it did.
fn exchange(total: &AtomicUsize, from: usize, to: usize, limit: usize) -> bool {
    let exchanged = total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |total| {
        let next = total.saturating_sub(from).saturating_add(to);
        (to <= from || next <= limit).then_some(next)
    });
    exchanged.is_ok()
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
    /// It would be over this one, over all tenants.
    OverAll(&'static str),
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
            Self::Over(_) | Self::OverAll(_) => {
                Error::configuration(ErrorKind::QuotaExceeded, message)
            }
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
            Self::OverAll(quota) => write!(f, "over the registry's `{quota}`"),
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
