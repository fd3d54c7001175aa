import CWasmRuntime
import Foundation

/// How a plugin is reloaded.
public struct ReloadOptions: Sendable {
    public var state = State.fresh
    /// True to keep the version that is replaced for a rollback.
    public var keepPrevious = true
    /// How long calls of the old version may go on until they are cancelled; nil for as long as they like, and nobody
    /// waits.
    public var drainMs: UInt64?
    /// Calls that the new version has to answer first.
    public var probes: [Probe] = []

    /// Whether the new version takes over the state of the old one: no, if both can, or the reload fails.
    public enum State: UInt32, Sendable { case fresh = 0, ifExported = 1, required = 2 }

    public init() {}
}

/// A call that a new version has to answer before it takes over. With nothing expected any answer will do.
public enum Probe: Sendable {
    case values(function: String, args: [Value], expected: [Value]?)
    case bytes(function: String, input: Data, expected: Data?)
}

// MARK: As C has them

extension ReloadOptions {
    func raw(_ lent: Lent) throws -> UnsafePointer<wpr_reload_options_t>? {
        var raw = wpr_reload_options_t()
        wpr_reload_options_init(&raw, MemoryLayout<wpr_reload_options_t>.stride)
        raw.state = state.rawValue
        raw.keep_previous = keepPrevious ? 1 : 0
        raw.drain_ms = drainMs ?? .max
        raw.probes = lent.pointers(try probes.map { try $0.raw(lent) })
        raw.probe_count = probes.count
        return lent.value(raw)
    }
}

extension Probe {
    func raw(_ lent: Lent) throws -> wpr_probe_t {
        var raw = wpr_probe_t()
        wpr_probe_init(&raw, MemoryLayout<wpr_probe_t>.stride)
        switch self {
        case .values(let function, let args, let expected):
            raw.function = try lent.text(function)
            raw.args = lent.array(args.map { $0.raw })
            raw.arg_count = args.count
            raw.has_expected = expected == nil ? 0 : 1
            raw.expected = lent.array((expected ?? []).map { $0.raw })
            raw.expected_count = expected?.count ?? 0
        case .bytes(let function, let input, let expected):
            raw.function = try lent.text(function)
            raw.is_bytes = 1
            raw.input = lent.bytes(input)
            raw.input_length = input.count
            raw.has_expected = expected == nil ? 0 : 1
            raw.expected_bytes = lent.bytes(expected ?? Data())
            raw.expected_length = expected?.count ?? 0
        }
        return raw
    }
}
