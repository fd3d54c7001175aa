import WasmRuntime
import XCTest

/// Other versions, and what is told of plugins.
final class LifeTests: XCTestCase {
    private func tally() throws -> (registry: Registry, plugin: Plugin, config: Config) {
        let registry = try Registry()
        var config = Config()
        config.maxInstances = 1
        let plugin = try registry.load("tally", wasm: try fixture("tally"), config: config)
        for _ in 0..<3 { _ = try plugin.call("vote", .i32(2)) }
        return (registry, plugin, config)
    }

    func testAReloadTakesStateAlongAndARollbackGoesBack() throws {
        let (registry, plugin, config) = try tally()
        var options = ReloadOptions()
        options.state = .required
        options.probes = [.values(function: "votes", args: [.i32(2)], expected: [.i64(3)])]
        try registry.reload("tally", wasm: try fixture("tally_wide"), config: config, options: options)
        XCTAssertEqual(try plugin.call("total"), [.i64(3)])
        try registry.rollback("tally")
        assertFails(.functionNotFound) { try plugin.call("total") }
        assertFails(.notFound) { try registry.rollback("tally") }
    }

    func testAFunctionFollowsItsPluginToTheNextVersion() throws {
        let (registry, plugin, config) = try tally()
        let vote = try plugin.function("vote")
        try registry.reload("tally", wasm: try fixture("tally_wide"), config: config)
        XCTAssertEqual(try vote(.i32(0)), [.i32(1)])
    }

    func testAReloadThatFailsLeavesTheVersionBeforeServing() throws {
        let (registry, plugin, config) = try tally()
        var options = ReloadOptions()
        options.probes = [.values(function: "votes", args: [.i32(2)], expected: [.i64(99)])]
        assertFails(.refused) {
            try registry.reload("tally", wasm: try fixture("tally_wide"), config: config, options: options)
        }
        options.probes = [.bytes(function: "soch_restore", input: Data([1]), expected: Data())]
        assertFails(.badGuestAnswer) {
            try registry.reload("tally", wasm: try fixture("tally_wide"), config: config, options: options)
        }
        assertFails(.invalidModule) { try registry.reload("tally", wasm: Data(), config: config) }
        assertFails(.notFound) { try registry.reload("other", wasm: try fixture("tally"), config: config) }
        XCTAssertEqual(try plugin.call("votes", .i32(2)), [.i64(3)])
    }

    func testAModuleTellsWhatItAsksForBeforeItRuns() throws {
        let registry = try Registry()
        let admission = try registry.admit(try fixture("aggregate"))
        XCTAssertTrue(admission.admitted)
        XCTAssertEqual(admission.sha256.count, 64)
        XCTAssertEqual(admission.bytes, UInt64(try fixture("aggregate").count))
        let scan = try XCTUnwrap(admission.imports.first { $0.name == "soch_scan" })
        XCTAssertTrue(scan.defined)
        XCTAssertFalse(scan.granted)
        let sum = try XCTUnwrap(admission.functions.first { $0.name == "sum" })
        XCTAssertEqual(sum.params, ["i32", "i32"])
        XCTAssertEqual(sum.results, ["i64"])
        let refused = try registry.admit(try fixture("waiter"))
        XCTAssertFalse(refused.admitted)
        XCTAssertEqual(refused.refusals.first?.kind.isEmpty, false)
        XCTAssertFalse(try registry.admit("no module".bytes).admitted)
        XCTAssertEqual(try registry.names(), [])
    }

    func testDecisionsAreDrainedFromTheAudit() throws {
        let registry = try Registry()
        let traps = try registry.load("traps", wasm: try fixture("misbehaving/traps"))
        assertFails(.trap) { try traps.call("unreachable") }
        try registry.unload("traps")
        let records = try registry.drainAudit()
        XCTAssertEqual(records.map { $0.decision }, [.load, .trap, .unload])
        XCTAssertEqual(records.map { $0.plugin }, ["traps", "traps", "traps"])
        XCTAssertEqual(records[1].function, "unreachable")
        XCTAssertEqual(records[1].status, 1)
        XCTAssertEqual(records.map { $0.sequence }, [0, 1, 2])
        XCTAssertEqual(try registry.drainAudit(), [])
        XCTAssertEqual(try registry.auditDropped(), 0)
        XCTAssertEqual(try Registry(audit: .off).drainAudit(), [])
    }

    func testAHostHearsOfAPluginFromItsLoadToItsUnload() throws {
        var host = Host()
        let events = Shared<[String]>([])
        host.event = { record in events.change { $0.append("\(record.decision) \(record.plugin)") } }
        let registry = try Registry(host: host)
        try registry.load("counter", wasm: try fixture("counter"))
        try registry.reload("counter", wasm: try fixture("counter"))
        try registry.unload("counter")
        XCTAssertEqual(events.value, ["load counter", "reload counter", "unload counter"])
    }

    func testStatisticsCountCalls() throws {
        let (registry, plugin) = try loadCounter()
        for _ in 0..<5 { _ = try plugin.call("increment") }
        let stats = try plugin.stats()
        XCTAssertEqual(stats.totalCalls, 5)
        XCTAssertGreaterThan(stats.totalFuelConsumed, 0)
        XCTAssertEqual(stats.sandboxesStarted, 1)
        XCTAssertEqual(stats.peakMemoryBytes, 65_536)
        XCTAssertEqual(try registry.stats(tenant: "default").totalCalls, 5)
        XCTAssertEqual(try registry.callsAndTraps().calls, 5)
        XCTAssertEqual(try registry.callsAndTraps().traps, 0)
    }

    func testTheLogGoesToTheHandlerAndThenToNobody() throws {
        let lines = Shared<[String]>([])
        try setLog(.debug) { _, line in lines.change { $0.append(line) } }
        let registry = try Registry()
        try registry.put("1".bytes, table: "rivers", key: "Danube".bytes)
        var config = Config()
        config.capabilities.canReadTable = ["*"]
        let plugin = try registry.load("sum", wasm: try fixture("aggregate"), config: config)
        _ = try plugin.callBytes("sum", "rivers".bytes)
        XCTAssertFalse(lines.value.isEmpty)
        try setLog(.off, nil)
        let before = lines.value.count
        _ = try plugin.callBytes("sum", "rivers".bytes)
        XCTAssertEqual(lines.value.count, before)
    }

    func testAllPluginsAreUnloaded() throws {
        let (registry, plugin) = try loadCounter()
        try registry.load("other", wasm: try fixture("echo"))
        XCTAssertEqual(try registry.names(), ["counter", "other"])
        try registry.unloadAll()
        XCTAssertEqual(try registry.names(), [])
        assertFails(.unloaded) { try plugin.call("increment") }
    }
}
