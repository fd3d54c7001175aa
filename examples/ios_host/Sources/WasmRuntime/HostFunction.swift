import CWasmRuntime
import Foundation

/// A function of the program's own that plugins may import.
public struct HostFunction: Sendable {
    /// Gets the arguments, and returns a value of the type that the function was defined with.
    public typealias Body = @Sendable (HostCall, [Value]) throws -> Value?

    /// The import module, such as `"env"`.
    public let module: String
    public let name: String
    public let params: [ValueType]
    public let result: ValueType?
    /// What a plugin needs to call it.
    public var grant = Grant.always
    public var cost = Cost()
    let body: Body

    /// `params` and `result` are of the types `.i32` to `.f64`.
    public init(
        _ module: String, _ name: String, params: [ValueType] = [], result: ValueType? = nil, body: @escaping Body
    ) {
        self.module = module
        self.name = name
        self.params = params
        self.result = result
        self.body = body
    }

    /// What a plugin has to have been granted: nothing, some table, plugin or search, or a grant of the program's own.
    public enum Grant: Sendable {
        case always, readTable, writeTable, indexSearch, vectorSearch, callPlugin
        case custom(String)
    }

    /// What a call costs in fuel.
    public struct Cost: Sendable {
        public var base: UInt64
        public var per64Bytes: UInt64
        public var perItem: UInt64

        public init() {
            let raw = HostFunction.initial()
            base = raw.base_fuel
            per64Bytes = raw.fuel_per_64_bytes
            perItem = raw.fuel_per_item
        }
    }
}

/// The host call that a closure answers: good in that closure, on its thread. Afterwards and elsewhere it throws
/// `HostStatus.noCall`.
public struct HostCall: Sendable {
    let raw: wpr_host_call_t

    /// The plugin that calls.
    public var plugin: String {
        get throws { try name(wpr_host_call_plugin) }
    }

    public var tenant: String {
        get throws { try name(wpr_host_call_tenant) }
    }

    /// The tag of the call's options.
    public var tag: UInt64 { wpr_host_call_tag(raw) }

    /// What guest and host may still spend in the running call.
    public var fuelLeft: UInt64 { wpr_host_call_fuel_left(raw) }

    /// A setting of the plugin's configuration; nil if it has none of that name.
    public func setting(_ name: String) throws -> String? {
        var start: UnsafePointer<CChar>?
        var length = 0
        do {
            try number(wpr_host_call_setting(raw, try plain(name), &start, &length))
        } catch HostStatus.notFound {
            return nil
        }
        return text(start, length)
    }

    /// Charges fuel to the running call, before what it is for is done.
    public func charge(_ fuel: UInt64) throws {
        try number(wpr_host_call_charge(raw, fuel))
    }

    /// Charges for so many bytes, at what the function costs.
    public func charge(bytes: Int) throws {
        try number(wpr_host_call_charge_bytes(raw, bytes))
    }

    /// Throws if the call may not go on. To be asked every 64 KiB or 1,024 rows of a long loop.
    public func checkpoint() throws {
        try number(wpr_host_call_checkpoint(raw))
    }

    /// A copy of what the plugin has in its memory, at a pointer and of a length that it gave.
    public func memory(at pointer: Int32, count: Int32) throws -> Data {
        try withMemory(at: pointer, count: count) { Data($0) }
    }

    /// The same without a copy: good until `body` returns, or writes.
    public func withMemory<R>(
        at pointer: Int32, count: Int32, _ body: (UnsafeRawBufferPointer) throws -> R
    ) throws -> R {
        var start: UnsafePointer<UInt8>?
        let length = UInt32(bitPattern: count)
        try number(wpr_host_call_memory(raw, UInt32(bitPattern: pointer), length, &start))
        return try body(UnsafeRawBufferPointer(start: start, count: Int(length)))
    }

    /// Writes into the plugin's memory, at a pointer that it gave: all of it or nothing. Charges nothing.
    public func write(_ bytes: Data, at pointer: Int32) throws {
        try withBytes(bytes) { try number(wpr_host_call_write(raw, UInt32(bitPattern: pointer), $0, $1)) }
    }

