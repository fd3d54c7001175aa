import CWasmRuntime
import Foundation

/// What plugins get from the program, instead of what the library has in memory. What is nil is left to the library:
/// tables, settings and metrics are kept in memory, and log lines go to `setLog`.
///
/// Closures are called by the thread that calls the plugin, several at once if several threads do.
public struct Host: Sendable {
    /// Tables of the program's own.
    public var storage: (any Storage)?
    /// Finds a setting that the plugin's configuration does not have.
    public var setting: (@Sendable (HostCall, _ name: String) throws -> Data?)?
    /// Takes in one observation of a plugin's.
    public var metric: (@Sendable (HostCall, Metric) throws -> Void)?
    /// Takes in a line that a plugin logs. Its control characters are escaped.
    public var log: (@Sendable (HostCall, LogLevel, _ line: String) throws -> Void)?
    /// Hears what happened to a plugin. Everything that runs no plugin may be done here.
    public var event: (@Sendable (AuditRecord) -> Void)?

    public init() {}
}

/// Tables of the program's own. What is thrown is as for a `HostFunction`.
public protocol Storage: Sendable {
    /// A value; nil if there is no such row.
    func read(_ call: HostCall, table: String, key: Data) throws -> Data?
    /// The rows with keys from `from` on, in order; no more than `limit` are looked at.
    func scan(_ call: HostCall, table: String, from: Data, limit: UInt32) throws -> [(key: Data, value: Data)]
    /// Stores a value; says whether it replaced one.
    func write(_ call: HostCall, table: String, key: Data, value: Data) throws -> Bool
    /// Removes a row; says whether there was one.
    func remove(_ call: HostCall, table: String, key: Data) throws -> Bool
}

public struct Metric: Equatable, Sendable {
    public let kind: Kind
    public let name: String
    public let value: Double
    public let labels: [Label]

    public enum Kind: UInt32, Sendable { case counter = 0, gauge = 1, histogram = 2 }

    public struct Label: Equatable, Sendable {
        public let name: String
        public let value: String
    }
}

public enum LogLevel: UInt32, Sendable { case off = 0, error = 1, warning = 2, info = 3, debug = 4 }

/// Sets what gets the log of the whole program's library, down to a level. One that is replaced may still be called by
/// threads that are about to.
public func setLog(_ level: LogLevel, _ handler: (@Sendable (LogLevel, _ line: String) -> Void)?) throws {
    logHandler.set(handler)
    try check { wpr_set_log(handler == nil ? nil : logLine, nil, level.rawValue, $0) }
}

/// The library has no `drop` for the handler of the log: it is kept here, and C is given none.
private let logHandler = LogHandler()

private final class LogHandler: @unchecked Sendable {
    private let lock = NSLock()
    private var handler: (@Sendable (LogLevel, String) -> Void)?

    func set(_ handler: (@Sendable (LogLevel, String) -> Void)?) {
        lock.lock()
        defer { lock.unlock() }
        self.handler = handler
    }

    func get() -> (@Sendable (LogLevel, String) -> Void)? {
        lock.lock()
        defer { lock.unlock() }
        return handler
    }
}

private func logLine(
    _: UnsafeMutableRawPointer?, _ level: UInt32, _ line: UnsafePointer<CChar>?, _ length: Int
) {
    logHandler.get()?(LogLevel(rawValue: level) ?? .debug, text(line, length))
}

// MARK: As C has it

/// What the library keeps of a host.
final class HostBox: Box {
    let host: Host

    init(_ host: Host) {
        self.host = host
    }
}

extension Host {
    /// `userData` is what the callbacks get: a retained `HostBox`.
    func raw(userData: UnsafeMutableRawPointer) -> wpr_host_t {
        var raw = wpr_host_t()
        wpr_host_init(&raw, MemoryLayout<wpr_host_t>.stride)
        raw.user_data = userData
        raw.drop = dropBox
        if storage != nil {
            raw.read = readRow
            raw.scan = scanRows
            raw.write = writeRow
            raw.remove = removeRow
        }
        if setting != nil { raw.setting = findSetting }
        if metric != nil { raw.metric = observe }
        if log != nil { raw.log = takeLine }
        if event != nil { raw.event = hearEvent }
        return raw
    }
}

private func host(_ userData: UnsafeMutableRawPointer?) throws -> Host {
    try unbox(userData, as: HostBox.self).host
}

private func storage(_ userData: UnsafeMutableRawPointer?) throws -> any Storage {
    guard let storage = try host(userData).storage else { throw HostStatus.notSupported }
    return storage
}

