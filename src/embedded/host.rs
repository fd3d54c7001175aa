//! The in-memory host as plugins see it.

use super::{
    EmbeddedHost, Tenant, render,
    usage::{Refusal, Work},
};
use crate::{Host, HostCall, HostError, LogMessage, Metric, Nearest, Output, Query, sync::Arc};
use core::fmt;

/// What a guest pays for each index and collection of a table when it changes a row.
const ASKED_FUEL: u64 = 100;
/// What it pays for each of their entries that goes or comes.
const CHANGED_FUEL: u64 = 1_000;

impl Host for EmbeddedHost {
    fn embedded(&self) -> Option<&EmbeddedHost> {
        Some(self)
    }
}

/// What a [`Host`] answers that is this one, or that has this one within it: its methods, one by one.
impl EmbeddedHost {
    /// Answers [`Host::read`] for a host that has this one within it and asks it.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_read<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        table: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        let tables = self.kept(call)?.tables.read();
        let value = tables.get(table, key).ok_or(HostError::NotFound)?;
        out.write_value(call, value)
    }

    /// Answers [`Host::scan`] likewise.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_scan<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        table: &str,
        from: &[u8],
        limit: u32,
        out: &mut Output<'_>,
    ) -> Result<(), HostError> {
        let Ok(kept) = self.kept(call) else {
            return Ok(());
        };
        let tables = kept.tables.read();
        let mut written_at_checkpoint = 0;
        for (row, (key, value)) in (0..limit).zip(tables.range(table, from)) {
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

    /// Answers [`Host::write`] likewise.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_write<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        table: &str,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, HostError> {
        let kept = self.kept_or_new(call)?;
        let mut tables = kept.tables.write();
        let limits = self.limits(kept);
        let put = tables.put(table, key, value, &limits, |work| charge(call, work));
        put.map_err(status)
    }

    /// Answers [`Host::delete`] likewise.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_delete<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        table: &str,
        key: &[u8],
    ) -> Result<(), HostError> {
        let kept = self.kept(call)?;
        let (mut tables, limits) = (kept.tables.write(), self.limits(kept));
        match tables.delete(table, key, &limits, |work| charge(call, work)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(HostError::NotFound),
            Err(refusal) => Err(status(refusal)),
        }
    }

    /// Answers [`Host::collection_table`] likewise.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_collection_table<H: Host>(
        &self,
        call: &HostCall<'_, H>,
        collection: &str,
    ) -> Result<Arc<str>, HostError> {
        let tables = self.kept(call)?.tables.read();
        tables.collection_table(collection).cloned().ok_or(HostError::NotFound)
    }

    /// Answers [`Host::vector_search`] likewise.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_vector_search<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        collection: &str,
        query: Query<'_>,
        hits: &mut Nearest<'_>,
    ) -> Result<(), HostError> {
        let tables = self.kept(call)?.tables.read();
        let collection = tables.collection(collection).ok_or(HostError::NotFound)?;
        collection.search(call, query, hits)
    }

    /// Answers [`Host::index_table`] likewise.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_index_table<H: Host>(
        &self,
        call: &HostCall<'_, H>,
        index: &str,
    ) -> Result<Arc<str>, HostError> {
        let tables = self.kept(call)?.tables.read();
        tables.index_table(index).cloned().ok_or(HostError::NotFound)
    }

    /// Answers [`Host::index_lookup`] likewise.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_index_lookup<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        index: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        let tables = self.kept(call)?.tables.read();
        let index = tables.index(index).ok_or(HostError::NotFound)?;
        out.write_row_ids(call, index.rows_at(key))
    }

    /// Answers [`Host::index_range`] likewise.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_index_range<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        index: &str,
        low: &[u8],
        high: &[u8],
        limit: u32,
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        let tables = self.kept(call)?.tables.read();
        let index = tables.index(index).ok_or(HostError::NotFound)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        out.write_row_ids(call, index.rows_between(low, high).take(limit))
    }

    /// Answers [`Host::emit_metric`] likewise.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_emit_metric<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        metric: &Metric<'_>,
    ) -> Result<(), HostError> {
        self.kept_or_new(call)?.metrics.lock().observe(metric, self.quota.max_series)
    }

    /// Answers [`Host::log`] likewise: the line goes to the `log` crate.
    ///
    /// # Errors
    ///
    /// Those of the method.
    pub fn serve_log<H: Host>(
        &self,
        call: &mut HostCall<'_, H>,
        level: log::Level,
        message: LogMessage<'_>,
    ) -> Result<(), HostError> {
        log::log!(target: "wasm_plugin", level, "{}/{}: {message}", call.tenant(), call.plugin());
        Ok(())
    }

    pub(crate) fn serve_limit_storage(
        &self,
        tenant: Option<&str>,
        max_rows: u64,
        max_bytes: u64,
    ) -> Result<(), HostError> {
        match tenant {
            Some(tenant) => self.tenant_or_new(tenant).ceiling.set(max_rows, max_bytes),
            None => self.all.ceiling.set(max_rows, max_bytes),
        }
        Ok(())
    }

    pub(crate) fn serve_stored(&self, tenant: Option<&str>) -> Option<(u64, u64)> {
        let usage = match tenant {
            Some(tenant) => {
                self.tenant(tenant).map(|kept| kept.tables.read().usage()).unwrap_or_default()
            }
            None => self.all.held(),
        };
        Some((usage.rows as u64, usage.bytes as u64))
    }

    pub(crate) fn serve_render_metrics(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        render::render(self, out)
    }
}

impl EmbeddedHost {
    /// What is kept for the caller's tenant.
    #[inline]
    fn kept<'b, H: Host>(&self, call: &HostCall<'b, H>) -> Result<&'b Tenant, HostError> {
        call.kept(|| self.tenant(call.tenant())).ok_or(HostError::NotFound)
    }

    /// What is kept for the caller's tenant, which begins empty.
    #[inline]
    fn kept_or_new<'b, H: Host>(&self, call: &HostCall<'b, H>) -> Result<&'b Tenant, HostError> {
        call.kept(|| Some(self.tenant_or_new(call.tenant()))).ok_or(HostError::NotFound)
    }
}

/// Charges for what follows a change of a row.
fn charge<H: Host>(call: &mut HostCall<'_, H>, work: Work) -> Result<(), HostError> {
    let (asked, changed) = (work.asked as u64, work.changed as u64);
    call.charge(asked.saturating_mul(ASKED_FUEL))?;
    call.charge(changed.saturating_mul(CHANGED_FUEL))?;
    call.charge(work.long_keys_fuel)
}

/// What a guest hears of a refusal.
fn status(refusal: Refusal) -> HostError {
    match refusal {
        Refusal::Unpaid(error) => error,
        _ => HostError::LimitReached,
    }
}
