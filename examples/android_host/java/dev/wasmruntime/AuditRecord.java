package dev.wasmruntime;

/** One decision. Names are cut at 47 bytes. */
public final class AuditRecord {
    /** Bytes of each of the four names. */
    static final int NAME = 48;

    /** The record's number, counting from 0; a number that is missing was dropped. Of an event, 0. */
    public final long sequence;
    /** What the clock said, in microseconds. */
    public final long timeUs;
    /** The fuel that the host call was charged, or the call spent; 0 for the others. */
    public final long fuel;
    public final AuditDecision decision;
    /** What a host call answered, the code of a trap, or 0 or -1. */
    public final int status;
    public final String tenant;
    public final String plugin;
    /** The host function that was called or imported, or the plugin's function that was stopped; else empty. */
    public final String function;
    /** What it is about: a table, index, metric, setting, plugin, grant, limit or quota, or how a call trapped. */
    public final String resource;

    AuditRecord(long[] numbers, byte[] names) {
        sequence = numbers[0];
        timeUs = numbers[1];
        fuel = numbers[2];
        decision = AuditDecision.of(numbers[3]);
        status = (int) numbers[4];
        tenant = Texts.in(names, 0, NAME);
        plugin = Texts.in(names, NAME, 2 * NAME);
        function = Texts.in(names, 2 * NAME, 3 * NAME);
        resource = Texts.in(names, 3 * NAME, 4 * NAME);
    }

    @Override
    public String toString() {
        return decision + " " + tenant + "/" + plugin + " " + function + " " + resource + " " + status;
    }
}
