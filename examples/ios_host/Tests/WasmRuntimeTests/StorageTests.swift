import WasmRuntime
import XCTest

/// Tables in a dictionary. It fails as the test tells it.
final class Dictionary: Storage {
    let rows = Shared<[String: [Data: Data]]>([:])
    let failure = Shared<(any Error)?>(nil)

    func read(_ call: HostCall, table: String, key: Data) throws -> Data? {
        try fail()
        return rows.value[table]?[key]
    }

    func scan(_ call: HostCall, table: String, from: Data, limit: UInt32) throws -> [(key: Data, value: Data)] {
        try fail()
        let sorted = (rows.value[table] ?? [:]).sorted { $0.key.lexicographicallyPrecedes($1.key) }
        return sorted.filter { !$0.key.lexicographicallyPrecedes(from) }.map { ($0.key, $0.value) }
    }

    func write(_ call: HostCall, table: String, key: Data, value: Data) throws -> Bool {
        try fail()
        let replaced = rows.value[table]?[key] != nil
        rows.change { $0[table, default: [:]][key] = value }
        return replaced
    }

    func remove(_ call: HostCall, table: String, key: Data) throws -> Bool {
        try fail()
        let removed = rows.value[table]?[key] != nil
        rows.change { $0[table]?[key] = nil }
        return removed
    }

    private func fail() throws {
        if let error = failure.value { throw error }
    }
}

final class StorageTests: XCTestCase {
    private func open() -> Config {
        var config = patient()
        config.capabilities.canReadTable = ["rivers", "lakes*"]
        config.capabilities.canWriteTable = ["rivers"]
        return config
    }

    /// A plugin that calls every host function, with a key and a value in its memory.
    private func probe(_ registry: Registry) throws -> Lease {
        let lease = try registry.load("probe", wasm: try fixture("abi_probe"), config: open()).lease()
        try lease.write("rivers".bytes, at: 0)
        try lease.write("Danube".bytes, at: 16)
        try lease.write("2850".bytes, at: 32)
        return lease
    }

    private func write(_ lease: Lease) throws -> [Value] {
        try lease.call("call_soch_write", .i32(0), .i32(6), .i32(16), .i32(6), .i32(32), .i32(4))
    }

    private func read(_ lease: Lease) throws -> [Value] {
        try lease.call("call_soch_read", .i32(0), .i32(6), .i32(16), .i32(6), .i32(64), .i32(8))
    }

    private func delete(_ lease: Lease) throws -> [Value] {
        try lease.call("call_soch_delete", .i32(0), .i32(6), .i32(16), .i32(6))
    }

    func testTablesOfTheLibraryArePutReadAndRemoved() throws {
        let registry = try Registry()
        XCTAssertFalse(try registry.put("2850".bytes, table: "rivers", key: "Danube".bytes))
        XCTAssertTrue(try registry.put("2851".bytes, table: "rivers", key: "Danube".bytes))
        XCTAssertEqual(try registry.get(table: "rivers", key: "Danube".bytes), "2851".bytes)
        XCTAssertNil(try registry.get(table: "rivers", key: "Nile".bytes))
        XCTAssertNil(try registry.get(table: "rivers", key: "Danube".bytes, tenant: "acme"))
        XCTAssertTrue(try registry.remove(table: "rivers", key: "Danube".bytes))
        XCTAssertFalse(try registry.remove(table: "rivers", key: "Danube".bytes))
        let large = Data(repeating: 7, count: 100_000)
        try registry.put(large, table: "rivers", key: Data())
        XCTAssertEqual(try registry.get(table: "rivers", key: Data()), large)
    }

    func testAPluginAddsUpATableOfTheLibrarys() throws {
        let registry = try Registry()
        try registry.put("2850".bytes, table: "rivers", key: "Danube".bytes)
        try registry.put("6650".bytes, table: "rivers", key: "Nile".bytes)
        let plugin = try registry.load("sum", wasm: try fixture("aggregate"), config: open())
        XCTAssertEqual(
            try plugin.callBytes("sum", "rivers".bytes), "count=2 sum=9500 min=2850 max=6650".bytes)
        XCTAssertTrue(try registry.prometheus().contains("aggregate_sum"))
    }

    func testIndexesAndCollectionsAreMade() throws {
        let registry = try Registry()
        try registry.createIndex("by_length", table: "rivers", fieldOffset: 0, fieldLength: 4)
        try registry.createCollection("near", table: "rivers", dims: 3, distance: .euclidean)
        XCTAssertFalse(try registry.insert([1, 2, 3], collection: "near", rowID: 1))
        XCTAssertTrue(try registry.insert([3, 2, 1], collection: "near", rowID: 1))
        assertFails(.host) { try registry.insert([1, 2], collection: "near", rowID: 1) }
    }

