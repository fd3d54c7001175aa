/*
 * What the Swift wrapper relies on, in its own order of calls: for machines without a Swift compiler, and for the
 * sanitizers. Each test says which Swift source it stands for.
 *
 * Needs the folder of the repository's plugins as its argument.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "check.h"
/* Made by test.sh of the numbers in the Swift sources. */
#include "swift_numbers.h"

/* --- Boundary.swift -------------------------------------------------------------------------------------------- */

/* A box: what C holds of a closure. */
typedef struct {
    atomic_int drops;
    int error;
    int32_t (*body)(wpr_host_call_t call, const wpr_value_t *args, wpr_value_t *result);
} box_t;

static void drop_box(void *user_data) { atomic_fetch_add(&((box_t *)user_data)->drops, 1); }

/* What a closure threw in the call that this thread runs. */
static _Thread_local int *thrown;

static void keep(int error) {
    if (thrown) *thrown = error;
}

/* Calls the box's body; with an error in it the box throws that. */
static int32_t call_box(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t count,
                        wpr_value_t *result) {
    box_t *box = user_data;
    CHECK(count > 0 && args != NULL);
    if (box->error) {
        keep(box->error + (args->kind == WPR_I32 ? args->of.i32 : 0));
        return WPR_HOST_ABORT;
    }
    return box->body ? box->body(call, args, result) : WPR_HOST_OK;
}

/* As `run` does: the error of a closure is that of the call only if a closure ended the call. */
static wpr_code_t run_call(wpr_plugin_t plugin, const char *function, int32_t arg, wpr_value_t *result, int *error) {
    int *outer = thrown, own = 0;
    thrown = &own;
    wpr_value_t value = wpr_i32(arg), results[WPR_MAX_VALUES];
    size_t count = 0;
    wpr_error_t raw;
    wpr_code_t code =
        wpr_plugin_call(plugin, function, &value, 1, NULL, results, WPR_MAX_VALUES, &count, &raw);
    thrown = outer;
    *error = code == WPR_HOST ? own : 0;
    if (code == WPR_OK && count > 0 && result) *result = results[0];
    return code;
}

/* --- Registry.swift -------------------------------------------------------------------------------------------- */

static const uint32_t i32s[] = {WPR_I32, WPR_I32, WPR_I32};

static wpr_host_function_t function(lent_t *lent, const char *name, size_t params, uint32_t result, box_t *box) {
    wpr_host_function_t function;
    wpr_host_function_init(&function, sizeof function);
    function.module = lend_text(lent, "env");
    function.name = lend_text(lent, name);
    function.params = lend(lent, i32s, params * sizeof *i32s);
    function.param_count = params;
    function.result = result;
    function.callback = call_box;
    function.user_data = box;
    function.drop = drop_box;
    return function;
}

static void hear(void *user_data, const wpr_audit_record_t *record) {
    CHECK(user_data != NULL && record->plugin[0] != 0);
}

static const wpr_host_t *host(lent_t *lent, box_t *box) {
    wpr_host_t host;
    wpr_host_init(&host, sizeof host);
    host.user_data = box;
    host.drop = drop_box;
    host.event = hear;
    return lend(lent, &host, sizeof host);
}

/* Makes a registry with what `waiter` imports. All that it is told is gone when it has returned. */
static wpr_code_t make(box_t boxes[4], const char *last, wpr_registry_t *registry) {
    lent_t lent = {.count = 0};
    const wpr_host_function_t functions[] = {
        function(&lent, "later", 3, WPR_I32, &boxes[0]),
        function(&lent, "later_f64", 1, WPR_F64, &boxes[1]),
        function(&lent, last, 1, WPR_NONE, &boxes[2]),
    };
    const wpr_host_function_t *pointers[3];
    for (size_t i = 0; i < 3; i++) pointers[i] = lend(&lent, &functions[i], sizeof functions[i]);
    wpr_registry_options_t options;
    wpr_registry_options_init(&options, sizeof options);
    options.functions = lend(&lent, pointers, sizeof pointers);
    options.function_count = 3;
    options.host = host(&lent, &boxes[3]);
    wpr_error_t error;
    wpr_code_t code = wpr_registry_new(&options, registry, &error);
    take_back(&lent);
    return code;
}

