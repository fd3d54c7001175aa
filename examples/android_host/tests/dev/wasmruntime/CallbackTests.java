package dev.wasmruntime;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** From plugins to Java. */
final class CallbackTests extends Suite {
    // --- host functions

    void a_host_function_gets_arguments_of_every_type_in_order() throws Exception {
        HostCallback mix = call -> call.answerDouble(
                call.getInt(0) + 10.0 * call.getLong(1) + 100.0 * call.getFloat(2) + 1000.0 * call.getDouble(3));
        try (PluginRegistry registry = probing("mix", mix); Plugin plugin = registry.get("probe")) {
            Value[] answer = plugin.call("mix", Value.i32(-1), Value.i64(-2), Value.f32(-3), Value.f64(-4));
            equal(-4321.0, answer[0].asDouble());
        }
    }

    void a_host_function_answers_every_type() throws Exception {
        try (PluginRegistry registry = probing("int", call -> call.answerInt(call.getInt(0) - 1));
                Plugin plugin = registry.get("probe"); PluginFunction function = plugin.function("int")) {
            equal(Integer.MAX_VALUE, function.callInt(Integer.MIN_VALUE));
        }
        try (PluginRegistry registry = probing("long", call -> call.answerLong(-call.getLong(0)));
                Plugin plugin = registry.get("probe"); PluginFunction function = plugin.function("long")) {
            equal(-(1L << 40), function.callLong(1L << 40));
        }
        try (PluginRegistry registry = probing("float", call -> call.answerFloat(2 * call.getFloat(0)));
                Plugin plugin = registry.get("probe")) {
            equal(Value.f32(-3), plugin.call("float", Value.f32(-1.5f))[0]);
        }
        AtomicInteger calls = new AtomicInteger();
        try (PluginRegistry registry = probing("nothing", call -> calls.incrementAndGet());
                Plugin plugin = registry.get("probe"); PluginFunction function = plugin.function("nothing")) {
            function.callInt();
            equal(1, calls.get());
        }
    }

    void a_host_function_reads_and_writes_the_plugin_s_memory() throws Exception {
        HostCallback bytes = call -> {
            int at = call.getInt(0);
            equal(TEXT, call.readText(at, call.getInt(1)));
            equal(new byte[] {'a', 0, 'b'}, call.readBytes(at + TEXT_BYTES, 3));
            byte[] part = {9, 9, 9, 9};
            call.readInto(at, part, 1, 2);
            equal(new byte[] {9, 'h', (byte) 0xc3, 9}, part);
            call.writeBytes(100, new byte[] {5, 6});
            call.writeFrom(102, new byte[] {1, 7, 8}, 1, 1);
            equal(0, call.readBytes(65_536, 0).length);
            call.answerInt(1);
        };
        try (PluginRegistry registry = probing("bytes", bytes); Plugin plugin = registry.get("probe");
                PluginLease lease = plugin.lease()) {
            equal(1, lease.call("bytes", Value.i32(TEXT_AT), Value.i32(TEXT_BYTES))[0].asInt());
            equal(new byte[] {5, 6, 7, 0}, lease.read("memory", 100, 4));
        }
    }

    void what_lies_outside_of_the_memory_is_minus_3_for_the_plugin() throws Exception {
        List<HostCallback> wrong = Arrays.asList(
                call -> call.readBytes(call.getInt(0), call.getInt(1)),
                call -> call.readInto(call.getInt(0), new byte[8], 0, 8),
                call -> call.writeBytes(call.getInt(0), new byte[8]),
                call -> call.readText(call.getInt(0), -1),
                call -> call.readText(0, Integer.MAX_VALUE));
        for (HostCallback callback : wrong) {
            try (PluginRegistry registry = probing("bytes", callback); Plugin plugin = registry.get("probe");
                    PluginFunction function = plugin.function("bytes")) {
                equal(-3, function.callInt(65_535, 8));
                equal(-3, function.callInt(-1, 8));
            }
        }
    }

