/* What may be done in callbacks: everything but to run a plugin, releasing what is in use included. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>

#include "functions.h"

/* --- reentrancy --------------------------------------------------------------------------------------------------- */

/* The callbacks of this file try every function on the things of this world, unless they are in it already. */
static struct world world;
static int tried;
static bool trying;

static void try_everything(void) {
    static struct out out;
    if (trying) return;
    trying = true;
    tried++;
    poison(&out);
    for (size_t i = 0; i < use_count; i++) {
        if (uses[i].effect == RELEASES) continue;
        wpr_code_t code = uses[i].with(world.ids[uses[i].kind], &out);
        bool right = uses[i].effect == RUNS ? code == WPR_REENTRANT : code < WPR_NULL_POINTER;
        if (!right) check_equal((uint64_t)code, WPR_REENTRANT, uses[i].name, "what it should be", __FILE__, __LINE__);
        release_answered(&out);
    }
    wpr_registry_t made;
    OK(wpr_registry_new(NULL, &made, E));
    OK(wpr_registry_release(made, E));
    trying = false;
}

static int32_t try_in_function(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                               wpr_value_t *result) {
    (void)user_data, (void)args, (void)arg_count, (void)result;
    try_everything();
    CHECK_EQ(wpr_host_call_checkpoint(call), 0); /* it is still good */
    return 0;
}
static int32_t try_in_read(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                           const uint8_t *key, size_t key_length) {
    (void)user_data, (void)table, (void)table_length, (void)key, (void)key_length;
    try_everything();
    return wpr_host_call_output(call, (const uint8_t *)"x", 1);
}
static int32_t try_in_scan(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                           const uint8_t *from, size_t from_length, uint32_t limit) {
    (void)user_data, (void)call, (void)table, (void)table_length, (void)from, (void)from_length, (void)limit;
    try_everything();
    return 0;
}
static int32_t try_in_write(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                            const uint8_t *key, size_t key_length, const uint8_t *value, size_t value_length) {
    (void)user_data, (void)call, (void)table, (void)table_length, (void)key, (void)key_length, (void)value;
    (void)value_length;
    try_everything();
    return 0;
}
static int32_t try_in_remove(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                             const uint8_t *key, size_t key_length) {
    return try_in_read(user_data, call, table, table_length, key, key_length) < 0 ? 0 : 0;
}
static int32_t try_in_setting(void *user_data, wpr_host_call_t call, const char *name, size_t length) {
    (void)user_data, (void)call, (void)name, (void)length;
    try_everything();
    return WPR_HOST_NOT_FOUND;
}
static int32_t try_in_metric(void *user_data, wpr_host_call_t call, uint32_t kind, const char *name, size_t length,
                             double value) {
    (void)user_data, (void)call, (void)kind, (void)name, (void)length, (void)value;
    try_everything();
    return 0;
}
static int32_t try_in_log(void *user_data, wpr_host_call_t call, uint32_t level, const char *line, size_t length) {
    (void)user_data, (void)call, (void)level, (void)line, (void)length;
    try_everything();
    return 0;
}
static void try_in_event(void *user_data, const wpr_audit_record_t *record) {
    (void)user_data, (void)record;
    try_everything();
}
static void try_in_drop(void *user_data) {
    (void)user_data;
    try_everything();
}

static wpr_registry_t registry_that_tries(void) {
    wpr_host_t host;
    wpr_host_init(&host, sizeof host);
    host = (wpr_host_t){sizeof host,    NULL,        try_in_drop,    try_in_read,   try_in_scan, try_in_write,
                        try_in_remove, try_in_setting, try_in_metric, try_in_log, try_in_event};
    wpr_host_function_t function = new_function(try_in_function, NULL, NULL, 0, WPR_NONE);
    function.drop = try_in_drop;
    const wpr_host_function_t *functions[] = {&function};
    wpr_registry_options_t options = new_options();
    options.host = &host;
    options.functions = functions;
    options.function_count = 1;
    return registry_with(&options);
}

