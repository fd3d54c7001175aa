package dev.wasmruntime;

/** The callbacks of a registry, as they were when it was made. */
final class HostServices {
    final Storage storage;
    final SettingSource settings;
    final MetricListener metrics;
    final PluginLogListener log;
    final EventListener events;

    HostServices(RegistryOptions options) {
        storage = options.storage;
        settings = options.settings;
        metrics = options.metrics;
        log = options.log;
        events = options.events;
    }
}
