package dev.wasmruntime;

/**
 * A call that is run piece by piece. It has a sandbox of its own until it ends; closing it cancels it. One thread at a
 * time uses it: another gets {@link ErrorCode#BUSY}.
 */
public final class PluginCall extends Handle {
    private static final Progress[] PROGRESS = Progress.values();

    private volatile long ticket;

    PluginCall(long id) {
        super(Native.CALL, id);
    }

    /**
     * Runs the call until it has spent {@code fuel}, waits for its host, or has ended. It may be left alone after that
     * for as long as one likes. An exception ends it.
     */
    public Progress run(long fuel) {
        if (fuel < 0) {
            throw PluginException.misuse("`fuel` is " + fuel);
        }
        long[] ticket = new long[1];
        Progress progress = PROGRESS[Native.run(this, id, fuel, ticket)];
        if (progress == Progress.SUSPENDED) {
            this.ticket = ticket[0];
        }
        return progress;
    }

    /** What the callback that suspended the call last said to {@link HostCall#answerLater}. */
    public long getTicket() {
        return ticket;
    }

    /**
     * Answers the host call that the call is suspended in; it goes on with the next run. {@code value} is what the host
     * function returns, null if it returns nothing. {@code output}, which may be null, goes to where the plugin wants
     * it.
     */
    public void complete(long ticket, Value value, byte[] output) {
        long kinds = value == null ? 0 : Value.kinds(value);
        Native.complete(this, id, ticket, kinds, value == null ? 0 : value.bits, output);
    }

    /** Answers that host call with a status. */
    public void fail(long ticket, HostStatus status) {
        Native.fail(this, id, ticket, status.number);
    }

    /** The results of a call that has finished. */
    public Value[] getResults() {
        long[] results = new long[Value.MOST];
        return Value.of(Native.results(this, id, results), results);
    }

    /** The bytes that a function of the byte convention answered, once the call has finished. */
    public byte[] getAnswer() {
        return Native.answer(this, id);
    }

    /** How much fuel the call has spent so far. */
    public long getFuelSpent() {
        return Native.fuelSpent(this, id);
    }

    /** What cancels the call, from any thread. */
    public CancelToken cancelToken() {
        return new CancelToken(Native.cancelToken(this, Native.CALL, id));
    }
}
