package dev.wasmruntime;

/** Whose doing an error is. */
public enum Fault {
    /** The plugin's. */
    GUEST,
    /** The program's: its arguments, its callbacks, its build or its load. */
    HOST,
    /** The configuration's: a limit or grant that does not fit the plugin. */
    CONFIGURATION
}
