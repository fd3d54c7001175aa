//! What host work costs, in the guest's fuel.

/// What a host function charges, in fuel, before it acts.
///
/// The defaults of the built-in functions make a unit of fuel buy about as much time in the host as
/// in the guest; `examples/calibrate.rs` prints both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostCost {
    /// Fuel for being called. Default: 20.
    pub base: u64,
    /// Fuel for 64 bytes read, written or compared, or part of them. Default: 2.
    pub per_64_bytes: u64,
    /// Fuel for one row, record or vector component. Default: 8.
    pub per_item: u64,
}

impl Default for HostCost {
    fn default() -> Self {
        Self { base: 20, per_64_bytes: 2, per_item: 8 }
    }
}

impl HostCost {
    #[inline]
    pub(crate) fn bytes(&self, len: usize) -> u64 {
        (len as u64).div_ceil(64).saturating_mul(self.per_64_bytes)
    }

    #[inline]
    pub(crate) fn items(&self, n: usize) -> u64 {
        (n as u64).saturating_mul(self.per_item)
    }
}
