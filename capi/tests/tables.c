/* The tables in memory, as the program fills and reads them and plugins search them. */
#include <math.h>

#include "guests.h"

#define BYTES(text) ((const uint8_t *)(text)), (sizeof(text) - 1)

static void rows_are_stored_read_and_deleted(void) {
    wpr_registry_t registry = new_registry();
    uint32_t replaced = 99;
    uint8_t value[8];
    size_t length = 0;
    OK(wpr_registry_put(registry, "acme", "t", BYTES("key"), BYTES("one"), &replaced, E));
    CHECK_EQ(replaced, 0);
    OK(wpr_registry_put(registry, "acme", "t", BYTES("key"), BYTES("three"), &replaced, E));
    CHECK_EQ(replaced, 1);
    OK(wpr_registry_get_row(registry, "acme", "t", BYTES("key"), value, 8, &length, E));
    CHECK(is_text((const char *)value, length, "three"));
    FAILS(WPR_NOT_FOUND, wpr_registry_get_row(registry, "acme", "t", BYTES("other"), value, 8, &length, E));
    FAILS(WPR_NOT_FOUND, wpr_registry_get_row(registry, "acme", "u", BYTES("key"), value, 8, &length, E));
    FAILS(WPR_NOT_FOUND, wpr_registry_get_row(registry, "else", "t", BYTES("key"), value, 8, &length, E));
    OK(wpr_registry_delete_row(registry, "acme", "t", BYTES("key"), E));
    FAILS(WPR_NOT_FOUND, wpr_registry_delete_row(registry, "acme", "t", BYTES("key"), E));
    FAILS(WPR_NOT_FOUND, wpr_registry_get_row(registry, "acme", "t", BYTES("key"), value, 8, &length, E));
    release_registry(registry);
}

static void a_row_says_how_much_room_it_needs(void) {
    wpr_registry_t registry = new_registry();
    uint8_t value[4] = {9, 9, 9, 9};
    size_t length = 0;
    OK(wpr_registry_put(registry, "acme", "t", BYTES("key"), BYTES("abc"), NULL, E));
    FAILS(WPR_BUFFER_TOO_SMALL, wpr_registry_get_row(registry, "acme", "t", BYTES("key"), NULL, 0, &length, E));
    CHECK_EQ(length, 3);
    FAILS(WPR_BUFFER_TOO_SMALL, wpr_registry_get_row(registry, "acme", "t", BYTES("key"), value, 2, NULL, E));
    CHECK_EQ(value[0], 9);
    OK(wpr_registry_get_row(registry, "acme", "t", BYTES("key"), value, 3, NULL, E));
    CHECK(memcmp(value, "abc\x9", 4) == 0);
    OK(wpr_registry_put(registry, "acme", "t", BYTES("key"), NULL, 0, NULL, E));
    OK(wpr_registry_get_row(registry, "acme", "t", BYTES("key"), NULL, 0, &length, E));
    CHECK_EQ(length, 0);
    release_registry(registry);
}

static wpr_plugin_t load_searcher(wpr_registry_t registry, wpr_lease_t *lease) {
    wpr_config_t config = new_config();
    static const char *const tables[] = {"t"};
    config.can_read_table = tables;
    config.can_read_table_count = 1;
    config.can_index_search = config.can_vector_search = 1;
    wpr_plugin_t plugin = load(registry, "probe", "abi_probe", &config);
    OK(wpr_plugin_lease(plugin, lease, E));
    return plugin;
}

static uint64_t first_row_id(wpr_lease_t lease) {
    uint8_t bytes[8];
    uint64_t id = 0;
    OK(wpr_lease_read(lease, "memory", 1024, bytes, 8, E));
    for (int i = 8; i-- > 0;) id = id << 8 | bytes[i];
    return id;
}

static void put_row(wpr_registry_t registry, uint8_t id, const char *value) {
    const uint8_t key[8] = {0, 0, 0, 0, 0, 0, 0, id};
    OK(wpr_registry_put(registry, "default", "t", key, 8, (const uint8_t *)value, strlen(value), NULL, E));
}

