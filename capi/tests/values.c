/* Values cross in both directions as they are, in any number up to sixteen. */
#include "guests.h"

static const uint32_t all_types[] = {WPR_I32, WPR_I64, WPR_F32, WPR_F64, WPR_EXTERNREF};

/* A value of that type with these bits. */
static wpr_value_t of_bits(uint32_t type, uint64_t bits) {
    wpr_value_t value = {type, {0}};
    memcpy(&value.of, &bits, type == WPR_I32 || type == WPR_F32 ? 4 : 8);
    return value;
}

/* Hands values to a plugin that returns them. */
static void they_come_back(const wpr_value_t *values, size_t count) {
    uint32_t types[WPR_MAX_VALUES] = {0};
    for (size_t i = 0; i < count; i++) types[i] = values[i].kind;
    struct module module = identity(types, count);
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load_module(registry, "identity", &module, NULL);
    wpr_value_t results[WPR_MAX_VALUES];
    size_t result_count = 99;
    OK(wpr_plugin_call(plugin, "run", values, count, NULL, results, WPR_MAX_VALUES, &result_count, E));
    CHECK_EQ(result_count, count);
    for (size_t i = 0; i < count; i++) CHECK(same_value(results[i], values[i]));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void no_value_to_sixteen_of_each_type_come_back(void) {
    for (size_t type = 0; type < sizeof all_types / sizeof *all_types; type++)
        for (size_t count = 0; count <= WPR_MAX_VALUES; count++) {
            wpr_value_t values[WPR_MAX_VALUES];
            for (size_t i = 0; i < count; i++) values[i] = of_bits(all_types[type], 0x4100000141000001 * (i + 1));
            they_come_back(values, count);
        }
}

static void types_mixed_at_random_come_back(void) {
    uint64_t random = 1;
    for (int turn = 0; turn < times(100); turn++) {
        wpr_value_t values[WPR_MAX_VALUES];
        size_t count = next_random(&random) % (WPR_MAX_VALUES + 1);
        for (size_t i = 0; i < count; i++) {
            uint32_t type = all_types[next_random(&random) % 5];
            values[i] = of_bits(type, next_random(&random));
        }
        they_come_back(values, count);
    }
}

static void the_bits_of_extreme_numbers_stay(void) {
    static const uint64_t bits[] = {
        0,
        UINT64_MAX,
        0x8000000000000000, /* the least i64, and -0.0 */
        0x7fffffffffffffff, /* the greatest i64, and a NaN */
        0x7ff0000000000001, /* a signalling NaN */
        0xfff8000000000123, /* a NaN with a payload */
        0x7f8000017fa00001, /* signalling NaNs of 32 bits */
        0x80000000ffc01234,
        0x0000000000000001, /* the least number above 0 */
    };
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        wpr_value_t values[] = {of_bits(WPR_I32, bits[i]), of_bits(WPR_I64, bits[i]), of_bits(WPR_F32, bits[i]),
                                of_bits(WPR_F64, bits[i])};
        they_come_back(values, 4);
    }
}

