package dev.wasmruntime;

import java.util.Objects;

/**
 * The host call that a callback answers: good until the callback returns, on its thread. Afterwards and elsewhere
 * everything is an {@link IllegalStateException}. What a plugin did wrong is a {@link HostException}, which need not be
 * caught: the plugin gets the status.
 */
public final class HostCall {
    private static final int ANSWERED = 1;
    private static final int SUSPENDED = 2;

    private final long id;
    private final Thread thread;
    /** Null if it is not a function of the program's own. */
    private final HostFunction function;
    private final long first;
    private final long second;
    private final long[] more;
    private int state;
    private long answer;
    private boolean over;

    HostCall(long id) {
        this(id, null, 0, 0, null);
    }

    HostCall(long id, HostFunction function, long first, long second, long[] more) {
        this.id = id;
        this.thread = Thread.currentThread();
        this.function = function;
        this.first = first;
        this.second = second;
        this.more = more;
    }

    // --- arguments of a function of the program's own, counted from 0

    public int getInt(int place) {
        return (int) argument(place, ValueType.I32);
    }

    public long getLong(int place) {
        return argument(place, ValueType.I64);
    }

    public float getFloat(int place) {
        return Float.intBitsToFloat((int) argument(place, ValueType.F32));
    }

    public double getDouble(int place) {
        return Double.longBitsToDouble(argument(place, ValueType.F64));
    }

    private long argument(int place, ValueType type) {
        HostFunction function = function();
        if (function.params[place] != type) {
            throw new IllegalStateException(
                    "parameter " + place + " of " + function.name + " is " + function.params[place]);
        }
        return place == 0 ? first : place == 1 ? second : more[place - 2];
    }

    // --- its answer

    public void answerInt(int value) {
        answer(ValueType.I32, value);
    }

    public void answerLong(long value) {
        answer(ValueType.I64, value);
    }

    public void answerFloat(float value) {
        answer(ValueType.F32, Float.floatToRawIntBits(value));
    }

    public void answerDouble(double value) {
        answer(ValueType.F64, Double.doubleToRawLongBits(value));
    }

    private void answer(ValueType type, long bits) {
        HostFunction function = function();
        if (function.result != type) {
            throw new IllegalStateException(function.name + " answers " + function.result);
        }
        state |= ANSWERED;
        answer = bits;
    }

    /** Whether the call can wait for an answer that comes later: only started ones can. */
    public boolean canAnswerLater() {
        check();
        return Native.hostCanSuspend(id);
    }

    /**
     * The answer comes later, by {@link PluginCall#complete}: suspends the call, once the callback has returned. If it
     * cannot wait, the plugin gets {@link HostStatus#NOT_SUPPORTED}.
     */
    public void answerLater(long ticket) {
        check();
        int status = Native.hostSuspend(id, ticket);
        if (status != HostStatus.PENDING) {
            expect(status);
        }
        state |= SUSPENDED;
    }

    /** Where in the plugin's memory the later answer's bytes go. The memory cannot be looked at after that. */
    public void answerTo(int pointer, int length) {
        check();
        expect(Native.hostAnswerTo(id, pointer, length));
    }

    // --- the plugin's memory, at pointers that the plugin gave

    /** Bytes out of the plugin's memory. */
    public byte[] readBytes(int pointer, int length) {
        check();
        // Before there is an array: a plugin may say any length.
        expect(Native.hostCheck(id, pointer, length));
        byte[] bytes = new byte[length];
        expect(Native.hostRead(id, pointer, bytes, 0, length));
        return bytes;
    }

    /** UTF-8 out of the plugin's memory. */
    public String readText(int pointer, int length) {
        return Texts.in(readBytes(pointer, length));
    }

    /** Bytes out of the plugin's memory, into an array of yours. */
    public void readInto(int pointer, byte[] bytes, int offset, int length) {
        check();
        checkRange(bytes, offset, length);
        expect(Native.hostRead(id, pointer, bytes, offset, length));
    }

    /** Writes all of the bytes, or nothing if they are not all inside. */
    public void writeBytes(int pointer, byte[] bytes) {
        writeFrom(pointer, bytes, 0, bytes.length);
    }

    /** Writes some of the bytes. */
    public void writeFrom(int pointer, byte[] bytes, int offset, int length) {
        check();
        checkRange(bytes, offset, length);
        expect(Native.hostWrite(id, pointer, bytes, offset, length));
    }

    private static void checkRange(byte[] bytes, int offset, int length) {
        if (offset < 0 || length < 0 || offset > bytes.length - length) {
            throw new IndexOutOfBoundsException(
                    length + " bytes at " + offset + " of an array of " + bytes.length);
        }
    }

    // --- fuel and time

    /** Takes fuel from the call. If less is left, nothing is taken and the call ends. */
    public void charge(long fuel) {
        check();
        if (fuel < 0) {
            throw PluginException.misuse("`fuel` is " + fuel);
        }
        expect(Native.hostCharge(id, fuel));
    }

    /** Takes fuel for so many bytes, at what the function was defined to cost. */
    public void chargeBytes(long length) {
        check();
        if (length < 0) {
            throw PluginException.misuse("`length` is " + length);
        }
        expect(Native.hostChargeBytes(id, length));
    }

    /** Ends the call if its time is up or it was cancelled. To be asked every 64 KiB or 1,000 rows of a long loop. */
    public void checkpoint() {
        check();
        expect(Native.hostCheckpoint(id));
    }

    /** The fuel that guest and host may still spend; -1 if the call is not metered. */
    public long getFuelLeft() {
        check();
        return Native.hostFuelLeft(id);
    }

    // --- who calls

    /** {@link CallOptions#tag}; 0 if none. */
    public long getTag() {
        check();
        return Native.hostTag(id);
    }

    public String getPlugin() {
        check();
        return Texts.in(Native.hostPlugin(id));
    }

    public String getTenant() {
        check();
        return Texts.in(Native.hostTenant(id));
    }

    /** A setting of the plugin's configuration; null if it has none of that name. */
    public String getSetting(String name) {
        check();
        return Texts.in(Native.hostSetting(id, Texts.out(Objects.requireNonNull(name, "name"))));
    }

    // --- for the callbacks

    boolean isSuspended() {
        return (state & SUSPENDED) != 0;
    }

    /** The bits of the answer. */
    long answer() {
        if (isSuspended()) {
            Native.hostStatus(HostStatus.PENDING);
        } else if (state == 0 && function.result != ValueType.NONE) {
            throw new IllegalStateException(function.name + " was given no answer");
        }
        return answer;
    }

    void end() {
        over = true;
    }

    private HostFunction function() {
        check();
        if (function == null) {
            throw new IllegalStateException("this call has no values");
        }
        return function;
    }

    private void check() {
        if (over || Thread.currentThread() != thread) {
            throw noCall();
        }
    }

    private static void expect(int status) {
        if (status == HostStatus.NO_CALL) {
            throw noCall();
        }
        if (status < 0) {
            throw new HostException(HostStatus.of(status));
        }
    }

    private static IllegalStateException noCall() {
        return new IllegalStateException("the host call is over, or another thread's");
    }
}
