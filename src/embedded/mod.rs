//! The in-memory host: tables, their indexes and collections, and metrics of many tenants, kept apart.

mod host;
mod indexes;
mod metrics;
mod render;
mod table;
mod tables;
mod usage;
mod vectors;

pub use self::{indexes::IndexKey, vectors::Distance};

use self::{
    metrics::Metrics,
    tables::Tables,
    usage::{Ceiling, Limits, Refusal, Total},
};
use crate::{
    Error, MetricKind,
    sync::{Arc, Mutex, RwLock},
};
use alloc::{string::String, vec::Vec};
use hashbrown::HashMap;

/// A host that keeps ordered tables, their indexes and collections of vectors, and metrics in
/// memory, apart for each tenant.
///
/// Plugins read, write and search the tables of their own tenant through the host ABI, as far as
/// their grants go; the host program through [`put`](Self::put), [`get`](Self::get),
/// [`delete`](Self::delete) and [`scan`](Self::scan), without limits other than the quota. Lines
/// that plugins log go to the `log` crate, target `wasm_plugin`.
///
/// An index or a collection belongs to one table and covers the rows whose keys are 8 bytes; read as
/// a big-endian number they are the row's id. A plugin that writes or deletes such a row pays 100 fuel
/// for each index and collection of the table, and 1,000 for each index entry that goes or comes and
/// each vector that goes, beside what the function costs; and for 2 bytes beyond the 64th of an
/// index's key 1 if the key stays, 3 if it goes or comes.
///
/// Metrics are read with [`metrics`](Self::metrics), and
/// [`render_prometheus`](crate::WasmPluginRegistry::render_prometheus) writes them as the families
/// `wasm_guest_counter_total`, `wasm_guest_gauge` and `wasm_guest_histogram` with the labels
/// `tenant`, `metric` and `label_NAME` for each of the guest's own. Labels out of the order of their
/// names have a label `order` besides. If a name is no identifier or stands twice, or a value is
/// empty, all are in one label `labels` instead: `name=value` with commas between, and a backslash
/// before each backslash, comma or `=` of their own.
///
/// A search or scan of a plugin locks the storage of its tenant for reading, a write for writing;
/// other tenants go on. Without the feature `std` the locks are spin locks: call the host neither
/// from an interrupt handler nor from a task that keeps one which is in a call from running.
///
/// Replacing a row by one that is not longer, nor less than half as long as it ever was, and has the
/// same indexed bytes allocates nothing. A value keeps at most twice its length, and 64 bytes, of
/// memory.
#[derive(Debug, Default)]
pub struct EmbeddedHost {
    /// Each tenant has a lock of its own, so that none waits for another's scan. The outer one is
    /// written only when a tenant first appears.
    tenants: RwLock<HashMap<String, Arc<Tenant>>>,
    quota: HostQuota,
    /// What all tenants hold, and may.
    all: Total,
}

/// What one tenant may keep in an [`EmbeddedHost`]. Every default is finite.
///
/// Bytes are counted without what the maps take that they lie in: some 80 bytes a row and an index
/// entry each, at 8 bytes of key and 8 of value (x86-64).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostQuota {
    /// Tables that have rows, indexes or collections. Default: 64.
    pub max_tables: usize,
    /// Rows of all tables. Default: 1,000,000.
    pub max_rows: usize,
    /// Bytes of all keys and values; of the keys of all index entries, and 8 for each; of all
    /// components of vectors, and 8 for each vector. Default: 64 MiB.
    pub max_bytes: usize,
    /// Metric series. Default: 256.
    pub max_series: usize,
}

impl Default for HostQuota {
    fn default() -> Self {
        Self { max_tables: 64, max_rows: 1_000_000, max_bytes: 64 << 20, max_series: 256 }
    }
}

/// What is kept for one tenant. A metric never waits for a search.
#[derive(Debug, Default)]
struct Tenant {
    /// Its own limits; the host's quota holds too.
    ceiling: Ceiling,
    tables: RwLock<Tables>,
    metrics: Mutex<Metrics>,
}

/// One series of a tenant's metrics, as it stands.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MetricSample {
    /// What kind of metric it is.
    pub kind: MetricKind,
    /// Its name.
    pub name: String,
    /// Its labels, as pairs of name and value.
    pub labels: Vec<(String, String)>,
    /// The sum of a counter or histogram, the last value of a gauge.
    pub value: f64,
    /// How many observations there were.
    pub count: u64,
    /// For a histogram how many observations were at most as large as the
    /// [bound](Self::BUCKET_BOUNDS) of the same index and larger than the one before; the last count
    /// has no bound. Negative values are in the first. Empty for a counter or gauge.
    pub buckets: Vec<u64>,
}

impl MetricSample {
    /// The upper bounds of a histogram's buckets but the last: powers of ten.
    pub const BUCKET_BOUNDS: [f64; 16] =
        [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
}

impl EmbeddedHost {
    /// Returns an empty host with the default quota.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns an empty host that grants each tenant `quota`.
    pub fn with_quota(quota: HostQuota) -> Self {
        Self { quota, ..Self::default() }
    }

    /// Stores `value` under `key` in a tenant's table, making the table if need be. Returns whether
    /// it replaced a row.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::QuotaExceeded`](crate::ErrorKind::QuotaExceeded), naming the quota; nothing is
    /// changed then.
    pub fn put(&self, tenant: &str, table: &str, key: &[u8], value: &[u8]) -> Result<bool, Error> {
        self.change(tenant, |tables, limits| tables.put(table, key, value, limits, |_| Ok(())))
            .map_err(|no| no.into_error(format_args!("tenant `{tenant}`, table `{table}`")))
    }

