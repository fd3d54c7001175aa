package dev.wasmruntime;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;

/** Several threads at once. */
final class ThreadTests extends Suite {
    private static final int THREADS = 4;

    /** Runs the same on each thread, with its number; fails if one does. */
    private interface Work {
        void run(int thread) throws Exception;
    }

    private static void together(Work work) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try {
            List<Callable<Void>> all = new ArrayList<>();
            for (int thread = 0; thread < THREADS; thread++) {
                int number = thread;
                all.add(() -> {
                    work.run(number);
                    return null;
                });
            }
            for (Future<Void> one : threads.invokeAll(all)) {
                one.get();
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private static PluginConfig endless() {
        PluginConfig config = new PluginConfig();
        config.fuelLimit = Long.MAX_VALUE;
        config.timeoutMs = 0;
        return config;
    }

    void four_threads_that_call_at_once_get_each_its_own_answers() throws Exception {
        HostCallback callback = call -> call.answerInt(1000 * call.getInt(0) + (int) call.getTag());
        try (PluginRegistry registry = probing("int", callback)) {
            together(thread -> {
                CallOptions options = new CallOptions();
                options.tag = thread;
                try (Plugin plugin = registry.get("probe"); PluginFunction function = plugin.function("int")) {
                    for (int turn = 0; turn < 2_000; turn++) {
                        equal(1000 * turn + thread, function.callWith(options, Value.i32(turn))[0].asInt());
                        equal(1000 * turn, function.callInt(turn));
                    }
                }
            });
        }
    }

    void an_exception_goes_to_the_thread_that_called_and_to_no_other() throws Exception {
        HostCallback callback = call -> {
            if (call.getInt(0) % 2 == 1) {
                throw new IllegalStateException(Thread.currentThread().getName());
            }
            call.answerInt(call.getInt(0));
        };
        try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe");
                PluginFunction function = plugin.function("int")) {
            together(thread -> {
                for (int turn = 0; turn < 1_000; turn++) {
                    if (thread % 2 == 0) {
                        equal(2 * turn, function.callInt(2 * turn));
                    } else {
                        Throwable cause = fails(ErrorCode.HOST, () -> function.callInt(1)).getCause();
                        equal(Thread.currentThread().getName(), cause.getMessage());
                    }
                }
            });
        }
    }

    void one_call_more_than_there_are_sandboxes_is_busy() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch leave = new CountDownLatch(1);
        HostCallback callback = call -> {
            inside.countDown();
            leave.await();
            call.answerInt(1);
        };
        PluginConfig config = endless();
        config.maxInstances = 1;
        try (PluginRegistry registry = new PluginRegistry(hosting("int", callback))) {
            registry.load("probe", plugin("probe"), config);
            try (Plugin plugin = registry.get("probe")) {
                Future<?> other = aside(() -> plugin.call("int", Value.i32(1)));
                inside.await();
                fails(ErrorCode.BUSY, () -> plugin.call("peek", Value.i32(1)));
                leave.countDown();
                other.get();
                plugin.call("peek", Value.i32(1));
            }
        }
    }

    void a_token_cancels_a_started_call_from_another_thread() throws Exception {
        try (PluginRegistry registry = new PluginRegistry()) {
            registry.load("loop", fixture("misbehaving/endless_loop"), endless());
            try (Plugin plugin = registry.get("loop"); PluginCall call = plugin.start("run");
                    CancelToken token = call.cancelToken()) {
                Future<?> other = aside(() -> check(token.cancel(), "there was something to cancel"));
                fails(ErrorCode.CANCELLED, () -> call.run(Long.MAX_VALUE));
                other.get();
                equal(false, token.cancel());
            }
        }
    }

