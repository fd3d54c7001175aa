import CWasmRuntime
import Foundation

/// How one plugin is to be run. As it is made, nothing is granted, and every limit is finite: the library's defaults.
public struct Config: Sendable {
    public var tenant = "default"
    public var capabilities = Capabilities()
    public var limits = Limits()
    /// What the plugin gets from `get_config`.
    public var settings: [String: String] = [:]
    /// How soon after its deadline a call is to be noticed, in milliseconds.
    public var epochIntervalMs: UInt64
    /// Fuel over all calls until `Plugin.refuel`; nil for no such budget.
    public var fuelBudget: UInt64?
    /// How many calls may run at once, each in its own sandbox; with 1 all calls share one state.
    public var maxInstances: UInt32
    public var reset = Reset.afterTrap
    public var onDenied = Denied.answers
    public var compilation = Compilation.atLoad
    /// False for calls that are not metered: nothing contains such a plugin.
    public var enableFuel: Bool
    /// False for calls without a timeout.
    public var enableEpochs: Bool
    /// True to write failed calls to the log as well.
    public var debugMode: Bool
    /// After how many failures in a row the plugin is put in quarantine; 0 for never.
    public var quarantineFailures: UInt32
    public var quarantineFirstMs: UInt64
    public var quarantineLongestMs: UInt64
    /// With which other plugins of the same module, stack limits and `enableFuel` it shares its compiled code.
    public var codeSharing = CodeSharing.own
    /// How many sandboxes `Registry.maintain` keeps ready for calls, up to `maxInstances`. With `reset` at `.afterCall`
    /// each call finds fresh state then that was made before it came.
    public var minInstances: UInt32
    /// True to let `Registry.maintain` drop idle sandboxes for want of memory although they hold state of earlier calls.
    public var trimIdle: Bool
    /// The SHA-256 that the module must have, 32 bytes; nil for any.
    public var expectedSHA256: Data?

    /// When a sandbox is replaced.
    public enum Reset: UInt32, Sendable { case afterTrap = 0, afterCall = 1 }
    /// What becomes of a host call that is denied: it answers -1, or ends the call.
    public enum Denied: UInt32, Sendable { case answers = 0, endsCall = 1 }
    /// When code is compiled: all of it at load, or each function on its first call.
    public enum Compilation: UInt32, Sendable { case atLoad = 0, onFirstCall = 1 }
    /// With whom code that is compiled at load is shared: with none, within the tenant, or with any tenant's plugins that
    /// say so too, which is for modules that the program brings.
    public enum CodeSharing: UInt32, Sendable { case own = 0, tenant = 1, registry = 2 }

    public init() {
        let raw = Self.initial()
        epochIntervalMs = raw.epoch_interval_ms
        maxInstances = raw.max_instances
        enableFuel = raw.enable_fuel != 0
        enableEpochs = raw.enable_epochs != 0
        debugMode = raw.debug_mode != 0
        quarantineFailures = raw.quarantine_failures
        quarantineFirstMs = raw.quarantine_first_ms
        quarantineLongestMs = raw.quarantine_longest_ms
        minInstances = raw.min_instances
        trimIdle = raw.trim_idle != 0
    }
}

/// What a plugin may do, and how much of it.
public struct Capabilities: Sendable {
    /// Tables that the plugin may read: a name, `"prefix*"` or `"*"`.
    public var canReadTable: [String] = []
    public var canWriteTable: [String] = []
    /// Plugins of the same tenant that it may call.
    public var canCallPlugin: [String] = []
    /// Names of grants of the program's own, which host functions ask for.
    public var customGrants: [String] = []
    public var canIndexSearch = false
    public var canVectorSearch = false
    /// All linear memories of one sandbox together.
    public var memoryLimitBytes: UInt64
    /// Fuel for one call, guest and host work together.
    public var fuelLimit: UInt64
    /// Time for one call in milliseconds; 0 for no limit.
    public var timeoutMs: UInt64

    public init() {
        let raw = Config.initial()
        memoryLimitBytes = raw.memory_limit_bytes
        fuelLimit = raw.fuel_limit
        timeoutMs = raw.timeout_ms
    }
}

