import CWasmRuntime
import Foundation

/// A loaded plugin. It follows the plugin to other versions, and outlives its registry.
public final class Plugin: @unchecked Sendable {
    let handle: wpr_plugin_t

    init(_ handle: wpr_plugin_t) {
        self.handle = handle
    }

    deinit {
        wpr_plugin_release(handle, nil)
    }

    // MARK: Calls

    /// Calls a function by name.
    public func call(_ function: String, _ args: Value..., options: CallOptions? = nil) throws -> [Value] {
        try call(function, args: args, options: options)
    }

    /// The same with the arguments in an array.
    public func call(_ function: String, args: [Value], options: CallOptions? = nil) throws -> [Value] {
        let function = try plain(function)
        return try narrowed(options) { options in
            try withCall(args) { args, out, error in
                wpr_plugin_call(handle, function, args.0, args.1, options, out.0, out.1, out.2, error)
            }
        }
    }

    /// Hands bytes to a function of the byte convention, and answers what it answers.
    public func callBytes(_ function: String, _ input: Data) throws -> Data {
        let function = try plain(function)
        var answer = wpr_bytes_t()
        try withBytes(input) { input, length in
            try run { wpr_plugin_call_bytes(handle, function, input, length, &answer, $0) }
        }
        return try takeData(answer)
    }

    /// Looks up an exported function: the fastest way to call one. It outlives the plugin, and follows it to other
    /// versions.
    public func function(_ name: String) throws -> PluginFunction {
        var found = wpr_function_t()
        let name = try plain(name)
        try check { wpr_plugin_function(handle, name, &found, $0) }
        return PluginFunction(found)
    }

    /// Begins a call that is run piece by piece, of which nothing runs yet. It has a sandbox of its own until it ends.
    public func start(_ function: String, args: [Value] = [], options: CallOptions? = nil) throws -> StartedCall {
        var call = wpr_call_t()
        let function = try plain(function)
        try narrowed(options) { options in
            let raw = args.map { $0.raw }
            try run { wpr_call_start(handle, function, raw, raw.count, options, &call, $0) }
        }
        return StartedCall(call)
    }

    /// Begins to hand bytes to a function of the byte convention.
    public func startBytes(_ function: String, _ input: Data, options: CallOptions? = nil) throws -> StartedCall {
        var call = wpr_call_t()
        let function = try plain(function)
        try narrowed(options) { options in
            try withBytes(input) { input, length in
                try run { wpr_call_start_bytes(handle, function, input, length, options, &call, $0) }
            }
        }
        return StartedCall(call)
    }

    /// Takes a sandbox out of the pool, for several calls.
    public func lease() throws -> Lease {
        var lease = wpr_lease_t()
        try run { wpr_plugin_lease(handle, &lease, $0) }
        return Lease(lease)
    }

    // MARK: What it is

    public var name: String {
        get throws { try textAnswer { wpr_plugin_name(handle, $0, $1, $2, $3) } }
    }

    public var tenant: String {
        get throws { try textAnswer { wpr_plugin_tenant(handle, $0, $1, $2, $3) } }
    }

    public var state: State {
        get throws {
            var state: UInt32 = 0
            try check { wpr_plugin_state(handle, &state, $0) }
            return State(rawValue: state) ?? .loading
        }
    }

    /// Where a plugin is in its life.
    public enum State: UInt32, Sendable {
        case loading = 0 // WPR_LOADING
        case ready = 1 // WPR_READY
        case executing = 2 // WPR_EXECUTING
        case trapped = 3 // WPR_TRAPPED
        case unloading = 4 // WPR_UNLOADING
        case unloaded = 5 // WPR_UNLOADED_STATE
    }

    /// The SHA-256 of the module.
    public var moduleHash: Data {
        get throws {
            var hash = [UInt8](repeating: 0, count: 32)
            try check { wpr_plugin_module_hash(handle, &hash, $0) }
            return Data(hash)
        }
    }

