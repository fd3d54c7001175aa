//! Secondary indexes: which rows have which bytes in their values.

use super::usage::Usage;
use crate::{HostCost, host::MAX_KEY_BYTES};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
};
use core::{fmt, ops::Bound};

/// Which bytes of a row an index orders it by.
pub struct IndexKey(Kind);

enum Kind {
    Field { offset: usize, len: usize },
    Function(Box<KeyFunction>),
}

type KeyFunction = dyn Fn(&[u8]) -> Option<&[u8]> + Send + Sync;

impl IndexKey {
    /// Orders rows by the `len` bytes of their values from `offset` on. A row whose value is shorter
    /// is not in the index.
    pub fn field(offset: usize, len: usize) -> Self {
        Self(Kind::Field { offset, len })
    }

    /// Orders rows by the bytes that `function` finds in their values. A row for which it answers
    /// nothing, or more than 4 KiB, is not in the index.
    ///
    /// The function answers the same for the same value each time: a row is taken out of the index
    /// by what the function says of its old value. It runs while the storage of its tenant is
    /// locked, before anything is changed: it must not call the host, and if it panics, everything
    /// is as it was.
    pub fn function(function: impl Fn(&[u8]) -> Option<&[u8]> + Send + Sync + 'static) -> Self {
        Self(Kind::Function(Box::new(function)))
    }

    fn of<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        let key = match &self.0 {
            Kind::Field { offset, len } => value.get(*offset..)?.get(..*len),
            Kind::Function(function) => function(value),
        };
        key.filter(|key| key.len() <= MAX_KEY_BYTES)
    }
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Field { offset, len } => write!(f, "field({offset}, {len})"),
            Kind::Function(_) => f.write_str("function(..)"),
        }
    }
}

/// One index.
#[derive(Debug)]
pub(super) struct Index {
    key: IndexKey,
    rows: BTreeMap<Box<[u8]>, Rows>,
}

/// The rows under one key, of which there is one at least. The first stands in the index itself:
/// going through keys of one row each costs no detour to a set, nor the memory of one.
#[derive(Debug)]
struct Rows {
    /// Lower than all others.
    first: u64,
    others: BTreeSet<u64>,
}

impl Rows {
    fn contains(&self, row: u64) -> bool {
        self.first == row || self.others.contains(&row)
    }

    /// Adds a row that is not there.
    fn insert(&mut self, row: u64) {
        self.others.insert(self.first.max(row));
        self.first = self.first.min(row);
    }

    /// Removes a row; returns whether that was the only one, which then stays.
    fn remove(&mut self, row: u64) -> bool {
        if row != self.first {
            self.others.remove(&row);
            return false;
        }
        match self.others.pop_first() {
            Some(next) => self.first = next,
            None => return true,
        }
        false
    }

    fn iter(&self) -> impl Iterator<Item = u64> + Clone {
        core::iter::once(self.first).chain(self.others.iter().copied())
    }
}

/// What changes in an index when a row changes: the entry that goes and the one that comes.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Move<'v> {
    leaves: Option<&'v [u8]>,
    enters: Option<&'v [u8]>,
    /// Fuel for the keys that are looked for, where they are long.
    long_keys_fuel: u64,
}

impl Move<'_> {
    pub(super) fn removed(&self) -> Usage {
        usage(self.leaves)
    }

    pub(super) fn added(&self) -> Usage {
        usage(self.enters)
    }

    pub(super) fn long_keys_fuel(&self) -> u64 {
        self.long_keys_fuel
    }

    /// How many entries go or come: 0 to 2.
    pub(super) fn entries(&self) -> usize {
        usize::from(self.leaves.is_some()) + usize::from(self.enters.is_some())
    }
}

/// What an entry takes: its key, and the row's id.
fn usage(key: Option<&[u8]>) -> Usage {
    Usage::of_bytes(key.map_or(0, |key| key.len().saturating_add(size_of::<u64>())))
}

impl Index {
    pub(super) fn new(key: IndexKey) -> Self {
        Self { key, rows: BTreeMap::new() }
    }

