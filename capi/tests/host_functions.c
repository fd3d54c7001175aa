/* Functions of the program's own that plugins import: every signature, memory, fuel, statuses, grants, the end. */
#include "guests.h"

/* --- signatures --------------------------------------------------------------------------------------------------- */

/* What a callback should get, and what it answers. */
struct exchange {
    wpr_value_t args[WPR_MAX_VALUES];
    size_t arg_count;
    wpr_value_t result;
    int calls;
    int drops;
};

static int32_t expect(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                      wpr_value_t *result) {
    struct exchange *exchange = user_data;
    exchange->calls++;
    CHECK(call.id != 0);
    CHECK_EQ(arg_count, exchange->arg_count);
    for (size_t i = 0; i < arg_count && i < exchange->arg_count; i++) CHECK(same_value(args[i], exchange->args[i]));
    wpr_value_t zero = {exchange->result.kind, {0}};
    CHECK(same_value(*result, zero));
    *result = exchange->result;
    return 0;
}

static void count_drop(void *user_data) { ((struct exchange *)user_data)->drops++; }

/* Has a plugin call a function of that signature, with these values. */
static void exchange_values(struct exchange *exchange) {
    uint32_t params[WPR_MAX_VALUES];
    for (size_t i = 0; i < exchange->arg_count; i++) params[i] = exchange->args[i].kind;
    uint32_t type = exchange->result.kind;
    wpr_host_function_t function = new_function(expect, exchange, params, exchange->arg_count, type);
    function.drop = count_drop;
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(params, exchange->arg_count, type);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    for (int turn = 1; turn <= 2; turn++) {
        wpr_value_t result = {WPR_NONE, {0}};
        size_t count = 99;
        OK(wpr_plugin_call(plugin, "run", exchange->args, exchange->arg_count, NULL, &result, 1, &count, E));
        CHECK_EQ(count, type == WPR_NONE ? 0 : 1);
        CHECK_EQ(exchange->calls, turn);
        if (type != WPR_NONE) CHECK(same_value(result, exchange->result));
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
    CHECK_EQ(exchange->drops, 1);
}

static wpr_value_t any_number(uint32_t type, uint64_t bits) {
    wpr_value_t value = {type, {0}};
    memcpy(&value.of, &bits, type == WPR_I32 || type == WPR_F32 ? 4 : type == WPR_NONE ? 0 : 8);
    return value;
}

static void no_parameter_to_sixteen_of_each_type_with_each_result(void) {
    uint64_t random = 2;
    for (uint32_t type = WPR_I32; type <= WPR_F64; type++)
        for (size_t count = 0; count <= WPR_MAX_VALUES; count++)
            for (uint32_t result = WPR_NONE; result <= WPR_F64; result++) {
                struct exchange exchange = {.arg_count = count, .result = any_number(result, next_random(&random))};
                for (size_t i = 0; i < count; i++) exchange.args[i] = any_number(type, next_random(&random));
                exchange_values(&exchange);
            }
}

static void parameters_of_types_mixed_at_random(void) {
    uint64_t random = 3;
    for (int turn = 0; turn < times(300); turn++) {
        struct exchange exchange = {.arg_count = next_random(&random) % (WPR_MAX_VALUES + 1)};
        exchange.result = any_number((uint32_t)(next_random(&random) % 5), next_random(&random));
        for (size_t i = 0; i < exchange.arg_count; i++)
            exchange.args[i] = any_number((uint32_t)(1 + next_random(&random) % 4), next_random(&random));
        exchange_values(&exchange);
    }
}

static void signatures_that_no_function_can_have_are_refused(void) {
    static const uint32_t types[] = {WPR_NONE, WPR_V128, WPR_FUNCREF, WPR_EXTERNREF, 8, UINT32_MAX};
    struct exchange exchange = {.drops = 0};
    wpr_registry_t registry = {77};
    wpr_registry_options_t options = new_options();
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int is_result = 0; is_result <= 1; is_result++) {
            if (is_result && types[i] == WPR_NONE) continue;
            wpr_host_function_t function = new_function(expect, &exchange, is_result ? NULL : &types[i], !is_result,
                                                        is_result ? types[i] : WPR_NONE);
            function.drop = count_drop;
            const wpr_host_function_t *functions[] = {&function};
            options.functions = functions;
            options.function_count = 1;
            wpr_code_t code = wpr_registry_new(&options, &registry, E);
            CHECK(code == WPR_INVALID_ARGUMENT || code == WPR_SIGNATURE_MISMATCH);
        }
    uint32_t many[17];
    for (size_t i = 0; i < 17; i++) many[i] = WPR_I32;
    wpr_host_function_t function = new_function(expect, &exchange, many, 17, WPR_I32);
    const wpr_host_function_t *functions[] = {&function};
    options.functions = functions;
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_registry_new(&options, &registry, E));
    CHECK_EQ(registry.id, 77);
    CHECK_EQ(exchange.drops, 0);
}

