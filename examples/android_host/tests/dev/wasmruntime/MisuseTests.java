package dev.wasmruntime;

import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.util.Arrays;
import java.util.List;

/** Whatever a program does wrong is an exception, and nothing else. */
final class MisuseTests extends Suite {
    void closing_twice_does_nothing() throws Exception {
        PluginRegistry registry = with("kernels");
        Plugin plugin = registry.get("kernels");
        PluginLease lease = plugin.lease();
        PluginCall call = plugin.start("fib", Value.i32(3));
        List<Handle> handles = Arrays.asList(
                call.cancelToken(), call, lease.cancelToken(), lease, plugin.function("fib"), plugin, registry);
        int before = Net.held();
        for (Handle handle : handles) {
            handle.close();
            handle.close();
        }
        equal(before - handles.size(), Net.held());
    }

    void what_was_closed_is_refused() throws Exception {
        PluginRegistry registry = with("kernels");
        Plugin plugin = registry.get("kernels");
        PluginFunction function = plugin.function("fib");
        PluginLease lease = plugin.lease();
        PluginCall call = plugin.start("fib", Value.i32(3));
        CancelToken token = call.cancelToken();
        for (Handle handle : Arrays.asList(token, call, lease, function, plugin, registry)) {
            handle.close();
        }
        byte[] wasm = fixture("counter");
        ByteBuffer buffer = ByteBuffer.allocateDirect(4);
        ByteBuffer other = ByteBuffer.allocateDirect(4);
        List<Action> uses = Arrays.asList(
                () -> registry.load("x", wasm, null), () -> registry.loadFile("x", "y", null),
                () -> registry.reload("x", wasm, null, null), () -> registry.rollback("x"),
                () -> registry.unload("x"), () -> registry.shutdownAll(), () -> registry.admit(wasm, null),
                () -> registry.get("x"), () -> registry.getSize(), () -> registry.getNames(),
                () -> registry.setQuota("x", new Quota()), () -> registry.usage("x"), () -> registry.stats("x"),
                () -> registry.maintain(-1, -1), () -> registry.cancelTenant("x"),
                () -> registry.put("x", "t", wasm, wasm),
                () -> registry.getRow("x", "t", wasm), () -> registry.deleteRow("x", "t", wasm),
                () -> registry.createIndex("x", "i", "t", 0, 1),
                () -> registry.createCollection("x", "c", "t", 1, Distance.DOT),
                () -> registry.insertVector("x", "c", 1, new float[1]), () -> registry.getTotals(),
                () -> registry.drainAudit(), () -> registry.getAuditDropped(), () -> registry.renderPrometheus(),
                () -> plugin.call("fib", Value.i32(1)), () -> plugin.callBytes("fib", wasm),
                () -> plugin.callBuffers("fib", buffer, other), () -> plugin.function("fib"),
                () -> plugin.start("fib", Value.i32(1)), () -> plugin.startBytes(null, "fib", wasm),
                () -> plugin.lease(), () -> plugin.cancelCalls(), () -> plugin.getName(), () -> plugin.getTenant(),
                () -> plugin.getState(), () -> plugin.getModuleHash(), () -> plugin.getFunctions(),
                () -> plugin.signature("fib"), () -> plugin.getStats(), () -> plugin.getReport(),
                () -> plugin.getFuelBudgetLeft(),
                () -> plugin.refuel(), () -> plugin.getQuarantineMs(), () -> plugin.revive(),
                () -> function.call(Value.i32(1)), () -> function.callInt(1), () -> function.callBits(1),
                () -> lease.call("fib", Value.i32(1)), () -> lease.callBuffers("fib", buffer, other),
                () -> lease.read("memory", 0, 1), () -> lease.write("memory", 0, wasm),
                () -> lease.memoryBytes("memory"), () -> lease.grow("memory", 1), () -> lease.global("g"),
                () -> lease.cancelToken(), () -> call.run(1), () -> call.complete(1, null, null),
                () -> call.fail(1, HostStatus.FAILED), () -> call.getResults(), () -> call.getAnswer(),
                () -> call.getFuelSpent(), () -> call.cancelToken(), () -> token.cancel());
        for (Action use : uses) {
            PluginException error = fails(ErrorCode.INVALID_HANDLE, use);
            equal(Fault.HOST, error.getFault());
            check(error.getMessage().contains("was released"), error.getMessage());
        }
    }

