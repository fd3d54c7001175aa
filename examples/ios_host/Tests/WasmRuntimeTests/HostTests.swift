import WasmRuntime
import XCTest

final class HostTests: XCTestCase {
    func testAClosureAnswersAPlugin() throws {
        let (_, plugin) = try loadWaiter { _, args in .i32(args[0].int32 * 2) }
        XCTAssertEqual(try plugin.call("wait", .i32(21)), [.i32(1_042)])
    }

    func testAClosureLooksAtTheCallThatItAnswers() throws {
        let seen = Shared<[String]>([])
        let (_, plugin) = try loadWaiter { call, _ in
            let (name, tenant, setting) = (try call.plugin, try call.tenant, try call.setting("colour"))
            let none = try call.setting("shape")
            seen.change { $0 += [name, tenant, setting ?? "", none ?? "nil", "\(call.tag)"] }
            let left = call.fuelLeft
            try call.charge(1_000)
            XCTAssertEqual(call.fuelLeft, left - 1_000)
            try call.charge(bytes: 64)
            try call.checkpoint()
            return .i32(0)
        }
        try plugin.call("wait", .i32(1), options: CallOptions(tag: 77)).forEach { _ in }
        XCTAssertEqual(seen.value, ["waiter", "default", "", "nil", "77"])
    }

    func testAClosureReadsAndWritesThePluginsMemory() throws {
        let (_, plugin) = try loadWaiter { call, args in
            try call.write("answer".bytes, at: args[1].int32)
            XCTAssertEqual(try call.memory(at: args[1].int32, count: 6), "answer".bytes)
            XCTAssertEqual(try call.withMemory(at: 0x100, count: 8) { $0.count }, 8)
            XCTAssertEqual(try call.memory(at: 0, count: 0), Data())
            return .i32(6)
        }
        let lease = try plugin.lease()
        XCTAssertEqual(try lease.call("wait", .i32(1)), [.i32(1_006)])
        XCTAssertEqual(try lease.read(8, at: 0x1000), "answer\0\0".bytes)
    }

    func testMemoryOutsideIsAStatusThatThePluginGets() throws {
        let (_, plugin) = try loadWaiter { call, _ in
            _ = try call.memory(at: -8, count: 16)
            return .i32(0)
        }
        XCTAssertEqual(try plugin.call("direct", .i32(1), .i32(0), .i32(0)), [.i32(-3)])
    }

    func testAStatusThatAClosureThrowsGoesToThePlugin() throws {
        let (_, plugin) = try loadWaiter { _, _ in throw HostStatus.notFound }
        XCTAssertEqual(try plugin.call("wait", .i32(1)), [.i32(998)])
    }

    func testAnErrorThatAClosureThrowsEndsTheCallAndIsThrownThere() throws {
        let (_, plugin) = try loadWaiter { _, args in throw OwnError(number: Int(args[0].int32)) }
        let direct = try plugin.function("direct")
        for number in 1...3 {
            let arg = Value.i32(Int32(number))
            assertThrows(OwnError(number: number)) { try plugin.call("wait", arg) }
            assertThrows(OwnError(number: number)) { try direct(arg, .i32(0), .i32(0)) }
        }
        assertThrows(OwnError(number: 7)) { try plugin.callBytes("wait_bytes", Data([1])) }
        assertThrows(OwnError(number: 9)) { try plugin.lease().call("wait", .i32(9)) }
        assertThrows(OwnError(number: 4)) { try plugin.start("wait", args: [.i32(4)]).run() }
        XCTAssertEqual(try plugin.call("spin", .i32(3)), [.i32(3)])
        XCTAssertEqual(try plugin.stats().trapCount, 9)
    }

    func testAnErrorIsNotThrownByACallThatSurvivedIt() throws {
        let (registry, _) = try loadWaiter { _, _ in throw OwnError(number: 1) }
        var config = patient()
        config.capabilities.canCallPlugin = ["*"]
        try registry.load("waiter-b", wasm: try fixture("waiter"), config: config)
        let waiting = try registry.load("waiting", wasm: try fixture("waiter"), config: config)
        XCTAssertEqual(try waiting.call("ask_to_wait"), [.i32(93)]) // the status -7
        let caller = try registry.load("caller", wasm: try fixture("caller"), config: config)
        let error = assertFails(.badGuestAnswer) { try caller.callBytes("relay", "waiter\0wait_bytes\0abc".bytes) }
        XCTAssertEqual(error?.guestStatus, -7)
    }

