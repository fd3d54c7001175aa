package dev.wasmruntime;

/** Takes in the log of the library. What it throws is printed, and goes no further. */
public interface LogListener {
    void line(LogLevel level, String line) throws Exception;
}
