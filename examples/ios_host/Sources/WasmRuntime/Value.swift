import CWasmRuntime

/// What a plugin's function takes or returns.
public enum Value: Hashable, Sendable {
    case i32(Int32)
    case i64(Int64)
    case f32(Float)
    case f64(Double)
    /// A number of the program's own, which a plugin can keep and hand back and not read; 0 is the null reference.
    case externRef(UInt64)

    public var type: ValueType {
        switch self {
        case .i32: return .i32
        case .i64: return .i64
        case .f32: return .f32
        case .f64: return .f64
        case .externRef: return .externRef
        }
    }
}

public enum ValueType: UInt32, Sendable {
    case i32 = 1 // WPR_I32
    case i64 = 2 // WPR_I64
    case f32 = 3 // WPR_F32
    case f64 = 4 // WPR_F64
    /// Does not cross the boundary: a function that has it cannot be called.
    case v128 = 5 // WPR_V128
    /// Does not cross the boundary either.
    case funcRef = 6 // WPR_FUNCREF
    case externRef = 7 // WPR_EXTERNREF

    /// The number for a function that returns nothing.
    static let none: UInt32 = 0 // WPR_NONE
}

extension Value {
    /// Nil if the library has a type that this does not know.
    init?(_ raw: wpr_value_t) {
        switch ValueType(rawValue: raw.kind) {
        case .i32: self = .i32(raw.of.i32)
        case .i64: self = .i64(raw.of.i64)
        case .f32: self = .f32(raw.of.f32)
        case .f64: self = .f64(raw.of.f64)
        case .externRef: self = .externRef(raw.of.externref)
        case .v128, .funcRef, nil: return nil
        }
    }

    var raw: wpr_value_t {
        wpr_value_t(kind: type.rawValue, of: content)
    }

    private var content: wpr_value_of_t {
        switch self {
        case .i32(let value): return wpr_value_of_t(i32: value)
        case .i64(let value): return wpr_value_of_t(i64: value)
        case .f32(let value): return wpr_value_of_t(f32: value)
        case .f64(let value): return wpr_value_of_t(f64: value)
        case .externRef(let value): return wpr_value_of_t(externref: value)
        }
    }
}

/// Where results go: the array, its room, and how many there were.
typealias Results = (UnsafeMutablePointer<wpr_value_t>?, Int, UnsafeMutablePointer<Int>)

/// Has results written, into as much room as always suffices.
func results(_ ask: (Results) throws -> Void) throws -> [Value] {
    try withUnsafeTemporaryAllocation(of: wpr_value_t.self, capacity: Int(WPR_MAX_VALUES)) { room in
        var count = 0
        try withUnsafeMutablePointer(to: &count) { try ask((room.baseAddress, room.count, $0)) }
        return try room.prefix(count).map(known)
    }
}

/// The values that C hands to a closure.
func values(_ start: UnsafePointer<wpr_value_t>?, _ count: Int) throws -> [Value] {
    try UnsafeBufferPointer(start: start, count: count).map(known)
}

private func known(_ raw: wpr_value_t) throws -> Value {
    if let value = Value(raw) { return value }
    throw PluginError.misuse(.notSupported, "a value has the type \(raw.kind), which this wrapper does not know")
}