static const wpr_config_t *config(lent_t *lent, uint32_t instances) {
    wpr_config_t config;
    wpr_config_init(&config, sizeof config);
    const char *tables[] = {lend_text(lent, "rivers"), lend_text(lent, "lakes*")};
    const char *plugins[] = {lend_text(lent, "*")};
    const wpr_setting_t settings[] = {{lend_text(lent, "colour"), lend_text(lent, "blue")}};
    wpr_limits_t limits;
    wpr_limits_init(&limits, sizeof limits);
    config.tenant = lend_text(lent, "default");
    config.can_read_table = lend(lent, tables, sizeof tables);
    config.can_read_table_count = 2;
    config.can_call_plugin = lend(lent, plugins, sizeof plugins);
    config.can_call_plugin_count = 1;
    config.settings = lend(lent, settings, sizeof settings);
    config.setting_count = 1;
    config.timeout_ms = 0;
    config.fuel_limit = UINT64_C(1) << 40;
    config.max_instances = instances;
    config.limits = lend(lent, &limits, sizeof limits);
    return lend(lent, &config, sizeof config);
}

static wpr_plugin_t load(wpr_registry_t registry, const char *name, const char *module_name, uint32_t instances) {
    lent_t lent = {.count = 0};
    module_t module = fixture(module_name);
    wpr_plugin_t plugin = {0};
    OK(wpr_registry_load(registry, name, module.bytes, module.length, config(&lent, instances), NULL));
    take_back(&lent);
    free(module.bytes);
    OK(wpr_registry_get(registry, name, &plugin, NULL));
    return plugin;
}

static int drops(box_t boxes[4]) {
    int sum = 0;
    for (size_t i = 0; i < 4; i++) {
        int dropped = atomic_load(&boxes[i].drops);
        CHECK(dropped <= 1);
        sum += dropped;
    }
    return sum;
}

/* --- tests ------------------------------------------------------------------------------------------------------ */

static void structs_have_the_sizes_and_defaults_that_config_swift_copies(void) {
    wpr_config_t config;
    wpr_config_init(&config, sizeof config);
    CHECK(config.struct_size == sizeof config && config.tenant == NULL && config.limits == NULL);
    CHECK(config.memory_limit_bytes == 16 << 20 && config.fuel_limit == 1000000 && config.timeout_ms == 100);
    CHECK(config.epoch_interval_ms == 10 && config.fuel_budget == UINT64_MAX && config.max_instances == 4);
    CHECK(config.enable_fuel == 1 && config.enable_epochs == 1 && config.debug_mode == 0);
    CHECK(config.quarantine_failures == 0 && config.quarantine_first_ms == 1000);
    CHECK(config.code_sharing == 0 && config.min_instances == 0 && config.trim_idle == 0);
    wpr_limits_t limits;
    wpr_limits_init(&limits, sizeof limits);
    CHECK(limits.struct_size == sizeof limits && limits.max_recursion_depth == 1000);
    wpr_call_options_t options;
    wpr_call_options_init(&options, sizeof options);
    CHECK(options.struct_size == sizeof options && options.fuel == UINT64_MAX && options.timeout_ms == 0);
    wpr_quota_t quota;
    wpr_quota_init(&quota, sizeof quota);
    CHECK(quota.struct_size == sizeof quota && quota.max_plugins == UINT64_MAX && quota.fuel_burst == UINT64_MAX);
    wpr_maintained_t maintained;
    wpr_maintained_init(&maintained, sizeof maintained);
    CHECK(maintained.struct_size == sizeof maintained && maintained.made == 0 && maintained.is_done == 0);
    wpr_reload_options_t reload;
    wpr_reload_options_init(&reload, sizeof reload);
    CHECK(reload.struct_size == sizeof reload && reload.keep_previous == 1 && reload.drain_ms == UINT64_MAX);
    wpr_host_function_t function;
    wpr_host_function_init(&function, sizeof function);
    CHECK(function.struct_size == sizeof function && function.base_fuel == 40 && function.result == WPR_NONE);
    CHECK(sizeof(wpr_error_t) == 1024 && sizeof(wpr_value_t) == 16 && WPR_MAX_VALUES == 16);
    CHECK(wpr_api_version() >= WPR_API_VERSION);
}

