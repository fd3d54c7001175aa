//! What a module would bring, told before any of it runs.

use crate::{Error, ValueType};
use alloc::{string::String, vec::Vec};

/// What a module asks for and brings, and whether [`load`](crate::WasmPluginRegistry::load) would
/// take it with the same configuration.
#[derive(Debug)]
#[non_exhaustive]
pub struct AdmissionReport {
    /// The SHA-256 of the bytes.
    pub module_hash: [u8; 32],
    /// The size of the module in bytes.
    pub module_bytes: u64,
    /// Its imports, in its order.
    pub imports: Vec<AdmittedImport>,
    /// Its exported functions, by name.
    pub functions: Vec<AdmittedFunction>,
    /// Bytes of all its memories when it starts.
    pub initial_memory_bytes: u64,
    /// Bytes of all its memories at most: what it declares, within the memory limit.
    pub max_memory_bytes: u64,
    /// Elements of all its tables when it starts.
    pub initial_table_elements: u64,
    /// Elements of all its tables at most: what it declares, within the limit.
    pub max_table_elements: u64,
    /// Whether it has a start section, which runs when a sandbox is made.
    pub has_start: bool,
    /// The proposals beyond WebAssembly 1.0 that its code or its types use, by name, sorted.
    pub proposals: Vec<&'static str>,
    /// Why `load` would refuse it; empty if it would not.
    pub refusals: Vec<Error>,
    /// What works, but perhaps not as its author meant.
    pub warnings: Vec<String>,
}

impl AdmissionReport {
    /// Returns whether `load` would take the module.
    pub fn is_admitted(&self) -> bool {
        self.refusals.is_empty()
    }
}

/// A function that a module imports.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdmittedImport {
    /// The import module.
    pub module: String,
    /// The import name.
    pub name: String,
    /// Whether the registry's table has a function of this name and type.
    pub is_defined: bool,
    /// Whether the configuration holds a grant for it. Without one, every call is denied.
    pub is_granted: bool,
}

/// A function that a module exports.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdmittedFunction {
    /// Its name.
    pub name: String,
    /// The types of its parameters.
    pub params: Vec<ValueType>,
    /// The types of its results.
    pub results: Vec<ValueType>,
}