/// What a module may contain, and how much stack its code may use.
public struct Limits: Sendable {
    public var maxModuleBytes: UInt64
    public var maxTableElements: UInt64
    public var maxGrowthStepBytes: UInt64
    public var minStackBytes: UInt64
    public var maxStackBytes: UInt64
    public var maxRecursionDepth: UInt64
    public var maxTypes: UInt32
    public var maxImports: UInt32
    public var maxFunctions: UInt32
    public var maxGlobals: UInt32
    public var maxExports: UInt32
    public var maxMemories: UInt32
    public var maxTables: UInt32
    public var maxElementSegments: UInt32
    public var maxDataSegments: UInt32
    public var maxLocals: UInt32
    public var maxBodyBytes: UInt32
    public var maxParams: UInt32
    public var maxResults: UInt32
    public var maxCallDepth: UInt32
    public var maxAnswerBytes: UInt32
    public var onGrowthDenied: GrowthDenied

    /// What becomes of a growth over a limit: it answers -1, or traps.
    public enum GrowthDenied: UInt32, Sendable { case answers = 0, traps = 1 }

    public init() {
        var raw = wpr_limits_t()
        wpr_limits_init(&raw, MemoryLayout<wpr_limits_t>.stride)
        maxModuleBytes = raw.max_module_bytes
        maxTableElements = raw.max_table_elements
        maxGrowthStepBytes = raw.max_growth_step_bytes
        minStackBytes = raw.min_stack_bytes
        maxStackBytes = raw.max_stack_bytes
        maxRecursionDepth = raw.max_recursion_depth
        maxTypes = raw.max_types
        maxImports = raw.max_imports
        maxFunctions = raw.max_functions
        maxGlobals = raw.max_globals
        maxExports = raw.max_exports
        maxMemories = raw.max_memories
        maxTables = raw.max_tables
        maxElementSegments = raw.max_element_segments
        maxDataSegments = raw.max_data_segments
        maxLocals = raw.max_locals
        maxBodyBytes = raw.max_body_bytes
        maxParams = raw.max_params
        maxResults = raw.max_results
        maxCallDepth = raw.max_call_depth
        maxAnswerBytes = raw.max_answer_bytes
        onGrowthDenied = GrowthDenied(rawValue: raw.on_growth_denied) ?? .answers
    }
}

/// How one call is narrowed below what the plugin may use.
public struct CallOptions: Sendable {
    public var fuel: UInt64?
    public var timeoutMs: UInt64?
    /// A number that closures can read: `HostCall.tag`.
    public var tag: UInt64

    public init(fuel: UInt64? = nil, timeoutMs: UInt64? = nil, tag: UInt64 = 0) {
        self.fuel = fuel
        self.timeoutMs = timeoutMs
        self.tag = tag
    }
}

/// What the plugins of one tenant may hold and spend together, or those of all; nil for no ceiling.
public struct Quota: Sendable {
    public var maxPlugins: UInt64?
    public var maxSandboxes: UInt64?
    public var maxMemoryBytes: UInt64?
    public var maxTableElements: UInt64?
    /// Code, sandboxes, memories, tables and stacks, by an estimate that is never too low.
    public var maxHeapBytes: UInt64?
    public var maxStoredRows: UInt64?
    public var maxStoredBytes: UInt64?
    public var fuelPerSecond: UInt64?
    public var fuelBurst: UInt64?

    public init() {}
}

// MARK: As C has them

extension Config {
    static func initial() -> wpr_config_t {
        var raw = wpr_config_t()
        wpr_config_init(&raw, MemoryLayout<wpr_config_t>.stride)
        return raw
    }

    func raw(_ lent: Lent) throws -> UnsafePointer<wpr_config_t>? {
        var raw = Self.initial()
        try capabilities.put(in: &raw, lent)
        try putTexts(in: &raw, lent)
        raw.epoch_interval_ms = epochIntervalMs
        raw.fuel_budget = fuelBudget ?? .max
        raw.max_instances = maxInstances
        raw.reset = reset.rawValue
        raw.on_denied = onDenied.rawValue
        raw.compilation = compilation.rawValue
        raw.enable_fuel = enableFuel ? 1 : 0
        raw.enable_epochs = enableEpochs ? 1 : 0
        raw.debug_mode = debugMode ? 1 : 0
        raw.quarantine_failures = quarantineFailures
        raw.quarantine_first_ms = quarantineFirstMs
        raw.quarantine_longest_ms = quarantineLongestMs
        raw.code_sharing = codeSharing.rawValue
        raw.min_instances = minInstances
        raw.trim_idle = trimIdle ? 1 : 0
        raw.expected_sha256 = try hash(lent)
        raw.limits = lent.value(limits.raw)
        return lent.value(raw)
    }

