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
    fn read(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        let tables = Self::kept(call)?.tables.read();
        let value = tables.get(table, key).ok_or(HostError::NotFound)?;
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
        let Ok(kept) = Self::kept(call) else {
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

    fn write(
        &self,
        call: &mut HostCall<'_, Self>,
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

    fn delete(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
    ) -> Result<(), HostError> {
        let kept = Self::kept(call)?;
        let (mut tables, limits) = (kept.tables.write(), self.limits(kept));
        match tables.delete(table, key, &limits, |work| charge(call, work)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(HostError::NotFound),
            Err(refusal) => Err(status(refusal)),
        }
    }

    fn collection_table(
        &self,
        call: &HostCall<'_, Self>,
        collection: &str,
    ) -> Result<Arc<str>, HostError> {
        let tables = Self::kept(call)?.tables.read();
        tables.collection_table(collection).cloned().ok_or(HostError::NotFound)
    }

    fn vector_search(
        &self,
        call: &mut HostCall<'_, Self>,
        collection: &str,
        query: Query<'_>,
        hits: &mut Nearest<'_>,
    ) -> Result<(), HostError> {
        let tables = Self::kept(call)?.tables.read();
        let collection = tables.collection(collection).ok_or(HostError::NotFound)?;
        collection.search(call, query, hits)
    }

    fn index_table(&self, call: &HostCall<'_, Self>, index: &str) -> Result<Arc<str>, HostError> {
        let tables = Self::kept(call)?.tables.read();
        tables.index_table(index).cloned().ok_or(HostError::NotFound)
    }

    fn index_lookup(
        &self,
        call: &mut HostCall<'_, Self>,
        index: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        let tables = Self::kept(call)?.tables.read();
        let index = tables.index(index).ok_or(HostError::NotFound)?;
        out.write_row_ids(call, index.rows_at(key))
    }

    fn index_range(
        &self,
        call: &mut HostCall<'_, Self>,
        index: &str,
        low: &[u8],
        high: &[u8],
        limit: u32,
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        let tables = Self::kept(call)?.tables.read();
        let index = tables.index(index).ok_or(HostError::NotFound)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        out.write_row_ids(call, index.rows_between(low, high).take(limit))
    }

    fn emit_metric(
        &self,
        call: &mut HostCall<'_, Self>,
        metric: &Metric<'_>,
    ) -> Result<(), HostError> {
        self.kept_or_new(call)?.metrics.lock().observe(metric, self.quota.max_series)
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

    fn limit_storage(
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

    fn stored(&self, tenant: Option<&str>) -> Option<(u64, u64)> {
        let usage = match tenant {
            Some(tenant) => {
                self.tenant(tenant).map(|kept| kept.tables.read().usage()).unwrap_or_default()
            }
            None => self.all.held(),
        };
        Some((usage.rows as u64, usage.bytes as u64))
    }

    fn render_metrics(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        render::render(self, out)
    }
}

impl EmbeddedHost {
    /// What is kept for the caller's tenant.
    #[inline]
    fn kept<'b>(call: &HostCall<'b, Self>) -> Result<&'b Tenant, HostError> {
        call.kept(|host| host.tenant(call.tenant())).ok_or(HostError::NotFound)
    }

    /// What is kept for the caller's tenant, which begins empty.
    #[inline]
    fn kept_or_new<'b>(&self, call: &HostCall<'b, Self>) -> Result<&'b Tenant, HostError> {
        call.kept(|host| Some(host.tenant_or_new(call.tenant()))).ok_or(HostError::NotFound)
    }
}

/// Charges for what follows a change of a row.
fn charge(call: &mut HostCall<'_, EmbeddedHost>, work: Work) -> Result<(), HostError> {
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
