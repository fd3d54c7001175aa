package dev.wasmruntime;

/** What the plugins of one tenant may hold and spend together, or those of all. -1 is no ceiling, and the default. */
public final class Quota {
    /** Loaded plugins. */
    public long maxPlugins = -1;
    /** Sandboxes, idle ones included. */
    public long maxSandboxes = -1;
    /** Bytes of all linear memories of all sandboxes. */
    public long maxMemoryBytes = -1;
    /** Elements of all tables of all sandboxes. */
    public long maxTableElements = -1;
    /** Bytes of heap for all of it, by an estimate that is never too low. */
    public long maxHeapBytes = -1;
    /** Rows that plugins have stored. */
    public long maxStoredRows = -1;
    /** Bytes that plugins have stored. */
    public long maxStoredBytes = -1;
    /** Fuel that comes each second. */
    public long fuelPerSecond = -1;
    /** The most fuel that can have come together. */
    public long fuelBurst = -1;

    Packer pack(Packer packer) {
        return packer
                .count("maxPlugins", maxPlugins)
                .count("maxSandboxes", maxSandboxes)
                .count("maxMemoryBytes", maxMemoryBytes)
                .count("maxTableElements", maxTableElements)
                .count("maxHeapBytes", maxHeapBytes)
                .count("maxStoredRows", maxStoredRows)
                .count("maxStoredBytes", maxStoredBytes)
                .count("fuelPerSecond", fuelPerSecond)
                .count("fuelBurst", fuelBurst);
    }
}
