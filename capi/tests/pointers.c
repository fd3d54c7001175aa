/* Null where it may not be and where it may, and lengths that no memory has. */
#include "functions.h"

static struct world world;
static wpr_registry_t registry;
static wpr_plugin_t plugin;
static wpr_function_t function;
static wpr_call_t call_handle;
static wpr_lease_t lease;
static wpr_cancel_t token;
static wpr_bytes_t bytes;
static struct out out;

static void begin(void) {
    world = new_world();
    registry.id = world.ids[REGISTRY], plugin.id = world.ids[PLUGIN], function.id = world.ids[FUNCTION];
    call_handle.id = world.ids[CALL], lease.id = world.ids[LEASE], token.id = world.ids[CANCEL];
    bytes.id = world.ids[BYTES];
    poison(&out);
}

static void end(void) { release_world(&world); }

#define NULLED(call) FAILS(WPR_NULL_POINTER, call)
#define WASM fixture("counter").bytes, fixture("counter").length

static const wpr_value_t one[] = {{WPR_I32, {.i32 = 1}}};

static void null_is_refused_where_an_answer_has_to_go(void) {
    begin();
    NULLED(wpr_registry_new(NULL, NULL, E));
    NULLED(wpr_registry_get(registry, "waiter", NULL, E));
    NULLED(wpr_registry_count(registry, NULL, E));
    NULLED(wpr_registry_admit(registry, WASM, NULL, NULL, E));
    NULLED(wpr_registry_render_prometheus(registry, NULL, E));
    NULLED(wpr_registry_audit_pop(registry, NULL, E));
    NULLED(wpr_registry_audit_dropped(registry, NULL, E));
    NULLED(wpr_registry_usage(registry, "a", NULL, E));
    NULLED(wpr_registry_tenant_stats(registry, "a", NULL, E));
    NULLED(wpr_registry_name_at(registry, 0, NULL, 64, NULL, E));
    NULLED(wpr_plugin_name(plugin, NULL, 64, &out.size, E));
    NULLED(wpr_plugin_tenant(plugin, NULL, 64, &out.size, E));
    NULLED(wpr_plugin_function_at(plugin, 0, NULL, 64, &out.size, E));
    NULLED(wpr_plugin_state(plugin, NULL, E));
    NULLED(wpr_plugin_module_hash(plugin, NULL, E));
    NULLED(wpr_plugin_signature(plugin, "spin", NULL, &out.size, out.words, &out.size, 16, E));
    NULLED(wpr_plugin_signature(plugin, "spin", out.words, &out.size, NULL, &out.size, 16, E));
    NULLED(wpr_plugin_fuel_budget_left(plugin, NULL, E));
    NULLED(wpr_plugin_quarantine_ms(plugin, NULL, E));
    NULLED(wpr_plugin_stats(plugin, NULL, E));
    NULLED(wpr_plugin_report(plugin, NULL, E));
    NULLED(wpr_plugin_function(plugin, "spin", NULL, E));
    NULLED(wpr_plugin_lease(plugin, NULL, E));
    NULLED(wpr_plugin_call(plugin, "spin", one, 1, NULL, NULL, 16, &out.size, E));
    NULLED(wpr_function_call(function, one, 1, NULL, NULL, 16, &out.size, E));
    NULLED(wpr_registry_call(registry, "waiter", "spin", one, 1, NULL, 16, &out.size, E));
    NULLED(wpr_lease_call(lease, "spin", one, 1, NULL, NULL, 16, &out.size, E));
    NULLED(wpr_plugin_call_bytes(plugin, "spin_bytes", (const uint8_t *)"\1\0\0", 4, NULL, E));
    NULLED(wpr_plugin_call_bytes_into(plugin, "spin_bytes", (const uint8_t *)"\1\0\0", 4, out.data, 64, NULL, E));
    NULLED(wpr_plugin_call_bytes_into(plugin, "spin_bytes", (const uint8_t *)"\1\0\0", 4, NULL, 64, &out.size, E));
    NULLED(wpr_lease_call_bytes_into(lease, "spin_bytes", (const uint8_t *)"\1\0\0", 4, out.data, 64, NULL, E));
    NULLED(wpr_lease_call_bytes_into(lease, "spin_bytes", (const uint8_t *)"\1\0\0", 4, NULL, 64, &out.size, E));
    NULLED(wpr_lease_read(lease, "memory", 0, NULL, 1, E));
    NULLED(wpr_lease_memory_bytes(lease, "memory", NULL, E));
    NULLED(wpr_lease_global(lease, "turns", NULL, E));
    NULLED(wpr_lease_cancel_token(lease, NULL, E));
    NULLED(wpr_call_start(plugin, "spin", one, 1, NULL, NULL, E));
    NULLED(wpr_call_start_bytes(plugin, "spin_bytes", NULL, 0, NULL, NULL, E));
    NULLED(wpr_call_run(call_handle, 1000, NULL, NULL, E));
    NULLED(wpr_call_answer(call_handle, NULL, E));
    NULLED(wpr_call_fuel_spent(call_handle, NULL, E));
    NULLED(wpr_call_cancel_token(call_handle, NULL, E));
    NULLED(wpr_bytes_view(bytes, NULL, &out.size, E));
    NULLED(wpr_bytes_view(bytes, &out.pointer, NULL, E));
    OK(wpr_call_run(call_handle, 1000, &out.word, NULL, E)); /* nothing has run before */
    NULLED(wpr_call_results(call_handle, NULL, 16, &out.size, E));
    OK(wpr_registry_put(registry, "a", "t", (const uint8_t *)"k", 1, (const uint8_t *)"v", 1, NULL, E));
    NULLED(wpr_registry_get_row(registry, "a", "t", (const uint8_t *)"k", 1, NULL, 64, &out.size, E));
    end();
}

