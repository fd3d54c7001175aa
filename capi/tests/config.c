/* Configurations: every field has an effect, or is refused where it is out of range; and structs that grow. */
#include "guests.h"

static wpr_code_t try(wpr_registry_t registry, const char *fixture_name, const wpr_config_t *config) {
    struct file file = fixture(fixture_name);
    wpr_code_t code = wpr_registry_load(registry, "tried", file.bytes, file.length, config, E);
    if (code == WPR_OK) wpr_registry_unload(registry, "tried", NULL);
    return code;
}

static wpr_limits_t new_limits(void) {
    wpr_limits_t limits;
    wpr_limits_init(&limits, sizeof limits);
    return limits;
}

/* --- the configuration -------------------------------------------------------------------------------------------- */

static void the_defaults_are_those_that_the_header_names(void) {
    wpr_config_t config;
    wpr_limits_t limits = new_limits();
    wpr_config_init(&config, sizeof config);
    CHECK_EQ(config.struct_size, sizeof config);
    CHECK(config.tenant == NULL && config.limits == NULL && config.expected_sha256 == NULL);
    CHECK_EQ(config.memory_limit_bytes, 16 << 20);
    CHECK_EQ(config.fuel_limit, 1000000);
    CHECK_EQ(config.timeout_ms, 100);
    CHECK_EQ(config.epoch_interval_ms, 10);
    CHECK(config.fuel_budget == UINT64_MAX);
    CHECK_EQ(config.max_instances, 4);
    CHECK(config.enable_fuel == 1 && config.enable_epochs == 1 && config.debug_mode == 0);
    CHECK(config.reset == 0 && config.on_denied == 0 && config.compilation == 0 && config.code_sharing == 0);
    CHECK(config.min_instances == 0 && config.trim_idle == 0);
    CHECK_EQ(config.quarantine_failures, 0);
    CHECK_EQ(config.quarantine_first_ms, 1000);
    CHECK_EQ(config.quarantine_longest_ms, 60000);
    CHECK_EQ(limits.max_module_bytes, 4 << 20);
    CHECK_EQ(limits.max_stack_bytes, 1000000);
    CHECK_EQ(limits.max_params, 32);
    CHECK_EQ(limits.max_call_depth, 8);
    CHECK_EQ(limits.max_answer_bytes, 1 << 20);
}

static void no_configuration_is_the_default_one(void) {
    wpr_registry_t registry = new_registry();
    OK(try(registry, "counter", NULL));
    wpr_code_t code = try(registry, "misbehaving/endless_start", NULL);
    CHECK(code == WPR_OUT_OF_FUEL || code == WPR_DEADLINE); /* whichever comes first */
    release_registry(registry);
}

static void numbers_that_stand_for_nothing_are_refused(void) {
    wpr_registry_t registry = new_registry();
    static const char *const names[] = {"reset",         "on_denied",  "compilation",      "enable_fuel",
                                        "enable_epochs", "debug_mode", "can_index_search", "can_vector_search",
                                        "on_growth_denied", "trim_idle", "code_sharing"};
    wpr_config_t fresh = new_config();
    wpr_limits_t limits = new_limits();
    for (int field = 0; field < 11; field++)
        for (int turn = 0; turn < 2; turn++) {
            wpr_config_t config = fresh;
            uint32_t *fields[] = {&config.reset,        &config.on_denied,        &config.compilation,
                                  &config.enable_fuel,  &config.enable_epochs,    &config.debug_mode,
                                  &config.can_index_search, &config.can_vector_search, &limits.on_growth_denied,
                                  &config.trim_idle,    &config.code_sharing};
            config.limits = &limits;
            *fields[field] = turn ? (field < 10 ? 2 : 3) : UINT32_MAX;
            FAILS(WPR_INVALID_ARGUMENT, try(registry, "counter", &config));
            CHECK_HAS(E->message, names[field]);
            limits.on_growth_denied = 0;
        }
    release_registry(registry);
}

