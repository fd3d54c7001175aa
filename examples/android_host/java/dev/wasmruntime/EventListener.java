package dev.wasmruntime;

/**
 * Hears what happened to a plugin, on the thread that made it happen, or that collected what was forgotten. Everything
 * that runs no plugin may be done here. What it throws is printed, and goes no further.
 */
public interface EventListener {
    void heard(AuditRecord event) throws Exception;
}
