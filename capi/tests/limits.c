/* Deadlines, quotas and quarantine: what bounds plugins from outside. */
#include "guests.h"

/* A registry whose clock is the test's. */
static wpr_registry_t registry_with_clock(struct clock *clock) {
    wpr_registry_options_t options = new_options();
    options.clock_us = clock_now;
    options.clock_user_data = clock;
    return registry_with(&options);
}

/* --- deadlines ---------------------------------------------------------------------------------------------------- */

static void an_endless_loop_ends_at_its_deadline(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.fuel_limit = UINT64_MAX / 2;
    config.timeout_ms = 20;
    wpr_plugin_t plugin = load(registry, "loop", "misbehaving/endless_loop", &config);
    static const char *const functions[] = {"run", "run_with_work", "run_with_calls", "run_with_tail_calls"};
    for (size_t i = 0; i < 4; i++) {
        FAILS(WPR_DEADLINE, wpr_plugin_call(plugin, functions[i], NO_ARGS, NULL, NO_RESULTS, E));
        CHECK_HAS(E->message, "20");
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void the_program_s_clock_decides(void) {
    struct clock clock = {0, 0};
    wpr_registry_t registry = registry_with_clock(&clock);
    wpr_config_t config = new_config();
    config.fuel_limit = 100000000;
    config.timeout_ms = 5;
    wpr_plugin_t plugin = load(registry, "loop", "misbehaving/endless_loop", &config);
    FAILS(WPR_OUT_OF_FUEL, wpr_plugin_call(plugin, "run", NO_ARGS, NULL, NO_RESULTS, E)); /* it stands still */
    clock.step_us = 1000;
    FAILS(WPR_DEADLINE, wpr_plugin_call(plugin, "run", NO_ARGS, NULL, NO_RESULTS, E));
    wpr_call_options_t options;
    wpr_call_options_init(&options, sizeof options);
    config.timeout_ms = 0;
    OK(wpr_plugin_release(plugin, E));
    plugin = load(registry, "without", "misbehaving/endless_loop", &config);
    FAILS(WPR_OUT_OF_FUEL, wpr_plugin_call(plugin, "run", NO_ARGS, &options, NO_RESULTS, E));
    options.timeout_ms = 1;
    FAILS(WPR_DEADLINE, wpr_plugin_call(plugin, "run", NO_ARGS, &options, NO_RESULTS, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_deadline_counts_on_while_a_call_is_left_alone(void) {
    struct clock clock = {0, 0};
    wpr_registry_t registry = registry_with_clock(&clock);
    wpr_config_t config = new_config();
    config.timeout_ms = 10;
    wpr_plugin_t plugin = load(registry, "loop", "misbehaving/endless_loop", &config);
    wpr_call_t started;
    uint32_t progress = 99;
    OK(wpr_call_start(plugin, "run", NO_ARGS, NULL, &started, E));
    clock.now_us += 1000000; /* it has not begun */
    OK(wpr_call_run(started, 100, &progress, NULL, E));
    clock.now_us += 10001;
    FAILS(WPR_DEADLINE, wpr_call_run(started, 100, &progress, NULL, E));
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

struct late {
    struct clock clock;
    int32_t checkpoints[2];
};

static int32_t come_late(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                         wpr_value_t *result) {
    (void)args, (void)arg_count, (void)result;
    struct late *late = user_data;
    late->checkpoints[0] = wpr_host_call_checkpoint(call);
    late->clock.now_us += 60001000;
    late->checkpoints[1] = wpr_host_call_checkpoint(call);
    return late->checkpoints[1];
}

static void a_checkpoint_tells_a_callback_that_the_deadline_has_passed(void) {
    struct late late = {{0, 0}, {1, 1}};
    wpr_host_function_t function = new_function(come_late, &late, NULL, 0, WPR_NONE);
    const wpr_host_function_t *functions[] = {&function};
    wpr_registry_options_t options = new_options();
    options.functions = functions;
    options.function_count = 1;
    options.clock_us = clock_now;
    options.clock_user_data = &late.clock;
    wpr_registry_t registry = registry_with(&options);
    struct module module = forwarder(NULL, 0, WPR_NONE);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    FAILS(WPR_DEADLINE, wpr_plugin_call(plugin, "run", NO_ARGS, NULL, NO_RESULTS, E));
    CHECK_EQ(late.checkpoints[0], 0);
    CHECK_EQ(late.checkpoints[1], WPR_HOST_DEADLINE);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static int32_t cancel_itself(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                             wpr_value_t *result) {
    (void)args, (void)arg_count, (void)result;
    size_t cancelled = 0;
    OK(wpr_plugin_cancel_calls(*(wpr_plugin_t *)user_data, &cancelled, E));
    CHECK_EQ(cancelled, 1);
    CHECK_EQ(wpr_host_call_checkpoint(call), WPR_HOST_CANCELLED);
    return 0;
}

static void a_callback_cancels_the_call_it_is_in(void) {
    wpr_plugin_t plugin = {0};
    wpr_host_function_t function = new_function(cancel_itself, &plugin, NULL, 0, WPR_NONE);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_NONE);
    plugin = load_module(registry, "plugin", &module, NULL);
    wpr_code_t code = wpr_plugin_call(plugin, "run", NO_ARGS, NULL, NO_RESULTS, E);
    CHECK(code == WPR_CANCELLED || code == WPR_OK); /* the guest may be through before it is noticed */
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

#ifdef WITHOUT_STD
static void without_a_clock_nothing_is_timed(void) {
    wpr_registry_t registry;
    OK(wpr_registry_new(NULL, &registry, E));
    struct file traps = fixture("misbehaving/traps");
    wpr_config_t config = new_config();
    FAILS(WPR_CLOCK_MISSING, wpr_registry_load(registry, "timed", traps.bytes, traps.length, &config, E));
    config.timeout_ms = 0;
    config.quarantine_failures = 1;
    wpr_plugin_t plugin = load(registry, "untimed", "misbehaving/traps", &config);
    wpr_call_options_t options;
    wpr_call_options_init(&options, sizeof options);
    options.timeout_ms = 1; /* it is ignored */
    OK(wpr_plugin_call(plugin, "ping", NO_ARGS, &options, NO_RESULTS, E));
    FAILS(WPR_TRAP, wpr_plugin_call(plugin, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
    uint64_t left = 0;
    OK(wpr_plugin_quarantine_ms(plugin, &left, E));
    CHECK(left == UINT64_MAX); /* it ends after so many calls */
    FAILS(WPR_QUARANTINED, wpr_plugin_call(plugin, "ping", NO_ARGS, NULL, NO_RESULTS, E));
    wpr_audit_record_t record;
    wpr_audit_record_init(&record, sizeof record);
    OK(wpr_registry_audit_pop(registry, &record, E));
    CHECK(record.time_us == UINT64_MAX);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}
#endif

/* --- quotas ------------------------------------------------------------------------------------------------------- */

static wpr_quota_t new_quota(void) {
    wpr_quota_t quota;
    wpr_quota_init(&quota, sizeof quota);
    return quota;
}

static wpr_usage_t usage_of(wpr_registry_t registry, const char *tenant) {
    wpr_usage_t usage;
    wpr_usage_init(&usage, sizeof usage);
    OK(wpr_registry_usage(registry, tenant, &usage, E));
    return usage;
}

static wpr_code_t try_load(wpr_registry_t registry, const char *name, const char *fixture_name, const char *tenant) {
    struct file file = fixture(fixture_name);
    wpr_config_t config = new_config();
    config.tenant = tenant;
    return wpr_registry_load(registry, name, file.bytes, file.length, &config, E);
}

static void a_new_quota_has_no_ceiling(void) {
    wpr_quota_t quota = new_quota();
    const uint64_t *fields = &quota.max_plugins;
    for (size_t i = 0; i < (sizeof quota - sizeof(size_t)) / 8; i++) CHECK(fields[i] == UINT64_MAX);
    wpr_registry_t registry = new_registry();
    OK(wpr_registry_set_quota(registry, "acme", &quota, E));
    OK(try_load(registry, "a", "counter", "acme"));
    CHECK(usage_of(registry, "acme").fuel_left == UINT64_MAX);
    release_registry(registry);
}

static void each_ceiling_holds_and_what_goes_makes_room(void) {
    wpr_registry_t registry = new_registry();
    OK(try_load(registry, "first", "counter", "acme"));
    wpr_usage_t one = usage_of(registry, "acme");
    CHECK_EQ(one.plugins, 1);
    CHECK_EQ(one.sandboxes, 1);
    CHECK_EQ(one.memory_bytes, 65536);
    CHECK(one.heap_bytes > 65536);
    CHECK_EQ(one.stored_rows, 0);
    for (int field = 0; field < 4; field++) {
        wpr_quota_t quota = new_quota();
        *(field == 0   ? &quota.max_plugins
          : field == 1 ? &quota.max_sandboxes
          : field == 2 ? &quota.max_memory_bytes
                       : &quota.max_heap_bytes) = field == 0   ? 1
                                                 : field == 1 ? 1
                                                 : field == 2 ? 100000
                                                              : one.heap_bytes + 1000;
        OK(wpr_registry_set_quota(registry, "acme", &quota, E));
        FAILS(WPR_QUOTA_EXCEEDED, try_load(registry, "second", "counter", "acme"));
        CHECK_EQ(E->fault, WPR_FAULT_CONFIGURATION);
        OK(try_load(registry, "second", "counter", "other"));
        OK(wpr_registry_unload(registry, "second", E));
        OK(wpr_registry_unload(registry, "first", E));
        OK(try_load(registry, "first", "counter", "acme"));
    }
    OK(wpr_registry_shutdown_all(registry, E));
    wpr_usage_t none = usage_of(registry, "acme");
    CHECK_EQ(none.plugins + none.sandboxes + none.memory_bytes + none.heap_bytes, 0);
    release_registry(registry);
}

static void tables_count_their_elements(void) {
    wpr_registry_t registry = new_registry();
    wpr_quota_t quota = new_quota();
    OK(try_load(registry, "grower", "misbehaving/table_grower", "acme"));
    quota.max_table_elements = usage_of(registry, "acme").table_elements + 10;
    OK(wpr_registry_set_quota(registry, "acme", &quota, E));
    wpr_plugin_t plugin;
    OK(wpr_registry_get(registry, "grower", &plugin, E));
    CHECK_EQ(call_i32(plugin, "grow_by", ARGS(wpr_i32(11))), -1);
    CHECK(call_i32(plugin, "grow_by", ARGS(wpr_i32(10))) >= 0);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void rows_that_plugins_store_are_counted(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    static const char *const tables[] = {"*"};
    config.can_write_table = tables;
    config.can_write_table_count = 1;
    wpr_plugin_t plugin = load(registry, "probe", "abi_probe", &config);
    wpr_quota_t quota = new_quota();
    quota.max_stored_rows = 1;
    OK(wpr_registry_set_quota(registry, "default", &quota, E));
    wpr_value_t args[] = {wpr_i32(0), wpr_i32(1), wpr_i32(8), wpr_i32(1), wpr_i32(16), wpr_i32(8)};
    CHECK_EQ(call_i32(plugin, "call_soch_write", args, 6), 0);
    CHECK_EQ(call_i32(plugin, "call_soch_write", args, 6), 1);
    args[3] = wpr_i32(2);
    CHECK_EQ(call_i32(plugin, "call_soch_write", args, 6), WPR_HOST_LIMIT_REACHED);
    wpr_usage_t usage = usage_of(registry, "default");
    CHECK_EQ(usage.stored_rows, 1);
    CHECK(usage.stored_bytes >= 9);
    quota = new_quota();
    quota.max_stored_bytes = usage.stored_bytes;
    OK(wpr_registry_set_quota(registry, "default", &quota, E));
    CHECK_EQ(call_i32(plugin, "call_soch_write", args, 6), WPR_HOST_LIMIT_REACHED);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void fuel_comes_again_with_time(void) {
    struct clock clock = {1, 0};
    wpr_registry_t registry = registry_with_clock(&clock);
    wpr_config_t config = new_config();
    wpr_plugin_t plugin = load(registry, "kernels", "kernels", &config);
    wpr_quota_t quota = new_quota();
    quota.fuel_per_second = 100000;
    quota.fuel_burst = 50000;
    OK(wpr_registry_set_quota(registry, "default", &quota, E));
    wpr_code_t code = WPR_OK;
    int calls = 0;
    for (; calls < 1000 && code == WPR_OK; calls++)
        code = wpr_plugin_call(plugin, "spin", ARGS(wpr_i32(1000)), NULL, NO_RESULTS, E);
    CHECK(code == WPR_QUOTA_EXCEEDED || code == WPR_OUT_OF_FUEL);
    CHECK(calls > 1 && calls < 1000);
    CHECK(usage_of(registry, "default").fuel_left < 50000);
    clock.now_us += 1000000;
    CHECK_EQ(usage_of(registry, "default").fuel_left, 50000);
    OK(wpr_plugin_call(plugin, "spin", ARGS(wpr_i32(1000)), NULL, NO_RESULTS, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void the_registry_s_quota_is_for_all_tenants_together(void) {
    wpr_quota_t quota = new_quota();
    quota.max_plugins = 2;
    wpr_registry_options_t options = new_options();
    options.quota = &quota;
    wpr_registry_t registry = registry_with(&options);
    OK(try_load(registry, "a", "counter", "one"));
    OK(try_load(registry, "b", "counter", "two"));
    FAILS(WPR_QUOTA_EXCEEDED, try_load(registry, "c", "counter", "three"));
    OK(wpr_registry_unload(registry, "a", E));
    OK(try_load(registry, "c", "counter", "three"));
    release_registry(registry);
}

/* --- quarantine --------------------------------------------------------------------------------------------------- */

static void a_plugin_that_fails_again_and_again_is_left_alone_for_a_time(void) {
    struct clock clock = {1, 0};
    wpr_registry_t registry = registry_with_clock(&clock);
    wpr_config_t config = new_config();
    config.quarantine_failures = 2;
    config.quarantine_first_ms = 100;
    config.quarantine_longest_ms = 150;
    wpr_plugin_t plugin = load(registry, "traps", "misbehaving/traps", &config);
    uint64_t left = 1;
    OK(wpr_plugin_quarantine_ms(plugin, &left, E));
    CHECK_EQ(left, 0);
    FAILS(WPR_NOT_FOUND, wpr_plugin_revive(plugin, E));
    for (int i = 0; i < 2; i++) FAILS(WPR_TRAP, wpr_plugin_call(plugin, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
    FAILS(WPR_QUARANTINED, wpr_plugin_call(plugin, "ping", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_plugin_quarantine_ms(plugin, &left, E));
    CHECK_EQ(left, 100);
    clock.now_us += 100000;
    OK(wpr_plugin_quarantine_ms(plugin, &left, E));
    CHECK(left == UINT64_MAX); /* the next call is on trial */
    FAILS(WPR_TRAP, wpr_plugin_call(plugin, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_plugin_quarantine_ms(plugin, &left, E));
    CHECK_EQ(left, 150);
    OK(wpr_plugin_revive(plugin, E));
    call_i32(plugin, "ping", NO_ARGS);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_trial_that_goes_well_ends_the_quarantine(void) {
    struct clock clock = {1, 0};
    wpr_registry_t registry = registry_with_clock(&clock);
    wpr_config_t config = new_config();
    config.quarantine_failures = 1;
    config.quarantine_first_ms = 100;
    wpr_plugin_t plugin = load(registry, "traps", "misbehaving/traps", &config);
    FAILS(WPR_TRAP, wpr_plugin_call(plugin, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
    uint32_t state = 0;
    OK(wpr_plugin_state(plugin, &state, E));
    CHECK_EQ(state, WPR_TRAPPED);
    clock.now_us += 100000;
    call_i32(plugin, "ping", NO_ARGS);
    uint64_t left = 1;
    OK(wpr_plugin_quarantine_ms(plugin, &left, E));
    CHECK_EQ(left, 0);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

const struct test limits_tests[] = {
    TEST(an_endless_loop_ends_at_its_deadline),
    TEST(the_program_s_clock_decides),
    TEST(a_deadline_counts_on_while_a_call_is_left_alone),
    TEST(a_checkpoint_tells_a_callback_that_the_deadline_has_passed),
    TEST(a_callback_cancels_the_call_it_is_in),
#ifdef WITHOUT_STD
    TEST(without_a_clock_nothing_is_timed),
#endif
    TEST(a_new_quota_has_no_ceiling),
    TEST(each_ceiling_holds_and_what_goes_makes_room),
    TEST(tables_count_their_elements),
    TEST(rows_that_plugins_store_are_counted),
    TEST(fuel_comes_again_with_time),
    TEST(the_registry_s_quota_is_for_all_tenants_together),
    TEST(a_plugin_that_fails_again_and_again_is_left_alone_for_a_time),
    TEST(a_trial_that_goes_well_ends_the_quarantine),
    END_OF_TESTS,
};