static void null_is_refused_where_there_is_something_to_read(void) {
    begin();
    NULLED(wpr_registry_load(registry, "other", NULL, 1, NULL, E));
    NULLED(wpr_registry_reload(registry, "waiter", NULL, 1, NULL, NULL, E));
    NULLED(wpr_registry_admit(registry, NULL, 1, NULL, &out.bytes, E));
    NULLED(wpr_registry_put(registry, "a", "t", NULL, 1, NULL, 0, NULL, E));
    NULLED(wpr_registry_put(registry, "a", "t", NULL, 0, NULL, 1, NULL, E));
    NULLED(wpr_registry_get_row(registry, "a", "t", NULL, 1, NULL, 0, NULL, E));
    NULLED(wpr_registry_delete_row(registry, "a", "t", NULL, 1, E));
    NULLED(wpr_registry_insert_vector(registry, "a", "c", 1, NULL, 2, NULL, E));
    NULLED(wpr_registry_call(registry, "waiter", "spin", NULL, 1, NO_RESULTS, E));
    NULLED(wpr_plugin_call(plugin, "spin", NULL, 1, NULL, NO_RESULTS, E));
    NULLED(wpr_function_call(function, NULL, 1, NULL, NO_RESULTS, E));
    NULLED(wpr_lease_call(lease, "spin", NULL, 1, NULL, NO_RESULTS, E));
    NULLED(wpr_call_start(plugin, "spin", NULL, 1, NULL, &out.call, E));
    NULLED(wpr_plugin_call_bytes(plugin, "spin_bytes", NULL, 1, &out.bytes, E));
    NULLED(wpr_plugin_call_bytes_into(plugin, "spin_bytes", NULL, 1, out.data, 64, &out.size, E));
    NULLED(wpr_lease_call_bytes_into(lease, "spin_bytes", NULL, 1, out.data, 64, &out.size, E));
    NULLED(wpr_call_start_bytes(plugin, "spin_bytes", NULL, 1, NULL, &out.call, E));
    NULLED(wpr_call_complete(call_handle, 1, NULL, NULL, 1, E));
    NULLED(wpr_lease_write(lease, "memory", 0, NULL, 1, E));
    for (int field = 0; field < 5; field++) {
        wpr_config_t config = new_config();
        size_t *counts[] = {&config.can_read_table_count, &config.can_write_table_count, &config.can_call_plugin_count,
                            &config.custom_grant_count, &config.setting_count};
        *counts[field] = 1;
        NULLED(wpr_registry_load(registry, "other", WASM, &config, E));
    }
    wpr_registry_options_t options = new_options();
    options.function_count = 1;
    NULLED(wpr_registry_new(&options, &(wpr_registry_t){0}, E));
    const wpr_host_function_t *none[] = {NULL};
    options.functions = none;
    NULLED(wpr_registry_new(&options, &(wpr_registry_t){0}, E));
    wpr_host_function_t without_params = new_function(NULL, NULL, NULL, 1, WPR_NONE);
    none[0] = &without_params;
    NULLED(wpr_registry_new(&options, &(wpr_registry_t){0}, E));
    wpr_reload_options_t reload;
    wpr_reload_options_init(&reload, sizeof reload);
    reload.probe_count = 1;
    NULLED(wpr_registry_reload(registry, "waiter", WASM, NULL, &reload, E));
    wpr_probe_t probe;
    const wpr_probe_t *probes[] = {&probe};
    reload.probes = probes;
    for (int field = 0; field < 5; field++) {
        wpr_probe_init(&probe, sizeof probe);
        if (field > 0) probe.function = "spin";
        if (field == 1) probe.arg_count = 1;
        if (field == 2) probe.has_expected = 1, probe.expected_count = 1;
        if (field > 2) probe.is_bytes = probe.has_expected = 1;
        if (field == 3) probe.input_length = 1;
        if (field == 4) probe.expected_length = 1;
        NULLED(wpr_registry_reload(registry, "waiter", WASM, NULL, &reload, E));
    }
    size_t count = 0;
    OK(wpr_registry_count(registry, &count, E));
    CHECK_EQ(count, 1);
    end();
}

