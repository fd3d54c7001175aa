package dev.wasmruntime;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** What was made is given back, by whoever. */
final class LifeTests extends Suite {
    void forgotten_handles_are_caught_by_the_collector() throws Exception {
        settle(0);
        forget();
        check(Net.held() >= 1_000, "held " + Net.held());
        settle(0);
    }

    private static void forget() throws Exception {
        PluginRegistry registry = with("kernels");
        for (int turn = 0; turn < 200; turn++) {
            Plugin plugin = registry.get("kernels");
            plugin.function("fib");
            registry.load("k" + turn, fixture("counter"), null);
            Plugin other = registry.get("k" + turn);
            PluginCall call = other.start("get");
            call.cancelToken();
            other.lease();
        }
    }

    /** Collects until so many handles are left. */
    static void settle(int left) throws Exception {
        for (int turn = 0; turn < 500; turn++) {
            collect();
            if (Net.held() == left) {
                return;
            }
            Thread.sleep(10);
        }
        throw new AssertionError(Net.held() + " handles are held, and not " + left);
    }

    void a_handle_that_is_in_use_is_not_taken_for_forgotten() throws Exception {
        settle(0);
        AtomicInteger calls = new AtomicInteger();
        HostCallback callback = call -> {
            if (calls.incrementAndGet() % 999 == 0) {
                // By turns in the one and the other call below. Left are the registry, and what is called.
                settle(2);
                Thread.sleep(10);
                settle(2);
            }
            call.answerInt(1);
        };
        try (PluginRegistry registry = probing("int", callback)) {
            // Often enough to be compiled: nothing but the call itself refers then to what is called.
            for (int turn = 0; turn < 8_000; turn++) {
                equal(1, registry.get("probe").function("int").callInt(1));
                equal(1, registry.get("probe").call("int", Value.i32(1))[0].asInt());
            }
        }
    }

    void a_plugin_can_be_called_on_when_its_registry_is_closed() throws Exception {
        PluginRegistry registry = probing("int", call -> call.answerInt(6));
        Plugin plugin = registry.get("probe");
        PluginFunction function = plugin.function("int");
        registry.close();
        plugin.close();
        equal(6, function.callInt(1));
        function.close();
    }

    void callbacks_are_let_go_of_with_the_last_that_could_call_them() throws Exception {
        List<WeakReference<?>> callbacks = new ArrayList<>();
        Plugin plugin = withCallbacks(callbacks);
        collect();
        for (WeakReference<?> callback : callbacks) {
            check(callback.get() != null, "a callback went too soon");
        }
        plugin.call("int", Value.i32(1));
        plugin.close();
        gone(callbacks);
    }

    /** A plugin whose registry is closed already. */
    private static Plugin withCallbacks(List<WeakReference<?>> callbacks) throws Exception {
        RegistryOptions options = options(callbacks);
        try (PluginRegistry registry = probing(options)) {
            return registry.get("probe");
        }
    }

    private static RegistryOptions options(List<WeakReference<?>> callbacks) {
        int[] held = {8};
        RegistryOptions options = hosting("int", call -> call.answerInt(held[0]));
        options.events = event -> held[0]++;
        for (HostFunction function : options.functions) {
            callbacks.add(new WeakReference<>(function));
        }
        callbacks.add(new WeakReference<>(options.events));
        return options;
    }

    void callbacks_of_a_forgotten_registry_are_let_go_of_too() throws Exception {
        List<WeakReference<?>> callbacks = new ArrayList<>();
        forgetOneWith(callbacks);
        gone(callbacks);
    }

    private static void forgetOneWith(List<WeakReference<?>> callbacks) throws Exception {
        probing(options(callbacks));
    }

    void callbacks_of_a_registry_that_did_not_come_about_are_let_go_of() throws Exception {
        List<WeakReference<?>> callbacks = new ArrayList<>();
        fail(callbacks);
        gone(callbacks);
    }

    private static void fail(List<WeakReference<?>> callbacks) throws Exception {
        RegistryOptions options = options(callbacks);
        options.functions.add(options.functions.get(0));
        fails(ErrorCode.TABLE_FULL, () -> new PluginRegistry(options));
    }

    private static void gone(List<WeakReference<?>> callbacks) throws Exception {
        for (int turn = 0; turn < 500; turn++) {
            collect();
            if (callbacks.stream().allMatch(callback -> callback.get() == null)) {
                return;
            }
            Thread.sleep(10);
        }
        throw new AssertionError("callbacks are held that nobody can call");
    }

    static void collect() {
        System.gc();
        Net.releaseForgotten();
    }
}