static void a_plugin_looks_up_by_an_index(void) {
    wpr_registry_t registry = new_registry();
    wpr_lease_t lease;
    put_row(registry, 1, "ab");
    OK(wpr_registry_create_index(registry, "default", "by_second", "t", 1, 1, E));
    put_row(registry, 2, "cd");
    CHECK(wpr_registry_create_index(registry, "default", "by_second", "t", 1, 1, E) != WPR_OK);
    wpr_plugin_t plugin = load_searcher(registry, &lease);
    OK(wpr_lease_write(lease, "memory", 0, BYTES("by_second"), E));
    OK(wpr_lease_write(lease, "memory", 100, BYTES("d"), E));
    wpr_value_t result;
    OK(wpr_lease_call(lease, "call_index_lookup", ARGS(wpr_i32(0), wpr_i32(9), wpr_i32(100), wpr_i32(1), wpr_i32(1024),
                                                       wpr_i32(64)), NULL, &result, 1, NULL, E));
    CHECK_EQ(result.of.i32, 1);
    CHECK_EQ(first_row_id(lease), 2);
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_plugin_searches_vectors_by_each_distance(void) {
    wpr_registry_t registry = new_registry();
    wpr_lease_t lease;
    static const float vectors[2][2] = {{1, 0}, {0, 8}}, query[2] = {0.2F, 1};
    uint32_t replaced = 99;
    put_row(registry, 1, "east");
    put_row(registry, 2, "north");
    static const char *const names[] = {"cosine", "dotted", "length"};
    for (uint32_t distance = 0; distance < 3; distance++) {
        OK(wpr_registry_create_collection(registry, "default", names[distance], "t", 2, distance, E));
        for (uint64_t id = 1; id <= 2; id++) {
            OK(wpr_registry_insert_vector(registry, "default", names[distance], id, vectors[id - 1], 2, &replaced, E));
            CHECK_EQ(replaced, 0);
        }
        OK(wpr_registry_insert_vector(registry, "default", names[distance], 1, vectors[0], 2, &replaced, E));
        CHECK_EQ(replaced, 1);
    }
    wpr_plugin_t plugin = load_searcher(registry, &lease);
    OK(wpr_lease_write(lease, "memory", 100, (const uint8_t *)query, sizeof query, E));
    for (uint32_t distance = 0; distance < 3; distance++) {
        static const uint64_t nearest[] = {2, 2, 1};
        wpr_value_t result;
        OK(wpr_lease_write(lease, "memory", 0, (const uint8_t *)names[distance], 6, E));
        wpr_value_t args[] = {wpr_i32(0), wpr_i32(6),    wpr_i32(100), wpr_i32(2),
                              wpr_i32(1), wpr_i32(1024), wpr_i32(64)};
        OK(wpr_lease_call(lease, "call_vector_search", args, 7, NULL, &result, 1, NULL, E));
        CHECK_EQ(result.of.i32, 1);
        CHECK_EQ(first_row_id(lease), nearest[distance]);
    }
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void vectors_that_fit_no_collection_are_refused(void) {
    wpr_registry_t registry = new_registry();
    static const float vector[3] = {1, 2, 3}, bad[2] = {NAN, 1};
    put_row(registry, 1, "x");
    FAILS(WPR_INVALID_ARGUMENT, wpr_registry_create_collection(registry, "default", "c", "t", 2, 3, E));
    CHECK(wpr_registry_create_collection(registry, "default", "c", "t", 0, 0, E) != WPR_OK);
    CHECK(wpr_registry_create_collection(registry, "default", "c", "t", 4097, 0, E) != WPR_OK);
    CHECK(wpr_registry_create_collection(registry, "default", "c", "t", SIZE_MAX, 0, E) != WPR_OK);
    OK(wpr_registry_create_collection(registry, "default", "c", "t", 2, 0, E));
    CHECK(wpr_registry_create_collection(registry, "default", "c", "t", 2, 0, E) != WPR_OK);
    CHECK(wpr_registry_insert_vector(registry, "default", "c", 1, vector, 3, NULL, E) != WPR_OK);
    CHECK(wpr_registry_insert_vector(registry, "default", "c", 1, bad, 2, NULL, E) != WPR_OK);
    CHECK(wpr_registry_insert_vector(registry, "default", "no", 1, vector, 2, NULL, E) != WPR_OK);
    OK(wpr_registry_insert_vector(registry, "default", "c", 1, vector, 2, NULL, E));
    OK(wpr_registry_create_index(registry, "default", "wild", "t", SIZE_MAX, SIZE_MAX, E)); /* no value is so long */
    OK(wpr_registry_insert_vector(registry, "default", "c", UINT64_MAX, vector, 2, NULL, E));
    release_registry(registry);
}

const struct test table_tests[] = {
    TEST(rows_are_stored_read_and_deleted),
    TEST(a_row_says_how_much_room_it_needs),
    TEST(a_plugin_looks_up_by_an_index),
    TEST(a_plugin_searches_vectors_by_each_distance),
    TEST(vectors_that_fit_no_collection_are_refused),
    END_OF_TESTS,
};
