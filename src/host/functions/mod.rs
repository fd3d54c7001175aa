//! The built-in host functions, module `soch_v1`: one file each.

mod call_plugin;
mod emit_metric;
mod get_config;
mod last_answer;
mod log_message;
mod soch_delete;
mod soch_read;
mod soch_scan;
mod soch_write;

use super::{Host, HostCost, HostError, table::HostFunctionTable};
use crate::{Error, Grant};

/// The import module of the host ABI, version 1.
const MODULE: &str = "soch_v1";

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

/// Defines every built-in function, with what it needs and costs. [`HostCost`] documents the bases.
fn define_all<H: Host, const N: usize>(table: &mut HostFunctionTable<H, N>) -> Result<(), Error> {
    use Grant::{Always, CallPlugin, ReadTable, WriteTable};
    let (small, log, find, range) = (based(50), based(120), based(160), based(200));
    let (write, nested) = (based(300), based(500));
    table.define_checking((MODULE, "soch_read"), ReadTable, find, soch_read::soch_read::<H>)?;
    table.define_checking((MODULE, "soch_scan"), ReadTable, range, soch_scan::soch_scan::<H>)?;
    table.define_checking(
        (MODULE, "soch_write"),
        WriteTable,
        write,
        soch_write::soch_write::<H>,
    )?;
    table.define_checking(
        (MODULE, "soch_delete"),
        WriteTable,
        find,
        soch_delete::soch_delete::<H>,
    )?;
    table.define(MODULE, "emit_metric", Always, find, emit_metric::emit_metric::<H>)?;
    table.define(MODULE, "log_message", Always, log, log_message::log_message::<H>)?;
    table.define(MODULE, "get_config", Always, small, get_config::get_config::<H>)?;
    table.define_checking(
        (MODULE, "call_plugin"),
        CallPlugin,
        nested,
        call_plugin::call_plugin::<H>,
    )?;
    table.define(MODULE, "last_answer", Always, small, last_answer::last_answer::<H>)
}

/// The default cost but for the base.
fn based(base: u64) -> HostCost {
    HostCost { base, ..HostCost::default() }
}

/// A length as a guest gets it.
fn length(len: usize) -> Result<i32, HostError> {
    i32::try_from(len).map_err(|_| HostError::LimitReached)
}
