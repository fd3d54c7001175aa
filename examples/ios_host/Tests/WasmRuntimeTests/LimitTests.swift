import WasmRuntime
import XCTest

final class LimitTests: XCTestCase {
    func testTheDefaultsAreTheLibrarysOwn() {
        let config = Config()
        XCTAssertEqual(config.capabilities.fuelLimit, 1_000_000)
        XCTAssertEqual(config.capabilities.timeoutMs, 100)
        XCTAssertEqual(config.capabilities.memoryLimitBytes, 16 << 20)
        XCTAssertEqual(config.maxInstances, 4)
        XCTAssertEqual(config.limits.maxRecursionDepth, 1_000)
        XCTAssertEqual(config.limits.maxStackBytes, 1_000_000)
        XCTAssertTrue(config.enableFuel)
    }

    func testACallThatNeverEndsEndsWithItsFuel() throws {
        let registry = try Registry()
        let endless = try registry.load("endless", wasm: try fixture("misbehaving/endless_loop"))
        let error = assertFails(.outOfFuel) { try endless.call("run") }
        XCTAssertEqual(error?.trapCode, nil)
        XCTAssertEqual(try endless.stats().trapCount, 1)
    }

    func testACallThatNeverEndsEndsAtItsDeadline() throws {
        let registry = try Registry()
        let endless = try registry.load("endless", wasm: try fixture("misbehaving/endless_loop"), config: patient())
        assertFails(.deadline) { try endless.call("run", options: CallOptions(timeoutMs: 5)) }
    }

    func testOptionsNarrowOneCall() throws {
        let (_, plugin) = try loadCounter()
        assertFails(.outOfFuel) { try plugin.call("increment", options: CallOptions(fuel: 1)) }
        XCTAssertEqual(try plugin.call("increment"), [.i32(1)])
    }

    func testAFuelBudgetIsSpentAndGivenAgain() throws {
        var config = Config()
        config.fuelBudget = 50
        let (_, plugin) = try loadCounter(config: config)
        while (try? plugin.call("increment")) != nil {}
        assertFails(.outOfFuel) { try plugin.call("increment") }
        let left = try XCTUnwrap(try plugin.fuelBudgetLeft())
        XCTAssertLessThan(left, 50)
        try plugin.refuel()
        XCTAssertEqual(try plugin.fuelBudgetLeft(), 50)
        XCTAssertNil(try loadCounter().plugin.fuelBudgetLeft())
    }

    func testMemoryGrowsUpToItsLimit() throws {
        var config = Config()
        config.capabilities.memoryLimitBytes = 65_536
        config.limits.onGrowthDenied = .traps
        let (_, plugin) = try loadCounter(config: config)
        assertFails(.limitExceeded) { try plugin.lease().grow(pages: 1) }
    }

    func testModulesAreHeldToTheirLimits() throws {
        let registry = try Registry()
        var config = Config()
        config.limits.maxFunctions = 2
        assertFails(.limitExceeded) { try registry.load("counter", wasm: try fixture("counter"), config: config) }
        config = Config()
        config.expectedSHA256 = Data(repeating: 0, count: 32)
        assertFails(.hashMismatch) { try registry.load("counter", wasm: try fixture("counter"), config: config) }
        config.expectedSHA256 = Data(repeating: 0, count: 31)
        assertFails(.invalidArgument) { try registry.load("counter", wasm: try fixture("counter"), config: config) }
        XCTAssertEqual(try registry.names(), [])
    }

    func testATenantAndARegistryAreHeldToTheirQuotas() throws {
        var quota = Quota()
        quota.maxPlugins = 1
        let registry = try Registry(quota: quota)
        try registry.load("one", wasm: try fixture("counter"))
        assertFails(.quotaExceeded) { try registry.load("two", wasm: try fixture("counter")) }
        let usage = try registry.usage()
        XCTAssertEqual(usage.plugins, 1)
        XCTAssertGreaterThan(usage.heapBytes, 0)
        XCTAssertNil(usage.fuelLeft)
        var narrow = Quota()
        narrow.maxSandboxes = 1
        try registry.setQuota(narrow)
        let lease = try registry.plugin("one").lease()
        assertFails(.quotaExceeded) { try registry.plugin("one").lease() }
        withExtendedLifetime(lease) {}
    }

    func testMaintenanceMakesWhatCallsWillWant() throws {
        let registry = try Registry()
        var config = Config()
        config.reset = .afterCall
        config.minInstances = 2
        let counter = try registry.load("counter", wasm: try fixture("counter"), config: config)
        XCTAssertFalse(try registry.maintain(steps: 0).isDone)
        XCTAssertEqual(try registry.maintain().made, 1)
        for _ in 0..<2 { XCTAssertEqual(try counter.call("increment"), [.i32(1)]) }
        XCTAssertEqual(try counter.stats().sandboxesStarted, 2)
        let done = try registry.maintain(maxIdleBytes: 0)
        XCTAssertEqual([done.made, done.dropped, done.trimmed, done.failed], [2, 2, 0, 0])
        XCTAssertTrue(done.isDone)
        XCTAssertGreaterThanOrEqual(done.idleBytes, 131_072)
        config.minInstances = 5
        assertFails(.refused) { try registry.load("over", wasm: try fixture("counter"), config: config) }
    }

    func testMaintenanceLeavesStateUnlessThePluginCanDoWithout() throws {
        for trims in [false, true] {
            let registry = try Registry()
            var config = Config()
            config.trimIdle = trims
            let counter = try registry.load("counter", wasm: try fixture("counter"), config: config)
            _ = try counter.call("increment")
            XCTAssertEqual(try registry.maintain(maxIdleBytes: 0).trimmed, trims ? 1 : 0)
            XCTAssertEqual(try counter.call("increment"), [.i32(trims ? 1 : 2)])
        }
    }

    func testCompiledCodeIsSharedWithWhomItIsToBe() throws {
        let second = try [Config.CodeSharing.own, .tenant, .registry].map { sharing -> UInt64 in
            let registry = try Registry()
            var config = Config()
            config.codeSharing = sharing
            try registry.load("a", wasm: try fixture("aggregate"), config: config)
            let before = try registry.usage().heapBytes
            try registry.load("b", wasm: try fixture("aggregate"), config: config)
            return try registry.usage().heapBytes - before
        }
        XCTAssertLessThan(second[1], second[0])
        XCTAssertLessThan(second[2], second[0])
    }

    func testAPluginThatFailsAgainAndAgainIsInQuarantine() throws {
        let registry = try Registry()
        var config = Config()
        config.quarantineFailures = 2
        let traps = try registry.load("traps", wasm: try fixture("misbehaving/traps"), config: config)
        XCTAssertEqual(try traps.quarantineMs(), 0)
        assertFails(.notFound) { try traps.revive() }
        for _ in 0..<2 { assertFails(.trap) { try traps.call("unreachable") } }
        assertFails(.quarantined) { try traps.call("unreachable") }
        XCTAssertGreaterThan(try traps.quarantineMs(), 0)
        try traps.revive()
        assertFails(.trap) { try traps.call("unreachable") }
    }
}
