/* A plugin from its load to its end: calls, traps, other versions, statistics, what was decided. */
#include <stdio.h>

#include "guests.h"

static void the_versions_are_those_of_the_header(void) {
    CHECK_EQ(wpr_api_version(), WPR_API_VERSION);
    CHECK(strlen(wpr_version()) >= 5);
    CHECK(wpr_version() == wpr_version());
}

static void a_plugin_is_loaded_called_and_unloaded(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    CHECK_EQ(call_i32(plugin, "add", ARGS(wpr_i32(40))), 40);
    CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 41);
    OK(wpr_registry_unload(registry, "counter", E));
    FAILS(WPR_UNLOADED, wpr_plugin_call(plugin, "get", NO_ARGS, NULL, NO_RESULTS, E));
    FAILS(WPR_NOT_FOUND, wpr_registry_unload(registry, "counter", E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_plugin_is_loaded_from_a_file(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
#ifdef WITHOUT_STD
    FAILS(WPR_NOT_SUPPORTED, wpr_registry_load_file(registry, "a", fixture_path("counter"), &config, E));
#else
    OK(wpr_registry_load_file(registry, "a", fixture_path("counter"), &config, E));
    wpr_plugin_t plugin;
    OK(wpr_registry_get(registry, "a", &plugin, E));
    CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 1);
    OK(wpr_plugin_release(plugin, E));
    FAILS(WPR_IO, wpr_registry_load_file(registry, "b", fixture_path("no_such_fixture"), &config, E));
    CHECK_HAS(E->message, "b");
    FAILS(WPR_ALREADY_LOADED, wpr_registry_load_file(registry, "a", fixture_path("counter"), &config, E));
#endif
    release_registry(registry);
}

static void plugins_are_counted_and_listed_in_load_order(void) {
    wpr_registry_t registry = new_registry();
    const char *names[] = {"zebra", "ant", "m\xc3\xa4use"};
    for (size_t i = 0; i < 3; i++) OK(wpr_plugin_release(load(registry, names[i], "counter", NULL), E));
    size_t count = 0, length = 0;
    OK(wpr_registry_count(registry, &count, E));
    CHECK_EQ(count, 3);
    for (size_t i = 0; i < 3; i++) {
        char name[16];
        OK(wpr_registry_name_at(registry, i, name, sizeof name, &length, E));
        CHECK_TEXT(name, names[i]);
        CHECK_EQ(length, strlen(names[i]));
    }
    FAILS(WPR_NOT_FOUND, wpr_registry_name_at(registry, 3, NULL, 0, &length, E));
    FAILS(WPR_NOT_FOUND, wpr_registry_name_at(registry, SIZE_MAX, NULL, 0, &length, E));
    OK(wpr_registry_shutdown_all(registry, E));
    OK(wpr_registry_count(registry, &count, E));
    CHECK_EQ(count, 0);
    release_registry(registry);
}

static void a_load_that_fails_says_why_and_changes_nothing(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    struct file counter = fixture("counter"), missing = fixture("misbehaving/missing_import"),
                trap_start = fixture("misbehaving/trap_start"), endless = fixture("misbehaving/endless_start");
    OK(wpr_registry_load(registry, "taken", counter.bytes, counter.length, &config, E));
    FAILS(WPR_ALREADY_LOADED, wpr_registry_load(registry, "taken", counter.bytes, counter.length, &config, E));
    CHECK_EQ(E->fault, WPR_FAULT_HOST);
    FAILS(WPR_INVALID_MODULE, wpr_registry_load(registry, "a", (const uint8_t *)"(module)", 8, &config, E));
    FAILS(WPR_INVALID_MODULE, wpr_registry_load(registry, "a", NULL, 0, &config, E));
    FAILS(WPR_INVALID_MODULE, wpr_registry_load(registry, "a", counter.bytes, counter.length - 1, &config, E));
    FAILS(WPR_REFUSED, wpr_registry_load(registry, "a", missing.bytes, missing.length, &config, E));
    CHECK_HAS(E->message, "no_such_function");
    FAILS(WPR_TRAP, wpr_registry_load(registry, "a", trap_start.bytes, trap_start.length, &config, E));
    CHECK_EQ(E->trap_code, 1);
    CHECK_EQ(E->fault, WPR_FAULT_GUEST);
    FAILS(WPR_OUT_OF_FUEL, wpr_registry_load(registry, "a", endless.bytes, endless.length, &config, E));
    size_t count = 0;
    OK(wpr_registry_count(registry, &count, E));
    CHECK_EQ(count, 1);
    release_registry(registry);
}

static void a_plugin_says_what_it_is_and_what_it_exports(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.tenant = "acme";
    wpr_plugin_t plugin = load(registry, "numbers", "no_memory", &config);
    char text[32];
    size_t length = 0;
    OK(wpr_plugin_name(plugin, text, sizeof text, &length, E));
    CHECK_TEXT(text, "numbers");
    OK(wpr_plugin_tenant(plugin, text, sizeof text, &length, E));
    CHECK_TEXT(text, "acme");
    int found = 0;
    for (size_t place = 0; wpr_plugin_function_at(plugin, place, text, sizeof text, &length, NULL) == WPR_OK; place++)
        found += strcmp(text, "add") == 0 || strcmp(text, "mixed") == 0;
    CHECK_EQ(found, 2);
    uint32_t params[4], results[4];
    size_t param_count = 0, result_count = 0;
    OK(wpr_plugin_signature(plugin, "mixed", params, &param_count, results, &result_count, 4, E));
    CHECK_EQ(param_count, 4);
    CHECK_EQ(result_count, 1);
    const uint32_t expected[] = {WPR_I32, WPR_I64, WPR_F32, WPR_F64};
    CHECK(memcmp(params, expected, sizeof expected) == 0);
    CHECK_EQ(results[0], WPR_F64);
    FAILS(WPR_FUNCTION_NOT_FOUND,
          wpr_plugin_signature(plugin, "no", params, &param_count, results, &result_count, 4, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void types_that_do_not_cross_are_told_and_cannot_be_called(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t references = load(registry, "references", "externref", NULL);
    wpr_plugin_t simd = load(registry, "simd", "simd", NULL);
    uint32_t params[4] = {0}, results[4] = {0};
    size_t param_count, result_count;
    OK(wpr_plugin_signature(references, "is_function", params, &param_count, results, &result_count, 4, E));
    CHECK_EQ(params[0], WPR_FUNCREF);
    OK(wpr_plugin_signature(references, "identity", params, &param_count, results, &result_count, 4, E));
    CHECK_EQ(params[0], WPR_EXTERNREF);
    OK(wpr_plugin_signature(simd, "add_vectors", params, &param_count, results, &result_count, 4, E));
    CHECK_EQ(results[0], WPR_V128);
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_plugin_call(references, "function", NO_ARGS, NULL, NO_RESULTS, E));
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_plugin_call(simd, "add_vectors", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_plugin_release(references, E));
    OK(wpr_plugin_release(simd, E));
    release_registry(registry);
}

static void the_hash_of_a_module_is_pinned_and_told(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "a", "counter", NULL);
    uint8_t hash[32] = {0};
    OK(wpr_plugin_module_hash(plugin, hash, E));
    wpr_config_t config = new_config();
    config.expected_sha256 = hash;
    struct file counter = fixture("counter"), echo = fixture("echo");
    OK(wpr_registry_load(registry, "b", counter.bytes, counter.length, &config, E));
    FAILS(WPR_HASH_MISMATCH, wpr_registry_load(registry, "c", echo.bytes, echo.length, &config, E));
    CHECK_EQ(E->fault, WPR_FAULT_CONFIGURATION);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void every_way_to_trap_has_its_code_and_the_plugin_goes_on(void) {
    static const struct {
        const char *function;
        int32_t code;
    } ways[] = {{"unreachable", 1}, {"div_by_zero", 5}, {"rem_by_zero", 5}, {"div_overflow", 6}, {"bad_conversion", 7}};
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "traps", "misbehaving/traps", NULL);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        FAILS(WPR_TRAP, wpr_plugin_call(plugin, ways[i].function, NO_ARGS, NULL, NULL, 16, NULL, E));
        CHECK_EQ(E->trap_code, ways[i].code);
        CHECK_EQ(E->fault, WPR_FAULT_GUEST);
        CHECK_EQ(E->guest_status, 0);
        CHECK_HAS(E->message, ways[i].function);
        CHECK_HAS(E->message, "traps");
        uint32_t state = 0;
        OK(wpr_plugin_state(plugin, &state, E));
        CHECK_EQ(state, WPR_TRAPPED);
        call_i32(plugin, "ping", NO_ARGS);
        OK(wpr_plugin_state(plugin, &state, E));
        CHECK_EQ(state, WPR_READY);
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_stack_that_is_exhausted_is_trap_8(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "deep", "misbehaving/deep_recursion", NULL);
    FAILS(WPR_TRAP, wpr_plugin_call(plugin, "endless", NO_ARGS, NULL, NO_RESULTS, E));
    CHECK_EQ(E->trap_code, 8);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void functions_that_are_missing_or_called_otherwise_are_errors(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_plugin_call(plugin, "no", NO_ARGS, NULL, NO_RESULTS, E));
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_plugin_call(plugin, "", NO_ARGS, NULL, NO_RESULTS, E));
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_plugin_call(plugin, "add", NO_ARGS, NULL, NO_RESULTS, E));
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_plugin_call(plugin, "add", ARGS(wpr_i64(1)), NULL, NO_RESULTS, E));
    CHECK_HAS(E->message, "i64");
    CHECK_EQ(E->fault, WPR_FAULT_HOST);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_function_handle_calls_what_it_was_looked_up_for(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    wpr_function_t add = {0};
    wpr_value_t result;
    size_t count = 0;
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_plugin_function(plugin, "no", &add, E));
    OK(wpr_plugin_function(plugin, "add", &add, E));
    OK(wpr_plugin_release(plugin, E));
    for (int i = 1; i <= 3; i++) {
        OK(wpr_function_call(add, ARGS(wpr_i32(7)), NULL, &result, 1, &count, E));
        CHECK_EQ(result.of.i32, 7 * i);
    }
    OK(wpr_registry_unload(registry, "counter", E));
    FAILS(WPR_UNLOADED, wpr_function_call(add, ARGS(wpr_i32(7)), NULL, &result, 1, &count, E));
    OK(wpr_function_release(add, E));
    release_registry(registry);
}

