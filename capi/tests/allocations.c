/* What allocates and what does not, counted by the hooks; and what happens when there is no memory. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "functions.h"
#include "hooks.h"

/* --- warm calls --------------------------------------------------------------------------------------------------- */

enum { WARM = 3, COUNTED = 100 };

/* Allocations of a hundred turns, once everything is warm; and nothing more is held after them than before. */
static size_t allocations_of(void (*turn)(void *), void *with) {
    for (int i = 0; i < WARM; i++) turn(with);
    struct heap before = heap_now();
    for (int i = 0; i < COUNTED; i++) turn(with);
    struct heap after = heap_now();
    CHECK_EQ(after.blocks, before.blocks);
    CHECK_EQ(after.bytes, before.bytes);
    return after.allocations - before.allocations;
}

/* What the turns below have at hand. */
struct warm {
    wpr_registry_t registry;
    wpr_plugin_t plugin;
    wpr_function_t function;
    wpr_lease_t lease;
    wpr_value_t args[WPR_MAX_VALUES], results[WPR_MAX_VALUES];
    size_t arg_count, result_count;
    const char *name;
};

static void turn_function(void *with) {
    struct warm *warm = with;
    OK(wpr_function_call(warm->function, warm->args, warm->arg_count, NULL, warm->results, WPR_MAX_VALUES,
                         &warm->result_count, E));
}
static void turn_plugin(void *with) {
    struct warm *warm = with;
    OK(wpr_plugin_call(warm->plugin, warm->name, warm->args, warm->arg_count, NULL, warm->results, WPR_MAX_VALUES,
                       &warm->result_count, E));
}
static void turn_plugin_with_options(void *with) {
    struct warm *warm = with;
    wpr_call_options_t options;
    wpr_call_options_init(&options, sizeof options);
    options.fuel = 100000, options.timeout_ms = 1000, options.tag = 7;
    OK(wpr_plugin_call(warm->plugin, warm->name, warm->args, warm->arg_count, &options, warm->results, WPR_MAX_VALUES,
                       &warm->result_count, E));
}
static void turn_registry(void *with) {
    struct warm *warm = with;
    OK(wpr_registry_call(warm->registry, "plugin", warm->name, warm->args, warm->arg_count, warm->results,
                         WPR_MAX_VALUES, &warm->result_count, E));
}
static void turn_lease(void *with) {
    struct warm *warm = with;
    OK(wpr_lease_call(warm->lease, warm->name, warm->args, warm->arg_count, NULL, warm->results, WPR_MAX_VALUES,
                      &warm->result_count, E));
}
static void turn_bytes(void *with) {
    struct warm *warm = with;
    static const uint8_t input[] = "hello";
    uint8_t output[64];
    size_t length = 0;
    OK(wpr_plugin_call_bytes_into(warm->plugin, "echo", input, 5, output, sizeof output, &length, E));
    OK(wpr_lease_call_bytes_into(warm->lease, "copy", input, 5, output, sizeof output, &length, E));
}

static void set_up(struct warm *warm, wpr_registry_t registry, wpr_plugin_t plugin, const char *name) {
    warm->registry = registry, warm->plugin = plugin, warm->name = name;
    if (name) OK(wpr_plugin_function(plugin, name, &warm->function, E));
    OK(wpr_plugin_lease(plugin, &warm->lease, E));
}

static void tear_down(struct warm *warm) {
    if (warm->name) OK(wpr_function_release(warm->function, E));
    OK(wpr_lease_release(warm->lease, E));
    OK(wpr_plugin_release(warm->plugin, E));
    release_registry(warm->registry);
}

