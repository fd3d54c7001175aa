//! The tables of one tenant, within a quota, and the names of what belongs to them.

use super::{
    HostQuota,
    indexes::{Index, IndexKey},
    table::Table,
    usage::{Refusal, Usage, Work},
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
        quota: &HostQuota,
        pay: impl FnOnce(Work) -> Result<(), HostError>,
    ) -> Result<bool, Refusal> {
        self.in_table(table, quota, |table, usage| {
            table.change(key, Some(value), usage, quota, pay)
        })
    }

    /// Removes a row; returns whether there was one. A table of which nothing is left is gone too.
    pub(super) fn delete(
        &mut self,
        table: &str,
        key: &[u8],
        quota: &HostQuota,
        pay: impl FnOnce(Work) -> Result<(), HostError>,
    ) -> Result<bool, Refusal> {
        let Some(kept) = self.tables.get_mut(table) else {
            return Ok(false);
        };
        let removed = kept.change(key, None, &mut self.usage, quota, pay)?;
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
        quota: &HostQuota,
    ) -> Result<(), Refusal> {
        if self.indexes.contains_key(index) {
            return Err(Refusal::NameTaken);
        }
        let at = self.in_table(table, quota, |table, usage| table.add_index(key, usage, quota))?;
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
        quota: &HostQuota,
    ) -> Result<(), Refusal> {
        if self.collections.contains_key(collection) {
            return Err(Refusal::NameTaken);
        }
        let empty = Collection::new(dims, distance)?;
        let at = self.in_table(table, quota, |table, _| Ok(table.add_collection(empty)))?;
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
        quota: &HostQuota,
    ) -> Result<bool, Refusal> {
        let place = self.collections.get(collection).ok_or(Refusal::NoCollection)?;
        let table = self.tables.get_mut(&*place.table).ok_or(Refusal::NoCollection)?;
        table.insert_vector(place.at, row, vector, &mut self.usage, quota)
    }

    /// Runs `change` on a table, which is only made if the change is not refused.
    fn in_table<T>(
        &mut self,
        table: &str,
        quota: &HostQuota,
        change: impl FnOnce(&mut Table, &mut Usage) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if let Some(kept) = self.tables.get_mut(table) {
            return change(kept, &mut self.usage);
        }
        if self.tables.len() >= quota.max_tables {
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
    use alloc::{collections::BTreeMap, vec::Vec};
    use proptest::prelude::*;

    const QUOTA: HostQuota = HostQuota { max_tables: 2, max_rows: 5, max_bytes: 24, max_series: 0 };

    #[derive(Debug, Clone)]
    enum Step {
        Put(u8, Vec<u8>, Vec<u8>),
        Delete(u8, Vec<u8>),
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0..3_u8, 0..4)
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3_u8, bytes(), bytes()).prop_map(|(t, k, v)| Step::Put(t, k, v)),
            (0..3_u8, bytes()).prop_map(|(t, k)| Step::Delete(t, k)),
        ]
    }

    type Model = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

    fn within_quota(model: &Model) -> bool {
        let tables: std::collections::BTreeSet<_> = model.keys().map(|(t, _)| t).collect();
        let bytes: usize = model.iter().map(|((_, k), v)| k.len() + v.len()).sum();
        tables.len() <= QUOTA.max_tables
            && model.len() <= QUOTA.max_rows
            && bytes <= QUOTA.max_bytes
    }

    proptest! {
        #[test]
        fn tables_hold_what_the_model_holds_and_never_more_than_the_quota(
            steps in prop::collection::vec(step(), 0..40),
        ) {
            let mut tables = Tables::default();
            let mut model = Model::new();
            for step in steps {
                match step {
                    Step::Put(t, key, value) => {
                        let mut next = model.clone();
                        let old = next.insert((t, key.clone()), value.clone());
                        let put = tables.put(&std::format!("t{t}"), &key, &value, &QUOTA, |_| Ok(()));
                        prop_assert_eq!(put.ok(), within_quota(&next).then_some(old.is_some()));
                        if put.is_ok() {
                            model = next;
                        }
                    }
                    Step::Delete(t, key) => {
                        let deleted = tables.delete(&std::format!("t{t}"), &key, &QUOTA, |_| Ok(()));
                        prop_assert_eq!(deleted, Ok(model.remove(&(t, key)).is_some()));
                    }
                }
                for t in 0..3_u8 {
                    let found: Vec<_> = tables
                        .range(&std::format!("t{t}"), &[1])
                        .map(|(k, v)| (k.to_vec(), v.to_vec()))
                        .collect();
                    let expected: Vec<_> = model
                        .range((t, std::vec![1])..(t + 1, Vec::new()))
                        .map(|((_, k), v)| (k.clone(), v.clone()))
                        .collect();
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}
