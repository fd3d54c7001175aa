package dev.wasmruntime;

import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.util.Objects;

/** What plugins, functions and leases have in common. */
final class Calls {
    private Calls() {}

    static byte[] name(String name) {
        return Texts.out(Objects.requireNonNull(name, "a name"));
    }

    /** {@code function} is null for a function that was looked up. */
    static Value[] call(Handle self, int target, String function, CallOptions options, Value... args) {
        byte[] name = target == Native.FUNCTION ? null : name(function);
        long[] results = new long[Value.MOST];
        long kinds = Native.call(
                self, target, self.id, name, Value.kinds(args), Value.bits(args), CallOptions.packed(options), results);
        return Value.of(kinds, results);
    }

    static int buffers(Handle self, int target, String function, ByteBuffer input, ByteBuffer output) {
        byte[] name = name(function);
        if (!input.isDirect() || !output.isDirect()) {
            throw new IllegalArgumentException("both buffers have to be direct: ByteBuffer.allocateDirect");
        }
        if (output.isReadOnly()) {
            throw new ReadOnlyBufferException();
        }
        int length = Native.callBuffers(
                self, target, self.id, name, input, input.position(), input.remaining(),
                output, output.position(), output.remaining());
        input.position(input.limit());
        output.position(output.position() + length);
        return length;
    }
}