static void an_import_of_another_signature_is_refused(void) {
    static const uint32_t one[] = {WPR_I32}, other[] = {WPR_I64};
    struct exchange exchange = {.drops = 0};
    wpr_host_function_t function = new_function(expect, &exchange, one, 1, WPR_I32);
    wpr_registry_t registry = registry_of(&function, 1);
    wpr_config_t config = new_config();
    struct module modules[] = {forwarder(other, 1, WPR_I32), forwarder(one, 1, WPR_NONE), forwarder(NULL, 0, WPR_I32)};
    for (size_t i = 0; i < 3; i++) {
        FAILS(WPR_REFUSED, wpr_registry_load(registry, "a", modules[i].bytes, modules[i].length, &config, E));
        CHECK_HAS(E->message, "env");
    }
    release_registry(registry);
}

static int32_t say_another_kind(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                                wpr_value_t *result) {
    (void)user_data, (void)call, (void)args, (void)arg_count;
    result->kind = 99;
    result->of.i32 = 5;
    return 0;
}

static void a_result_has_the_type_it_was_defined_with_whatever_its_kind_says(void) {
    wpr_host_function_t function = new_function(say_another_kind, NULL, NULL, 0, WPR_I32);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_I32);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    CHECK_EQ(call_i32(plugin, "run", NO_ARGS), 5);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static int32_t do_nothing(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                          wpr_value_t *result) {
    (void)user_data, (void)call, (void)args, (void)arg_count, (void)result;
    return 0;
}

/* Makes a registry with so many functions of different names. */
static wpr_code_t with_functions(size_t count, uint32_t without_built_in, struct exchange *exchange) {
    static char names[65][8];
    static wpr_host_function_t functions[65];
    const wpr_host_function_t *pointers[65];
    for (size_t i = 0; i < count; i++) {
        functions[i] = new_function(do_nothing, exchange, NULL, 0, WPR_NONE);
        names[i][0] = (char)('a' + i % 26), names[i][1] = (char)('a' + i / 26), names[i][2] = 0;
        functions[i].name = names[i];
        functions[i].drop = count_drop;
        pointers[i] = &functions[i];
    }
    wpr_registry_options_t options = new_options();
    options.functions = pointers;
    options.function_count = count;
    options.without_built_in_functions = without_built_in;
    wpr_registry_t registry = {0};
    wpr_code_t code = wpr_registry_new(&options, &registry, E);
    if (code == WPR_OK) release_registry(registry);
    return code;
}

static void sixty_four_functions_fit_built_in_ones_included(void) {
    struct exchange exchange = {.drops = 0};
    OK(with_functions(64, 1, &exchange));
    CHECK_EQ(exchange.drops, 64);
    FAILS(WPR_TABLE_FULL, with_functions(65, 1, &exchange));
    OK(with_functions(52, 0, &exchange));
    FAILS(WPR_TABLE_FULL, with_functions(53, 0, &exchange));
    CHECK_EQ(exchange.drops, 64 + 52);
}