    /// Returns a copy of a row; nothing if there is none.
    pub fn get(&self, tenant: &str, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.tenant(tenant)?.tables.read().get(table, key).map(<[u8]>::to_vec)
    }

    /// Removes a row, its index entries, and its vectors in the collections of the table. Returns
    /// whether there was one.
    pub fn delete(&self, tenant: &str, table: &str, key: &[u8]) -> bool {
        let Some(kept) = self.tenant(tenant) else {
            return false;
        };
        // What makes nothing larger is never refused.
        let limits = self.limits(&kept);
        kept.tables.write().delete(table, key, &limits, |_| Ok(())).unwrap_or_default()
    }

    /// Returns copies of up to `limit` rows with keys from `from` on, in key order.
    pub fn scan(
        &self,
        tenant: &str,
        table: &str,
        from: &[u8],
        limit: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Some(kept) = self.tenant(tenant) else {
            return Vec::new();
        };
        let tables = kept.tables.read();
        let rows = tables.range(table, from).take(limit);
        rows.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }

    /// Adds an index to a tenant's table, making the table if need be. It covers the rows that are
    /// there and all that come, whose keys are 8 bytes; plugins find them with `index_lookup` and
    /// `index_range`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::AlreadyLoaded`](crate::ErrorKind::AlreadyLoaded) if the tenant has an index of
    ///   that name.
    /// - [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if the table has 16 indexes.
    /// - [`ErrorKind::QuotaExceeded`](crate::ErrorKind::QuotaExceeded), naming the quota.
    ///
    /// Nothing is changed then.
    pub fn create_index(
        &self,
        tenant: &str,
        index: &str,
        table: &str,
        key: IndexKey,
    ) -> Result<(), Error> {
        self.change(tenant, |tables, limits| tables.create_index(index, table, key, limits))
            .map_err(|no| no.into_error(format_args!("tenant `{tenant}`, index `{index}`")))
    }

    /// Adds a collection of vectors of `dims` components (1 to 4,096) to a tenant's table, making
    /// the table if need be. Plugins search it with `vector_search`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::AlreadyLoaded`](crate::ErrorKind::AlreadyLoaded) if the tenant has a
    ///   collection of that name.
    /// - [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if `dims` is out of range.
    /// - [`ErrorKind::QuotaExceeded`](crate::ErrorKind::QuotaExceeded), naming the quota.
    ///
    /// Nothing is changed then.
    pub fn create_collection(
        &self,
        tenant: &str,
        collection: &str,
        table: &str,
        dims: usize,
        distance: Distance,
    ) -> Result<(), Error> {
        let kind = (dims, distance);
        self.change(tenant, |tables, limits| {
            tables.create_collection(collection, table, kind, limits)
        })
        .map_err(|no| no.into_error(format_args!("tenant `{tenant}`, collection `{collection}`")))
    }

    /// Stores the vector of a row in a tenant's collection. Returns whether it replaced one.
    ///
    /// The row need not be there; when it is deleted, its vector goes with it.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such collection.
    /// - [`ErrorKind::Host`](crate::ErrorKind::Host) if the vector has another number of components
    ///   than the collection, or a squared length outside of [`f32::MIN_POSITIVE`] to
    ///   [`f32::MAX`]` / 4`, which is always so if a component is not finite or all are zero.
    /// - [`ErrorKind::QuotaExceeded`](crate::ErrorKind::QuotaExceeded), naming the quota.
    ///
    /// Nothing is changed then.
    pub fn insert_vector(
        &self,
        tenant: &str,
        collection: &str,
        row_id: u64,
        vector: &[f32],
    ) -> Result<bool, Error> {
        let refused = |no: Refusal| {
            no.into_error(format_args!("tenant `{tenant}`, collection `{collection}`"))
        };
        let kept = self.tenant(tenant).ok_or_else(|| refused(Refusal::NoCollection))?;
        let limits = self.limits(&kept);
        let inserted = kept.tables.write().insert_vector(collection, row_id, vector, &limits);
        inserted.map_err(refused)
    }

    /// Returns a tenant's metrics, sorted by kind, name and labels.
    pub fn metrics(&self, tenant: &str) -> Vec<MetricSample> {
        self.samples(tenant, None)
    }

    /// A tenant's metrics of one kind, or all of them.
    fn samples(&self, tenant: &str, kind: Option<MetricKind>) -> Vec<MetricSample> {
        self.tenant(tenant).map(|kept| kept.metrics.lock().samples(kind)).unwrap_or_default()
    }

    /// The tenants for which something is kept, sorted.
    fn tenants(&self) -> Vec<String> {
        let mut tenants: Vec<_> = self.tenants.read().keys().cloned().collect();
        tenants.sort_unstable();
        tenants
    }

    /// What is kept for a tenant. A guest's long read holds this tenant's lock and no other.
    fn tenant(&self, tenant: &str) -> Option<Arc<Tenant>> {
        self.tenants.read().get(tenant).cloned()
    }

    /// What is kept for a tenant, which begins empty.
    fn tenant_or_new(&self, tenant: &str) -> Arc<Tenant> {
        match self.tenant(tenant) {
            Some(kept) => kept,
            None => Arc::clone(self.tenants.write().entry(tenant.into()).or_default()),
        }
    }

    /// Changes a tenant's tables, which begin empty.
    fn change<T>(
        &self,
        tenant: &str,
        change: impl FnOnce(&mut Tables, &Limits<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let kept = self.tenant_or_new(tenant);
        let limits = self.limits(&kept);
        change(&mut kept.tables.write(), &limits)
    }

    /// What a tenant may hold.
    fn limits(&self, tenant: &Tenant) -> Limits<'_> {
        Limits::new(self.quota, &tenant.ceiling, &self.all)
    }
}