    void null_is_refused_before_the_library_is_asked() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo");
                PluginLease lease = plugin.lease(); PluginFunction function = plugin.function("echo")) {
            byte[] bytes = {1};
            ByteBuffer buffer = ByteBuffer.allocateDirect(1);
            List<Action> uses = Arrays.asList(
                    () -> registry.load(null, bytes, null), () -> registry.load("x", null, null),
                    () -> registry.loadFile("x", null, null), () -> registry.get(null), () -> registry.unload(null),
                    () -> registry.admit(null, null), () -> registry.put(null, "t", bytes, bytes),
                    () -> registry.put("x", "t", null, bytes), () -> registry.put("x", "t", bytes, null),
                    () -> registry.getRow("x", "t", null), () -> registry.setQuota("x", null),
                    () -> registry.insertVector("x", "c", 1, null), () -> plugin.call(null),
                    () -> plugin.call("echo", (Value) null), () -> plugin.call("echo", (Value[]) null),
                    () -> plugin.callBytes("echo", null), () -> plugin.callBuffers("echo", null, buffer),
                    () -> plugin.callBuffers("echo", buffer, null), () -> plugin.function(null),
                    () -> function.callBits((long[]) null), () -> lease.read(null, 0, 1),
                    () -> lease.write("memory", 0, null), () -> new PluginRegistry(null),
                    () -> new HostFunction("m", "n", null, ValueType.I32, call -> { }),
                    () -> new HostFunction("m", "n", Arrays.asList(), ValueType.I32, null));
            for (Action use : uses) {
                throwing(NullPointerException.class, use);
            }
        }
    }

    void a_text_with_a_zero_or_half_a_character_is_refused_and_not_cut() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo")) {
            for (String wrong : new String[] {"echo\0", "\0", "a\uD834", "\uDD1E", "\uDD1E\uD834", "\uD834x"}) {
                fails(ErrorCode.INVALID_ARGUMENT, () -> registry.load(wrong, fixture("counter"), null));
                fails(ErrorCode.INVALID_ARGUMENT, () -> registry.get(wrong));
                fails(ErrorCode.INVALID_ARGUMENT, () -> plugin.callBytes(wrong, new byte[0]));
                PluginConfig config = new PluginConfig();
                config.canReadTable.add(wrong);
                fails(ErrorCode.INVALID_ARGUMENT, () -> registry.load("x", fixture("counter"), config));
            }
            equal(1L, registry.getSize());
        }
    }

    void arguments_of_other_types_or_numbers_are_a_mismatch() throws Exception {
        RegistryOptions options = hosting("int", call -> call.answerInt(1));
        try (PluginRegistry registry = probing(options); Plugin plugin = registry.get("probe");
                PluginFunction peek = plugin.function("peek"); PluginFunction mix = plugin.function("mix");
                PluginFunction many = plugin.function("many"); PluginFunction three = plugin.function("three64")) {
            List<Action> uses = Arrays.asList(
                    () -> peek.callInt(), () -> peek.callInt(1, 2), () -> peek.callLong(1), () -> peek.callDouble(1),
                    () -> peek.callBits(), () -> peek.callBits(1, 2), () -> peek.call(), () -> peek.call(Value.i64(1)),
                    () -> mix.callInt(1, 2, 3, 4), () -> three.callInt(1, 2, 3), () -> many.callInt(),
                    () -> many.callBits(new long[17]), () -> plugin.call("peek", Value.f32(1)));
            for (Action use : uses) {
                fails(ErrorCode.SIGNATURE_MISMATCH, use);
            }
            equal(17, many.getSignature().params.size());
            Value[] seventeen = new Value[17];
            Arrays.fill(seventeen, Value.i32(1));
            fails(ErrorCode.INVALID_ARGUMENT, () -> plugin.call("many", seventeen));
            throwing(ClassCastException.class, () -> peek.call(Value.i32(16))[0].asLong());
        }
    }

    void a_function_of_another_signature_after_a_reload_is_a_mismatch_until_it_is_looked_up_anew() throws Exception {
        RegistryOptions options = hosting("int", call -> call.answerInt(1));
        try (PluginRegistry registry = new PluginRegistry(options)) {
            registry.load("x", fixture("counter"), null);
            try (Plugin plugin = registry.get("x"); PluginFunction get = plugin.function("get")) {
                equal(0, get.callInt());
                registry.reload("x", fixture("tally"), null, null);
                fails(ErrorCode.FUNCTION_NOT_FOUND, () -> get.callInt());
            }
            registry.load("y", plugin("probe"), null);
            try (Plugin plugin = registry.get("y"); PluginFunction peek = plugin.function("peek")) {
                registry.reload("y", fixture("memory64"), null, null);
                fails(ErrorCode.SIGNATURE_MISMATCH, () -> peek.callInt(1));
            }
        }
    }

    void what_does_not_exist_is_said_so() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo");
                PluginLease lease = plugin.lease()) {
            fails(ErrorCode.NOT_FOUND, () -> registry.get("nobody"));
            fails(ErrorCode.NOT_FOUND, () -> registry.unload("nobody"));
            fails(ErrorCode.NOT_FOUND, () -> registry.reload("nobody", fixture("echo"), null, null));
            fails(ErrorCode.FUNCTION_NOT_FOUND, () -> plugin.function("nothing at all"));
            fails(ErrorCode.FUNCTION_NOT_FOUND, () -> plugin.call("nothing at all"));
            fails(ErrorCode.NOT_FOUND, () -> plugin.revive());
            fails(ErrorCode.NOT_FOUND, () -> lease.memoryBytes("other"));
            fails(ErrorCode.NOT_FOUND, () -> lease.global("other"));
        }
    }

    void buffers_have_to_be_direct_writable_and_apart() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo")) {
            ByteBuffer direct = ByteBuffer.allocateDirect(8);
            ByteBuffer heap = ByteBuffer.allocate(8);
            throwing(IllegalArgumentException.class, () -> plugin.callBuffers("echo", heap, direct));
            throwing(IllegalArgumentException.class, () -> plugin.callBuffers("echo", direct, heap));
            throwing(ReadOnlyBufferException.class,
                    () -> plugin.callBuffers("echo", direct, ByteBuffer.allocateDirect(8).asReadOnlyBuffer()));
            fails(ErrorCode.INVALID_ARGUMENT, () -> plugin.callBuffers("echo", direct, direct.duplicate()));
            ByteBuffer behind = direct.duplicate();
            behind.position(7);
            fails(ErrorCode.INVALID_ARGUMENT, () -> plugin.callBuffers("echo", direct, behind));
            equal(0, plugin.callBuffers("echo", ByteBuffer.allocateDirect(0), ByteBuffer.allocateDirect(0)));
        }
    }

    void numbers_that_make_no_sense_are_refused() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo");
                PluginLease lease = plugin.lease(); PluginCall call = plugin.startBytes(null, "echo", new byte[1])) {
            PluginConfig config = new PluginConfig();
            config.fuelLimit = -2;
            fails(ErrorCode.INVALID_ARGUMENT, () -> registry.load("x", fixture("counter"), config));
            config.fuelLimit = 1;
            config.expectedSha256 = new byte[31];
            fails(ErrorCode.INVALID_ARGUMENT, () -> registry.load("x", fixture("counter"), config));
            config.expectedSha256 = null;
            config.maxInstances = 0;
            throwing(PluginException.class, () -> registry.load("x", fixture("counter"), config));
            config.maxInstances = -1;
            throwing(PluginException.class, () -> registry.load("x", fixture("counter"), config));
            CallOptions options = new CallOptions();
            options.timeoutMs = -7;
            fails(ErrorCode.INVALID_ARGUMENT, () -> plugin.callWith(options, "trap"));
            Quota quota = new Quota();
            quota.maxPlugins = Long.MIN_VALUE;
            fails(ErrorCode.INVALID_ARGUMENT, () -> registry.setQuota("x", quota));
            fails(ErrorCode.INVALID_ARGUMENT, () -> call.run(-1));
            fails(ErrorCode.INVALID_ARGUMENT, () -> lease.read("memory", 0, -1));
            fails(ErrorCode.LIMIT_EXCEEDED, () -> lease.read("memory", -1, 1));
            fails(ErrorCode.LIMIT_EXCEEDED, () -> lease.write("memory", Long.MAX_VALUE, new byte[1]));
            fails(ErrorCode.INVALID_ARGUMENT, () -> registry.createIndex("x", "i", "t", -1, 1));
            fails(ErrorCode.INVALID_ARGUMENT, () -> registry.createCollection("x", "c", "t", -1, Distance.DOT));
        }
    }

    void ranges_of_arrays_are_checked_in_callbacks() throws Exception {
        HostCallback callback = call -> {
            byte[] four = new byte[4];
            throwing(IndexOutOfBoundsException.class, () -> call.readInto(0, four, 3, 2));
            throwing(IndexOutOfBoundsException.class, () -> call.readInto(0, four, -1, 2));
            throwing(IndexOutOfBoundsException.class, () -> call.writeFrom(0, four, 4, 1));
            throwing(IndexOutOfBoundsException.class, () -> call.writeFrom(0, four, Integer.MAX_VALUE, 2));
            throwing(IndexOutOfBoundsException.class, () -> call.getInt(1));
            fails(ErrorCode.INVALID_ARGUMENT, () -> call.charge(-1));
            fails(ErrorCode.INVALID_ARGUMENT, () -> call.chargeBytes(-1));
            throwing(NullPointerException.class, () -> call.getSetting(null));
            call.answerInt(3);
        };
        try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe")) {
            equal(3, plugin.call("int", Value.i32(1))[0].asInt());
        }
    }

    void a_registry_with_two_functions_of_one_name_does_not_come_about() throws Exception {
        RegistryOptions options = hosting("int", call -> call.answerInt(1));
        options.functions.add(options.functions.get(1));
        fails(ErrorCode.TABLE_FULL, () -> new PluginRegistry(options));
        RegistryOptions wrong = new RegistryOptions();
        wrong.functions.add(new HostFunction("env", "x", Arrays.asList(ValueType.NONE), ValueType.I32, call -> { }));
        fails(ErrorCode.INVALID_ARGUMENT, () -> new PluginRegistry(wrong));
    }

    void a_call_is_asked_for_nothing_that_it_has_not() throws Exception {
        try (PluginRegistry registry = with("kernels"); Plugin plugin = registry.get("kernels");
                PluginCall call = plugin.start("fib", Value.i32(5))) {
            fails(ErrorCode.NOT_READY, () -> call.getResults());
            fails(ErrorCode.NOT_READY, () -> call.getAnswer());
            fails(ErrorCode.NOT_FOUND, () -> call.complete(1, Value.i32(1), null));
            fails(ErrorCode.NOT_FOUND, () -> call.fail(1, HostStatus.FAILED));
            equal(Progress.FINISHED, call.run(1_000_000));
            fails(ErrorCode.NOT_READY, () -> call.run(1));
            equal(5, call.getResults()[0].asInt());
        }
    }

    void a_callback_that_answers_later_in_a_plain_call_gets_to_hear_that_it_cannot() throws Exception {
        HostCallback callback = call -> {
            equal(false, call.canAnswerLater());
            call.answerLater(1);
        };
        try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe")) {
            equal(-6, plugin.call("int", Value.i32(1))[0].asInt());
        }
    }
}
