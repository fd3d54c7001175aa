//! One table, and what follows its rows: indexes and collections.
//!
//! A row changes in [`Table::change`] and nowhere else, so that rows, index entries, vectors and what
//! they take never drift apart.

use super::{
    indexes::{Index, IndexKey, Move},
    usage::{Limits, Refusal, Usage, Work},
    vectors::Collection,
};
use crate::HostError;
use alloc::{collections::BTreeMap, vec::Vec};
use core::ops::Bound;

/// The most indexes of one table: a guest's write changes them all at once.
pub(super) const MAX_INDEXES: usize = 16;
/// How much more than twice its length a value may keep of the memory of one before it.
const MAX_SPARE_BYTES: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Table {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    indexes: Vec<Index>,
    collections: Vec<Collection>,
}

impl Table {
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.rows.get(key).map(Vec::as_slice)
    }

    /// The rows with keys from `from` on, in key order.
    pub(super) fn range(&self, from: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
        let rows = self.rows.range::<[u8], _>((Bound::Included(from), Bound::Unbounded));
        rows.map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// Gives the row of `key` a value, or none, in the rows and in all that follows them, and books
    /// it in `usage`. `pay` hears what it takes. Returns whether there was a row. A refusal, or a
    /// panic of an index's function, leaves everything as it was.
    pub(super) fn change(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        usage: &mut Usage,
        limits: &Limits<'_>,
        pay: impl FnOnce(Work) -> Result<(), HostError>,
    ) -> Result<bool, Refusal> {
        let old = self.rows.get(key).map(Vec::as_slice);
        if old.is_none() && value.is_none() {
            return Ok(false);
        }
        let plan = Plan::new((&self.indexes, &self.collections), key, old, value);
        pay(plan.work).map_err(Refusal::Unpaid)?;
        usage.become_next(usage.exchange(plan.removed, plan.added, limits)?, limits)?;
        plan.apply(&mut self.indexes, &mut self.collections);
        Ok(self.store(key, value))
    }

    fn store(&mut self, key: &[u8], value: Option<&[u8]>) -> bool {
        let Some(value) = value else {
            return self.rows.remove(key).is_some();
        };
        match self.rows.get_mut(key) {
            Some(old) => {
                replace(old, value);
                true
            }
            None => self.rows.insert(key.to_vec(), value.to_vec()).is_some(),
        }
    }

    /// Adds an index that covers the rows there are; returns which one it is.
    pub(super) fn add_index(
        &mut self,
        key: IndexKey,
        usage: &mut Usage,
        limits: &Limits<'_>,
    ) -> Result<usize, Refusal> {
        let at = self.indexes.len();
        if at >= MAX_INDEXES {
            return Err(Refusal::TooManyIndexes(MAX_INDEXES));
        }
        let (mut index, mut next) = (Index::new(key), *usage);
        for (key, value) in &self.rows {
            if let Some(row) = row_id(key) {
                let change = index.plan(row, None, Some(value));
                next = next.exchange(Usage::default(), change.added(), limits)?;
                index.apply(row, &change);
            }
        }
        usage.become_next(next, limits)?;
        self.indexes.push(index);
        Ok(at)
    }

    pub(super) fn index(&self, at: usize) -> Option<&Index> {
        self.indexes.get(at)
    }

    /// Adds a collection; returns which one it is.
    pub(super) fn add_collection(&mut self, collection: Collection) -> usize {
        self.collections.push(collection);
        self.collections.len().saturating_sub(1)
    }

    pub(super) fn collection(&self, at: usize) -> Option<&Collection> {
        self.collections.get(at)
    }

    /// Stores a vector; returns whether it replaced one.
    pub(super) fn insert_vector(
        &mut self,
        at: usize,
        row: u64,
        vector: &[f32],
        usage: &mut Usage,
        limits: &Limits<'_>,
    ) -> Result<bool, Refusal> {
        let collection = self.collections.get_mut(at).ok_or(Refusal::NoCollection)?;
        let length = collection.check(vector)?;
        if !collection.has(row) {
            let next = usage.exchange(Usage::default(), collection.usage_of_one(), limits)?;
            usage.become_next(next, limits)?;
        }
        Ok(collection.insert(row, vector, length))
    }

    /// Whether there is nothing in it and nothing of it.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.indexes.is_empty() && self.collections.is_empty()
    }
}

/// What follows a change of a row.
struct Plan<'v> {
    /// The row's id, if indexes and collections cover it.
    row: Option<u64>,
    is_deletion: bool,
    /// One for each index.
    moves: [Move<'v>; MAX_INDEXES],
    removed: Usage,
    added: Usage,
    work: Work,
}

impl<'v> Plan<'v> {
    fn new(
        (indexes, collections): (&[Index], &[Collection]),
        key: &[u8],
        old: Option<&'v [u8]>,
        new: Option<&'v [u8]>,
    ) -> Self {
        let mut plan = Self {
            row: row_id(key),
            is_deletion: new.is_none(),
            moves: [Move::default(); MAX_INDEXES],
            removed: row_usage(key, old),
            added: row_usage(key, new),
            work: Work::default(),
        };
        let Some(row) = plan.row else {
            return plan;
        };
        plan.work.asked = indexes.len().saturating_add(collections.len());
        for (change, index) in plan.moves.iter_mut().zip(indexes) {
            *change = index.plan(row, old, new);
            plan.work.changed += change.entries();
            plan.work.long_keys_fuel =
                plan.work.long_keys_fuel.saturating_add(change.long_keys_fuel());
            plan.removed = plan.removed.plus(change.removed());
            plan.added = plan.added.plus(change.added());
        }
        for collection in collections.iter().filter(|c| plan.is_deletion && c.has(row)) {
            plan.work.changed += 1;
            plan.removed = plan.removed.plus(collection.usage_of_one());
        }
        plan
    }

    fn apply(&self, indexes: &mut [Index], collections: &mut [Collection]) {
        let Some(row) = self.row else {
            return;
        };
        for (change, index) in self.moves.iter().zip(indexes) {
            index.apply(row, change);
        }
        for collection in collections.iter_mut().filter(|_| self.is_deletion) {
            collection.remove(row);
        }
    }
}

/// In place, so that a value that fits allocates nothing; but what a far longer one took is given
/// back, since no quota counts it.
fn replace(old: &mut Vec<u8>, value: &[u8]) {
    let most = value.len().saturating_mul(2).saturating_add(MAX_SPARE_BYTES);
    if !(value.len()..=most).contains(&old.capacity()) {
        *old = value.to_vec();
        return;
    }
    old.clear();
    old.extend_from_slice(value);
}

/// The id of a row that indexes and collections cover: its key, if that is 8 bytes.
fn row_id(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

fn row_usage(key: &[u8], value: Option<&[u8]>) -> Usage {
    value.map_or(Usage::default(), |value| Usage {
        rows: 1,
        bytes: key.len().saturating_add(value.len()),
    })
}
