package dev.wasmruntime;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * A registry of plugins. When it is closed its plugins go with it, but for those that a {@link Plugin} or
 * {@link PluginFunction} stands for, which can be called on.
 */
public final class PluginRegistry extends Handle {
    /** A registry with everything in memory. */
    public PluginRegistry() {
        this(new RegistryOptions());
    }

    public PluginRegistry(RegistryOptions options) {
        super(Native.REGISTRY, make(options));
    }

    private static long make(RegistryOptions options) {
        HostFunction[] functions = options.functions.toArray(new HostFunction[0]);
        return Native.newRegistry(options.packed(), functions, new HostServices(options));
    }

    // --- plugins

    /** Loads a module under a name, 1 to 128 bytes. {@code config} may be null. */
    public void load(String name, byte[] wasm, PluginConfig config) {
        Objects.requireNonNull(wasm, "wasm");
        Native.load(this, id, Calls.name(name), wasm, PluginConfig.packed(config));
    }

    /** Loads a module from a file. */
    public void loadFile(String name, String path, PluginConfig config) {
        Native.loadFile(this, id, Calls.name(name), Calls.name(path), PluginConfig.packed(config));
    }

    /**
     * Replaces the code and configuration of a plugin, altogether or not at all. A call that begins after this has
     * returned never sees the old version. {@code config} and {@code options} may be null.
     */
    public void reload(String name, byte[] wasm, PluginConfig config, ReloadOptions options) {
        Objects.requireNonNull(wasm, "wasm");
        Native.reload(
                this, id, Calls.name(name), wasm, PluginConfig.packed(config), ReloadOptions.packed(options));
    }

    /** Brings back the version that the last reload replaced. */
    public void rollback(String name) {
        Native.rollback(this, id, Calls.name(name));
    }

    /** Unloads a plugin: new calls are refused at once, and its memory returns with the last call or lease. */
    public void unload(String name) {
        Native.unload(this, id, Calls.name(name));
    }

    /** Unloads all plugins. */
    public void shutdownAll() {
        Native.shutdownAll(this, id);
    }

    /** What a module asks for, and whether it would be loaded, before anything of it runs: JSON. */
    public String admit(byte[] wasm, PluginConfig config) {
        Objects.requireNonNull(wasm, "wasm");
        return Texts.in(Native.admit(this, id, wasm, PluginConfig.packed(config)));
    }

    /** Finds a plugin. Kotlin: {@code registry["name"]}. */
    public Plugin get(String name) {
        return new Plugin(Native.findPlugin(this, id, Calls.name(name)));
    }

    public long getSize() {
        return Native.pluginCount(this, id);
    }

    /** The names of its plugins. */
    public List<String> getNames() {
        List<String> names = new ArrayList<>();
        byte[] name;
        while ((name = Native.pluginNameAt(this, id, names.size())) != null) {
            names.add(Texts.in(name));
        }
        return names;
    }

    /**
     * Makes the sandboxes that calls will want, and drops those that none will: for idle time. It drops what is used
     * up; then, while idle sandboxes hold more than {@code maxIdleBytes} together, what was idle for longest; then it
     * makes what plugins lack of their {@link PluginConfig#minInstances}. Each sandbox is a step, and it does no more
     * than {@code steps}; -1 in either is no bound. Start functions of plugins run in it, under the limits of a call.
     */
    public Maintained maintain(long steps, long maxIdleBytes) {
        if (steps < -1 || maxIdleBytes < -1) {
            throw PluginException.misuse("`steps` is " + steps + ", `maxIdleBytes` is " + maxIdleBytes);
        }
        return new Maintained(Native.maintain(this, id, steps, maxIdleBytes));
    }

    // --- tenants

    /** Sets what a tenant's plugins may hold and spend together, in the place of what was set before. */
    public void setQuota(String tenant, Quota quota) {
        Native.setQuota(this, id, Calls.name(tenant), quota.pack(new Packer()).done());
    }

    public Usage usage(String tenant) {
        return new Usage(Native.usage(this, id, Calls.name(tenant)));
    }

    /** What the loaded plugins of a tenant have done together. */
    public Stats stats(String tenant) {
        return new Stats(Native.tenantStats(this, id, Calls.name(tenant)));
    }

    /** Cancels all calls that are running in a tenant's plugins; says how many. */
    public long cancelTenant(String tenant) {
        return Native.cancelTenant(this, id, Calls.name(tenant));
    }

    // --- tables in memory

    /** Stores a row of a tenant's table; says whether it replaced one. */
    public boolean put(String tenant, String table, byte[] key, byte[] value) {
        Objects.requireNonNull(key, "key");
        Objects.requireNonNull(value, "value");
        return Native.put(this, id, Calls.name(tenant), Calls.name(table), key, value);
    }

    /** A row of a tenant's table; null if there is none. */
    public byte[] getRow(String tenant, String table, byte[] key) {
        Objects.requireNonNull(key, "key");
        return Native.row(this, id, Calls.name(tenant), Calls.name(table), key);
    }

    /** Removes a row; says whether there was one. */
    public boolean deleteRow(String tenant, String table, byte[] key) {
        Objects.requireNonNull(key, "key");
        return Native.deleteRow(this, id, Calls.name(tenant), Calls.name(table), key);
    }

    /** Adds an index to a tenant's table, over some bytes of its values. */
    public void createIndex(String tenant, String index, String table, int fieldOffset, int fieldLength) {
        if (fieldOffset < 0 || fieldLength < 0) {
            throw PluginException.misuse("a field of " + fieldLength + " bytes at " + fieldOffset);
        }
        Native.createIndex(
                this, id, Calls.name(tenant), Calls.name(index), Calls.name(table), fieldOffset, fieldLength);
    }

    /** Adds a collection of vectors of so many components to a tenant's table. */
    public void createCollection(String tenant, String collection, String table, int dims, Distance distance) {
        if (dims < 0) {
            throw PluginException.misuse("`dims` is " + dims);
        }
        Native.createCollection(
                this, id, Calls.name(tenant), Calls.name(collection), Calls.name(table), dims, distance.ordinal());
    }

    /** Stores the vector of a row; says whether it replaced one. */
    public boolean insertVector(String tenant, String collection, long row, float[] vector) {
        Objects.requireNonNull(vector, "vector");
        return Native.insertVector(this, id, Calls.name(tenant), Calls.name(collection), row, vector);
    }

    // --- watching

    public Totals getTotals() {
        return new Totals(Native.globalStats(this, id));
    }

    /** Takes the records out of the ring of the last 64 decisions, the oldest first. */
    public List<AuditRecord> drainAudit() {
        List<AuditRecord> records = new ArrayList<>();
        long[] numbers = new long[5];
        byte[] names;
        // No more than the ring holds: others may fill it meanwhile.
        while (records.size() < 64 && (names = Native.auditPop(this, id, numbers)) != null) {
            records.add(new AuditRecord(numbers, names));
        }
        return records;
    }

    /** How many records were lost because nobody took them, or because two threads were at the ring at once. */
    public long getAuditDropped() {
        return Native.auditDropped(this, id);
    }

    /** All metrics in the text format of Prometheus. */
    public String renderPrometheus() {
        return Texts.in(Native.prometheus(this, id));
    }
}