static void two_functions_of_one_name_are_refused(void) {
    wpr_host_function_t functions[] = {new_function(do_nothing, NULL, NULL, 0, WPR_NONE),
                                       new_function(do_nothing, NULL, NULL, 0, WPR_I32)};
    const wpr_host_function_t *pointers[] = {&functions[0], &functions[1]};
    wpr_registry_options_t options = new_options();
    wpr_registry_t registry = {0};
    options.functions = pointers;
    options.function_count = 2;
    FAILS(WPR_TABLE_FULL, wpr_registry_new(&options, &registry, E));
    functions[1].module = "soch_v1", functions[1].name = "get_config";
    FAILS(WPR_TABLE_FULL, wpr_registry_new(&options, &registry, E));
    options.without_built_in_functions = 1;
    OK(wpr_registry_new(&options, &registry, E));
    release_registry(registry);
}

static void without_the_built_in_functions_a_plugin_that_imports_them_is_refused(void) {
    wpr_registry_options_t options = new_options();
    options.without_built_in_functions = 1;
    wpr_registry_t registry = registry_with(&options);
    struct file file = fixture("aggregate");
    wpr_config_t config = new_config();
    FAILS(WPR_REFUSED, wpr_registry_load(registry, "a", file.bytes, file.length, &config, E));
    release_registry(registry);
}

static void drop_is_called_once_when_nothing_of_the_registry_is_left(void) {
    struct exchange exchange = {.drops = 0};
    wpr_host_function_t function = new_function(expect, &exchange, NULL, 0, WPR_NONE);
    function.drop = count_drop;
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_NONE);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    wpr_function_t run;
    OK(wpr_plugin_function(plugin, "run", &run, E));
    release_registry(registry);
    OK(wpr_plugin_release(plugin, E));
    CHECK_EQ(exchange.drops, 0);
    OK(wpr_function_call(run, NO_ARGS, NULL, NO_RESULTS, E));
    CHECK_EQ(exchange.calls, 1);
    OK(wpr_function_release(run, E));
    CHECK_EQ(exchange.drops, 1);
}

