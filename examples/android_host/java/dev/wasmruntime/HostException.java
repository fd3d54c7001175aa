package dev.wasmruntime;

/** A callback's answer that is a status. It is thrown often, in loops of a guest's choosing, and has no stack trace. */
public final class HostException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final HostStatus status;

    public HostException(HostStatus status) {
        super(status.name(), null, false, false);
        this.status = status;
    }

    public HostStatus getStatus() {
        return status;
    }
}
