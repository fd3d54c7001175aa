/* The byte convention: inputs and answers of any length, statuses, and plugins that break it. */
#include <stdlib.h>

#include "guests.h"

/* What a function of the byte convention answers an input. */
static bool answers(wpr_plugin_t plugin, const char *function, const uint8_t *input, size_t length,
                    const uint8_t *expected, size_t expected_length) {
    wpr_bytes_t answer = {0};
    const uint8_t *data = NULL;
    size_t answered = 0;
    OK(wpr_plugin_call_bytes(plugin, function, input, length, &answer, E));
    OK(wpr_bytes_view(answer, &data, &answered, E));
    bool same = answered == expected_length && (answered == 0 || memcmp(data, expected, answered) == 0);
    OK(wpr_bytes_release(answer, E));
    return same;
}

#define TEXT(text) ((const uint8_t *)(text)), (sizeof(text) - 1)

static void bytes_come_back_whatever_they_are_and_however_many(void) {
    static const size_t lengths[] = {0, 1, 7, 8, 63, 64, 65, 4095, 4096, 65535, 65536, 1000000};
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.fuel_limit = 100000000;
    wpr_plugin_t plugin = load(registry, "echo", "echo", &config);
    uint8_t *bytes = malloc(1000000);
    for (size_t i = 0; i < 1000000; i++) bytes[i] = (uint8_t)(i * 31 >> 3);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        CHECK(answers(plugin, "echo", bytes, lengths[i], bytes, lengths[i]));
        CHECK(answers(plugin, "copy", bytes, lengths[i], bytes, lengths[i]));
    }
    free(bytes);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void plugins_in_c_and_with_wide_memory_answer_too(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t text = load(registry, "text", "text_transform", NULL), wide = load(registry, "wide", "memory64", NULL);
    CHECK(answers(text, "upper", TEXT("hello"), TEXT("HELLO")));
    CHECK(answers(text, "reverse_words", TEXT("one two"), TEXT("two one")));
    CHECK(answers(wide, "echo", TEXT("wide"), TEXT("wide")));
    OK(wpr_plugin_release(text, E));
    OK(wpr_plugin_release(wide, E));
    release_registry(registry);
}

