/* Storage of the program's own: each callback, what it may do, what becomes of what it answers. */
#include "guests.h"

/* A table in memory, of few rows in key order; and what else was heard. */
struct store {
    struct row {
        char key[8], value[16];
    } rows[8];
    size_t count;
    int32_t status; /* answered instead, if it is not 0 */
    int reads, scans, writes, removes, settings, metrics, logs, events, drops;
    char last_log[64], last_label[64], last_plugin[WPR_AUDIT_NAME_BYTES], last_tenant[16];
    uint32_t last_level, last_kind, last_decision;
    double last_value;
};

static void note_tenant(struct store *store, wpr_host_call_t call) {
    const char *name = NULL;
    size_t length = 0;
    CHECK_EQ(wpr_host_call_tenant(call, &name, &length), 0);
    CHECK(length < sizeof store->last_tenant);
    memcpy(store->last_tenant, name, length);
    store->last_tenant[length] = 0;
}

/* Compares as tables do: byte by byte. */
static int compare(const struct row *row, const uint8_t *key, size_t length) {
    size_t own = strlen(row->key), both = own < length ? own : length;
    int order = memcmp(row->key, key, both);
    return order ? order : own < length ? -1 : own > length;
}

static int32_t read_row(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                        const uint8_t *key, size_t key_length) {
    struct store *store = user_data;
    store->reads++;
    note_tenant(store, call);
    if (store->status) return store->status;
    if (!is_text(table, table_length, "rivers")) return WPR_HOST_NOT_FOUND;
    for (size_t i = 0; i < store->count; i++)
        if (compare(&store->rows[i], key, key_length) == 0) {
            const char *value = store->rows[i].value;
            return wpr_host_call_output(call, (const uint8_t *)value, strlen(value));
        }
    return WPR_HOST_NOT_FOUND;
}

static int32_t scan_rows(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                         const uint8_t *from, size_t from_length, uint32_t limit) {
    struct store *store = user_data;
    store->scans++;
    if (store->status) return store->status;
    if (!is_text(table, table_length, "rivers")) return 0;
    uint32_t written = 0;
    for (size_t i = 0; i < store->count && written < limit; i++) {
        struct row *row = &store->rows[i];
        if (compare(row, from, from_length) < 0) continue;
        const uint8_t *key = (const uint8_t *)row->key, *value = (const uint8_t *)row->value;
        int32_t more = wpr_host_call_record(call, key, strlen(row->key), value, strlen(row->value));
        if (more <= 0) return more;
        written++;
    }
    return 0;
}

static int32_t write_row(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                         const uint8_t *key, size_t key_length, const uint8_t *value, size_t value_length) {
    struct store *store = user_data;
    (void)call;
    store->writes++;
    if (store->status) return store->status;
    CHECK(is_text(table, table_length, "rivers"));
    for (size_t i = 0; i < store->count; i++)
        if (compare(&store->rows[i], key, key_length) == 0) {
            memcpy(store->rows[i].value, value, value_length);
            store->rows[i].value[value_length] = 0;
            return 1;
        }
    if (store->count == 8 || key_length > 7 || value_length > 15) return WPR_HOST_LIMIT_REACHED;
    struct row *row = &store->rows[store->count++];
    memset(row, 0, sizeof *row);
    memcpy(row->key, key, key_length);
    memcpy(row->value, value, value_length);
    return 0;
}

static int32_t remove_row(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                          const uint8_t *key, size_t key_length) {
    struct store *store = user_data;
    (void)call, (void)table, (void)table_length;
    store->removes++;
    if (store->status) return store->status;
    for (size_t i = 0; i < store->count; i++)
        if (compare(&store->rows[i], key, key_length) == 0) {
            memmove(&store->rows[i], &store->rows[i + 1], (--store->count - i) * sizeof *store->rows);
            return 0;
        }
    return WPR_HOST_NOT_FOUND;
}

static int32_t find_setting(void *user_data, wpr_host_call_t call, const char *name, size_t length) {
    struct store *store = user_data;
    store->settings++;
    if (store->status) return store->status;
    if (!is_text(name, length, "colour")) return WPR_HOST_NOT_FOUND;
    return wpr_host_call_output(call, (const uint8_t *)"green", 5);
}

