package dev.wasmruntime;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * A loaded plugin. It follows the plugin to other versions, and may be called on after its registry was closed. Closing
 * it leaves the plugin loaded.
 */
public final class Plugin extends Handle {
    Plugin(long id) {
        super(Native.PLUGIN, id);
    }

    // --- calling

    /** Calls a function and answers what it returns. */
    public Value[] call(String function, Value... args) {
        return callWith(null, function, args);
    }

    /** The same, narrowed; null narrows nothing. */
    public Value[] callWith(CallOptions options, String function, Value... args) {
        return Calls.call(this, Native.PLUGIN, function, options, args);
    }

    /** Hands bytes to a function of the byte convention and answers what it answers. */
    public byte[] callBytes(String function, byte[] input) {
        return Native.callBytes(this, id, Calls.name(function), Objects.requireNonNull(input, "input"));
    }

    /**
     * The same between direct buffers, without a copy on the way: takes what is left of {@code input}, and puts the
     * answer to {@code output}, from its position on. Answers how long it is. {@link ErrorCode#LIMIT_EXCEEDED} if it
     * does not fit; the plugin has run by then. Nobody else may use the two meanwhile.
     */
    public int callBuffers(String function, ByteBuffer input, ByteBuffer output) {
        return Calls.buffers(this, Native.PLUGIN, function, input, output);
    }

    /** Looks a function up, for the fastest calls of it. */
    public PluginFunction function(String name) {
        byte[] text = Calls.name(name);
        Signature signature = new Signature(Native.signature(this, id, text));
        return new PluginFunction(Native.findFunction(this, id, text), name, signature);
    }

    /** Begins a call of which nothing runs yet, to be run piece by piece. */
    public PluginCall start(String function, Value... args) {
        return startWith(null, function, args);
    }

    /** The same, narrowed; null narrows nothing. */
    public PluginCall startWith(CallOptions options, String function, Value... args) {
        long kinds = Value.kinds(args);
        byte[] packed = CallOptions.packed(options);
        return new PluginCall(Native.start(this, id, Calls.name(function), kinds, Value.bits(args), packed));
    }

    /** Begins to hand bytes to a function of the byte convention. Options may be null. */
    public PluginCall startBytes(CallOptions options, String function, byte[] input) {
        Objects.requireNonNull(input, "input");
        byte[] packed = CallOptions.packed(options);
        return new PluginCall(Native.startBytes(this, id, Calls.name(function), input, packed));
    }

    /** Takes a sandbox out of the pool, for several calls. */
    public PluginLease lease() {
        return new PluginLease(Native.lease(this, id));
    }

    /** Cancels the calls that are running; says how many. */
    public long cancelCalls() {
        return Native.cancelCalls(this, id);
    }

    // --- what it is

    public String getName() {
        return Texts.in(Native.pluginName(this, id));
    }

    public String getTenant() {
        return Texts.in(Native.pluginTenant(this, id));
    }

    public PluginState getState() {
        return PluginState.values()[Native.pluginState(this, id)];
    }

    /** The SHA-256 of the module: 32 bytes. */
    public byte[] getModuleHash() {
        return Native.moduleHash(this, id);
    }

    /** The names of its functions. */
    public List<String> getFunctions() {
        List<String> names = new ArrayList<>();
        byte[] name;
        while ((name = Native.pluginFunctionAt(this, id, names.size())) != null) {
            names.add(Texts.in(name));
        }
        return names;
    }

    public Signature signature(String function) {
        return new Signature(Native.signature(this, id, Calls.name(function)));
    }

    // --- how it does

    public Stats getStats() {
        return new Stats(Native.pluginStats(this, id));
    }

    /**
     * What else is known of the plugin: traps by kind, how long calls took, calls of each host function, quarantine,
     * history of versions. JSON, as docs/embedding/c.md describes it.
     */
    public String getReport() {
        return Texts.in(Native.pluginReport(this, id));
    }

    /** How much of the fuel budget is left; -1 if there is none such. */
    public long getFuelBudgetLeft() {
        return Native.fuelBudgetLeft(this, id);
    }

    /** Gives the plugin its whole fuel budget again. */
    public void refuel() {
        Native.refuel(this, id);
    }

    /** How long it is still in quarantine, in milliseconds; 0 if it is not; -1 if the next call decides. */
    public long getQuarantineMs() {
        return Native.quarantineMs(this, id);
    }

    /** Takes the plugin out of quarantine. */
    public void revive() {
        Native.revive(this, id);
    }
}