static void the_least_and_the_greatest_integers_are_computed_with(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "numbers", "no_memory", NULL);
    CHECK_EQ(call(plugin, "add64", ARGS(wpr_i64(INT64_MAX), wpr_i64(INT64_MIN))).of.i64, -1);
    CHECK_EQ(call_i32(plugin, "add", ARGS(wpr_i32(INT32_MIN), wpr_i32(-1))), INT32_MAX);
    CHECK(call(plugin, "scale", ARGS(wpr_f32(1.5F), wpr_f32(-2))).of.f32 == -3.0F);
    CHECK(call(plugin, "halve", ARGS(wpr_f64(-0.5))).of.f64 == -0.25);
    CHECK(call(plugin, "mixed", ARGS(wpr_i32(1), wpr_i64(2), wpr_f32(3), wpr_f64(4))).of.f64 == 4321);
    OK(wpr_plugin_call(plugin, "nothing", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void what_is_behind_a_32_bit_value_does_not_matter(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "numbers", "no_memory", NULL);
    wpr_value_t args[2];
    memset(args, 0xa5, sizeof args);
    for (size_t i = 0; i < 2; i++) args[i].kind = WPR_I32, args[i].of.i32 = 20;
    CHECK_EQ(call_i32(plugin, "add", args, 2), 40);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void references_are_kept_by_the_plugin_and_come_back(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.max_instances = 1;
    wpr_plugin_t plugin = load(registry, "references", "externref", &config);
    CHECK(same_value(call(plugin, "identity", ARGS(externref(UINT64_MAX))), externref(UINT64_MAX)));
    CHECK(same_value(call(plugin, "null", NO_ARGS), externref(0)));
    CHECK_EQ(call_i32(plugin, "is_null", ARGS(externref(0))), 1);
    CHECK_EQ(call_i32(plugin, "is_null", ARGS(externref(1))), 0);
    OK(wpr_plugin_call(plugin, "store", ARGS(wpr_i32(3), externref(77)), NULL, NO_RESULTS, E));
    CHECK(same_value(call(plugin, "load", ARGS(wpr_i32(3))), externref(77)));
    CHECK(same_value(call(plugin, "load", ARGS(wpr_i32(4))), externref(0)));
    CHECK(same_value(call(plugin, "last", NO_ARGS), externref(77)));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void the_sixty_fifth_reference_of_a_sandbox_is_an_error(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.max_instances = 1;
    wpr_plugin_t plugin = load(registry, "references", "externref", &config);
    for (uint64_t i = 1; i <= 64; i++) CHECK(same_value(call(plugin, "identity", ARGS(externref(i))), externref(i)));
    wpr_value_t result;
    FAILS(WPR_LIMIT_EXCEEDED, wpr_plugin_call(plugin, "identity", ARGS(externref(65)), NULL, &result, 1, NULL, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void sixteen_results_fit_and_seventeen_values_cannot_be(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "several", "multi_value", NULL);
    wpr_value_t results[WPR_MAX_VALUES], args[17];
    size_t count = 0;
    OK(wpr_plugin_call(plugin, "sixteen", ARGS(wpr_i32(100)), NULL, results, WPR_MAX_VALUES, &count, E));
    CHECK_EQ(count, 16);
    for (int i = 0; i < 16; i++) CHECK(same_value(results[i], wpr_i32(100 + i)));
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_plugin_call(plugin, "seventeen", ARGS(wpr_i32(1)), NULL, results, 16, &count, E));
    for (int i = 0; i < 17; i++) args[i] = wpr_i32(i);
    FAILS(WPR_INVALID_ARGUMENT, wpr_plugin_call(plugin, "sixteen", args, 17, NULL, results, 16, &count, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void room_that_is_too_small_is_told_and_nothing_is_written(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "several", "multi_value", NULL);
    for (size_t room = 0; room <= 5; room++) {
        wpr_value_t results[5], untouched[5];
        size_t count = 0;
        memset(results, 0xa5, sizeof results);
        memset(untouched, 0xa5, sizeof untouched);
        wpr_code_t code = wpr_plugin_call(plugin, "types", NO_ARGS, NULL, results, room, &count, E);
        CHECK_EQ(code, room < 4 ? WPR_BUFFER_TOO_SMALL : WPR_OK);
        CHECK_EQ(count, 4);
        size_t written = room < 4 ? 0 : 4;
        CHECK(memcmp(results + written, untouched + written, (5 - written) * sizeof *results) == 0);
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void results_that_nobody_wants_need_no_room(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    size_t count = 0;
    OK(wpr_plugin_call(plugin, "increment", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_plugin_call(plugin, "increment", NO_ARGS, NULL, NULL, 0, &count, E));
    CHECK_EQ(count, 1);
    CHECK_EQ(call_i32(plugin, "get", NO_ARGS), 2);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void kinds_that_no_value_has_are_refused(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    static const uint32_t kinds[] = {WPR_NONE, WPR_V128, WPR_FUNCREF, 8, 255, 0x100, UINT32_MAX};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        FAILS(WPR_INVALID_ARGUMENT, wpr_plugin_call(plugin, "add", ARGS({kinds[i], {0}}), NULL, NO_RESULTS, E));
        CHECK_HAS(E->message, "value 0");
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void options_narrow_one_call(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "kernels", "kernels", NULL);
    wpr_call_options_t options;
    wpr_call_options_init(&options, sizeof options);
    OK(wpr_plugin_call(plugin, "spin", ARGS(wpr_i32(1000)), &options, NO_RESULTS, E));
    options.fuel = 100;
    FAILS(WPR_OUT_OF_FUEL, wpr_plugin_call(plugin, "spin", ARGS(wpr_i32(1000)), &options, NO_RESULTS, E));
    wpr_function_t spin;
    OK(wpr_plugin_function(plugin, "spin", &spin, E));
    FAILS(WPR_OUT_OF_FUEL, wpr_function_call(spin, ARGS(wpr_i32(1000)), &options, NO_RESULTS, E));
    options.fuel = UINT64_MAX;
    OK(wpr_function_call(spin, ARGS(wpr_i32(1000)), &options, NO_RESULTS, E));
    FAILS(WPR_OUT_OF_FUEL, wpr_plugin_call(plugin, "spin", ARGS(wpr_i32(-1)), &options, NO_RESULTS, E));
    OK(wpr_function_release(spin, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

const struct test values_tests[] = {
    TEST(no_value_to_sixteen_of_each_type_come_back),
    TEST(types_mixed_at_random_come_back),
    TEST(the_bits_of_extreme_numbers_stay),
    TEST(the_least_and_the_greatest_integers_are_computed_with),
    TEST(what_is_behind_a_32_bit_value_does_not_matter),
    TEST(references_are_kept_by_the_plugin_and_come_back),
    TEST(the_sixty_fifth_reference_of_a_sandbox_is_an_error),
    TEST(sixteen_results_fit_and_seventeen_values_cannot_be),
    TEST(room_that_is_too_small_is_told_and_nothing_is_written),
    TEST(results_that_nobody_wants_need_no_room),
    TEST(kinds_that_no_value_has_are_refused),
    TEST(options_narrow_one_call),
    END_OF_TESTS,
};
