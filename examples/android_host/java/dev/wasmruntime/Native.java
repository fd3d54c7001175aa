package dev.wasmruntime;

import java.nio.ByteBuffer;

/**
 * Everything that crosses to the library; {@code jni/} is the other side. Texts are UTF-8 with a zero byte at their end
 * ({@link Texts}), structs are packed ({@link Packer}), values are their bits ({@link Value}).
 *
 * <p>{@code self} is the object whose handle is used: as long as a native method has it as an argument, the collector
 * does not take it for forgotten.
 */
final class Native {
    static final int REGISTRY = 1;
    static final int PLUGIN = 2;
    static final int FUNCTION = 3;
    static final int CALL = 4;
    static final int LEASE = 5;
    static final int CANCEL = 6;

    static {
        System.loadLibrary("wasm_runtime_jni");
    }

    private Native() {}

    static native byte[] version();
    static native void setLog(int maxLevel);
    static native void release(int kind, long id);

    // Defaults of structs, in the order in which they are packed.
    static native long[] configDefaults();
    static native long[] limitsDefaults();
    static native long[] functionDefaults();

    static native long newRegistry(byte[] options, HostFunction[] functions, HostServices services);
    static native void load(Object self, long registry, byte[] name, byte[] wasm, byte[] config);
    static native void loadFile(Object self, long registry, byte[] name, byte[] path, byte[] config);
    static native void reload(Object self, long registry, byte[] name, byte[] wasm, byte[] config, byte[] options);
    static native void rollback(Object self, long registry, byte[] name);
    static native void unload(Object self, long registry, byte[] name);
    static native void shutdownAll(Object self, long registry);
    static native byte[] admit(Object self, long registry, byte[] wasm, byte[] config);
    static native long findPlugin(Object self, long registry, byte[] name);
    static native long pluginCount(Object self, long registry);
    static native byte[] pluginNameAt(Object self, long registry, long place);
    static native long[] maintain(Object self, long registry, long steps, long maxIdleBytes);
    static native long cancelTenant(Object self, long registry, byte[] tenant);
    static native byte[] prometheus(Object self, long registry);
    static native void setQuota(Object self, long registry, byte[] tenant, byte[] quota);
    static native long[] usage(Object self, long registry, byte[] tenant);
    static native long[] tenantStats(Object self, long registry, byte[] tenant);
    static native long[] globalStats(Object self, long registry);
    static native byte[] auditPop(Object self, long registry, long[] numbers);
    static native long auditDropped(Object self, long registry);

    static native boolean put(Object self, long registry, byte[] tenant, byte[] table, byte[] key, byte[] value);
    static native byte[] row(Object self, long registry, byte[] tenant, byte[] table, byte[] key);
    static native boolean deleteRow(Object self, long registry, byte[] tenant, byte[] table, byte[] key);
    static native void createIndex(
            Object self, long registry, byte[] tenant, byte[] index, byte[] table, long offset, long length);
    static native void createCollection(
            Object self, long registry, byte[] tenant, byte[] collection, byte[] table, long dims, int distance);
    static native boolean insertVector(
            Object self, long registry, byte[] tenant, byte[] collection, long row, float[] vector);

    static native byte[] pluginName(Object self, long plugin);
    static native byte[] pluginTenant(Object self, long plugin);
    static native byte[] pluginFunctionAt(Object self, long plugin, long place);
    static native int pluginState(Object self, long plugin);
    static native byte[] moduleHash(Object self, long plugin);
    static native int[] signature(Object self, long plugin, byte[] function);
    static native byte[] pluginReport(Object self, long plugin);
    static native long[] pluginStats(Object self, long plugin);
    static native void refuel(Object self, long plugin);
    static native long fuelBudgetLeft(Object self, long plugin);
    static native long cancelCalls(Object self, long plugin);
    static native long quarantineMs(Object self, long plugin);
    static native void revive(Object self, long plugin);
    static native long findFunction(Object self, long plugin, byte[] name);
    static native long lease(Object self, long plugin);

    // Calls. `target` is PLUGIN, FUNCTION or LEASE; kinds are packed as Value says.
    static native long call(
            Object self, int target, long id, byte[] function, long kinds, long[] args, byte[] options, long[] results);
    static native long callBits(Object self, long function, long kinds, long a, long b, long c, long d);
    static native long callArray(Object self, long function, long kinds, long[] args);
    static native byte[] callBytes(Object self, long plugin, byte[] function, byte[] input);
    static native int callBuffers(
            Object self, int target, long id, byte[] function,
            ByteBuffer input, int inputAt, int inputLength, ByteBuffer output, int outputAt, int outputRoom);

    static native long start(Object self, long plugin, byte[] function, long kinds, long[] args, byte[] options);
    static native long startBytes(Object self, long plugin, byte[] function, byte[] input, byte[] options);
    static native int run(Object self, long call, long fuel, long[] ticket);
    static native void complete(Object self, long call, long ticket, long kinds, long bits, byte[] output);
    static native void fail(Object self, long call, long ticket, int status);
    static native long results(Object self, long call, long[] results);
    static native byte[] answer(Object self, long call);
    static native long fuelSpent(Object self, long call);
    static native long cancelToken(Object self, int kind, long id);
    static native boolean cancel(Object self, long token);

    static native byte[] leaseRead(Object self, long lease, byte[] memory, long offset, int length);
    static native void leaseWrite(Object self, long lease, byte[] memory, long offset, byte[] bytes);
    static native long leaseMemoryBytes(Object self, long lease, byte[] memory);
    static native long leaseGrow(Object self, long lease, byte[] memory, long pages);
    static native long leaseGlobal(Object self, long lease, byte[] name, long[] bits);

    // Of the host call that a callback answers: each answers a status.
    static native void hostStatus(int status);
    static native int hostOutput(long call, byte[] value);
    static native int hostRecord(long call, byte[] key, byte[] value);
    static native int hostCheck(long call, int pointer, int length);
    static native int hostRead(long call, int pointer, byte[] to, int offset, int length);
    static native int hostWrite(long call, int pointer, byte[] from, int offset, int length);
    static native int hostCharge(long call, long fuel);
    static native int hostChargeBytes(long call, long length);
    static native int hostCheckpoint(long call);
    static native boolean hostCanSuspend(long call);
    static native int hostSuspend(long call, long ticket);
    static native int hostAnswerTo(long call, int pointer, int length);
    static native long hostFuelLeft(long call);
    static native long hostTag(long call);
    static native byte[] hostPlugin(long call);
    static native byte[] hostTenant(long call);
    static native byte[] hostSetting(long call, byte[] name);
    static native byte[] hostLabel(long call, int place, boolean value);
}
