/* Sandboxes made ahead of calls, and dropped when they are used up or idle; and compiled code that plugins share. */
#include "guests.h"

static wpr_maintained_t maintained(wpr_registry_t registry, uint64_t steps, uint64_t max_idle_bytes) {
    wpr_maintained_t done;
    wpr_maintained_init(&done, sizeof done);
    OK(wpr_registry_maintain(registry, steps, max_idle_bytes, &done, E));
    CHECK_EQ(done.struct_size, sizeof done);
    return done;
}

static wpr_maintained_t all_maintained(wpr_registry_t registry) {
    return maintained(registry, UINT64_MAX, UINT64_MAX);
}

static uint64_t started(wpr_plugin_t plugin) {
    wpr_stats_t stats;
    wpr_stats_init(&stats, sizeof stats);
    OK(wpr_plugin_stats(plugin, &stats, E));
    return stats.sandboxes_started;
}

/* `counter` in so many sandboxes, of which so many are to be ready. */
static wpr_plugin_t load_counter(wpr_registry_t registry, uint32_t reset, uint32_t min, uint32_t max) {
    wpr_config_t config = new_config();
    config.reset = reset;
    config.min_instances = min;
    config.max_instances = max;
    return load(registry, "counter", "counter", &config);
}

static void release(wpr_registry_t registry, wpr_plugin_t plugin) {
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* --- sandboxes made ahead ----------------------------------------------------------------------------------------- */

static void calls_find_fresh_state_that_was_made_before_they_came(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_counter(registry, 1, 2, 4);
    CHECK_EQ(started(plugin), 1);
    wpr_maintained_t done = all_maintained(registry);
    CHECK_EQ(done.made, 1); /* the load has made the other */
    CHECK_EQ(done.dropped + done.trimmed + done.failed, 0);
    CHECK_EQ(done.is_done, 1);
    CHECK(done.idle_bytes >= 2 * 65536);
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(started(plugin), (uint64_t)(2 + 2 * round));
        for (int i = 0; i < 2; i++) CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 1);
        CHECK_EQ(started(plugin), (uint64_t)(2 + 2 * round)); /* both had one that was ready */
        done = all_maintained(registry);
        CHECK_EQ(done.dropped, 2);
        CHECK_EQ(done.made, 2);
    }
    for (int i = 0; i < 3; i++) CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 1);
    CHECK_EQ(started(plugin), 9); /* the third has made one itself */
    release(registry, plugin);
}

static void nothing_is_made_ahead_unless_that_is_asked_for(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_counter(registry, 1, 0, 4);
    for (int i = 0; i < 3; i++) {
        wpr_maintained_t done = all_maintained(registry);
        CHECK_EQ(done.made + done.dropped + done.trimmed + done.failed, 0);
        CHECK_EQ(done.is_done, 1);
        CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 1);
    }
    release(registry, plugin);
}

static void no_more_is_done_than_there_are_steps_for(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_counter(registry, 1, 4, 4);
    wpr_maintained_t done = maintained(registry, 0, UINT64_MAX);
    CHECK_EQ(done.made, 0);
    CHECK_EQ(done.is_done, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        done = maintained(registry, 1, UINT64_MAX);
        CHECK_EQ(done.made, 1);
        CHECK_EQ(done.is_done, i == 3);
        CHECK_EQ(started(plugin), 1 + i);
    }
    CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 1);
    done = maintained(registry, 1, UINT64_MAX);
    CHECK_EQ(done.dropped, 1);
    CHECK_EQ(done.made, 0);
    CHECK_EQ(done.is_done, 0);
    done = maintained(registry, UINT64_C(1) << 32, UINT64_MAX); /* not 0, where a size has 32 bits */
    CHECK_EQ(done.made, 1);
    CHECK_EQ(done.is_done, 1);
    release(registry, plugin);
}

