import WasmRuntime
import XCTest

final class AsyncTests: XCTestCase {
    func testACallIsRunPieceByPiece() throws {
        let (_, plugin) = try loadWaiter()
        let call = try plugin.start("spin", args: [.i32(1_000)])
        var slices = 0
        while try call.run(fuel: 500) == .running { slices += 1 }
        XCTAssertGreaterThan(slices, 3)
        XCTAssertEqual(try call.results(), [.i32(1_000)])
        XCTAssertEqual(try call.results(), [.i32(1_000)])
        XCTAssertGreaterThan(try call.fuelSpent(), 1_000)
        assertFails(.notReady) { try call.run() }
    }

    func testResultsOfACallThatHasNotFinishedAreNotReady() throws {
        let (_, plugin) = try loadWaiter()
        let call = try plugin.start("spin", args: [.i32(1_000)])
        assertFails(.notReady) { try call.results() }
        XCTAssertEqual(try call.run(fuel: 10), .running)
        assertFails(.notReady) { try call.answer() }
    }

    func testASuspendedCallIsCompletedLater() throws {
        let (_, plugin) = try loadWaiter()
        let call = try plugin.start("wait", args: [.i32(7)])
        XCTAssertEqual(try call.run(), .suspended(ticket: 7))
        XCTAssertEqual(try call.run(), .suspended(ticket: 7))
        assertFails(.notFound) { try call.complete(ticket: 8, .i32(1)) }
        assertFails(.signatureMismatch) { try call.complete(ticket: 7, .f32(1)) }
        try call.complete(ticket: 7, .i32(6), output: "answer".bytes)
        XCTAssertEqual(try call.run(), .finished)
        XCTAssertEqual(try call.results(), [.i32(1_006)])
    }

    func testASuspendedCallIsAnsweredWithAStatusOrEnded() throws {
        let (_, plugin) = try loadWaiter()
        let told = try plugin.start("wait", args: [.i32(7)])
        XCTAssertEqual(try told.run(), .suspended(ticket: 7))
        try told.fail(ticket: 7, .notFound)
        XCTAssertEqual(try told.run(), .finished)
        XCTAssertEqual(try told.results(), [.i32(998)])
        let ended = try plugin.start("wait", args: [.i32(7)])
        XCTAssertEqual(try ended.run(), .suspended(ticket: 7))
        try ended.fail(ticket: 7, .abort)
        assertFails(.host) { try ended.run() }
    }

    func testAPlainCallCannotWait() throws {
        let (_, plugin) = try loadWaiter()
        XCTAssertEqual(try plugin.call("wait", .i32(7)), [.i32(994)]) // the status -6
        let asking = try loadWaiter { call, _ in .i32(call.canSuspend ? 1 : 0) }
        XCTAssertEqual(try asking.plugin.call("wait", .i32(7)), [.i32(1_000)])
        let call = try asking.plugin.start("wait", args: [.i32(7)])
        XCTAssertEqual(try call.run(), .finished)
        XCTAssertEqual(try call.results(), [.i32(1_001)])
    }

    func testAStartedCallThatIsGoneGivesItsSandboxBack() throws {
        let (_, plugin) = try loadWaiter()
        do {
            let first = try plugin.start("spin", args: [.i32(1)])
            let second = try plugin.start("spin", args: [.i32(1)])
            assertFails(.busy) { try plugin.call("spin", .i32(1)) }
            withExtendedLifetime((first, second)) {}
        }
        XCTAssertEqual(try plugin.call("spin", .i32(1)), [.i32(1)])
    }

    func testATokenCancelsACallFromAnotherThread() throws {
        let (_, plugin) = try loadWaiter()
        let call = try plugin.start("spin", args: [.i32(-1)])
        let token = try call.cancelToken()
        XCTAssertEqual(try call.run(fuel: 1_000), .running)
        let done = expectation(description: "cancelled")
        Thread.detachNewThread {
            usleep(20_000)
            XCTAssertTrue(token.cancel())
            done.fulfill()
        }
        // It would take an hour.
        assertFails(.cancelled) { try call.run() }
        wait(for: [done], timeout: 10)
        XCTAssertFalse(token.cancel())
    }

    func testALeasesTokenCancelsItsNextCall() throws {
        let (_, plugin) = try loadWaiter()
        let lease = try plugin.lease()
        let token = try lease.cancelToken()
        let done = expectation(description: "cancelled")
        Thread.detachNewThread {
            while !token.cancel() { usleep(1_000) }
            done.fulfill()
        }
        assertFails(.cancelled) { try lease.call("spin", .i32(-1)) }
        wait(for: [done], timeout: 10)
    }

