/* Every function that takes a handle. */
#include "functions.h"

static const wpr_value_t one[] = {{WPR_I32, {.i32 = 1}}};
static const uint8_t byte[] = {1};
static const float vector[] = {1, 2};

static struct file counter(void) { return fixture("counter"); }

static const wpr_quota_t *no_quota(void) {
    static _Thread_local wpr_quota_t quota;
    wpr_quota_init(&quota, sizeof quota);
    return &quota;
}

#define WASM counter().bytes, counter().length
#define RESULTS out->values, WPR_MAX_VALUES, &out->size
#define TEXT out->text, sizeof out->text, &out->size

/* HANDLE(KIND, EFFECT, FUNCTION, the arguments behind the handle) */
#define HANDLES(HANDLE) \
    HANDLE(registry, STAYS, wpr_registry_admit, (WASM, NULL, &out->bytes, E)) \
    HANDLE(registry, STAYS, wpr_registry_audit_dropped, (&out->number, E)) \
    HANDLE(registry, STAYS, wpr_registry_audit_pop, (&out->record, E)) \
    HANDLE(registry, RUNS, wpr_registry_call, ("waiter", "spin", one, 1, RESULTS, E)) \
    HANDLE(registry, STAYS, wpr_registry_cancel_tenant, ("nobody", &out->size, E)) \
    HANDLE(registry, STAYS, wpr_registry_count, (&out->size, E)) \
    HANDLE(registry, STAYS, wpr_registry_create_collection, ("a", "c", "t", 2, 0, E)) \
    HANDLE(registry, STAYS, wpr_registry_create_index, ("a", "i", "t", 0, 1, E)) \
    HANDLE(registry, STAYS, wpr_registry_delete_row, ("a", "t", byte, 1, E)) \
    HANDLE(registry, STAYS, wpr_registry_get, ("waiter", &out->plugin, E)) \
    HANDLE(registry, STAYS, wpr_registry_get_row, ("a", "t", byte, 1, out->data, 64, &out->size, E)) \
    HANDLE(registry, STAYS, wpr_registry_global_stats, (&out->number, &out->other_number, E)) \
    HANDLE(registry, STAYS, wpr_registry_insert_vector, ("a", "c", 1, vector, 2, &out->word, E)) \
    HANDLE(registry, RUNS, wpr_registry_load, ("other", WASM, NULL, E)) \
    HANDLE(registry, RUNS, wpr_registry_load_file, ("other", fixture_path("counter"), NULL, E)) \
    HANDLE(registry, RUNS, wpr_registry_maintain, (UINT64_MAX, UINT64_MAX, &out->maintained, E)) \
    HANDLE(registry, STAYS, wpr_registry_name_at, (0, TEXT, E)) \
    HANDLE(registry, STAYS, wpr_registry_put, ("a", "t", byte, 1, byte, 1, &out->word, E)) \
    HANDLE(registry, RELEASES, wpr_registry_release, (E)) \
    HANDLE(registry, RUNS, wpr_registry_reload, ("other", WASM, NULL, NULL, E)) \
    HANDLE(registry, STAYS, wpr_registry_render_prometheus, (&out->bytes, E)) \
    HANDLE(registry, RUNS, wpr_registry_rollback, ("other", E)) \
    HANDLE(registry, STAYS, wpr_registry_set_quota, ("a", no_quota(), E)) \
    HANDLE(registry, RELEASES, wpr_registry_shutdown_all, (E)) \
    HANDLE(registry, STAYS, wpr_registry_tenant_stats, ("a", &out->stats, E)) \
    HANDLE(registry, STAYS, wpr_registry_unload, ("other", E)) \
    HANDLE(registry, STAYS, wpr_registry_usage, ("a", &out->usage, E)) \
    HANDLE(plugin, RUNS, wpr_call_start, ("spin", one, 1, NULL, &out->call, E)) \
    HANDLE(plugin, RUNS, wpr_call_start_bytes, ("spin_bytes", (const uint8_t *)"\1\0\0", 4, NULL, &out->call, E)) \
    HANDLE(plugin, RUNS, wpr_plugin_call, ("spin", one, 1, NULL, RESULTS, E)) \
    HANDLE(plugin, RUNS, wpr_plugin_call_bytes, ("spin_bytes", (const uint8_t *)"\1\0\0", 4, &out->bytes, E)) \
    HANDLE(plugin, RUNS, wpr_plugin_call_bytes_into, \
           ("spin_bytes", (const uint8_t *)"\1\0\0", 4, out->data, 64, &out->size, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_cancel_calls, (&out->size, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_fuel_budget_left, (&out->number, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_function, ("spin", &out->function, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_function_at, (0, TEXT, E)) \
    HANDLE(plugin, RUNS, wpr_plugin_lease, (&out->lease, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_module_hash, (out->data, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_name, (TEXT, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_quarantine_ms, (&out->number, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_refuel, (E)) \
    HANDLE(plugin, RELEASES, wpr_plugin_release, (E)) \
    HANDLE(plugin, STAYS, wpr_plugin_report, (&out->bytes, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_revive, (E)) \
    HANDLE(plugin, STAYS, wpr_plugin_signature, \
           ("spin", out->words, &out->size, out->other_words, &out->other_size, 16, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_state, (&out->word, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_stats, (&out->stats, E)) \
    HANDLE(plugin, STAYS, wpr_plugin_tenant, (TEXT, E)) \
    HANDLE(function, RUNS, wpr_function_call, (one, 1, NULL, RESULTS, E)) \
    HANDLE(function, RELEASES, wpr_function_release, (E)) \
    HANDLE(call, STAYS, wpr_call_answer, (&out->bytes, E)) \
    HANDLE(call, STAYS, wpr_call_cancel_token, (&out->cancel, E)) \
    HANDLE(call, STAYS, wpr_call_complete, (1, one, byte, 1, E)) \
    HANDLE(call, STAYS, wpr_call_fail, (1, WPR_HOST_FAILED, E)) \
    HANDLE(call, STAYS, wpr_call_fuel_spent, (&out->number, E)) \
    HANDLE(call, RELEASES, wpr_call_release, (E)) \
    HANDLE(call, STAYS, wpr_call_results, (RESULTS, E)) \
    HANDLE(call, RUNS, wpr_call_run, (1000, &out->word, &out->number, E)) \
    HANDLE(lease, RUNS, wpr_lease_call, ("spin", one, 1, NULL, RESULTS, E)) \
    HANDLE(lease, RUNS, wpr_lease_call_bytes_into, \
           ("spin_bytes", (const uint8_t *)"\1\0\0", 4, out->data, 64, &out->size, E)) \
    HANDLE(lease, STAYS, wpr_lease_cancel_token, (&out->cancel, E)) \
    HANDLE(lease, STAYS, wpr_lease_global, ("turns", &out->value, E)) \
    HANDLE(lease, STAYS, wpr_lease_grow, ("memory", 0, &out->number, E)) \
    HANDLE(lease, STAYS, wpr_lease_memory_bytes, ("memory", &out->number, E)) \
    HANDLE(lease, STAYS, wpr_lease_read, ("memory", 0, out->data, 64, E)) \
    HANDLE(lease, RELEASES, wpr_lease_release, (E)) \
    HANDLE(lease, STAYS, wpr_lease_write, ("memory", 0, byte, 1, E)) \
    HANDLE(cancel, STAYS, wpr_cancel, (E)) \
    HANDLE(cancel, RELEASES, wpr_cancel_release, (E)) \
    HANDLE(bytes, STAYS, wpr_bytes_view, (&out->pointer, &out->size, E)) \
    HANDLE(bytes, RELEASES, wpr_bytes_release, (E))

#define UNPACK(...) __VA_ARGS__
#define DEFINE(KIND, EFFECT, FUNCTION, ARGUMENTS) \
    static wpr_code_t use_##FUNCTION(uint64_t id, struct out *out) { \
        wpr_##KIND##_t handle = {id}; \
        (void)out; \
        return FUNCTION(handle, UNPACK ARGUMENTS); \
    }
HANDLES(DEFINE)

enum { KIND_registry = REGISTRY, KIND_plugin = PLUGIN, KIND_function = FUNCTION, KIND_call = CALL, KIND_lease = LEASE,
       KIND_cancel = CANCEL, KIND_bytes = BYTES };
#define LIST(KIND, EFFECT, FUNCTION, ARGUMENTS) {#FUNCTION, (enum kind)KIND_##KIND, EFFECT, use_##FUNCTION},
const struct use uses[] = {HANDLES(LIST)};
const size_t use_count = sizeof uses / sizeof *uses;

/* --- one of each -------------------------------------------------------------------------------------------------- */

static int32_t not_now(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                       wpr_value_t *result) {
    (void)user_data, (void)call, (void)args, (void)arg_count, (void)result;
    return WPR_HOST_NOT_SUPPORTED;
}

struct world new_world(void) {
    static const uint32_t three[] = {WPR_I32, WPR_I32, WPR_I32};
    wpr_host_function_t functions[] = {new_function(not_now, NULL, three, 3, WPR_I32),
                                       new_function(not_now, NULL, three, 1, WPR_F64),
                                       new_function(not_now, NULL, three, 1, WPR_NONE)};
    functions[0].name = "later", functions[1].name = "later_f64", functions[2].name = "later_nothing";
    wpr_config_t config = new_config();
    config.max_instances = 16;
    wpr_registry_t registry = registry_of(functions, 3);
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", &config);
    wpr_function_t function = {0};
    wpr_call_t call = {0};
    wpr_lease_t lease = {0};
    wpr_cancel_t token = {0};
    wpr_bytes_t bytes = {0};
    OK(wpr_plugin_function(plugin, "spin", &function, E));
    OK(wpr_call_start(plugin, "spin", one, 1, NULL, &call, E));
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_lease_cancel_token(lease, &token, E));
    OK(wpr_registry_render_prometheus(registry, &bytes, E));
    return (struct world){{registry.id, plugin.id, function.id, call.id, lease.id, token.id, bytes.id}};
}

wpr_code_t release_of_kind(enum kind kind, uint64_t id) {
    switch (kind) {
        case REGISTRY: return wpr_registry_release((wpr_registry_t){id}, E);
        case PLUGIN: return wpr_plugin_release((wpr_plugin_t){id}, E);
        case FUNCTION: return wpr_function_release((wpr_function_t){id}, E);
        case CALL: return wpr_call_release((wpr_call_t){id}, E);
        case LEASE: return wpr_lease_release((wpr_lease_t){id}, E);
        case CANCEL: return wpr_cancel_release((wpr_cancel_t){id}, E);
        case BYTES: return wpr_bytes_release((wpr_bytes_t){id}, E);
        case KINDS: break;
    }
    return WPR_INVALID_HANDLE;
}

void release_world(struct world *world) {
    for (int kind = 0; kind < KINDS; kind++)
        if (world->ids[kind]) OK(release_of_kind((enum kind)kind, world->ids[kind]));
    memset(world, 0, sizeof *world);
}

void poison(struct out *out) {
    memset(out, 0xa5, sizeof *out);
    wpr_stats_init(&out->stats, sizeof out->stats);
    wpr_usage_init(&out->usage, sizeof out->usage);
    wpr_audit_record_init(&out->record, sizeof out->record);
    wpr_maintained_init(&out->maintained, sizeof out->maintained);
    out->bytes.id = out->plugin.id = out->function.id = out->call.id = out->lease.id = out->cancel.id = 0;
}

void release_answered(struct out *out) {
    const uint64_t ids[KINDS] = {0, out->plugin.id, out->function.id, out->call.id, out->lease.id, out->cancel.id,
                                 out->bytes.id};
    for (int kind = 0; kind < KINDS; kind++)
        if (ids[kind]) OK(release_of_kind((enum kind)kind, ids[kind]));
    poison(out);
}

bool is_refused(const struct use *use, uint64_t id) {
    static _Thread_local struct out out, before;
    memset(&out, 0, sizeof out); /* padding, too */
    poison(&out);
    memcpy(&before, &out, sizeof out);
    check_begin();
    bool refused = check_code(use->with(id, &out), WPR_INVALID_HANDLE, use->name, __FILE__, __LINE__);
    return CHECK(memcmp(&out, &before, sizeof out) == 0) && refused;
}
