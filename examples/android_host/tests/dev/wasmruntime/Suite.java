package dev.wasmruntime;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.Objects;

/** What tests have in common. Each method of a subclass without parameters is a test. */
abstract class Suite {
    /** Something that may fail. */
    interface Action {
        void run() throws Exception;
    }

    /** What `probe` has in its memory, at that place. */
    static final String TEXT = "häuser-\uD834\uDD1E";
    static final int TEXT_AT = 16;
    static final int TEXT_BYTES = 12;

    static byte[] fixture(String name) throws IOException {
        return Files.readAllBytes(Paths.get(System.getProperty("fixtures"), name + ".wasm"));
    }

    static byte[] plugin(String name) throws IOException {
        Path path = Paths.get(System.getProperty("plugins"), name + ".wasm");
        return Files.readAllBytes(path);
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }

    // --- hosts for `probe`

    /** Options with the functions that `probe` imports, of which the named one is the callback. */
    static RegistryOptions hosting(String name, HostCallback callback) {
        RegistryOptions options = new RegistryOptions();
        define(options, name, callback, "mix", ValueType.F64,
                ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64);
        define(options, name, callback, "int", ValueType.I32, ValueType.I32);
        define(options, name, callback, "long", ValueType.I64, ValueType.I64);
        define(options, name, callback, "float", ValueType.F32, ValueType.F32);
        define(options, name, callback, "double", ValueType.F64, ValueType.F64);
        define(options, name, callback, "nothing", ValueType.NONE);
        define(options, name, callback, "bytes", ValueType.I32, ValueType.I32, ValueType.I32);
        define(options, name, callback, "größe-\uD834\uDD1E", ValueType.I32, ValueType.I32);
        return options;
    }

    private static void define(
            RegistryOptions options, String wanted, HostCallback callback, String name, ValueType result,
            ValueType... params) {
        HostCallback none = call -> {
            throw new AssertionError(name + " is not for this test");
        };
        options.functions.add(new HostFunction(
                "env", name, Arrays.asList(params), result, name.equals(wanted) ? callback : none));
    }

    /** A registry with such a host, and `probe` in it. */
    static PluginRegistry probing(String name, HostCallback callback) throws IOException {
        return probing(hosting(name, callback));
    }

    static PluginRegistry probing(RegistryOptions options) throws IOException {
        PluginRegistry registry = new PluginRegistry(options);
        registry.load("probe", plugin("probe"), generous());
        return registry;
    }

    /** A registry with one fixture in it, under its name. */
    static PluginRegistry with(String name) throws IOException {
        PluginRegistry registry = new PluginRegistry();
        registry.load(name, fixture(name), generous());
        return registry;
    }

    /** Time enough for a busy machine, under checks of JNI. */
    static PluginConfig generous() {
        PluginConfig config = new PluginConfig();
        config.fuelLimit = 1_000_000_000;
        config.timeoutMs = 60_000;
        return config;
    }

    // --- what has to be

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object expected, Object actual) {
        if (!Objects.deepEquals(expected, actual)) {
            Object[] both = {expected, actual};
            throw new AssertionError("expected and actual: " + Arrays.deepToString(both));
        }
    }

    static PluginException fails(ErrorCode code, Action action) throws Exception {
        PluginException error = throwing(PluginException.class, action);
        equal(code, error.getCode());
        return error;
    }

    static <E extends Throwable> E throwing(Class<E> kind, Action action) throws Exception {
        try {
            action.run();
        } catch (Throwable thrown) {
            if (kind.isInstance(thrown)) {
                return kind.cast(thrown);
            }
            throw new AssertionError("another exception than " + kind.getSimpleName(), thrown);
        }
        throw new AssertionError("no " + kind.getSimpleName());
    }
}
