import CWasmRuntime
import Foundation

/// Why the library, or a plugin, did not do what it was asked.
public struct PluginError: Error, Equatable, Sendable {
    /// What went wrong.
    public let code: Code
    /// Whose doing it is.
    public let fault: Fault
    /// How the guest trapped, in the numbers of `wpr_error_t`; nil if it did not.
    public let trapCode: Int32?
    /// The negative status that a function of the byte convention answered; nil if it did not.
    public let guestStatus: Int32?
    /// Names plugin, function, limit and value.
    public let message: String

    /// A `wpr_code_t`. Not an enum: a newer library may have more of them.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: Int32

        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }
    }

    /// A `wpr_fault_t`.
    public enum Fault: Int32, Sendable {
        case guest = 0 // WPR_FAULT_GUEST
        case host = 1 // WPR_FAULT_HOST
        case configuration = 2 // WPR_FAULT_CONFIGURATION
    }
}

// Each number is held against the header by c_tests: how clang hands the header's own constants to Swift depends on
// how the header spells them.
extension PluginError.Code {
    public static let invalidModule = Self(rawValue: 1) // WPR_INVALID_MODULE
    public static let refused = Self(rawValue: 2) // WPR_REFUSED
    public static let limitExceeded = Self(rawValue: 3) // WPR_LIMIT_EXCEEDED
    public static let alreadyLoaded = Self(rawValue: 4) // WPR_ALREADY_LOADED
    public static let notFound = Self(rawValue: 5) // WPR_NOT_FOUND
    public static let functionNotFound = Self(rawValue: 6) // WPR_FUNCTION_NOT_FOUND
    public static let signatureMismatch = Self(rawValue: 7) // WPR_SIGNATURE_MISMATCH
    public static let busy = Self(rawValue: 8) // WPR_BUSY
    public static let notReady = Self(rawValue: 9) // WPR_NOT_READY
    public static let outOfFuel = Self(rawValue: 10) // WPR_OUT_OF_FUEL
    public static let deadline = Self(rawValue: 11) // WPR_DEADLINE
    public static let cancelled = Self(rawValue: 12) // WPR_CANCELLED
    public static let trap = Self(rawValue: 13) // WPR_TRAP
    public static let denied = Self(rawValue: 14) // WPR_DENIED
    public static let quarantined = Self(rawValue: 15) // WPR_QUARANTINED
    public static let quotaExceeded = Self(rawValue: 16) // WPR_QUOTA_EXCEEDED
    public static let hashMismatch = Self(rawValue: 17) // WPR_HASH_MISMATCH
    public static let clockMissing = Self(rawValue: 18) // WPR_CLOCK_MISSING
    public static let unsoundDispatch = Self(rawValue: 19) // WPR_UNSOUND_DISPATCH
    public static let badGuestAnswer = Self(rawValue: 20) // WPR_BAD_GUEST_ANSWER
    public static let tableFull = Self(rawValue: 21) // WPR_TABLE_FULL
    public static let host = Self(rawValue: 22) // WPR_HOST
    public static let unloaded = Self(rawValue: 23) // WPR_UNLOADED
    public static let io = Self(rawValue: 24) // WPR_IO
    public static let nullPointer = Self(rawValue: 100) // WPR_NULL_POINTER
    public static let invalidHandle = Self(rawValue: 101) // WPR_INVALID_HANDLE
    public static let invalidArgument = Self(rawValue: 102) // WPR_INVALID_ARGUMENT
    public static let invalidStruct = Self(rawValue: 103) // WPR_INVALID_STRUCT
    public static let bufferTooSmall = Self(rawValue: 104) // WPR_BUFFER_TOO_SMALL
    public static let reentrant = Self(rawValue: 105) // WPR_REENTRANT
    public static let panic = Self(rawValue: 106) // WPR_PANIC
    public static let notSupported = Self(rawValue: 107) // WPR_NOT_SUPPORTED
    public static let tooManyHandles = Self(rawValue: 108) // WPR_TOO_MANY_HANDLES
}

extension PluginError: LocalizedError, CustomStringConvertible {
    public var description: String { message }
    public var errorDescription: String? { message }
}

extension PluginError {
    init(_ raw: wpr_error_t) {
        code = Code(rawValue: raw.code)
        fault = Fault(rawValue: raw.fault) ?? .host
        trapCode = raw.trap_code == 0 ? nil : raw.trap_code
        guestStatus = raw.guest_status == 0 ? nil : raw.guest_status
        message = withUnsafeBytes(of: raw.message) { text(upToZero: $0) }
    }

    /// The program's own doing, found before the library was asked.
    static func misuse(_ code: Code, _ message: String) -> PluginError {
        PluginError(code: code, fault: .host, trapCode: nil, guestStatus: nil, message: message)
    }
}

/// What a closure answers a plugin's host call with if it throws it. Down to -7 the plugin gets the number, and goes
/// on; the others end its call, or suspend it. Any other error that a closure throws ends the call, and is thrown
/// where the plugin was called.
public enum HostStatus: Int32, Error, Sendable {
    case denied = -1 // WPR_HOST_DENIED
    case notFound = -2 // WPR_HOST_NOT_FOUND
    case invalidArguments = -3 // WPR_HOST_INVALID_ARGUMENTS
    case failed = -4 // WPR_HOST_FAILED
    case limitReached = -5 // WPR_HOST_LIMIT_REACHED
    case notSupported = -6 // WPR_HOST_NOT_SUPPORTED
    case pluginFailed = -7 // WPR_HOST_PLUGIN_FAILED
    case outOfFuel = -100 // WPR_HOST_OUT_OF_FUEL
    case deadline = -101 // WPR_HOST_DEADLINE
    case cancelled = -102 // WPR_HOST_CANCELLED
    case pending = -103 // WPR_HOST_PENDING
    case abort = -104 // WPR_HOST_ABORT
    case noCall = -105 // WPR_HOST_NO_CALL
}
