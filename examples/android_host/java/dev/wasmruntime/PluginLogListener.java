package dev.wasmruntime;

/** Takes in the lines that plugins log. */
public interface PluginLogListener {
    /** A line, whose control characters are escaped. */
    void line(HostCall call, LogLevel level, String line) throws Exception;
}