static void warm_calls_of_every_kind_allocate_nothing(void) {
    static const uint32_t types[] = {WPR_I32, WPR_I64, WPR_F32, WPR_F64};
    for (size_t count = 0; count <= WPR_MAX_VALUES; count++) {
        struct warm warm = {.arg_count = count};
        uint32_t kinds[WPR_MAX_VALUES];
        for (size_t i = 0; i < count; i++) {
            kinds[i] = types[count < 4 ? 0 : i % 4];
            warm.args[i].kind = kinds[i];
            warm.args[i].of.i64 = 5;
        }
        struct module module = identity(kinds, count);
        wpr_registry_t registry = new_registry();
        set_up(&warm, registry, load_module(registry, "plugin", &module, NULL), "run");
        CHECK_EQ(allocations_of(turn_function, &warm), 0);
        CHECK_EQ(allocations_of(turn_plugin, &warm), 0);
        CHECK_EQ(allocations_of(turn_plugin_with_options, &warm), 0);
        CHECK_EQ(allocations_of(turn_registry, &warm), 0);
        CHECK_EQ(allocations_of(turn_lease, &warm), 0);
        CHECK_EQ(warm.result_count, count);
        tear_down(&warm);
    }
}

static void a_warm_exchange_of_bytes_allocates_nothing(void) {
    struct warm warm = {.arg_count = 0};
    wpr_registry_t registry = new_registry();
    set_up(&warm, registry, load(registry, "plugin", "echo", NULL), NULL);
    CHECK_EQ(allocations_of(turn_bytes, &warm), 0);
    tear_down(&warm);
}

static int32_t add(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                   wpr_value_t *result) {
    (void)user_data, (void)call;
    for (size_t i = 0; i < arg_count; i++) result->of.i32 += args[i].of.i32;
    return wpr_host_call_charge(call, 1);
}

static int32_t refuse(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                      wpr_value_t *result) {
    (void)user_data, (void)call, (void)args, (void)arg_count, (void)result;
    return WPR_HOST_NOT_FOUND;
}

/* Allocations of a hundred calls of a function of those types. */
static size_t allocations_of_host_function(wpr_host_callback_t callback, const uint32_t *types, size_t count) {
    wpr_host_function_t function = new_function(callback, NULL, types, count, WPR_I32);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(types, count, WPR_I32);
    struct warm warm = {.arg_count = count};
    for (size_t i = 0; i < count; i++) warm.args[i].kind = types[i], warm.args[i].of.i32 = 3;
    set_up(&warm, registry, load_module(registry, "plugin", &module, NULL), "run");
    size_t allocations = allocations_of(turn_function, &warm);
    CHECK_EQ(warm.results[0].of.i32, callback == add ? 3 * (int)count : WPR_HOST_NOT_FOUND);
    tear_down(&warm);
    return allocations;
}

static void a_host_function_allocates_nothing_or_one_buffer_as_its_types_are(void) {
    static const uint32_t i32s[] = {WPR_I32, WPR_I32, WPR_I32, WPR_I32, WPR_I32, WPR_I32, WPR_I32, WPR_I32, WPR_I32};
    static const uint32_t mixed[] = {WPR_I32, WPR_I64, WPR_F64};
    CHECK_EQ(allocations_of_host_function(add, i32s, 2), 0); /* (i32, i32) -> i32 */
    for (size_t count = 0; count <= 8; count++) CHECK_EQ(allocations_of_host_function(add, i32s, count), 0);
    CHECK_EQ(allocations_of_host_function(refuse, mixed, 2), 0);
    CHECK_EQ(allocations_of_host_function(add, i32s, 9), COUNTED);
    CHECK_EQ(allocations_of_host_function(refuse, mixed, 3), COUNTED);
}

/* --- storage ------------------------------------------------------------------------------------------------------ */

