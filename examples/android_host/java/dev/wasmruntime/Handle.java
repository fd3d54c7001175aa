package dev.wasmruntime;

/**
 * Something of the library's that is given back when it is closed. Closing it again does nothing; using it after that
 * is a {@link PluginException} with {@link ErrorCode#INVALID_HANDLE}. Any thread may use and close it at any time. What
 * is forgotten instead is closed once the collector has found it, the next time that anything here is made.
 */
public abstract class Handle implements AutoCloseable {
    final long id;
    private final Net net;

    Handle(int kind, long id) {
        this.id = id;
        net = Net.over(this, kind, id);
    }

    @Override
    public final void close() {
        net.release();
    }
}
