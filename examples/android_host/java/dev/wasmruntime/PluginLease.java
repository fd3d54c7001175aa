package dev.wasmruntime;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * One sandbox of a plugin, held across several calls. One thread at a time uses it: another gets {@link
 * ErrorCode#BUSY}.
 */
public final class PluginLease extends Handle {
    PluginLease(long id) {
        super(Native.LEASE, id);
    }

    /** Calls a function in the sandbox. */
    public Value[] call(String function, Value... args) {
        return callWith(null, function, args);
    }

    /** The same, narrowed; null narrows nothing. */
    public Value[] callWith(CallOptions options, String function, Value... args) {
        return Calls.call(this, Native.LEASE, function, options, args);
    }

    /** As {@link Plugin#callBuffers}. */
    public int callBuffers(String function, ByteBuffer input, ByteBuffer output) {
        return Calls.buffers(this, Native.LEASE, function, input, output);
    }

    /** Bytes out of a memory of the sandbox, by the name of its export. */
    public byte[] read(String memory, long offset, int length) {
        if (length < 0) {
            throw PluginException.misuse("`length` is " + length);
        }
        return Native.leaseRead(this, id, Calls.name(memory), offset, length);
    }

    /** Writes bytes into a memory of the sandbox; nothing if they do not all fit. */
    public void write(String memory, long offset, byte[] bytes) {
        Native.leaseWrite(this, id, Calls.name(memory), offset, Objects.requireNonNull(bytes, "bytes"));
    }

    public long memoryBytes(String memory) {
        return Native.leaseMemoryBytes(this, id, Calls.name(memory));
    }

    /** Grows a memory of the sandbox by so many pages; says how many it had before. */
    public long grow(String memory, long pages) {
        return Native.leaseGrow(this, id, Calls.name(memory), pages);
    }

    public Value global(String name) {
        long[] bits = new long[1];
        return Value.of(Native.leaseGlobal(this, id, Calls.name(name), bits), bits)[0];
    }

    /** What cancels the next call of the lease, from any thread. */
    public CancelToken cancelToken() {
        return new CancelToken(Native.cancelToken(this, Native.LEASE, id));
    }
}
