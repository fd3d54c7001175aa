package dev.wasmruntime;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How one plugin is to be run. A new one grants nothing, and every limit in it is finite. It is read when it is given
 * to a registry, and can be changed and used again. -1 is the largest number there is, in each field that counts
 * something.
 */
public final class PluginConfig {
    /** The tenant that the plugin belongs to. */
    public String tenant = "default";
    /** Tables that the plugin may read: a name, {@code "prefix*"} or {@code "*"}. */
    public List<String> canReadTable = new ArrayList<>();
    /** Tables that it may write, likewise. */
    public List<String> canWriteTable = new ArrayList<>();
    /** Plugins of the same tenant that it may call, likewise. */
    public List<String> canCallPlugin = new ArrayList<>();
    /** Names of custom grants that it holds: {@link HostFunction#customGrant}. */
    public List<String> customGrants = new ArrayList<>();
    /** What {@code get_config} answers. A name may not begin with {@code soch.}. */
    public Map<String, String> settings = new LinkedHashMap<>();
    /** Whether it may use {@code index_lookup} and {@code index_range}, on readable tables. */
    public boolean canIndexSearch;
    /** Whether it may use {@code vector_search}, on readable tables. */
    public boolean canVectorSearch;
    /** All linear memories of one sandbox together, in bytes: 16 MiB. */
    public long memoryLimitBytes;
    /** Fuel for one call, guest and host work together: 1,000,000. */
    public long fuelLimit;
    /** Time for one call in milliseconds, 0 for no limit: 100. */
    public long timeoutMs;
    /** How soon after its deadline a call is to be noticed, in milliseconds: 10. */
    public long epochIntervalMs;
    /** Fuel over all calls until {@link Plugin#refuel()}: none such. */
    public long fuelBudget;
    /** How many calls may run at once, each in its own sandbox, 1 to 1,024; with 1 all calls share one state: 4. */
    public int maxInstances;
    /** Whether a sandbox is replaced after every call, and not after a trap only. */
    public boolean resetAfterCall;
    /** Whether a denied host call ends the call, and does not answer -1. */
    public boolean trapOnDenied;
    /** Whether each function is compiled on its first call, and not all at load. */
    public boolean compileLazily;
    /** Whether calls are metered. Nothing contains a plugin without it. */
    public boolean enableFuel;
    /** Whether calls have a timeout. */
    public boolean enableEpochs;
    /** Whether failed calls are written to the log as well. */
    public boolean debugMode;
    /** After how many failures in a row the plugin is put in quarantine; 0 for never. */
    public int quarantineFailures;
    /** How long the first quarantine is, in milliseconds; each further one is twice as long: 1,000. */
    public long quarantineFirstMs;
    /** How long the longest is: 60,000. */
    public long quarantineLongestMs;
    /** With which other plugins it shares its compiled code, which has to be compiled at load: with none. */
    public CodeSharing codeSharing;
    /**
     * How many sandboxes {@link PluginRegistry#maintain(long, long)} keeps ready for calls, 0 to {@link #maxInstances}.
     * With {@link #resetAfterCall} each call finds fresh state then that was made before it came.
     */
    public int minInstances;
    /** Whether idle sandboxes may be dropped for want of memory although they hold what earlier calls left. */
    public boolean trimIdle;
    /** The 32 bytes of the SHA-256 that the module must have; null for any. */
    public byte[] expectedSha256;
    /** What the module may contain, and how much stack its code may use. */
    public ModuleLimits limits = new ModuleLimits();

    public PluginConfig() {
        long[] defaults = Native.configDefaults();
        int at = 0;
        canIndexSearch = defaults[at++] != 0;
        canVectorSearch = defaults[at++] != 0;
        memoryLimitBytes = defaults[at++];
        fuelLimit = defaults[at++];
        timeoutMs = defaults[at++];
        epochIntervalMs = defaults[at++];
        fuelBudget = defaults[at++];
        maxInstances = (int) defaults[at++];
        resetAfterCall = defaults[at++] != 0;
        trapOnDenied = defaults[at++] != 0;
        compileLazily = defaults[at++] != 0;
        enableFuel = defaults[at++] != 0;
        enableEpochs = defaults[at++] != 0;
        debugMode = defaults[at++] != 0;
        quarantineFailures = (int) defaults[at++];
        quarantineFirstMs = defaults[at++];
        quarantineLongestMs = defaults[at++];
        codeSharing = CodeSharing.values()[(int) defaults[at++]];
        minInstances = (int) defaults[at++];
        trimIdle = defaults[at] != 0;
    }

    byte[] packed() {
        if (expectedSha256 != null && expectedSha256.length != 32) {
            throw PluginException.misuse("`expectedSha256` has " + expectedSha256.length + " bytes; a SHA-256 has 32");
        }
        Packer packer = new Packer()
                .text(tenant)
                .texts(canReadTable)
                .texts(canWriteTable)
                .texts(canCallPlugin)
                .texts(customGrants)
                .pairs(settings)
                .flag(canIndexSearch)
                .flag(canVectorSearch)
                .count("memoryLimitBytes", memoryLimitBytes)
                .count("fuelLimit", fuelLimit)
                .count("timeoutMs", timeoutMs)
                .count("epochIntervalMs", epochIntervalMs)
                .count("fuelBudget", fuelBudget)
                .count("maxInstances", maxInstances)
                .flag(resetAfterCall)
                .flag(trapOnDenied)
                .flag(compileLazily)
                .flag(enableFuel)
                .flag(enableEpochs)
                .flag(debugMode)
                .count("quarantineFailures", quarantineFailures)
                .count("quarantineFirstMs", quarantineFirstMs)
                .count("quarantineLongestMs", quarantineLongestMs)
                .number(codeSharing.ordinal())
                .count("minInstances", minInstances)
                .flag(trimIdle)
                .bytes(expectedSha256);
        return limits.pack(packer).done();
    }

    /** Null is the default. */
    static byte[] packed(PluginConfig config) {
        return config == null ? null : config.packed();
    }
}
