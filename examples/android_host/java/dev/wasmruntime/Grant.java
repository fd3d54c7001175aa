package dev.wasmruntime;

/** What a plugin needs to call a host function. */
public enum Grant {
    NOTHING,
    /** Some table to read. */
    READ_TABLE,
    /** Some table to write. */
    WRITE_TABLE,
    INDEX_SEARCH,
    VECTOR_SEARCH,
    /** Some plugin to call. */
    CALL_PLUGIN
}
