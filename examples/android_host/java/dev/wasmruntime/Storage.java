package dev.wasmruntime;

/**
 * Tables of yours, in the place of those in memory. Searches by index and vector still go to memory. As with
 * {@link HostCallback}, a {@link HostException} is a status, and any other exception ends the plugin's call.
 */
public interface Storage {
    /** The value of a row; null if there is none. Or null after {@link HostCall#answerLater}. */
    byte[] read(HostCall call, String table, byte[] key) throws Exception;

    /**
     * Gives {@code rows} the rows with keys from {@code from} on, in order, until it answers false or has {@code
     * limit}.
     */
    void scan(HostCall call, String table, byte[] from, int limit, Rows rows) throws Exception;

    /** Stores a value; says whether it replaced one. */
    boolean write(HostCall call, String table, byte[] key, byte[] value) throws Exception;

    /** Removes a row; says whether there was one. */
    boolean delete(HostCall call, String table, byte[] key) throws Exception;

    /** Where the rows of a scan go. */
    interface Rows {
        /** Hands a row to the plugin; says whether it took it. If not, there is no room for more. */
        boolean add(byte[] key, byte[] value);
    }
}
