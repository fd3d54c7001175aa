import WasmRuntime
import XCTest

final class CallTests: XCTestCase {
    func testAPluginIsLoadedCalledAndUnloaded() throws {
        let (registry, plugin) = try loadCounter()
        XCTAssertEqual(try plugin.call("increment"), [.i32(1)])
        XCTAssertEqual(try plugin.call("add", .i32(41)), [.i32(42)])
        XCTAssertEqual(try plugin.call("reset"), [])
        XCTAssertEqual(try registry.names(), ["counter"])
        XCTAssertEqual(try plugin.state, .ready)
        try registry.unload("counter")
        XCTAssertEqual(try plugin.state, .unloaded)
        assertFails(.unloaded) { try plugin.call("increment") }
        XCTAssertEqual(try registry.names(), [])
    }

    func testAPluginIsLoadedFromAFile() throws {
        let registry = try Registry()
        let plugin = try registry.load("counter", contentsOf: fixtureURL("counter"))
        XCTAssertEqual(try plugin.call("increment"), [.i32(1)])
        assertFails(.io) { try registry.load("other", contentsOf: fixtureURL("no_such_module")) }
    }

    func testValuesOfAllTypesGoInAndOut() throws {
        let registry = try Registry()
        let several = try registry.load("several", wasm: try fixture("multi_value"))
        XCTAssertEqual(try several.call("types"), [.i32(-1), .i64(-2), .f32(0.5), .f64(-0.25)])
        XCTAssertEqual(try several.call("sixteen", .i32(1)).last, .i32(16))
        assertFails(.signatureMismatch) { try several.call("seventeen", .i32(1)) }
        let references = try registry.load("references", wasm: try fixture("externref"))
        XCTAssertEqual(
            try references.call("swap", .externRef(7), .i32(1), .externRef(.max)),
            [.externRef(.max), .i32(1), .externRef(7)])
        XCTAssertEqual(try references.call("is_null", .externRef(0)), [.i32(1)])
    }

