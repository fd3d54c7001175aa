package dev.wasmruntime;

import java.util.Objects;

/** A call that a new version has to answer before it takes over. */
public final class Probe {
    private final String function;
    private final Value[] args;
    private final Value[] expected;
    private final byte[] input;
    private final byte[] expectedBytes;

    private Probe(String function, Value[] args, Value[] expected, byte[] input, byte[] expectedBytes) {
        this.function = Objects.requireNonNull(function, "function");
        this.args = args;
        this.expected = expected;
        this.input = input;
        this.expectedBytes = expectedBytes;
    }

    /** A call with values. {@code expected} are the results, to the bit; null if any will do. */
    public static Probe ofValues(String function, Value[] args, Value[] expected) {
        return new Probe(function, Objects.requireNonNull(args, "args"), expected, null, null);
    }

    /** A call of the byte convention. {@code expected} is the answer; null if any will do. */
    public static Probe ofBytes(String function, byte[] input, byte[] expected) {
        return new Probe(function, new Value[0], null, Objects.requireNonNull(input, "input"), expected);
    }

    void pack(Packer packer) {
        packer.text(function)
                .flag(input != null)
                .flag(expected != null || expectedBytes != null)
                .values(args)
                .values(expected == null ? new Value[0] : expected)
                .bytes(input)
                .bytes(expectedBytes);
    }
}
