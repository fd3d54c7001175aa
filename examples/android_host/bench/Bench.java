import dev.wasmruntime.HostFunction;
import dev.wasmruntime.Plugin;
import dev.wasmruntime.PluginFunction;
import dev.wasmruntime.PluginRegistry;
import dev.wasmruntime.RegistryOptions;
import dev.wasmruntime.Value;
import dev.wasmruntime.ValueType;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a call costs from Java through the shim, beside the same call from C. {@code Bench FIXTURES PROGRAM}: the
 * program is that of {@code calls.c}. The two take turns, so that a busy machine is busy for both; told is the median.
 */
public final class Bench {
    private static final int TURNS = 200_000;
    private static final int READS = 512;
    private static final int ROUNDS = 3;

    private static final Map<String, String> KINDS = new LinkedHashMap<>();

    static {
        KINDS.put("handle", "add(i32, i32), looked up: callInt");
        KINDS.put("values", "the same: call(Value...)");
        KINDS.put("name", "add(i32, i32) by name: call(Value...)");
        KINDS.put("buffers", "64 bytes there and back: callBuffers");
        KINDS.put("bytes", "64 bytes there and back: callBytes");
        KINDS.put("host_call", "a host function, (i32) -> i32");
    }

    private final Map<String, List<Double>> java = new LinkedHashMap<>();
    private final Map<String, List<Double>> c = new LinkedHashMap<>();

    /** So much that is timed. */
    private interface Work {
        void run();
    }

    public static void main(String[] args) throws Exception {
        Bench bench = new Bench();
        try (PluginRegistry registry = registry()) {
            for (int round = 0; round < ROUNDS; round++) {
                bench.timeJava(registry, args[0]);
                bench.timeC(args[1], args[0]);
            }
        }
        bench.tell();
    }

    private static PluginRegistry registry() {
        RegistryOptions options = new RegistryOptions();
        options.functions.add(new HostFunction("env", "read", Arrays.asList(ValueType.I32), ValueType.I32,
                call -> call.answerInt(call.getInt(0) + 1)));
        return new PluginRegistry(options);
    }

    private void timeJava(PluginRegistry registry, String fixtures) {
        for (String name : new String[] {"no_memory", "echo", "sensor"}) {
            if (!registry.getNames().contains(name)) {
                registry.loadFile(name, fixtures + "/" + name + ".wasm", null);
            }
        }
        try (Plugin pure = registry.get("no_memory"); PluginFunction add = pure.function("add")) {
            time("handle", TURNS, () -> add.callInt(20, 22));
            time("values", TURNS, () -> add.call(Value.i32(20), Value.i32(22)));
            time("name", TURNS, () -> pure.call("add", Value.i32(20), Value.i32(22)));
        }
        try (Plugin echo = registry.get("echo")) {
            ByteBuffer input = ByteBuffer.allocateDirect(64);
            ByteBuffer output = ByteBuffer.allocateDirect(64);
            byte[] bytes = new byte[64];
            time("buffers", TURNS, () -> {
                input.clear();
                output.clear();
                echo.callBuffers("copy", input, output);
            });
            time("bytes", TURNS, () -> echo.callBytes("copy", bytes));
        }
        try (Plugin sensor = registry.get("sensor"); PluginFunction average = sensor.function("average")) {
            time("host_call", TURNS / READS, () -> average.callInt(3, READS));
        }
    }

    private void time(String kind, int turns, Work work) {
        // Once for the compiler.
        for (int pass = 0; pass < 2; pass++) {
            long began = System.nanoTime();
            for (int turn = 0; turn < turns; turn++) {
                work.run();
            }
            double each = (double) (System.nanoTime() - began) / turns;
            if (pass == 1) {
                note(java, kind, kind.equals("host_call") ? each / READS : each);
            }
        }
    }

    /** The program tells each twice; the first is its warming up. */
    private void timeC(String program, String fixtures) throws Exception {
        Process process = new ProcessBuilder(program, fixtures).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        Map<String, Double> last = new LinkedHashMap<>();
        try (BufferedReader lines = new BufferedReader(
                new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split(" ");
                last.put(words[0], Double.parseDouble(words[1]));
            }
        }
        if (process.waitFor() != 0) {
            throw new IllegalStateException(program + " failed");
        }
        last.put("values", last.get("handle"));
        last.forEach((kind, each) -> note(c, kind, each));
    }

    private static void note(Map<String, List<Double>> times, String kind, double each) {
        times.computeIfAbsent(kind, none -> new ArrayList<>()).add(each);
    }

    private void tell() {
        System.out.printf("%-40s %8s %8s %8s%n", "ns for", "C", "Java", "more");
        KINDS.forEach((kind, text) -> {
            double fromC = median(c.get(kind));
            double fromJava = median(java.get(kind));
            System.out.printf("%-40s %8.0f %8.0f %8.0f%n", text, fromC, fromJava, fromJava - fromC);
        });
    }

    private static double median(List<Double> times) {
        Collections.sort(times);
        return times.get(times.size() / 2);
    }
}
