package dev.wasmruntime;

/** How far a call came. */
public enum Progress {
    /** It has ended: {@link PluginCall#getResults()} or {@link PluginCall#getAnswer()}. */
    FINISHED,
    /** It spent what it was given, and goes on with the next run. */
    RUNNING,
    /** A callback answers later, under {@link PluginCall#getTicket()}: the call goes on once it is completed. */
    SUSPENDED
}