static int32_t observe(void *user_data, wpr_host_call_t call, uint32_t kind, const char *name, size_t name_length,
                       double value) {
    struct store *store = user_data;
    store->metrics++;
    store->last_kind = kind;
    store->last_value = value;
    CHECK(is_text(name, name_length, "load"));
    const char *label = NULL, *is = NULL;
    size_t label_length = 0, is_length = 0;
    store->last_label[0] = 0;
    for (size_t place = 0; wpr_host_call_label(call, place, &label, &label_length, &is, &is_length) == 0; place++) {
        strncat(store->last_label, label, label_length);
        strcat(store->last_label, "=");
        strncat(store->last_label, is, is_length);
        strcat(store->last_label, ";");
    }
    CHECK_EQ(wpr_host_call_label(call, SIZE_MAX, &label, &label_length, &is, &is_length), WPR_HOST_NOT_FOUND);
    CHECK_EQ(wpr_host_call_output(call, (const uint8_t *)"x", 1), WPR_HOST_INVALID_ARGUMENTS);
    return store->status;
}

static int32_t hear_line(void *user_data, wpr_host_call_t call, uint32_t level, const char *line, size_t length) {
    struct store *store = user_data;
    store->logs++;
    note_tenant(store, call);
    store->last_level = level;
    CHECK(length < sizeof store->last_log);
    memcpy(store->last_log, line, length);
    store->last_log[length] = 0;
    return store->status;
}

static void hear_event(void *user_data, const wpr_audit_record_t *record) {
    struct store *store = user_data;
    store->events++;
    store->last_decision = record->decision;
    CHECK_EQ(record->struct_size, sizeof *record);
    memcpy(store->last_plugin, record->plugin, sizeof record->plugin);
}

static void drop_store(void *user_data) { ((struct store *)user_data)->drops++; }

/* A plugin that calls every built-in function, over a store. */
struct world {
    struct store store;
    wpr_registry_t registry;
    wpr_plugin_t plugin;
    wpr_lease_t lease;
};

static void begin(struct world *world, bool with_callbacks, const char *probe) {
    memset(world, 0, sizeof *world);
    wpr_host_t host;
    wpr_host_init(&host, sizeof host);
    if (with_callbacks)
        host = (wpr_host_t){sizeof host,  &world->store, drop_store, read_row,  scan_rows, write_row,
                            remove_row, find_setting,  observe,    hear_line, hear_event};
    wpr_registry_options_t options = new_options();
    options.host = &host;
    world->registry = registry_with(&options);
    wpr_config_t config = new_config();
    static const char *const tables[] = {"rivers", "lakes"};
    config.tenant = "acme";
    config.can_read_table = config.can_write_table = tables;
    config.can_read_table_count = config.can_write_table_count = 2;
    world->plugin = load(world->registry, "probe", probe, &config);
    OK(wpr_plugin_lease(world->plugin, &world->lease, E));
}

static void end(struct world *world) {
    OK(wpr_lease_release(world->lease, E));
    OK(wpr_plugin_release(world->plugin, E));
    release_registry(world->registry);
}

/* Puts a text into the plugin's memory; returns its length. */
static int32_t put_text(struct world *world, uint64_t at, const char *text) {
    OK(wpr_lease_write(world->lease, "memory", at, (const uint8_t *)text, strlen(text), E));
    return (int32_t)strlen(text);
}

static int32_t ask(struct world *world, const char *function, const wpr_value_t *args, size_t count) {
    wpr_value_t result = wpr_i32(-999);
    OK(wpr_lease_call(world->lease, function, args, count, NULL, &result, 1, NULL, E));
    return result.of.i32;
}

enum { TABLE = 0, KEY = 256, VALUE = 512, OUT = 1024 };

static int32_t write_to(struct world *world, const char *table, const char *key, const char *value) {
    int32_t table_length = put_text(world, TABLE, table), key_length = put_text(world, KEY, key);
    int32_t length = put_text(world, VALUE, value);
    return ask(world, "call_soch_write", ARGS(wpr_i32(TABLE), wpr_i32(table_length), wpr_i32(KEY), wpr_i32(key_length),
                                              wpr_i32(VALUE), wpr_i32(length)));
}

static int32_t read_from(struct world *world, const char *table, const char *key, int32_t capacity) {
    int32_t table_length = put_text(world, TABLE, table), key_length = put_text(world, KEY, key);
    return ask(world, "call_soch_read", ARGS(wpr_i32(TABLE), wpr_i32(table_length), wpr_i32(KEY), wpr_i32(key_length),
                                             wpr_i32(OUT), wpr_i32(capacity)));
}

static int32_t delete_from(struct world *world, const char *table, const char *key) {
    int32_t table_length = put_text(world, TABLE, table), key_length = put_text(world, KEY, key);
    return ask(world, "call_soch_delete",
               ARGS(wpr_i32(TABLE), wpr_i32(table_length), wpr_i32(KEY), wpr_i32(key_length)));
}