static void more_are_never_ready_than_may_run_at_once(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    struct file counter = fixture("counter");
    config.max_instances = 4;
    static const uint32_t over[] = {5, 1025, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        config.min_instances = over[i];
        FAILS(WPR_REFUSED, wpr_registry_load(registry, "over", counter.bytes, counter.length, &config, E));
        CHECK_HAS(E->message, "min_instances");
        CHECK_EQ(E->fault, WPR_FAULT_CONFIGURATION);
    }
    wpr_plugin_t plugin = load_counter(registry, 0, 4, 4);
    wpr_lease_t lease;
    OK(wpr_plugin_lease(plugin, &lease, E));
    CHECK_EQ(all_maintained(registry).made, 3); /* the fourth is leased */
    CHECK_EQ(all_maintained(registry).made, 0);
    OK(wpr_lease_release(lease, E));
    CHECK_EQ(started(plugin), 4);
    release(registry, plugin);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void state_stays_under_any_ceiling_unless_the_plugin_can_do_without(void) {
    for (uint32_t trim = 0; trim <= 1; trim++) {
        wpr_registry_t registry = new_registry();
        wpr_config_t config = new_config();
        config.trim_idle = trim;
        wpr_plugin_t plugin = load(registry, "counter", "counter", &config);
        for (int i = 1; i <= 3; i++) CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), i);
        CHECK_EQ(all_maintained(registry).trimmed, 0);
        wpr_maintained_t done = maintained(registry, UINT64_MAX, 0);
        CHECK_EQ(done.trimmed, trim);
        CHECK_EQ(done.is_done, 1);
        CHECK_EQ(done.idle_bytes > 0, trim == 0);
        CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), trim ? 1 : 4);
        release(registry, plugin);
    }
}

static void the_ceiling_is_for_all_plugins_and_leaves_what_is_to_be_ready(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.reset = 1;
    config.min_instances = 1;
    wpr_plugin_t kept = load(registry, "kept", "counter", &config);
    config.min_instances = 0;
    wpr_plugin_t spare = load(registry, "spare", "counter", &config);
    uint64_t both = all_maintained(registry).idle_bytes;
    wpr_maintained_t done = maintained(registry, UINT64_MAX, both);
    CHECK_EQ(done.trimmed, 0);
    done = maintained(registry, 0, both - 1);
    CHECK_EQ(done.trimmed, 0);
    CHECK_EQ(done.is_done, 0);
    done = maintained(registry, UINT64_MAX, both - 1);
    CHECK_EQ(done.trimmed, 1);
    CHECK_EQ(done.idle_bytes, both / 2);
    done = maintained(registry, UINT64_MAX, 0);
    CHECK_EQ(done.trimmed, 0);
    CHECK_EQ(done.idle_bytes, both / 2); /* over the ceiling, and no more may go */
    CHECK_EQ(call_i32(kept, "increment", NO_ARGS), 1);
    CHECK_EQ(call_i32(spare, "increment", NO_ARGS), 1);
    CHECK_EQ(started(kept), 1);
    CHECK_EQ(started(spare), 2);
    OK(wpr_plugin_release(spare, E));
    release(registry, kept);
}

/* --- start functions ---------------------------------------------------------------------------------------------- */

struct startup {
    wpr_registry_t registry;
    int calls;
    bool fails, maintains;
};

static int32_t start_up(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                        wpr_value_t *result) {
    (void)call, (void)args, (void)arg_count, (void)result;
    struct startup *startup = user_data;
    startup->calls++;
    if (startup->maintains) {
        wpr_maintained_t done, before;
        memset(&done, 0xa5, sizeof done);
        wpr_maintained_init(&done, sizeof done);
        memcpy(&before, &done, sizeof done);
        FAILS(WPR_REENTRANT, wpr_registry_maintain(startup->registry, UINT64_MAX, UINT64_MAX, &done, E));
        CHECK(memcmp(&done, &before, sizeof done) == 0);
    }
    return startup->fails ? WPR_HOST_ABORT : WPR_HOST_OK;
}

