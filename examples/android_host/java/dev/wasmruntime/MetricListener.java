package dev.wasmruntime;

import java.util.Map;

/** Takes in what plugins count and measure. */
public interface MetricListener {
    /** One observation. The value is a number. */
    void observe(HostCall call, MetricKind kind, String name, double value, Map<String, String> labels)
            throws Exception;
}
