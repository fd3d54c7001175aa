package dev.wasmruntime;

import java.util.Locale;

/** The type of a value. {@link #V128} and {@link #FUNCREF} do not cross the boundary. */
public enum ValueType {
    /** No value: the result of a function that has none. */
    NONE,
    I32,
    I64,
    F32,
    F64,
    V128,
    FUNCREF,
    /** A number of the host's own. */
    EXTERNREF;

    private static final ValueType[] ALL = values();

    static ValueType of(int number) {
        return ALL[number];
    }

    String text() {
        return name().toLowerCase(Locale.ROOT);
    }
}