/// Hands a value to the plugin.
private func put(_ value: Data?, _ call: wpr_host_call_t) throws -> Int32 {
    guard let value else { throw HostStatus.notFound }
    return try withBytes(value) { try number(wpr_host_call_output(call, $0, $1)) }
}

private func readRow(
    _ userData: UnsafeMutableRawPointer?, _ call: wpr_host_call_t, _ table: UnsafePointer<CChar>?,
    _ tableLength: Int, _ key: UnsafePointer<UInt8>?, _ keyLength: Int
) -> Int32 {
    answer {
        let value = try storage(userData).read(
            HostCall(raw: call), table: text(table, tableLength), key: data(key, keyLength))
        return try put(value, call)
    }
}

private func scanRows(
    _ userData: UnsafeMutableRawPointer?, _ call: wpr_host_call_t, _ table: UnsafePointer<CChar>?,
    _ tableLength: Int, _ from: UnsafePointer<UInt8>?, _ fromLength: Int, _ limit: UInt32
) -> Int32 {
    answer {
        let rows = try storage(userData).scan(
            HostCall(raw: call), table: text(table, tableLength), from: data(from, fromLength), limit: limit)
        for row in rows.prefix(Int(limit)) where try record(row, call) == 0 { break }
        return 0
    }
}

/// Hands a row to the plugin; answers 0 if it does not fit behind the others.
private func record(_ row: (key: Data, value: Data), _ call: wpr_host_call_t) throws -> Int32 {
    try withBytes(row.key) { key, keyLength in
        try withBytes(row.value) { try number(wpr_host_call_record(call, key, keyLength, $0, $1)) }
    }
}

private func writeRow(
    _ userData: UnsafeMutableRawPointer?, _ call: wpr_host_call_t, _ table: UnsafePointer<CChar>?,
    _ tableLength: Int, _ key: UnsafePointer<UInt8>?, _ keyLength: Int, _ value: UnsafePointer<UInt8>?,
    _ valueLength: Int
) -> Int32 {
    answer {
        let replaced = try storage(userData).write(
            HostCall(raw: call), table: text(table, tableLength), key: data(key, keyLength),
            value: data(value, valueLength))
        return replaced ? 1 : 0
    }
}

private func removeRow(
    _ userData: UnsafeMutableRawPointer?, _ call: wpr_host_call_t, _ table: UnsafePointer<CChar>?,
    _ tableLength: Int, _ key: UnsafePointer<UInt8>?, _ keyLength: Int
) -> Int32 {
    answer {
        let removed = try storage(userData).remove(
            HostCall(raw: call), table: text(table, tableLength), key: data(key, keyLength))
        return removed ? 0 : HostStatus.notFound.rawValue
    }
}

private func findSetting(
    _ userData: UnsafeMutableRawPointer?, _ call: wpr_host_call_t, _ name: UnsafePointer<CChar>?, _ nameLength: Int
) -> Int32 {
    answer { try put(try host(userData).setting?(HostCall(raw: call), text(name, nameLength)), call) }
}

private func observe(
    _ userData: UnsafeMutableRawPointer?, _ call: wpr_host_call_t, _ kind: UInt32, _ name: UnsafePointer<CChar>?,
    _ nameLength: Int, _ value: Double
) -> Int32 {
    answer {
        guard let kind = Metric.Kind(rawValue: kind) else { throw HostStatus.notSupported }
        let metric = Metric(kind: kind, name: text(name, nameLength), value: value, labels: labels(call))
        try host(userData).metric?(HostCall(raw: call), metric)
        return 0
    }
}

private func labels(_ call: wpr_host_call_t) -> [Metric.Label] {
    var labels: [Metric.Label] = []
    var name: UnsafePointer<CChar>?
    var value: UnsafePointer<CChar>?
    var nameLength = 0
    var valueLength = 0
    while wpr_host_call_label(call, labels.count, &name, &nameLength, &value, &valueLength) == 0 {
        labels.append(Metric.Label(name: text(name, nameLength), value: text(value, valueLength)))
    }
    return labels
}

private func takeLine(
    _ userData: UnsafeMutableRawPointer?, _ call: wpr_host_call_t, _ level: UInt32, _ line: UnsafePointer<CChar>?,
    _ lineLength: Int
) -> Int32 {
    answer {
        try host(userData).log?(
            HostCall(raw: call), LogLevel(rawValue: level) ?? .debug, text(line, lineLength))
        return 0
    }
}

private func hearEvent(_ userData: UnsafeMutableRawPointer?, _ record: UnsafePointer<wpr_audit_record_t>?) {
    guard let record, let host = try? host(userData) else { return }
    host.event?(AuditRecord(record.pointee))
}
