/* Handles that are none: of every function, an error, and nothing is written. */
#include "functions.h"

static void a_handle_of_0_was_never_set(void) {
    for (size_t i = 0; i < use_count; i++)
        if (is_refused(&uses[i], 0)) CHECK_HAS(E->message, "never set");
}

static void a_handle_of_another_kind_is_told_from_the_right_one(void) {
    static const char *const names[KINDS] = {"registry", "plugin", "function", "call", "lease", "cancel", "bytes"};
    struct world world = new_world();
    for (size_t i = 0; i < use_count; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            if (kind == (int)uses[i].kind) continue;
            if (is_refused(&uses[i], world.ids[kind])) {
                CHECK_HAS(E->message, names[kind]);
                CHECK_HAS(E->message, names[uses[i].kind]);
            }
        }
    release_world(&world);
}

static void a_handle_that_was_released_is_good_for_nothing_any_more(void) {
    struct world world = new_world(), old = world;
    release_world(&world);
    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < use_count; i++)
            if (is_refused(&uses[i], old.ids[uses[i].kind])) CHECK_HAS(E->message, "was released");
        /* What comes into the places of what went is not taken for it. */
        if (again == 0) world = new_world();
    }
    for (int kind = 0; kind < KINDS; kind++) CHECK(world.ids[kind] != old.ids[kind]);
    release_world(&world);
}

static void a_handle_is_released_once(void) {
    struct world world = new_world();
    for (int kind = KINDS; kind-- > 0;) {
        OK(release_of_kind((enum kind)kind, world.ids[kind]));
        for (int i = 0; i < 3; i++) FAILS(WPR_INVALID_HANDLE, release_of_kind((enum kind)kind, world.ids[kind]));
    }
}

static bool is_of(const struct world *world, uint64_t id) {
    for (int kind = 0; kind < KINDS; kind++)
        if (world->ids[kind] == id) return true;
    return false;
}

static void numbers_at_random_are_no_handles(void) {
    struct world world = new_world();
    uint64_t random = 4;
    for (int i = 0; i < times(100000); i++) {
        uint64_t id = next_random(&random);
        const struct use *use = &uses[next_random(&random) % use_count];
        if (!is_of(&world, id)) is_refused(use, id);
    }
    release_world(&world);
}

static void numbers_close_to_those_of_handles_are_none(void) {
    struct world world = new_world();
    uint64_t random = 5;
    for (size_t i = 0; i < use_count; i++) {
        uint64_t good = world.ids[uses[i].kind];
        for (int bit = 0; bit < 64; bit++) is_refused(&uses[i], good ^ UINT64_C(1) << bit);
        for (uint64_t far = 1; far <= 40; far++) {
            is_refused(&uses[i], good + (far << 32));
            is_refused(&uses[i], good - (far << 32));
            is_refused(&uses[i], good + far * 1000003);
        }
        /* Of the right kind, with any place and any of the first generations. */
        for (int n = 0; n < times(300); n++) {
            uint64_t id = (good & 0xff000000) | (next_random(&random) & 0xffffff) | next_random(&random) % 4 << 32;
            uint64_t low = (good & 0xff000000) | (next_random(&random) & 0x1ff) | UINT64_C(0xffffffff) << 32;
            if ((id & 0xffffff) > 0x1ff) is_refused(&uses[i], id);
            is_refused(&uses[i], low);
        }
    }
    release_world(&world);
}

static void valid_handles_are_taken_for_valid(void) {
    struct world world = new_world();
    struct out out;
    poison(&out);
    for (size_t i = 0; i < use_count; i++) {
        if (uses[i].effect == RELEASES) continue;
        wpr_code_t code = uses[i].with(world.ids[uses[i].kind], &out);
        if (code >= WPR_NULL_POINTER && code != WPR_NOT_SUPPORTED)
            check_equal((uint64_t)code, WPR_OK, uses[i].name, "WPR_OK", __FILE__, __LINE__);
        release_answered(&out);
    }
    release_world(&world);
}

