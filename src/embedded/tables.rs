//! The tables of one tenant, within a quota, and the names of what belongs to them.

use super::{
    indexes::{Index, IndexKey},
    table::Table,
    usage::{Limits, Refusal, Usage, Work},
    vectors::{Collection, Distance},
};
use crate::{HostError, sync::Arc};
use alloc::string::String;
use hashbrown::HashMap;

/// The tables of one tenant, and what they hold together.
#[derive(Debug, Default)]
pub(super) struct Tables {
    tables: HashMap<String, Table>,
    indexes: HashMap<String, Place>,
    collections: HashMap<String, Place>,
    usage: Usage,
}

/// Where an index or collection is: in which table, and which of its it is. Neither ever changes.
#[derive(Debug)]
struct Place {
    table: Arc<str>,
    at: usize,
}

impl Tables {
    /// What there is.
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    pub(super) fn get(&self, table: &str, key: &[u8]) -> Option<&[u8]> {
        self.tables.get(table)?.get(key)
    }

    /// The rows of a table with keys from `from` on, in key order.
    pub(super) fn range(&self, table: &str, from: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.tables.get(table).map(|table| table.range(from)).into_iter().flatten()
    }

    /// Stores a row; returns whether it replaced one.
    pub(super) fn put(
        &mut self,
        table: &str,
        key: &[u8],
        value: &[u8],
        limits: &Limits<'_>,
        pay: impl FnOnce(Work) -> Result<(), HostError>,
    ) -> Result<bool, Refusal> {
        self.in_table(table, limits, |table, usage| {
            table.change(key, Some(value), usage, limits, pay)
        })
    }

    /// Removes a row; returns whether there was one. A table of which nothing is left is gone too.
    pub(super) fn delete(
        &mut self,
        table: &str,
        key: &[u8],
        limits: &Limits<'_>,
        pay: impl FnOnce(Work) -> Result<(), HostError>,
    ) -> Result<bool, Refusal> {
        let Some(kept) = self.tables.get_mut(table) else {
            return Ok(false);
        };
        let removed = kept.change(key, None, &mut self.usage, limits, pay)?;
        if kept.is_empty() {
            self.tables.remove(table);
        }
        Ok(removed)
    }

    pub(super) fn create_index(
        &mut self,
        index: &str,
        table: &str,
        key: IndexKey,
        limits: &Limits<'_>,
    ) -> Result<(), Refusal> {
        if self.indexes.contains_key(index) {
            return Err(Refusal::NameTaken);
        }
        let at =
            self.in_table(table, limits, |table, usage| table.add_index(key, usage, limits))?;
        self.indexes.insert(index.into(), Place { table: table.into(), at });
        Ok(())
    }

    pub(super) fn index(&self, index: &str) -> Option<&Index> {
        let place = self.indexes.get(index)?;
        self.tables.get(&*place.table)?.index(place.at)
    }

    pub(super) fn index_table(&self, index: &str) -> Option<&Arc<str>> {
        self.indexes.get(index).map(|place| &place.table)
    }

    pub(super) fn create_collection(
        &mut self,
        collection: &str,
        table: &str,
        (dims, distance): (usize, Distance),
        limits: &Limits<'_>,
    ) -> Result<(), Refusal> {
        if self.collections.contains_key(collection) {
            return Err(Refusal::NameTaken);
        }
        let empty = Collection::new(dims, distance)?;
        let at = self.in_table(table, limits, |table, _| Ok(table.add_collection(empty)))?;
        self.collections.insert(collection.into(), Place { table: table.into(), at });
        Ok(())
    }

    pub(super) fn collection(&self, collection: &str) -> Option<&Collection> {
        let place = self.collections.get(collection)?;
        self.tables.get(&*place.table)?.collection(place.at)
    }

    pub(super) fn collection_table(&self, collection: &str) -> Option<&Arc<str>> {
        self.collections.get(collection).map(|place| &place.table)
    }

    /// Stores a vector; returns whether it replaced one.
    pub(super) fn insert_vector(
        &mut self,
        collection: &str,
        row: u64,
        vector: &[f32],
        limits: &Limits<'_>,
    ) -> Result<bool, Refusal> {
        let place = self.collections.get(collection).ok_or(Refusal::NoCollection)?;
        let table = self.tables.get_mut(&*place.table).ok_or(Refusal::NoCollection)?;
        table.insert_vector(place.at, row, vector, &mut self.usage, limits)
    }

    /// Runs `change` on a table, which is only made if the change is not refused.
    fn in_table<T>(
        &mut self,
        table: &str,
        limits: &Limits<'_>,
        change: impl FnOnce(&mut Table, &mut Usage) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if let Some(kept) = self.tables.get_mut(table) {
            return change(kept, &mut self.usage);
        }
        if self.tables.len() >= limits.quota.max_tables {
            return Err(Refusal::Over("max_tables"));
        }
        let mut fresh = Table::default();
        let result = change(&mut fresh, &mut self.usage)?;
        self.tables.insert(table.into(), fresh);
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        HostQuota,
        embedded::usage::{Ceiling, Total},
        sync::Once,
    };
    use alloc::{
        collections::{BTreeMap, BTreeSet},
        format,
        vec::Vec,
    };
    use proptest::prelude::*;