static void what_is_out_of_range_is_refused(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    wpr_limits_t limits = new_limits();
    static const uint32_t instances[] = {0, 1025, UINT32_MAX}, depths[] = {0, 17, UINT32_MAX};
    for (size_t i = 0; i < 3; i++) {
        config.max_instances = instances[i];
        FAILS(WPR_REFUSED, try(registry, "counter", &config));
        CHECK_HAS(E->message, "max_instances");
    }
    config.max_instances = 1024;
    OK(try(registry, "counter", &config));
    config.limits = &limits;
    for (size_t i = 0; i < 3; i++) {
        limits.max_call_depth = depths[i];
        FAILS(WPR_REFUSED, try(registry, "counter", &config));
    }
    limits = new_limits();
    limits.min_stack_bytes = limits.max_stack_bytes + 1;
    FAILS(WPR_REFUSED, try(registry, "counter", &config));
    config = new_config();
    config.enable_fuel = 0;
    FAILS(WPR_REFUSED, try(registry, "counter", &config)); /* with a timeout */
    config.timeout_ms = 0;
    OK(try(registry, "counter", &config));
    release_registry(registry);
}

static void settings_and_tenants_have_names_of_128_bytes_at_most(void) {
    wpr_registry_t registry = new_registry();
    char longest[130];
    memset(longest, 'x', sizeof longest);
    for (size_t length = 127; length <= 129; length++) {
        longest[length] = 0;
        wpr_code_t expected = length <= 128 ? WPR_OK : WPR_REFUSED;
        wpr_config_t config = new_config();
        wpr_setting_t setting = {longest, "value"};
        config.settings = &setting;
        config.setting_count = 1;
        FAILS(expected, try(registry, "counter", &config));
        config = new_config();
        config.tenant = longest;
        FAILS(expected, try(registry, "counter", &config));
        longest[length] = 'x';
    }
    static const wpr_setting_t reserved = {"soch.abi", "1"}, nameless = {"", "1"};
    wpr_config_t config = new_config();
    config.setting_count = 1;
    config.settings = &reserved;
    FAILS(WPR_REFUSED, try(registry, "counter", &config));
    config.settings = &nameless;
    FAILS(WPR_REFUSED, try(registry, "counter", &config));
    config = new_config();
    config.tenant = "";
    FAILS(WPR_REFUSED, try(registry, "counter", &config));
    release_registry(registry);
}

static void memory_fuel_and_growth_are_limited(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    wpr_limits_t limits = new_limits();
    config.memory_limit_bytes = 3 * 65536;
    wpr_plugin_t grower = load(registry, "grower", "misbehaving/memory_grower", &config);
    CHECK(call_i32(grower, "pages", NO_ARGS) <= 3);
    call_i32(grower, "grow_all", NO_ARGS);
    CHECK_EQ(call_i32(grower, "pages", NO_ARGS), 3);
    OK(wpr_plugin_release(grower, E));
    config.memory_limit_bytes = 65535;
    FAILS(WPR_LIMIT_EXCEEDED, try(registry, "counter", &config));
    config = new_config();
    limits.on_growth_denied = 1;
    config.limits = &limits;
    grower = load(registry, "trapped", "misbehaving/memory_grower", &config);
    FAILS(WPR_TRAP, wpr_plugin_call(grower, "grow_by", ARGS(wpr_i32(10000)), NULL, NO_RESULTS, E));
    CHECK_EQ(E->trap_code, 10);
    OK(wpr_plugin_release(grower, E));
    limits = new_limits();
    limits.max_growth_step_bytes = 65536;
    grower = load(registry, "stepped", "misbehaving/memory_grower", &config);
    CHECK_EQ(call_i32(grower, "grow_by", ARGS(wpr_i32(2))), -1);
    CHECK(call_i32(grower, "grow_by", ARGS(wpr_i32(1))) > 0);
    OK(wpr_plugin_release(grower, E));
    config = new_config();
    config.fuel_limit = 10;
    wpr_plugin_t kernels = load(registry, "kernels", "kernels", &config);
    FAILS(WPR_OUT_OF_FUEL, wpr_plugin_call(kernels, "spin", ARGS(wpr_i32(100)), NULL, NO_RESULTS, E));
    OK(wpr_plugin_release(kernels, E));
    release_registry(registry);
}

