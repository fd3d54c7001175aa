//! What host work costs, in the guest's fuel.

/// What a host function charges, in fuel, before it acts.
///
/// The defaults make a unit of fuel buy about as much time in the host as in the guest: on x86-64
/// every built-in function over an [`EmbeddedHost`](crate::EmbeddedHost) lies within about a factor
/// of three of the median of guest code, at 0 to 4,096 bytes. `examples/calibrate.rs` measures it.
///
/// The built-in functions differ from the default in their base, and the searches in what an item
/// costs:
///
/// | function | base |
/// |---|---|
/// | `get_config`, `last_answer` | 50 |
/// | `log_message` | 120 |
/// | `soch_read`, `soch_scan`, `soch_delete`, `emit_metric` | 200 |
/// | `soch_write` | 300 |
/// | `index_lookup`, `index_range` (and 20 for each row id) | 400 |
/// | `vector_search` (and 1 for each component it looks at) | 400 |
/// | `call_plugin` (beside what the callee spends) | 600 |
///
/// Beside that, 2 bytes beyond the 64th of a key, a metric's labels, or a log line that is not all
/// ASCII cost 1: keys that begin alike are compared to their ends, some 25 times for one that is
/// looked up in a tree, and text is checked character by character.
///
/// A `vector_search` over an `EmbeddedHost` pays for each vector of the collection as for its
/// components, 16 more, and 8 for each doubling of `k` from 1 on, before it computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostCost {
    /// Fuel for being called. Default: 40.
    pub base: u64,
    /// Fuel for 64 bytes read, written or compared, or part of them. Default: 2.
    pub per_64_bytes: u64,
    /// Fuel for one row, record or vector component. Default: 12.
    pub per_item: u64,
}

impl Default for HostCost {
    fn default() -> Self {
        Self { base: 40, per_64_bytes: 2, per_item: 12 }
    }
}

impl HostCost {
    #[inline]
    pub(crate) fn bytes(&self, len: usize) -> u64 {
        (len as u64).div_ceil(64).saturating_mul(self.per_64_bytes)
    }

    /// What is added for bytes that are looked at more than once.
    #[inline]
    pub(crate) fn long_bytes(len: usize) -> u64 {
        (len as u64).saturating_sub(64).div_ceil(2)
    }

    #[inline]
    pub(crate) fn items(&self, n: usize) -> u64 {
        (n as u64).saturating_mul(self.per_item)
    }
}
