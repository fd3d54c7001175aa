package dev.wasmruntime;

/** Whether a new version takes over the state of the old one, by {@code soch_save} and {@code soch_restore}. */
public enum StateTransfer {
    NONE,
    /** If both have the functions. */
    IF_EXPORTED,
    /** Or the reload fails. */
    REQUIRED
}