    void a_token_of_a_lease_and_the_plugin_and_the_tenant_cancel_calls_from_another_thread() throws Exception {
        try (PluginRegistry registry = new PluginRegistry()) {
            registry.load("loop", fixture("misbehaving/endless_loop"), endless());
            try (Plugin plugin = registry.get("loop")) {
                try (PluginLease lease = plugin.lease(); CancelToken token = lease.cancelToken()) {
                    Future<?> other = aside(token::cancel);
                    fails(ErrorCode.CANCELLED, () -> lease.call("run"));
                    other.get();
                }
                Future<?> second = aside(() -> untilOne(plugin::cancelCalls));
                fails(ErrorCode.CANCELLED, () -> plugin.call("run"));
                second.get();
                Future<?> third = aside(() -> untilOne(() -> registry.cancelTenant("default")));
                fails(ErrorCode.CANCELLED, () -> plugin.call("run"));
                third.get();
                plugin.call("ping");
            }
        }
    }

    /** Tries until the call of another thread has begun, which is then the one that is cancelled. */
    private static void untilOne(LongSupplier cancel) {
        long cancelled;
        while ((cancelled = cancel.getAsLong()) == 0) {
            Thread.yield();
        }
        equal(1L, cancelled);
    }

    /** Does something on another thread. */
    private static Future<?> aside(Action action) {
        FutureTask<Void> task = new FutureTask<>(() -> {
            action.run();
            return null;
        });
        new Thread(task).start();
        return task;
    }

