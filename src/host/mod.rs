//! The trust boundary: what a guest may ask of the host, and what an embedder implements.
//!
//! A host call passes, in this order: its base cost; the bounds, length and UTF-8 of the name it
//! gives; the grant for that name; the bounds of everything else; the cost of the bytes it brings;
//! and only then the embedder's [`Host`]. `call.rs` holds that order, `memory.rs` the bounds.

mod call;
mod chain;
mod context;
mod cost;
mod error;
mod functions;
mod memory;
mod nearest;
mod output;
mod query;
mod recent;
mod state;
mod suspension;
mod table;
mod wire;

pub use self::{
    call::HostCall,
    cost::HostCost,
    error::HostError,
    nearest::{MAX_K, Nearest},
    output::Output,
    query::{MAX_DIMS, Query},
    table::HostFunctionTable,
    wire::Labels,
};
pub(crate) use self::{
    call::{FunctionSpec, MAX_KEY_BYTES},
    chain::{Chain, ChainEnd, Link},
    context::{
        Directory, FunctionNames, Nested, NestedFailure, NestedLimits, NestedOutcome, NestedResult,
        PluginContext,
    },
    functions::finish_call_plugin,
    memory::Range,
    query::valid_squared_length,
    recent::{RECENT_CALLS, RecentCall},
    state::{CallState, STOPPED},
    suspension::{Opened, PendingCall, Suspension},
    table::{HostFunction, HostFunctions},
    wire::{field_len, take_field},
};

use crate::{EmbeddedHost, PluginEvent, sync::Arc};
use core::fmt;

