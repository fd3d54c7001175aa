/* Texts: null, without an end, not UTF-8, too long; and text answers. */
#include <stdlib.h>

#include "guests.h"

/* The functions that take a text, and which. */
typedef wpr_code_t taker(const char *text);

static wpr_registry_t registry;
static wpr_plugin_t plugin;
static wpr_lease_t lease;

#define COUNTER fixture("counter").bytes, fixture("counter").length

static wpr_code_t as_name(const char *text) {
    wpr_config_t config = new_config();
    wpr_code_t code = wpr_registry_load(registry, text, COUNTER, &config, E);
    if (code == WPR_OK) wpr_registry_unload(registry, text, NULL);
    return code;
}
static wpr_code_t as_path(const char *text) { return wpr_registry_load_file(registry, "a", text, NULL, E); }
static wpr_code_t as_unloaded(const char *text) { return wpr_registry_unload(registry, text, E); }
static wpr_code_t as_found(const char *text) { return wpr_registry_get(registry, text, &(wpr_plugin_t){0}, E); }
static wpr_code_t as_reloaded(const char *text) { return wpr_registry_reload(registry, text, COUNTER, NULL, NULL, E); }
static wpr_code_t as_rolled_back(const char *text) { return wpr_registry_rollback(registry, text, E); }
static wpr_code_t as_called_plugin(const char *text) {
    return wpr_registry_call(registry, text, "get", NO_ARGS, NO_RESULTS, E);
}
static wpr_code_t as_called_function(const char *text) {
    return wpr_registry_call(registry, "counter", text, NO_ARGS, NO_RESULTS, E);
}
static wpr_code_t as_function(const char *text) { return wpr_plugin_call(plugin, text, NO_ARGS, NULL, NO_RESULTS, E); }
static wpr_code_t as_byte_function(const char *text) {
    return wpr_plugin_call_bytes(plugin, text, NULL, 0, &(wpr_bytes_t){0}, E);
}
static wpr_code_t as_byte_function_into(const char *text) {
    return wpr_plugin_call_bytes_into(plugin, text, NULL, 0, NULL, 0, &(size_t){0}, E);
}
static wpr_code_t as_looked_up(const char *text) { return wpr_plugin_function(plugin, text, &(wpr_function_t){0}, E); }
static wpr_code_t as_signature(const char *text) {
    return wpr_plugin_signature(plugin, text, NULL, NULL, NULL, NULL, 0, E);
}
static wpr_code_t as_started(const char *text) {
    return wpr_call_start(plugin, text, NO_ARGS, NULL, &(wpr_call_t){0}, E);
}
static wpr_code_t as_started_bytes(const char *text) {
    return wpr_call_start_bytes(plugin, text, NULL, 0, NULL, &(wpr_call_t){0}, E);
}
static wpr_code_t as_leased_function(const char *text) {
    return wpr_lease_call(lease, text, NO_ARGS, NULL, NO_RESULTS, E);
}
static wpr_code_t as_leased_byte_function(const char *text) {
    return wpr_lease_call_bytes_into(lease, text, NULL, 0, NULL, 0, &(size_t){0}, E);
}
static wpr_code_t as_memory_read(const char *text) { return wpr_lease_read(lease, text, 0, NULL, 0, E); }
static wpr_code_t as_memory_written(const char *text) { return wpr_lease_write(lease, text, 0, NULL, 0, E); }
static wpr_code_t as_memory_size(const char *text) { return wpr_lease_memory_bytes(lease, text, &(uint64_t){0}, E); }
static wpr_code_t as_memory_grown(const char *text) { return wpr_lease_grow(lease, text, 0, NULL, E); }
static wpr_code_t as_global(const char *text) { return wpr_lease_global(lease, text, &(wpr_value_t){0}, E); }
static wpr_code_t as_tenant_of_quota(const char *text) {
    wpr_quota_t quota;
    wpr_quota_init(&quota, sizeof quota);
    return wpr_registry_set_quota(registry, text, &quota, E);
}
static wpr_code_t as_tenant_of_usage(const char *text) {
    wpr_usage_t usage;
    wpr_usage_init(&usage, sizeof usage);
    return wpr_registry_usage(registry, text, &usage, E);
}
static wpr_code_t as_tenant_of_stats(const char *text) {
    wpr_stats_t stats;
    wpr_stats_init(&stats, sizeof stats);
    return wpr_registry_tenant_stats(registry, text, &stats, E);
}
static wpr_code_t as_tenant_cancelled(const char *text) { return wpr_registry_cancel_tenant(registry, text, NULL, E); }
static wpr_code_t as_tenant_of_row(const char *text) {
    return wpr_registry_put(registry, text, "t", NULL, 0, NULL, 0, NULL, E);
}
static wpr_code_t as_table(const char *text) {
    return wpr_registry_put(registry, "a", text, NULL, 0, NULL, 0, NULL, E);
}
static wpr_code_t as_table_read(const char *text) {
    return wpr_registry_get_row(registry, "a", text, NULL, 0, NULL, 0, NULL, E);
}
static wpr_code_t as_tenant_read(const char *text) {
    return wpr_registry_get_row(registry, text, "t", NULL, 0, NULL, 0, NULL, E);
}
static wpr_code_t as_table_deleted(const char *text) {
    return wpr_registry_delete_row(registry, "a", text, NULL, 0, E);
}
static wpr_code_t as_tenant_deleted(const char *text) {
    return wpr_registry_delete_row(registry, text, "t", NULL, 0, E);
}
static wpr_code_t as_index(const char *text) { return wpr_registry_create_index(registry, "a", text, "t", 0, 1, E); }
static wpr_code_t as_index_tenant(const char *text) {
    return wpr_registry_create_index(registry, text, "i", "t", 0, 1, E);
}
static wpr_code_t as_indexed(const char *text) { return wpr_registry_create_index(registry, "a", "i", text, 0, 1, E); }
static wpr_code_t as_collection(const char *text) {
    return wpr_registry_create_collection(registry, "a", text, "t", 2, 0, E);
}
static wpr_code_t as_collection_tenant(const char *text) {
    return wpr_registry_create_collection(registry, text, "c", "t", 2, 0, E);
}
static wpr_code_t as_collected(const char *text) {
    return wpr_registry_create_collection(registry, "a", "c", text, 2, 0, E);
}
static wpr_code_t as_vector_collection(const char *text) {
    return wpr_registry_insert_vector(registry, "a", text, 1, NULL, 0, NULL, E);
}
static wpr_code_t as_vector_tenant(const char *text) {
    return wpr_registry_insert_vector(registry, text, "c", 1, NULL, 0, NULL, E);
}

