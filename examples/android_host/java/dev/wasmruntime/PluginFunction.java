package dev.wasmruntime;

import java.util.Arrays;
import java.util.Objects;

/**
 * A function of a plugin, looked up once: the fastest way to call one. It follows the plugin to other versions; if one
 * gives it another signature, look it up again.
 *
 * <p>{@code callInt} and the like are for functions whose parameters and result are all of that one type, or that have
 * no result: the answer is 0 then. They make no objects.
 */
public final class PluginFunction extends Handle {
    private static final long[] INTS = alike(ValueType.I32);
    private static final long[] LONGS = alike(ValueType.I64);
    private static final long[] DOUBLES = alike(ValueType.F64);

    private final String name;
    private final Signature signature;
    private final long kinds;

    PluginFunction(long id, String name, Signature signature) {
        super(Native.FUNCTION, id);
        this.name = name;
        this.signature = signature;
        kinds = signature.kinds();
    }

    public String getName() {
        return name;
    }

    public Signature getSignature() {
        return signature;
    }

    /** Calls the function with values of any types. */
    public Value[] call(Value... args) {
        return callWith(null, args);
    }

    /** The same, narrowed; null narrows nothing. */
    public Value[] callWith(CallOptions options, Value... args) {
        return Calls.call(this, Native.FUNCTION, null, options, args);
    }

    public int callInt() {
        return ints(0, 0, 0, 0, 0);
    }

    public int callInt(int a) {
        return ints(1, a, 0, 0, 0);
    }

    public int callInt(int a, int b) {
        return ints(2, a, b, 0, 0);
    }

    public int callInt(int a, int b, int c) {
        return ints(3, a, b, c, 0);
    }

    public int callInt(int a, int b, int c, int d) {
        return ints(4, a, b, c, d);
    }

    public long callLong() {
        return longs(0, 0, 0, 0, 0);
    }

    public long callLong(long a) {
        return longs(1, a, 0, 0, 0);
    }

    public long callLong(long a, long b) {
        return longs(2, a, b, 0, 0);
    }

    public long callLong(long a, long b, long c) {
        return longs(3, a, b, c, 0);
    }

    public long callLong(long a, long b, long c, long d) {
        return longs(4, a, b, c, d);
    }

    public double callDouble() {
        return doubles(0, 0, 0, 0, 0);
    }

    public double callDouble(double a) {
        return doubles(1, a, 0, 0, 0);
    }

    public double callDouble(double a, double b) {
        return doubles(2, a, b, 0, 0);
    }

    public double callDouble(double a, double b, double c) {
        return doubles(3, a, b, c, 0);
    }

    public double callDouble(double a, double b, double c, double d) {
        return doubles(4, a, b, c, d);
    }

    /**
     * Calls the function with arguments of whatever types it has: the number of an integer, the raw bits of a float.
     * Answers its result likewise, 0 if it has none.
     */
    public long callBits(long... args) {
        Objects.requireNonNull(args, "args");
        if (kinds == -1 || args.length != signature.params.size()) {
            throw mismatch(args.length + " values of 64 bits");
        }
        return Native.callArray(this, id, kinds, args);
    }

    private int ints(int count, int a, int b, int c, int d) {
        check(INTS[count], ValueType.I32);
        return (int) Native.callBits(this, id, kinds, a, b, c, d);
    }

    private long longs(int count, long a, long b, long c, long d) {
        check(LONGS[count], ValueType.I64);
        return Native.callBits(this, id, kinds, a, b, c, d);
    }

    private double doubles(int count, double a, double b, double c, double d) {
        check(DOUBLES[count], ValueType.F64);
        return Double.longBitsToDouble(Native.callBits(
                this, id, kinds, Double.doubleToRawLongBits(a), Double.doubleToRawLongBits(b),
                Double.doubleToRawLongBits(c), Double.doubleToRawLongBits(d)));
    }

    /** The result is in the lowest bits, and no result is 0. */
    private void check(long wanted, ValueType result) {
        if (kinds != wanted && kinds != wanted - result.ordinal()) {
            int count = (int) (wanted >>> 3) & 31;
            throw mismatch(count + " values of the type " + result.text());
        }
    }

    private PluginException mismatch(String given) {
        return PluginException.of(
                ErrorCode.SIGNATURE_MISMATCH, "`" + name + "` is " + signature + " and was called with " + given);
    }

    /** The kinds of functions whose parameters and result are all of one type, by their count. */
    private static long[] alike(ValueType type) {
        long[] kinds = new long[5];
        for (int count = 0; count < kinds.length; count++) {
            Value[] values = new Value[count];
            Arrays.fill(values, new Value(type, 0));
            kinds[count] = Value.kinds(values) | type.ordinal();
        }
        return kinds;
    }
}
