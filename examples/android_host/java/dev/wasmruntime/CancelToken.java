package dev.wasmruntime;

/** What cancels one call. It may outlive its call, and then does nothing. */
public final class CancelToken extends Handle {
    CancelToken(long id) {
        super(Native.CANCEL, id);
    }

    /**
     * Cancels the call: it ends with {@link ErrorCode#CANCELLED} at the end of its slice, or at its next host call.
     * Says whether there was something to cancel: not if it has ended, or is cancelled already.
     */
    public boolean cancel() {
        return Native.cancel(this, id);
    }
}