    func testAPluginReadsWritesAndRemovesRowsOfTheProgram() throws {
        var host = Host()
        let storage = Dictionary()
        host.storage = storage
        let lease = try probe(try Registry(host: host))
        XCTAssertEqual(try read(lease), [.i32(-2)])
        XCTAssertEqual(try write(lease), [.i32(0)])
        XCTAssertEqual(try write(lease), [.i32(1)])
        XCTAssertEqual(storage.rows.value, ["rivers": ["Danube".bytes: "2850".bytes]])
        XCTAssertEqual(try read(lease), [.i32(4)])
        XCTAssertEqual(try lease.read(4, at: 64), "2850".bytes)
        XCTAssertEqual(try delete(lease), [.i32(1)])
        XCTAssertEqual(try delete(lease), [.i32(-2)])
    }

    func testAPluginScansATableOfTheProgram() throws {
        var host = Host()
        let storage = Dictionary()
        storage.rows.change {
            $0["rivers"] = [:]
            for row in 0..<100 { $0["rivers"]?["\(1_000 + row)".bytes] = "\(row)".bytes }
        }
        host.storage = storage
        let registry = try Registry(host: host)
        let plugin = try registry.load("sum", wasm: try fixture("aggregate"), config: open())
        XCTAssertEqual(
            try plugin.callBytes("sum", "rivers".bytes), "count=100 sum=4950 min=0 max=99".bytes)
        storage.failure.change { $0 = OwnError(number: 2) }
        assertThrows(OwnError(number: 2)) { try plugin.callBytes("sum", "rivers".bytes) }
    }

    func testLinesAndMetricsGoToTheProgram() throws {
        var host = Host()
        let lines = Shared<[String]>([])
        let metrics = Shared<[Metric]>([])
        host.log = { call, level, line in
            let plugin = try call.plugin
            lines.change { $0.append("\(plugin) \(level): \(line)") }
        }
        host.metric = { _, metric in metrics.change { $0.append(metric) } }
        let lease = try probe(try Registry(host: host))
        XCTAssertEqual(try lease.call("call_log_message", .i32(2), .i32(16), .i32(6)), [.i32(0)])
        XCTAssertEqual(lines.value, ["probe warning: Danube"])
        let labels = Data([5, 0, 0, 0]) + "table".bytes + Data([6, 0, 0, 0]) + "rivers".bytes
        try lease.write(labels, at: 64)
        let args: [Value] = [.i32(1), .i32(16), .i32(6), .f64(2.5), .i32(64), .i32(Int32(labels.count))]
        XCTAssertEqual(try lease.call("call_emit_metric", args: args), [.i32(0)])
        let metric = try XCTUnwrap(metrics.value.first)
        XCTAssertEqual(metric.kind, .gauge)
        XCTAssertEqual(metric.name, "Danube")
        XCTAssertEqual(metric.value, 2.5)
        XCTAssertEqual(metric.labels.map { [$0.name, $0.value] }, [["table", "rivers"]])
    }

    func testSettingsOfTheProgramComeBehindThoseOfThePlugin() throws {
        var host = Host()
        let asked = Shared<[String]>([])
        host.setting = { _, name in
            asked.change { $0.append(name) }
            return name == "Danube" ? "blue".bytes : nil
        }
        let registry = try Registry(host: host)
        let lease = try probe(registry)
        XCTAssertEqual(try lease.call("call_get_config", .i32(16), .i32(6), .i32(64), .i32(8)), [.i32(4)])
        XCTAssertEqual(try lease.read(4, at: 64), "blue".bytes)
        XCTAssertEqual(try lease.call("call_get_config", .i32(0), .i32(6), .i32(64), .i32(8)), [.i32(-2)])
        XCTAssertEqual(asked.value, ["Danube", "rivers"])
        var config = open()
        config.settings = ["Danube": "green"]
        let own = try registry.load("own", wasm: try fixture("abi_probe"), config: config).lease()
        try own.write("Danube".bytes, at: 16)
        XCTAssertEqual(try own.call("call_get_config", .i32(16), .i32(6), .i32(64), .i32(8)), [.i32(5)])
    }

    func testWhatStorageThrowsIsAsForAFunction() throws {
        var host = Host()
        let storage = Dictionary()
        host.storage = storage
        let lease = try probe(try Registry(host: host))
        storage.failure.change { $0 = HostStatus.limitReached }
        XCTAssertEqual(try write(lease), [.i32(-5)])
        storage.failure.change { $0 = OwnError(number: 3) }
        assertThrows(OwnError(number: 3)) { try write(lease) }
    }
}