static void an_answer_goes_where_the_caller_has_room(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "echo", "echo", NULL);
    uint8_t output[8];
    size_t length = 0;
    memset(output, 0xa5, sizeof output);
    OK(wpr_plugin_call_bytes_into(plugin, "echo", TEXT("abcd"), output, 4, &length, E));
    CHECK_EQ(length, 4);
    CHECK(memcmp(output, "abcd\xa5\xa5\xa5\xa5", 8) == 0);
    length = 77;
    FAILS(WPR_LIMIT_EXCEEDED, wpr_plugin_call_bytes_into(plugin, "echo", TEXT("efghi"), output, 4, &length, E));
    CHECK_EQ(length, 77);
    CHECK(memcmp(output + 4, "\xa5\xa5\xa5\xa5", 4) == 0);
    OK(wpr_plugin_call_bytes_into(plugin, "nothing", TEXT("x"), NULL, 0, &length, E));
    CHECK_EQ(length, 0);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_status_goes_to_the_caller_as_it_is(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "echo", "echo", NULL);
    static const int32_t statuses[] = {-1, -2, -7, -4095};
    for (size_t i = 0; i < 4; i++) {
        wpr_bytes_t answer = {77};
        uint8_t input[4];
        memcpy(input, &statuses[i], 4);
        FAILS(WPR_BAD_GUEST_ANSWER, wpr_plugin_call_bytes(plugin, "status", input, 4, &answer, E));
        CHECK_EQ(E->guest_status, statuses[i]);
        CHECK_EQ(E->fault, WPR_FAULT_GUEST);
        CHECK_EQ(answer.id, 77);
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void answers_that_break_the_convention_are_errors(void) {
    static const char *const wrong[] = {"wild_ptr",     "wild_len", "one_beyond", "empty_beyond",
                                        "not_a_status", "wrapping", "lowest"};
    static const char *const right[] = {"ok", "ok_at_the_end", "ok_empty", "ok_empty_at_the_end"};
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "liar", "misbehaving/liar_answers", NULL);
    wpr_bytes_t answer;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FAILS(WPR_BAD_GUEST_ANSWER, wpr_plugin_call_bytes(plugin, wrong[i], TEXT("x"), &answer, E));
        CHECK_EQ(E->guest_status, 0);
    }
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        OK(wpr_plugin_call_bytes(plugin, right[i], TEXT("x"), &answer, E));
        OK(wpr_bytes_release(answer, E));
    }
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_plugin_call_bytes(plugin, "answers_i32", TEXT("x"), &answer, E));
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_plugin_call_bytes(plugin, "takes_one", TEXT("x"), &answer, E));
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_plugin_call_bytes(plugin, "no", TEXT("x"), &answer, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void allocators_that_lie_are_errors_and_the_next_call_is_tried(void) {
    static const char *const liars[] = {"liar_alloc_zero", "liar_alloc_wild", "liar_alloc_loop", "liar_alloc_trap",
                                        "liar_free_traps", "liar_free_loop",  "mistyped_alloc"};
    wpr_registry_t registry = new_registry();
    for (size_t i = 0; i < sizeof liars / sizeof *liars; i++) {
        char name[64] = "misbehaving/";
        strcat(name, liars[i]);
        wpr_plugin_t plugin = load(registry, liars[i], name, NULL);
        for (int turn = 0; turn < 3; turn++) {
            wpr_bytes_t answer = {77};
            uint8_t output[16];
            size_t length = 0;
            CHECK(wpr_plugin_call_bytes(plugin, "echo", TEXT("hello"), &answer, E) != WPR_OK);
            CHECK_EQ(answer.id, 77);
            CHECK(wpr_plugin_call_bytes_into(plugin, "echo", TEXT("hello"), output, 16, &length, E) != WPR_OK);
        }
        OK(wpr_plugin_release(plugin, E));
    }
    release_registry(registry);
}

static void answered_bytes_stay_where_they_are_until_they_are_released(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "echo", "echo", NULL);
    enum { MANY = 100 };
    wpr_bytes_t answers_held[MANY];
    for (uint8_t i = 0; i < MANY; i++) OK(wpr_plugin_call_bytes(plugin, "echo", &i, 1, &answers_held[i], E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
    for (uint8_t i = 0; i < MANY; i++) {
        const uint8_t *data, *again;
        size_t length;
        OK(wpr_bytes_view(answers_held[i], &data, &length, E));
        OK(wpr_bytes_view(answers_held[i], &again, &length, E));
        CHECK(data == again && length == 1 && *data == i);
        OK(wpr_bytes_release(answers_held[i], E));
        FAILS(WPR_INVALID_HANDLE, wpr_bytes_view(answers_held[i], &data, &length, E));
    }
}

static void plugins_call_one_another_by_grant(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    const char *callees[] = {"echo"};
    config.can_call_plugin = callees;
    config.can_call_plugin_count = 1;
    wpr_plugin_t caller = load(registry, "caller", "caller", &config);
    OK(wpr_plugin_release(load(registry, "echo", "echo", NULL), E));
    OK(wpr_plugin_release(load(registry, "text", "text_transform", NULL), E));
    CHECK(answers(caller, "relay", TEXT("echo\0copy\0payload"), TEXT("payload")));
    wpr_bytes_t answer;
    FAILS(WPR_BAD_GUEST_ANSWER, wpr_plugin_call_bytes(caller, "relay", TEXT("text\0upper\0payload"), &answer, E));
    CHECK_EQ(E->guest_status, WPR_HOST_DENIED);
    OK(wpr_plugin_release(caller, E));
    release_registry(registry);
}

const struct test bytes_tests[] = {
    TEST(bytes_come_back_whatever_they_are_and_however_many),
    TEST(plugins_in_c_and_with_wide_memory_answer_too),
    TEST(an_answer_goes_where_the_caller_has_room),
    TEST(a_status_goes_to_the_caller_as_it_is),
    TEST(answers_that_break_the_convention_are_errors),
    TEST(allocators_that_lie_are_errors_and_the_next_call_is_tried),
    TEST(answered_bytes_stay_where_they_are_until_they_are_released),
    TEST(plugins_call_one_another_by_grant),
    END_OF_TESTS,
};