static void drop_is_not_called_if_there_came_no_registry(void) {
    struct exchange exchange = {.drops = 0};
    wpr_host_t host;
    wpr_host_init(&host, sizeof host);
    host.user_data = &exchange;
    host.drop = count_drop;
    wpr_host_function_t good = new_function(expect, &exchange, NULL, 0, WPR_NONE), bad = good;
    good.drop = bad.drop = count_drop;
    bad.name = "g";
    bad.callback = NULL;
    const wpr_host_function_t *functions[] = {&good, &bad};
    wpr_registry_options_t options = new_options();
    options.host = &host;
    options.functions = functions;
    options.function_count = 2;
    wpr_registry_t registry = {77};
    FAILS(WPR_NULL_POINTER, wpr_registry_new(&options, &registry, E));
    bad.callback = expect;
    options.audit_level = 3;
    FAILS(WPR_INVALID_ARGUMENT, wpr_registry_new(&options, &registry, E));
    options.audit_level = 1;
    FAILS(WPR_NULL_POINTER, wpr_registry_new(&options, NULL, E));
    options.without_built_in_functions = 2;
    FAILS(WPR_INVALID_ARGUMENT, wpr_registry_new(&options, &registry, E));
    options.without_built_in_functions = 0;
    CHECK_EQ(registry.id, 77);
    CHECK_EQ(exchange.drops, 0);
    OK(wpr_registry_new(&options, &registry, E));
    release_registry(registry);
    CHECK_EQ(exchange.drops, 3);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static const uint32_t pointer_and_length[] = {WPR_I32, WPR_I32};

/* Makes letters in the plugin's memory large. */
static int32_t make_large(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                          wpr_value_t *result) {
    (void)user_data, (void)arg_count;
    uint32_t pointer = (uint32_t)args[0].of.i32, length = (uint32_t)args[1].of.i32;
    const uint8_t *bytes = NULL;
    int32_t status = wpr_host_call_memory(call, pointer, length, &bytes);
    if (status < 0) return status;
    uint8_t large[64];
    for (uint32_t i = 0; i < length && i < sizeof large; i++)
        large[i] = bytes[i] >= 'a' && bytes[i] <= 'z' ? (uint8_t)(bytes[i] - 32) : bytes[i];
    result->of.i32 = (int32_t)length;
    return wpr_host_call_write(call, pointer, large, length < sizeof large ? length : sizeof large);
}

static void a_callback_reads_and_writes_the_memory_of_the_plugin(void) {
    wpr_host_function_t function = new_function(make_large, NULL, pointer_and_length, 2, WPR_I32);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(pointer_and_length, 2, WPR_I32);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    wpr_lease_t lease;
    uint8_t read[8];
    wpr_value_t result;
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_lease_write(lease, "memory", 65530, (const uint8_t *)"abc-yz", 6, E));
    OK(wpr_lease_call(lease, "run", ARGS(wpr_i32(65531), wpr_i32(5)), NULL, &result, 1, NULL, E));
    CHECK_EQ(result.of.i32, 5);
    OK(wpr_lease_read(lease, "memory", 65530, read, 6, E));
    CHECK(memcmp(read, "aBC-YZ", 6) == 0);
    OK(wpr_lease_call(lease, "run", ARGS(wpr_i32(65536), wpr_i32(0)), NULL, &result, 1, NULL, E));
    CHECK_EQ(result.of.i32, 0);
    static const uint32_t outside[][2] = {{65536, 1}, {65535, 2}, {0, 65537}, {UINT32_MAX, 1}, {65537, 0},
                                          {1, UINT32_MAX}, {UINT32_MAX, UINT32_MAX}, {0x80000000, 0x80000000}};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        wpr_value_t args[] = {wpr_i32((int32_t)outside[i][0]), wpr_i32((int32_t)outside[i][1])};
        OK(wpr_lease_call(lease, "run", args, 2, NULL, &result, 1, NULL, E));
        CHECK_EQ(result.of.i32, WPR_HOST_INVALID_ARGUMENTS);
    }
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* Moves bytes of the plugin's one place further, from where they lie. */
static int32_t move_on(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                       wpr_value_t *result) {
    (void)user_data, (void)arg_count, (void)result;
    uint32_t pointer = (uint32_t)args[0].of.i32, length = (uint32_t)args[1].of.i32;
    const uint8_t *bytes = NULL;
    int32_t status = wpr_host_call_memory(call, pointer, length, &bytes);
    return status < 0 ? status : wpr_host_call_write(call, pointer + 1, bytes, length);
}

