package dev.wasmruntime;

/**
 * A function of yours that plugins import. It answers by one of the {@code answer} methods of the call, or throws a
 * {@link HostException} for a status. Any other exception ends the plugin's call, and is the cause of what the caller
 * gets.
 *
 * <p>It is called on the thread that calls the plugin, by several at once if several do. It may use everything here but
 * what runs a plugin: that is {@link ErrorCode#REENTRANT}.
 */
public interface HostCallback {
    void call(HostCall call) throws Exception;
}
