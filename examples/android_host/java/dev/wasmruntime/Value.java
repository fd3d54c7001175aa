package dev.wasmruntime;

/** A value that is passed to a plugin's function, or returned by it. */
public final class Value {
    /** How many values a call takes or returns at most. */
    static final int MOST = 16;

    final ValueType type;
    /** The number, or the bits of the float. */
    final long bits;

    Value(ValueType type, long bits) {
        this.type = type;
        this.bits = bits;
    }

    public static Value i32(int value) {
        return new Value(ValueType.I32, value);
    }

    public static Value i64(long value) {
        return new Value(ValueType.I64, value);
    }

    public static Value f32(float value) {
        return new Value(ValueType.F32, Float.floatToRawIntBits(value));
    }

    public static Value f64(double value) {
        return new Value(ValueType.F64, Double.doubleToRawLongBits(value));
    }

    /** A number of your own, which the plugin can keep and hand back and not read. 0 is the null reference. */
    public static Value externref(long number) {
        return new Value(ValueType.EXTERNREF, number);
    }

    public ValueType getType() {
        return type;
    }

    public int asInt() {
        return (int) of(ValueType.I32);
    }

    public long asLong() {
        return of(ValueType.I64);
    }

    public float asFloat() {
        return Float.intBitsToFloat((int) of(ValueType.F32));
    }

    public double asDouble() {
        return Double.longBitsToDouble(of(ValueType.F64));
    }

    public long asExternref() {
        return of(ValueType.EXTERNREF);
    }

    private long of(ValueType wanted) {
        if (type != wanted) {
            throw new ClassCastException(this + " is no " + wanted.text());
        }
        return bits;
    }

    /** Equal are values of the same type with the same bits: a NaN is itself, and 0.0 is not -0.0. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Value && ((Value) other).type == type && ((Value) other).bits == bits;
    }

    @Override
    public int hashCode() {
        return 31 * type.ordinal() + (int) (bits ^ (bits >>> 32));
    }

    @Override
    public String toString() {
        switch (type) {
            case F32:
                return "f32 " + asFloat();
            case F64:
                return "f64 " + asDouble();
            default:
                return type.text() + " " + bits;
        }
    }

    // --- how values cross: kinds have a result in bits 0 to 2, a count in bits 3 to 7, and three bits for each of 16

    static long kinds(Value... values) {
        if (values.length > MOST) {
            throw PluginException.misuse(values.length + " values were given; " + MOST + " are the most there can be");
        }
        long kinds = values.length << 3;
        for (int at = 0; at < values.length; at++) {
            kinds |= (long) values[at].type.ordinal() << (8 + 3 * at);
        }
        return kinds;
    }

    static long[] bits(Value... values) {
        long[] bits = new long[values.length];
        for (int at = 0; at < values.length; at++) {
            bits[at] = values[at].bits;
        }
        return bits;
    }

    static Value[] of(long kinds, long[] bits) {
        Value[] values = new Value[(int) (kinds >>> 3) & 31];
        for (int at = 0; at < values.length; at++) {
            values[at] = new Value(ValueType.of((int) (kinds >>> (8 + 3 * at)) & 7), bits[at]);
        }
        return values;
    }
}