static void null_is_taken_where_nothing_is_wanted(void) {
    begin();
    wpr_config_init(NULL, sizeof(wpr_config_t));
    wpr_limits_init(NULL, sizeof(wpr_limits_t));
    wpr_call_options_init(NULL, sizeof(wpr_call_options_t));
    wpr_quota_init(NULL, sizeof(wpr_quota_t));
    wpr_usage_init(NULL, sizeof(wpr_usage_t));
    wpr_host_init(NULL, sizeof(wpr_host_t));
    wpr_host_function_init(NULL, sizeof(wpr_host_function_t));
    wpr_registry_options_init(NULL, sizeof(wpr_registry_options_t));
    wpr_probe_init(NULL, sizeof(wpr_probe_t));
    wpr_reload_options_init(NULL, sizeof(wpr_reload_options_t));
    wpr_stats_init(NULL, sizeof(wpr_stats_t));
    wpr_audit_record_init(NULL, sizeof(wpr_audit_record_t));
    wpr_registry_t made;
    OK(wpr_registry_new(NULL, &made, E));
    release_registry(made);
    OK(wpr_registry_set_quota(registry, "a", NULL, E));
    OK(wpr_registry_put(registry, "a", "t", NULL, 0, NULL, 0, NULL, E));
    OK(wpr_registry_get_row(registry, "a", "t", NULL, 0, NULL, 0, NULL, E));
    OK(wpr_registry_delete_row(registry, "a", "t", NULL, 0, E));
    OK(wpr_registry_cancel_tenant(registry, "a", NULL, E));
    OK(wpr_registry_global_stats(registry, NULL, NULL, E));
    OK(wpr_registry_name_at(registry, 0, out.text, 64, NULL, E));
    OK(wpr_plugin_name(plugin, out.text, 64, NULL, E));
    OK(wpr_plugin_signature(plugin, "spin", out.words, NULL, out.other_words, NULL, 16, E));
    OK(wpr_plugin_call(plugin, "spin", one, 1, NULL, out.values, 16, NULL, E));
    OK(wpr_plugin_call(plugin, "spin", one, 1, NULL, NO_RESULTS, E));
    OK(wpr_function_call(function, one, 1, NULL, NO_RESULTS, E));
    OK(wpr_registry_call(registry, "waiter", "spin", one, 1, NO_RESULTS, E));
    OK(wpr_lease_call(lease, "spin", one, 1, NULL, NO_RESULTS, E));
    OK(wpr_lease_grow(lease, "memory", 0, NULL, E));
    OK(wpr_lease_read(lease, "memory", 0, NULL, 0, E));
    OK(wpr_lease_write(lease, "memory", 0, NULL, 0, E));
    OK(wpr_call_run(call_handle, UINT64_MAX, &out.word, NULL, E));
    OK(wpr_call_results(call_handle, NO_RESULTS, E));
    OK(wpr_plugin_cancel_calls(plugin, NULL, E));
    end();
}