static void no_callback_runs_a_plugin_and_each_may_do_everything_else(void) {
    static const char *const calls[] = {"call_soch_read", "call_soch_scan", "call_soch_write", "call_soch_delete",
                                        "call_get_config", "call_emit_metric", "call_log_message"};
    static const size_t counts[] = {6, 7, 6, 4, 4, 6, 3};
    static const char *const tables[] = {"*"};
    world = new_world();
    tried = 0;
    wpr_registry_t registry = registry_that_tries();
    wpr_config_t config = new_config();
    config.can_read_table = config.can_write_table = tables;
    config.can_read_table_count = config.can_write_table_count = 1;
    wpr_plugin_t probe = load(registry, "probe", "abi_probe", &config);
    CHECK_EQ(tried, 1); /* the event */
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        wpr_value_t args[7];
        for (int n = 0; n < 7; n++) args[n] = wpr_i32(n % 2); /* ranges that do not overlap: 0 and 1, one byte each */
        if (i == 1) args[4] = wpr_i32(1), args[5] = wpr_i32(64), args[6] = wpr_i32(8);
        if (i == 0) args[4] = wpr_i32(64), args[5] = wpr_i32(8);
        if (i == 4) args[2] = wpr_i32(64), args[3] = wpr_i32(8);
        if (i == 5) args[1] = wpr_i32(0), args[2] = wpr_i32(1), args[3] = wpr_f64(1), args[5] = wpr_i32(0);
        int before = tried;
        call_i32(probe, calls[i], args, counts[i]);
        check_equal((uint64_t)(tried - before), 1, calls[i], "one callback", __FILE__, __LINE__);
    }
    struct module module = starter();
    int before = tried;
    wpr_plugin_t started = load_module(registry, "started", &module, NULL);
    CHECK(tried >= before + 2); /* the start function, and the event */
    wpr_config_t quarantined = new_config();
    quarantined.quarantine_failures = 1;
    wpr_plugin_t traps = load(registry, "traps", "misbehaving/traps", &quarantined);
    before = tried;
    FAILS(WPR_TRAP, wpr_plugin_call(traps, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_plugin_revive(traps, E));
    OK(wpr_registry_unload(registry, "traps", E));
    CHECK(tried >= before + 3);
    OK(wpr_plugin_release(probe, E));
    OK(wpr_plugin_release(started, E));
    OK(wpr_plugin_release(traps, E));
    before = tried;
    release_registry(registry);
    CHECK_EQ(tried - before, 2); /* what is dropped: the host, and the function */
    release_world(&world);
}

/* --- releasing what is in use ------------------------------------------------------------------------------------- */

/* What is released, and what else is done, in the midst of a call. */
struct during {
    struct world used;
    wpr_host_call_t call;
    bool unload;
    bool reload_is_refused;
    int calls;
};

static int32_t release_all(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                           wpr_value_t *result) {
    (void)args, (void)arg_count;
    struct during *during = user_data;
    during->calls++;
    if (during->unload) OK(wpr_registry_unload((wpr_registry_t){during->used.ids[REGISTRY]}, "plugin", E));
    release_world(&during->used);
    result->of.i32 = 31;
    CHECK_EQ(wpr_host_call_charge(call, 1), 0);
    const uint8_t *bytes = NULL;
    CHECK_EQ(wpr_host_call_memory(call, 0, 8, &bytes), 0);
    CHECK_EQ(bytes[0], 0);
    return 0;
}

