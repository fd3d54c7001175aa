//! What a plugin may do, and the names its grants cover.

use alloc::{string::String, vec::Vec};

/// What a plugin may do, and how much of the host it may use.
///
/// The default allows nothing: no tables, no searches, no other plugin; 16 MiB of linear memory,
/// 1,000,000 fuel and 100 ms for a call.
///
/// A grant names a table or a plugin exactly (`"users"`), by prefix (`"users_*"`) or all of them
/// (`"*"`). A `*` anywhere but at the end stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WasmPluginCapabilities {
    /// Tables that `soch_read` and `soch_scan` may name. Default: none.
    pub can_read_table: Vec<String>,
    /// Tables that `soch_write` and `soch_delete` may name. Default: none.
    pub can_write_table: Vec<String>,
    /// Whether `index_lookup` and `index_range` are allowed, on readable tables. Default: no.
    pub can_index_search: bool,
    /// Whether `vector_search` is allowed, on readable tables. Default: no.
    pub can_vector_search: bool,
    /// Plugins of the same tenant that `call_plugin` may name. Default: none.
    pub can_call_plugin: Vec<String>,
    /// All linear memories of one sandbox together, in bytes. Default: 16 MiB.
    pub memory_limit_bytes: u64,
    /// Fuel for one call, guest and host work together. Default: 1,000,000.
    pub fuel_limit: u64,
    /// Time for one call, in milliseconds; 0 for no limit. Default: 100.
    pub timeout_ms: u64,
}

impl Default for WasmPluginCapabilities {
    fn default() -> Self {
        Self {
            can_read_table: Vec::new(),
            can_write_table: Vec::new(),
            can_index_search: false,
            can_vector_search: false,
            can_call_plugin: Vec::new(),
            memory_limit_bytes: 16 << 20,
            fuel_limit: 1_000_000,
            timeout_ms: 100,
        }
    }
}

impl WasmPluginCapabilities {
    /// Returns capabilities for a plugin that only observes: no tables, 4 MiB, 100,000 fuel, 10 ms.
    pub fn observability_only() -> Self {
        Self { memory_limit_bytes: 4 << 20, fuel_limit: 100_000, timeout_ms: 10, ..Self::default() }
    }

    /// Returns capabilities for a plugin that reads the given tables and searches them: 64 MiB,
    /// 10,000,000 fuel, 1,000 ms, both kinds of search.
    pub fn read_only(tables: Vec<String>) -> Self {
        Self {
            can_read_table: tables,
            can_index_search: true,
            can_vector_search: true,
            memory_limit_bytes: 64 << 20,
            fuel_limit: 10_000_000,
            timeout_ms: 1_000,
            ..Self::default()
        }
    }

    /// Returns whether a grant covers reading `table`.
    pub fn can_read(&self, table: &str) -> bool {
        covers(&self.can_read_table, table)
    }

    /// Returns whether a grant covers writing `table`.
    pub fn can_write(&self, table: &str) -> bool {
        covers(&self.can_write_table, table)
    }

    /// Returns whether a grant covers calling the plugin `plugin`.
    pub fn can_call(&self, plugin: &str) -> bool {
        covers(&self.can_call_plugin, plugin)
    }
}

/// Whether one of `grants` covers `name`. Allocates nothing.
fn covers(grants: &[String], name: &str) -> bool {
    grants.iter().any(|grant| match grant.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => grant == name,
    })
}

/// What a host function needs before it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Grant {
    /// Nothing: every plugin may call it.
    Always,
    /// A grant in `can_read_table` for the table it names.
    ReadTable,
    /// A grant in `can_write_table` for the table it names.
    WriteTable,
    /// `can_index_search`.
    IndexSearch,
    /// `can_vector_search`.
    VectorSearch,
    /// A grant in `can_call_plugin` for the plugin it names.
    CallPlugin,
    /// A name that the configuration lists in
    /// [`custom_grants`](crate::WasmInstanceConfig::custom_grants).
    Custom(&'static str),
}

impl Grant {
    /// Whether `config` could satisfy this grant for some argument; for a grant that depends on no
    /// argument, whether it does.
    pub(crate) fn is_possible(self, config: &crate::WasmInstanceConfig) -> bool {
        let capabilities = &config.capabilities;
        match self {
            Self::Always => true,
            Self::ReadTable => !capabilities.can_read_table.is_empty(),
            Self::WriteTable => !capabilities.can_write_table.is_empty(),
            Self::IndexSearch => capabilities.can_index_search,
            Self::VectorSearch => capabilities.can_vector_search,
            Self::CallPlugin => !capabilities.can_call_plugin.is_empty(),
            Self::Custom(name) => config.custom_grants.iter().any(|grant| grant == name),
        }
    }
}

impl Grant {
    /// What the configuration calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Always => "no grant",
            Self::ReadTable => "can_read_table",
            Self::WriteTable => "can_write_table",
            Self::IndexSearch => "can_index_search",
            Self::VectorSearch => "can_vector_search",
            Self::CallPlugin => "can_call_plugin",
            Self::Custom(name) => name,
        }
    }
}

impl core::fmt::Display for Grant {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Custom(name) => write!(f, "custom grant `{name}`"),
            grant => f.write_str(grant.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn the_default_allows_nothing() {
        let none = WasmPluginCapabilities::default();
        assert!(!none.can_read("users") && !none.can_write("users") && !none.can_call("echo"));
        assert!(!none.can_index_search && !none.can_vector_search);
    }

    proptest! {
        #[test]
        fn a_grant_covers_what_the_plain_definition_says(
            grant in "[ab*]{0,4}",
            name in "[ab*]{0,5}",
        ) {
            let expected = if grant == "*" {
                true
            } else if let Some(prefix) = grant.strip_suffix('*') {
                name.len() >= prefix.len() && &name[..prefix.len()] == prefix
            } else {
                name == grant
            };
            prop_assert_eq!(covers(&[grant.to_string()], &name), expected);
        }
    }
}
