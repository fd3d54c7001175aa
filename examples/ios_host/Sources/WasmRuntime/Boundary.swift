import CWasmRuntime
import Foundation

// What crosses between Swift and C. Everything that calls the library goes through here.

typealias RawError = UnsafeMutablePointer<wpr_error_t>

/// Asks the library for something that runs no plugin.
func check(_ body: (RawError) -> Int32) throws {
    var raw = wpr_error_t()
    if body(&raw) != 0 { throw PluginError(raw) }
}

/// Asks the library for something that may run a plugin. An error that a closure of the program ended it with is
/// thrown as it is.
func run(_ body: (RawError) -> Int32) throws {
    let outer = pthread_getspecific(thrownKey)
    let thrown = Thrown()
    pthread_setspecific(thrownKey, Unmanaged.passUnretained(thrown).toOpaque())
    defer { pthread_setspecific(thrownKey, outer) }
    var raw = wpr_error_t()
    let code = withExtendedLifetime(thrown) { body(&raw) }
    if code == 0 { return }
    // Another code is something else: a plugin goes on where one that it called was ended so.
    if code == PluginError.Code.host.rawValue, let error = thrown.error { throw error }
    throw PluginError(raw)
}

/// Runs a closure that answers a host call. C knows no errors: one is kept for the call that is going on.
func answer(_ body: () throws -> Int32) -> Int32 {
    do {
        return try body()
    } catch let status as HostStatus {
        return status.rawValue
    } catch {
        keep(error)
        return HostStatus.abort.rawValue
    }
}

/// What a closure threw in the call that this thread runs. The library calls closures on the thread that calls the
/// plugin, and no plugin from a closure, so there is one of these at most.
private final class Thrown {
    var error: (any Error)?
}

private let thrownKey: pthread_key_t = {
    var key = pthread_key_t()
    precondition(pthread_key_create(&key, nil) == 0, "no room for a thread's own word")
    return key
}()

private func keep(_ error: any Error) {
    guard let pointer = pthread_getspecific(thrownKey) else { return }
    Unmanaged<Thrown>.fromOpaque(pointer).takeUnretainedValue().error = error
}

/// What a function of a host call returned: a number from 0 on, or a status that is thrown.
@discardableResult
func number(_ returned: Int32) throws -> Int32 {
    if returned < 0 { throw HostStatus(rawValue: returned) ?? .abort }
    return returned
}

// MARK: Boxes

/// What C holds a pointer to as `user_data`: kept until the library calls `dropBox` with it.
class Box {
    func retained() -> UnsafeMutableRawPointer {
        Unmanaged.passRetained(self).toOpaque()
    }
}

func dropBox(_ userData: UnsafeMutableRawPointer?) {
    guard let userData else { return }
    Unmanaged<Box>.fromOpaque(userData).release()
}

/// The box behind a pointer, which C has from `retained`.
func unbox<T: Box>(_ userData: UnsafeMutableRawPointer?, as _: T.Type) throws -> T {
    guard let userData else { throw HostStatus.abort }
    return Unmanaged<T>.fromOpaque(userData).takeUnretainedValue()
}

// MARK: Texts and bytes

/// A text for C, which takes a zero byte for its end: what is behind it would be lost without a word.
func plain(_ text: String) throws -> String {
    if text.utf8.contains(0) {
        throw PluginError.misuse(.invalidArgument, "a text has a zero byte in it")
    }
    return text
}

func text(upToZero bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
}

func text(_ start: UnsafePointer<CChar>?, _ length: Int) -> String {
    String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
}

func data(_ start: UnsafePointer<UInt8>?, _ length: Int) -> Data {
    Data(UnsafeRawBufferPointer(start: start, count: length))
}

@discardableResult
func withBytes<R>(_ data: Data, _ body: (UnsafePointer<UInt8>?, Int) throws -> R) rethrows -> R {
    try data.withUnsafeBytes { try body($0.bindMemory(to: UInt8.self).baseAddress, $0.count) }
}

/// Asks for something that goes to room of the program's own, and again with as much as the library said it needs.
func withRoom<R>(_ first: Int, _ ask: (_ room: inout Int) throws -> R) throws -> R {
    var room = first
    while true {
        do {
            return try ask(&room)
        } catch let error as PluginError where error.code == .bufferTooSmall {
            continue
        }
    }
}

/// A text answer.
func textAnswer(
    _ ask: (UnsafeMutablePointer<CChar>, Int, UnsafeMutablePointer<Int>, RawError) -> Int32
) throws -> String {
    try withRoom(256) { room in
        var buffer = [CChar](repeating: 0, count: room)
        let capacity = room
        var length = 0
        defer { room = length + 1 } // the zero byte
        try check { ask(&buffer, capacity, &length, $0) }
        return buffer.withUnsafeBufferPointer { text($0.baseAddress, length) }
    }
}

/// Copies an answer of bytes, and releases it.
func takeData(_ bytes: wpr_bytes_t) throws -> Data {
    defer { wpr_bytes_release(bytes, nil) }
    var start: UnsafePointer<UInt8>?
    var length = 0
    try check { wpr_bytes_view(bytes, &start, &length, $0) }
    return data(start, length)
}

// MARK: Structs that point at one another

/// C memory for what a call is given.
final class Lent {
    private var blocks: [UnsafeMutableRawPointer] = []

    /// Lends memory that is there until `body` has returned.
    static func lend<R>(_ body: (Lent) throws -> R) rethrows -> R {
        let lent = Lent()
        return try withExtendedLifetime(lent) { try body(lent) }
    }

    deinit {
        for block in blocks { block.deallocate() }
    }

    /// For numbers, pointers and structs of them; NULL for none.
    func array<T>(_ values: [T]) -> UnsafePointer<T>? {
        if values.isEmpty { return nil }
        let start = UnsafeMutablePointer<T>.allocate(capacity: values.count)
        start.initialize(from: values, count: values.count)
        blocks.append(UnsafeMutableRawPointer(start))
        return UnsafePointer(start)
    }

    func value<T>(_ value: T) -> UnsafePointer<T>? {
        array([value])
    }

    func text(_ text: String) throws -> UnsafePointer<CChar>? {
        array(Array(try plain(text).utf8CString))
    }

    func texts(_ texts: [String]) throws -> UnsafePointer<UnsafePointer<CChar>?>? {
        array(try texts.map { try text($0) })
    }

    func bytes(_ data: Data) -> UnsafePointer<UInt8>? {
        array([UInt8](data))
    }

    /// Structs as the library wants them in a list: by pointers.
    func pointers<T>(_ values: [T]) -> UnsafePointer<UnsafePointer<T>?>? {
        array(values.map { value($0) })
    }
}
