/* Registries. */

#include "shim.h"

static wpr_registry_t registry_of(jlong id) { return (wpr_registry_t){(uint64_t)id}; }

/* --- making one --------------------------------------------------------------------------------------------------- */

/* What a registry is made of; `functions` has room for `count`. */
struct parts {
    wpr_registry_options_t options;
    wpr_host_t host;
    wpr_host_function_t *functions;
    const wpr_host_function_t **list;
    size_t count;
};

static void read_options(struct pack *pack, struct parts *parts, jobject services) {
    JNIEnv *env = pack->work->env;
    wpr_registry_options_t *options = &parts->options;
    wpr_registry_options_init(options, sizeof *options);
    options->without_built_in_functions = (uint32_t)packed_number(pack);
    options->audit_level = (uint32_t)packed_number(pack);
    if (packed_number(pack))
        options->quota = packed_quota(pack);
    struct services which = {.storage = packed_number(pack)};
    which.settings = packed_number(pack);
    which.metrics = packed_number(pack);
    which.log = packed_number(pack);
    which.events = packed_number(pack);
    host_of(&parts->host, &which, (*env)->NewGlobalRef(env, services));
    options->host = &parts->host;
}

static void read_functions(struct pack *pack, struct parts *parts, jobjectArray functions) {
    JNIEnv *env = pack->work->env;
    size_t count = (size_t)(*env)->GetArrayLength(env, functions);
    parts->functions = room_for(pack->work, count, sizeof *parts->functions);
    parts->list = room_for(pack->work, count, sizeof *parts->list);
    for (size_t i = 0; !pack->work->failed && i < count; i++) {
        wpr_host_function_t *function = &parts->functions[i];
        packed_function(pack, function);
        jobject local = (*env)->GetObjectArrayElement(env, functions, (jsize)i);
        function->user_data = (*env)->NewGlobalRef(env, local);
        (*env)->DeleteLocalRef(env, local);
        function->callback = call_function;
        function->drop = drop_reference;
        parts->list[parts->count++] = function;
    }
    parts->options.functions = parts->list;
    parts->options.function_count = parts->count;
}

/* A registry that did not come about drops nothing itself. */
static void drop_parts(struct parts *parts) {
    drop_reference(parts->host.user_data);
    for (size_t i = 0; i < parts->count; i++)
        drop_reference(parts->functions[i].user_data);
}

NATIVE(jlong, newRegistry)(JNIEnv *env, CLASS, jbyteArray packed, jobjectArray functions, jobject services) {
    struct work work;
    struct pack pack;
    struct parts parts = {.count = 0};
    wpr_registry_t registry = {0};
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    if (unpack(&pack, &work, packed)) {
        read_options(&pack, &parts, services);
        read_functions(&pack, &parts, functions);
    }
    if (!work.failed)
        code = wpr_registry_new(&parts.options, &registry, &work.error);
    if (work.failed || code != WPR_OK)
        drop_parts(&parts);
    end(&work, code);
    return (jlong)registry.id;
}

/* --- plugins ------------------------------------------------------------------------------------------------------ */

NATIVE(void, load)(JNIEnv *env, SELF, jlong id, jbyteArray name, jbyteArray wasm, jbyteArray config) {
    struct work work;
    size_t length;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name_text = text_of(&work, name);
    const uint8_t *bytes = bytes_of(&work, wasm, &length);
    const wpr_config_t *how = config_of(&work, config);
    if (!work.failed)
        code = wpr_registry_load(registry_of(id), name_text, bytes, length, how, &work.error);
    end(&work, code);
}

NATIVE(void, loadFile)(JNIEnv *env, SELF, jlong id, jbyteArray name, jbyteArray path, jbyteArray config) {
    struct work work;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name_text = text_of(&work, name), *path_text = text_of(&work, path);
    const wpr_config_t *how = config_of(&work, config);
    if (!work.failed)
        code = wpr_registry_load_file(registry_of(id), name_text, path_text, how, &work.error);
    end(&work, code);
}

NATIVE(void, reload)(JNIEnv *env, SELF, jlong id, jbyteArray name, jbyteArray wasm, jbyteArray config,
                     jbyteArray options) {
    struct work work;
    size_t length;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name_text = text_of(&work, name);
    const uint8_t *bytes = bytes_of(&work, wasm, &length);
    const wpr_config_t *how = config_of(&work, config);
    const wpr_reload_options_t *with = reload_options_of(&work, options);
    if (!work.failed)
        code = wpr_registry_reload(registry_of(id), name_text, bytes, length, how, with, &work.error);
    end(&work, code);
}

NATIVE(void, rollback)(JNIEnv *env, SELF, jlong id, jbyteArray name) {
    struct work work;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *text = text_of(&work, name);
    if (!work.failed)
        code = wpr_registry_rollback(registry_of(id), text, &work.error);
    end(&work, code);
}

NATIVE(void, unload)(JNIEnv *env, SELF, jlong id, jbyteArray name) {
    struct work work;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *text = text_of(&work, name);
    if (!work.failed)
        code = wpr_registry_unload(registry_of(id), text, &work.error);
    end(&work, code);
}

NATIVE(void, shutdownAll)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    begin(&work, env);
    end(&work, wpr_registry_shutdown_all(registry_of(id), &work.error));
}

NATIVE(jbyteArray, admit)(JNIEnv *env, SELF, jlong id, jbyteArray wasm, jbyteArray config) {
    struct work work;
    size_t length;
    wpr_bytes_t report = {0};
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const uint8_t *bytes = bytes_of(&work, wasm, &length);
    const wpr_config_t *how = config_of(&work, config);
    if (!work.failed)
        code = wpr_registry_admit(registry_of(id), bytes, length, how, &report, &work.error);
    return take_answer(&work, code, report);
}