static int32_t read_row(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                        const uint8_t *key, size_t key_length) {
    (void)user_data, (void)table, (void)table_length, (void)key_length;
    return key[0] == 'k' ? wpr_host_call_output(call, (const uint8_t *)"value", 5) : WPR_HOST_NOT_FOUND;
}
static int32_t scan_rows(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                         const uint8_t *from, size_t from_length, uint32_t limit) {
    (void)user_data, (void)table, (void)table_length, (void)from, (void)from_length;
    for (uint32_t i = 0; i < limit; i++)
        if (wpr_host_call_record(call, (const uint8_t *)"key", 3, (const uint8_t *)"value", 5) <= 0) break;
    return 0;
}
static int32_t write_row(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                         const uint8_t *key, size_t key_length, const uint8_t *value, size_t value_length) {
    (void)user_data, (void)call, (void)table, (void)table_length, (void)key, (void)key_length, (void)value;
    (void)value_length;
    return 1;
}
static int32_t hear_line(void *user_data, wpr_host_call_t call, uint32_t level, const char *line, size_t length) {
    (void)user_data, (void)call, (void)level, (void)line, (void)length;
    return 0;
}
static int32_t observe(void *user_data, wpr_host_call_t call, uint32_t kind, const char *name, size_t length,
                       double value) {
    (void)user_data, (void)call, (void)kind, (void)name, (void)length, (void)value;
    return 0;
}

static void storage_through_callbacks_allocates_nothing(void) {
    wpr_host_t host;
    wpr_host_init(&host, sizeof host);
    host.read = read_row, host.scan = scan_rows, host.write = write_row, host.log = hear_line, host.metric = observe;
    wpr_registry_options_t options = new_options();
    options.host = &host;
    wpr_config_t config = new_config();
    static const char *const tables[] = {"t"};
    config.can_read_table = config.can_write_table = tables;
    config.can_read_table_count = config.can_write_table_count = 1;
    /* The table `t` is at 0, the key `k` at 8, an output at 64. */
    static const struct {
        const char *name;
        int32_t args[7];
        size_t count;
        int32_t answer;
    } calls[] = {
        {"call_soch_read", {0, 1, 8, 1, 64, 8}, 6, 5},
        {"call_soch_read", {0, 1, 9, 1, 64, 8}, 6, WPR_HOST_NOT_FOUND},
        {"call_soch_scan", {0, 1, 8, 1, 3, 64, 64}, 7, 48},
        {"call_soch_write", {0, 1, 8, 1, 0, 8}, 6, 1},
        {"call_log_message", {1, 0, 1}, 3, 0},
        {"call_emit_metric", {0, 0, 1, 0, 0, 0}, 6, 0},
        {"call_get_config", {8, 1, 64, 8}, 4, WPR_HOST_NOT_FOUND},
    };
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        struct warm warm = {.arg_count = calls[c].count};
        wpr_registry_t registry = registry_with(&options);
        set_up(&warm, registry, load(registry, "plugin", "abi_probe", &config), calls[c].name);
        for (size_t i = 0; i < warm.arg_count; i++) warm.args[i] = wpr_i32(calls[c].args[i]);
        if (c == 5) warm.args[3] = wpr_f64(1);
        OK(wpr_lease_write(warm.lease, "memory", 0, (const uint8_t *)"t\0\0\0\0\0\0\0k", 9, E));
        CHECK_EQ(allocations_of(turn_lease, &warm), 0);
        check_equal((uint64_t)warm.results[0].of.i32, (uint64_t)calls[c].answer, calls[c].name, "its answer", __FILE__,
                    __LINE__);
        tear_down(&warm);
    }
}

/* --- errors ------------------------------------------------------------------------------------------------------- */

static void turn_stale(void *with) {
    const struct world *old = with;
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < use_count; i++) {
            static struct out out;
            (void)uses[i].with(old->ids[kind], &out);
        }
}

static void turn_cancel(void *with) {
    const wpr_cancel_t *token = with;
    CHECK_EQ(wpr_cancel(*token, NULL), WPR_NOT_FOUND);
    CHECK_EQ(wpr_cancel((wpr_cancel_t){0}, NULL), WPR_INVALID_HANDLE);
    CHECK_EQ(wpr_cancel((wpr_cancel_t){token->id + (UINT64_C(1) << 32)}, NULL), WPR_INVALID_HANDLE);
    CHECK_EQ(wpr_cancel((wpr_cancel_t){token->id ^ 0x1000000}, NULL), WPR_INVALID_HANDLE);
}

