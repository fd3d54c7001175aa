import dev.wasmruntime.ErrorCode;
import dev.wasmruntime.HostFunction;
import dev.wasmruntime.Plugin;
import dev.wasmruntime.PluginConfig;
import dev.wasmruntime.PluginException;
import dev.wasmruntime.PluginFunction;
import dev.wasmruntime.PluginRegistry;
import dev.wasmruntime.RegistryOptions;
import dev.wasmruntime.Stats;
import dev.wasmruntime.ValueType;
import dev.wasmruntime.WasmRuntime;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Three plugins of two tenants; one misbehaves in two ways, and the others never notice. {@code Main FIXTURES} */
public final class Main {
    /** Tenths of a degree in each room of the greenhouse. A fifth one has no sensor. */
    private static final int[] ROOMS = {215, 190, 235, 180};

    private final String fixtures;

    private Main(String fixtures) {
        this.fixtures = fixtures;
    }

    public static void main(String[] args) {
        System.out.println("wasm-plugin-runtime " + WasmRuntime.getVersion() + ", from Java");
        try (PluginRegistry registry = new PluginRegistry(options())) {
            new Main(args[0]).show(registry);
        }
    }

    /** What Java gives to plugins: a thermometer, for which each reading costs 500 fuel. */
    private static RegistryOptions options() {
        HostFunction thermometer = new HostFunction("env", "read", Arrays.asList(ValueType.I32), ValueType.I32,
                call -> call.answerInt(ROOMS[call.getInt(0)]));
        thermometer.baseFuel = 500;
        RegistryOptions options = new RegistryOptions();
        options.functions.add(thermometer);
        return options;
    }

    private void show(PluginRegistry registry) {
        registry.loadFile("climate", fixtures + "/sensor.wasm", of("greenhouse"));
        PluginConfig reader = of("bakery");
        reader.canReadTable.add("prices");
        registry.loadFile("sum", fixtures + "/aggregate.wasm", reader);
        PluginConfig slow = of("bakery");
        // So that it is the fuel that ends, also on a machine that is busy.
        slow.timeoutMs = 10_000;
        registry.loadFile("stray", fixtures + "/misbehaving/endless_loop.wasm", slow);
        for (int price : new int[] {120, 350, 480}) {
            registry.put("bakery", "prices", utf8("bread " + price), utf8(Integer.toString(price)));
        }
        try (Plugin climate = registry.get("climate"); Plugin sum = registry.get("sum");
                Plugin stray = registry.get("stray")) {
            System.out.println("A plugin asks Java for its readings, another adds up its tenant's rows:");
            work(climate, sum);
            System.out.println("One never ends, and is stopped:");
            stop(stray);
            System.out.println("What a callback throws ends the plugin's call, and comes out as the cause:");
            fail(climate);
            System.out.println("The others go on as if nothing had been:");
            work(climate, sum);
        }
        tell(registry);
    }

    private static void work(Plugin climate, Plugin sum) {
        try (PluginFunction average = climate.function("average")) {
            for (int room = 0; room < ROOMS.length; room++) {
                int tenths = average.callInt(room, 10);
                System.out.printf("  climate    room %d: %d.%d degrees%n", room, tenths / 10, tenths % 10);
                must(tenths == ROOMS[room]);
            }
        }
        String totals = new String(sum.callBytes("sum", utf8("prices")), StandardCharsets.UTF_8);
        System.out.println("  sum        " + totals);
        must(totals.equals("count=3 sum=950 min=120 max=480"));
    }

    private static void stop(Plugin stray) {
        try {
            stray.call("run");
            must(false);
        } catch (PluginException error) {
            System.out.println("  " + error.getCode() + ": " + error.getMessage());
            must(error.getCode() == ErrorCode.OUT_OF_FUEL);
        }
    }

    private static void fail(Plugin climate) {
        try (PluginFunction average = climate.function("average")) {
            average.callInt(4, 1);
            must(false);
        } catch (PluginException error) {
            System.out.println("  " + error.getMessage());
            System.out.println("  cause: " + error.getCause());
            must(error.getCause() instanceof ArrayIndexOutOfBoundsException);
        }
    }

    private static void tell(PluginRegistry registry) {
        System.out.println("What each tenant used:");
        for (String tenant : new String[] {"greenhouse", "bakery"}) {
            Stats stats = registry.stats(tenant);
            System.out.printf("  %-10s %d calls, %d stopped, %,d fuel%n",
                    tenant, stats.totalCalls, stats.trapCount, stats.totalFuelConsumed);
            must(stats.trapCount == 1);
        }
    }

    private static PluginConfig of(String tenant) {
        PluginConfig config = new PluginConfig();
        config.tenant = tenant;
        return config;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void must(boolean holds) {
        if (!holds) {
            throw new AssertionError("a promise is broken");
        }
    }
}
