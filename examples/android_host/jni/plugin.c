/* Plugins. */

#include "shim.h"

static wpr_plugin_t plugin_of(jlong id) { return (wpr_plugin_t){(uint64_t)id}; }

/* --- what it is --------------------------------------------------------------------------------------------------- */

static wpr_code_t name_of(uint64_t id, UNUSED size_t place, char *text, size_t capacity, size_t *length,
                          wpr_error_t *error) {
    return wpr_plugin_name((wpr_plugin_t){id}, text, capacity, length, error);
}

static wpr_code_t tenant_of(uint64_t id, UNUSED size_t place, char *text, size_t capacity, size_t *length,
                            wpr_error_t *error) {
    return wpr_plugin_tenant((wpr_plugin_t){id}, text, capacity, length, error);
}

static wpr_code_t function_at(uint64_t id, size_t place, char *text, size_t capacity, size_t *length,
                              wpr_error_t *error) {
    return wpr_plugin_function_at((wpr_plugin_t){id}, place, text, capacity, length, error);
}

NATIVE(jbyteArray, pluginName)(JNIEnv *env, SELF, jlong id) { return text_answer(env, name_of, id, 0); }

NATIVE(jbyteArray, pluginTenant)(JNIEnv *env, SELF, jlong id) { return text_answer(env, tenant_of, id, 0); }

NATIVE(jbyteArray, pluginFunctionAt)(JNIEnv *env, SELF, jlong id, jlong place) {
    return text_answer(env, function_at, id, place);
}

NATIVE(jint, pluginState)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    uint32_t state = 0;
    begin(&work, env);
    end(&work, wpr_plugin_state(plugin_of(id), &state, &work.error));
    return (jint)state;
}

NATIVE(jbyteArray, moduleHash)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    uint8_t hash[32];
    begin(&work, env);
    bool well = end(&work, wpr_plugin_module_hash(plugin_of(id), hash, &work.error));
    return well ? new_bytes(env, hash, sizeof hash) : NULL;
}

/* How many parameters there are, the types of the parameters, and those of the results. */
static jintArray signature_answer(JNIEnv *env, const uint32_t *params, size_t param_count, const uint32_t *results,
                                  size_t result_count) {
    jint count = (jint)param_count;
    jintArray types = (*env)->NewIntArray(env, (jsize)(1 + param_count + result_count));
    if (!types)
        return NULL;
    (*env)->SetIntArrayRegion(env, types, 0, 1, &count);
    (*env)->SetIntArrayRegion(env, types, 1, (jsize)param_count, (const jint *)params);
    (*env)->SetIntArrayRegion(env, types, (jsize)(1 + param_count), (jsize)result_count, (const jint *)results);
    return types;
}

NATIVE(jintArray, signature)(JNIEnv *env, SELF, jlong id, jbyteArray function) {
    struct work work;
    size_t room = WPR_MAX_VALUES, params = 0, results = 0;
    uint32_t *param_types = NULL, *result_types = NULL;
    wpr_code_t code = WPR_BUFFER_TOO_SMALL;
    begin(&work, env);
    const char *name = text_of(&work, function);
    /* Once more if there are many, which no call can pass. */
    while (!work.failed && code == WPR_BUFFER_TOO_SMALL) {
        param_types = room_for(&work, room, sizeof *param_types);
        result_types = room_for(&work, room, sizeof *result_types);
        if (!work.failed)
            code = wpr_plugin_signature(plugin_of(id), name, param_types, &params, result_types, &results, room,
                                        &work.error);
        room = params > results ? params : results;
    }
    jintArray types = NULL;
    if (!work.failed && code == WPR_OK)
        types = signature_answer(env, param_types, params, result_types, results);
    end(&work, code);
    return types;
}

/* --- how it does -------------------------------------------------------------------------------------------------- */

jlongArray stats_answer(JNIEnv *env, const wpr_stats_t *stats) {
    const jlong numbers[] = {
        (jlong)stats->total_calls,       (jlong)stats->total_fuel_consumed, (jlong)stats->total_execution_us,
        (jlong)stats->trap_count,        (jlong)stats->peak_memory_bytes,   (jlong)stats->host_calls,
        (jlong)stats->denied_host_calls, (jlong)stats->sandboxes_started,
    };
    return new_longs(env, numbers, sizeof numbers / sizeof *numbers);
}

NATIVE(jlongArray, pluginStats)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    wpr_stats_t stats;
    begin(&work, env);
    wpr_stats_init(&stats, sizeof stats);
    bool well = end(&work, wpr_plugin_stats(plugin_of(id), &stats, &work.error));
    return well ? stats_answer(env, &stats) : NULL;
}

NATIVE(jbyteArray, pluginReport)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    wpr_bytes_t report = {0};
    begin(&work, env);
    wpr_code_t code = wpr_plugin_report(plugin_of(id), &report, &work.error);
    return take_answer(&work, code, report);
}

NATIVE(void, refuel)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    begin(&work, env);
    end(&work, wpr_plugin_refuel(plugin_of(id), &work.error));
}

NATIVE(jlong, fuelBudgetLeft)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    uint64_t fuel = 0;
    begin(&work, env);
    end(&work, wpr_plugin_fuel_budget_left(plugin_of(id), &fuel, &work.error));
    return (jlong)fuel;
}

NATIVE(jlong, cancelCalls)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    size_t cancelled = 0;
    begin(&work, env);
    end(&work, wpr_plugin_cancel_calls(plugin_of(id), &cancelled, &work.error));
    return (jlong)cancelled;
}

NATIVE(jlong, quarantineMs)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    uint64_t left = 0;
    begin(&work, env);
    end(&work, wpr_plugin_quarantine_ms(plugin_of(id), &left, &work.error));
    return (jlong)left;
}

NATIVE(void, revive)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    begin(&work, env);
    end(&work, wpr_plugin_revive(plugin_of(id), &work.error));
}

/* --- what leads on from it ---------------------------------------------------------------------------------------- */

NATIVE(jlong, findFunction)(JNIEnv *env, SELF, jlong id, jbyteArray name) {
    struct work work;
    wpr_function_t function = {0};
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *text = text_of(&work, name);
    if (!work.failed)
        code = wpr_plugin_function(plugin_of(id), text, &function, &work.error);
    end(&work, code);
    return (jlong)function.id;
}

NATIVE(jlong, lease)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    wpr_lease_t lease = {0};
    begin(&work, env);
    end(&work, wpr_plugin_lease(plugin_of(id), &lease, &work.error));
    return (jlong)lease.id;
}