static void a_registry_calls_by_the_names_of_both(void) {
    wpr_registry_t registry = new_registry();
    OK(wpr_plugin_release(load(registry, "counter", "counter", NULL), E));
    wpr_value_t result;
    size_t count = 0;
    OK(wpr_registry_call(registry, "counter", "add", ARGS(wpr_i32(5)), &result, 1, &count, E));
    CHECK_EQ(result.of.i32, 5);
    FAILS(WPR_NOT_FOUND, wpr_registry_call(registry, "no", "add", ARGS(wpr_i32(5)), &result, 1, &count, E));
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_registry_call(registry, "counter", "no", NO_ARGS, &result, 1, &count, E));
    release_registry(registry);
}

static void handles_outlive_their_registry_and_can_be_called_on(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    wpr_function_t add;
    wpr_value_t result;
    OK(wpr_plugin_function(plugin, "add", &add, E));
    release_registry(registry);
    CHECK_EQ(call_i32(plugin, "add", ARGS(wpr_i32(1))), 1);
    OK(wpr_plugin_release(plugin, E));
    OK(wpr_function_call(add, ARGS(wpr_i32(1)), NULL, &result, 1, NULL, E));
    CHECK_EQ(result.of.i32, 2);
    OK(wpr_function_release(add, E));
}

