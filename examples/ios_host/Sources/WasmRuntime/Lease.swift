import CWasmRuntime
import Foundation

/// One sandbox of a plugin, held across several calls by one thread at a time; returned when this is gone.
public final class Lease: @unchecked Sendable {
    private let handle: wpr_lease_t

    init(_ handle: wpr_lease_t) {
        self.handle = handle
    }

    deinit {
        wpr_lease_release(handle, nil)
    }

    public func call(_ function: String, _ args: Value..., options: CallOptions? = nil) throws -> [Value] {
        try call(function, args: args, options: options)
    }

    /// The same with the arguments in an array.
    public func call(_ function: String, args: [Value], options: CallOptions? = nil) throws -> [Value] {
        let function = try plain(function)
        return try narrowed(options) { options in
            try withCall(args) { args, out, error in
                wpr_lease_call(handle, function, args.0, args.1, options, out.0, out.1, out.2, error)
            }
        }
    }

    /// Hands bytes to a function of the byte convention, whose answer has to fit `capacity`.
    public func callBytes(_ function: String, _ input: Data, capacity: Int) throws -> Data {
        let function = try plain(function)
        var output = [UInt8](repeating: 0, count: capacity)
        var length = 0
        try withBytes(input) { input, inputLength in
            try run {
                wpr_lease_call_bytes_into(handle, function, input, inputLength, &output, capacity, &length, $0)
            }
        }
        return Data(output.prefix(length))
    }

    // MARK: Memory

    /// Reads from a memory, by the name of its export.
    public func read(_ count: Int, at offset: UInt64, memory: String = "memory") throws -> Data {
        let memory = try plain(memory)
        var bytes = [UInt8](repeating: 0, count: count)
        try check { wpr_lease_read(handle, memory, offset, &bytes, count, $0) }
        return Data(bytes)
    }

    /// Writes into a memory; nothing if it does not all fit.
    public func write(_ bytes: Data, at offset: UInt64, memory: String = "memory") throws {
        let memory = try plain(memory)
        try withBytes(bytes) { bytes, length in
            try check { wpr_lease_write(handle, memory, offset, bytes, length, $0) }
        }
    }

    public func memoryBytes(memory: String = "memory") throws -> UInt64 {
        let memory = try plain(memory)
        var bytes: UInt64 = 0
        try check { wpr_lease_memory_bytes(handle, memory, &bytes, $0) }
        return bytes
    }

    /// Grows a memory by so many pages; says how many it had before.
    @discardableResult
    public func grow(pages: UInt64, memory: String = "memory") throws -> UInt64 {
        let memory = try plain(memory)
        var before: UInt64 = 0
        try check { wpr_lease_grow(handle, memory, pages, &before, $0) }
        return before
    }

    /// The value of an exported global.
    public func global(_ name: String) throws -> Value {
        let name = try plain(name)
        var raw = wpr_value_t()
        try check { wpr_lease_global(handle, name, &raw, $0) }
        guard let value = Value(raw) else { throw PluginError.misuse(.notSupported, "a type of a newer library") }
        return value
    }

    /// What cancels the next call, from any thread.
    public func cancelToken() throws -> CancelToken {
        var token = wpr_cancel_t()
        try check { wpr_lease_cancel_token(handle, &token, $0) }
        return CancelToken(token)
    }
}
