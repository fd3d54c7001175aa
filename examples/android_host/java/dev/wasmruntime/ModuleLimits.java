package dev.wasmruntime;

/** What a module may contain, and how much stack its code may use. */
public final class ModuleLimits {
    /** Bytes of the module: 4 MiB. */
    public long maxModuleBytes;
    /** Elements of all tables of a sandbox together: 20,000. */
    public long maxTableElements;
    /** Bytes that one {@code memory.grow} may add: 16 MiB. */
    public long maxGrowthStepBytes;
    /** Bytes of stack that a sandbox begins with: 1,000. */
    public long minStackBytes;
    /** Bytes of stack that its calls may use: 1,000,000. */
    public long maxStackBytes;
    /** Calls inside one another: 1,000. */
    public long maxRecursionDepth;
    /** 10,000. */
    public int maxTypes;
    /** 256. */
    public int maxImports;
    /** 10,000. */
    public int maxFunctions;
    /** 1,000. */
    public int maxGlobals;
    /** 1,000. */
    public int maxExports;
    /** 4. */
    public int maxMemories;
    /** 16. */
    public int maxTables;
    /** 1,000. */
    public int maxElementSegments;
    /** 1,000. */
    public int maxDataSegments;
    /** Locals of one function: 2,000. */
    public int maxLocals;
    /** Bytes of one function's body: 1 MiB. */
    public int maxBodyBytes;
    /** Parameters of one function: 32. */
    public int maxParams;
    /** Results of one function: 32. */
    public int maxResults;
    /** Plugins that call one another by {@code call_plugin}, the first not counted; up to 16: 8. */
    public int maxCallDepth;
    /** Bytes of an answer kept for {@code last_answer}: 1 MiB. */
    public int maxAnswerBytes;
    /** Whether a growth over a limit traps, and does not answer -1. */
    public boolean trapOnGrowthDenied;

    public ModuleLimits() {
        long[] defaults = Native.limitsDefaults();
        int at = 0;
        maxModuleBytes = defaults[at++];
        maxTableElements = defaults[at++];
        maxGrowthStepBytes = defaults[at++];
        minStackBytes = defaults[at++];
        maxStackBytes = defaults[at++];
        maxRecursionDepth = defaults[at++];
        maxTypes = (int) defaults[at++];
        maxImports = (int) defaults[at++];
        maxFunctions = (int) defaults[at++];
        maxGlobals = (int) defaults[at++];
        maxExports = (int) defaults[at++];
        maxMemories = (int) defaults[at++];
        maxTables = (int) defaults[at++];
        maxElementSegments = (int) defaults[at++];
        maxDataSegments = (int) defaults[at++];
        maxLocals = (int) defaults[at++];
        maxBodyBytes = (int) defaults[at++];
        maxParams = (int) defaults[at++];
        maxResults = (int) defaults[at++];
        maxCallDepth = (int) defaults[at++];
        maxAnswerBytes = (int) defaults[at++];
        trapOnGrowthDenied = defaults[at] != 0;
    }

    Packer pack(Packer packer) {
        return packer
                .count("maxModuleBytes", maxModuleBytes)
                .count("maxTableElements", maxTableElements)
                .count("maxGrowthStepBytes", maxGrowthStepBytes)
                .count("minStackBytes", minStackBytes)
                .count("maxStackBytes", maxStackBytes)
                .count("maxRecursionDepth", maxRecursionDepth)
                .count("maxTypes", maxTypes)
                .count("maxImports", maxImports)
                .count("maxFunctions", maxFunctions)
                .count("maxGlobals", maxGlobals)
                .count("maxExports", maxExports)
                .count("maxMemories", maxMemories)
                .count("maxTables", maxTables)
                .count("maxElementSegments", maxElementSegments)
                .count("maxDataSegments", maxDataSegments)
                .count("maxLocals", maxLocals)
                .count("maxBodyBytes", maxBodyBytes)
                .count("maxParams", maxParams)
                .count("maxResults", maxResults)
                .count("maxCallDepth", maxCallDepth)
                .count("maxAnswerBytes", maxAnswerBytes)
                .flag(trapOnGrowthDenied);
    }
}
