package dev.wasmruntime;

/** Where a plugin is in its life. */
public enum PluginState {
    LOADING,
    /** Accepts calls; none is running. */
    READY,
    /** At least one call is running or one lease is held. */
    EXECUTING,
    /** The last call trapped, and no call has begun since; or the plugin is in quarantine. */
    TRAPPED,
    /** Unloaded, while calls or leases that began before are still going on. */
    UNLOADING,
    UNLOADED
}
