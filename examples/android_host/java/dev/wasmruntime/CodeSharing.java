package dev.wasmruntime;

/** With which plugins of the same module, stack limits and {@code enableFuel} a plugin shares its compiled code. */
public enum CodeSharing {
    OWN,
    /** With those of its tenant that say so too. */
    TENANT,
    /** With those of any tenant: for modules that the app brings. */
    REGISTRY
}