/* A world whose plugin calls back: `run` of `plugin`. */
static struct world world_that_calls_back(struct during *during) {
    wpr_host_function_t function = new_function(release_all, during, NULL, 0, WPR_I32);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_I32);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    wpr_function_t run = {0};
    wpr_call_t started = {0};
    wpr_lease_t lease = {0};
    wpr_cancel_t token = {0};
    OK(wpr_plugin_function(plugin, "run", &run, E));
    OK(wpr_call_start(plugin, "run", NO_ARGS, NULL, &started, E));
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_call_cancel_token(started, &token, E));
    return (struct world){{registry.id, plugin.id, run.id, started.id, lease.id, token.id, 0}};
}

static void a_callback_releases_the_very_handles_that_are_in_use(void) {
    for (int way = 0; way < 5; way++)
        for (int unload = 0; unload < 2; unload++) {
            struct during during = {.unload = unload};
            during.used = world_that_calls_back(&during);
            struct world used = during.used;
            wpr_value_t result = wpr_i32(0);
            uint32_t progress = 99;
            wpr_registry_t registry = {used.ids[REGISTRY]};
            wpr_plugin_t plugin = {used.ids[PLUGIN]};
            wpr_function_t function = {used.ids[FUNCTION]};
            wpr_call_t started = {used.ids[CALL]};
            wpr_lease_t lease = {used.ids[LEASE]};
            if (way == 0) OK(wpr_plugin_call(plugin, "run", NO_ARGS, NULL, &result, 1, NULL, E));
            if (way == 1) OK(wpr_function_call(function, NO_ARGS, NULL, &result, 1, NULL, E));
            if (way == 2) OK(wpr_registry_call(registry, "plugin", "run", NO_ARGS, &result, 1, NULL, E));
            if (way == 3) OK(wpr_lease_call(lease, "run", NO_ARGS, NULL, &result, 1, NULL, E));
            if (way == 4) {
                OK(wpr_call_run(started, UINT64_MAX, &progress, NULL, E));
                CHECK_EQ(progress, WPR_FINISHED);
            } else {
                CHECK_EQ(result.of.i32, 31);
            }
            CHECK_EQ(during.calls, 1);
            for (int kind = 0; kind < BYTES; kind++)
                FAILS(WPR_INVALID_HANDLE, release_of_kind((enum kind)kind, used.ids[kind]));
        }
}

static int32_t look_at_the_running_call(void *user_data, wpr_host_call_t call, const wpr_value_t *args,
                                        size_t arg_count, wpr_value_t *result) {
    (void)call, (void)args, (void)arg_count, (void)result;
    struct during *during = user_data;
    wpr_call_t started = {during->used.ids[CALL]};
    wpr_lease_t lease = {during->used.ids[LEASE]};
    uint64_t number;
    uint8_t byte;
    FAILS(WPR_BUSY, wpr_call_fuel_spent(started, &number, E));
    FAILS(WPR_BUSY, wpr_call_results(started, NO_RESULTS, E));
    FAILS(WPR_BUSY, wpr_call_answer(started, &(wpr_bytes_t){0}, E));
    FAILS(WPR_BUSY, wpr_call_complete(started, 1, NULL, NULL, 0, E));
    FAILS(WPR_BUSY, wpr_call_fail(started, 1, WPR_HOST_FAILED, E));
    FAILS(WPR_BUSY, wpr_call_cancel_token(started, &(wpr_cancel_t){0}, E));
    OK(wpr_lease_read(lease, "memory", 0, &byte, 1, E)); /* it is idle */
    OK(wpr_cancel((wpr_cancel_t){during->used.ids[CANCEL]}, E));
    during->calls++;
    return 0;
}

static void what_is_being_used_further_up_is_busy_and_can_be_cancelled(void) {
    struct during during = {.calls = 0};
    wpr_host_function_t function = new_function(look_at_the_running_call, &during, NULL, 0, WPR_I32);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_I32);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    wpr_call_t started = {0};
    wpr_lease_t lease = {0};
    wpr_cancel_t token = {0};
    uint32_t progress;
    OK(wpr_call_start(plugin, "run", NO_ARGS, NULL, &started, E));
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_call_cancel_token(started, &token, E));
    during.used = (struct world){{registry.id, plugin.id, 0, started.id, lease.id, token.id, 0}};
    wpr_code_t code = wpr_call_run(started, UINT64_MAX, &progress, NULL, E);
    CHECK(code == WPR_CANCELLED || code == WPR_OK); /* the guest may be through before it is noticed */
    CHECK_EQ(during.calls, 1);
    release_world(&during.used);
}