    void a_status_goes_to_the_plugin_or_ends_its_call() throws Exception {
        AtomicReference<HostStatus> status = new AtomicReference<>();
        HostCallback callback = call -> {
            throw new HostException(status.get());
        };
        try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe");
                PluginFunction function = plugin.function("int")) {
            for (HostStatus each : HostStatus.values()) {
                status.set(each);
                if (each.number >= -7) {
                    equal(each.number, function.callInt(1));
                } else {
                    PluginException error = throwing(PluginException.class, () -> function.callInt(1));
                    equal(each == HostStatus.ABORT ? "HOST" : each.name(), error.getCode().name());
                    equal(null, error.getCause());
                }
            }
        }
    }

    void a_host_function_is_paid_for_and_may_look_at_the_clock() throws Exception {
        HostCallback callback = call -> {
            long before = call.getFuelLeft();
            call.charge(1_000);
            call.chargeBytes(640);
            equal(before - 1_000 - 10 * 3, call.getFuelLeft());
            call.checkpoint();
            equal(99L, call.getTag());
            call.charge(call.getFuelLeft() + 1);
        };
        RegistryOptions options = hosting("int", callback);
        for (HostFunction function : options.functions) {
            function.fuelPer64Bytes = 3;
        }
        try (PluginRegistry registry = probing(options); Plugin plugin = registry.get("probe")) {
            CallOptions tagged = new CallOptions();
            tagged.tag = 99;
            fails(ErrorCode.OUT_OF_FUEL, () -> plugin.callWith(tagged, "int", Value.i32(1)));
        }
    }

    void a_host_function_needs_its_grant() throws Exception {
        RegistryOptions options = hosting("int", call -> call.answerInt(8));
        options.functions.get(1).customGrant = "fühler-\uD834\uDD1E";
        PluginConfig config = generous();
        try (PluginRegistry registry = new PluginRegistry(options)) {
            registry.load("without", plugin("probe"), config);
            config.customGrants.add("fühler-\uD834\uDD1E");
            registry.load("with", plugin("probe"), config);
            config.customGrants.clear();
            config.trapOnDenied = true;
            registry.load("trapping", plugin("probe"), config);
            equal(-1, registry.get("without").call("int", Value.i32(1))[0].asInt());
            equal(8, registry.get("with").call("int", Value.i32(1))[0].asInt());
            fails(ErrorCode.DENIED, () -> registry.get("trapping").call("int", Value.i32(1)));
        }
    }

    // --- exceptions

    void an_exception_ends_the_plugin_s_call_and_is_the_cause_outside() throws Exception {
        Exception checked = new IOException("the sensor is gone");
        HostCallback callback = call -> {
            if (call.getInt(0) == 1) {
                throw checked;
            }
            call.answerInt(call.getInt(0));
        };
        try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe");
                PluginFunction function = plugin.function("int"); PluginLease lease = plugin.lease()) {
            Value one = Value.i32(1);
            caused(checked, () -> function.callInt(1));
            caused(checked, () -> function.callBits(1));
            caused(checked, () -> function.call(one));
            caused(checked, () -> plugin.call("int", one));
            caused(checked, () -> lease.call("int", one));
            caused(checked, () -> plugin.callBytes("ask", new byte[1]));
            equal(2, function.callInt(2));
            equal(3, lease.call("int", Value.i32(3))[0].asInt());
            try (PluginCall call = plugin.start("int", one)) {
                caused(checked, () -> call.run(1_000_000));
            }
        }
    }

    private static void caused(Throwable cause, Action action) throws Exception {
        PluginException error = fails(ErrorCode.HOST, action);
        check(error.getCause() == cause, "the cause is " + error.getCause());
        check(error.getMessage().contains("callback"), error.getMessage());
    }

    void an_exception_while_a_sandbox_is_made_is_the_cause_of_the_load_and_of_the_reload() throws Exception {
        RuntimeException wrong = new IllegalStateException("not now");
        AtomicReference<RuntimeException> thrown = new AtomicReference<>(wrong);
        HostCallback callback = call -> {
            if (thrown.get() != null) {
                throw thrown.get();
            }
            call.answerInt(10 * call.getInt(0));
        };
        try (PluginRegistry registry = new PluginRegistry(hosting("int", callback))) {
            caused(wrong, () -> registry.load("starter", plugin("starter"), null));
            thrown.set(null);
            registry.load("starter", plugin("starter"), null);
            equal(70, registry.get("starter").call("got_it")[0].asInt());
            thrown.set(wrong);
            caused(wrong, () -> registry.reload("starter", plugin("starter"), null, null));
            equal(70, registry.get("starter").call("got_it")[0].asInt());
        }
    }

    void a_callback_that_used_the_library_can_throw_and_answer_as_before() throws Exception {
        RuntimeException wrong = new IllegalStateException("afterwards");
        AtomicReference<PluginRegistry> there = new AtomicReference<>();
        HostCallback callback = call -> {
            fails(ErrorCode.NOT_FOUND, () -> there.get().get("nobody"));
            equal(1L, there.get().getSize());
            if (call.getInt(0) == 1) {
                throw wrong;
            }
            throw new HostException(HostStatus.LIMIT_REACHED);
        };
        try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe")) {
            there.set(registry);
            caused(wrong, () -> plugin.call("int", Value.i32(1)));
            equal(-5, plugin.call("int", Value.i32(2))[0].asInt());
        }
    }

    void errors_of_the_virtual_machine_are_causes_too() throws Exception {
        HostCallback endless = new HostCallback() {
            @Override
            public void call(HostCall call) throws Exception {
                call(call);
            }
        };
        try (PluginRegistry registry = probing("int", endless); Plugin plugin = registry.get("probe")) {
            PluginException error = fails(ErrorCode.HOST, () -> plugin.call("int", Value.i32(1)));
            check(error.getCause() instanceof StackOverflowError, "" + error.getCause());
        }
        OutOfMemoryError full = new OutOfMemoryError("as if");
        HostCallback callback = call -> {
            throw full;
        };
        try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe")) {
            caused(full, () -> plugin.call("int", Value.i32(1)));
        }
    }

    void a_plugin_that_gets_over_the_failure_of_another_throws_nothing() throws Exception {
        HostCallback callback = call -> {
            throw new IllegalStateException("in the plugin that is called");
        };
        PluginConfig config = generous();
        config.canCallPlugin.add("*");
        try (PluginRegistry registry = new PluginRegistry(hosting("int", callback))) {
            registry.load("probe", plugin("probe"), config);
            registry.load("caller", fixture("caller"), config);
            try (Plugin caller = registry.get("caller")) {
                byte[] report = caller.callBytes("explain", utf8("probe\0ask\0?"));
                equal((byte) -7, report[0]);
                fails(ErrorCode.FUNCTION_NOT_FOUND, () -> caller.call("no such"));
                // Its own failure is not the other's.
                PluginException error =
                        fails(ErrorCode.BAD_GUEST_ANSWER, () -> caller.callBytes("relay", utf8("probe\0ask\0?")));
                equal(null, error.getCause());
            }
        }
    }

    void a_callback_that_gives_no_answer_or_another_type_ends_the_call() throws Exception {
        List<HostCallback> wrong = Arrays.asList(
                call -> { }, call -> call.answerLong(1), call -> call.answerDouble(call.getDouble(0)));
        for (HostCallback callback : wrong) {
            try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe")) {
                PluginException error = fails(ErrorCode.HOST, () -> plugin.call("int", Value.i32(1)));
                check(error.getCause() instanceof IllegalStateException, "" + error.getCause());
            }
        }
    }

    // --- what a callback may do

    void a_callback_may_do_everything_but_run_a_plugin() throws Exception {
        AtomicReference<PluginRegistry> there = new AtomicReference<>();
        AtomicReference<PluginCall> started = new AtomicReference<>();
        byte[] counter = fixture("counter");
        HostCallback callback = call -> {
            PluginRegistry registry = there.get();
            Plugin probe = registry.get("probe");
            PluginFunction function = probe.function("int");
            List<Action> running = Arrays.asList(
                    () -> registry.load("other", counter, null),
                    () -> registry.loadFile("other", "x", null),
                    () -> registry.reload("probe", counter, null, null),
                    () -> registry.rollback("probe"),
                    () -> probe.call("peek", Value.i32(0)),
                    () -> probe.callBytes("ask", new byte[0]),
                    () -> function.callInt(1),
                    () -> probe.start("peek", Value.i32(0)),
                    () -> started.get().run(1),
                    () -> probe.lease());
            for (Action action : running) {
                fails(ErrorCode.REENTRANT, action);
            }
            registry.put("default", "t", new byte[] {1}, utf8("row"));
            equal("row", text(registry.getRow("default", "t", new byte[] {1})));
            equal(PluginState.EXECUTING, probe.getState());
            registry.admit(counter, null);
            registry.unload("spare");
            function.close();
            probe.close();
            started.get().close();
            call.answerInt(77);
        };
        try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe")) {
            there.set(registry);
            registry.load("spare", counter, null);
            started.set(plugin.start("peek", Value.i32(0)));
            equal(77, plugin.call("int", Value.i32(1))[0].asInt());
            equal(Collections.singletonList("probe"), registry.getNames());
        }
    }

    void a_callback_may_unload_and_close_what_called_it() throws Exception {
        AtomicReference<PluginRegistry> there = new AtomicReference<>();
        AtomicReference<Plugin> self = new AtomicReference<>();
        HostCallback callback = call -> {
            there.get().unload("probe");
            self.get().close();
            there.get().close();
            call.answerInt(5);
        };
        there.set(probing("int", callback));
        self.set(there.get().get("probe"));
        equal(5, self.get().call("int", Value.i32(1))[0].asInt());
        fails(ErrorCode.INVALID_HANDLE, () -> self.get().call("int", Value.i32(1)));
    }

    void a_host_call_that_is_over_or_another_thread_s_is_refused() throws Exception {
        AtomicReference<HostCall> kept = new AtomicReference<>();
        AtomicReference<Throwable> elsewhere = new AtomicReference<>();
        HostCallback callback = call -> {
            kept.set(call);
            Thread other = new Thread(() -> {
                try {
                    call.readBytes(0, 1);
                } catch (Throwable thrown) {
                    elsewhere.set(thrown);
                }
            });
            other.start();
            other.join();
            call.answerInt(1);
        };
        try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe")) {
            plugin.call("int", Value.i32(1));
            check(elsewhere.get() instanceof IllegalStateException, "" + elsewhere.get());
            HostCall over = kept.get();
            List<Action> uses = Arrays.asList(
                    () -> over.getInt(0), () -> over.answerInt(1), () -> over.readBytes(0, 1),
                    () -> over.writeBytes(0, new byte[1]), () -> over.charge(1), () -> over.chargeBytes(1),
                    () -> over.checkpoint(), () -> over.getFuelLeft(), () -> over.getTag(), () -> over.getPlugin(),
                    () -> over.getTenant(), () -> over.getSetting("x"), () -> over.answerLater(1),
                    () -> over.answerTo(0, 1),
                    () -> over.canAnswerLater());
            for (Action use : uses) {
                throwing(IllegalStateException.class, use);
            }
        }
    }

    // --- storage and the other callbacks of a host

    /** Rows by table and key, the key as text. */
    private static final class Rows implements Storage {
        final Map<String, TreeMap<String, byte[]>> tables = new HashMap<>();
        Exception fault;

        TreeMap<String, byte[]> table(String name) {
            return tables.computeIfAbsent(name, none -> new TreeMap<>());
        }

        private void mayFail() throws Exception {
            if (fault != null) {
                throw fault;
            }
        }

        @Override
        public byte[] read(HostCall call, String table, byte[] key) throws Exception {
            mayFail();
            return table(table).get(text(key));
        }

        @Override
        public void scan(HostCall call, String table, byte[] from, int limit, Storage.Rows rows) throws Exception {
            mayFail();
            for (Map.Entry<String, byte[]> row : table(table).tailMap(text(from)).entrySet()) {
                if (!rows.add(utf8(row.getKey()), row.getValue())) {
                    return;
                }
            }
        }

        @Override
        public boolean write(HostCall call, String table, byte[] key, byte[] value) throws Exception {
            mayFail();
            return table(table).put(text(key), value) != null;
        }

        @Override
        public boolean delete(HostCall call, String table, byte[] key) throws Exception {
            mayFail();
            return table(table).remove(text(key)) != null;
        }
    }

    void plugins_use_tables_of_java_s() throws Exception {
        Rows rows = new Rows();
        rows.table("flüsse").put("Donau", utf8("2850"));
        rows.table("flüsse").put("Nil", utf8("6650"));
        RegistryOptions options = new RegistryOptions();
        options.storage = rows;
        PluginConfig config = generous();
        config.canReadTable.add("*");
        config.canWriteTable.add("*");
        try (PluginRegistry registry = new PluginRegistry(options)) {
            registry.load("sum", fixture("aggregate"), config);
            try (Plugin plugin = registry.get("sum")) {
                equal("count=2 sum=9500 min=2850 max=6650", text(plugin.callBytes("sum", utf8("flüsse"))));
            }
            registry.load("probe", fixture("abi_probe"), config);
            try (Plugin plugin = registry.get("probe"); PluginLease lease = plugin.lease()) {
                lease.write("memory", 0, utf8("tkv"));
                Value[] write = i32s(0, 1, 1, 1, 2, 1);
                equal(0, lease.call("call_soch_write", write)[0].asInt());
                equal(1, lease.call("call_soch_write", write)[0].asInt());
                equal(utf8("v"), rows.table("t").get("k"));
                equal(1, lease.call("call_soch_read", i32s(0, 1, 1, 1, 64, 8))[0].asInt());
                equal(utf8("v"), lease.read("memory", 64, 1));
                equal(-2, lease.call("call_soch_read", i32s(0, 1, 2, 1, 64, 8))[0].asInt());
                // One row of 10 bytes fits, and no second.
                rows.table("t").put("l", utf8("w"));
                equal(10, lease.call("call_soch_scan", i32s(0, 1, 0, 0, 9, 64, 19))[0].asInt());
                equal(20, lease.call("call_soch_scan", i32s(0, 1, 0, 0, -1, 64, 64))[0].asInt());
                equal(10, lease.call("call_soch_scan", i32s(0, 1, 0, 0, 1, 64, 64))[0].asInt());
                equal(-5, lease.call("call_soch_scan", i32s(0, 1, 0, 0, 9, 64, 9))[0].asInt());
                equal(1, lease.call("call_soch_delete", i32s(0, 1, 1, 1))[0].asInt());
                equal(-2, lease.call("call_soch_delete", i32s(0, 1, 1, 1))[0].asInt());
            }
        }
    }

    void what_storage_throws_is_a_status_or_the_cause() throws Exception {
        Rows rows = new Rows();
        RegistryOptions options = new RegistryOptions();
        options.storage = rows;
        PluginConfig config = generous();
        config.canReadTable.add("*");
        config.canWriteTable.add("*");
        Map<String, Value[]> calls = new TreeMap<>();
        calls.put("call_soch_read", i32s(0, 1, 1, 1, 64, 8));
        calls.put("call_soch_scan", i32s(0, 1, 0, 0, 9, 64, 64));
        calls.put("call_soch_write", i32s(0, 1, 1, 1, 2, 1));
        calls.put("call_soch_delete", i32s(0, 1, 1, 1));
        try (PluginRegistry registry = new PluginRegistry(options)) {
            registry.load("probe", fixture("abi_probe"), config);
            try (Plugin plugin = registry.get("probe")) {
                for (Map.Entry<String, Value[]> call : calls.entrySet()) {
                    rows.fault = new HostException(HostStatus.FAILED);
                    equal(-4, plugin.call(call.getKey(), call.getValue())[0].asInt());
                    rows.fault = new IOException("the disk");
                    caused(rows.fault, () -> plugin.call(call.getKey(), call.getValue()));
                }
            }
        }
    }

    private static Value[] i32s(int... numbers) {
        Value[] values = new Value[numbers.length];
        for (int at = 0; at < numbers.length; at++) {
            values[at] = Value.i32(numbers[at]);
        }
        return values;
    }

    void settings_metrics_lines_and_events_go_to_java() throws Exception {
        List<String> heard = new ArrayList<>();
        RegistryOptions options = new RegistryOptions();
        options.settings = (call, name) -> name.equals("greeting") ? "grüß-\uD834\uDD1E" : null;
        options.metrics = (call, kind, name, value, labels) ->
                heard.add(kind + " " + name + " " + value + " " + labels);
        options.log = (call, level, line) -> heard.add(level + " " + call.getPlugin() + " " + line);
        options.events = event -> heard.add(event.decision + " " + event.plugin + " " + event.status);
        PluginConfig config = generous();
        try (PluginRegistry registry = new PluginRegistry(options)) {
            registry.load("start", fixture("start"), config);
            equal(Arrays.asList("INFO start started", "LOAD start 0"), heard.subList(0, 2));
            try (Plugin plugin = registry.get("start")) {
                equal(utf8("grüß-\uD834\uDD1E").length, plugin.call("config_status")[0].asInt());
            }
            registry.load("probe", fixture("abi_probe"), config);
            try (Plugin plugin = registry.get("probe"); PluginLease lease = plugin.lease()) {
                lease.write("memory", 0, new byte[] {'n', 1, 0, 0, 0, 'l', 2, 0, 0, 0, (byte) 0xc3, (byte) 0xbc});
                Value[] metric = {
                    Value.i32(2), Value.i32(0), Value.i32(1), Value.f64(-2.5), Value.i32(1), Value.i32(11)};
                equal(0, lease.call("call_emit_metric", metric)[0].asInt());
                equal("HISTOGRAM n -2.5 {l=ü}", heard.get(heard.size() - 1));
            }
            registry.unload("probe");
            equal("UNLOAD probe 0", heard.get(heard.size() - 1));
        }
    }

    void the_log_of_the_library_goes_to_java_down_to_its_level() throws Exception {
        List<String> lines = Collections.synchronizedList(new ArrayList<>());
        PluginConfig config = generous();
        config.debugMode = true;
        try (PluginRegistry registry = new PluginRegistry()) {
            WasmRuntime.setLog(LogLevel.DEBUG, (level, line) -> lines.add(level + " " + line));
            registry.load("traps-\uD83D\uDE00", fixture("misbehaving/traps"), config);
            try (Plugin plugin = registry.get("traps-\uD83D\uDE00")) {
                fails(ErrorCode.TRAP, () -> plugin.call("unreachable"));
                check(lines.toString().contains("traps-\uD83D\uDE00"), lines.toString());
                WasmRuntime.setLog(LogLevel.OFF, null);
                lines.clear();
                fails(ErrorCode.TRAP, () -> plugin.call("unreachable"));
                equal(0, lines.size());
            }
        } finally {
            WasmRuntime.setLog(LogLevel.OFF, null);
        }
    }

    void what_listeners_throw_is_printed_and_disturbs_nobody() throws Exception {
        PrintStream before = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setErr(new PrintStream(printed, true));
        RegistryOptions options = new RegistryOptions();
        options.events = event -> {
            throw new IOException("a listener's own");
        };
        WasmRuntime.setLog(LogLevel.DEBUG, (level, line) -> {
            throw new IOException("another's");
        });
        PluginConfig config = generous();
        config.debugMode = true;
        try (PluginRegistry registry = new PluginRegistry(options)) {
            registry.load("traps", fixture("misbehaving/traps"), config);
            try (Plugin plugin = registry.get("traps")) {
                equal(null, fails(ErrorCode.TRAP, () -> plugin.call("unreachable")).getCause());
                plugin.call("ping");
            }
        } finally {
            WasmRuntime.setLog(LogLevel.OFF, null);
            System.setErr(before);
        }
        check(printed.toString().contains("a listener's own"), printed.toString());
        check(printed.toString().contains("another's"), printed.toString());
    }

    void a_hundred_thousand_host_calls_in_one_call_leave_no_references_behind() throws Exception {
        AtomicInteger calls = new AtomicInteger();
        HostCallback callback = call -> {
            calls.incrementAndGet();
            call.answerDouble(call.getFloat(2));
        };
        try (PluginRegistry registry = probing("mix", callback); Plugin plugin = registry.get("probe");
                PluginFunction often = plugin.function("mix_often")) {
            often.callInt(100_000);
            equal(100_000, calls.get());
        }
        Rows rows = new Rows();
        rows.table("t").put("k", utf8("value"));
        RegistryOptions options = new RegistryOptions();
        options.storage = rows;
        PluginConfig config = generous();
        config.canReadTable.add("*");
        try (PluginRegistry registry = new PluginRegistry(options)) {
            registry.load("probe", fixture("abi_probe"), config);
            try (Plugin plugin = registry.get("probe"); PluginLease lease = plugin.lease()) {
                lease.write("memory", 0, utf8("tk"));
                equal(5, lease.call("loop_soch_read", i32s(50_000, 0, 1, 1, 1, 64, 8))[0].asInt());
            }
        }
    }
}