static void every_handle_function_fails_without_an_error_to_fill_in(void) {
    CHECK_EQ(wpr_registry_release((wpr_registry_t){0}, NULL), WPR_INVALID_HANDLE);
    CHECK_EQ(wpr_plugin_release((wpr_plugin_t){0}, NULL), WPR_INVALID_HANDLE);
    CHECK_EQ(wpr_function_release((wpr_function_t){0}, NULL), WPR_INVALID_HANDLE);
    CHECK_EQ(wpr_call_release((wpr_call_t){0}, NULL), WPR_INVALID_HANDLE);
    CHECK_EQ(wpr_lease_release((wpr_lease_t){0}, NULL), WPR_INVALID_HANDLE);
    CHECK_EQ(wpr_cancel_release((wpr_cancel_t){0}, NULL), WPR_INVALID_HANDLE);
    CHECK_EQ(wpr_bytes_release((wpr_bytes_t){0}, NULL), WPR_INVALID_HANDLE);
    CHECK_EQ(wpr_registry_new(NULL, NULL, NULL), WPR_NULL_POINTER);
}

static void lengths_that_no_memory_has_are_refused(void) {
    static const size_t lengths[] = {SIZE_MAX, SIZE_MAX / 2 + 1};
    static const uint8_t byte[] = {1};
    static const float vector[] = {1};
    begin();
    for (size_t i = 0; i < 2; i++) {
        size_t n = lengths[i];
#define TOO_LONG(call) FAILS(WPR_INVALID_ARGUMENT, call)
        TOO_LONG(wpr_registry_load(registry, "other", byte, n, NULL, E));
        TOO_LONG(wpr_registry_reload(registry, "waiter", byte, n, NULL, NULL, E));
        TOO_LONG(wpr_registry_admit(registry, byte, n, NULL, &out.bytes, E));
        TOO_LONG(wpr_registry_put(registry, "a", "t", byte, n, byte, 1, NULL, E));
        TOO_LONG(wpr_registry_put(registry, "a", "t", byte, 1, byte, n, NULL, E));
        TOO_LONG(wpr_registry_get_row(registry, "a", "t", byte, n, NULL, 0, NULL, E));
        TOO_LONG(wpr_registry_delete_row(registry, "a", "t", byte, n, E));
        TOO_LONG(wpr_registry_insert_vector(registry, "a", "c", 1, vector, n, NULL, E));
        TOO_LONG(wpr_registry_call(registry, "waiter", "spin", one, n, NO_RESULTS, E));
        TOO_LONG(wpr_plugin_call(plugin, "spin", one, n, NULL, NO_RESULTS, E));
        TOO_LONG(wpr_function_call(function, one, n, NULL, NO_RESULTS, E));
        TOO_LONG(wpr_lease_call(lease, "spin", one, n, NULL, NO_RESULTS, E));
        TOO_LONG(wpr_call_start(plugin, "spin", one, n, NULL, &out.call, E));
        TOO_LONG(wpr_plugin_call_bytes(plugin, "spin_bytes", byte, n, &out.bytes, E));
        TOO_LONG(wpr_plugin_call_bytes_into(plugin, "spin_bytes", byte, n, out.data, 64, &out.size, E));
        TOO_LONG(wpr_plugin_call_bytes_into(plugin, "spin_bytes", NULL, 0, out.data, n, &out.size, E));
        TOO_LONG(wpr_lease_call_bytes_into(lease, "spin_bytes", byte, n, out.data, 64, &out.size, E));
        TOO_LONG(wpr_lease_call_bytes_into(lease, "spin_bytes", NULL, 0, out.data, n, &out.size, E));
        TOO_LONG(wpr_call_start_bytes(plugin, "spin_bytes", byte, n, NULL, &out.call, E));
        TOO_LONG(wpr_call_complete(call_handle, 1, NULL, byte, n, E));
        TOO_LONG(wpr_lease_read(lease, "memory", 0, out.data, n, E));
        TOO_LONG(wpr_lease_write(lease, "memory", 0, byte, n, E));
        TOO_LONG(wpr_plugin_name(plugin, out.text, n, NULL, E));
        TOO_LONG(wpr_plugin_tenant(plugin, out.text, n, NULL, E));
        TOO_LONG(wpr_plugin_function_at(plugin, 0, out.text, n, NULL, E));
        TOO_LONG(wpr_registry_name_at(registry, 0, out.text, n, NULL, E));
        const char *texts[] = {"a"};
        const wpr_setting_t settings[] = {{"a", "b"}};
        for (int field = 0; field < 5; field++) {
            wpr_config_t config = new_config();
            config.can_read_table = config.can_write_table = config.can_call_plugin = config.custom_grants = texts;
            config.settings = settings;
            size_t *counts[] = {&config.can_read_table_count, &config.can_write_table_count,
                                &config.can_call_plugin_count, &config.custom_grant_count, &config.setting_count};
            *counts[field] = n;
            TOO_LONG(wpr_registry_load(registry, "other", WASM, &config, E));
        }
        static const uint32_t types[] = {WPR_I32};
        wpr_host_function_t own = new_function(NULL, NULL, types, n, WPR_NONE);
        const wpr_host_function_t *functions[] = {&own};
        wpr_registry_options_t options = new_options();
        options.functions = functions;
        options.function_count = 1;
        TOO_LONG(wpr_registry_new(&options, &(wpr_registry_t){0}, E));
        options.function_count = n;
        TOO_LONG(wpr_registry_new(&options, &(wpr_registry_t){0}, E));
        wpr_reload_options_t reload;
        wpr_reload_options_init(&reload, sizeof reload);
        wpr_probe_t probe;
        wpr_probe_init(&probe, sizeof probe);
        const wpr_probe_t *probes[] = {&probe};
        reload.probes = probes;
        reload.probe_count = n;
        TOO_LONG(wpr_registry_reload(registry, "waiter", WASM, NULL, &reload, E));
        reload.probe_count = 1;
        probe.function = "spin";
        probe.args = probe.expected = one;
        probe.arg_count = n;
        TOO_LONG(wpr_registry_reload(registry, "waiter", WASM, NULL, &reload, E));
        probe.arg_count = 1, probe.expected_count = n;
        TOO_LONG(wpr_registry_reload(registry, "waiter", WASM, NULL, &reload, E));
        probe.expected_count = 1, probe.is_bytes = 1;
        probe.input = probe.expected_bytes = byte, probe.input_length = n;
        TOO_LONG(wpr_registry_reload(registry, "waiter", WASM, NULL, &reload, E));
        probe.input_length = 1, probe.expected_length = n;
        TOO_LONG(wpr_registry_reload(registry, "waiter", WASM, NULL, &reload, E));
        /* Room that is said to be without end is not touched beyond what is answered. */
        OK(wpr_plugin_call(plugin, "spin", one, 1, NULL, out.values, n, NULL, E));
        OK(wpr_function_call(function, one, 1, NULL, out.values, n, NULL, E));
        OK(wpr_plugin_signature(plugin, "spin", out.words, NULL, out.other_words, NULL, n, E));
    }
    end();
}

