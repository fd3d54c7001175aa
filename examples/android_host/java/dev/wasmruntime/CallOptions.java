package dev.wasmruntime;

/** How one call is narrowed below what the plugin may use. A new one narrows nothing. */
public final class CallOptions {
    /** Fuel for this call, if less than the plugin's {@code fuelLimit}; -1 narrows nothing. */
    public long fuel = -1;
    /** Time for this call in milliseconds, if less than the plugin's {@code timeoutMs}; 0 narrows nothing. */
    public long timeoutMs;
    /** A number that callbacks can read: {@link HostCall#getTag()}. */
    public long tag;

    /** Null is the default. */
    static byte[] packed(CallOptions options) {
        return options == null ? null : new Packer()
                .count("fuel", options.fuel)
                .count("timeoutMs", options.timeoutMs)
                .number(options.tag)
                .done();
    }
}
