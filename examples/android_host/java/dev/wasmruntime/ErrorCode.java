package dev.wasmruntime;

/** How something ended: the codes of {@code wasm_runtime.h}, of the same names. */
public enum ErrorCode {
    /** The bytes are not a valid core WebAssembly module; the message says what they look like. */
    INVALID_MODULE(1),
    /** The module or the configuration asks for something that is not allowed here. */
    REFUSED(2),
    /** A size or count is over its limit. */
    LIMIT_EXCEEDED(3),
    /** The name is taken. */
    ALREADY_LOADED(4),
    /** There is nothing of that name or number. */
    NOT_FOUND(5),
    /** The plugin exports no function of that name, or no memory of that name. */
    FUNCTION_NOT_FOUND(6),
    /** The function has another signature, or one that a host cannot call. */
    SIGNATURE_MISMATCH(7),
    /** All sandboxes of the plugin are in use, or the call or lease is, by another thread or this one further up. */
    BUSY(8),
    /** The call has ended already. */
    NOT_READY(9),
    /** The call spent its fuel, or the plugin its fuel budget. */
    OUT_OF_FUEL(10),
    /** The call ran past its timeout. */
    DEADLINE(11),
    /** The call was cancelled. */
    CANCELLED(12),
    /** The guest trapped; {@link PluginException#getTrapCode()} says how. */
    TRAP(13),
    /** A host function was denied, and the configuration makes that a trap. */
    DENIED(14),
    /** The plugin failed too often and accepts no calls for now. */
    QUARANTINED(15),
    /** A quota of the tenant or the host was reached. */
    QUOTA_EXCEEDED(16),
    /** The module's SHA-256 is not the pinned one. */
    HASH_MISMATCH(17),
    /** A timeout was asked for and there is no clock. */
    CLOCK_MISSING(18),
    /** This build's interpreter dispatch grows the native stack; no plugin may run in it. */
    UNSOUND_DISPATCH(19),
    /** The guest broke the byte convention, or answered a status: {@link PluginException#getGuestStatus()}. */
    BAD_GUEST_ANSWER(20),
    /** The table of host functions is full, or holds the name already. */
    TABLE_FULL(21),
    /** A callback stopped the call; what it threw is the cause. Or the host's own storage refused. */
    HOST(22),
    /** The plugin was unloaded. */
    UNLOADED(23),
    /** A file could not be read. */
    IO(24),
    NULL_POINTER(100),
    /** It was closed. */
    INVALID_HANDLE(101),
    /** An argument is not what it may be. */
    INVALID_ARGUMENT(102),
    INVALID_STRUCT(103),
    BUFFER_TOO_SMALL(104),
    /** A callback asked for something that runs a plugin. */
    REENTRANT(105),
    /** The library failed in a way that it should not have; please report the message. */
    PANIC(106),
    /** This build of the library does not have it. */
    NOT_SUPPORTED(107),
    /** There is no memory for another handle. */
    TOO_MANY_HANDLES(108);

    final int number;

    ErrorCode(int number) {
        this.number = number;
    }

    static ErrorCode of(int number) {
        for (ErrorCode code : values()) {
            if (code.number == number) {
                return code;
            }
        }
        throw new IllegalStateException("the library answered the code " + number);
    }
}
