//! Where a plugin is in its life.

/// Where a plugin is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WasmPluginState {
    /// Compiled; [`init`](crate::WasmPluginInstance::init) has not made its first sandbox yet.
    Loading,
    /// Accepts calls; none is running.
    Ready,
    /// At least one call is running or at least one lease is held.
    Executing,
    /// The last call that ended had trapped, or was stopped before it had returned; its sandbox is
    /// gone, and no call has begun since. The next call gets a fresh sandbox. Or the plugin is in
    /// [quarantine](crate::WasmPluginInstance::quarantine), whatever else is going on.
    Trapped,
    /// Unloaded, while calls or leases that began before are still going on. New calls are refused.
    Unloading,
    /// Unloaded, and everything it held is given back. Calls are refused.
    Unloaded,
}
