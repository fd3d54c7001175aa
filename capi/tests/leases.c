/* One sandbox held across several calls: its memory, its globals, its state. */
#include "guests.h"

static void calls_through_a_lease_share_a_state_that_nobody_else_sees(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    wpr_lease_t lease;
    wpr_value_t result;
    size_t count = 0;
    OK(wpr_plugin_lease(plugin, &lease, E));
    uint32_t state = 0;
    OK(wpr_plugin_state(plugin, &state, E));
    CHECK_EQ(state, WPR_EXECUTING);
    for (int i = 1; i <= 3; i++) {
        OK(wpr_lease_call(lease, "increment", NO_ARGS, NULL, &result, 1, &count, E));
        CHECK_EQ(result.of.i32, i);
    }
    CHECK_EQ(call_i32(plugin, "get", NO_ARGS), 0);
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_lease_call(lease, "no", NO_ARGS, NULL, NO_RESULTS, E));
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_lease_call(lease, "add", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_state(plugin, &state, E));
    CHECK_EQ(state, WPR_READY);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void options_narrow_a_call_through_a_lease(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "kernels", "kernels", NULL);
    wpr_lease_t lease;
    wpr_call_options_t options;
    wpr_call_options_init(&options, sizeof options);
    options.fuel = 100;
    OK(wpr_plugin_lease(plugin, &lease, E));
    FAILS(WPR_OUT_OF_FUEL, wpr_lease_call(lease, "spin", ARGS(wpr_i32(1000)), &options, NO_RESULTS, E));
    OK(wpr_lease_call(lease, "spin", ARGS(wpr_i32(1000)), NULL, NO_RESULTS, E));
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void there_are_as_many_leases_as_sandboxes(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.max_instances = 2;
    wpr_plugin_t plugin = load(registry, "counter", "counter", &config);
    wpr_lease_t leases[3];
    for (int i = 0; i < 2; i++) OK(wpr_plugin_lease(plugin, &leases[i], E));
    FAILS(WPR_BUSY, wpr_plugin_lease(plugin, &leases[2], E));
    FAILS(WPR_BUSY, wpr_plugin_call(plugin, "get", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_lease_release(leases[0], E));
    call_i32(plugin, "get", NO_ARGS);
    OK(wpr_lease_release(leases[1], E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void memory_is_read_written_and_grown_by_the_name_of_its_export(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "several", "several_memories", NULL);
    wpr_lease_t lease;
    uint8_t bytes[16] = {0};
    uint64_t size = 0, before = 99;
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_lease_read(lease, "first", 16, bytes, 14, E));
    CHECK(is_text((const char *)bytes, 14, "from the first"));
    OK(wpr_lease_read(lease, "memory", 16, bytes, 15, E));
    CHECK(is_text((const char *)bytes, 15, "from the second"));
    OK(wpr_lease_memory_bytes(lease, "first", &size, E));
    CHECK_EQ(size, 65536);
    OK(wpr_lease_grow(lease, "first", 2, &before, E));
    CHECK_EQ(before, 1);
    OK(wpr_lease_grow(lease, "first", 0, NULL, E));
    OK(wpr_lease_memory_bytes(lease, "first", &size, E));
    CHECK_EQ(size, 3 * 65536);
    FAILS(WPR_LIMIT_EXCEEDED, wpr_lease_grow(lease, "first", 1000000, &before, E));
    FAILS(WPR_LIMIT_EXCEEDED, wpr_lease_grow(lease, "first", UINT64_MAX, &before, E));
    CHECK_EQ(before, 1);
    OK(wpr_lease_write(lease, "first", 3 * 65536 - 1, (const uint8_t *)"x", 1, E));
    FAILS(WPR_NOT_FOUND, wpr_lease_memory_bytes(lease, "third", &size, E));
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_lease_read(lease, "third", 0, bytes, 1, E));
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_lease_write(lease, "log", 0, bytes, 1, E));
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_lease_grow(lease, "third", 1, NULL, E));
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void what_is_outside_of_memory_is_neither_read_nor_written(void) {
    static const struct {
        uint64_t offset;
        size_t length;
    } outside[] = {{65536, 1}, {65535, 2}, {65537, 0}, {UINT64_MAX, 1}, {UINT64_MAX, 0}, {UINT64_MAX - 1, 8}, {0, 8}};
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    wpr_lease_t lease;
    uint8_t bytes[8], untouched[8], at_the_end = 0;
    memset(bytes, 0xa5, sizeof bytes);
    memset(untouched, 0xa5, sizeof untouched);
    OK(wpr_plugin_lease(plugin, &lease, E));
    for (size_t i = 0; i < sizeof outside / sizeof *outside - 1; i++) {
        FAILS(WPR_LIMIT_EXCEEDED, wpr_lease_read(lease, "memory", outside[i].offset, bytes, outside[i].length, E));
        FAILS(WPR_LIMIT_EXCEEDED, wpr_lease_write(lease, "memory", outside[i].offset, bytes, outside[i].length, E));
    }
    CHECK(memcmp(bytes, untouched, sizeof bytes) == 0);
    OK(wpr_lease_read(lease, "memory", 65535, &at_the_end, 1, E));
    CHECK_EQ(at_the_end, 0);
    OK(wpr_lease_read(lease, "memory", 65536, NULL, 0, E));
    OK(wpr_lease_write(lease, "memory", 65536, NULL, 0, E));
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_global_is_read_by_the_name_of_its_export(void) {
    wpr_registry_t registry = new_registry();
    struct module module = globals();
    wpr_plugin_t plugin = load_module(registry, "globals", &module, NULL);
    wpr_lease_t lease;
    wpr_value_t value = wpr_i32(77);
    OK(wpr_plugin_lease(plugin, &lease, E));
    FAILS(WPR_NOT_FOUND, wpr_lease_global(lease, "no", &value, E));
    CHECK(same_value(value, wpr_i32(77)));
    OK(wpr_lease_global(lease, "number", &value, E));
    CHECK(same_value(value, wpr_i64(-7)));
    FAILS(WPR_NOT_FOUND, wpr_lease_global(lease, "function", &value, E)); /* it does not cross */
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void bytes_are_handed_over_through_a_lease(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "echo", "echo", NULL);
    wpr_lease_t lease;
    static const uint8_t input[] = "abc";
    uint8_t output[8];
    size_t length = 0;
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_lease_call_bytes_into(lease, "echo", input, 3, output, 8, &length, E));
    CHECK(is_text((const char *)output, length, "abc"));
    FAILS(WPR_LIMIT_EXCEEDED, wpr_lease_call_bytes_into(lease, "echo", input, 3, output, 2, &length, E));
    CHECK_EQ(length, 3);
    FAILS(WPR_TRAP, wpr_lease_call_bytes_into(lease, "trap", input, 3, output, 8, &length, E));
    OK(wpr_lease_call_bytes_into(lease, "nothing", NULL, 0, NULL, 0, &length, E));
    CHECK_EQ(length, 0);
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_lease_has_a_fresh_sandbox_after_a_trap(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "traps", "misbehaving/traps", NULL);
    wpr_lease_t lease;
    wpr_value_t result;
    OK(wpr_plugin_lease(plugin, &lease, E));
    for (int i = 0; i < 3; i++) {
        FAILS(WPR_TRAP, wpr_lease_call(lease, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
        OK(wpr_lease_call(lease, "ping", NO_ARGS, NULL, &result, 1, NULL, E));
    }
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_lease_outlives_plugin_and_registry(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    wpr_lease_t lease;
    uint64_t size = 0;
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_registry_unload(registry, "counter", E));
    FAILS(WPR_UNLOADED, wpr_plugin_lease(plugin, &(wpr_lease_t){0}, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
    OK(wpr_lease_memory_bytes(lease, "memory", &size, E));
    OK(wpr_lease_call(lease, "increment", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_lease_release(lease, E));
}

const struct test lease_tests[] = {
    TEST(calls_through_a_lease_share_a_state_that_nobody_else_sees),
    TEST(options_narrow_a_call_through_a_lease),
    TEST(there_are_as_many_leases_as_sandboxes),
    TEST(memory_is_read_written_and_grown_by_the_name_of_its_export),
    TEST(what_is_outside_of_memory_is_neither_read_nor_written),
    TEST(a_global_is_read_by_the_name_of_its_export),
    TEST(bytes_are_handed_over_through_a_lease),
    TEST(a_lease_has_a_fresh_sandbox_after_a_trap),
    TEST(a_lease_outlives_plugin_and_registry),
    END_OF_TESTS,
};