/// What an embedder implements: storage, searches, metrics, the log and settings.
///
/// Every method has a default that leaves the answer to the [`EmbeddedHost`] within the host, if it
/// [has one](Host::embedded), and otherwise answers [`HostError::NotSupported`], so a host implements what
/// it has. Names, keys and values are slices of guest memory, already checked: a name is UTF-8 of 1
/// to 128 bytes, a key at most 4 KiB, and the plugin's grants cover the table, or the table that an
/// index or collection belongs to. The caller is in [`HostCall`]; a host that serves several tenants
/// looks there and keeps them apart.
///
/// What a host returns goes to an [`Output`], straight into guest memory. A loop that can run long
/// calls [`HostCall::checkpoint`] at least every 64 KiB or 1,024 rows.
///
/// A host that has to wait for the answer says [`HostError::Pending`] and gives it later, to
/// [`PluginCall::complete`](crate::PluginCall::complete), in the form that the guest gets: the status
/// that the function returns, and the bytes of its output. Not so
/// [`collection_table`](Self::collection_table) and [`index_table`](Self::index_table), on which a
/// grant depends: there it counts as [`HostError::Failed`].
///
/// No lock of this library is held while a method runs. Methods may be called from several threads
/// at once.
///
/// A method, or a function of the embedder's own, that panics ends the guest's call, whose sandbox
/// is not used again; the panic goes on from the call of the plugin, or from what starts its sandbox
/// (with the feature `std`).
pub trait Host: Send + Sync + Sized + 'static {
    /// Returns the in-memory host that answers what this one does not implement itself. Default: none, and
    /// each method then answers [`HostError::NotSupported`] or what its documentation says.
    ///
    /// A host with functions of its own that leaves tables, searches and metrics to an [`EmbeddedHost`]
    /// within it returns that one, always the same. A method that it does implement can ask the other
    /// as well: [`serve_read`](EmbeddedHost::serve_read) and the like.
    ///
    /// ```
    /// use wasm_runtime::{EmbeddedHost, Host, HostCall, HostError, LogLevel, LogMessage};
    ///
    /// #[derive(Default)]
    /// struct Loud(EmbeddedHost);
    ///
    /// impl Host for Loud {
    ///     fn embedded(&self) -> Option<&EmbeddedHost> {
    ///         Some(&self.0)
    ///     }
    ///
    ///     fn log(
    ///         &self,
    ///         call: &mut HostCall<'_, Self>,
    ///         level: LogLevel,
    ///         line: LogMessage<'_>,
    ///     ) -> Result<(), HostError> {
    ///         println!("{level} {}: {line}", call.plugin());
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn embedded(&self) -> Option<&EmbeddedHost> {
        None
    }

    /// Finds the value of `key` in `table`, gives it to [`Output::write_value`] and returns its
    /// full length.
    ///
    /// # Errors
    ///
    /// [`HostError::NotFound`] if there is no such row.
    fn read(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_read(call, table, key, out),
            None => Err(HostError::NotSupported),
        }
    }

    /// Gives the rows of `table` with keys from `from` on, in key order, to
    /// [`Output::push_record`] until `limit` are written or one does not fit.
    ///
    /// # Errors
    ///
    /// [`HostError::LimitReached`] if the first row does not fit.
    fn scan(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        from: &[u8],
        limit: u32,
        out: &mut Output<'_>,
    ) -> Result<(), HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_scan(call, table, from, limit, out),
            None => Err(HostError::NotSupported),
        }
    }

    /// Stores `value` under `key`; returns whether it replaced one.
    ///
    /// # Errors
    ///
    /// [`HostError::LimitReached`] if a quota forbids it; nothing is changed then.
    fn write(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_write(call, table, key, value),
            None => Err(HostError::NotSupported),
        }
    }

    /// Removes the row of `key`.
    ///
    /// # Errors
    ///
    /// [`HostError::NotFound`] if there is none.
    fn delete(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
    ) -> Result<(), HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_delete(call, table, key),
            None => Err(HostError::NotSupported),
        }
    }

    /// Returns the table that a collection of vectors belongs to, whose grant for reading a search
    /// needs.
    ///
    /// # Errors
    ///
    /// [`HostError::NotFound`] if there is no such collection for the caller's tenant.
    fn collection_table(
        &self,
        call: &HostCall<'_, Self>,
        collection: &str,
    ) -> Result<Arc<str>, HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_collection_table(call, collection),
            None => Err(HostError::NotSupported),
        }
    }

    /// Offers the rows of `collection` to `hits`, each with its distance from `query`, or those of
    /// them that can be among the nearest.
    ///
    /// Before it computes, it charges for its work: [`HostCall::charge_items`] charges 1 fuel an
    /// item here.
    ///
    /// # Errors
    ///
    /// [`HostError::InvalidArguments`] if the collection's vectors have another number of
    /// components.
    fn vector_search(
        &self,
        call: &mut HostCall<'_, Self>,
        collection: &str,
        query: Query<'_>,
        hits: &mut Nearest<'_>,
    ) -> Result<(), HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_vector_search(call, collection, query, hits),
            None => Err(HostError::NotSupported),
        }
    }

    /// Returns the table that an index belongs to, whose grant for reading a search needs.
    ///
    /// # Errors
    ///
    /// [`HostError::NotFound`] if there is no such index for the caller's tenant.
    fn index_table(&self, call: &HostCall<'_, Self>, index: &str) -> Result<Arc<str>, HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_index_table(call, index),
            None => Err(HostError::NotSupported),
        }
    }

    /// Gives the ids of the rows that `index` has under `key` to [`Output::write_row_ids`] and
    /// returns how many there are.
    ///
    /// # Errors
    ///
    /// As the host sees fit.
    fn index_lookup(
        &self,
        call: &mut HostCall<'_, Self>,
        index: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_index_lookup(call, index, key, out),
            None => Err(HostError::NotSupported),
        }
    }

    /// Gives the ids of the first `limit` rows that `index` has under keys from `low` on and below
    /// `high`, in key order, to [`Output::write_row_ids`] and returns how many there are. `low` is
    /// below `high`, and `limit` is not 0.
    ///
    /// # Errors
    ///
    /// As the host sees fit.
    fn index_range(
        &self,
        call: &mut HostCall<'_, Self>,
        index: &str,
        low: &[u8],
        high: &[u8],
        limit: u32,
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_index_range(call, index, low, high, limit, out),
            None => Err(HostError::NotSupported),
        }
    }

    /// Takes in one observation of a metric. Its value is a number, never NaN.
    ///
    /// # Errors
    ///
    /// [`HostError::LimitReached`] if it would be one series too many.
    fn emit_metric(
        &self,
        call: &mut HostCall<'_, Self>,
        metric: &Metric<'_>,
    ) -> Result<(), HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_emit_metric(call, metric),
            None => Err(HostError::NotSupported),
        }
    }

    /// Takes in a line of at most 1 KiB that the guest logs.
    ///
    /// # Errors
    ///
    /// As the host sees fit.
    fn log(
        &self,
        call: &mut HostCall<'_, Self>,
        level: log::Level,
        message: LogMessage<'_>,
    ) -> Result<(), HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_log(call, level, message),
            None => Err(HostError::NotSupported),
        }
    }

    /// Finds a setting that the plugin's configuration does not have, gives it to
    /// [`Output::write_value`] and returns its full length.
    ///
    /// # Errors
    ///
    /// [`HostError::NotFound`], which is also what the default answers.
    fn setting(
        &self,
        call: &mut HostCall<'_, Self>,
        name: &str,
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        let _ = (call, name, out);
        Err(HostError::NotFound)
    }

    /// Hears what happened to a plugin: that it was loaded or could not be, that a call trapped or was
    /// stopped, that a quota was reached, that it was put in quarantine or came out of it, that it was
    /// reloaded, rolled back or could not be, that it was unloaded. The audit ring has the same, and what was decided about host calls.
    ///
    /// Called by the thread on which it happened, when it has happened, or amid the call for a memory or
    /// table that a quota keeps from growing; of what one call of the host leads plugins to do, eight
    /// times at most, and once for its end. A plugin that is being loaded cannot be found yet. The
    /// registry may be used from here, also to unload the plugin; the sandbox of a call that failed is
    /// still in use. The default does nothing.
    fn event(&self, event: &PluginEvent<'_>) {
        let _ = event;
    }

    /// Sets how many rows a tenant may have stored and how many bytes they may take, or all tenants
    /// together; `u64::MAX` is no limit. What is over a limit stays. Called when a
    /// `TenantQuota` is set.
    ///
    /// # Errors
    ///
    /// [`HostError::NotSupported`], which the default answers: the quota is then not set.
    fn limit_storage(
        &self,
        tenant: Option<&str>,
        max_rows: u64,
        max_bytes: u64,
    ) -> Result<(), HostError> {
        match self.embedded() {
            Some(embedded) => embedded.serve_limit_storage(tenant, max_rows, max_bytes),
            None => Err(HostError::NotSupported),
        }
    }

    /// Returns how many rows a tenant has stored, or all tenants together, and how many bytes they take;
    /// nothing, as the default answers, if the host does not count them.
    fn stored(&self, tenant: Option<&str>) -> Option<(u64, u64)> {
        match self.embedded() {
            Some(embedded) => embedded.serve_stored(tenant),
            None => None,
        }
    }

    /// Writes metrics of the host's own in the text format of Prometheus, version 0.0.4, for
    /// [`render_prometheus`](crate::WasmPluginRegistry::render_prometheus): whole families, whose
    /// names do not begin with `wasm_plugin_`. The default writes nothing.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    fn render_metrics(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        match self.embedded() {
            Some(embedded) => embedded.serve_render_metrics(out),
            None => Ok(()),
        }
    }
}