static int32_t scan_from(struct world *world, const char *from, int32_t limit, int32_t capacity) {
    int32_t table_length = put_text(world, TABLE, "rivers"), from_length = put_text(world, KEY, from);
    return ask(world, "call_soch_scan", ARGS(wpr_i32(TABLE), wpr_i32(table_length), wpr_i32(KEY), wpr_i32(from_length),
                                             wpr_i32(limit), wpr_i32(OUT), wpr_i32(capacity)));
}

static bool out_is(struct world *world, const char *expected, size_t length) {
    uint8_t out[256];
    OK(wpr_lease_read(world->lease, "memory", OUT, out, length, E));
    return memcmp(out, expected, length) == 0;
}

static void rows_are_written_read_and_removed_by_callbacks(void) {
    struct world world;
    begin(&world, true, "abi_probe");
    CHECK_EQ(write_to(&world, "rivers", "nile", "6650"), 0);
    CHECK_EQ(write_to(&world, "rivers", "nile", "6651"), 1);
    CHECK_EQ(read_from(&world, "rivers", "nile", 64), 4);
    CHECK(out_is(&world, "6651", 4));
    CHECK_TEXT(world.store.last_tenant, "acme");
    CHECK_EQ(read_from(&world, "rivers", "nile", 3), 4); /* it does not fit, and says how long it is */
    CHECK(out_is(&world, "6651", 4));
    CHECK_EQ(read_from(&world, "rivers", "rhine", 64), WPR_HOST_NOT_FOUND);
    CHECK_EQ(delete_from(&world, "rivers", "nile"), 1);
    CHECK_EQ(delete_from(&world, "rivers", "nile"), WPR_HOST_NOT_FOUND);
    CHECK_EQ(world.store.count, 0);
    int reads = world.store.reads;
    CHECK_EQ(read_from(&world, "secret", "nile", 64), WPR_HOST_DENIED); /* without asking the callback */
    CHECK_EQ(world.store.reads, reads);
    end(&world);
    CHECK_EQ(world.store.drops, 1);
}

static void a_scan_gives_rows_in_order_as_far_as_they_fit(void) {
    struct world world;
    begin(&world, true, "abi_probe");
    CHECK_EQ(write_to(&world, "rivers", "a", "1"), 0);
    CHECK_EQ(write_to(&world, "rivers", "b", "22"), 0);
    CHECK_EQ(write_to(&world, "rivers", "c", "333"), 0);
    CHECK_EQ(scan_from(&world, "", 10, 200), 3 * 9 + 1 + 2 + 3);
    CHECK(out_is(&world, "\1\0\0\0a\1\0\0\0001\1\0\0\0b\2\0\0\00022", 21));
    CHECK_EQ(scan_from(&world, "b", 1, 200), 11);
    CHECK(out_is(&world, "\1\0\0\0b\2\0\0\00022", 11));
    CHECK_EQ(scan_from(&world, "", 10, 12), 10); /* the second does not fit */
    CHECK_EQ(scan_from(&world, "", 10, 9), WPR_HOST_LIMIT_REACHED);
    CHECK_EQ(scan_from(&world, "d", 10, 200), 0);
    CHECK_EQ(world.store.scans, 5);
    end(&world);
}

static void what_a_storage_callback_answers_goes_to_the_plugin_or_ends_its_call(void) {
    struct world world;
    begin(&world, true, "abi_probe");
    for (int32_t status = WPR_HOST_DENIED; status >= WPR_HOST_PLUGIN_FAILED; status--) {
        world.store.status = status;
        CHECK_EQ(read_from(&world, "rivers", "a", 64), status);
        CHECK_EQ(scan_from(&world, "", 10, 200), status);
        CHECK_EQ(write_to(&world, "rivers", "a", "1"), status);
        CHECK_EQ(delete_from(&world, "rivers", "a"), status);
    }
    static const struct {
        int32_t status;
        wpr_code_t code;
    } ends[] = {{WPR_HOST_ABORT, WPR_HOST},          {WPR_HOST_OUT_OF_FUEL, WPR_OUT_OF_FUEL},
                {WPR_HOST_CANCELLED, WPR_CANCELLED}, {WPR_HOST_DEADLINE, WPR_DEADLINE},
                {WPR_HOST_PENDING, WPR_HOST},        {-12345, WPR_HOST}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        world.store.status = ends[i].status;
        ask(&world, "peek", ARGS(wpr_i32(0))); /* a fresh sandbox, after a call that was stopped */
        wpr_value_t args[] = {wpr_i32(0), wpr_i32(put_text(&world, TABLE, "rivers")), wpr_i32(KEY),
                              wpr_i32(1), wpr_i32(OUT), wpr_i32(8)};
        FAILS(ends[i].code, wpr_lease_call(world.lease, "call_soch_read", args, 6, NULL, NO_RESULTS, E));
    }
    end(&world);
}

