/* The log of the library. */
#include "guests.h"

struct heard {
    int lines;
    uint32_t least, most;
    char last[256];
    wpr_registry_t registry;
};

static void hear(void *user_data, uint32_t level, const char *line, size_t length) {
    struct heard *heard = user_data;
    heard->lines++;
    if (heard->least == 0 || level < heard->least) heard->least = level;
    if (level > heard->most) heard->most = level;
    if (length >= sizeof heard->last) length = sizeof heard->last - 1;
    memcpy(heard->last, line, length);
    heard->last[length] = 0;
    if (heard->registry.id)
        FAILS(WPR_REENTRANT, wpr_registry_call(heard->registry, "probe", "peek", NO_ARGS, NO_RESULTS, E));
}

static void log_from_a_plugin(wpr_plugin_t plugin, int32_t level) {
    CHECK_EQ(call_i32(plugin, "call_log_message", ARGS(wpr_i32(level), wpr_i32(0), wpr_i32(3))), 0);
}

static void lines_come_down_to_the_level_that_is_asked_for(void) {
    struct heard heard = {0, 0, 0, "", {0}};
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "probe", "abi_probe", NULL);
    heard.registry = registry;
    for (uint32_t level = 0; level <= 4; level++) {
        heard.lines = 0, heard.most = 0;
        OK(wpr_set_log(hear, &heard, level, E));
        for (int32_t of_plugin = 0; of_plugin < 4; of_plugin++) log_from_a_plugin(plugin, of_plugin);
        CHECK_EQ(heard.lines, level);
        CHECK_EQ(heard.most, level);
        CHECK(level == 0 || strstr(heard.last, "probe") != NULL);
    }
    FAILS(WPR_INVALID_ARGUMENT, wpr_set_log(hear, &heard, 5, E));
    OK(wpr_set_log(NULL, NULL, 4, E));
    heard.lines = 0;
    log_from_a_plugin(plugin, 3);
    CHECK_EQ(heard.lines, 0);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void failed_calls_are_logged_if_that_is_asked_for(void) {
    struct heard heard = {0, 0, 0, "", {0}};
    OK(wpr_set_log(hear, &heard, 2, E));
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    wpr_plugin_t quiet = load(registry, "quiet", "misbehaving/traps", &config);
    config.debug_mode = 1;
    wpr_plugin_t loud = load(registry, "loud", "misbehaving/traps", &config);
    FAILS(WPR_TRAP, wpr_plugin_call(quiet, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
    CHECK_EQ(heard.lines, 0);
    FAILS(WPR_TRAP, wpr_plugin_call(loud, "unreachable", NO_ARGS, NULL, NO_RESULTS, E));
    CHECK(heard.lines > 0);
    OK(wpr_plugin_release(quiet, E));
    OK(wpr_plugin_release(loud, E));
    release_registry(registry);
    OK(wpr_set_log(NULL, NULL, 0, E));
}

const struct test log_tests[] = {
    TEST(lines_come_down_to_the_level_that_is_asked_for),
    TEST(failed_calls_are_logged_if_that_is_asked_for),
    END_OF_TESTS,
};