static void what_a_callback_writes_may_lie_where_it_is_written(void) {
    wpr_host_function_t function = new_function(move_on, NULL, pointer_and_length, 2, WPR_I32);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(pointer_and_length, 2, WPR_I32);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    wpr_lease_t lease;
    uint8_t read[40];
    wpr_value_t result;
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_lease_write(lease, "memory", 8, (const uint8_t *)"0123456789abcdefghijklmnopqrstuvwxyz", 36, E));
    OK(wpr_lease_call(lease, "run", ARGS(wpr_i32(8), wpr_i32(36)), NULL, &result, 1, NULL, E));
    CHECK_EQ(result.of.i32, 0);
    OK(wpr_lease_read(lease, "memory", 8, read, 37, E));
    CHECK(memcmp(read, "00123456789abcdefghijklmnopqrstuvwxyz", 37) == 0);
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static int32_t misuse_memory(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                             wpr_value_t *result) {
    (void)args, (void)arg_count, (void)result;
    bool has_memory = user_data != NULL;
    const uint8_t *bytes = NULL;
    int32_t expected = has_memory ? 0 : WPR_HOST_INVALID_ARGUMENTS;
    CHECK_EQ(wpr_host_call_memory(call, 0, 0, &bytes), expected);
    CHECK_EQ(wpr_host_call_write(call, 0, NULL, 0), expected);
    CHECK_EQ(wpr_host_call_memory(call, 0, 1, NULL), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_write(call, 0, NULL, 1), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_write(call, 0, (const uint8_t *)"x", SIZE_MAX), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_write(call, 0, (const uint8_t *)"x", SIZE_MAX / 2 + 1), WPR_HOST_INVALID_ARGUMENTS);
    /* These are for other callbacks. */
    CHECK_EQ(wpr_host_call_output(call, (const uint8_t *)"x", 1), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_record(call, (const uint8_t *)"x", 1, NULL, 0), WPR_HOST_INVALID_ARGUMENTS);
    const char *text = NULL;
    size_t length = 0;
    CHECK_EQ(wpr_host_call_label(call, 0, &text, &length, &text, &length), WPR_HOST_NOT_FOUND);
    return 0;
}

static void what_a_callback_misuses_is_a_status(void) {
    int has_memory = 1;
    wpr_host_function_t function = new_function(misuse_memory, &has_memory, NULL, 0, WPR_NONE);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_NONE);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    OK(wpr_plugin_call(plugin, "run", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_plugin_without_memory_has_none_to_read(void) {
    wpr_host_function_t function = new_function(misuse_memory, NULL, NULL, 0, WPR_NONE);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = starter();
    OK(wpr_plugin_release(load_module(registry, "plugin", &module, NULL), E));
    release_registry(registry);
}

/* --- fuel, and who calls ------------------------------------------------------------------------------------------ */

/* What a callback does with the fuel of its call. */
struct spending {
    uint64_t charge;
    size_t charge_bytes;
    uint64_t left_before, left_after;
};

static int32_t spend(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                     wpr_value_t *result) {
    (void)args, (void)arg_count, (void)result;
    struct spending *spending = user_data;
    spending->left_before = wpr_host_call_fuel_left(call);
    int32_t status = wpr_host_call_charge(call, spending->charge);
    if (status == 0) status = wpr_host_call_charge_bytes(call, spending->charge_bytes);
    spending->left_after = wpr_host_call_fuel_left(call);
    return status;
}

static uint64_t fuel_of(wpr_plugin_t plugin, wpr_code_t expected) {
    wpr_call_t started = {0};
    uint32_t progress = 99;
    uint64_t spent = 0;
    OK(wpr_call_start(plugin, "run", NO_ARGS, NULL, &started, E));
    FAILS(expected, wpr_call_run(started, UINT64_MAX, &progress, NULL, E));
    OK(wpr_call_fuel_spent(started, &spent, E));
    OK(wpr_call_release(started, E));
    return spent;
}

static void what_a_callback_charges_is_spent_to_the_unit(void) {
    struct spending spending = {0, 0, 0, 0};
    wpr_host_function_t function = new_function(spend, &spending, NULL, 0, WPR_NONE);
    function.base_fuel = 1000;
    function.fuel_per_64_bytes = 7;
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_NONE);
    wpr_config_t config = new_config();
    config.fuel_limit = 50000;
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, &config);
    uint64_t base = fuel_of(plugin, WPR_OK);
    CHECK(base >= 1000 && base < 1100);
    spending.charge = 12345;
    CHECK_EQ(fuel_of(plugin, WPR_OK) - base, 12345);
    CHECK_EQ(spending.left_before - spending.left_after, 12345);
    spending.charge_bytes = 65;
    CHECK_EQ(fuel_of(plugin, WPR_OK) - base, 12345 + 2 * 7);
    spending.charge = spending.left_before;
    spending.charge_bytes = 0;
    fuel_of(plugin, WPR_OK); /* the last of it */
    CHECK_EQ(spending.left_after, 0);
    spending.charge = spending.left_before + 1;
    fuel_of(plugin, WPR_OUT_OF_FUEL);
    CHECK_EQ(spending.left_after, spending.left_before);
    spending.charge = UINT64_MAX;
    fuel_of(plugin, WPR_OUT_OF_FUEL);
    spending.charge = 0;
    spending.charge_bytes = SIZE_MAX;
    fuel_of(plugin, WPR_OUT_OF_FUEL);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void the_fuel_left_of_a_call_that_is_not_metered_is_without_end(void) {
    struct spending spending = {UINT64_MAX, 0, 0, 0};
    wpr_host_function_t function = new_function(spend, &spending, NULL, 0, WPR_NONE);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_NONE);
    wpr_config_t config = new_config();
    config.enable_fuel = 0;
    config.timeout_ms = 0;
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, &config);
    OK(wpr_plugin_call(plugin, "run", NO_ARGS, NULL, NO_RESULTS, E));
    CHECK(spending.left_before == UINT64_MAX);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static int32_t look_around(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                           wpr_value_t *result) {
    (void)args, (void)arg_count, (void)result;
    const char *text = NULL;
    size_t length = 0;
    CHECK_EQ(wpr_host_call_tag(call), *(uint64_t *)user_data);
    CHECK_EQ(wpr_host_call_plugin(call, &text, &length), 0);
    CHECK(is_text(text, length, "plugin"));
    CHECK_EQ(wpr_host_call_tenant(call, &text, &length), 0);
    CHECK(is_text(text, length, "acme"));
    CHECK_EQ(wpr_host_call_setting(call, "greeting", &text, &length), 0);
    CHECK(is_text(text, length, "g\xc3\xbc\xc3\x9f"));
    CHECK_EQ(wpr_host_call_setting(call, "empty", &text, &length), 0);
    CHECK_EQ(length, 0);
    CHECK_EQ(wpr_host_call_setting(call, "no", &text, &length), WPR_HOST_NOT_FOUND);
    CHECK_EQ(wpr_host_call_setting(call, "\xff", &text, &length), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_setting(call, NULL, &text, &length), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_setting(call, "greeting", NULL, &length), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_setting(call, "greeting", &text, NULL), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_plugin(call, NULL, &length), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_plugin(call, &text, NULL), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_tenant(call, NULL, NULL), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_checkpoint(call), 0);
    return 0;
}