    /// Whether the closure may answer later.
    public var canSuspend: Bool { wpr_host_call_can_suspend(raw) == 1 }

    /// Ends the closure: the answer comes later, under this ticket. Throws `HostStatus.notSupported` if the call cannot
    /// wait; only a started call and `callAsync` can.
    public func suspend(ticket: UInt64) throws -> Never {
        try number(wpr_host_call_suspend(raw, ticket))
        throw HostStatus.abort // not come to: the line before throws
    }

    /// The same for an answer with bytes, which go to the part of the plugin's memory that it gave for them.
    public func suspend(ticket: UInt64, answerTo pointer: Int32, count: Int32) throws -> Never {
        try number(wpr_host_call_answer_to(raw, UInt32(bitPattern: pointer), UInt32(bitPattern: count)))
        try suspend(ticket: ticket)
    }

    private typealias Names = (
        wpr_host_call_t, UnsafeMutablePointer<UnsafePointer<CChar>?>?, UnsafeMutablePointer<Int>?
    ) -> Int32

    private func name(_ ask: Names) throws -> String {
        var start: UnsafePointer<CChar>?
        var length = 0
        try number(ask(raw, &start, &length))
        return text(start, length)
    }
}

// MARK: As C has them

extension HostFunction {
    static func initial() -> wpr_host_function_t {
        var raw = wpr_host_function_t()
        wpr_host_function_init(&raw, MemoryLayout<wpr_host_function_t>.stride)
        return raw
    }

    /// `userData` is what the callback gets: a retained `FunctionBox`.
    func raw(_ lent: Lent, userData: UnsafeMutableRawPointer) throws -> wpr_host_function_t {
        var raw = Self.initial()
        raw.module = try lent.text(module)
        raw.name = try lent.text(name)
        raw.params = lent.array(params.map { $0.rawValue })
        raw.param_count = params.count
        raw.result = result?.rawValue ?? ValueType.none
        raw.grant = grant.number
        raw.custom_grant = try grant.custom.map { try lent.text($0) } ?? nil
        raw.base_fuel = cost.base
        raw.fuel_per_64_bytes = cost.per64Bytes
        raw.fuel_per_item = cost.perItem
        raw.callback = callFunction
        raw.user_data = userData
        raw.drop = dropBox
        return raw
    }
}

extension HostFunction.Grant {
    var number: UInt32 {
        switch self {
        case .always, .custom: return 0
        case .readTable: return 1
        case .writeTable: return 2
        case .indexSearch: return 3
        case .vectorSearch: return 4
        case .callPlugin: return 5
        }
    }

    var custom: String? {
        if case .custom(let name) = self { return name }
        return nil
    }
}

/// What the library keeps of a function.
final class FunctionBox: Box {
    private let function: HostFunction

    init(_ function: HostFunction) {
        self.function = function
    }

    func call(_ call: HostCall, _ args: [Value], _ result: UnsafeMutablePointer<wpr_value_t>?) throws {
        let value = try function.body(call, args)
        if value?.type != function.result { throw wrongType(value) }
        if let value { result?.pointee = value.raw }
    }

    private func wrongType(_ value: Value?) -> PluginError {
        PluginError.misuse(
            .signatureMismatch,
            "`\(function.module)` `\(function.name)` returned \(value.map { "\($0)" } ?? "nothing"); "
                + "it was defined to return \(function.result.map { "\($0)" } ?? "nothing")")
    }
}

private func callFunction(
    _ userData: UnsafeMutableRawPointer?, _ call: wpr_host_call_t, _ args: UnsafePointer<wpr_value_t>?,
    _ argCount: Int, _ result: UnsafeMutablePointer<wpr_value_t>?
) -> Int32 {
    answer {
        let box = try unbox(userData, as: FunctionBox.self)
        try box.call(HostCall(raw: call), try values(args, argCount), result)
        return 0
    }
}
