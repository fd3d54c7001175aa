package dev.wasmruntime;

import java.util.ArrayList;
import java.util.List;

/** How a plugin is reloaded. */
public final class ReloadOptions {
    public StateTransfer state = StateTransfer.NONE;
    /** Whether the version that is replaced is kept for a rollback. */
    public boolean keepPrevious = true;
    /**
     * How long calls of the old version may go on until they are cancelled, in milliseconds; -1 for as long as they
     * like, and nobody waits.
     */
    public long drainMs = -1;
    /** Calls that the new version has to answer first. */
    public List<Probe> probes = new ArrayList<>();

    /** Null is the default. */
    static byte[] packed(ReloadOptions options) {
        if (options == null) {
            return null;
        }
        Packer packer = new Packer()
                .number(options.state.ordinal())
                .flag(options.keepPrevious)
                .count("drainMs", options.drainMs)
                .number(options.probes.size());
        for (Probe probe : options.probes) {
            probe.pack(packer);
        }
        return packer.done();
    }
}
