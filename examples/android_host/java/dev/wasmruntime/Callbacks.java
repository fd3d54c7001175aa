package dev.wasmruntime;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where the shim comes from a plugin. What is thrown here ends the plugin's call, and becomes the cause of what the
 * Java call further out throws; a {@link HostException} is a status and no exception.
 */
final class Callbacks {
    private Callbacks() {}

    /** A host function. Returns the bits of its result; a status goes by {@link Native#hostStatus}. */
    static long function(HostFunction function, long id, int count, long first, long second, long[] more)
            throws Exception {
        HostCall call = new HostCall(id, function, first, second, more);
        try {
            function.callback.call(call);
            return call.answer();
        } catch (HostException answer) {
            Native.hostStatus(answer.getStatus().number);
            return 0;
        } finally {
            call.end();
        }
    }

    /** A callback of {@link HostServices}: returns a status, or a number from 0 on. */
    private interface Body {
        int answer(HostCall call) throws Exception;
    }

    private static int answer(long id, Body body) throws Exception {
        HostCall call = new HostCall(id);
        try {
            int status = body.answer(call);
            return call.isSuspended() ? HostStatus.PENDING : status;
        } catch (HostException answer) {
            return answer.getStatus().number;
        } finally {
            call.end();
        }
    }

    static int read(HostServices services, long id, byte[] table, byte[] key) throws Exception {
        return answer(id, call -> value(id, services.storage.read(call, Texts.in(table), key)));
    }

    static int setting(HostServices services, long id, byte[] name) throws Exception {
        return answer(id, call -> {
            String value = services.settings.find(call, Texts.in(name));
            return value(id, value == null ? null : value.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        });
    }

    private static int value(long id, byte[] value) {
        return value == null ? HostStatus.NOT_FOUND.number : Native.hostOutput(id, value);
    }

    static int scan(HostServices services, long id, byte[] table, byte[] from, int limit) throws Exception {
        return answer(id, call -> {
            RowSink rows = new RowSink(id, limit);
            services.storage.scan(call, Texts.in(table), from, limit, rows);
            return rows.status;
        });
    }

    static int write(HostServices services, long id, byte[] table, byte[] key, byte[] value) throws Exception {
        return answer(id, call -> services.storage.write(call, Texts.in(table), key, value) ? 1 : 0);
    }

    static int remove(HostServices services, long id, byte[] table, byte[] key) throws Exception {
        return answer(
                id, call -> services.storage.delete(call, Texts.in(table), key) ? 0 : HostStatus.NOT_FOUND.number);
    }

    static int metric(HostServices services, long id, int kind, byte[] name, double value) throws Exception {
        return answer(id, call -> {
            services.metrics.observe(call, MetricKind.values()[kind], Texts.in(name), value, labels(id));
            return 0;
        });
    }

    private static Map<String, String> labels(long id) {
        Map<String, String> labels = new LinkedHashMap<>();
        byte[] name;
        for (int place = 0; (name = Native.hostLabel(id, place, false)) != null; place++) {
            labels.put(Texts.in(name), Texts.in(Native.hostLabel(id, place, true)));
        }
        return labels;
    }

    static int log(HostServices services, long id, int level, byte[] line) throws Exception {
        return answer(id, call -> {
            services.log.line(call, LogLevel.of(level), Texts.in(line));
            return 0;
        });
    }

    // There is no plugin's call that these could end: what they throw goes no further.

    static void event(HostServices services, long timeUs, long fuel, int decision, int status, byte[] names) {
        try {
            services.events.heard(new AuditRecord(new long[] {0, timeUs, fuel, decision, status}, names));
        } catch (Throwable thrown) {
            thrown.printStackTrace();
        }
    }

    static void logged(int level, byte[] line) {
        try {
            WasmRuntime.logged(level, line);
        } catch (Throwable thrown) {
            thrown.printStackTrace();
        }
    }

    /** Rows on their way to a plugin. */
    private static final class RowSink implements Storage.Rows {
        private final long id;
        private long left;
        /** What less than 0 was answered last. */
        int status;

        RowSink(long id, int limit) {
            this.id = id;
            left = limit & 0xffff_ffffL;
        }

        @Override
        public boolean add(byte[] key, byte[] value) {
            if (left == 0 || status < 0) {
                return false;
            }
            int taken = Native.hostRecord(id, key, value);
            status = Math.min(taken, 0);
            left = taken > 0 ? left - 1 : 0;
            return left > 0;
        }
    }
}