    /// The names of the functions that it exports.
    public func functions() throws -> [String] {
        try list { place in
            try textAnswer { wpr_plugin_function_at(handle, place, $0, $1, $2, $3) }
        }
    }

    /// Of which types a function's parameters and results are.
    public func signature(_ function: String) throws -> (params: [ValueType], results: [ValueType]) {
        let function = try plain(function)
        return try withRoom(32) { room in
            var params = [UInt32](repeating: 0, count: room)
            var results = params
            let capacity = room
            var (paramCount, resultCount) = (0, 0)
            defer { room = max(paramCount, resultCount) }
            try check {
                wpr_plugin_signature(handle, function, &params, &paramCount, &results, &resultCount, capacity, $0)
            }
            func types(_ raw: ArraySlice<UInt32>) -> [ValueType] { raw.compactMap(ValueType.init) }
            return (types(params.prefix(paramCount)), types(results.prefix(resultCount)))
        }
    }

    public func stats() throws -> Stats {
        try Stats { wpr_plugin_stats(handle, $0, $1) }
    }

    /// What else is known of it: traps by kind, how long calls took, calls of each host function, quarantine, history of
    /// versions. JSON, as `docs/embedding/c.md` describes it.
    public func report() throws -> Data {
        var json = wpr_bytes_t()
        try check { wpr_plugin_report(handle, &json, $0) }
        return try takeData(json)
    }

    // MARK: Control

    /// Cancels the calls that are running; says how many. From any thread and any closure.
    @discardableResult
    public func cancelCalls() throws -> Int {
        var cancelled = 0
        try check { wpr_plugin_cancel_calls(handle, &cancelled, $0) }
        return cancelled
    }

    /// Gives the plugin its whole fuel budget again.
    public func refuel() throws {
        try check { wpr_plugin_refuel(handle, $0) }
    }

    /// How much of the fuel budget is left; nil if there is none.
    public func fuelBudgetLeft() throws -> UInt64? {
        var fuel: UInt64 = 0
        try check { wpr_plugin_fuel_budget_left(handle, &fuel, $0) }
        return fuel == .max ? nil : fuel
    }

    /// How long the plugin is still in quarantine, in milliseconds; 0 if it is not; `UInt64.max` if the next call, or
    /// one that is running, decides.
    public func quarantineMs() throws -> UInt64 {
        var left: UInt64 = 0
        try check { wpr_plugin_quarantine_ms(handle, &left, $0) }
        return left
    }

    /// Takes the plugin out of quarantine.
    public func revive() throws {
        try check { wpr_plugin_revive(handle, $0) }
    }
}

/// A function of a plugin, looked up once.
public final class PluginFunction: @unchecked Sendable {
    private let handle: wpr_function_t

    init(_ handle: wpr_function_t) {
        self.handle = handle
    }

    deinit {
        wpr_function_release(handle, nil)
    }

    public func callAsFunction(_ args: Value..., options: CallOptions? = nil) throws -> [Value] {
        try call(args, options: options)
    }

    public func call(_ args: [Value] = [], options: CallOptions? = nil) throws -> [Value] {
        try narrowed(options) { options in
            try withCall(args) { args, out, error in
                wpr_function_call(handle, args.0, args.1, options, out.0, out.1, out.2, error)
            }
        }
    }
}

// MARK: What calls have in common

typealias Arguments = (UnsafePointer<wpr_value_t>?, Int)

/// Hands arguments over and results back.
func withCall(_ args: [Value], _ ask: (Arguments, Results, RawError) -> Int32) throws -> [Value] {
    let raw = args.map { $0.raw }
    return try raw.withUnsafeBufferPointer { raw in
        try results { out in
            try run { ask((raw.baseAddress, raw.count), out, $0) }
        }
    }
}

/// Options as a pointer; NULL for none.
func narrowed<R>(
    _ options: CallOptions?, _ body: (UnsafePointer<wpr_call_options_t>?) throws -> R
) throws -> R {
    guard let options else { return try body(nil) }
    return try withUnsafePointer(to: options.raw) { try body($0) }
}