    func testBytesGoInAndOut() throws {
        let registry = try Registry()
        let echo = try registry.load("echo", wasm: try fixture("echo"))
        XCTAssertEqual(try echo.callBytes("copy", "Grüße".bytes), "Grüße".bytes)
        XCTAssertEqual(try echo.callBytes("echo", Data()), Data())
        let large = Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0) })
        XCTAssertEqual(try echo.callBytes("copy", large), large)
        let error = assertFails(.badGuestAnswer) { try echo.callBytes("status", Data([0xf6, 0xff, 0xff, 0xff])) }
        XCTAssertEqual(error?.guestStatus, -10)
    }

    func testAFunctionIsLookedUpOnceAndOutlivesItsPluginAndRegistry() throws {
        var increment: PluginFunction?
        do {
            let (_, plugin) = try loadCounter()
            increment = try plugin.function("increment")
            XCTAssertEqual(try increment?(), [.i32(1)])
        }
        XCTAssertEqual(try increment?(), [.i32(2)])
        increment = nil
    }

    func testWhatIsWrongIsSaidByItsCode() throws {
        let (registry, plugin) = try loadCounter()
        assertFails(.functionNotFound) { try plugin.call("decrement") }
        assertFails(.functionNotFound) { try plugin.function("decrement") }
        assertFails(.signatureMismatch) { try plugin.call("add") }
        assertFails(.signatureMismatch) { try plugin.call("add", .i64(1)) }
        assertFails(.notFound) { try registry.plugin("counters") }
        assertFails(.alreadyLoaded) { try registry.load("counter", wasm: try fixture("counter")) }
        assertFails(.invalidModule) { try registry.load("text", wasm: "no module".bytes) }
        assertFails(.invalidArgument) { try plugin.call("add", args: Array(repeating: .i32(1), count: 17)) }
    }

    func testATextWithAZeroByteIsRefusedInsteadOfCut() throws {
        let (registry, plugin) = try loadCounter()
        assertFails(.invalidArgument) { try registry.plugin("counter\0s") }
        assertFails(.invalidArgument) { try plugin.call("increment\0") }
        var config = Config()
        config.tenant = "acme\0"
        assertFails(.invalidArgument) { try registry.load("other", wasm: try fixture("counter"), config: config) }
    }

    func testATrapSaysHowAndWhoseItIs() throws {
        let registry = try Registry()
        let traps = try registry.load("traps", wasm: try fixture("misbehaving/traps"))
        let error = assertFails(.trap) { try traps.call("div_by_zero") }
        XCTAssertEqual(error?.trapCode, 5)
        XCTAssertEqual(error?.fault, .guest)
        XCTAssertEqual(error?.localizedDescription, error?.message)
        XCTAssertEqual(try traps.state, .trapped)
        XCTAssertNil(assertFails(.functionNotFound) { try traps.call("none") }?.trapCode)
    }

    func testALeaseKeepsOneSandboxAndItsMemory() throws {
        let (_, plugin) = try loadCounter()
        let lease = try plugin.lease()
        XCTAssertEqual(try lease.call("add", .i32(5)), [.i32(5)])
        XCTAssertEqual(try lease.read(4, at: 16), Data([5, 0, 0, 0]))
        try lease.write("abc".bytes, at: 100)
        XCTAssertEqual(try lease.read(3, at: 100), "abc".bytes)
        XCTAssertEqual(try lease.memoryBytes(), 65_536)
        XCTAssertEqual(try lease.grow(pages: 1), 1)
        XCTAssertEqual(try lease.memoryBytes(), 131_072)
        assertFails(.limitExceeded) { try lease.read(1, at: 131_072) }
        assertFails(.functionNotFound) { try lease.read(1, at: 0, memory: "other") }
        XCTAssertEqual(try plugin.state, .executing)
    }

    func testALeaseThatIsGoneIsBackInThePool() throws {
        var config = Config()
        config.maxInstances = 1
        let (_, plugin) = try loadCounter(config: config)
        do {
            let lease = try plugin.lease()
            assertFails(.busy) { try plugin.call("increment") }
            XCTAssertEqual(try lease.call("increment"), [.i32(1)])
        }
        XCTAssertEqual(try plugin.call("increment"), [.i32(2)])
    }

    func testALeaseHandsBytesOverAndAnswersGlobals() throws {
        let registry = try Registry()
        let echo = try registry.load("echo", wasm: try fixture("echo")).lease()
        XCTAssertEqual(try echo.callBytes("copy", "abc".bytes, capacity: 8), "abc".bytes)
        assertFails(.limitExceeded) { try echo.callBytes("copy", "abc".bytes, capacity: 2) }
        let waiter = try loadWaiter()
        let lease = try waiter.plugin.lease()
        XCTAssertEqual(try lease.call("spin", .i32(12)), [.i32(12)])
        XCTAssertEqual(try lease.global("turns"), .i32(12))
        assertFails(.notFound) { try lease.global("others") }
    }

    func testAPluginTellsWhatItIs() throws {
        let registry = try Registry()
        var config = Config()
        config.tenant = "acme"
        let plugin = try registry.load("zähler", wasm: try fixture("counter"), config: config)
        XCTAssertEqual(try plugin.name, "zähler")
        XCTAssertEqual(try plugin.tenant, "acme")
        XCTAssertEqual(try plugin.functions(), ["add", "get", "increment", "reset"])
        XCTAssertEqual(try plugin.moduleHash.count, 32)
        XCTAssertEqual(try plugin.signature("add").params, [.i32])
        XCTAssertEqual(try plugin.signature("add").results, [.i32])
        assertFails(.functionNotFound) { try plugin.signature("none") }
        XCTAssertTrue(try JSONSerialization.jsonObject(with: plugin.report()) is [String: Any])
        XCTAssertTrue(libraryVersion.contains("."))
    }

    func testCallsOfManyThreadsRunSideBySide() throws {
        var config = Config()
        config.maxInstances = 4
        config.capabilities.timeoutMs = 0
        let (_, plugin) = try loadCounter(config: config)
        let answered = Shared(0)
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for _ in 0..<250 where (try? plugin.call("increment")) != nil {
                answered.change { $0 += 1 }
            }
        }
        XCTAssertEqual(answered.value, 1_000)
        XCTAssertEqual(try plugin.stats().totalCalls, 1_000)
    }
}