NATIVE(jlong, findPlugin)(JNIEnv *env, SELF, jlong id, jbyteArray name) {
    struct work work;
    wpr_plugin_t plugin = {0};
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *text = text_of(&work, name);
    if (!work.failed)
        code = wpr_registry_get(registry_of(id), text, &plugin, &work.error);
    end(&work, code);
    return (jlong)plugin.id;
}

NATIVE(jlong, pluginCount)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    size_t count = 0;
    begin(&work, env);
    end(&work, wpr_registry_count(registry_of(id), &count, &work.error));
    return (jlong)count;
}

static wpr_code_t name_at(uint64_t id, size_t place, char *text, size_t capacity, size_t *length, wpr_error_t *error) {
    return wpr_registry_name_at((wpr_registry_t){id}, place, text, capacity, length, error);
}

NATIVE(jbyteArray, pluginNameAt)(JNIEnv *env, SELF, jlong id, jlong place) {
    return text_answer(env, name_at, id, place);
}

/* Its start functions may call back, into Java. */
NATIVE(jlongArray, maintain)(JNIEnv *env, SELF, jlong id, jlong steps, jlong max_idle_bytes) {
    struct work work;
    wpr_maintained_t done;
    begin(&work, env);
    wpr_maintained_init(&done, sizeof done);
    wpr_code_t code =
        wpr_registry_maintain(registry_of(id), (uint64_t)steps, (uint64_t)max_idle_bytes, &done, &work.error);
    if (!end(&work, code))
        return NULL;
    const jlong numbers[] = {
        (jlong)done.made,   (jlong)done.dropped,    (jlong)done.trimmed,
        (jlong)done.failed, (jlong)done.idle_bytes, (jlong)done.is_done,
    };
    return new_longs(env, numbers, sizeof numbers / sizeof *numbers);
}

/* --- tenants ------------------------------------------------------------------------------------------------------ */

NATIVE(jlong, cancelTenant)(JNIEnv *env, SELF, jlong id, jbyteArray tenant) {
    struct work work;
    size_t cancelled = 0;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *text = text_of(&work, tenant);
    if (!work.failed)
        code = wpr_registry_cancel_tenant(registry_of(id), text, &cancelled, &work.error);
    end(&work, code);
    return (jlong)cancelled;
}

NATIVE(void, setQuota)(JNIEnv *env, SELF, jlong id, jbyteArray tenant, jbyteArray packed) {
    struct work work;
    struct pack pack;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *text = text_of(&work, tenant);
    const wpr_quota_t *quota = unpack(&pack, &work, packed) ? packed_quota(&pack) : NULL;
    if (!work.failed)
        code = wpr_registry_set_quota(registry_of(id), text, quota, &work.error);
    end(&work, code);
}

NATIVE(jlongArray, usage)(JNIEnv *env, SELF, jlong id, jbyteArray tenant) {
    struct work work;
    wpr_usage_t usage;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    wpr_usage_init(&usage, sizeof usage);
    const char *text = text_of(&work, tenant);
    if (!work.failed)
        code = wpr_registry_usage(registry_of(id), text, &usage, &work.error);
    if (!end(&work, code))
        return NULL;
    const jlong numbers[] = {
        (jlong)usage.plugins,    (jlong)usage.sandboxes,   (jlong)usage.memory_bytes, (jlong)usage.table_elements,
        (jlong)usage.heap_bytes, (jlong)usage.stored_rows, (jlong)usage.stored_bytes, (jlong)usage.fuel_left,
    };
    return new_longs(env, numbers, sizeof numbers / sizeof *numbers);
}

NATIVE(jlongArray, tenantStats)(JNIEnv *env, SELF, jlong id, jbyteArray tenant) {
    struct work work;
    wpr_stats_t stats;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    wpr_stats_init(&stats, sizeof stats);
    const char *text = text_of(&work, tenant);
    if (!work.failed)
        code = wpr_registry_tenant_stats(registry_of(id), text, &stats, &work.error);
    return end(&work, code) ? stats_answer(env, &stats) : NULL;
}

/* --- watching ----------------------------------------------------------------------------------------------------- */

NATIVE(jlongArray, globalStats)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    uint64_t calls = 0, traps = 0;
    begin(&work, env);
    if (!end(&work, wpr_registry_global_stats(registry_of(id), &calls, &traps, &work.error)))
        return NULL;
    const jlong numbers[] = {(jlong)calls, (jlong)traps};
    return new_longs(env, numbers, 2);
}

NATIVE(jbyteArray, prometheus)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    wpr_bytes_t text = {0};
    begin(&work, env);
    wpr_code_t code = wpr_registry_render_prometheus(registry_of(id), &text, &work.error);
    return take_answer(&work, code, text);
}

NATIVE(jbyteArray, auditPop)(JNIEnv *env, SELF, jlong id, jlongArray numbers) {
    struct work work;
    wpr_audit_record_t record;
    begin(&work, env);
    wpr_audit_record_init(&record, sizeof record);
    wpr_code_t code = wpr_registry_audit_pop(registry_of(id), &record, &work.error);
    bool none = code == WPR_NOT_FOUND;
    if (!end(&work, none ? WPR_OK : code) || none)
        return NULL;
    const jlong values[] = {(jlong)record.sequence, (jlong)record.time_us, (jlong)record.fuel, record.decision,
                            record.status};
    (*env)->SetLongArrayRegion(env, numbers, 0, sizeof values / sizeof *values, values);
    return names_of(env, &record);
}

NATIVE(jlong, auditDropped)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    uint64_t dropped = 0;
    begin(&work, env);
    end(&work, wpr_registry_audit_dropped(registry_of(id), &dropped, &work.error));
    return (jlong)dropped;
}
