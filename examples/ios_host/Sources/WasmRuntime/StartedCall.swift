import CWasmRuntime
import Foundation

/// A call that is run piece by piece, by one thread at a time. Gone before its end, it is cancelled, and everything it
/// had is given back.
public final class StartedCall: @unchecked Sendable {
    private let handle: wpr_call_t

    init(_ handle: wpr_call_t) {
        self.handle = handle
    }

    deinit {
        wpr_call_release(handle, nil)
    }

    /// How far a call came.
    public enum Progress: Equatable, Sendable {
        /// `results` or `answer` has what it returned.
        case finished
        /// It spent what it was given, and goes on with the next run.
        case running
        /// A closure answers later: the call goes on once it is completed.
        case suspended(ticket: UInt64)
    }

    /// Runs the call until it has spent so much fuel, waits for its host, or has ended. Its deadline counts from the
    /// first run on, and goes on while it waits. An error ends it.
    public func run(fuel: UInt64 = .max) throws -> Progress {
        var progress: UInt32 = 0
        var ticket: UInt64 = 0
        try WasmRuntime.run { wpr_call_run(handle, fuel, &progress, &ticket, $0) }
        switch progress {
        case 0: return .finished // WPR_FINISHED
        case 1: return .running // WPR_RUNNING
        case 2: return .suspended(ticket: ticket) // WPR_SUSPENDED
        default: throw PluginError.misuse(.notSupported, "a call came where only a newer wrapper follows: \(progress)")
        }
    }

    /// Answers the host call that the call is suspended in. `output` goes to where the function has its output.
    public func complete(ticket: UInt64, _ value: Value? = nil, output: Data = Data()) throws {
        let raw = Lent()
        let value = value.flatMap { raw.value($0.raw) }
        try withExtendedLifetime(raw) {
            try withBytes(output) { output, length in
                try check { wpr_call_complete(handle, ticket, value, output, length, $0) }
            }
        }
    }

    /// Answers it with an error.
    public func fail(ticket: UInt64, _ status: HostStatus) throws {
        try check { wpr_call_fail(handle, ticket, status.rawValue, $0) }
    }

    /// The results of a call that has finished, any number of times.
    public func results() throws -> [Value] {
        try WasmRuntime.results { out in
            try check { wpr_call_results(handle, out.0, out.1, out.2, $0) }
        }
    }

    /// What a function of the byte convention answered, once the call has finished.
    public func answer() throws -> Data {
        var answer = wpr_bytes_t()
        try check { wpr_call_answer(handle, &answer, $0) }
        return try takeData(answer)
    }

    public func fuelSpent() throws -> UInt64 {
        var fuel: UInt64 = 0
        try check { wpr_call_fuel_spent(handle, &fuel, $0) }
        return fuel
    }

    /// What cancels the call, wherever it is, from any thread.
    public func cancelToken() throws -> CancelToken {
        var token = wpr_cancel_t()
        try check { wpr_call_cancel_token(handle, &token, $0) }
        return CancelToken(token)
    }
}

/// What cancels one call. It may outlive the call, and then does nothing.
public final class CancelToken: @unchecked Sendable {
    private let handle: wpr_cancel_t

    init(_ handle: wpr_cancel_t) {
        self.handle = handle
    }

    deinit {
        wpr_cancel_release(handle, nil)
    }

    /// Cancels the call: it ends with the code `.cancelled` at the end of its slice, at its next host call or at its
    /// next checkpoint. False if it has ended, or is cancelled already.
    @discardableResult
    public func cancel() -> Bool {
        wpr_cancel(handle, nil) == 0
    }
}

// MARK: Swift's concurrency

/// What a suspended host call is answered with.
public struct HostAnswer: Sendable {
    public var value: Value?
    public var output: Data

    public init(_ value: Value? = nil, output: Data = Data()) {
        self.value = value
        self.output = output
    }
}

/// Finds the answer to a host call that a closure suspended, by its ticket. What it throws is as for a `HostFunction`.
public typealias Answering = @Sendable (_ ticket: UInt64) async throws -> HostAnswer

extension Plugin {
    /// Calls a function in slices of so much fuel, and lets other tasks run in between. A task that is cancelled ends
    /// the call; that is a `CancellationError`.
    public func callAsync(
        _ function: String, args: [Value] = [], options: CallOptions? = nil, slice: UInt64 = 100_000,
        answering: Answering? = nil
    ) async throws -> [Value] {
        let call = try start(function, args: args, options: options)
        try await call.finish(slice: slice, answering: answering)
        return try call.results()
    }

    /// The same for a function of the byte convention.
    public func callBytesAsync(
        _ function: String, _ input: Data, options: CallOptions? = nil, slice: UInt64 = 100_000,
        answering: Answering? = nil
    ) async throws -> Data {
        let call = try startBytes(function, input, options: options)
        try await call.finish(slice: slice, answering: answering)
        return try call.answer()
    }
}

extension StartedCall {
    /// Runs the call to its end in slices of so much fuel.
    public func finish(slice: UInt64 = 100_000, answering: Answering? = nil) async throws {
        let token = try cancelToken()
        do {
            try await withTaskCancellationHandler {
                try await runSlices(slice, answering)
            } onCancel: {
                token.cancel()
            }
        } catch let error as PluginError where error.code == .cancelled && Task.isCancelled {
            throw CancellationError()
        }
    }

    private func runSlices(_ slice: UInt64, _ answering: Answering?) async throws {
        while true {
            switch try run(fuel: slice) {
            case .finished: return
            case .running: await Task.yield()
            case .suspended(let ticket): try await complete(ticket, answering)
            }
        }
    }

    private func complete(_ ticket: UInt64, _ answering: Answering?) async throws {
        do {
            guard let answering else { throw nobodyAnswers(ticket) }
            let answer = try await answering(ticket)
            try complete(ticket: ticket, answer.value, output: answer.output)
        } catch let status as HostStatus {
            try fail(ticket: ticket, status)
        } catch {
            end(ticket)
            throw error
        }
    }

    /// Ends a call that gets no answer, as an error thrown by a closure does.
    private func end(_ ticket: UInt64) {
        try? fail(ticket: ticket, .abort)
        _ = try? run()
    }

    private func nobodyAnswers(_ ticket: UInt64) -> PluginError {
        PluginError.misuse(.invalidArgument, "a host call waits for ticket \(ticket), and nothing is `answering`")
    }
}