static void a_start_function_runs_in_maintenance_and_cannot_maintain_in_turn(void) {
    struct startup startup = {.maintains = true};
    wpr_host_function_t function = new_function(start_up, &startup, NULL, 0, WPR_NONE);
    startup.registry = registry_of(&function, 1);
    struct module module = starter();
    wpr_config_t config = new_config();
    config.min_instances = 3;
    wpr_plugin_t plugin = load_module(startup.registry, "starter", &module, &config);
    CHECK_EQ(startup.calls, 1);
    CHECK_EQ(all_maintained(startup.registry).made, 2);
    CHECK_EQ(startup.calls, 3);
    OK(wpr_plugin_call(plugin, "run", NO_ARGS, NULL, NO_RESULTS, E));
    CHECK_EQ(startup.calls, 4); /* from a callback of a call */
    release(startup.registry, plugin);
}

static void a_start_that_fails_is_counted_and_not_tried_again(void) {
    struct startup startup = {.calls = 0};
    wpr_host_function_t function = new_function(start_up, &startup, NULL, 0, WPR_NONE);
    startup.registry = registry_of(&function, 1);
    struct module module = starter();
    wpr_config_t config = new_config();
    config.min_instances = 3;
    wpr_plugin_t plugin = load_module(startup.registry, "starter", &module, &config);
    startup.fails = true;
    wpr_maintained_t done = all_maintained(startup.registry);
    CHECK_EQ(done.failed, 1);
    CHECK_EQ(done.made, 0);
    startup.fails = false;
    done = all_maintained(startup.registry);
    CHECK_EQ(done.failed + done.made, 0);
    CHECK_EQ(startup.calls, 2);
    OK(wpr_registry_reload(startup.registry, "starter", module.bytes, module.length, &config, NULL, E));
    CHECK_EQ(all_maintained(startup.registry).made, 2);
    release(startup.registry, plugin);
}

/* --- misuse ------------------------------------------------------------------------------------------------------- */

static void maintenance_that_cannot_be_answered_is_not_done(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_counter(registry, 1, 4, 4);
    wpr_maintained_t done;
    FAILS(WPR_NULL_POINTER, wpr_registry_maintain(registry, UINT64_MAX, UINT64_MAX, NULL, E));
    CHECK_EQ(wpr_registry_maintain(registry, UINT64_MAX, UINT64_MAX, NULL, NULL), WPR_NULL_POINTER);
    static const size_t impossible[] = {0, 1, 7, 4097, SIZE_MAX};
    for (size_t i = 0; i < 5; i++) {
        memset(&done, 0, sizeof done);
        done.struct_size = impossible[i];
        FAILS(WPR_INVALID_STRUCT, wpr_registry_maintain(registry, UINT64_MAX, UINT64_MAX, &done, E));
        CHECK_HAS(E->message, "wpr_maintained_t");
        CHECK_EQ(done.made, 0);
    }
    CHECK_EQ(started(plugin), 1);
    wpr_maintained_init(&done, sizeof done);
    const uint64_t numbers[] = {0, plugin.id, registry.id ^ 1, registry.id + (UINT64_C(1) << 32), UINT64_MAX};
    for (size_t i = 0; i < 5; i++) {
        wpr_registry_t none = {numbers[i]};
        FAILS(WPR_INVALID_HANDLE, wpr_registry_maintain(none, UINT64_MAX, UINT64_MAX, &done, E));
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
    FAILS(WPR_INVALID_HANDLE, wpr_registry_maintain(registry, UINT64_MAX, UINT64_MAX, &done, E));
    CHECK_HAS(E->message, "was released");
    CHECK_EQ(done.made, 0);
}

static void an_older_program_gets_as_much_of_the_answer_as_it_knows(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_counter(registry, 1, 4, 4);
    wpr_maintained_t done;
    memset(&done, 0xff, sizeof done);
    wpr_maintained_init(&done, offsetof(wpr_maintained_t, dropped));
    OK(wpr_registry_maintain(registry, 2, UINT64_MAX, &done, E));
    CHECK_EQ(done.made, 2);
    CHECK(done.dropped == UINT64_MAX && done.is_done == UINT32_MAX);
    release(registry, plugin);
}

static void a_configuration_of_before_asks_for_none_of_it(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config;
    memset(&config, 0xff, sizeof config);
    wpr_config_init(&config, offsetof(wpr_config_t, code_sharing));
    CHECK_EQ(config.code_sharing & config.min_instances & config.trim_idle, UINT32_MAX);
    config.timeout_ms = 60000;
    wpr_plugin_t plugin = load(registry, "counter", "counter", &config);
    CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 1);
    wpr_maintained_t done = maintained(registry, UINT64_MAX, 0);
    CHECK_EQ(done.made + done.trimmed, 0);
    CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 2);
    release(registry, plugin);
}