static int32_t look_at_the_leased_sandbox(void *user_data, wpr_host_call_t call, const wpr_value_t *args,
                                          size_t arg_count, wpr_value_t *result) {
    (void)call, (void)args, (void)arg_count, (void)result;
    wpr_lease_t lease = *(wpr_lease_t *)user_data;
    uint8_t byte = 0;
    uint64_t number;
    FAILS(WPR_BUSY, wpr_lease_read(lease, "memory", 0, &byte, 1, E));
    FAILS(WPR_BUSY, wpr_lease_write(lease, "memory", 0, &byte, 1, E));
    FAILS(WPR_BUSY, wpr_lease_memory_bytes(lease, "memory", &number, E));
    FAILS(WPR_BUSY, wpr_lease_grow(lease, "memory", 1, &number, E));
    FAILS(WPR_BUSY, wpr_lease_global(lease, "g", result, E));
    FAILS(WPR_BUSY, wpr_lease_cancel_token(lease, &(wpr_cancel_t){0}, E));
    result->of.i32 = 7;
    return 0;
}

static void a_leased_sandbox_is_busy_while_it_runs(void) {
    wpr_lease_t lease = {0};
    wpr_host_function_t function = new_function(look_at_the_leased_sandbox, &lease, NULL, 0, WPR_I32);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_I32);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    wpr_value_t result = wpr_i32(0);
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_lease_call(lease, "run", NO_ARGS, NULL, &result, 1, NULL, E));
    CHECK_EQ(result.of.i32, 7);
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* --- how long a host call is good --------------------------------------------------------------------------------- */

/* Asks everything of a host call that is none. */
static void nothing_answers(wpr_host_call_t call) {
    const uint8_t *bytes = (const uint8_t *)1;
    const char *text = (const char *)1;
    size_t length = 77;
    CHECK_EQ(wpr_host_call_output(call, (const uint8_t *)"x", 1), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_record(call, (const uint8_t *)"x", 1, NULL, 0), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_memory(call, 0, 0, &bytes), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_memory(call, 0, 0, NULL), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_write(call, 0, NULL, 0), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_charge(call, 1), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_charge_bytes(call, 1), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_checkpoint(call), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_can_suspend(call), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_suspend(call, 1), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_answer_to(call, 0, 0), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_fuel_left(call), 0);
    CHECK_EQ(wpr_host_call_tag(call), 0);
    CHECK_EQ(wpr_host_call_plugin(call, &text, &length), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_tenant(call, &text, &length), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_setting(call, "x", &text, &length), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_setting(call, NULL, NULL, NULL), WPR_HOST_NO_CALL);
    CHECK_EQ(wpr_host_call_label(call, 0, &text, &length, &text, &length), WPR_HOST_NO_CALL);
    CHECK(bytes == (const uint8_t *)1 && text == (const char *)1 && length == 77);
}

static void *ask_from_another_thread(void *call) {
    nothing_answers(*(wpr_host_call_t *)call);
    return NULL;
}

static int32_t hand_on(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                       wpr_value_t *result) {
    (void)args, (void)arg_count, (void)result;
    struct during *during = user_data;
    pthread_t thread;
    if (during->calls++ > 0) nothing_answers(during->call); /* that of the callback before */
    pthread_create(&thread, NULL, ask_from_another_thread, &call);
    pthread_join(thread, NULL);
    uint64_t random = 7;
    for (int i = 0; i < 100; i++) nothing_answers((wpr_host_call_t){next_random(&random)});
    nothing_answers((wpr_host_call_t){call.id + 1});
    nothing_answers((wpr_host_call_t){call.id - 1});
    nothing_answers((wpr_host_call_t){0});
    CHECK_EQ(wpr_host_call_checkpoint(call), 0);
    during->call = call;
    return 0;
}

