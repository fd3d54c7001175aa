package dev.wasmruntime;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Calls of every kind, as they are meant. */
final class CallTests extends Suite {
    void values_of_every_type_go_in_and_come_out() throws Exception {
        try (PluginRegistry registry = with("no_memory"); Plugin plugin = registry.get("no_memory")) {
            equal(42, plugin.call("add", Value.i32(20), Value.i32(22))[0].asInt());
            equal(Long.MIN_VALUE, plugin.call("add64", Value.i64(Long.MAX_VALUE), Value.i64(1))[0].asLong());
            equal(7.5f, plugin.call("scale", Value.f32(2.5f), Value.f32(3))[0].asFloat());
            equal(-0.25, plugin.call("halve", Value.f64(-0.5))[0].asDouble());
            Value[] mixed = plugin.call("mixed", Value.i32(-1), Value.i64(2), Value.f32(3), Value.f64(4));
            equal(-1.0 + 20 + 300 + 4000, mixed[0].asDouble());
            equal(0, plugin.call("nothing").length);
        }
    }

    void a_function_that_was_looked_up_is_called_without_objects() throws Exception {
        RegistryOptions options = hosting("int", call -> call.answerInt(1));
        try (PluginRegistry registry = probing(options); Plugin plugin = registry.get("probe")) {
            registry.load("pure", fixture("no_memory"), null);
            try (Plugin pure = registry.get("pure"); PluginFunction add = pure.function("add");
                    PluginFunction add64 = pure.function("add64"); PluginFunction halve = pure.function("halve");
                    PluginFunction nothing = pure.function("nothing"); PluginFunction mixed = pure.function("mixed");
                    PluginFunction peek = plugin.function("peek"); PluginFunction four = plugin.function("four");
                    PluginFunction three = plugin.function("three64")) {
                equal(-3, add.callInt(-1, -2));
                equal(1L << 40, add64.callLong(1L << 39, 1L << 39));
                equal(0.25, halve.callDouble(0.5));
                equal(0, nothing.callInt());
                equal(0L, nothing.callLong());
                equal(0.0, nothing.callDouble());
                equal((int) 'h', peek.callInt(16));
                equal(2 * 3 - 4 * 5, four.callInt(2, 3, 4, 5));
                equal(7L - 8 * 9, three.callLong(7, 8, 9));
                long bits = mixed.callBits(-1, 2, Float.floatToRawIntBits(3), Double.doubleToRawLongBits(4));
                equal(4319.0, Double.longBitsToDouble(bits));
            }
        }
    }

    void a_function_knows_its_signature() throws Exception {
        try (PluginRegistry registry = with("no_memory"); Plugin plugin = registry.get("no_memory");
                PluginFunction mixed = plugin.function("mixed")) {
            List<ValueType> params = Arrays.asList(ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64);
            equal(params, mixed.getSignature().params);
            equal(Collections.singletonList(ValueType.F64), plugin.signature("mixed").results);
            equal("mixed", mixed.getName());
            equal(Arrays.asList("add", "add64", "halve", "mixed", "nothing", "scale"), plugin.getFunctions());
        }
    }

    void several_results_come_in_order() throws Exception {
        try (PluginRegistry registry = with("multi_value"); Plugin plugin = registry.get("multi_value")) {
            Value[] types = plugin.call("types");
            equal(4, types.length);
            equal(ValueType.I32, types[0].getType());
            equal(ValueType.I64, types[1].getType());
            equal(ValueType.F32, types[2].getType());
            equal(ValueType.F64, types[3].getType());
            equal(16, plugin.call("sixteen", Value.i32(1)).length);
        }
    }

    void a_not_a_number_keeps_its_bits() throws Exception {
        try (PluginRegistry registry = probing("double", call -> call.answerDouble(call.getDouble(0)));
                Plugin plugin = registry.get("probe"); PluginFunction function = plugin.function("double")) {
            long quiet = 0x7ff8_0000_0000_1234L;
            equal(quiet, function.callBits(quiet));
        }
    }

    void references_of_the_host_are_handed_back_as_they_were() throws Exception {
        try (PluginRegistry registry = with("externref"); Plugin plugin = registry.get("externref")) {
            equal(Value.externref(-5), plugin.call("identity", Value.externref(-5))[0]);
            equal(0L, plugin.call("null")[0].asExternref());
        }
    }