    private func putTexts(in raw: inout wpr_config_t, _ lent: Lent) throws {
        raw.tenant = try lent.text(tenant)
        raw.settings = lent.array(
            try settings.map { wpr_setting_t(name: try lent.text($0.key), value: try lent.text($0.value)) })
        raw.setting_count = settings.count
    }

    /// The library reads 32 bytes, whatever there is.
    private func hash(_ lent: Lent) throws -> UnsafePointer<UInt8>? {
        guard let expectedSHA256 else { return nil }
        if expectedSHA256.count != 32 {
            throw PluginError.misuse(
                .invalidArgument, "a SHA-256 has 32 bytes, and `expectedSHA256` has \(expectedSHA256.count)")
        }
        return lent.bytes(expectedSHA256)
    }
}

extension Capabilities {
    func put(in raw: inout wpr_config_t, _ lent: Lent) throws {
        raw.can_read_table = try lent.texts(canReadTable)
        raw.can_read_table_count = canReadTable.count
        raw.can_write_table = try lent.texts(canWriteTable)
        raw.can_write_table_count = canWriteTable.count
        raw.can_call_plugin = try lent.texts(canCallPlugin)
        raw.can_call_plugin_count = canCallPlugin.count
        raw.custom_grants = try lent.texts(customGrants)
        raw.custom_grant_count = customGrants.count
        raw.can_index_search = canIndexSearch ? 1 : 0
        raw.can_vector_search = canVectorSearch ? 1 : 0
        raw.memory_limit_bytes = memoryLimitBytes
        raw.fuel_limit = fuelLimit
        raw.timeout_ms = timeoutMs
    }
}

extension Limits {
    var raw: wpr_limits_t {
        var raw = wpr_limits_t()
        wpr_limits_init(&raw, MemoryLayout<wpr_limits_t>.stride)
        raw.max_module_bytes = maxModuleBytes
        raw.max_table_elements = maxTableElements
        raw.max_growth_step_bytes = maxGrowthStepBytes
        raw.min_stack_bytes = minStackBytes
        raw.max_stack_bytes = maxStackBytes
        raw.max_recursion_depth = maxRecursionDepth
        raw.max_types = maxTypes
        raw.max_imports = maxImports
        raw.max_functions = maxFunctions
        raw.max_globals = maxGlobals
        raw.max_exports = maxExports
        raw.max_memories = maxMemories
        raw.max_tables = maxTables
        raw.max_element_segments = maxElementSegments
        raw.max_data_segments = maxDataSegments
        raw.max_locals = maxLocals
        raw.max_body_bytes = maxBodyBytes
        raw.max_params = maxParams
        raw.max_results = maxResults
        raw.max_call_depth = maxCallDepth
        raw.max_answer_bytes = maxAnswerBytes
        raw.on_growth_denied = onGrowthDenied.rawValue
        return raw
    }
}

extension CallOptions {
    var raw: wpr_call_options_t {
        var raw = wpr_call_options_t()
        wpr_call_options_init(&raw, MemoryLayout<wpr_call_options_t>.stride)
        raw.fuel = fuel ?? .max
        raw.timeout_ms = timeoutMs ?? 0
        raw.tag = tag
        return raw
    }
}

extension Quota {
    var raw: wpr_quota_t {
        var raw = wpr_quota_t()
        wpr_quota_init(&raw, MemoryLayout<wpr_quota_t>.stride)
        raw.max_plugins = maxPlugins ?? .max
        raw.max_sandboxes = maxSandboxes ?? .max
        raw.max_memory_bytes = maxMemoryBytes ?? .max
        raw.max_table_elements = maxTableElements ?? .max
        raw.max_heap_bytes = maxHeapBytes ?? .max
        raw.max_stored_rows = maxStoredRows ?? .max
        raw.max_stored_bytes = maxStoredBytes ?? .max
        raw.fuel_per_second = fuelPerSecond ?? .max
        raw.fuel_burst = fuelBurst ?? .max
        return raw
    }
}