static void what_runs_an_unloaded_plugin_is_told_so_and_the_rest_goes_on(void) {
    struct world world = new_world();
    struct out out;
    poison(&out);
    OK(wpr_registry_unload((wpr_registry_t){world.ids[REGISTRY]}, "waiter", E));
    for (size_t i = 0; i < use_count; i++) {
        enum kind kind = uses[i].kind;
        if (uses[i].effect == RELEASES || (kind != PLUGIN && kind != FUNCTION)) continue;
        wpr_code_t code = uses[i].with(world.ids[kind], &out);
        if (uses[i].effect == RUNS)
            check_equal((uint64_t)code, WPR_UNLOADED, uses[i].name, "WPR_UNLOADED", __FILE__, __LINE__);
        else
            CHECK(code == WPR_OK || code == WPR_NOT_FOUND);
        release_answered(&out);
    }
    FAILS(WPR_NOT_FOUND, uses[3].with(world.ids[REGISTRY], &out)); /* by name */
    CHECK_TEXT(uses[3].name, "wpr_registry_call");
    release_world(&world);
}

static void handles_by_the_thousand_are_all_different_and_all_good(void) {
    enum { MANY = 5000 };
    static wpr_bytes_t held[MANY];
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "echo", "echo", NULL);
    int many = times(MANY);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < many; i++) {
            wpr_bytes_t old = held[i];
            uint8_t input[4];
            memcpy(input, &i, 4);
            OK(wpr_plugin_call_bytes(plugin, "echo", input, 4, &held[i], E));
            CHECK(held[i].id != old.id);
        }
        for (int i = 0; i < many; i++) {
            const uint8_t *data = NULL;
            size_t length = 0;
            OK(wpr_bytes_view(held[i], &data, &length, E));
            CHECK(length == 4 && memcmp(data, &i, 4) == 0);
        }
        for (int i = many; i-- > 0;) OK(wpr_bytes_release(held[i], E));
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_place_that_is_used_again_and_again_never_takes_an_old_handle(void) {
    enum { KEPT = 64 };
    struct world world = new_world();
    wpr_plugin_t plugin = {world.ids[PLUGIN]};
    uint64_t kept[KEPT] = {0};
    for (int i = 0; i < times(20000); i++) {
        wpr_function_t function;
        OK(wpr_plugin_function(plugin, "spin", &function, E));
        for (int k = 0; k < KEPT; k++) CHECK(kept[k] != function.id);
        kept[i % KEPT] = function.id;
        OK(wpr_function_release(function, E));
        FAILS(WPR_INVALID_HANDLE, wpr_function_release((wpr_function_t){kept[(i * 7) % KEPT]}, E));
    }
    release_world(&world);
}

static void a_token_outlives_everything_and_the_bytes_too(void) {
    struct world world = new_world();
    for (int kind = 0; kind < CANCEL; kind++) {
        OK(release_of_kind((enum kind)kind, world.ids[kind]));
        world.ids[kind] = 0;
    }
    const uint8_t *data = NULL;
    size_t length = 0;
    FAILS(WPR_NOT_FOUND, wpr_cancel((wpr_cancel_t){world.ids[CANCEL]}, E));
    OK(wpr_bytes_view((wpr_bytes_t){world.ids[BYTES]}, &data, &length, E));
    CHECK(data[0] == '#');
    release_world(&world);
}

static void things_are_released_in_any_order(void) {
    uint64_t random = 6;
    for (int turn = 0; turn < times(200); turn++) {
        struct world world = new_world();
        for (int left = KINDS; left > 0; left--) {
            int nth = (int)(next_random(&random) % (uint64_t)left), kind = 0;
            while (world.ids[kind] == 0 || nth-- > 0) kind++;
            OK(release_of_kind((enum kind)kind, world.ids[kind]));
            world.ids[kind] = 0;
        }
    }
}

const struct test misuse_tests[] = {
    TEST(a_handle_of_0_was_never_set),
    TEST(a_handle_of_another_kind_is_told_from_the_right_one),
    TEST(a_handle_that_was_released_is_good_for_nothing_any_more),
    TEST(a_handle_is_released_once),
    TEST(numbers_at_random_are_no_handles),
    TEST(numbers_close_to_those_of_handles_are_none),
    TEST(valid_handles_are_taken_for_valid),
    TEST(what_runs_an_unloaded_plugin_is_told_so_and_the_rest_goes_on),
    TEST(handles_by_the_thousand_are_all_different_and_all_good),
    TEST(a_place_that_is_used_again_and_again_never_takes_an_old_handle),
    TEST(a_token_outlives_everything_and_the_bytes_too),
    TEST(things_are_released_in_any_order),
    END_OF_TESTS,
};
