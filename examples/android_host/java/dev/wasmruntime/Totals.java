package dev.wasmruntime;

/** What all plugins of a registry have done. */
public final class Totals {
    public final long calls;
    /** How many of them trapped. */
    public final long traps;

    Totals(long[] numbers) {
        calls = numbers[0];
        traps = numbers[1];
    }
}