static void a_callback_learns_who_calls_with_what_tag_and_settings(void) {
    uint64_t tag = 0;
    wpr_host_function_t function = new_function(look_around, &tag, NULL, 0, WPR_NONE);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_NONE);
    wpr_config_t config = new_config();
    const wpr_setting_t settings[] = {{"greeting", "g\xc3\xbc\xc3\x9f"}, {"empty", ""}};
    config.tenant = "acme";
    config.settings = settings;
    config.setting_count = 2;
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, &config);
    OK(wpr_plugin_call(plugin, "run", NO_ARGS, NULL, NO_RESULTS, E));
    wpr_call_options_t options;
    wpr_call_options_init(&options, sizeof options);
    options.tag = tag = UINT64_MAX - 1;
    OK(wpr_plugin_call(plugin, "run", NO_ARGS, &options, NO_RESULTS, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* --- statuses ----------------------------------------------------------------------------------------------------- */

static int32_t answer_status(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                             wpr_value_t *result) {
    (void)call, (void)args, (void)arg_count;
    result->of.i32 = 123;
    return *(int32_t *)user_data;
}

/* What becomes of a call whose host function answers so. */
static void with_status(int32_t status, wpr_code_t code, int32_t answer) {
    wpr_host_function_t function = new_function(answer_status, &status, NULL, 0, WPR_I32);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_I32);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    wpr_value_t result = wpr_i32(77);
    FAILS(code, wpr_plugin_call(plugin, "run", NO_ARGS, NULL, &result, 1, NULL, E));
    CHECK_EQ(result.of.i32, code == WPR_OK ? answer : 77);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_status_down_to_minus_7_goes_to_the_plugin_and_the_others_end_its_call(void) {
    with_status(0, WPR_OK, 123);
    with_status(1, WPR_OK, 123);
    with_status(INT32_MAX, WPR_OK, 123);
    for (int32_t status = WPR_HOST_DENIED; status >= WPR_HOST_PLUGIN_FAILED; status--)
        with_status(status, WPR_OK, status);
    with_status(WPR_HOST_OUT_OF_FUEL, WPR_OUT_OF_FUEL, 0);
    with_status(WPR_HOST_DEADLINE, WPR_DEADLINE, 0);
    with_status(WPR_HOST_CANCELLED, WPR_CANCELLED, 0);
    with_status(WPR_HOST_PENDING, WPR_HOST, 0);
    with_status(WPR_HOST_ABORT, WPR_HOST, 0);
    with_status(WPR_HOST_NO_CALL, WPR_HOST, 0);
    with_status(-8, WPR_HOST, 0);
    with_status(-99, WPR_HOST, 0);
    with_status(INT32_MIN, WPR_HOST, 0);
}

static void a_function_without_an_integer_ends_the_call_with_a_status(void) {
    static const uint32_t results[] = {WPR_NONE, WPR_F32, WPR_F64};
    for (size_t i = 0; i < 3; i++) {
        int32_t status = WPR_HOST_NOT_FOUND;
        wpr_host_function_t function = new_function(answer_status, &status, NULL, 0, results[i]);
        wpr_registry_t registry = registry_of(&function, 1);
        struct module module = forwarder(NULL, 0, results[i]);
        wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
        FAILS(WPR_HOST, wpr_plugin_call(plugin, "run", NO_ARGS, NULL, NULL, 0, NULL, E));
        OK(wpr_plugin_release(plugin, E));
        release_registry(registry);
    }
    int32_t status = WPR_HOST_NOT_FOUND;
    wpr_host_function_t function = new_function(answer_status, &status, NULL, 0, WPR_I64);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_I64);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, NULL);
    CHECK_EQ(call(plugin, "run", NO_ARGS).of.i64, WPR_HOST_NOT_FOUND);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_start_section_calls_host_functions_while_it_is_loaded(void) {
    struct exchange exchange = {.result = {WPR_NONE, {0}}};
    wpr_host_function_t function = new_function(expect, &exchange, NULL, 0, WPR_NONE);
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = starter();
    OK(wpr_plugin_release(load_module(registry, "plugin", &module, NULL), E));
    CHECK(exchange.calls >= 1);
    release_registry(registry);
}

/* --- grants ------------------------------------------------------------------------------------------------------- */

static void a_custom_grant_is_needed_to_the_letter(void) {
    struct exchange exchange = {.result = wpr_i32(9)};
    wpr_host_function_t function = new_function(expect, &exchange, NULL, 0, WPR_I32);
    function.custom_grant = "thermometer";
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_I32);
    wpr_config_t config = new_config();
    const char *grants[] = {"thermometers", "thermometer"};
    config.custom_grants = grants;
    config.custom_grant_count = 1;
    wpr_plugin_t denied = load_module(registry, "denied", &module, &config);
    config.on_denied = 1;
    wpr_plugin_t stopped = load_module(registry, "stopped", &module, &config);
    config.custom_grant_count = 2;
    wpr_plugin_t granted = load_module(registry, "granted", &module, &config);
    CHECK_EQ(call_i32(denied, "run", NO_ARGS), WPR_HOST_DENIED);
    FAILS(WPR_DENIED, wpr_plugin_call(stopped, "run", NO_ARGS, NULL, NO_RESULTS, E));
    CHECK_EQ(exchange.calls, 0);
    CHECK_EQ(call_i32(granted, "run", NO_ARGS), 9);
    wpr_stats_t stats;
    wpr_stats_init(&stats, sizeof stats);
    OK(wpr_plugin_stats(denied, &stats, E));
    CHECK_EQ(stats.denied_host_calls, 1);
    OK(wpr_plugin_release(denied, E));
    OK(wpr_plugin_release(stopped, E));
    OK(wpr_plugin_release(granted, E));
    release_registry(registry);
}

