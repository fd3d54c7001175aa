package dev.wasmruntime;

/** What {@link PluginRegistry#maintain(long, long)} has done. */
public final class Maintained {
    /** Sandboxes made ahead of calls. */
    public final long made;
    /** Sandboxes dropped that were used up. */
    public final long dropped;
    /** Sandboxes dropped for want of memory. */
    public final long trimmed;
    /** Sandboxes that did not start. */
    public final long failed;
    /** What all idle sandboxes hold now, in bytes. */
    public final long idleBytes;
    /** Whether nothing is left to do. */
    public final boolean isDone;

    Maintained(long[] numbers) {
        made = numbers[0];
        dropped = numbers[1];
        trimmed = numbers[2];
        failed = numbers[3];
        idleBytes = numbers[4];
        isDone = numbers[5] != 0;
    }
}
