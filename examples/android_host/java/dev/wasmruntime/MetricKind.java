package dev.wasmruntime;

/** What is done with an observation. */
public enum MetricKind {
    /** It is added. */
    COUNTER,
    /** It replaces what was there. */
    GAUGE,
    /** It is counted in a distribution. */
    HISTOGRAM
}