/* Whether a plugin may call a function that needs that grant. */
static bool may_call(uint32_t grant, const wpr_config_t *config) {
    struct exchange exchange = {.result = wpr_i32(9)};
    wpr_host_function_t function = new_function(expect, &exchange, NULL, 0, WPR_I32);
    function.grant = grant;
    wpr_registry_t registry = registry_of(&function, 1);
    struct module module = forwarder(NULL, 0, WPR_I32);
    wpr_plugin_t plugin = load_module(registry, "plugin", &module, config);
    bool may = call_i32(plugin, "run", NO_ARGS) == 9;
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
    return may;
}

static void each_grant_is_that_of_its_number(void) {
    const char *names[] = {"some"};
    wpr_config_t none = new_config(), read = none, write = none, index = none, vectors = none, calls = none;
    read.can_read_table = write.can_write_table = calls.can_call_plugin = names;
    read.can_read_table_count = write.can_write_table_count = calls.can_call_plugin_count = 1;
    index.can_index_search = 1;
    vectors.can_vector_search = 1;
    const wpr_config_t *configs[] = {&none, &read, &write, &index, &vectors, &calls};
    for (uint32_t grant = 0; grant <= 5; grant++)
        for (uint32_t held = 0; held <= 5; held++)
            CHECK_EQ(may_call(grant, configs[held]), grant == 0 || grant == held);
    wpr_host_function_t function = new_function(do_nothing, NULL, NULL, 0, WPR_NONE);
    function.grant = 6;
    const wpr_host_function_t *functions[] = {&function};
    wpr_registry_options_t options = new_options();
    options.functions = functions;
    options.function_count = 1;
    wpr_registry_t registry;
    FAILS(WPR_INVALID_ARGUMENT, wpr_registry_new(&options, &registry, E));
}