    func testCallsOfATenantAreCancelled() throws {
        let (registry, plugin) = try loadWaiter()
        let done = expectation(description: "cancelled")
        Thread.detachNewThread {
            while (try? registry.cancelCalls(tenant: "default")) == 0 { usleep(1_000) }
            done.fulfill()
        }
        assertFails(.cancelled) { try plugin.call("spin", .i32(-1)) }
        wait(for: [done], timeout: 10)
    }

    func testACallIsAwaited() async throws {
        let (_, plugin) = try loadWaiter()
        let spun = try await plugin.callAsync("spin", args: [.i32(100_000)], slice: 10_000)
        XCTAssertEqual(spun, [.i32(100_000)])
        await assertFailsLater(.trap) { try await plugin.callAsync("trap") }
        await assertFailsLater(.outOfFuel) {
            try await plugin.callAsync("spin", args: [.i32(-1)], options: CallOptions(fuel: 1_000_000))
        }
    }

    func testBytesAreAwaited() async throws {
        let (_, plugin) = try loadWaiter()
        let input = Data([16, 0, 0, 0])
        let answer = try await plugin.callBytesAsync("spin_bytes", input, slice: 100)
        XCTAssertEqual(answer, input)
    }

    func testAHostCallIsAnsweredByAwaiting() async throws {
        let (_, plugin) = try loadWaiter()
        let answer = try await plugin.callAsync("wait_often", args: [.i32(3)]) { ticket in
            try await Task.sleep(nanoseconds: 1_000_000)
            return HostAnswer(.i32(Int32(ticket) * 10))
        }
        XCTAssertEqual(answer, [.i32(60)])
        let float = try await plugin.callAsync("wait_f64", args: [.i32(1)]) { _ in HostAnswer(.f64(1.5)) }
        XCTAssertEqual(float, [.f64(3)])
        let nothing = try await plugin.callAsync("wait_for_nothing", args: [.i32(1)]) { _ in HostAnswer() }
        XCTAssertEqual(nothing, [.i32(5)])
        let input = Data([1, 2, 3, 4])
        let bytes = try await plugin.callBytesAsync("wait_bytes", input) { ticket in
            XCTAssertEqual(ticket, 7)
            return HostAnswer(.i32(5), output: "later".bytes)
        }
        XCTAssertEqual(bytes, input)
    }

    func testAnErrorWhileAwaitingEndsTheCallAndIsThrown() async throws {
        let (_, plugin) = try loadWaiter()
        for _ in 0..<5 { // more often than there are sandboxes
            do {
                _ = try await plugin.callAsync("wait", args: [.i32(1)]) { _ in throw OwnError(number: 4) }
                XCTFail("nothing was thrown")
            } catch {
                XCTAssertEqual(error as? OwnError, OwnError(number: 4))
            }
        }
        let told = try await plugin.callAsync("wait", args: [.i32(1)]) { _ in throw HostStatus.failed }
        XCTAssertEqual(told, [.i32(996)])
        await assertFailsLater(.invalidArgument) { try await plugin.callAsync("wait", args: [.i32(1)]) }
    }

    func testACancelledTaskEndsItsCall() async throws {
        let (_, plugin) = try loadWaiter()
        let task = Task { try await plugin.callAsync("spin", args: [.i32(-1)]) }
        // However busy the machine is, there is a call to end.
        while try plugin.state != .executing { await Task.yield() }
        try await Task.sleep(nanoseconds: 20_000_000)
        task.cancel()
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        XCTAssertEqual(try plugin.stats().trapCount, 1)
        XCTAssertEqual(try plugin.state, .trapped)
    }

    func testATaskThatIsCancelledBeforehandRunsNothing() async throws {
        let (_, plugin) = try loadWaiter()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await plugin.callAsync("spin", args: [.i32(-1)])
        }
        task.cancel()
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
    }

    func testATaskThatIsCancelledWhileItAwaitsEndsItsCall() async throws {
        let (_, plugin) = try loadWaiter()
        let task = Task {
            try await plugin.callAsync("wait", args: [.i32(1)]) { _ in
                try await Task.sleep(nanoseconds: 3_600_000_000_000)
                return HostAnswer(.i32(0))
            }
        }
        try await Task.sleep(nanoseconds: 20_000_000)
        task.cancel()
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        let spun = try await plugin.callAsync("spin", args: [.i32(1)])
        XCTAssertEqual(spun, [.i32(1)])
    }

    func testManyTasksCallOnePluginAtOnce() async throws {
        let registry = try Registry(functions: waiterFunctions(later: suspending))
        var config = patient()
        config.maxInstances = 8
        let plugin = try registry.load("waiter", wasm: try fixture("waiter"), config: config)
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<8 {
                group.addTask {
                    let turns = Int32(10_000 + task)
                    return Int(try await plugin.callAsync("spin", args: [.i32(turns)], slice: 5_000)[0].int32)
                }
            }
            return try await group.reduce(0, +)
        }
        XCTAssertEqual(sum, 80_028)
    }
}
