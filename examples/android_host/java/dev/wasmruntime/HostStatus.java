package dev.wasmruntime;

/**
 * How a callback answers that did not do what it was asked for. Down to {@link #PLUGIN_FAILED} the plugin gets the
 * number; the others end its call.
 */
public enum HostStatus {
    /** A grant is missing. */
    DENIED(-1),
    /** There is no such thing. */
    NOT_FOUND(-2),
    INVALID_ARGUMENTS(-3),
    /** The host failed. */
    FAILED(-4),
    /** A quota or limit was reached, or the answer does not fit. */
    LIMIT_REACHED(-5),
    NOT_SUPPORTED(-6),
    /** A plugin that was called failed. */
    PLUGIN_FAILED(-7),
    /** The call has not enough fuel left: it ends. */
    OUT_OF_FUEL(-100),
    /** The call is past its deadline: it ends. */
    DEADLINE(-101),
    /** The call was cancelled: it ends. */
    CANCELLED(-102),
    /** Ends the call with {@link ErrorCode#HOST}. */
    ABORT(-104);

    /** Not for a callback to answer: {@link HostCall#answerLater} does, and what comes too late gets the other. */
    static final int PENDING = -103;
    static final int NO_CALL = -105;

    final int number;

    HostStatus(int number) {
        this.number = number;
    }

    static HostStatus of(int number) {
        for (HostStatus status : values()) {
            if (status.number == number) {
                return status;
            }
        }
        throw new IllegalStateException("the library answered the status " + number);
    }
}