static void a_signature_is_answered_altogether_or_not_at_all(void) {
    wpr_registry_t own = new_registry();
    wpr_plugin_t several = load(own, "several", "multi_value", NULL);
    uint32_t params[16], results[16], untouched[16];
    for (size_t capacity = 0; capacity < 16; capacity++) {
        size_t param_count = 99, result_count = 99;
        memset(params, 0xa5, sizeof params), memset(results, 0xa5, sizeof results);
        memset(untouched, 0xa5, sizeof untouched);
        FAILS(WPR_BUFFER_TOO_SMALL,
              wpr_plugin_signature(several, "sixteen", params, &param_count, results, &result_count, capacity, E));
        CHECK_EQ(param_count, 1);
        CHECK_EQ(result_count, 16);
        CHECK(memcmp(params, untouched, sizeof params) == 0 && memcmp(results, untouched, sizeof results) == 0);
    }
    OK(wpr_plugin_release(several, E));
    release_registry(own);
}

const struct test pointer_tests[] = {
    TEST(null_is_refused_where_an_answer_has_to_go),
    TEST(null_is_refused_where_there_is_something_to_read),
    TEST(null_is_taken_where_nothing_is_wanted),
    TEST(every_handle_function_fails_without_an_error_to_fill_in),
    TEST(lengths_that_no_memory_has_are_refused),
    TEST(a_signature_is_answered_altogether_or_not_at_all),
    END_OF_TESTS,
};
