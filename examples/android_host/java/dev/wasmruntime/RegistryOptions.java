package dev.wasmruntime;

import java.util.ArrayList;
import java.util.List;

/**
 * What a registry has for its plugins. A new one has all of it in memory. The registry keeps the callbacks until
 * nothing of it is left: one that holds on to the registry, or to a plugin, has to be let go of by closing that.
 */
public final class RegistryOptions {
    /** Functions of yours, with the built-in ones 64 at most. */
    public List<HostFunction> functions = new ArrayList<>();
    /** Whether the built-in functions {@code soch_v1} are left out. */
    public boolean withoutBuiltInFunctions;
    public AuditLevel auditLevel = AuditLevel.DECISIONS;
    /** What all plugins of all tenants may hold together; null for no ceiling. */
    public Quota quota;
    /** Tables of yours; null for those in memory. */
    public Storage storage;
    /** Settings for all plugins; null for none. */
    public SettingSource settings;
    /** What gets observations; null keeps them for {@link PluginRegistry#renderPrometheus()}. */
    public MetricListener metrics;
    /** What gets the lines of plugins; null sends them to {@link WasmRuntime#setLog}. */
    public PluginLogListener log;
    public EventListener events;

    byte[] packed() {
        Packer packer = new Packer()
                .flag(withoutBuiltInFunctions)
                .number(auditLevel.ordinal())
                .flag(quota != null);
        if (quota != null) {
            quota.pack(packer);
        }
        packer.flag(storage != null)
                .flag(settings != null)
                .flag(metrics != null)
                .flag(log != null)
                .flag(events != null);
        for (HostFunction function : functions) {
            function.pack(packer);
        }
        return packer.done();
    }
}
