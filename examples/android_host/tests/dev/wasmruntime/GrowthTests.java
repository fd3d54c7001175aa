package dev.wasmruntime;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;

/**
 * What the process takes. To be run by a virtual machine that compiles nothing and has its whole heap from the
 * beginning: its compilers take tens of megabytes when they please, beside which nothing of the shim's would be seen.
 */
final class GrowthTests extends Suite {
    /** A hundred bytes for each plugin that came and went. */
    private static final long MOST_KIB = 1_000;

    /** A cycle takes a sandbox, calls with values, bytes, pieces and a lease, and ends with nothing. */
    void ten_thousand_plugins_that_come_and_go_leave_memory_where_it_was() throws Exception {
        LifeTests.settle(0);
        byte[] wasm = plugin("probe");
        byte[] bytes = new byte[8_000];
        PluginConfig config = generous();
        config.settings.put("setting", new String(new char[2_000]).replace('\0', 'x'));
        RegistryOptions options = hosting("int", call -> call.answerInt(call.readBytes(0, 4_000).length));
        options.events = event -> { };
        try (PluginRegistry registry = new PluginRegistry(options)) {
            for (int turn = 0; turn < 1_000; turn++) {
                comeAndGo(registry, wasm, bytes, config);
            }
            LifeTests.collect();
            long before = residentKib();
            for (int turn = 0; turn < 10_000; turn++) {
                comeAndGo(registry, wasm, bytes, config);
            }
            LifeTests.collect();
            long grown = residentKib() - before;
            Usage usage = registry.usage("default");
            equal(0L, usage.plugins + usage.sandboxes + usage.memoryBytes + usage.heapBytes);
            equal(1, Net.held());
            System.out.print("(" + grown + " KiB) ");
            check(grown < MOST_KIB, "memory grew by " + grown + " KiB");
        }
    }

    private static void comeAndGo(PluginRegistry registry, byte[] wasm, byte[] bytes, PluginConfig config) {
        registry.load("probe", wasm, config);
        try (Plugin plugin = registry.get("probe"); PluginFunction function = plugin.function("int");
                PluginLease lease = plugin.lease(); PluginCall call = plugin.start("int", Value.i32(1));
                CancelToken token = call.cancelToken()) {
            equal(4_000, function.callInt(1));
            equal(bytes.length, plugin.callBytes("ask", bytes).length);
            lease.write("memory", 0, bytes);
            call.run(1_000_000);
            token.cancel();
        }
        registry.unload("probe");
    }

    private static long residentKib() throws IOException {
        String status = new String(Files.readAllBytes(Paths.get("/proc/self/status")), StandardCharsets.UTF_8);
        String line = Arrays.stream(status.split("\n")).filter(one -> one.startsWith("VmRSS:")).findFirst().get();
        return Long.parseLong(line.replaceAll("\\D", ""));
    }
}
