//! The in-memory host: tables and metrics of many tenants, kept apart.

mod metrics;
mod render;
mod tables;

use self::{metrics::Metrics, tables::Tables};
use crate::{
    Error, ErrorKind, Host, HostCall, HostError, LogMessage, Metric, MetricKind, Output,
    sync::RwLock,
};
use alloc::{format, string::String, vec::Vec};
use core::fmt;
use hashbrown::HashMap;

/// A host that keeps ordered tables and metrics in memory, apart for each tenant.
///
/// Plugins read and write the tables of their own tenant through the host ABI, as far as their
/// grants go; the host program through [`put`](Self::put), [`get`](Self::get),
/// [`delete`](Self::delete) and [`scan`](Self::scan), without limits other than the quota. Lines
/// that plugins log go to the `log` crate, target `wasm_plugin`.
///
/// Metrics are read with [`metrics`](Self::metrics), and
/// [`render_prometheus`](crate::WasmPluginRegistry::render_prometheus) writes them as the families
/// `wasm_guest_counter_total`, `wasm_guest_gauge` and `wasm_guest_histogram` with the labels
/// `tenant`, `metric` and `label_NAME` for each of the guest's own. Labels out of the order of their
/// names have a label `order` besides. If a name is no identifier or stands twice, or a value is
/// empty, all are in one label `labels` instead: `name=value` with commas between, and a backslash
/// before each backslash, comma or `=` of their own.
///
/// Replacing a row by one that is not longer allocates nothing.
#[derive(Debug, Default)]
pub struct EmbeddedHost {
    /// Each tenant has a lock of its own, so that none waits for another's scan. The outer one is
    /// written only when a tenant first appears.
    tenants: RwLock<HashMap<String, RwLock<Tenant>>>,
    quota: HostQuota,
}

/// What one tenant may keep in an [`EmbeddedHost`]. Every default is finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostQuota {
    /// Tables. Default: 64.
    pub max_tables: usize,
    /// Rows of all tables. Default: 1,000,000.
    pub max_rows: usize,
    /// Bytes of all keys and values. Default: 64 MiB.
    pub max_bytes: usize,
    /// Metric series. Default: 256.
    pub max_series: usize,
}

impl Default for HostQuota {
    fn default() -> Self {
        Self { max_tables: 64, max_rows: 1_000_000, max_bytes: 64 << 20, max_series: 256 }
    }
}

/// What is kept for one tenant.
#[derive(Debug, Default)]
struct Tenant {
    tables: Tables,
    metrics: Metrics,
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
    /// [`ErrorKind::QuotaExceeded`], naming the quota; nothing is changed then.
    pub fn put(&self, tenant: &str, table: &str, key: &[u8], value: &[u8]) -> Result<bool, Error> {
        self.with_tenant(tenant, |kept| kept.tables.put(table, key, value, &self.quota)).map_err(
            |over| {
                let what = format!("tenant `{tenant}`, table `{table}`: over `{over}`");
                Error::configuration(ErrorKind::QuotaExceeded, what)
            },
        )
    }

    /// Returns a copy of a row; nothing if there is none.
    pub fn get(&self, tenant: &str, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.tenants.read().get(tenant)?.read().tables.get(table, key).map(<[u8]>::to_vec)
    }

    /// Removes a row. Returns whether there was one.
    pub fn delete(&self, tenant: &str, table: &str, key: &[u8]) -> bool {
        let tenants = self.tenants.read();
        tenants.get(tenant).is_some_and(|kept| kept.write().tables.delete(table, key))
    }

    /// Returns copies of up to `limit` rows with keys from `from` on, in key order.
    pub fn scan(
        &self,
        tenant: &str,
        table: &str,
        from: &[u8],
        limit: usize,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let tenants = self.tenants.read();
        let Some(kept) = tenants.get(tenant).map(RwLock::read) else {
            return Vec::new();
        };
        let rows = kept.tables.range(table, from).take(limit);
        rows.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }

    /// Returns a tenant's metrics, sorted by kind, name and labels.
    pub fn metrics(&self, tenant: &str) -> Vec<MetricSample> {
        self.samples(tenant, None)
    }

    /// A tenant's metrics of one kind, or all of them.
    fn samples(&self, tenant: &str, kind: Option<MetricKind>) -> Vec<MetricSample> {
        let tenants = self.tenants.read();
        tenants.get(tenant).map(|kept| kept.read().metrics.samples(kind)).unwrap_or_default()
    }

    /// The tenants for which something is kept, sorted.
    fn tenants(&self) -> Vec<String> {
        let mut tenants: Vec<_> = self.tenants.read().keys().cloned().collect();
        tenants.sort_unstable();
        tenants
    }

    /// Runs `change` on what is kept for a tenant, which begins empty.
    fn with_tenant<T>(&self, tenant: &str, change: impl FnOnce(&mut Tenant) -> T) -> T {
        if let Some(kept) = self.tenants.read().get(tenant) {
            return change(&mut kept.write());
        }
        let mut tenants = self.tenants.write();
        let kept = tenants.entry(tenant.into()).or_default();
        change(&mut kept.write())
    }
}

impl Host for EmbeddedHost {
    fn read(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        let tenants = self.tenants.read();
        let kept = tenants.get(call.tenant()).ok_or(HostError::NotFound)?.read();
        let value = kept.tables.get(table, key).ok_or(HostError::NotFound)?;
        out.write_value(call, value)
    }

    fn scan(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        from: &[u8],
        limit: u32,
        out: &mut Output<'_>,
    ) -> Result<(), HostError> {
        let tenants = self.tenants.read();
        let Some(kept) = tenants.get(call.tenant()).map(RwLock::read) else {
            return Ok(());
        };
        let mut written_at_checkpoint = 0;
        for (row, (key, value)) in (0..limit).zip(kept.tables.range(table, from)) {
            if row % 1_024 == 1_023 || out.len() - written_at_checkpoint > 64 << 10 {
                written_at_checkpoint = out.len();
                call.checkpoint()?;
            }
            if !out.push_record(call, key, value)? {
                return if out.is_empty() { Err(HostError::LimitReached) } else { Ok(()) };
            }
        }
        Ok(())
    }

    fn write(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, HostError> {
        self.with_tenant(call.tenant(), |kept| kept.tables.put(table, key, value, &self.quota))
            .map_err(|_| HostError::LimitReached)
    }

    fn delete(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
    ) -> Result<(), HostError> {
        match self.delete(call.tenant(), table, key) {
            true => Ok(()),
            false => Err(HostError::NotFound),
        }
    }

    fn emit_metric(
        &self,
        call: &mut HostCall<'_, Self>,
        metric: &Metric<'_>,
    ) -> Result<(), HostError> {
        self.with_tenant(call.tenant(), |kept| kept.metrics.observe(metric, self.quota.max_series))
    }

    fn log(
        &self,
        call: &mut HostCall<'_, Self>,
        level: log::Level,
        message: LogMessage<'_>,
    ) -> Result<(), HostError> {
        log::log!(target: "wasm_plugin", level, "{}/{}: {message}", call.tenant(), call.plugin());
        Ok(())
    }

    fn render_metrics(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        render::render(self, out)
    }
}
