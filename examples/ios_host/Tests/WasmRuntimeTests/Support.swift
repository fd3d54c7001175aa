import Foundation
import WasmRuntime
import XCTest

/// A module of the repository's `fixtures/wasm`.
func fixture(_ name: String) throws -> Data {
    try Data(contentsOf: fixtureURL(name))
}

func fixtureURL(_ name: String) -> URL {
    var folder = URL(fileURLWithPath: #filePath)
    for _ in 0..<5 { folder.deleteLastPathComponent() }
    return folder.appendingPathComponent("fixtures/wasm/\(name).wasm")
}

/// The host functions that `waiter` imports. `later` is what the test makes of it.
func waiterFunctions(later: @escaping HostFunction.Body) -> [HostFunction] {
    [
        HostFunction("env", "later", params: [.i32, .i32, .i32], result: .i32, body: later),
        HostFunction("env", "later_f64", params: [.i32], result: .f64) { call, args in
            try call.suspend(ticket: UInt64(args[0].int32))
        },
        HostFunction("env", "later_nothing", params: [.i32]) { call, args in
            try call.suspend(ticket: UInt64(args[0].int32))
        },
    ]
}

/// Has the answer come later, to where the guest wants it.
let suspending: HostFunction.Body = { call, args in
    try call.suspend(ticket: UInt64(args[0].int32), answerTo: args[1].int32, count: args[2].int32)
}

/// A registry with `waiter` in it; its functions are not limited in time.
func loadWaiter(later: @escaping HostFunction.Body = suspending) throws -> (registry: Registry, plugin: Plugin) {
    let registry = try Registry(functions: waiterFunctions(later: later))
    return (registry, try registry.load("waiter", wasm: try fixture("waiter"), config: patient()))
}

func loadCounter(config: Config = Config()) throws -> (registry: Registry, plugin: Plugin) {
    let registry = try Registry()
    return (registry, try registry.load("counter", wasm: try fixture("counter"), config: config))
}

/// A configuration that lets a call take its time.
func patient() -> Config {
    var config = Config()
    config.capabilities.timeoutMs = 0
    config.capabilities.fuelLimit = 1 << 40
    config.maxInstances = 2
    return config
}

/// Fails unless the body throws a `PluginError` of that code.
@discardableResult
func assertFails<T>(
    _ code: PluginError.Code, file: StaticString = #filePath, line: UInt = #line, _ body: () throws -> T
) -> PluginError? {
    do {
        _ = try body()
    } catch let error as PluginError {
        XCTAssertEqual(error.code, code, error.message, file: file, line: line)
        XCTAssertFalse(error.message.isEmpty, file: file, line: line)
        return error
    } catch {
        XCTFail("\(error)", file: file, line: line)
        return nil
    }
    XCTFail("nothing was thrown", file: file, line: line)
    return nil
}

func assertFailsLater<T>(
    _ code: PluginError.Code, file: StaticString = #filePath, line: UInt = #line, _ body: () async throws -> T
) async {
    do {
        _ = try await body()
        XCTFail("nothing was thrown", file: file, line: line)
    } catch let error as PluginError {
        XCTAssertEqual(error.code, code, error.message, file: file, line: line)
    } catch {
        XCTFail("\(error)", file: file, line: line)
    }
}

/// An error of the program's own.
struct OwnError: Error, Equatable {
    let number: Int
}

/// Fails unless the body throws that error of the program's own.
func assertThrows<T>(
    _ own: OwnError, file: StaticString = #filePath, line: UInt = #line, _ body: () throws -> T
) {
    XCTAssertThrowsError(try body(), file: file, line: line) {
        XCTAssertEqual($0 as? OwnError, own, file: file, line: line)
    }
}

extension Value {
    var int32: Int32 {
        if case .i32(let value) = self { return value }
        XCTFail("\(self) is no i32")
        return -1
    }
}

extension String {
    var bytes: Data { Data(utf8) }
}

/// Something that several threads change.
final class Shared<T>: @unchecked Sendable {
    private let lock = NSLock()
    private var inner: T

    init(_ value: T) {
        inner = value
    }

    var value: T {
        lock.lock()
        defer { lock.unlock() }
        return inner
    }

    func change(_ change: (inout T) -> Void) {
        lock.lock()
        defer { lock.unlock() }
        change(&inner)
    }
}

/// Counts how often it comes to its end: what a closure captures shows so when the library lets go of it.
final class Witness: Sendable {
    private let ends: Shared<Int>

    init(_ ends: Shared<Int>) {
        self.ends = ends
    }

    deinit {
        ends.change { $0 += 1 }
    }

    func see() {}
}
