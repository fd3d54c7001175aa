//! Ordered tables of one tenant, within a quota.

use super::HostQuota;
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::ops::Bound;
use hashbrown::HashMap;

/// The tables of one tenant, and what they hold together.
#[derive(Debug, Default)]
pub(super) struct Tables {
    tables: HashMap<String, Table>,
    rows: usize,
    bytes: usize,
}

type Table = BTreeMap<Vec<u8>, Vec<u8>>;

impl Tables {
    pub(super) fn get(&self, table: &str, key: &[u8]) -> Option<&[u8]> {
        self.tables.get(table)?.get(key).map(Vec::as_slice)
    }

    /// The rows of a table with keys from `from` on, in key order.
    pub(super) fn range(&self, table: &str, from: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
        let from = (Bound::Included(from), Bound::Unbounded);
        let rows = self.tables.get(table).map(|rows| rows.range::<[u8], _>(from));
        rows.into_iter().flatten().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// Stores a row; returns whether it replaced one. Over the quota, names the quota and changes
    /// nothing.
    pub(super) fn put(
        &mut self,
        table: &str,
        key: &[u8],
        value: &[u8],
        quota: &HostQuota,
    ) -> Result<bool, &'static str> {
        let (rows, bytes) = match self.get(table, key) {
            Some(old) => (self.rows, self.bytes - old.len() + value.len()),
            None => (self.rows + 1, self.bytes + key.len() + value.len()),
        };
        if bytes > quota.max_bytes {
            return Err("max_bytes");
        }
        if rows > quota.max_rows {
            return Err("max_rows");
        }
        if !self.tables.contains_key(table) && self.tables.len() >= quota.max_tables {
            return Err("max_tables");
        }
        let replaced = self.store(table, key, value);
        (self.rows, self.bytes) = (rows, bytes);
        Ok(replaced)
    }

    fn store(&mut self, table: &str, key: &[u8], value: &[u8]) -> bool {
        let rows = match self.tables.get_mut(table) {
            Some(rows) => rows,
            None => self.tables.entry(table.into()).or_default(),
        };
        match rows.get_mut(key) {
            Some(old) => {
                // In place, so that a value that fits allocates nothing.
                old.clear();
                old.extend_from_slice(value);
                true
            }
            None => rows.insert(key.to_vec(), value.to_vec()).is_some(),
        }
    }

    /// Removes a row; returns whether there was one. A table whose last row goes is gone too.
    pub(super) fn delete(&mut self, table: &str, key: &[u8]) -> bool {
        let Some(rows) = self.tables.get_mut(table) else {
            return false;
        };
        let Some(value) = rows.remove(key) else {
            return false;
        };
        self.rows -= 1;
        self.bytes -= key.len() + value.len();
        if rows.is_empty() {
            self.tables.remove(table);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
                        let put = tables.put(&std::format!("t{t}"), &key, &value, &QUOTA);
                        prop_assert_eq!(put.ok(), within_quota(&next).then_some(old.is_some()));
                        if put.is_ok() {
                            model = next;
                        }
                    }
                    Step::Delete(t, key) => {
                        let deleted = tables.delete(&std::format!("t{t}"), &key);
                        prop_assert_eq!(deleted, model.remove(&(t, key)).is_some());
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