static const struct {
    const char *name;
    taker *take;
} takers[] = {
#define TAKER(function) {#function, function}
    TAKER(as_name),            TAKER(as_path),             TAKER(as_unloaded),           TAKER(as_found),
    TAKER(as_reloaded),        TAKER(as_rolled_back),      TAKER(as_called_plugin),      TAKER(as_called_function),
    TAKER(as_function),        TAKER(as_byte_function),    TAKER(as_byte_function_into), TAKER(as_looked_up),
    TAKER(as_signature),       TAKER(as_started),          TAKER(as_started_bytes),      TAKER(as_leased_function),
    TAKER(as_leased_byte_function), TAKER(as_memory_read), TAKER(as_memory_written),     TAKER(as_memory_size),
    TAKER(as_memory_grown),    TAKER(as_global),           TAKER(as_tenant_of_quota),    TAKER(as_tenant_of_usage),
    TAKER(as_tenant_of_stats), TAKER(as_tenant_cancelled), TAKER(as_tenant_of_row),      TAKER(as_table),
    TAKER(as_table_read),      TAKER(as_tenant_read),      TAKER(as_table_deleted),      TAKER(as_tenant_deleted),
    TAKER(as_index),           TAKER(as_index_tenant),     TAKER(as_indexed),            TAKER(as_collection),
    TAKER(as_collection_tenant), TAKER(as_collected),      TAKER(as_vector_collection),  TAKER(as_vector_tenant),
};
enum { TAKERS = sizeof takers / sizeof *takers };