    const QUOTA: HostQuota =
        HostQuota { max_tables: 2, max_rows: 5, max_bytes: 120, max_series: 0 };
    fn limits() -> Limits<'static> {
        // Nothing is refused over all tenants, so one total does for all tests.
        static ALL: Once<Total> = Once::new();
        Limits::new(QUOTA, &Ceiling::default(), ALL.call_once(Total::default))
    }

    const NAMES: [&str; 3] = ["0", "1", "2"];

    #[derive(Debug, Clone)]
    enum Step {
        Put(usize, Vec<u8>, Vec<u8>),
        Delete(usize, Vec<u8>),
        /// A name, a table, and how many bytes of the value from which offset on.
        CreateIndex(usize, usize, (usize, usize)),
        CreateCollection(usize, usize),
        InsertVector(usize, u64),
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0..3_u8, 0..5)
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![1 => bytes(), 3 => (0..4_u64).prop_map(|row| row.to_be_bytes().to_vec())]
    }

    fn step() -> impl Strategy<Value = Step> {
        let (at, field) = (|| 0..3_usize, (0..3_usize, 0..3_usize));
        prop_oneof![
            12 => (at(), key(), bytes()).prop_map(|(t, k, v)| Step::Put(t, k, v)),
            6 => (at(), key()).prop_map(|(t, k)| Step::Delete(t, k)),
            2 => (at(), at(), field).prop_map(|(i, t, f)| Step::CreateIndex(i, t, f)),
            1 => (at(), at()).prop_map(|(c, t)| Step::CreateCollection(c, t)),
            4 => (at(), 0..4_u64).prop_map(|(c, row)| Step::InsertVector(c, row)),
        ]
    }

    /// Vectors have two components: 16 bytes with the row's id.
    const VECTOR_BYTES: usize = 16;

    /// Everything there is, in plain lists; what follows from it is worked out anew each time.
    #[derive(Debug, Default, Clone)]
    struct Model {
        rows: BTreeMap<(usize, Vec<u8>), Vec<u8>>,
        indexes: BTreeMap<usize, (usize, (usize, usize))>,
        collections: BTreeMap<usize, usize>,
        vectors: BTreeSet<(usize, u64)>,
    }

    impl Model {
        /// The entries of an index: keys and row ids.
        fn entries(&self, index: usize) -> BTreeSet<(Vec<u8>, u64)> {
            let (table, (offset, len)) = self.indexes[&index];
            let rows = self.rows.iter().filter(|((t, key), _)| *t == table && key.len() == 8);
            rows.filter(|(_, value)| value.len() >= offset + len)
                .map(|((_, key), value)| {
                    let row = key.iter().fold(0, |row, byte| row << 8 | u64::from(*byte));
                    (value[offset..offset + len].to_vec(), row)
                })
                .collect()
        }

        fn bytes(&self) -> usize {
            let rows: usize =
                self.rows.iter().map(|((_, key), value)| key.len() + value.len()).sum();
            let entries = self.indexes.keys().flat_map(|index| self.entries(*index));
            let entries: usize = entries.map(|(key, _)| key.len() + 8).sum();
            rows + entries + self.vectors.len() * VECTOR_BYTES
        }

        fn is_within_quota(&self) -> bool {
            let with_rows = self.rows.keys().map(|(table, _)| *table);
            let with_indexes = self.indexes.values().map(|(table, _)| *table);
            let tables: BTreeSet<usize> =
                with_rows.chain(with_indexes).chain(self.collections.values().copied()).collect();
            tables.len() <= QUOTA.max_tables
                && self.rows.len() <= QUOTA.max_rows
                && self.bytes() <= QUOTA.max_bytes
        }

        /// What a step leads to, and what it answers: a row or vector was there. Nothing if it is
        /// refused, whatever the quota.
        fn after(&self, step: &Step) -> Option<(Self, bool)> {
            let mut next = self.clone();
            let was_there = match step {
                Step::Put(t, key, value) => {
                    next.rows.insert((*t, key.clone()), value.clone()).is_some()
                }
                Step::Delete(t, key) => {
                    let removed = next.rows.remove(&(*t, key.clone())).is_some();
                    let is_its = |c: usize, row: u64| {
                        self.collections[&c] == *t && row.to_be_bytes()[..] == key[..]
                    };
                    next.vectors.retain(|(c, row)| !(removed && is_its(*c, *row)));
                    removed
                }
                Step::CreateIndex(i, ..) if self.indexes.contains_key(i) => return None,
                Step::CreateIndex(i, t, field) => next.indexes.insert(*i, (*t, *field)).is_some(),
                Step::CreateCollection(c, _) if self.collections.contains_key(c) => return None,
                Step::CreateCollection(c, t) => next.collections.insert(*c, *t).is_some(),
                Step::InsertVector(c, _) if !self.collections.contains_key(c) => return None,
                Step::InsertVector(c, row) => !next.vectors.insert((*c, *row)),
            };
            Some((next, was_there))
        }
    }

    fn run(tables: &mut Tables, step: &Step) -> Result<bool, Refusal> {
        let free = |_: Work| Ok(());
        match step {
            Step::Put(t, key, value) => tables.put(NAMES[*t], key, value, &limits(), free),
            Step::Delete(t, key) => tables.delete(NAMES[*t], key, &limits(), free),
            Step::CreateIndex(i, t, (offset, len)) => {
                let key = IndexKey::field(*offset, *len);
                tables.create_index(NAMES[*i], NAMES[*t], key, &limits()).map(|()| false)
            }
            Step::CreateCollection(c, t) => {
                let kind = (2, Distance::L2);
                tables.create_collection(NAMES[*c], NAMES[*t], kind, &limits()).map(|()| false)
            }
            Step::InsertVector(c, row) => {
                tables.insert_vector(NAMES[*c], *row, &[1.0, *row as f32], &limits())
            }
        }
    }

    fn check(tables: &Tables, model: &Model) -> Result<(), TestCaseError> {
        let usage = Usage { rows: model.rows.len(), bytes: model.bytes() };
        prop_assert_eq!(tables.usage, usage);
        for (t, name) in NAMES.iter().enumerate() {
            let found: Vec<_> =
                tables.range(name, &[1]).map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
            let rows = model.rows.range((t, alloc::vec![1])..(t + 1, Vec::new()));
            let expected: Vec<_> = rows.map(|((_, k), v)| (k.clone(), v.clone())).collect();
            prop_assert_eq!(found, expected);
        }
        for (i, (table, _)) in &model.indexes {
            let (index, entries) = (tables.index(NAMES[*i]).unwrap(), model.entries(*i));
            prop_assert_eq!(&**tables.index_table(NAMES[*i]).unwrap(), NAMES[*table]);
            let all: Vec<_> = index.rows_between(b"", b"\xff").collect();
            prop_assert_eq!(all, entries.iter().map(|(_, row)| *row).collect::<Vec<_>>());
            for (key, _) in &entries {
                let at: Vec<_> = index.rows_at(key).collect();
                let expected = entries.iter().filter(|(k, _)| k == key).map(|(_, row)| *row);
                prop_assert_eq!(at, expected.collect::<Vec<_>>());
            }
        }
        for (c, table) in &model.collections {
            let collection = tables.collection(NAMES[*c]).unwrap();
            prop_assert_eq!(&**tables.collection_table(NAMES[*c]).unwrap(), NAMES[*table]);
            for row in 0..4 {
                let kept = collection.vector(row).map(|(vector, length)| (vector.to_vec(), length));
                let expected = (alloc::vec![1.0, row as f32], (1.0 + (row * row) as f32).sqrt());
                let expected = model.vectors.contains(&(*c, row)).then_some(expected);
                prop_assert_eq!(kept, expected);
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn rows_indexes_and_vectors_are_the_model_s_and_never_more_than_the_quota(
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let (mut tables, mut model) = (Tables::default(), Model::default());
            for step in steps {
                let next = model.after(&step).filter(|(next, _)| next.is_within_quota());
                let answer = run(&mut tables, &step);
                prop_assert_eq!(answer.ok(), next.as_ref().map(|(_, was_there)| *was_there));
                if let Some((next, _)) = next {
                    model = next;
                }
                check(&tables, &model)?;
            }
        }
    }

    #[test]
    fn what_follows_a_change_is_told_to_who_pays_and_who_does_not_changes_nothing() {
        let mut tables = Tables::default();
        tables.create_index("i", "t", IndexKey::field(0, 1), &limits()).unwrap();
        tables.create_collection("c", "t", (1, Distance::Dot), &limits()).unwrap();
        tables.insert_vector("c", 1, &[1.0], &limits()).unwrap();
        let row = 1_u64.to_be_bytes();
        let mut told = Vec::new();
        let mut pay = |work: Work| {
            told.push((work.asked, work.changed));
            if told.len() % 2 == 1 { Err(HostError::OutOfFuel) } else { Ok(()) }
        };
        for value in [&b"a"[..], b"b", b"b"] {
            let before = format!("{tables:?}");
            let unpaid = tables.put("t", &row, value, &limits(), &mut pay);
            assert_eq!(unpaid, Err(Refusal::Unpaid(HostError::OutOfFuel)));
            assert_eq!(format!("{tables:?}"), before);
            tables.put("t", &row, value, &limits(), &mut pay).unwrap();
        }
        let nothing = |work| if work == Work::default() { Ok(()) } else { Err(HostError::Failed) };
        tables.put("t", b"key", b"a", &limits(), nothing).unwrap();
        tables.delete("t", &row, &limits(), &mut pay).unwrap_err();
        assert!(tables.delete("t", &row, &limits(), &mut pay).unwrap());
        // Nothing to delete is nothing to pay for.
        assert!(!tables.delete("t", &row, &limits(), &mut pay).unwrap());
        assert_eq!(told, [(2, 1), (2, 1), (2, 2), (2, 2), (2, 0), (2, 0), (2, 2), (2, 2)]);
    }
}
