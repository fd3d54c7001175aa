//! The built-in host functions, module `soch_v1`: one file each.

mod call_plugin;
mod emit_metric;
mod get_config;
mod index_lookup;
mod index_range;
mod last_answer;
mod log_message;
mod soch_delete;
mod soch_read;
mod soch_scan;
mod soch_write;
mod vector_search;

pub(crate) use self::call_plugin::finish_call_plugin;

use super::{Host, HostCall, HostCost, HostError, table::HostFunctionTable};
use crate::{Error, Grant};

/// The minor version of the ABI, which `get_config("soch.abi")` answers.
const ABI_MINOR: &str = "0";

impl<H: Host, const N: usize> HostFunctionTable<H, N> {
    /// Returns a table of the built-in functions, module `soch_v1`.
    ///
    /// If `N` has no room for them, building a registry with the table fails with
    /// [`ErrorKind::TableFull`](crate::ErrorKind::TableFull).
    pub fn new() -> Self {
        let mut table = Self::empty();
        table.overflow = define_all(&mut table).err();
        table
    }
}

impl<H: Host, const N: usize> Default for HostFunctionTable<H, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Defines every built-in function, with what it needs and its cost; [`HostCost`] documents the
/// costs.
fn define_all<H: Host, const N: usize>(table: &mut HostFunctionTable<H, N>) -> Result<(), Error> {
    use Grant::{Always, CallPlugin, IndexSearch, ReadTable, VectorSearch, WriteTable};
    table.define_built_in("soch_read", ReadTable, base(200), soch_read::soch_read::<H>)?;
    table.define_built_in("soch_scan", ReadTable, base(200), soch_scan::soch_scan::<H>)?;
    table.define_built_in("soch_write", WriteTable, base(300), soch_write::soch_write::<H>)?;
    table.define_built_in("soch_delete", WriteTable, base(200), soch_delete::soch_delete::<H>)?;
    let vectors = HostCost { per_item: 1, ..base(400) };
    table.define_built_in(
        "vector_search",
        VectorSearch,
        vectors,
        vector_search::vector_search::<H>,
    )?;
    let ids = HostCost { per_item: 20, ..base(400) };
    table.define_built_in("index_lookup", IndexSearch, ids, index_lookup::index_lookup::<H>)?;
    table.define_built_in("index_range", IndexSearch, ids, index_range::index_range::<H>)?;
    table.define_built_in("emit_metric", Always, base(200), emit_metric::emit_metric::<H>)?;
    table.define_built_in("log_message", Always, base(120), log_message::log_message::<H>)?;
    table.define_built_in("get_config", Always, base(50), get_config::get_config::<H>)?;
    table.define_built_in("call_plugin", CallPlugin, base(600), call_plugin::call_plugin::<H>)?;
    table.define_built_in("last_answer", Always, base(50), last_answer::last_answer::<H>)
}

/// The default cost but for its base.
fn base(base: u64) -> HostCost {
    HostCost { base, ..HostCost::default() }
}

/// Checks the grants of an index search: for searching, and for reading the table that the index
/// belongs to.
fn may_search_index<H: Host>(call: &HostCall<'_, H>, index: &str) -> Result<(), HostError> {
    call.require(|grants| grants.can_index_search)?;
    let table = call.host().index_table(call, index).map_err(not_later)?;
    call.require(|grants| grants.can_read(&table))
}

/// What a grant depends on cannot come later: what completes the call would be the answer of the
/// whole function, and nothing would look at the grant.
fn not_later(error: HostError) -> HostError {
    match error {
        HostError::Pending(_) => HostError::Failed,
        error => error,
    }
}

/// A length as a guest gets it.
fn length(len: usize) -> Result<i32, HostError> {
    i32::try_from(len).map_err(|_| HostError::LimitReached)
}