static void each_limit_of_a_module_is_the_one_that_its_name_says(void) {
    wpr_registry_t registry = new_registry();
    static const char *const module = "abi_probe", *const tables = "misbehaving/traps";
    for (int field = 0; field < 13; field++) {
        wpr_config_t config = new_config();
        wpr_limits_t limits = new_limits();
        config.limits = &limits;
        uint32_t *fields[] = {&limits.max_types,      &limits.max_imports, &limits.max_functions,  &limits.max_exports,
                              &limits.max_memories,   &limits.max_locals,  &limits.max_body_bytes, &limits.max_params,
                              &limits.max_results,    &limits.max_tables,  &limits.max_element_segments,
                              &limits.max_data_segments, &limits.max_globals};
        static const char *const names[] = {"max_types",     "max_imports", "max_functions",  "max_exports",
                                            "max_memories",  "max_locals",  "max_body_bytes", "max_params",
                                            "max_results",   "max_tables",  "max_element_segments",
                                            "max_data_segments", "max_globals"};
        const char *tried = field < 9 ? module : field < 11 ? tables : field == 11 ? "waiter" : "counter";
        if (field == 11) tried = "renamed_memory";
        *fields[field] = 0;
        FAILS(WPR_LIMIT_EXCEEDED, try(registry, tried, &config));
        CHECK_HAS(E->message, names[field]);
    }
    wpr_config_t config = new_config();
    wpr_limits_t limits = new_limits();
    config.limits = &limits;
    limits.max_module_bytes = fixture("counter").length;
    OK(try(registry, "counter", &config));
    limits.max_module_bytes--;
    FAILS(WPR_LIMIT_EXCEEDED, try(registry, "counter", &config));
    limits = new_limits();
    limits.max_table_elements = 0;
    FAILS(WPR_LIMIT_EXCEEDED, try(registry, tables, &config));
    release_registry(registry);
}