static void a_cancellation_that_comes_too_late_allocates_nothing(void) {
    struct world world = new_world();
    wpr_cancel_t token = {world.ids[CANCEL]};
    OK(wpr_cancel(token, E));
    CHECK_EQ(allocations_of(turn_cancel, &token), 0);
    release_world(&world);
}

static void errors_leave_nothing_behind(void) {
    struct world old = new_world();
    release_world(&old);
    CHECK(allocations_of(turn_stale, &old) > 0); /* messages */
}

/* --- no memory ---------------------------------------------------------------------------------------------------- */

/* Does a little of everything, whatever fails. */
static void live_a_little(void) {
    wpr_registry_t registry = {0};
    wpr_plugin_t plugin = {0};
    wpr_function_t function = {0};
    wpr_bytes_t bytes = {0};
    wpr_value_t result;
    struct file echo = fixture("echo"), counter = fixture("counter");
    wpr_registry_options_t options = new_options();
    wpr_config_t config = new_config();
    wpr_maintained_t done;
    wpr_maintained_init(&done, sizeof done);
    config.min_instances = 2;
    (void)wpr_registry_new(&options, &registry, NULL);
    (void)wpr_registry_load(registry, "echo", echo.bytes, echo.length, &config, NULL);
    (void)wpr_registry_load(registry, "counter", counter.bytes, counter.length, &config, NULL);
    (void)wpr_registry_maintain(registry, UINT64_MAX, 0, &done, NULL);
    (void)wpr_registry_get(registry, "counter", &plugin, NULL);
    (void)wpr_plugin_function(plugin, "increment", &function, NULL);
    (void)wpr_function_call(function, NULL, 0, NULL, &result, 1, NULL, NULL);
    (void)wpr_function_release(function, NULL);
    (void)wpr_plugin_release(plugin, NULL);
    (void)wpr_registry_get(registry, "echo", &plugin, NULL);
    (void)wpr_plugin_call_bytes(plugin, "echo", (const uint8_t *)"hello", 5, &bytes, NULL);
    (void)wpr_bytes_release(bytes, NULL);
    (void)wpr_plugin_release(plugin, NULL);
    (void)wpr_registry_release(registry, NULL);
}

/* What becomes of a process whose n-th allocation fails. */
static int live_until(size_t nth) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        fail_allocation(nth);
        live_a_little();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

static void without_memory_a_call_fails_or_the_abort_hook_ends_the_program(void) {
    fixture("echo"), fixture("counter");
    live_a_little();
    struct heap before = heap_now();
    live_a_little();
    size_t most = heap_now().allocations - before.allocations;
    CHECK_EQ(heap_now().blocks, before.blocks);
    size_t went_on = 0, aborted = 0;
    for (size_t nth = 1; nth <= most; nth++) {
        int status = live_until(nth);
        if (!CHECK(WIFEXITED(status))) continue;
        if (WEXITSTATUS(status) == 0) went_on++;
        else if (CHECK_EQ(WEXITSTATUS(status), ABORTED)) aborted++;
    }
    CHECK(went_on > 0 && aborted > 0);
}

const struct test allocation_tests[] = {
    TEST(warm_calls_of_every_kind_allocate_nothing),
    TEST(a_warm_exchange_of_bytes_allocates_nothing),
    TEST(a_host_function_allocates_nothing_or_one_buffer_as_its_types_are),
    TEST(storage_through_callbacks_allocates_nothing),
    TEST(a_cancellation_that_comes_too_late_allocates_nothing),
    TEST(errors_leave_nothing_behind),
    TEST(without_memory_a_call_fails_or_the_abort_hook_ends_the_program),
    END_OF_TESTS,
};