    /// Finds what changes when a row's value `old` becomes `new`. The embedder's function runs here
    /// and nowhere else.
    pub(super) fn plan<'v>(
        &self,
        row: u64,
        old: Option<&'v [u8]>,
        new: Option<&'v [u8]>,
    ) -> Move<'v> {
        let (old, new) = (old.and_then(|v| self.key.of(v)), new.and_then(|v| self.key.of(v)));
        let fuel = |key: Option<&[u8]>| HostCost::long_bytes(key.map_or(0, <[u8]>::len));
        let enters = new.filter(|key| !self.has(key, row));
        if old == new {
            // The row stays where it is, if the function is as good as its word.
            return Move { leaves: None, enters, long_keys_fuel: fuel(new) };
        }
        let leaves = old.filter(|key| self.has(key, row));
        // Each is looked for here, and twice when the change is made.
        let long_keys_fuel = fuel(old).saturating_add(fuel(new)).saturating_mul(3);
        Move { leaves, enters, long_keys_fuel }
    }

    fn has(&self, key: &[u8], row: u64) -> bool {
        self.rows.get(key).is_some_and(|rows| rows.contains(row))
    }

    pub(super) fn apply(&mut self, row: u64, change: &Move<'_>) {
        if let Some(key) = change.leaves
            && let Some(rows) = self.rows.get_mut(key)
            && rows.remove(row)
        {
            self.rows.remove(key);
        }
        if let Some(key) = change.enters {
            match self.rows.get_mut(key) {
                Some(rows) => rows.insert(row),
                None => {
                    self.rows.insert(key.into(), Rows { first: row, others: BTreeSet::new() });
                }
            }
        }
    }

    /// The rows under a key, in id order.
    pub(super) fn rows_at(&self, key: &[u8]) -> impl Iterator<Item = u64> + Clone {
        self.rows.get(key).into_iter().flat_map(Rows::iter)
    }

    /// The rows under keys from `low` on and below `high`, in the order of keys and then of ids.
    pub(super) fn rows_between(
        &self,
        low: &[u8],
        high: &[u8],
    ) -> impl Iterator<Item = u64> + Clone {
        // A range of a map whose ends are the wrong way round panics.
        let bounds = (Bound::Included(low), Bound::Excluded(high));
        let rows = (low < high).then(|| self.rows.range::<[u8], _>(bounds));
        rows.into_iter().flatten().flat_map(|(_, rows)| rows.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn whole(value: &[u8]) -> Option<&[u8]> {
        Some(value)
    }

    #[test]
    fn a_field_is_part_of_the_value_or_nothing() {
        let key = IndexKey::field(2, 3);
        assert_eq!(key.of(b"abcdef"), Some(&b"cde"[..]));
        assert_eq!(key.of(b"abcde"), Some(&b"cde"[..]));
        assert_eq!(key.of(b"abcd"), None);
        assert_eq!(key.of(b""), None);
        assert_eq!(IndexKey::field(2, 0).of(b"ab"), Some(&b""[..]));
        assert_eq!(IndexKey::field(3, 0).of(b"ab"), None);
        assert_eq!(IndexKey::field(usize::MAX, usize::MAX).of(b"ab"), None);
    }

    #[test]
    fn a_key_of_more_than_4_kib_is_none() {
        let key = IndexKey::function(whole);
        assert_eq!(key.of(&[7; 4_096]).map(<[u8]>::len), Some(4_096));
        assert_eq!(key.of(&[7; 4_097]), None);
    }

    #[test]
    fn a_function_that_changes_its_mind_leaves_the_entry_that_it_denies() {
        use core::sync::atomic::{AtomicUsize, Ordering};
        let asked = AtomicUsize::new(0);
        let fickle = IndexKey::function(move |value| {
            value.get(asked.fetch_add(1, Ordering::Relaxed)..).map(|rest| &rest[..1])
        });
        let mut index = Index::new(fickle);
        let first = index.plan(1, None, Some(b"abcdef"));
        assert_eq!((first.removed().bytes, first.added().bytes), (0, 9));
        index.apply(1, &first);
        let second = index.plan(1, Some(b"abcdef"), None);
        assert_eq!((second.removed().bytes, second.added().bytes), (0, 0));
        index.apply(1, &second);
        assert_eq!(index.rows_between(b"", b"z").collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_key_that_no_row_has_any_longer_takes_no_memory() {
        let mut index = Index::new(IndexKey::function(whole));
        let values = [&b"a"[..], b"b", b"c"];
        for (old, new) in values.iter().zip(&values[1..]) {
            for row in 0..3 {
                index.apply(row, &index.plan(row, Some(old), Some(new)));
            }
        }
        assert_eq!(index.rows.keys().map(|key| &**key).collect::<Vec<_>>(), [b"c"]);
        (0..3).for_each(|row| index.apply(row, &index.plan(row, Some(b"c"), None)));
        assert!(index.rows.is_empty());
    }

    proptest! {
        #[test]
        fn a_range_is_what_a_filter_finds(
            entries in prop::collection::btree_set((prop::collection::vec(0..3_u8, 0..3), 0..9_u64), 0..40),
            low in prop::collection::vec(0..3_u8, 0..4),
            high in prop::collection::vec(0..3_u8, 0..4),
        ) {
            let mut index = Index::new(IndexKey::function(whole));
            for (key, row) in &entries {
                let change = index.plan(*row, None, Some(key));
                prop_assert_eq!(change.added().bytes, key.len() + 8);
                index.apply(*row, &change);
            }
            let between = entries.iter().filter(|(key, _)| low <= *key && *key < high);
            let expected: Vec<_> = between.map(|(_, row)| *row).collect();
            prop_assert_eq!(index.rows_between(&low, &high).collect::<Vec<_>>(), expected);
            let at: Vec<_> = entries.iter().filter(|(key, _)| *key == low).map(|e| e.1).collect();
            prop_assert_eq!(index.rows_at(&low).collect::<Vec<_>>(), at);
        }
    }
}