static void stacks_and_recursion_are_limited(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    wpr_limits_t limits = new_limits();
    config.limits = &limits;
    limits.max_recursion_depth = 50;
    wpr_plugin_t plugin = load(registry, "shallow", "misbehaving/deep_recursion", &config);
    call_i32(plugin, "depth", ARGS(wpr_i32(40)));
    FAILS(WPR_TRAP, wpr_plugin_call(plugin, "depth", ARGS(wpr_i32(60)), NULL, NO_RESULTS, E));
    CHECK_EQ(E->trap_code, 8);
    OK(wpr_plugin_release(plugin, E));
    limits = new_limits();
    limits.max_stack_bytes = 2000;
    plugin = load(registry, "small", "misbehaving/deep_recursion", &config);
    FAILS(WPR_TRAP, wpr_plugin_call(plugin, "depth", ARGS(wpr_i32(500)), NULL, NO_RESULTS, E));
    CHECK_EQ(E->trap_code, 8);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_sandbox_is_new_after_each_call_if_that_is_asked_for(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.reset = 1;
    wpr_plugin_t plugin = load(registry, "counter", "counter", &config);
    for (int i = 0; i < 3; i++) CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 1);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void an_invalid_function_is_found_at_its_first_call_if_code_is_compiled_then(void) {
    const uint32_t one[] = {WPR_I32};
    struct module module = identity(one, 1);
    module.bytes[module.length - 2] = 9; /* a local that is not there */
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    FAILS(WPR_INVALID_MODULE, wpr_registry_load(registry, "eager", module.bytes, module.length, &config, E));
    config.compilation = 1;
    wpr_plugin_t plugin = load_module(registry, "lazy", &module, &config);
    FAILS(WPR_INVALID_MODULE, wpr_plugin_call(plugin, "run", ARGS(wpr_i32(1)), NULL, NO_RESULTS, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_plugin_without_epochs_has_no_timeout(void) {
    struct clock clock = {1, 1000000};
    wpr_registry_options_t options = new_options();
    options.clock_us = clock_now;
    options.clock_user_data = &clock;
    wpr_registry_t registry = registry_with(&options);
    wpr_config_t config = new_config();
    config.timeout_ms = 1;
    wpr_plugin_t timed = load(registry, "timed", "misbehaving/endless_loop", &config);
    FAILS(WPR_DEADLINE, wpr_plugin_call(timed, "run", NO_ARGS, NULL, NO_RESULTS, E));
    config.enable_epochs = 0;
    wpr_plugin_t untimed = load(registry, "untimed", "misbehaving/endless_loop", &config);
    FAILS(WPR_OUT_OF_FUEL, wpr_plugin_call(untimed, "run", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_plugin_release(timed, E));
    OK(wpr_plugin_release(untimed, E));
    release_registry(registry);
}

static void plugins_call_one_another_as_deep_and_with_answers_as_long_as_is_allowed(void) {
    static const char *const callees[] = {"*"};
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    wpr_limits_t limits = new_limits();
    config.can_call_plugin = callees;
    config.can_call_plugin_count = 1;
    config.limits = &limits;
    OK(wpr_plugin_release(load(registry, "echo", "echo", NULL), E));
    limits.max_call_depth = 1;
    wpr_plugin_t alone = load(registry, "alone", "caller", &config);
    limits.max_call_depth = 2;
    limits.max_answer_bytes = 6;
    wpr_plugin_t narrow = load(registry, "narrow", "caller", &config);
    wpr_bytes_t answer;
    static const uint8_t input[] = "echo\0echo\0sevenxx";
    FAILS(WPR_BAD_GUEST_ANSWER, wpr_plugin_call_bytes(alone, "relay", input, 16, &answer, E));
    CHECK_EQ(E->guest_status, WPR_HOST_LIMIT_REACHED);
    OK(wpr_plugin_call_bytes(narrow, "relay", input, 16, &answer, E));
    OK(wpr_bytes_release(answer, E));
    FAILS(WPR_BAD_GUEST_ANSWER, wpr_plugin_call_bytes(narrow, "relay", input, 17, &answer, E));
    CHECK_EQ(E->guest_status, WPR_HOST_LIMIT_REACHED);
    OK(wpr_plugin_release(alone, E));
    OK(wpr_plugin_release(narrow, E));
    release_registry(registry);
}

static void audit_levels_decide_what_is_recorded(void) {
    for (uint32_t level = 0; level <= 2; level++) {
        wpr_registry_options_t options = new_options();
        options.audit_level = level;
        wpr_registry_t registry = registry_with(&options);
        wpr_plugin_t plugin = load(registry, "probe", "abi_probe", NULL);
        wpr_audit_record_t record;
        wpr_audit_record_init(&record, sizeof record);
        bool loaded = false;
        while (wpr_registry_audit_pop(registry, &record, NULL) == WPR_OK) loaded |= record.decision == WPR_AUDIT_LOAD;
        CHECK_EQ(loaded, level > 0);
        call_i32(plugin, "call_get_config", ARGS(wpr_i32(0), wpr_i32(1), wpr_i32(8), wpr_i32(1)));
        FAILS(level == 2 ? WPR_OK : WPR_NOT_FOUND, wpr_registry_audit_pop(registry, &record, E));
        if (level == 2) CHECK_TEXT(record.function, "get_config");
        OK(wpr_plugin_release(plugin, E));
        release_registry(registry);
    }
}

static void what_a_configuration_points_at_is_not_used_afterwards(void) {
    char table[] = "rivers", tenant[] = "acme", name[] = "greeting", value[] = "hello";
    const char *tables[] = {table};
    wpr_setting_t settings[] = {{name, value}};
    wpr_limits_t limits = new_limits();
    wpr_config_t config = new_config();
    config.can_read_table = tables;
    config.can_read_table_count = 1;
    config.tenant = tenant;
    config.settings = settings;
    config.setting_count = 1;
    config.limits = &limits;
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "probe", "abi_probe", &config);
    memset(table, 'x', 6), memset(tenant, 'x', 4), memset(name, 'x', 8), memset(value, 'x', 5);
    memset(tables, 0xff, sizeof tables), memset(settings, 0xff, sizeof settings), memset(&limits, 0xff, sizeof limits);
    memset(&config, 0xff, sizeof config);
    char text[8];
    OK(wpr_plugin_tenant(plugin, text, sizeof text, NULL, E));
    CHECK_TEXT(text, "acme");
    wpr_lease_t lease;
    wpr_value_t result;
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_lease_write(lease, "memory", 0, (const uint8_t *)"greeting", 8, E));
    OK(wpr_lease_call(lease, "call_get_config", ARGS(wpr_i32(0), wpr_i32(8), wpr_i32(64), wpr_i32(8)), NULL, &result, 1,
                      NULL, E));
    CHECK_EQ(result.of.i32, 5);
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* A number that is at the edge of something. */
static uint64_t any_number(uint64_t *random) {
    static const uint64_t edges[] = {0, 1, 2, 3, 16, 100, 1000, 65535, 65536, 1000000, UINT32_MAX, UINT64_MAX / 2 + 1,
                                     UINT64_MAX - 1, UINT64_MAX};
    return edges[next_random(random) % (sizeof edges / sizeof *edges)];
}

static void configurations_at_random_are_taken_or_refused(void) {
    static const char *const modules[] = {"counter", "echo", "misbehaving/memory_grower", "misbehaving/table_grower"};
    static const char *const functions[] = {"increment", "no", "grow_all", "grow_all"};
    uint64_t random = 9;
    int taken = 0, refused = 0;
    wpr_registry_t registry = new_registry();
    for (int turn = 0; turn < times(3000); turn++) {
        wpr_config_t config = new_config();
        wpr_limits_t limits = new_limits();
        uint64_t *wide[] = {&config.memory_limit_bytes,    &config.fuel_limit,            &config.timeout_ms,
                            &config.epoch_interval_ms,     &config.fuel_budget,           &config.quarantine_first_ms,
                            &config.quarantine_longest_ms, &limits.max_module_bytes,      &limits.max_table_elements,
                            &limits.max_growth_step_bytes, &limits.max_recursion_depth,   &limits.max_stack_bytes};
        uint32_t *narrow[] = {&config.max_instances, &config.quarantine_failures, &config.enable_fuel, &config.reset,
                              &config.compilation,   &limits.max_call_depth,      &limits.max_answer_bytes,
                              &limits.max_functions, &limits.max_exports,         &limits.on_growth_denied,
                              &config.min_instances, &config.code_sharing,        &config.trim_idle};
        for (int changes = 0; changes < 3; changes++) {
            *wide[next_random(&random) % (sizeof wide / sizeof *wide)] = any_number(&random);
            *narrow[next_random(&random) % (sizeof narrow / sizeof *narrow)] = (uint32_t)any_number(&random);
        }
        /* What is not limited is not tried: the heap of this machine, and its time. */
        if (config.memory_limit_bytes > 1 << 26) config.memory_limit_bytes = 1 << 26;
        if (limits.max_table_elements > 1000000) limits.max_table_elements = 1000000;
        if (config.fuel_limit > 1000000) config.fuel_limit = 1000000;
        config.limits = &limits;
        size_t which = next_random(&random) % 4;
        struct file file = fixture(modules[which]);
        wpr_code_t code = wpr_registry_load(registry, "any", file.bytes, file.length, &config, E);
        CHECK(code < WPR_NULL_POINTER || code == WPR_INVALID_ARGUMENT);
        *(code == WPR_OK ? &taken : &refused) += 1;
        if (code != WPR_OK) continue;
        code = wpr_registry_call(registry, "any", functions[which], NO_ARGS, NO_RESULTS, E);
        CHECK(code < WPR_NULL_POINTER);
        wpr_maintained_t done;
        wpr_maintained_init(&done, sizeof done);
        OK(wpr_registry_maintain(registry, 8, any_number(&random), &done, E));
        CHECK(done.made + done.dropped + done.trimmed + done.failed <= 8);
        OK(wpr_registry_unload(registry, "any", E));
    }
    CHECK(taken > 0 && refused > 0);
    release_registry(registry);
}

/* --- structs that grow -------------------------------------------------------------------------------------------- */

/* A configuration of a program with a newer header. */
struct newer {
    wpr_config_t config;
    uint8_t unknown[64];
};

static void an_impossible_size_of_a_struct_is_refused(void) {
    wpr_registry_t registry = new_registry();
    static const size_t sizes[] = {0, 1, 7, 4097, SIZE_MAX, SIZE_MAX / 2 + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        wpr_config_t config = new_config();
        config.struct_size = sizes[i];
        FAILS(WPR_INVALID_STRUCT, try(registry, "counter", &config));
        CHECK_HAS(E->message, "wpr_config_t");
    }
    release_registry(registry);
}

static void an_older_struct_is_filled_up_with_defaults(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config;
    size_t older = offsetof(wpr_config_t, max_instances);
    memset(&config, 0xff, sizeof config);
    wpr_config_init(&config, older);
    CHECK_EQ(config.struct_size, older);
    CHECK_EQ(config.max_instances, UINT32_MAX); /* it is not the library's to write */
    config.timeout_ms = 60000;
    OK(try(registry, "counter", &config));
    config.struct_size = sizeof(size_t);
    OK(try(registry, "counter", &config));
    release_registry(registry);
}

static void what_is_reserved_is_not_set(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    CHECK_EQ(config.reserved, 0);
    config.reserved = 1;
    FAILS(WPR_INVALID_STRUCT, try(registry, "counter", &config));
    CHECK_HAS(E->message, "reserved");
    release_registry(registry);
}

/* So that no program leaves a part unset that gets a meaning later, and the library fills in all that it answers. */
static void no_struct_ends_with_padding(void) {
    CHECK_EQ(sizeof(wpr_config_t), offsetof(wpr_config_t, reserved) + sizeof(uint32_t));
    CHECK_EQ(sizeof(wpr_limits_t), offsetof(wpr_limits_t, on_growth_denied) + sizeof(uint32_t));
    CHECK_EQ(sizeof(wpr_maintained_t), offsetof(wpr_maintained_t, is_done) + sizeof(uint32_t));
}

static void a_newer_struct_is_taken_if_it_asks_for_nothing_new(void) {
    wpr_registry_t registry = new_registry();
    struct newer newer;
    memset(&newer, 0xff, sizeof newer);
    wpr_config_init(&newer.config, sizeof newer);
    CHECK_EQ(newer.unknown[0] | newer.unknown[63], 0);
    OK(try(registry, "counter", &newer.config));
    newer.unknown[63] = 1;
    FAILS(WPR_INVALID_STRUCT, try(registry, "counter", &newer.config));
    release_registry(registry);
}

/* Every struct that the library reads, by the function that it is given to. */
static wpr_code_t give_struct(int which, size_t size, uint8_t tail) {
    static union {
        size_t struct_size;
        wpr_config_t config;
        wpr_limits_t limits;
        wpr_call_options_t call_options;
        wpr_quota_t quota;
        wpr_host_t host;
        wpr_host_function_t function;
        wpr_registry_options_t options;
        wpr_probe_t probe;
        wpr_reload_options_t reload;
        uint8_t bytes[4096];
    } any;
    static const size_t sizes[] = {sizeof any.config, sizeof any.limits,   sizeof any.call_options, sizeof any.quota,
                                   sizeof any.quota,  sizeof any.host,     sizeof any.function,     sizeof any.options,
                                   sizeof any.probe,  sizeof any.reload};
    memset(&any, 0, sizeof any);
    if (size == 0) size = sizes[which];
    if (size < sizeof any) any.bytes[sizes[which]] = tail;
    wpr_config_t config = new_config();
    wpr_registry_options_t options = new_options();
    wpr_reload_options_t reload;
    wpr_reload_options_init(&reload, sizeof reload);
    const wpr_host_function_t *functions[] = {&any.function};
    const wpr_probe_t *probes[] = {&any.probe};
    struct file counter = fixture("counter");
    wpr_registry_t registry = new_registry(), made = {0};
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    wpr_code_t code = WPR_OK;
    switch (which) {
        case 0:
            wpr_config_init(&any.config, sizes[0]);
            any.config.timeout_ms = 60000;
            any.struct_size = size;
            code = wpr_registry_load(registry, "other", counter.bytes, counter.length, &any.config, E);
            break;
        case 1:
            wpr_limits_init(&any.limits, sizes[1]);
            any.struct_size = size;
            config.limits = &any.limits;
            code = wpr_registry_load(registry, "other", counter.bytes, counter.length, &config, E);
            break;
        case 2:
            wpr_call_options_init(&any.call_options, sizes[2]);
            any.struct_size = size;
            code = wpr_plugin_call(plugin, "get", NO_ARGS, &any.call_options, NO_RESULTS, E);
            break;
        case 3:
        case 4:
            wpr_quota_init(&any.quota, sizes[3]);
            any.struct_size = size;
            options.quota = &any.quota;
            code = which == 3 ? wpr_registry_set_quota(registry, "acme", &any.quota, E)
                              : wpr_registry_new(&options, &made, E);
            break;
        case 5:
            wpr_host_init(&any.host, sizes[5]);
            any.struct_size = size;
            options.host = &any.host;
            code = wpr_registry_new(&options, &made, E);
            break;
        case 6:
            wpr_host_function_init(&any.function, sizes[6]);
            any.struct_size = size;
            options.functions = functions;
            options.function_count = 1;
            code = wpr_registry_new(&options, &made, E);
            break;
        case 7:
            any.options = options;
            any.struct_size = size;
            code = wpr_registry_new(&any.options, &made, E);
            break;
        case 8:
            wpr_probe_init(&any.probe, sizes[8]);
            any.probe.function = "get";
            any.struct_size = size;
            reload.probes = probes;
            reload.probe_count = 1;
            code = wpr_registry_reload(registry, "counter", counter.bytes, counter.length, &config, &reload, E);
            break;
        default:
            any.reload = reload;
            any.struct_size = size;
            code = wpr_registry_reload(registry, "counter", counter.bytes, counter.length, &config, &any.reload, E);
    }
    if (made.id) release_registry(made);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
    return code;
}

enum { STRUCTS_READ = 10, A_FUNCTION = 6 };

static void every_struct_says_its_size_and_is_checked_for_it(void) {
    for (int which = 0; which < STRUCTS_READ; which++) {
        static const size_t impossible[] = {1, 7, 4097, SIZE_MAX};
        for (size_t i = 0; i < 4; i++) FAILS(WPR_INVALID_STRUCT, give_struct(which, impossible[i], 0));
        /* A function has no callback yet: that is found after its size. */
        wpr_code_t taken = which == A_FUNCTION ? WPR_NULL_POINTER : WPR_OK;
        FAILS(taken, give_struct(which, 0, 0));
        FAILS(taken, give_struct(which, 512, 0));
        FAILS(taken, give_struct(which, 4096, 0));
        FAILS(WPR_INVALID_STRUCT, give_struct(which, 512, 1));
    }
}

static void answers_fill_as_much_of_a_struct_as_its_program_knows(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    call_i32(plugin, "get", NO_ARGS);
    struct {
        wpr_stats_t stats;
        uint64_t unknown;
    } newer;
    memset(&newer, 0xff, sizeof newer);
    wpr_stats_init(&newer.stats, sizeof newer);
    CHECK_EQ(newer.unknown, 0);
    OK(wpr_plugin_stats(plugin, &newer.stats, E));
    CHECK_EQ(newer.stats.total_calls, 1);
    CHECK_EQ(newer.unknown, 0);
    CHECK_EQ(newer.stats.struct_size, sizeof newer);
    memset(&newer, 0xff, sizeof newer);
    wpr_stats_init(&newer.stats, offsetof(wpr_stats_t, total_fuel_consumed));
    OK(wpr_plugin_stats(plugin, &newer.stats, E));
    CHECK_EQ(newer.stats.total_calls, 1);
    CHECK(newer.stats.total_fuel_consumed == UINT64_MAX);
    static const size_t impossible[] = {0, 1, 7, 4097, SIZE_MAX};
    for (size_t i = 0; i < 5; i++) {
        wpr_usage_t usage;
        wpr_audit_record_t record;
        newer.stats.struct_size = usage.struct_size = record.struct_size = impossible[i];
        FAILS(WPR_INVALID_STRUCT, wpr_plugin_stats(plugin, &newer.stats, E));
        FAILS(WPR_INVALID_STRUCT, wpr_registry_tenant_stats(registry, "default", &newer.stats, E));
        FAILS(WPR_INVALID_STRUCT, wpr_registry_usage(registry, "default", &usage, E));
        FAILS(WPR_INVALID_STRUCT, wpr_registry_audit_pop(registry, &record, E));
    }
    wpr_audit_record_t record;
    wpr_audit_record_init(&record, sizeof record);
    OK(wpr_registry_audit_pop(registry, &record, E)); /* it was not lost by those that failed */
    CHECK_EQ(record.sequence, 0);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void an_init_with_an_impossible_size_writes_nothing(void) {
    static const size_t sizes[] = {0, 1, 7, 4097, SIZE_MAX};
    for (size_t i = 0; i < 5; i++) {
        wpr_stats_t structs[16], untouched[16];
        memset(structs, 0xa5, sizeof structs);
        memset(untouched, 0xa5, sizeof untouched);
        wpr_stats_init(structs, sizes[i]);
        wpr_config_init((wpr_config_t *)structs, sizes[i]);
        wpr_limits_init((wpr_limits_t *)structs, sizes[i]);
        wpr_call_options_init((wpr_call_options_t *)structs, sizes[i]);
        wpr_quota_init((wpr_quota_t *)structs, sizes[i]);
        wpr_usage_init((wpr_usage_t *)structs, sizes[i]);
        wpr_host_init((wpr_host_t *)structs, sizes[i]);
        wpr_host_function_init((wpr_host_function_t *)structs, sizes[i]);
        wpr_registry_options_init((wpr_registry_options_t *)structs, sizes[i]);
        wpr_probe_init((wpr_probe_t *)structs, sizes[i]);
        wpr_reload_options_init((wpr_reload_options_t *)structs, sizes[i]);
        wpr_audit_record_init((wpr_audit_record_t *)structs, sizes[i]);
        wpr_maintained_init((wpr_maintained_t *)structs, sizes[i]);
        CHECK(memcmp(structs, untouched, sizeof structs) == 0);
    }
}

const struct test config_tests[] = {
    TEST(the_defaults_are_those_that_the_header_names),
    TEST(no_configuration_is_the_default_one),
    TEST(numbers_that_stand_for_nothing_are_refused),
    TEST(what_is_out_of_range_is_refused),
    TEST(settings_and_tenants_have_names_of_128_bytes_at_most),
    TEST(memory_fuel_and_growth_are_limited),
    TEST(each_limit_of_a_module_is_the_one_that_its_name_says),
    TEST(stacks_and_recursion_are_limited),
    TEST(a_sandbox_is_new_after_each_call_if_that_is_asked_for),
    TEST(an_invalid_function_is_found_at_its_first_call_if_code_is_compiled_then),
    TEST(a_plugin_without_epochs_has_no_timeout),
    TEST(plugins_call_one_another_as_deep_and_with_answers_as_long_as_is_allowed),
    TEST(audit_levels_decide_what_is_recorded),
    TEST(what_a_configuration_points_at_is_not_used_afterwards),
    TEST(configurations_at_random_are_taken_or_refused),
    TEST(an_impossible_size_of_a_struct_is_refused),
    TEST(an_older_struct_is_filled_up_with_defaults),
    TEST(what_is_reserved_is_not_set),
    TEST(no_struct_ends_with_padding),
    TEST(a_newer_struct_is_taken_if_it_asks_for_nothing_new),
    TEST(every_struct_says_its_size_and_is_checked_for_it),
    TEST(answers_fill_as_much_of_a_struct_as_its_program_knows),
    TEST(an_init_with_an_impossible_size_writes_nothing),
    END_OF_TESTS,
};