    void bytes_go_in_and_come_out() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo")) {
            byte[] bytes = new byte[50_000];
            for (int at = 0; at < bytes.length; at++) {
                bytes[at] = (byte) (at * 31);
            }
            equal(bytes, plugin.callBytes("echo", bytes));
            equal(bytes, plugin.callBytes("copy", bytes));
            equal(new byte[0], plugin.callBytes("echo", new byte[0]));
            equal(new byte[] {3, 0, 0, 0}, plugin.callBytes("length", new byte[3]));
        }
    }

    void bytes_go_between_direct_buffers_from_and_to_their_positions() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo")) {
            ByteBuffer input = ByteBuffer.allocateDirect(8);
            ByteBuffer output = ByteBuffer.allocateDirect(8);
            input.put(new byte[] {1, 2, 3, 4, 5}).flip();
            input.position(1);
            output.position(2);
            equal(4, plugin.callBuffers("echo", input, output));
            equal(0, input.remaining());
            equal(6, output.position());
            byte[] all = new byte[8];
            output.clear();
            output.get(all);
            equal(new byte[] {0, 0, 2, 3, 4, 5, 0, 0}, all);
        }
    }

    void a_part_of_a_buffer_may_be_beside_another_part_of_it() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo")) {
            ByteBuffer whole = ByteBuffer.allocateDirect(8);
            whole.put(new byte[] {1, 2, 3, 4}).flip();
            ByteBuffer input = whole.duplicate();
            whole.limit(8).position(4);
            equal(4, plugin.callBuffers("echo", input, whole));
            equal((byte) 4, whole.get(7));
        }
    }

    void an_answer_that_does_not_fit_its_buffer_is_an_error_and_the_positions_stay() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo")) {
            ByteBuffer input = ByteBuffer.allocateDirect(8);
            ByteBuffer output = ByteBuffer.allocateDirect(7);
            fails(ErrorCode.LIMIT_EXCEEDED, () -> plugin.callBuffers("echo", input, output));
            equal(0, input.position());
            equal(0, output.position());
        }
    }

    void a_status_of_the_guest_is_in_the_exception() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo")) {
            byte[] status = {-9, -1, -1, -1};
            PluginException error =
                    fails(ErrorCode.BAD_GUEST_ANSWER, () -> plugin.callBytes("status", status));
            equal(-9, error.getGuestStatus());
            equal(Fault.GUEST, error.getFault());
        }
    }

    void a_trap_is_an_exception_that_says_how_and_the_next_call_answers() throws Exception {
        PluginConfig config = new PluginConfig();
        try (PluginRegistry registry = new PluginRegistry()) {
            registry.load("traps", fixture("misbehaving/traps"), config);
            try (Plugin plugin = registry.get("traps")) {
                equal(1, fails(ErrorCode.TRAP, () -> plugin.call("unreachable")).getTrapCode());
                PluginException error = fails(ErrorCode.TRAP, () -> plugin.call("div_by_zero"));
                equal(5, error.getTrapCode());
                equal(Fault.GUEST, error.getFault());
                check(error.getMessage().contains("`traps`"), error.getMessage());
                equal(1, plugin.call("ping").length);
            }
        }
    }

    void fuel_and_time_end_a_call() throws Exception {
        try (PluginRegistry registry = new PluginRegistry()) {
            PluginConfig hungry = new PluginConfig();
            hungry.timeoutMs = 0;
            registry.load("loop", fixture("misbehaving/endless_loop"), hungry);
            PluginConfig untiring = new PluginConfig();
            untiring.fuelLimit = Long.MAX_VALUE;
            untiring.timeoutMs = 20;
            registry.load("long", fixture("misbehaving/endless_loop"), untiring);
            try (Plugin loop = registry.get("loop"); Plugin last = registry.get("long")) {
                fails(ErrorCode.OUT_OF_FUEL, () -> loop.call("run"));
                fails(ErrorCode.DEADLINE, () -> last.call("run"));
            }
        }
    }

    void options_narrow_one_call() throws Exception {
        try (PluginRegistry registry = with("kernels"); Plugin plugin = registry.get("kernels");
                PluginFunction fib = plugin.function("fib"); PluginLease lease = plugin.lease()) {
            CallOptions options = new CallOptions();
            options.fuel = 100;
            Value twenty = Value.i32(20);
            fails(ErrorCode.OUT_OF_FUEL, () -> plugin.callWith(options, "fib", twenty));
            fails(ErrorCode.OUT_OF_FUEL, () -> fib.callWith(options, twenty));
            fails(ErrorCode.OUT_OF_FUEL, () -> lease.callWith(options, "fib", twenty));
            try (PluginCall call = plugin.startWith(options, "fib", twenty)) {
                fails(ErrorCode.OUT_OF_FUEL, () -> call.run(1_000_000));
            }
            equal(6765, plugin.callWith(new CallOptions(), "fib", twenty)[0].asInt());
        }
    }

    void names_of_any_characters_are_passed_as_they_are() throws Exception {
        String name = "Größe \uD83E\uDD80\uD83D\uDE00 \u00a0\ufffd";
        RegistryOptions options = hosting("größe-\uD834\uDD1E", call -> {
            check(call.getPlugin().equals(name) && call.getTenant().equals("tenant-\uD83D\uDE00"), "who calls");
            equal("\uD834\uDD1E=1", call.getSetting("schlüssel-\uD834\uDD1E"));
            call.answerInt(-call.getInt(0));
        });
        PluginConfig config = generous();
        config.tenant = "tenant-\uD83D\uDE00";
        config.settings.put("schlüssel-\uD834\uDD1E", "\uD834\uDD1E=1");
        try (PluginRegistry registry = new PluginRegistry(options)) {
            registry.load(name, plugin("probe"), config);
            equal(Collections.singletonList(name), registry.getNames());
            try (Plugin plugin = registry.get(name); PluginFunction size = plugin.function("größe-\uD834\uDD1E")) {
                equal(name, plugin.getName());
                equal("tenant-\uD83D\uDE00", plugin.getTenant());
                check(plugin.getFunctions().contains("größe-\uD834\uDD1E"), "the function's name");
                equal(-5, size.callInt(5));
                equal(-6, plugin.call("größe-\uD834\uDD1E", Value.i32(6))[0].asInt());
            }
            PluginException error = fails(ErrorCode.NOT_FOUND, () -> registry.get("\uD83E\uDD80"));
            check(error.getMessage().contains("\uD83E\uDD80"), error.getMessage());
        }
    }

    // --- piece by piece

    void a_started_call_runs_in_pieces() throws Exception {
        try (PluginRegistry registry = with("kernels"); Plugin plugin = registry.get("kernels");
                PluginCall call = plugin.start("fib", Value.i32(15))) {
            int pieces = 1;
            while (call.run(1_000) == Progress.RUNNING) {
                pieces++;
            }
            check(pieces > 10, pieces + " pieces");
            equal(610, call.getResults()[0].asInt());
            equal(610, call.getResults()[0].asInt());
            check(call.getFuelSpent() > 10_000, "fuel " + call.getFuelSpent());
        }
    }

    void a_started_call_of_bytes_has_an_answer() throws Exception {
        try (PluginRegistry registry = with("echo"); Plugin plugin = registry.get("echo");
                PluginCall call = plugin.startBytes(null, "copy", utf8(TEXT))) {
            equal(Progress.FINISHED, call.run(1_000_000));
            equal(TEXT, text(call.getAnswer()));
        }
    }

    // --- leases

    void a_lease_holds_one_sandbox() throws Exception {
        try (PluginRegistry registry = with("counter"); Plugin plugin = registry.get("counter");
                PluginLease first = plugin.lease(); PluginLease second = plugin.lease()) {
            first.call("add", Value.i32(5));
            equal(5, first.call("get")[0].asInt());
            equal(0, second.call("get")[0].asInt());
            equal(new byte[] {5, 0, 0, 0}, first.read("memory", 16, 4));
            equal(PluginState.EXECUTING, plugin.getState());
            equal(65_536L, first.memoryBytes("memory"));
            equal(1L, first.grow("memory", 1));
            equal(131_072L, first.memoryBytes("memory"));
            first.write("memory", 131_070, new byte[] {8, 9});
            equal(new byte[] {8, 9}, first.read("memory", 131_070, 2));
            fails(ErrorCode.LIMIT_EXCEEDED, () -> first.read("memory", 131_070, 3));
        }
    }

    void a_lease_answers_globals_and_takes_buffers() throws Exception {
        try (PluginRegistry registry = probing("int", call -> call.answerInt(0)); Plugin plugin = registry.get("probe");
                PluginLease lease = plugin.lease()) {
            equal(Value.i64(42), lease.global("answer"));
            ByteBuffer input = ByteBuffer.allocateDirect(3);
            ByteBuffer output = ByteBuffer.allocateDirect(3);
            equal(3, lease.callBuffers("ask", input, output));
        }
    }
}