/* --- shared code -------------------------------------------------------------------------------------------------- */

static wpr_code_t load_sharer(wpr_registry_t registry, const char *name, const char *tenant, uint32_t sharing) {
    struct file file = fixture("aggregate");
    wpr_config_t config = new_config();
    config.tenant = tenant;
    config.code_sharing = sharing;
    return wpr_registry_load(registry, name, file.bytes, file.length, &config, E);
}

static uint64_t heap_of(wpr_registry_t registry, const char *tenant) {
    wpr_usage_t usage;
    wpr_usage_init(&usage, sizeof usage);
    OK(wpr_registry_usage(registry, tenant, &usage, E));
    return usage.heap_bytes;
}

static void code_is_shared_with_none_or_within_the_tenant_or_the_registry(void) {
    uint64_t first[3], second[3], neighbour[3];
    for (uint32_t sharing = 0; sharing < 3; sharing++) {
        wpr_registry_t registry = new_registry();
        OK(load_sharer(registry, "first", "acme", sharing));
        first[sharing] = heap_of(registry, "acme");
        OK(load_sharer(registry, "second", "acme", sharing));
        second[sharing] = heap_of(registry, "acme") - first[sharing];
        OK(load_sharer(registry, "third", "other", sharing));
        neighbour[sharing] = heap_of(registry, "other");
        wpr_plugin_t plugin;
        wpr_bytes_t answer;
        OK(wpr_registry_unload(registry, "first", E)); /* the others go on */
        OK(wpr_registry_get(registry, "second", &plugin, E));
        FAILS(WPR_BAD_GUEST_ANSWER, wpr_plugin_call_bytes(plugin, "sum", (const uint8_t *)"t", 1, &answer, E));
        CHECK_EQ(E->guest_status, WPR_HOST_DENIED); /* it runs, and may read nothing */
        release(registry, plugin);
    }
    CHECK(second[1] < second[0]);   /* its code is there */
    CHECK(first[2] < first[1]);     /* the registry is charged */
    CHECK_EQ(neighbour[0], first[0]);
    CHECK_EQ(neighbour[1], first[1]); /* another tenant pays for its own */
    CHECK_EQ(neighbour[2], first[2]);
}

static void code_that_is_compiled_later_is_not_shared(void) {
    wpr_registry_t registry = new_registry();
    struct file counter = fixture("counter");
    wpr_config_t config = new_config();
    config.compilation = 1;
    for (config.code_sharing = 1; config.code_sharing <= 2; config.code_sharing++) {
        FAILS(WPR_REFUSED, wpr_registry_load(registry, "lazy", counter.bytes, counter.length, &config, E));
        CHECK_HAS(E->message, "code_sharing");
    }
    release_registry(registry);
}

const struct test maintenance_tests[] = {
    TEST(calls_find_fresh_state_that_was_made_before_they_came),
    TEST(nothing_is_made_ahead_unless_that_is_asked_for),
    TEST(no_more_is_done_than_there_are_steps_for),
    TEST(more_are_never_ready_than_may_run_at_once),
    TEST(state_stays_under_any_ceiling_unless_the_plugin_can_do_without),
    TEST(the_ceiling_is_for_all_plugins_and_leaves_what_is_to_be_ready),
    TEST(a_start_function_runs_in_maintenance_and_cannot_maintain_in_turn),
    TEST(a_start_that_fails_is_counted_and_not_tried_again),
    TEST(maintenance_that_cannot_be_answered_is_not_done),
    TEST(an_older_program_gets_as_much_of_the_answer_as_it_knows),
    TEST(a_configuration_of_before_asks_for_none_of_it),
    TEST(code_is_shared_with_none_or_within_the_tenant_or_the_registry),
    TEST(code_that_is_compiled_later_is_not_shared),
    END_OF_TESTS,
};