    func testErrorsOfManyThreadsAreThrownEachByItsOwnCall() throws {
        let functions = waiterFunctions { _, args in throw OwnError(number: Int(args[0].int32)) }
        let registry = try Registry(functions: functions)
        var config = patient()
        config.maxInstances = 4
        let plugin = try registry.load("waiter", wasm: try fixture("waiter"), config: config)
        let right = Shared(0)
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for turn in 0..<100 {
                let number = thread * 1_000 + turn
                do {
                    _ = try plugin.call("wait", .i32(Int32(number)))
                } catch {
                    if error as? OwnError == OwnError(number: number) { right.change { $0 += 1 } }
                }
            }
        }
        XCTAssertEqual(right.value, 400)
    }

    func testAClosureThatReturnsAnotherTypeEndsTheCall() throws {
        let (_, plugin) = try loadWaiter { _, _ in .f64(1) }
        let error = assertFails(.signatureMismatch) { try plugin.call("wait", .i32(1)) }
        XCTAssertEqual(error?.message.contains("env` `later` returned f64(1.0)"), true)
        let (_, silent) = try loadWaiter { _, _ in nil }
        assertFails(.signatureMismatch) { try silent.call("wait", .i32(1)) }
    }

    func testAClosureRunsNoPlugin() throws {
        let slot = Shared<Plugin?>(nil)
        let (_, plugin) = try loadWaiter { _, _ in
            _ = try slot.value?.call("spin", .i32(1))
            return .i32(0)
        }
        slot.change { $0 = plugin }
        assertFails(.reentrant) { try plugin.call("wait", .i32(1)) }
        slot.change { $0 = nil }
    }

    func testAClosureMayCancelAndUnload() throws {
        let slot = Shared<(Registry, Plugin)?>(nil)
        let (registry, plugin) = try loadWaiter { call, _ in
            guard let (registry, plugin) = slot.value else { return .i32(-1) }
            XCTAssertEqual(try plugin.cancelCalls(), 1)
            try registry.unload("waiter")
            try call.checkpoint()
            return .i32(0)
        }
        slot.change { $0 = (registry, plugin) }
        assertFails(.cancelled) { try plugin.call("wait", .i32(1)) }
        assertFails(.unloaded) { try plugin.call("wait", .i32(1)) }
        slot.change { $0 = nil }
    }

    func testAHostCallThatIsOverIsNoCall() throws {
        let slot = Shared<HostCall?>(nil)
        let (_, plugin) = try loadWaiter { call, _ in
            slot.change { $0 = call }
            return .i32(0)
        }
        _ = try plugin.call("wait", .i32(1))
        let call = try XCTUnwrap(slot.value)
        XCTAssertThrowsError(try call.memory(at: 0, count: 1)) { XCTAssertEqual($0 as? HostStatus, .noCall) }
        XCTAssertThrowsError(try call.plugin) { XCTAssertEqual($0 as? HostStatus, .noCall) }
        XCTAssertEqual(call.fuelLeft, 0)
        XCTAssertEqual(call.tag, 0)
    }

    func testAGrantOfTheProgramsOwnIsAskedFor() throws {
        var functions = waiterFunctions { _, _ in .i32(1) }
        functions[0].grant = .custom("waiting")
        functions[0].cost.base = 500
        let registry = try Registry(functions: functions)
        let denied = try registry.load("denied", wasm: try fixture("waiter"), config: patient())
        XCTAssertEqual(try denied.call("wait", .i32(1)), [.i32(999)])
        XCTAssertEqual(try denied.stats().deniedHostCalls, 1)
        var config = patient()
        config.capabilities.customGrants = ["waiting"]
        let granted = try registry.load("granted", wasm: try fixture("waiter"), config: config)
        XCTAssertEqual(try granted.call("wait", .i32(1)), [.i32(1_001)])
        XCTAssertGreaterThan(try granted.stats().totalFuelConsumed, 500)
        config.onDenied = .endsCall
        config.capabilities.customGrants = []
        let ended = try registry.load("ended", wasm: try fixture("waiter"), config: config)
        assertFails(.denied) { try ended.call("wait", .i32(1)) }
    }

    func testClosuresAreKeptAsLongAsThePluginAndThenLetGoOf() throws {
        let ends = Shared(0)
        var plugin: Plugin?
        do {
            let witness = Witness(ends)
            let registry = try Registry(functions: waiterFunctions { _, _ in witness.see(); return .i32(3) })
            plugin = try registry.load("waiter", wasm: try fixture("waiter"), config: patient())
        }
        XCTAssertEqual(ends.value, 0)
        XCTAssertEqual(try plugin?.call("wait", .i32(1)), [.i32(1_003)])
        plugin = nil
        XCTAssertEqual(ends.value, 1)
    }

    func testClosuresAreLetGoOfIfThereIsNoRegistry() throws {
        let ends = Shared(0)
        do {
            let (first, second, third) = (Witness(ends), Witness(ends), Witness(ends))
            let functions = [
                HostFunction("env", "same") { _, _ in first.see(); return nil },
                HostFunction("env", "same") { _, _ in second.see(); return nil },
            ]
            var host = Host()
            host.event = { _ in third.see() }
            assertFails(.tableFull) { try Registry(functions: functions, host: host) }
            // Before the library is asked.
            assertFails(.invalidArgument) {
                try Registry(functions: [HostFunction("env\0", "a") { _, _ in first.see(); return nil }])
            }
        }
        XCTAssertEqual(ends.value, 3)
    }

    func testARegistryIsLetGoOfOnAnotherThread() throws {
        let ends = Shared(0)
        let witness = Shared<Witness?>(Witness(ends))
        var registry: Registry?
        do {
            let kept = try XCTUnwrap(witness.value)
            registry = try Registry(functions: waiterFunctions { _, _ in kept.see(); return .i32(3) })
        }
        witness.change { $0 = nil }
        let slot = Shared(registry)
        registry = nil
        XCTAssertEqual(ends.value, 0)
        let done = expectation(description: "let go of")
        Thread.detachNewThread {
            slot.change { $0 = nil }
            done.fulfill()
        }
        wait(for: [done], timeout: 10)
        XCTAssertEqual(ends.value, 1)
    }

    func testAModuleThatImportsWhatIsNotThereIsRefused() throws {
        let registry = try Registry()
        assertFails(.refused) { try registry.load("waiter", wasm: try fixture("waiter")) }
        let bare = try Registry(withBuiltInFunctions: false)
        assertFails(.refused) { try bare.load("caller", wasm: try fixture("caller")) }
    }
}
