package dev.wasmruntime;

/** The library. */
public final class WasmRuntime {
    private static volatile LogListener log;

    private WasmRuntime() {}

    /** The version of the library. */
    public static String getVersion() {
        return Texts.in(Native.version());
    }

    /** Sets what gets the log of all registries, down to a level; null for nothing. */
    public static void setLog(LogLevel maxLevel, LogListener listener) {
        log = listener;
        Native.setLog(listener == null ? 0 : maxLevel.ordinal());
    }

    static void logged(int level, byte[] line) throws Exception {
        LogListener listener = log;
        if (listener != null) {
            listener.line(LogLevel.of(level), Texts.in(line));
        }
    }
}