/// One observation of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Metric<'a> {
    /// What the value does to the series.
    pub kind: MetricKind,
    /// The name: UTF-8, 1 to 128 bytes.
    pub name: &'a str,
    /// The value; not NaN.
    pub value: f64,
    /// The labels.
    pub labels: Labels<'a>,
}

/// What an observation does to its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetricKind {
    /// Adds the value to the series.
    Counter,
    /// Replaces the series' value.
    Gauge,
    /// Counts the value in a distribution.
    Histogram,
}

/// A line from a guest. Prints with its control characters escaped, so that it stays one line and
/// cannot drive a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogMessage<'a>(&'a str);

impl<'a> LogMessage<'a> {
    /// Returns the line as the guest gave it, control characters and all.
    pub fn unescaped(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for LogMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = 0;
        for (at, c) in self.0.char_indices().filter(|(_, c)| c.is_control()) {
            f.write_str(self.0.get(plain..at).unwrap_or_default())?;
            write!(f, "{}", c.escape_default())?;
            plain = at + c.len_utf8();
        }
        f.write_str(self.0.get(plain..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_log_line_prints_its_control_characters_escaped() {
        let line = LogMessage("a\nb\u{1b}[31m\u{85}ü").to_string();
        assert_eq!(line, "a\\nb\\u{1b}[31m\\u{85}ü");
    }
}
