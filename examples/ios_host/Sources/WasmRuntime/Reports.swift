import CWasmRuntime

/// What a module would bring.
public struct Admission: Decodable, Sendable {
    public let admitted: Bool
    /// In hexadecimal.
    public let sha256: String
    public let bytes: UInt64
    public let imports: [Import]
    public let functions: [Function]
    public let initialMemoryBytes: UInt64?
    public let maxMemoryBytes: UInt64?
    public let initialTableElements: UInt64?
    public let maxTableElements: UInt64?
    public let hasStart: Bool
    public let proposals: [String]
    public let refusals: [Refusal]
    public let warnings: [String]

    public struct Import: Decodable, Sendable {
        public let module: String
        public let name: String
        public let defined: Bool
        public let granted: Bool
    }

    public struct Function: Decodable, Sendable {
        public let name: String
        public let params: [String]
        public let results: [String]
    }

    public struct Refusal: Decodable, Sendable {
        public let kind: String
        public let message: String
    }

    private enum CodingKeys: String, CodingKey {
        case admitted, sha256, bytes, imports, functions, proposals, refusals, warnings
        case initialMemoryBytes = "initial_memory_bytes"
        case maxMemoryBytes = "max_memory_bytes"
        case initialTableElements = "initial_table_elements"
        case maxTableElements = "max_table_elements"
        case hasStart = "has_start"
    }
}

/// What a plugin has done since it was loaded, over all its sandboxes.
public struct Stats: Equatable, Sendable {
    /// Calls that ran, however they ended.
    public let totalCalls: UInt64
    public let totalFuelConsumed: UInt64
    /// Time spent in calls, in microseconds, sampled.
    public let totalExecutionUs: UInt64
    /// Calls that ended in a trap, were stopped at a limit or by a host function, or were cancelled.
    public let trapCount: UInt64
    public let peakMemoryBytes: UInt64
    public let hostCalls: UInt64
    public let deniedHostCalls: UInt64
    public let sandboxesStarted: UInt64

    init(_ ask: (UnsafeMutablePointer<wpr_stats_t>, RawError) -> Int32) throws {
        var raw = wpr_stats_t()
        wpr_stats_init(&raw, MemoryLayout<wpr_stats_t>.stride)
        try check { ask(&raw, $0) }
        totalCalls = raw.total_calls
        totalFuelConsumed = raw.total_fuel_consumed
        totalExecutionUs = raw.total_execution_us
        trapCount = raw.trap_count
        peakMemoryBytes = raw.peak_memory_bytes
        hostCalls = raw.host_calls
        deniedHostCalls = raw.denied_host_calls
        sandboxesStarted = raw.sandboxes_started
    }
}

/// What the plugins of one tenant hold.
public struct Usage: Equatable, Sendable {
    public let plugins: UInt64
    public let sandboxes: UInt64
    public let memoryBytes: UInt64
    public let tableElements: UInt64
    /// By an estimate that is never too low.
    public let heapBytes: UInt64
    public let storedRows: UInt64
    public let storedBytes: UInt64
    /// Nil without a limit over time.
    public let fuelLeft: UInt64?

    init(_ raw: wpr_usage_t) {
        plugins = raw.plugins
        sandboxes = raw.sandboxes
        memoryBytes = raw.memory_bytes
        tableElements = raw.table_elements
        heapBytes = raw.heap_bytes
        storedRows = raw.stored_rows
        storedBytes = raw.stored_bytes
        fuelLeft = raw.fuel_left == .max ? nil : raw.fuel_left
    }
}

/// What `Registry.maintain` has done.
public struct Maintained: Equatable, Sendable {
    /// Sandboxes made ahead of calls.
    public let made: UInt64
    /// Sandboxes dropped that were used up.
    public let dropped: UInt64
    /// Sandboxes dropped for want of memory.
    public let trimmed: UInt64
    /// Sandboxes that did not start.
    public let failed: UInt64
    /// What all idle sandboxes hold now.
    public let idleBytes: UInt64
    /// Whether nothing is left to do.
    public let isDone: Bool

    init(_ raw: wpr_maintained_t) {
        made = raw.made
        dropped = raw.dropped
        trimmed = raw.trimmed
        failed = UInt64(raw.failed)
        idleBytes = raw.idle_bytes
        isDone = raw.is_done != 0
    }
}

/// One decision.
public struct AuditRecord: Equatable, Sendable {
    /// Counts from 0; a number that is missing was dropped. An event has none.
    public let sequence: UInt64
    /// What the clock said, in microseconds.
    public let timeUs: UInt64
    public let fuel: UInt64
    public let decision: Decision
    /// What a host call answered; `Int32.min` if it stopped the guest without a status; the code of a trap; else 0 or
    /// -1.
    public let status: Int32
    public let tenant: String
    public let plugin: String
    public let function: String
    /// What it is about: a table, a grant, a limit, how a call trapped.
    public let resource: String

    public enum Decision: UInt32, Sendable {
        case grant = 0 // WPR_AUDIT_GRANT
        case denial = 1 // WPR_AUDIT_DENIAL
        case limit = 2 // WPR_AUDIT_LIMIT
        case trap = 3 // WPR_AUDIT_TRAP
        case load = 4 // WPR_AUDIT_LOAD
        case reload = 5 // WPR_AUDIT_RELOAD
        case rollback = 6 // WPR_AUDIT_ROLLBACK
        case unload = 7 // WPR_AUDIT_UNLOAD
        case quota = 8 // WPR_AUDIT_QUOTA
        case quarantine = 9 // WPR_AUDIT_QUARANTINE
        case revive = 10 // WPR_AUDIT_REVIVE
        case other = 11 // WPR_AUDIT_OTHER
    }

    init(_ raw: wpr_audit_record_t) {
        sequence = raw.sequence
        timeUs = raw.time_us
        fuel = raw.fuel
        decision = Decision(rawValue: raw.decision) ?? .other
        status = raw.status
        tenant = withUnsafeBytes(of: raw.tenant) { text(upToZero: $0) }
        plugin = withUnsafeBytes(of: raw.plugin) { text(upToZero: $0) }
        function = withUnsafeBytes(of: raw.function) { text(upToZero: $0) }
        resource = withUnsafeBytes(of: raw.resource) { text(upToZero: $0) }
    }
}
