package dev.wasmruntime;

/** What the plugins of one tenant hold. */
public final class Usage {
    /** Loaded plugins. */
    public final long plugins;
    public final long sandboxes;
    /** Bytes of linear memories. */
    public final long memoryBytes;
    public final long tableElements;
    /** Bytes of heap, by an estimate that is never too low. */
    public final long heapBytes;
    public final long storedRows;
    public final long storedBytes;
    /** Fuel that is there now; -1 without a limit over time. */
    public final long fuelLeft;

    Usage(long[] numbers) {
        plugins = numbers[0];
        sandboxes = numbers[1];
        memoryBytes = numbers[2];
        tableElements = numbers[3];
        heapBytes = numbers[4];
        storedRows = numbers[5];
        storedBytes = numbers[6];
        fuelLeft = numbers[7];
    }
}