static void boxes_are_dropped_once_with_the_last_that_could_call_them(void) {
    box_t boxes[4] = {{0}};
    wpr_registry_t registry;
    wpr_function_t function;
    OK(make(boxes, "later_nothing", &registry));
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", 1);
    OK(wpr_plugin_function(plugin, "wait", &function, NULL));
    OK(wpr_registry_release(registry, NULL));
    OK(wpr_plugin_release(plugin, NULL));
    CHECK(drops(boxes) == 0);
    wpr_value_t arg = wpr_i32(1), result;
    OK(wpr_function_call(function, &arg, 1, NULL, &result, 1, NULL, NULL));
    CHECK(result.of.i32 == 1000);
    OK(wpr_function_release(function, NULL));
    CHECK(drops(boxes) == 4);
    CHECK_CODE(WPR_INVALID_HANDLE, wpr_function_release(function, NULL));
}

static void boxes_stay_the_programs_own_if_there_is_no_registry(void) {
    box_t boxes[4] = {{0}};
    wpr_registry_t registry = {77};
    CHECK_CODE(WPR_TABLE_FULL, make(boxes, "later", &registry));
    CHECK(drops(boxes) == 0 && registry.id == 77);
}

static void an_error_of_a_closure_is_found_where_the_plugin_was_called(void) {
    box_t boxes[4] = {{.error = 500}};
    wpr_registry_t registry;
    OK(make(boxes, "later_nothing", &registry));
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", 1);
    for (int32_t i = 1; i < 4; i++) {
        int error = 0;
        CHECK_CODE(WPR_HOST, run_call(plugin, "wait", i, NULL, &error));
        CHECK(error == 500 + i);
        OK(run_call(plugin, "spin", 2, NULL, &error));
        CHECK(error == 0);
    }
    OK(wpr_plugin_release(plugin, NULL));
    OK(wpr_registry_release(registry, NULL));
    CHECK(drops(boxes) == 4);
}

/* The plugin that was called is ended by the closure; the one that called it gets -7 and goes on. */
static void an_error_that_a_calling_plugin_survived_is_not_found(void) {
    box_t boxes[4] = {{.error = 500}};
    wpr_registry_t registry;
    OK(make(boxes, "later_nothing", &registry));
    OK(wpr_plugin_release(load(registry, "waiter-b", "waiter", 1), NULL));
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", 1);
    wpr_value_t result;
    int own = 0;
    thrown = &own;
    OK(wpr_plugin_call(plugin, "ask_to_wait", NULL, 0, NULL, &result, 1, NULL, NULL));
    thrown = NULL;
    CHECK(own == 507 && result.of.i32 == 93);
    OK(wpr_plugin_release(plugin, NULL));
    OK(wpr_registry_release(registry, NULL));
}

typedef struct {
    wpr_plugin_t plugin;
    int32_t number;
    int right;
} worker_t;

static void *throw_often(void *argument) {
    worker_t *worker = argument;
    for (int32_t i = 0; i < 200; i++) {
        int error = 0;
        int32_t arg = worker->number * 1000 + i;
        wpr_code_t code = run_call(worker->plugin, "wait", arg, NULL, &error);
        worker->right += code == WPR_HOST && error == 500 + arg;
    }
    return NULL;
}

