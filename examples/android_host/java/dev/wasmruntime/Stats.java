package dev.wasmruntime;

/** What a plugin has done since it was loaded, over all its sandboxes; or the plugins of a tenant together. */
public final class Stats {
    /** Calls that ran, however they ended. */
    public final long totalCalls;
    /** Fuel charged to guest and host work, sandbox starts included. */
    public final long totalFuelConsumed;
    /** Time spent in calls, in microseconds, sampled. */
    public final long totalExecutionUs;
    /** Calls that ended in a trap, were stopped at a limit or by a host function, or were cancelled. */
    public final long trapCount;
    /** The largest sum of linear memories that one sandbox has held, in bytes. */
    public final long peakMemoryBytes;
    /** Host function calls that the guest made. */
    public final long hostCalls;
    /** Host function calls that were denied for want of a grant. */
    public final long deniedHostCalls;
    /** Sandboxes made, the first one included. */
    public final long sandboxesStarted;

    Stats(long[] numbers) {
        totalCalls = numbers[0];
        totalFuelConsumed = numbers[1];
        totalExecutionUs = numbers[2];
        trapCount = numbers[3];
        peakMemoryBytes = numbers[4];
        hostCalls = numbers[5];
        deniedHostCalls = numbers[6];
        sandboxesStarted = numbers[7];
    }
}
