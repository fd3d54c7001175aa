package dev.wasmruntime;

/**
 * Why something was not done; nothing has changed then. If a callback ended the call by an exception, that is the
 * cause.
 */
public final class PluginException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ErrorCode code;
    private final Fault fault;
    private final int trapCode;
    private final int guestStatus;

    /** Called by the shim. */
    PluginException(int code, int fault, int trapCode, int guestStatus, byte[] message, Throwable cause) {
        this(ErrorCode.of(code), Fault.values()[fault], trapCode, guestStatus, Texts.in(message), cause);
    }

    private PluginException(
            ErrorCode code, Fault fault, int trapCode, int guestStatus, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
        this.fault = fault;
        this.trapCode = trapCode;
        this.guestStatus = guestStatus;
    }

    static PluginException misuse(String message) {
        return of(ErrorCode.INVALID_ARGUMENT, message);
    }

    static PluginException of(ErrorCode code, String message) {
        return new PluginException(code, Fault.HOST, 0, 0, message, null);
    }

    public ErrorCode getCode() {
        return code;
    }

    public Fault getFault() {
        return fault;
    }

    /** How the guest trapped, by the table of docs/abi.md: 1 is {@code unreachable}; 0 if it did not. */
    public int getTrapCode() {
        return trapCode;
    }

    /** The negative status that a function of the byte convention answered; 0 if it did not. */
    public int getGuestStatus() {
        return guestStatus;
    }
}