static void settings_that_the_configuration_lacks_are_asked_for(void) {
    struct world world;
    begin(&world, true, "abi_probe");
    int32_t length = put_text(&world, KEY, "colour");
    CHECK_EQ(ask(&world, "call_get_config", ARGS(wpr_i32(KEY), wpr_i32(length), wpr_i32(OUT), wpr_i32(16))), 5);
    CHECK(out_is(&world, "green", 5));
    CHECK_EQ(ask(&world, "call_get_config", ARGS(wpr_i32(KEY), wpr_i32(3), wpr_i32(OUT), wpr_i32(16))),
             WPR_HOST_NOT_FOUND);
    CHECK_EQ(world.store.settings, 2);
    length = put_text(&world, KEY, "soch.abi");
    CHECK_EQ(ask(&world, "call_get_config", ARGS(wpr_i32(KEY), wpr_i32(length), wpr_i32(OUT), wpr_i32(16))), 1);
    CHECK_EQ(world.store.settings, 2);
    end(&world);
}

static void metrics_come_with_kind_value_and_labels(void) {
    struct world world;
    begin(&world, true, "abi_probe");
    static const uint8_t labels[] = "\1\0\0\0a\2\0\0\0xy\1\0\0\0b\0\0\0\0";
    put_text(&world, KEY, "load");
    OK(wpr_lease_write(world.lease, "memory", VALUE, labels, sizeof labels - 1, E));
    for (int32_t kind = 0; kind <= 2; kind++) {
        wpr_value_t args[] = {wpr_i32(kind), wpr_i32(KEY), wpr_i32(4), wpr_f64(0.5 * kind), wpr_i32(VALUE),
                              wpr_i32(sizeof labels - 1)};
        CHECK_EQ(ask(&world, "call_emit_metric", args, 6), 0);
        CHECK_EQ(world.store.last_kind, kind);
        CHECK(world.store.last_value == 0.5 * kind);
        CHECK_TEXT(world.store.last_label, "a=xy;b=;");
    }
    world.store.status = WPR_HOST_LIMIT_REACHED;
    wpr_value_t args[] = {wpr_i32(0), wpr_i32(KEY), wpr_i32(4), wpr_f64(1), wpr_i32(0), wpr_i32(0)};
    CHECK_EQ(ask(&world, "call_emit_metric", args, 6), WPR_HOST_LIMIT_REACHED);
    CHECK_TEXT(world.store.last_label, "");
    end(&world);
}

static void log_lines_come_with_their_level_and_control_characters_escaped(void) {
    struct world world;
    begin(&world, true, "abi_probe");
    static const uint32_t levels[] = {4, 3, 2, 1}; /* debug, information, warning, error */
    for (int32_t level = 0; level < 4; level++) {
        int32_t length = put_text(&world, KEY, "two\nlines\x1b[31m");
        CHECK_EQ(ask(&world, "call_log_message", ARGS(wpr_i32(level), wpr_i32(KEY), wpr_i32(length))), 0);
        CHECK_EQ(world.store.last_level, levels[level]);
        CHECK(strchr(world.store.last_log, '\n') == NULL && strchr(world.store.last_log, '\x1b') == NULL);
        CHECK_HAS(world.store.last_log, "lines");
    }
    CHECK_EQ(ask(&world, "call_log_message", ARGS(wpr_i32(1), wpr_i32(KEY), wpr_i32(0))), 0);
    CHECK_TEXT(world.store.last_log, "");
    CHECK_EQ(world.store.logs, 5);
    end(&world);
}

static void a_start_section_logs_through_the_callback_while_it_is_loaded(void) {
    struct world world;
    begin(&world, true, "start");
    CHECK_EQ(world.store.logs, 1);
    CHECK_TEXT(world.store.last_log, "started");
    end(&world);
}

static void events_tell_of_loads_traps_and_unloads(void) {
    struct world world;
    begin(&world, true, "abi_probe");
    CHECK_EQ(world.store.last_decision, WPR_AUDIT_LOAD);
    CHECK_TEXT(world.store.last_plugin, "probe");
    wpr_plugin_t traps = load(world.registry, "traps", "misbehaving/traps", NULL);
    CHECK_TEXT(world.store.last_plugin, "traps");
    OK(wpr_registry_unload(world.registry, "traps", E));
    CHECK_EQ(world.store.last_decision, WPR_AUDIT_UNLOAD);
    struct file bad = fixture("misbehaving/missing_import");
    int events = world.store.events;
    CHECK(wpr_registry_load(world.registry, "bad", bad.bytes, bad.length, NULL, E) != WPR_OK);
    CHECK(world.store.events > events);
    OK(wpr_plugin_release(traps, E));
    end(&world);
}