static void a_host_call_is_good_in_its_callback_on_its_thread(void) {
    struct during during = {.calls = 0};
    wpr_host_function_t function = new_function(hand_on, &during, NULL, 0, WPR_I32);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_I32);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    for (int i = 0; i < 3; i++) {
        call_i32(plugin, "run", NO_ARGS);
        nothing_answers(during.call);
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
    nothing_answers(during.call);
}

/* In the event that the unloading in the callback of a host function causes. */
static void ask_in_event(void *user_data, const wpr_audit_record_t *record) {
    struct during *during = user_data;
    if (record->decision != WPR_AUDIT_UNLOAD) return;
    during->calls++;
    nothing_answers(during->call);
    FAILS(WPR_REENTRANT, wpr_registry_call((wpr_registry_t){during->used.ids[REGISTRY]}, "plugin", "run", NO_ARGS,
                                           NO_RESULTS, E));
}

static int32_t unload_from_within(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                                  wpr_value_t *result) {
    (void)args, (void)arg_count, (void)result;
    struct during *during = user_data;
    during->call = call;
    OK(wpr_registry_unload((wpr_registry_t){during->used.ids[REGISTRY]}, "plugin", E));
    CHECK_EQ(wpr_host_call_checkpoint(call), 0); /* good again, once the event has returned */
    FAILS(WPR_REENTRANT, wpr_registry_load_file((wpr_registry_t){during->used.ids[REGISTRY]}, "x", "x", NULL, E));
    return 0;
}

static void callbacks_within_callbacks_have_no_host_call(void) {
    struct during during = {.calls = 0};
    wpr_host_t host;
    wpr_host_init(&host, sizeof host);
    host.user_data = &during;
    host.event = ask_in_event;
    wpr_host_function_t function = new_function(unload_from_within, &during, NULL, 0, WPR_I32);
    const wpr_host_function_t *functions[] = {&function};
    wpr_registry_options_t options = new_options();
    options.host = &host;
    options.functions = functions;
    options.function_count = 1;
    wpr_registry_t registry = registry_with(&options);
    during.used.ids[REGISTRY] = registry.id;
    struct module module = forwarder(NULL, 0, WPR_I32);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    call_i32(plugin, "run", NO_ARGS);
    CHECK_EQ(during.calls, 1);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void plugins_run_again_once_the_callback_has_returned(void) {
    struct during during = {.calls = 0};
    during.used = world_that_calls_back(&during);
    wpr_registry_t registry = {during.used.ids[REGISTRY]};
    wpr_plugin_t plugin = {during.used.ids[PLUGIN]}, echo = load(registry, "echo", "echo", NULL);
    wpr_value_t result;
    OK(wpr_plugin_call(plugin, "run", NO_ARGS, NULL, &result, 1, NULL, E));
    wpr_bytes_t answer;
    OK(wpr_plugin_call_bytes(echo, "echo", NULL, 0, &answer, E));
    OK(wpr_bytes_release(answer, E));
    OK(wpr_plugin_release(echo, E));
}

const struct test callback_tests[] = {
    TEST(no_callback_runs_a_plugin_and_each_may_do_everything_else),
    TEST(a_callback_releases_the_very_handles_that_are_in_use),
    TEST(what_is_being_used_further_up_is_busy_and_can_be_cancelled),
    TEST(a_leased_sandbox_is_busy_while_it_runs),
    TEST(a_host_call_is_good_in_its_callback_on_its_thread),
    TEST(callbacks_within_callbacks_have_no_host_call),
    TEST(plugins_run_again_once_the_callback_has_returned),
    END_OF_TESTS,
};