static void begin(void) {
    registry = new_registry();
    plugin = load(registry, "counter", "counter", NULL);
    OK(wpr_plugin_lease(plugin, &lease, E));
}

static void end(void) {
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static bool all_answer(wpr_code_t expected, const char *text) {
    bool all = true;
    for (size_t i = 0; i < TAKERS; i++) {
        check_begin();
        all &= check_code(takers[i].take(text), expected, takers[i].name, __FILE__, __LINE__);
    }
    return all;
}

static void no_text_where_one_is_needed_is_a_null_pointer(void) {
    begin();
    all_answer(WPR_NULL_POINTER, NULL);
    end();
}

static void a_text_that_is_not_utf_8_is_refused(void) {
    static const char *const wrong[] = {"\xff", "a\x80", "\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80"};
    begin();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (all_answer(WPR_INVALID_ARGUMENT, wrong[i])) CHECK_HAS(E->message, "UTF-8");
    end();
}

static void a_text_without_an_end_is_refused_and_not_read_beyond_64_kib(void) {
    char *text = malloc(65536);
    memset(text, 'x', 65536);
    begin();
    if (all_answer(WPR_INVALID_ARGUMENT, text)) CHECK_HAS(E->message, "65536");
    end();
    free(text);
}

static void a_text_that_ends_just_in_time_is_taken_for_what_it_is(void) {
    char *text = malloc(65536);
    memset(text, 'x', 65535);
    text[65535] = 0;
    begin();
    for (size_t i = 0; i < TAKERS; i++) {
        wpr_code_t code = takers[i].take(text);
        CHECK(code != WPR_INVALID_ARGUMENT && code != WPR_NULL_POINTER);
    }
    end();
    free(text);
}

static void an_empty_text_is_an_error_or_found_nowhere(void) {
    begin();
    for (size_t i = 0; i < TAKERS; i++) {
        wpr_code_t code = takers[i].take("");
        CHECK(code != WPR_INVALID_ARGUMENT && code != WPR_NULL_POINTER);
    }
    FAILS(WPR_REFUSED, as_name(""));
    end();
}

static void a_plugin_s_name_has_128_bytes_at_most(void) {
    char name[130];
    memset(name, 'x', sizeof name);
    begin();
    for (size_t length = 127; length <= 129; length++) {
        name[length] = 0;
        FAILS(length <= 128 ? WPR_OK : WPR_REFUSED, as_name(name));
        name[length] = 'x';
    }
    end();
}

static void texts_in_lists_are_checked_like_others(void) {
    const char *const wrong[] = {NULL, "\xff"};
    begin();
    for (size_t kind = 0; kind < 2; kind++)
        for (int field = 0; field < 7; field++) {
            const char *list[] = {"good", wrong[kind]};
            wpr_config_t config = new_config();
            wpr_setting_t setting = {field == 4 ? wrong[kind] : "name", field == 5 ? wrong[kind] : "value"};
            const char *const **lists[] = {&config.can_read_table, &config.can_write_table, &config.can_call_plugin,
                                           &config.custom_grants};
            size_t *counts[] = {&config.can_read_table_count, &config.can_write_table_count,
                                &config.can_call_plugin_count, &config.custom_grant_count};
            if (field < 4) *lists[field] = list, *counts[field] = 2;
            else if (field < 6) config.settings = &setting, config.setting_count = 1;
            else if (wrong[kind]) config.tenant = wrong[kind];
            else continue;
            FAILS(kind == 0 ? WPR_NULL_POINTER : WPR_INVALID_ARGUMENT,
                  wpr_registry_load(registry, "other", COUNTER, &config, E));
        }
    end();
}

static int32_t do_nothing(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                          wpr_value_t *result) {
    (void)user_data, (void)call, (void)args, (void)arg_count, (void)result;
    return 0;
}

static void texts_of_host_functions_are_checked_like_others(void) {
    static const char *const wrong[] = {NULL, "\xff"};
    for (size_t kind = 0; kind < 2; kind++)
        for (int field = 0; field < 3; field++) {
            wpr_host_function_t function = new_function(do_nothing, NULL, NULL, 0, WPR_NONE);
            if (field == 0) function.module = wrong[kind];
            if (field == 1) function.name = wrong[kind];
            if (field == 2) function.custom_grant = wrong[kind];
            if (field == 2 && kind == 0) continue; /* there need not be one */
            const wpr_host_function_t *functions[] = {&function};
            wpr_registry_options_t options = new_options();
            options.functions = functions;
            options.function_count = 1;
            FAILS(kind == 0 ? WPR_NULL_POINTER : WPR_INVALID_ARGUMENT,
                  wpr_registry_new(&options, &(wpr_registry_t){0}, E));
        }
}

/* --- text answers ------------------------------------------------------------------------------------------------- */

static void a_text_answer_is_written_with_its_end_or_not_at_all(void) {
    begin();
    for (size_t capacity = 0; capacity <= 10; capacity++) {
        char text[11], untouched[11];
        size_t length = 99;
        memset(text, 0xa5, sizeof text);
        memset(untouched, 0xa5, sizeof untouched);
        wpr_code_t expected = capacity < 8 ? WPR_BUFFER_TOO_SMALL : WPR_OK;
        FAILS(expected, wpr_plugin_name(plugin, text, capacity, &length, E));
        CHECK_EQ(length, 7);
        size_t written = expected == WPR_OK ? 8 : 0;
        CHECK(memcmp(text, "counter", written) == 0);
        CHECK(memcmp(text + written, untouched, sizeof text - written) == 0);
        FAILS(expected, wpr_registry_name_at(registry, 0, text, capacity, NULL, E));
        FAILS(expected, wpr_plugin_tenant(plugin, text, capacity, NULL, E)); /* "default" is as long */
    }
    size_t length = 0;
    FAILS(WPR_BUFFER_TOO_SMALL, wpr_plugin_name(plugin, NULL, 0, &length, E));
    CHECK_EQ(length, 7);
    FAILS(WPR_BUFFER_TOO_SMALL, wpr_plugin_function_at(plugin, 0, NULL, 0, &length, E));
    end();
}

static void a_message_that_is_too_long_is_cut_between_characters_and_says_how_long_it_was(void) {
    char *text = malloc(4001);
    for (size_t i = 0; i < 4000; i += 2) memcpy(text + i, "\xc3\xa4", 2);
    text[4000] = 0;
    begin();
    FAILS(WPR_NOT_FOUND, wpr_registry_get(registry, text, &(wpr_plugin_t){0}, E));
    CHECK(E->message_length > 4000);
    size_t length = strlen(E->message);
    CHECK(length <= WPR_MESSAGE_BYTES - 1 && length >= WPR_MESSAGE_BYTES - 2);
    CHECK(((unsigned char)E->message[length - 1] & 0xc0) == 0x80); /* the last of a character */
    end();
    free(text);
}

static void an_error_has_1024_bytes_and_need_not_be_wanted(void) {
    CHECK_EQ(sizeof(wpr_error_t), 1024);
    begin();
    CHECK_EQ(wpr_registry_unload(registry, "no", NULL), WPR_NOT_FOUND);
    CHECK_EQ(wpr_plugin_call(plugin, "no", NO_ARGS, NULL, NO_RESULTS, NULL), WPR_FUNCTION_NOT_FOUND);
    end();
}

const struct test text_tests[] = {
    TEST(no_text_where_one_is_needed_is_a_null_pointer),
    TEST(a_text_that_is_not_utf_8_is_refused),
    TEST(a_text_without_an_end_is_refused_and_not_read_beyond_64_kib),
    TEST(a_text_that_ends_just_in_time_is_taken_for_what_it_is),
    TEST(an_empty_text_is_an_error_or_found_nowhere),
    TEST(a_plugin_s_name_has_128_bytes_at_most),
    TEST(texts_in_lists_are_checked_like_others),
    TEST(texts_of_host_functions_are_checked_like_others),
    TEST(a_text_answer_is_written_with_its_end_or_not_at_all),
    TEST(a_message_that_is_too_long_is_cut_between_characters_and_says_how_long_it_was),
    TEST(an_error_has_1024_bytes_and_need_not_be_wanted),
    END_OF_TESTS,
};
