package dev.wasmruntime;

/** How much a line of a log matters. */
public enum LogLevel {
    /** Of no line: nothing is logged. */
    OFF,
    ERROR,
    WARN,
    INFO,
    DEBUG;

    private static final LogLevel[] ALL = values();

    static LogLevel of(int number) {
        return ALL[Math.min(number, ALL.length - 1)];
    }
}
