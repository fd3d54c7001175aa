package dev.wasmruntime;

/** What was decided. */
public enum AuditDecision {
    /**
     * A plugin imports a function and holds the grant; or, at {@link AuditLevel#HOST_CALLS}, a host call was let
     * through.
     */
    GRANT,
    /** A grant is missing: for a function that is imported, or for what a host call named. */
    DENIAL,
    /** A host call answered -5, or a call spent its fuel or its time. */
    LIMIT,
    /** A call trapped, a host function stopped it, or it was cancelled. */
    TRAP,
    /** A plugin was loaded (status 0), or was not (-1). */
    LOAD,
    RELOAD,
    ROLLBACK,
    UNLOAD,
    /** A quota was reached. */
    QUOTA,
    /** A plugin was put in quarantine. */
    QUARANTINE,
    /** A plugin came out of quarantine. */
    REVIVE,
    /** Something that a later version of the library decides. */
    OTHER;

    private static final AuditDecision[] ALL = values();

    static AuditDecision of(long number) {
        return number < ALL.length ? ALL[(int) number] : OTHER;
    }
}
