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

use super::{Host, HostError, table::HostFunctionTable};
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

/// Defines every built-in function, with what it needs and its base cost; [`HostCost`] documents
/// the costs.
///
/// [`HostCost`]: super::HostCost
fn define_all<H: Host, const N: usize>(table: &mut HostFunctionTable<H, N>) -> Result<(), Error> {
    use Grant::{Always, CallPlugin, ReadTable, WriteTable};
    table.define_built_in("soch_read", ReadTable, 200, soch_read::soch_read::<H>)?;
    table.define_built_in("soch_scan", ReadTable, 200, soch_scan::soch_scan::<H>)?;
    table.define_built_in("soch_write", WriteTable, 300, soch_write::soch_write::<H>)?;
    table.define_built_in("soch_delete", WriteTable, 200, soch_delete::soch_delete::<H>)?;
    table.define_built_in("emit_metric", Always, 200, emit_metric::emit_metric::<H>)?;
    table.define_built_in("log_message", Always, 120, log_message::log_message::<H>)?;
    table.define_built_in("get_config", Always, 50, get_config::get_config::<H>)?;
    table.define_built_in("call_plugin", CallPlugin, 500, call_plugin::call_plugin::<H>)?;
    table.define_built_in("last_answer", Always, 50, last_answer::last_answer::<H>)
}

/// A length as a guest gets it.
fn length(len: usize) -> Result<i32, HostError> {
    i32::try_from(len).map_err(|_| HostError::LimitReached)
}
