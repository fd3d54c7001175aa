package dev.wasmruntime;

/** What goes to the audit ring. */
public enum AuditLevel {
    OFF,
    DECISIONS,
    /** Every host call as well. */
    HOST_CALLS
}