    void a_call_that_another_thread_runs_is_busy_and_closing_it_does_not_wait() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch leave = new CountDownLatch(1);
        HostCallback callback = call -> {
            inside.countDown();
            leave.await();
            call.answerInt(1);
        };
        try (PluginRegistry registry = probing("int", callback); Plugin plugin = registry.get("probe")) {
            PluginCall call = plugin.start("int", Value.i32(1));
            Future<?> other = aside(() -> call.run(1_000_000));
            inside.await();
            fails(ErrorCode.BUSY, () -> call.run(1));
            fails(ErrorCode.BUSY, () -> call.getFuelSpent());
            call.close();
            leave.countDown();
            other.get();
            fails(ErrorCode.INVALID_HANDLE, () -> call.getResults());
        }
    }

    void reloads_lose_no_call_of_four_threads() throws Exception {
        CountDownLatch calling = new CountDownLatch(THREADS);
        AtomicBoolean done = new AtomicBoolean();
        PluginConfig config = generous();
        config.maxInstances = THREADS;
        byte[] wasm = fixture("kernels");
        try (PluginRegistry registry = new PluginRegistry()) {
            registry.load("kernels", wasm, config);
            Future<?> reloading = aside(() -> {
                try {
                    calling.await();
                    for (int turn = 0; turn < 50; turn++) {
                        registry.reload("kernels", wasm, config, null);
                    }
                } finally {
                    done.set(true);
                }
            });
            together(thread -> {
                try (Plugin plugin = registry.get("kernels"); PluginFunction fib = plugin.function("fib")) {
                    equal(55, fib.callInt(10));
                    calling.countDown();
                    while (!done.get()) {
                        equal(55, fib.callInt(10));
                    }
                } finally {
                    calling.countDown();
                }
            });
            reloading.get();
        }
    }

    // --- answers that come later

    /** A host for `waiter`, whose functions all answer later under the ticket that they are given. */
    private static RegistryOptions waiting(LinkedBlockingQueue<Long> tickets) {
        RegistryOptions options = new RegistryOptions();
        options.functions.add(new HostFunction(
                "env", "later", Arrays.asList(ValueType.I32, ValueType.I32, ValueType.I32), ValueType.I32, call -> {
                    check(call.canAnswerLater(), "it was started");
                    call.answerTo(call.getInt(1), call.getInt(2));
                    call.answerLater(call.getInt(0));
                    tickets.add((long) call.getInt(0));
                }));
        options.functions.add(new HostFunction(
                "env", "later_f64", Arrays.asList(ValueType.I32), ValueType.F64,
                call -> call.answerLater(call.getInt(0))));
        options.functions.add(new HostFunction(
                "env", "later_nothing", Arrays.asList(ValueType.I32), ValueType.NONE,
                call -> call.answerLater(call.getInt(0))));
        return options;
    }

    void a_suspended_call_goes_on_with_the_answer_that_another_thread_gives() throws Exception {
        LinkedBlockingQueue<Long> tickets = new LinkedBlockingQueue<>();
        try (PluginRegistry registry = new PluginRegistry(waiting(tickets))) {
            registry.load("waiter", fixture("waiter"), generous());
            try (Plugin plugin = registry.get("waiter"); PluginCall call = plugin.start("wait", Value.i32(-6))) {
                equal(Progress.SUSPENDED, call.run(1_000_000));
                equal(-6L, call.getTicket());
                aside(() -> {
                    fails(ErrorCode.NOT_FOUND, () -> call.complete(5, Value.i32(1), null));
                    fails(ErrorCode.SIGNATURE_MISMATCH, () -> call.complete(-6, Value.i64(1), null));
                    call.complete(-6, Value.i32(8), new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
                }).get();
                equal(-6L, tickets.poll(10, TimeUnit.SECONDS));
                equal(Progress.FINISHED, call.run(1_000_000));
                equal(1008, call.getResults()[0].asInt());
            }
        }
    }

    void answers_of_every_type_and_errors_can_come_later() throws Exception {
        try (PluginRegistry registry = new PluginRegistry(waiting(new LinkedBlockingQueue<>()))) {
            registry.load("waiter", fixture("waiter"), generous());
            try (Plugin plugin = registry.get("waiter")) {
                try (PluginCall call = plugin.start("wait_f64", Value.i32(1))) {
                    equal(Progress.SUSPENDED, call.run(1_000_000));
                    call.complete(1, Value.f64(1.25), null);
                    equal(Progress.FINISHED, call.run(1_000_000));
                    equal(2.5, call.getResults()[0].asDouble());
                }
                try (PluginCall call = plugin.start("wait_for_nothing", Value.i32(2))) {
                    equal(Progress.SUSPENDED, call.run(1_000_000));
                    call.complete(2, null, null);
                    equal(Progress.FINISHED, call.run(1_000_000));
                }
                try (PluginCall call = plugin.start("wait", Value.i32(3))) {
                    equal(Progress.SUSPENDED, call.run(1_000_000));
                    call.fail(3, HostStatus.NOT_FOUND);
                    equal(Progress.FINISHED, call.run(1_000_000));
                    equal(998, call.getResults()[0].asInt());
                }
                try (PluginCall call = plugin.start("wait", Value.i32(4))) {
                    equal(Progress.SUSPENDED, call.run(1_000_000));
                    call.fail(4, HostStatus.ABORT);
                    fails(ErrorCode.HOST, () -> call.run(1_000_000));
                }
            }
        }
    }

    void many_calls_wait_at_once_and_one_thread_answers_them() throws Exception {
        LinkedBlockingQueue<Long> tickets = new LinkedBlockingQueue<>();
        PluginConfig config = generous();
        config.maxInstances = 100;
        try (PluginRegistry registry = new PluginRegistry(waiting(tickets))) {
            registry.load("waiter", fixture("waiter"), config);
            try (Plugin plugin = registry.get("waiter")) {
                List<PluginCall> calls = new ArrayList<>();
                for (int ticket = 0; ticket < 100; ticket++) {
                    PluginCall call = plugin.start("wait", Value.i32(ticket));
                    equal(Progress.SUSPENDED, call.run(1_000_000));
                    calls.add(call);
                }
                fails(ErrorCode.BUSY, () -> plugin.start("wait", Value.i32(100)));
                for (long ticket; !tickets.isEmpty(); ) {
                    ticket = tickets.remove();
                    PluginCall call = calls.get((int) ticket);
                    call.complete(ticket, Value.i32((int) ticket), null);
                    equal(Progress.FINISHED, call.run(1_000_000));
                    equal(1000 + (int) ticket, call.getResults()[0].asInt());
                    call.close();
                }
            }
        }
    }
}