const struct test host_function_tests[] = {
    TEST(no_parameter_to_sixteen_of_each_type_with_each_result),
    TEST(parameters_of_types_mixed_at_random),
    TEST(signatures_that_no_function_can_have_are_refused),
    TEST(an_import_of_another_signature_is_refused),
    TEST(a_result_has_the_type_it_was_defined_with_whatever_its_kind_says),
    TEST(sixty_four_functions_fit_built_in_ones_included),
    TEST(two_functions_of_one_name_are_refused),
    TEST(without_the_built_in_functions_a_plugin_that_imports_them_is_refused),
    TEST(drop_is_called_once_when_nothing_of_the_registry_is_left),
    TEST(drop_is_not_called_if_there_came_no_registry),
    TEST(a_callback_reads_and_writes_the_memory_of_the_plugin),
    TEST(what_a_callback_writes_may_lie_where_it_is_written),
    TEST(what_a_callback_misuses_is_a_status),
    TEST(a_plugin_without_memory_has_none_to_read),
    TEST(what_a_callback_charges_is_spent_to_the_unit),
    TEST(the_fuel_left_of_a_call_that_is_not_metered_is_without_end),
    TEST(a_callback_learns_who_calls_with_what_tag_and_settings),
    TEST(a_status_down_to_minus_7_goes_to_the_plugin_and_the_others_end_its_call),
    TEST(a_function_without_an_integer_ends_the_call_with_a_status),
    TEST(a_start_section_calls_host_functions_while_it_is_loaded),
    TEST(a_custom_grant_is_needed_to_the_letter),
    TEST(each_grant_is_that_of_its_number),
    END_OF_TESTS,
};
