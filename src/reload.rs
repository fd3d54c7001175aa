//! How a plugin is reloaded, and what is remembered of it.

use crate::{ErrorKind, WasmValue};
use alloc::string::String;

/// How a plugin is reloaded. By default no state is handed over, nothing is tried but the start function,
/// nobody waits, and the version that was called before is kept for a
/// [`rollback`](crate::WasmPluginRegistry::rollback).
///
/// ```
/// use wasm_runtime::{Probe, ReloadOptions, WasmInstanceConfig, WasmPluginRegistry, WasmValue};
///
/// # fn main() -> Result<(), wasm_runtime::Error> {
/// # let (old, new) = (include_bytes!("../fixtures/wasm/counter.wasm"), include_bytes!("../fixtures/wasm/counter.wasm"));
/// let registry = WasmPluginRegistry::new();
/// registry.load("counter", old, WasmInstanceConfig::default())?;
/// let probe = Probe::Values {
///     function: "add",
///     args: &[WasmValue::I32(2)],
///     expected: Some(&[WasmValue::I32(2)]),
/// };
/// let options = ReloadOptions { probes: &[probe], ..ReloadOptions::default() };
/// registry.reload_with("counter", new, WasmInstanceConfig::default(), &options)?;
/// registry.rollback("counter")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ReloadOptions<'a> {
    /// Whether the new version takes over the old one's state. Default: no.
    pub state: StateHandover,
    /// Calls that the new version has to answer before it is called by anyone else, one after the other
    /// in a sandbox of its own, which has been handed the state and is dropped afterwards. What they do
    /// through host functions stays. Default: none.
    pub probes: &'a [Probe<'a>],
    /// How long calls that are going on in the old version may go on, in milliseconds of the registry's
    /// clock. The reload returns when they have ended, and those that have not by then are cancelled;
    /// with 0, which needs no clock, at once. It is also how long the reload waits for a sandbox whose
    /// state is to be handed over. Default: as long as they like, and nobody waits.
    pub drain_ms: Option<u64>,
    /// Whether the version that is replaced is kept, compiled and without sandboxes, for a rollback.
    /// Default: yes. It is dropped by the next reload or rollback that goes well.
    pub keep_previous: bool,
}

impl Default for ReloadOptions<'_> {
    fn default() -> Self {
        Self { state: StateHandover::Fresh, probes: &[], drain_ms: None, keep_previous: true }
    }
}

/// Whether the new version of a plugin takes over the state of the old one: the bytes that `soch_save` of
/// the old one answers, an input of none, go to `soch_restore` of the new one, whose answer is not looked
/// at. Both are functions of the byte convention.
///
/// Only where all calls share one state: [`max_instances`](crate::WasmInstanceConfig::max_instances) has
/// to be 1 in both versions. Between saving and the first call of the new version there is no other
/// call: it is refused as [`Busy`](ErrorKind::Busy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StateHandover {
    /// The new version begins anew.
    #[default]
    Fresh,
    /// If the old version exports `soch_save` and the new one `soch_restore`; else it begins anew.
    IfExported,
    /// The reload fails with [`Refused`](ErrorKind::Refused) if one of the two is missing.
    Required,
}

/// A call that a new version has to answer before it takes over.
#[derive(Debug, Clone, Copy)]
pub enum Probe<'a> {
    /// A call with values.
    Values {
        /// The exported function.
        function: &'a str,
        /// Its arguments.
        args: &'a [WasmValue],
        /// The results it must have, to the bit; nothing if any will do.
        expected: Option<&'a [WasmValue]>,
    },
    /// A call of a function of the byte convention.
    Bytes {
        /// The exported function.
        function: &'a str,
        /// What it is handed.
        input: &'a [u8],
        /// What it must answer; nothing if any answer will do.
        expected: Option<&'a [u8]>,
    },
}

impl Probe<'_> {
    /// Returns the function that is called.
    pub const fn function(&self) -> &str {
        match self {
            Self::Values { function, .. } | Self::Bytes { function, .. } => function,
        }
    }
}

/// One change of a plugin's version, or an attempt at one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRecord {
    /// What was done.
    pub change: VersionChange,
    /// The SHA-256 of the module that came, or was to come.
    pub module_hash: [u8; 32],
    /// When, by the registry's clock in microseconds; nothing without a clock, and for the load.
    pub at_us: Option<u64>,
    /// How many calls of the version before were cancelled because they went on for too long.
    pub cancelled_calls: usize,
    /// Why it failed, with the version before still serving; nothing if it went well.
    pub failure: Option<(ErrorKind, String)>,
}

/// How a version came to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VersionChange {
    /// The plugin was loaded with it.
    Load,
    /// [`WasmPluginRegistry::reload`](crate::WasmPluginRegistry::reload).
    Reload,
    /// [`WasmPluginRegistry::rollback`](crate::WasmPluginRegistry::rollback).
    Rollback,
}