static void without_callbacks_everything_is_kept_in_memory(void) {
    struct world world;
    begin(&world, false, "abi_probe");
    CHECK_EQ(write_to(&world, "lakes", "como", "146"), 0);
    CHECK_EQ(read_from(&world, "lakes", "como", 16), 3);
    CHECK_EQ(write_to(&world, "rivers", "a", "1"), 0);
    CHECK_EQ(scan_from(&world, "", 10, 200), 10);
    CHECK_EQ(delete_from(&world, "lakes", "como"), 1);
    int32_t length = put_text(&world, KEY, "colour");
    CHECK_EQ(ask(&world, "call_get_config", ARGS(wpr_i32(KEY), wpr_i32(length), wpr_i32(OUT), wpr_i32(16))),
             WPR_HOST_NOT_FOUND);
    uint8_t value[4];
    size_t value_length = 0;
    OK(wpr_registry_get_row(world.registry, "acme", "rivers", (const uint8_t *)"a", 1, value, 4, &value_length, E));
    CHECK_EQ(value_length, 1);
    end(&world);
}

/* Answers more, or otherwise, than it may. */
static int32_t answer_wrongly(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                              const uint8_t *key, size_t key_length) {
    (void)table, (void)table_length;
    const uint8_t *bytes = NULL;
    CHECK_EQ(wpr_host_call_memory(call, 0, 1, &bytes), WPR_HOST_INVALID_ARGUMENTS); /* it is split for the output */
    CHECK_EQ(wpr_host_call_write(call, 0, key, key_length), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_output(call, NULL, 1), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_output(call, key, SIZE_MAX), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_record(call, NULL, 1, NULL, 0), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_record(call, NULL, 0, NULL, 1), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_record(call, key, SIZE_MAX / 2 + 1, key, 1), WPR_HOST_INVALID_ARGUMENTS);
    CHECK_EQ(wpr_host_call_output(call, (const uint8_t *)"twice", 5), 5);
    CHECK_EQ(wpr_host_call_output(call, (const uint8_t *)"twice", 5), 5);
    return *(int32_t *)user_data;
}

static void a_callback_that_answers_wrongly_harms_nobody_but_its_plugin(void) {
    int32_t answer = 0;
    wpr_host_t host;
    wpr_host_init(&host, sizeof host);
    host.user_data = &answer;
    host.read = answer_wrongly;
    wpr_registry_options_t options = new_options();
    options.host = &host;
    struct world world = {.registry = registry_with(&options)};
    wpr_config_t config = new_config();
    static const char *const tables[] = {"*"};
    config.can_read_table = tables;
    config.can_read_table_count = 1;
    world.plugin = load(world.registry, "probe", "abi_probe", &config);
    OK(wpr_plugin_lease(world.plugin, &world.lease, E));
    static const int32_t answers[] = {0, 5, 10, INT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        answer = answers[i];
        CHECK_EQ(read_from(&world, "rivers", "a", 10), answer);
        CHECK(out_is(&world, "twicetwice", 10));
    }
    answer = -99999;
    wpr_value_t args[] = {wpr_i32(TABLE), wpr_i32(6), wpr_i32(KEY), wpr_i32(1), wpr_i32(OUT), wpr_i32(10)};
    FAILS(WPR_HOST, wpr_lease_call(world.lease, "call_soch_read", args, 6, NULL, NO_RESULTS, E));
    end(&world);
}

const struct test storage_tests[] = {
    TEST(rows_are_written_read_and_removed_by_callbacks),
    TEST(a_scan_gives_rows_in_order_as_far_as_they_fit),
    TEST(what_a_storage_callback_answers_goes_to_the_plugin_or_ends_its_call),
    TEST(settings_that_the_configuration_lacks_are_asked_for),
    TEST(metrics_come_with_kind_value_and_labels),
    TEST(log_lines_come_with_their_level_and_control_characters_escaped),
    TEST(a_start_section_logs_through_the_callback_while_it_is_loaded),
    TEST(events_tell_of_loads_traps_and_unloads),
    TEST(without_callbacks_everything_is_kept_in_memory),
    TEST(a_callback_that_answers_wrongly_harms_nobody_but_its_plugin),
    END_OF_TESTS,
};