static void errors_of_many_threads_are_found_each_by_its_own_call(void) {
    box_t boxes[4] = {{.error = 500}};
    wpr_registry_t registry;
    OK(make(boxes, "later_nothing", &registry));
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", 4);
    pthread_t threads[4];
    worker_t workers[4];
    for (int32_t i = 0; i < 4; i++) {
        workers[i] = (worker_t){plugin, i, 0};
        CHECK(pthread_create(&threads[i], NULL, throw_often, &workers[i]) == 0);
    }
    for (size_t i = 0; i < 4; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(workers[i].right == 200);
    }
    OK(wpr_plugin_release(plugin, NULL));
    OK(wpr_registry_release(registry, NULL));
}

static void *release_both(void *argument) {
    worker_t *worker = argument;
    OK(wpr_plugin_release(worker->plugin, NULL));
    return NULL;
}

static void handles_are_released_on_another_thread(void) {
    box_t boxes[4] = {{0}};
    wpr_registry_t registry;
    pthread_t thread;
    OK(make(boxes, "later_nothing", &registry));
    worker_t worker = {load(registry, "waiter", "waiter", 1), 0, 0};
    OK(wpr_registry_release(registry, NULL));
    CHECK(pthread_create(&thread, NULL, release_both, &worker) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(drops(boxes) == 4);
}

/* --- HostFunction.swift ----------------------------------------------------------------------------------------- */

static wpr_host_call_t seen;
static wpr_plugin_t caller;

static int32_t look_around(wpr_host_call_t call, const wpr_value_t *args, wpr_value_t *result) {
    const char *text;
    size_t length;
    const uint8_t *bytes;
    CHECK(result->kind == WPR_I32 && result->of.i32 == 0);
    CHECK(wpr_host_call_plugin(call, &text, &length) == 0 && length == 6 && !memcmp(text, "waiter", 6));
    CHECK(wpr_host_call_tenant(call, &text, &length) == 0 && length == 7 && !memcmp(text, "default", 7));
    CHECK(wpr_host_call_setting(call, "colour", &text, &length) == 0 && length == 4);
    CHECK(wpr_host_call_setting(call, "shape", &text, &length) == WPR_HOST_NOT_FOUND);
    uint64_t left = wpr_host_call_fuel_left(call);
    CHECK(wpr_host_call_charge(call, 1000) == 0 && wpr_host_call_fuel_left(call) == left - 1000);
    CHECK(wpr_host_call_tag(call) == 0 && wpr_host_call_checkpoint(call) == 0);
    uint32_t out = (uint32_t)args[1].of.i32;
    CHECK(wpr_host_call_write(call, out, (const uint8_t *)"answer", 6) == 0);
    CHECK(wpr_host_call_memory(call, out, 6, &bytes) == 0 && !memcmp(bytes, "answer", 6));
    CHECK(wpr_host_call_memory(call, UINT32_MAX, 8, &bytes) == WPR_HOST_INVALID_ARGUMENTS);
    CHECK_CODE(WPR_REENTRANT, wpr_plugin_call(caller, "spin", NULL, 0, NULL, NULL, 0, NULL, NULL));
    seen = call;
    *result = wpr_i32(6);
    return WPR_HOST_OK;
}

static void a_closure_sees_its_host_call_and_nobody_does_afterwards(void) {
    box_t boxes[4] = {{.body = look_around}};
    wpr_registry_t registry;
    OK(make(boxes, "later_nothing", &registry));
    caller = load(registry, "waiter", "waiter", 1);
    wpr_value_t result;
    int error;
    OK(run_call(caller, "wait", 1, &result, &error));
    CHECK(result.of.i32 == 1006);
    const uint8_t *bytes;
    CHECK(wpr_host_call_memory(seen, 0, 1, &bytes) == WPR_HOST_NO_CALL);
    CHECK(wpr_host_call_fuel_left(seen) == 0 && wpr_host_call_tag(seen) == 0);
    OK(wpr_plugin_release(caller, NULL));
    OK(wpr_registry_release(registry, NULL));
}

/* --- StartedCall.swift ------------------------------------------------------------------------------------------ */

static int32_t suspend(wpr_host_call_t call, const wpr_value_t *args, wpr_value_t *result) {
    (void)result;
    int32_t status = wpr_host_call_answer_to(call, (uint32_t)args[1].of.i32, (uint32_t)args[2].of.i32);
    return status < 0 ? status : wpr_host_call_suspend(call, (uint64_t)args[0].of.i32);
}

static wpr_call_t start(wpr_plugin_t plugin, const char *function, int32_t arg) {
    wpr_value_t value = wpr_i32(arg);
    wpr_call_t call = {0};
    OK(wpr_call_start(plugin, function, &value, 1, NULL, &call, NULL));
    return call;
}

static void a_call_is_run_in_slices_and_has_its_results_as_often_as_asked(void) {
    box_t boxes[4] = {{0}};
    wpr_registry_t registry;
    OK(make(boxes, "later_nothing", &registry));
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", 1);
    wpr_call_t call = start(plugin, "spin", 1000);
    uint32_t progress = WPR_RUNNING, slices = 0;
    uint64_t ticket = 0, fuel = 0;
    wpr_value_t result;
    CHECK_CODE(WPR_NOT_READY, wpr_call_results(call, &result, 1, NULL, NULL));
    while (progress == WPR_RUNNING) {
        OK(wpr_call_run(call, 500, &progress, &ticket, NULL));
        slices++;
    }
    CHECK(progress == WPR_FINISHED && slices > 3);
    for (int i = 0; i < 2; i++) OK(wpr_call_results(call, &result, 1, NULL, NULL));
    CHECK(result.of.i32 == 1000);
    OK(wpr_call_fuel_spent(call, &fuel, NULL));
    CHECK(fuel > 1000);
    CHECK_CODE(WPR_NOT_READY, wpr_call_run(call, 500, &progress, &ticket, NULL));
    OK(wpr_call_release(call, NULL));
    OK(wpr_plugin_release(plugin, NULL));
    OK(wpr_registry_release(registry, NULL));
}

static void suspend_at(wpr_call_t call, uint64_t expected) {
    uint32_t progress = 77;
    uint64_t ticket = 0;
    OK(wpr_call_run(call, UINT64_MAX, &progress, &ticket, NULL));
    CHECK(progress == WPR_SUSPENDED && ticket == expected);
}

static int32_t finish(wpr_call_t call) {
    uint32_t progress = 77;
    wpr_value_t result = wpr_i32(-1);
    OK(wpr_call_run(call, UINT64_MAX, &progress, NULL, NULL));
    CHECK(progress == WPR_FINISHED);
    OK(wpr_call_results(call, &result, 1, NULL, NULL));
    OK(wpr_call_release(call, NULL));
    return result.of.i32;
}

static void a_suspended_call_is_completed_or_fails_or_is_ended(void) {
    box_t boxes[4] = {{.body = suspend}};
    wpr_registry_t registry;
    OK(make(boxes, "later_nothing", &registry));
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", 1);
    wpr_value_t six = wpr_i32(6), wrong = wpr_f32(1), result;
    int error;
    OK(run_call(plugin, "wait", 7, &result, &error));
    CHECK(result.of.i32 == 1000 + WPR_HOST_NOT_SUPPORTED); /* a plain call cannot wait */

    wpr_call_t call = start(plugin, "wait", 7);
    suspend_at(call, 7);
    suspend_at(call, 7);
    CHECK_CODE(WPR_NOT_FOUND, wpr_call_complete(call, 8, &six, NULL, 0, NULL));
    CHECK_CODE(WPR_SIGNATURE_MISMATCH, wpr_call_complete(call, 7, &wrong, NULL, 0, NULL));
    OK(wpr_call_complete(call, 7, &six, (const uint8_t *)"answer", 6, NULL));
    CHECK(finish(call) == 1006);

    call = start(plugin, "wait", 7);
    suspend_at(call, 7);
    OK(wpr_call_fail(call, 7, WPR_HOST_NOT_FOUND, NULL));
    CHECK(finish(call) == 1000 + WPR_HOST_NOT_FOUND);

    call = start(plugin, "wait", 7);
    suspend_at(call, 7);
    OK(wpr_call_fail(call, 7, WPR_HOST_ABORT, NULL));
    uint32_t progress;
    CHECK_CODE(WPR_HOST, wpr_call_run(call, UINT64_MAX, &progress, NULL, NULL));
    OK(wpr_call_release(call, NULL));
    OK(wpr_plugin_release(plugin, NULL));
    OK(wpr_registry_release(registry, NULL));
}

static void *cancel_soon(void *argument) {
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    OK(wpr_cancel(*(wpr_cancel_t *)argument, NULL));
    return NULL;
}

static void a_token_cancels_from_another_thread_and_outlives_its_call(void) {
    box_t boxes[4] = {{0}};
    wpr_registry_t registry;
    pthread_t thread;
    OK(make(boxes, "later_nothing", &registry));
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", 1);
    wpr_call_t call = start(plugin, "spin", -1);
    wpr_cancel_t token;
    uint32_t progress;
    OK(wpr_call_cancel_token(call, &token, NULL));
    CHECK(pthread_create(&thread, NULL, cancel_soon, &token) == 0);
    CHECK_CODE(WPR_CANCELLED, wpr_call_run(call, UINT64_MAX, &progress, NULL, NULL));
    CHECK(pthread_join(thread, NULL) == 0);
    OK(wpr_call_release(call, NULL));
    CHECK_CODE(WPR_NOT_FOUND, wpr_cancel(token, NULL));
    OK(wpr_cancel_release(token, NULL));
    OK(wpr_plugin_release(plugin, NULL));
    OK(wpr_registry_release(registry, NULL));
}

/* A task that is cancelled before its call runs. */
static void a_call_that_is_cancelled_before_it_runs_runs_nothing(void) {
    box_t boxes[4] = {{0}};
    wpr_registry_t registry;
    OK(make(boxes, "later_nothing", &registry));
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", 1);
    wpr_call_t call = start(plugin, "spin", -1);
    wpr_cancel_t token;
    uint32_t progress;
    OK(wpr_call_cancel_token(call, &token, NULL));
    OK(wpr_cancel(token, NULL));
    CHECK_CODE(WPR_CANCELLED, wpr_call_run(call, 1000, &progress, NULL, NULL));
    OK(wpr_call_release(call, NULL));
    OK(wpr_cancel_release(token, NULL));
    OK(wpr_plugin_release(plugin, NULL));
    OK(wpr_registry_release(registry, NULL));
}

/* A `StartedCall` that is gone before its end. */
static void a_call_that_is_released_while_suspended_gives_its_sandbox_back(void) {
    box_t boxes[4] = {{.body = suspend}};
    wpr_registry_t registry;
    OK(make(boxes, "later_nothing", &registry));
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", 1);
    wpr_call_t call = start(plugin, "wait", 7);
    suspend_at(call, 7);
    wpr_value_t arg = wpr_i32(1);
    CHECK_CODE(WPR_BUSY, wpr_plugin_call(plugin, "spin", &arg, 1, NULL, NULL, 0, NULL, NULL));
    OK(wpr_call_release(call, NULL));
    OK(wpr_plugin_call(plugin, "spin", &arg, 1, NULL, &arg, 1, NULL, NULL));
    OK(wpr_plugin_release(plugin, NULL));
    OK(wpr_registry_release(registry, NULL));
    CHECK(drops(boxes) == 4);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void texts_bytes_and_lists_are_answered_as_boundary_swift_reads_them(void) {
    box_t boxes[4] = {{0}};
    wpr_registry_t registry;
    OK(make(boxes, "later_nothing", &registry));
    wpr_plugin_t plugin = load(registry, "echo", "echo", 1);
    char name[8];
    size_t length = 0;
    wpr_error_t error;
    CHECK_CODE(WPR_BUFFER_TOO_SMALL, wpr_plugin_name(plugin, name, 4, &length, &error));
    CHECK(length == 4 && error.code == WPR_BUFFER_TOO_SMALL && error.fault == WPR_FAULT_HOST);
    OK(wpr_plugin_name(plugin, name, length + 1, &length, &error));
    CHECK(length == 4 && !strcmp(name, "echo"));
    CHECK_CODE(WPR_NOT_FOUND, wpr_registry_name_at(registry, 1, name, sizeof name, &length, &error));

    wpr_bytes_t answer;
    const uint8_t *bytes;
    OK(wpr_plugin_call_bytes(plugin, "copy", (const uint8_t *)"abc", 3, &answer, &error));
    OK(wpr_bytes_view(answer, &bytes, &length, &error));
    CHECK(length == 3 && !memcmp(bytes, "abc", 3));
    OK(wpr_bytes_release(answer, NULL));
    OK(wpr_plugin_call_bytes(plugin, "echo", NULL, 0, &answer, &error));
    OK(wpr_bytes_view(answer, &bytes, &length, &error));
    CHECK(length == 0);
    OK(wpr_bytes_release(answer, NULL));

    wpr_audit_record_t record;
    wpr_audit_record_init(&record, sizeof record);
    OK(wpr_registry_audit_pop(registry, &record, &error));
    CHECK(record.decision == WPR_AUDIT_LOAD && !strcmp(record.plugin, "echo"));
    CHECK_CODE(WPR_NOT_FOUND, wpr_registry_audit_pop(registry, &record, &error));
    OK(wpr_plugin_release(plugin, NULL));
    OK(wpr_registry_release(registry, NULL));
}

/* `Tables.swift` asks again with the room that it was told. */
static void a_row_says_how_much_room_it_needs(void) {
    wpr_registry_t registry;
    uint32_t replaced = 77;
    uint8_t room[8];
    size_t length = 0;
    const uint8_t *key = (const uint8_t *)"k";
    OK(wpr_registry_new(NULL, &registry, NULL));
    OK(wpr_registry_put(registry, "default", "rivers", key, 1, (const uint8_t *)"Danube", 6, &replaced, NULL));
    CHECK(replaced == 0);
    CHECK_CODE(WPR_BUFFER_TOO_SMALL,
               wpr_registry_get_row(registry, "default", "rivers", key, 1, room, 2, &length, NULL));
    CHECK(length == 6);
    OK(wpr_registry_get_row(registry, "default", "rivers", key, 1, room, length, &length, NULL));
    CHECK(length == 6 && !memcmp(room, "Danube", 6));
    CHECK_CODE(WPR_NOT_FOUND, wpr_registry_get_row(registry, "acme", "rivers", key, 1, room, 8, &length, NULL));
    OK(wpr_registry_release(registry, NULL));
}

#define TEST(name) {#name, name}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    TEST(structs_have_the_sizes_and_defaults_that_config_swift_copies),
    TEST(boxes_are_dropped_once_with_the_last_that_could_call_them),
    TEST(boxes_stay_the_programs_own_if_there_is_no_registry),
    TEST(an_error_of_a_closure_is_found_where_the_plugin_was_called),
    TEST(an_error_that_a_calling_plugin_survived_is_not_found),
    TEST(errors_of_many_threads_are_found_each_by_its_own_call),
    TEST(handles_are_released_on_another_thread),
    TEST(a_closure_sees_its_host_call_and_nobody_does_afterwards),
    TEST(a_call_is_run_in_slices_and_has_its_results_as_often_as_asked),
    TEST(a_suspended_call_is_completed_or_fails_or_is_ended),
    TEST(a_token_cancels_from_another_thread_and_outlives_its_call),
    TEST(a_call_that_is_cancelled_before_it_runs_runs_nothing),
    TEST(a_call_that_is_released_while_suspended_gives_its_sandbox_back),
    TEST(texts_bytes_and_lists_are_answered_as_boundary_swift_reads_them),
    TEST(a_row_says_how_much_room_it_needs),
};

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s FIXTURES\n", argv[0]);
        return 2;
    }
    fixtures = argv[1];
    int passed = 0, failed = 0;
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        int before = checks_failed;
        tests[i].run();
        if (checks_failed == before) passed++;
        else failed++;
        printf("%s %s\n", checks_failed == before ? "ok    " : "FAILED", tests[i].name);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