/* --- other versions ----------------------------------------------------------------------------------------------- */

static wpr_code_t reload(wpr_registry_t registry, const char *name, const char *fixture_name,
                         const wpr_reload_options_t *options) {
    struct file file = fixture(fixture_name);
    wpr_config_t config = new_config();
    config.max_instances = 1;
    return wpr_registry_reload(registry, name, file.bytes, file.length, &config, options, E);
}

static wpr_reload_options_t new_reload_options(void) {
    wpr_reload_options_t options;
    wpr_reload_options_init(&options, sizeof options);
    return options;
}

static wpr_plugin_t load_tally(wpr_registry_t registry) {
    wpr_config_t config = new_config();
    config.max_instances = 1;
    wpr_plugin_t plugin = load(registry, "tally", "tally", &config);
    for (int i = 1; i <= 3; i++) CHECK_EQ(call_i32(plugin, "vote", ARGS(wpr_i32(2))), i);
    return plugin;
}

static void a_reload_hands_state_over_and_a_rollback_brings_the_old_version_back(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_tally(registry);
    wpr_function_t votes;
    wpr_value_t result;
    OK(wpr_plugin_function(plugin, "votes", &votes, E));
    FAILS(WPR_NOT_FOUND, wpr_registry_rollback(registry, "tally", E));
    wpr_reload_options_t options = new_reload_options();
    options.state = 2;
    OK(reload(registry, "tally", "tally_wide", &options));
    CHECK_EQ(call(plugin, "total", NO_ARGS).of.i64, 3);
    OK(wpr_function_call(votes, ARGS(wpr_i32(2)), NULL, &result, 1, NULL, E));
    CHECK_EQ(result.of.i64, 3);
    OK(wpr_registry_rollback(registry, "tally", E));
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_plugin_call(plugin, "total", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_function_call(votes, ARGS(wpr_i32(2)), NULL, &result, 1, NULL, E));
    OK(wpr_function_release(votes, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_reload_without_handing_over_begins_anew(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_tally(registry);
    OK(reload(registry, "tally", "tally_wide", NULL));
    CHECK_EQ(call(plugin, "total", NO_ARGS).of.i64, 0);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_version_that_is_not_kept_cannot_come_back(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_tally(registry);
    wpr_reload_options_t options = new_reload_options();
    options.keep_previous = 0;
    OK(reload(registry, "tally", "tally_wide", &options));
    FAILS(WPR_NOT_FOUND, wpr_registry_rollback(registry, "tally", E));
    FAILS(WPR_NOT_FOUND, wpr_registry_rollback(registry, "no", E));
    FAILS(WPR_NOT_FOUND, reload(registry, "no", "tally", NULL));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_reload_that_fails_leaves_the_version_before_with_its_state(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_tally(registry);
    wpr_reload_options_t options = new_reload_options();
    options.state = 2;
    CHECK(reload(registry, "tally", "counter", &options) != WPR_OK);
    FAILS(WPR_TRAP, reload(registry, "tally", "misbehaving/trap_start", NULL));
    FAILS(WPR_REFUSED, reload(registry, "tally", "misbehaving/missing_import", NULL));
    CHECK_EQ(call(plugin, "votes", ARGS(wpr_i32(2))).of.i64, 3);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static wpr_probe_t new_probe(const char *function) {
    wpr_probe_t probe;
    wpr_probe_init(&probe, sizeof probe);
    probe.function = function;
    return probe;
}

static void a_version_takes_over_only_if_it_answers_its_probes(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "echo", "counter", NULL);
    const wpr_value_t none[] = {wpr_i32(0)}, one[] = {wpr_i32(1)}, add[] = {wpr_i32(7)};
    wpr_probe_t right = new_probe("get"), wrong = new_probe("get"), any = new_probe("add");
    right.has_expected = wrong.has_expected = 1;
    right.expected = none, right.expected_count = 1;
    wrong.expected = one, wrong.expected_count = 1;
    any.args = add, any.arg_count = 1;
    const wpr_probe_t *probes[] = {&right, &any, &wrong};
    wpr_reload_options_t options = new_reload_options();
    options.probes = probes;
    options.probe_count = 3;
    CHECK(reload(registry, "echo", "counter", &options) != WPR_OK);
    options.probe_count = 2;
    OK(reload(registry, "echo", "counter", &options));
    probes[1] = NULL;
    FAILS(WPR_NULL_POINTER, reload(registry, "echo", "counter", &options));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_probe_of_bytes_is_answered_to_the_byte(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.max_instances = 1;
    wpr_plugin_t plugin = load(registry, "echo", "echo", &config);
    wpr_probe_t probe = new_probe("echo");
    const uint8_t input[] = {1, 0, 255}, other[] = {1, 0, 254};
    probe.is_bytes = probe.has_expected = 1;
    probe.input = input, probe.input_length = 3;
    probe.expected_bytes = input, probe.expected_length = 3;
    const wpr_probe_t *probes[] = {&probe};
    wpr_reload_options_t options = new_reload_options();
    options.probes = probes;
    options.probe_count = 1;
    OK(reload(registry, "echo", "echo", &options));
    probe.expected_bytes = other;
    CHECK(reload(registry, "echo", "echo", &options) != WPR_OK);
    probe.expected_bytes = input, probe.expected_length = 2;
    CHECK(reload(registry, "echo", "echo", &options) != WPR_OK);
    probe.has_expected = 0;
    OK(reload(registry, "echo", "echo", &options));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_call_of_the_old_version_goes_on_or_is_cancelled_after_the_time_it_is_given(void) {
    for (int is_cancelled = 0; is_cancelled < 2; is_cancelled++) {
        wpr_registry_t registry = new_registry();
        wpr_config_t config = new_config();
        config.max_instances = 1;
        wpr_plugin_t plugin = load(registry, "loop", "misbehaving/endless_loop", &config);
        wpr_call_t started;
        uint32_t progress = 99;
        OK(wpr_call_start(plugin, "run", NO_ARGS, NULL, &started, E));
        OK(wpr_call_run(started, 1000, &progress, NULL, E));
        wpr_reload_options_t options = new_reload_options();
        if (is_cancelled) options.drain_ms = 1;
        OK(reload(registry, "loop", "counter", &options));
        FAILS(is_cancelled ? WPR_CANCELLED : WPR_OK, wpr_call_run(started, 1000, &progress, NULL, E));
        OK(wpr_call_release(started, E));
        CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 1);
        OK(wpr_plugin_release(plugin, E));
        release_registry(registry);
    }
}

static void options_of_a_reload_that_stand_for_nothing_are_refused(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_tally(registry);
    wpr_probe_t probe = new_probe("total");
    const wpr_probe_t *probes[] = {&probe};
    for (int field = 0; field < 4; field++) {
        wpr_reload_options_t options = new_reload_options();
        options.probes = probes;
        options.probe_count = 1;
        probe.is_bytes = field == 0 ? 2 : 0;
        probe.has_expected = field == 1 ? 2 : 0;
        if (field == 2) options.state = 3;
        if (field == 3) options.keep_previous = 2;
        FAILS(WPR_INVALID_ARGUMENT, reload(registry, "tally", "tally_wide", &options));
    }
    CHECK_EQ(call(plugin, "votes", ARGS(wpr_i32(2))).of.i64, 3);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* --- what is told ------------------------------------------------------------------------------------------------- */

static void statistics_count_calls_traps_and_fuel(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.tenant = "acme";
    wpr_plugin_t plugin = load(registry, "traps", "misbehaving/traps", &config);
    wpr_stats_t stats;
    wpr_stats_init(&stats, sizeof stats);
    for (int i = 0; i < 5; i++) call_i32(plugin, "ping", NO_ARGS);
    for (int i = 0; i < 2; i++) FAILS(WPR_TRAP, wpr_plugin_call(plugin, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_plugin_stats(plugin, &stats, E));
    CHECK_EQ(stats.total_calls, 7);
    CHECK_EQ(stats.trap_count, 2);
    CHECK(stats.total_fuel_consumed > 0);
    CHECK(stats.sandboxes_started >= 1);
    CHECK_EQ(stats.host_calls, 0);
    wpr_stats_init(&stats, sizeof stats);
    OK(wpr_registry_tenant_stats(registry, "acme", &stats, E));
    CHECK_EQ(stats.total_calls, 7);
    OK(wpr_registry_tenant_stats(registry, "nobody", &stats, E));
    CHECK_EQ(stats.total_calls, 0);
    uint64_t calls = 0, traps = 0;
    OK(wpr_registry_global_stats(registry, &calls, &traps, E));
    CHECK_EQ(calls, 7);
    CHECK_EQ(traps, 2);
    OK(wpr_registry_global_stats(registry, NULL, NULL, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* Takes records until one is of that decision. */
static bool pop_until(wpr_registry_t registry, uint32_t decision, wpr_audit_record_t *record) {
    wpr_audit_record_init(record, sizeof *record);
    while (wpr_registry_audit_pop(registry, record, NULL) == WPR_OK)
        if (record->decision == decision) return true;
    return false;
}

static void what_was_decided_is_in_the_audit_in_order(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_tally(registry);
    wpr_audit_record_t record;
    FAILS(WPR_TRAP, wpr_plugin_call(plugin, "vote", ARGS(wpr_i32(4)), NULL, NO_RESULTS, E));
    OK(reload(registry, "tally", "tally_wide", NULL));
    OK(wpr_registry_rollback(registry, "tally", E));
    OK(wpr_registry_unload(registry, "tally", E));
    CHECK(pop_until(registry, WPR_AUDIT_LOAD, &record));
    CHECK_TEXT(record.plugin, "tally");
    CHECK_TEXT(record.tenant, "default");
    CHECK_EQ(record.status, 0);
    CHECK(record.time_us != UINT64_MAX);
    uint64_t sequence = record.sequence;
    CHECK(pop_until(registry, WPR_AUDIT_TRAP, &record));
    CHECK_TEXT(record.function, "vote");
    CHECK_EQ(record.status, 1);
    CHECK(record.fuel > 0 && record.sequence > sequence);
    CHECK(pop_until(registry, WPR_AUDIT_RELOAD, &record));
    CHECK(pop_until(registry, WPR_AUDIT_ROLLBACK, &record));
    CHECK(pop_until(registry, WPR_AUDIT_UNLOAD, &record));
    FAILS(WPR_NOT_FOUND, wpr_registry_audit_pop(registry, &record, E));
    uint64_t dropped = 1;
    OK(wpr_registry_audit_dropped(registry, &dropped, E));
    CHECK_EQ(dropped, 0);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void records_that_nobody_takes_are_counted(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "traps", "misbehaving/traps", NULL);
    for (int i = 0; i < 100; i++) FAILS(WPR_TRAP, wpr_plugin_call(plugin, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
    wpr_audit_record_t record;
    wpr_audit_record_init(&record, sizeof record);
    uint64_t dropped = 0, taken = 0;
    while (wpr_registry_audit_pop(registry, &record, NULL) == WPR_OK) taken++;
    OK(wpr_registry_audit_dropped(registry, &dropped, E));
    CHECK_EQ(taken, 64);
    CHECK_EQ(dropped + taken, record.sequence + 1);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void names_longer_than_a_record_are_cut_between_characters(void) {
    wpr_registry_t registry = new_registry();
    char name[129];
    for (size_t i = 0; i < 128; i += 2) memcpy(name + i, "\xc3\xa4", 2);
    name[128] = 0;
    OK(wpr_plugin_release(load(registry, name, "counter", NULL), E));
    wpr_audit_record_t record;
    CHECK(pop_until(registry, WPR_AUDIT_LOAD, &record));
    size_t length = strlen(record.plugin);
    CHECK(length > 16 && length < WPR_AUDIT_NAME_BYTES && length % 2 == 0);
    CHECK(memcmp(record.plugin, name, length) == 0);
    release_registry(registry);
}

static void an_admission_says_in_json_what_a_load_would_say(void) {
    wpr_registry_t registry = new_registry();
    struct file good = fixture("aggregate"), bad = fixture("misbehaving/missing_import");
    wpr_config_t config = new_config();
    wpr_bytes_t report = {0};
    const uint8_t *text = NULL;
    size_t length = 0;
    OK(wpr_registry_admit(registry, good.bytes, good.length, &config, &report, E));
    OK(wpr_bytes_view(report, &text, &length, E));
    char json[4096];
    snprintf(json, sizeof json, "%.*s", (int)length, (const char *)text);
    CHECK_HAS(json, "\"admitted\":true");
    CHECK_HAS(json, "\"name\":\"soch_scan\"");
    CHECK_HAS(json, "\"granted\":false");
    OK(wpr_bytes_release(report, E));
    OK(wpr_registry_admit(registry, bad.bytes, bad.length, &config, &report, E));
    OK(wpr_bytes_view(report, &text, &length, E));
    snprintf(json, sizeof json, "%.*s", (int)length, (const char *)text);
    CHECK_HAS(json, "\"admitted\":false");
    CHECK_HAS(json, "no_such_function");
    OK(wpr_bytes_release(report, E));
    OK(wpr_registry_admit(registry, (const uint8_t *)"nonsense", 8, NULL, &report, E));
    OK(wpr_bytes_release(report, E));
    release_registry(registry);
}

static void a_report_tells_the_rest_in_json(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "tr\"aps", "misbehaving/traps", NULL);
    FAILS(WPR_TRAP, wpr_plugin_call(plugin, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
    wpr_bytes_t report = {0};
    const uint8_t *text = NULL;
    size_t length = 0;
    OK(wpr_plugin_report(plugin, &report, E));
    OK(wpr_bytes_view(report, &text, &length, E));
    char json[8192];
    snprintf(json, sizeof json, "%.*s", (int)length, (const char *)text);
    CHECK_HAS(json, "\"name\":\"tr\\\"aps\"");
    CHECK_HAS(json, "\"tenant\":\"default\"");
    OK(wpr_bytes_release(report, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void metrics_are_rendered_for_prometheus(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    call_i32(plugin, "increment", NO_ARGS);
    wpr_bytes_t text = {0};
    const uint8_t *data = NULL;
    size_t length = 0;
    OK(wpr_registry_render_prometheus(registry, &text, E));
    OK(wpr_bytes_view(text, &data, &length, E));
    static char page[65536];
    snprintf(page, sizeof page, "%.*s", (int)length, (const char *)data);
    CHECK_HAS(page, "# TYPE ");
    CHECK_HAS(page, "plugin=\"counter\"");
    OK(wpr_bytes_release(text, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void the_fuel_budget_drains_over_calls_until_it_is_given_again(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.fuel_budget = 10000;
    wpr_plugin_t plugin = load(registry, "kernels", "kernels", &config);
    wpr_plugin_t counter = load(registry, "counter", "counter", NULL);
    uint64_t left = 0;
    OK(wpr_plugin_fuel_budget_left(counter, &left, E));
    CHECK(left == UINT64_MAX);
    OK(wpr_plugin_fuel_budget_left(plugin, &left, E));
    CHECK(left > 0 && left <= 10000);
    wpr_code_t code = WPR_OK;
    for (int i = 0; i < 1000 && code == WPR_OK; i++)
        code = wpr_plugin_call(plugin, "spin", ARGS(wpr_i32(100)), NULL, NO_RESULTS, E);
    FAILS(WPR_OUT_OF_FUEL, code);
    OK(wpr_plugin_refuel(plugin, E));
    OK(wpr_plugin_call(plugin, "spin", ARGS(wpr_i32(100)), NULL, NO_RESULTS, E));
    OK(wpr_plugin_release(counter, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_thousand_plugins_come_and_go(void) {
    wpr_registry_t registry = new_registry();
    for (int i = 0; i < times(1000); i++) {
        wpr_plugin_t plugin = load(registry, "passing", i % 2 ? "counter" : "echo", NULL);
        OK(wpr_registry_unload(registry, "passing", E));
        OK(wpr_plugin_release(plugin, E));
    }
    for (int i = 0; i < times(200); i++) release_registry(new_registry());
    release_registry(registry);
}

const struct test lifecycle_tests[] = {
    TEST(the_versions_are_those_of_the_header),
    TEST(a_plugin_is_loaded_called_and_unloaded),
    TEST(a_plugin_is_loaded_from_a_file),
    TEST(plugins_are_counted_and_listed_in_load_order),
    TEST(a_load_that_fails_says_why_and_changes_nothing),
    TEST(a_plugin_says_what_it_is_and_what_it_exports),
    TEST(types_that_do_not_cross_are_told_and_cannot_be_called),
    TEST(the_hash_of_a_module_is_pinned_and_told),
    TEST(every_way_to_trap_has_its_code_and_the_plugin_goes_on),
    TEST(a_stack_that_is_exhausted_is_trap_8),
    TEST(functions_that_are_missing_or_called_otherwise_are_errors),
    TEST(a_function_handle_calls_what_it_was_looked_up_for),
    TEST(a_registry_calls_by_the_names_of_both),
    TEST(handles_outlive_their_registry_and_can_be_called_on),
    TEST(a_reload_hands_state_over_and_a_rollback_brings_the_old_version_back),
    TEST(a_reload_without_handing_over_begins_anew),
    TEST(a_version_that_is_not_kept_cannot_come_back),
    TEST(a_reload_that_fails_leaves_the_version_before_with_its_state),
    TEST(a_version_takes_over_only_if_it_answers_its_probes),
    TEST(a_probe_of_bytes_is_answered_to_the_byte),
    TEST(a_call_of_the_old_version_goes_on_or_is_cancelled_after_the_time_it_is_given),
    TEST(options_of_a_reload_that_stand_for_nothing_are_refused),
    TEST(statistics_count_calls_traps_and_fuel),
    TEST(what_was_decided_is_in_the_audit_in_order),
    TEST(records_that_nobody_takes_are_counted),
    TEST(names_longer_than_a_record_are_cut_between_characters),
    TEST(an_admission_says_in_json_what_a_load_would_say),
    TEST(a_report_tells_the_rest_in_json),
    TEST(metrics_are_rendered_for_prometheus),
    TEST(the_fuel_budget_drains_over_calls_until_it_is_given_again),
    TEST(a_thousand_plugins_come_and_go),
    END_OF_TESTS,
};
