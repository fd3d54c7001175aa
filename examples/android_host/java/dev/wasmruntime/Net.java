package dev.wasmruntime;

import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.Collections;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Catches handles that nobody closed. Android has {@code java.lang.ref.Cleaner} from API 33 on only, and its thread
 * would run callbacks where nobody expects them: the queue is looked at when a handle is made.
 */
final class Net extends PhantomReference<Handle> {
    private static final ReferenceQueue<Handle> FORGOTTEN = new ReferenceQueue<>();
    /** All that are not released: each is in here, or it would be collected before its handle is. */
    private static final Set<Net> HELD = Collections.newSetFromMap(new ConcurrentHashMap<Net, Boolean>());

    private final int kind;
    private final long id;

    private Net(Handle handle, int kind, long id) {
        super(handle, FORGOTTEN);
        this.kind = kind;
        this.id = id;
    }

    static Net over(Handle handle, int kind, long id) {
        Net net = new Net(handle, kind, id);
        HELD.add(net);
        releaseForgotten();
        return net;
    }

    /** Releases the handle, once: whoever takes it out of the set does it. */
    void release() {
        if (HELD.remove(this)) {
            clear();
            Native.release(kind, id);
        }
    }

    static void releaseForgotten() {
        for (Reference<?> net = FORGOTTEN.poll(); net != null; net = FORGOTTEN.poll()) {
            ((Net) net).release();
        }
    }

    /** How many handles are held, for tests. */
    static int held() {
        return HELD.size();
    }
}
