/* Several threads at once: one plugin, many plugins, handles that are released while others use them. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "functions.h"

enum { THREADS = 4 };

/* Runs a function on four threads, with what is common to them and their number. */
struct team {
    void *common;
    void (*work)(void *common, int number);
    int number;
};

static void *work_in_team(void *argument) {
    struct team *team = argument;
    team->work(team->common, team->number);
    return NULL;
}

static void together(void (*work)(void *common, int number), void *common) {
    pthread_t threads[THREADS];
    struct team teams[THREADS];
    for (int i = 0; i < THREADS; i++) {
        teams[i] = (struct team){common, work, i};
        pthread_create(&threads[i], NULL, work_in_team, &teams[i]);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

struct shared {
    struct world world;
    atomic_int answered, busy, refused;
    _Atomic uint64_t handle;
    atomic_bool stop;
};

static const wpr_value_t one[] = {{WPR_I32, {.i32 = 1}}};

static void call_and_count(void *common, int number) {
    struct shared *shared = common;
    wpr_plugin_t plugin = {shared->world.ids[PLUGIN]};
    wpr_function_t function = {shared->world.ids[FUNCTION]};
    for (int i = 0; i < times(5000); i++) {
        wpr_value_t result = wpr_i32(0), arg = wpr_i32(1 + (i + number) % 50);
        wpr_code_t code = i % 2 ? wpr_function_call(function, &arg, 1, NULL, &result, 1, NULL, E)
                                : wpr_plugin_call(plugin, "spin", &arg, 1, NULL, &result, 1, NULL, E);
        if (code == WPR_OK) {
            CHECK_EQ(result.of.i32, arg.of.i32);
            atomic_fetch_add(&shared->answered, 1);
        } else if (CHECK(code == WPR_BUSY)) {
            atomic_fetch_add(&shared->busy, 1);
        }
    }
}

static void four_threads_call_one_plugin_side_by_side(void) {
    struct shared shared = {.world = new_world()};
    together(call_and_count, &shared);
    CHECK_EQ(atomic_load(&shared.answered), THREADS * times(5000));
    release_world(&shared.world);
}

static void one_sandbox_serves_one_thread_at_a_time_and_the_others_are_told(void) {
    struct shared shared = {.world = new_world()};
    wpr_registry_t registry = {shared.world.ids[REGISTRY]};
    wpr_config_t config = new_config();
    config.max_instances = 1;
    OK(wpr_plugin_release((wpr_plugin_t){shared.world.ids[PLUGIN]}, E));
    OK(wpr_function_release((wpr_function_t){shared.world.ids[FUNCTION]}, E));
    wpr_plugin_t single = load(registry, "single", "waiter", &config);
    wpr_function_t function;
    OK(wpr_plugin_function(single, "spin", &function, E));
    shared.world.ids[PLUGIN] = single.id, shared.world.ids[FUNCTION] = function.id;
    together(call_and_count, &shared);
    CHECK_EQ(atomic_load(&shared.answered) + atomic_load(&shared.busy), THREADS * times(5000));
    CHECK(atomic_load(&shared.answered) > 0);
    release_world(&shared.world);
}

static void have_a_life_of_its_own(void *common, int number) {
    (void)common;
    for (int i = 0; i < times(100); i++) {
        wpr_registry_t registry = new_registry();
        wpr_plugin_t plugin = load(registry, number % 2 ? "a" : "b", number < 2 ? "counter" : "echo", NULL);
        if (number < 2) CHECK_EQ(call_i32(plugin, "increment", NO_ARGS), 1);
        OK(wpr_registry_unload(registry, number % 2 ? "a" : "b", E));
        OK(wpr_plugin_release(plugin, E));
        release_registry(registry);
    }
}

static void four_threads_have_each_their_registry(void) { together(have_a_life_of_its_own, NULL); }

static void load_and_unload(void *common, int number) {
    struct shared *shared = common;
    wpr_registry_t registry = {shared->world.ids[REGISTRY]};
    char name[8] = "p0";
    name[1] = (char)('0' + number);
    for (int i = 0; i < times(200); i++) {
        wpr_plugin_t plugin = load(registry, name, "counter", NULL);
        CHECK_EQ(call_i32(plugin, "add", ARGS(wpr_i32(number))), number);
        OK(wpr_registry_unload(registry, name, E));
        OK(wpr_plugin_release(plugin, E));
    }
}

static void four_threads_load_and_unload_in_one_registry(void) {
    struct shared shared = {.world = new_world()};
    together(load_and_unload, &shared);
    size_t count = 0;
    OK(wpr_registry_count((wpr_registry_t){shared.world.ids[REGISTRY]}, &count, E));
    CHECK_EQ(count, 1);
    release_world(&shared.world);
}

static void use_what_only_one_can(void *common, int number) {
    struct shared *shared = common;
    wpr_lease_t lease = {shared->world.ids[LEASE]};
    wpr_call_t started = {shared->world.ids[CALL]};
    for (int i = 0; i < times(2000); i++) {
        wpr_value_t result = wpr_i32(0);
        uint64_t fuel = 0;
        uint32_t progress = 0;
        uint8_t byte = (uint8_t)number;
        wpr_code_t codes[5];
        codes[0] = wpr_lease_call(lease, "spin", one, 1, NULL, &result, 1, NULL, E);
        codes[1] = wpr_lease_write(lease, "memory", (uint64_t)number, &byte, 1, E);
        codes[2] = wpr_lease_read(lease, "memory", (uint64_t)number, &byte, 1, E);
        codes[3] = wpr_call_run(started, 1, &progress, NULL, E);
        codes[4] = wpr_call_fuel_spent(started, &fuel, E);
        for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
            CHECK(codes[c] == WPR_OK || codes[c] == WPR_BUSY || (c == 3 && codes[c] == WPR_NOT_READY));
            atomic_fetch_add(codes[c] == WPR_OK ? &shared->answered : &shared->busy, 1);
        }
        if (codes[1] == WPR_OK) CHECK_EQ(byte, number);
    }
}

static void a_lease_and_a_started_call_are_used_by_one_at_a_time_and_the_others_are_told(void) {
    struct shared shared = {.world = new_world()};
    together(use_what_only_one_can, &shared);
    CHECK(atomic_load(&shared.answered) > 0);
    release_world(&shared.world);
}

/* --- releasing meanwhile ------------------------------------------------------------------------------------------ */

/* Waits until another thread has counted, however long that one is kept from running; a minute of it is a failure. */
static void wait_for_more(atomic_int *count) {
    int before = atomic_load(count);
    for (time_t began = time(NULL); atomic_load(count) == before && CHECK(time(NULL) - began < 60);) sched_yield();
}

/* One thread gives a handle out and releases it again and again; the others use it all the time. */
static void use_or_release_a_function(void *common, int number) {
    struct shared *shared = common;
    wpr_plugin_t plugin = {shared->world.ids[PLUGIN]};
    if (number > 0) {
        while (!atomic_load(&shared->stop)) {
            wpr_function_t function = {atomic_load(&shared->handle)};
            wpr_value_t result;
            wpr_code_t code = wpr_function_call(function, one, 1, NULL, &result, 1, NULL, E);
            CHECK(code == WPR_OK || code == WPR_INVALID_HANDLE);
            atomic_fetch_add(code == WPR_OK ? &shared->answered : &shared->refused, 1);
        }
        return;
    }
    for (int i = 0; i < times(5000); i++) {
        wpr_function_t function;
        OK(wpr_plugin_function(plugin, "spin", &function, E));
        atomic_store(&shared->handle, function.id);
        if (i % 4 == 0) wait_for_more(&shared->answered);
        OK(wpr_function_release(function, E));
        if (i % 4 == 1) wait_for_more(&shared->refused);
    }
    atomic_store(&shared->stop, true);
}

static void a_handle_that_is_released_while_others_use_it_is_good_or_refused(void) {
    struct shared shared = {.world = new_world()};
    together(use_or_release_a_function, &shared);
    CHECK(atomic_load(&shared.answered) > 0 && atomic_load(&shared.refused) > 0);
    release_world(&shared.world);
}

/* Two threads meet, and release the same handle. */
struct meeting {
    struct shared *shared;
    atomic_int arrived, released;
};

static void meet(struct meeting *meeting, int round) {
    atomic_fetch_add(&meeting->arrived, 1);
    for (int turn = 1; atomic_load(&meeting->arrived) < 2 * round; turn++)
        if (turn % 1000 == 0) sched_yield();
}

static void release_the_same(void *common, int number) {
    struct meeting *meeting = common;
    struct shared *shared = meeting->shared;
    uint64_t random = (uint64_t)number;
    if (number > 1) return;
    for (int i = 0, round = 0; i < times(20000); i++) {
        if (number == 0) {
            wpr_bytes_t bytes = {0};
            OK(wpr_registry_render_prometheus((wpr_registry_t){shared->world.ids[REGISTRY]}, &bytes, E));
            atomic_store(&shared->handle, bytes.id);
            atomic_store(&meeting->released, 0);
        }
        meet(meeting, ++round);
        /* The one that came last goes on at once, and the other a little later. */
        for (volatile uint64_t turns = next_random(&random) % 100; turns > 0; turns--) {}
        wpr_code_t code = wpr_bytes_release((wpr_bytes_t){atomic_load(&shared->handle)}, NULL);
        CHECK(code == WPR_OK || code == WPR_INVALID_HANDLE);
        if (code == WPR_OK) atomic_fetch_add(&meeting->released, 1);
        meet(meeting, ++round);
        CHECK_EQ(atomic_load(&meeting->released), 1);
        meet(meeting, ++round);
    }
}

static void of_two_threads_that_release_one_handle_one_succeeds(void) {
    struct shared shared = {.world = new_world()};
    struct meeting meeting = {.shared = &shared};
    together(release_the_same, &meeting);
    release_world(&shared.world);
}

enum { WORLDS = 4 };

/* What several threads use and release at random: worlds, of which each handle is in a place of its own. */
struct chaos {
    _Atomic uint64_t ids[WORLDS][KINDS];
    atomic_int uses, releases;
};

static void replace(struct chaos *chaos, int of) {
    struct world world = new_world();
    for (int kind = 0; kind < KINDS; kind++) {
        uint64_t old = atomic_exchange(&chaos->ids[of][kind], world.ids[kind]);
        if (old && release_of_kind((enum kind)kind, old) == WPR_OK) atomic_fetch_add(&chaos->releases, 1);
    }
}

static void do_anything(void *common, int number) {
    struct chaos *chaos = common;
    static _Thread_local struct out out;
    uint64_t random = (uint64_t)number + 100;
    poison(&out);
    for (int i = 0; i < times(20000); i++) {
        uint64_t choice = next_random(&random);
        int of = (int)(choice % WORLDS);
        if (choice % 97 == 0) replace(chaos, of);
        const struct use *use = &uses[next_random(&random) % use_count];
        wpr_code_t code = use->with(atomic_load(&chaos->ids[of][use->kind]), &out);
        CHECK(code < WPR_NULL_POINTER || code == WPR_INVALID_HANDLE || code == WPR_NOT_SUPPORTED);
        if (code == WPR_OK) release_answered(&out);
        atomic_fetch_add(&chaos->uses, 1);
    }
}

static void four_threads_do_anything_with_anything_and_release_it_meanwhile(void) {
    struct chaos chaos = {.uses = 0};
    for (int of = 0; of < WORLDS; of++) replace(&chaos, of);
    together(do_anything, &chaos);
    CHECK_EQ(atomic_load(&chaos.uses), THREADS * times(20000));
    CHECK(atomic_load(&chaos.releases) > 0);
    for (int of = 0; of < WORLDS; of++)
        for (int kind = 0; kind < KINDS; kind++) release_of_kind((enum kind)kind, atomic_load(&chaos.ids[of][kind]));
}

/* --- maintenance meanwhile ---------------------------------------------------------------------------------------- */

static void call_while_another_maintains(void *common, int number) {
    struct shared *shared = common;
    wpr_registry_t registry = {shared->world.ids[REGISTRY]};
    if (number > 0) {
        call_and_count(common, number);
        return;
    }
    for (int i = 0; i < times(1000); i++) {
        wpr_maintained_t done;
        wpr_maintained_init(&done, sizeof done);
        OK(wpr_registry_maintain(registry, i % 3 ? UINT64_MAX : 1, i % 2 ? UINT64_MAX : 0, &done, E));
        CHECK_EQ(done.failed, 0);
        atomic_fetch_add(&shared->handle, done.made + done.dropped + done.trimmed);
    }
}

static void no_call_is_refused_while_another_thread_maintains(void) {
    struct shared shared = {.world = new_world()};
    wpr_registry_t registry = {shared.world.ids[REGISTRY]};
    wpr_config_t config = new_config();
    config.max_instances = 16;
    config.min_instances = 4;
    config.reset = 1;
    struct file waiter = fixture("waiter");
    OK(wpr_registry_reload(registry, "waiter", waiter.bytes, waiter.length, &config, NULL, E));
    together(call_while_another_maintains, &shared);
    CHECK_EQ(atomic_load(&shared.answered), (THREADS - 1) * times(5000));
    CHECK(atomic_load(&shared.handle) > 0);
    release_world(&shared.world);
}

/* --- another version meanwhile ------------------------------------------------------------------------------------ */

static void call_while_another_reloads(void *common, int number) {
    struct shared *shared = common;
    wpr_registry_t registry = {shared->world.ids[REGISTRY]};
    if (number > 0) {
        call_and_count(common, number);
        return;
    }
    struct file waiter = fixture("waiter");
    wpr_config_t config = new_config();
    config.max_instances = 16;
    for (int i = 0; i < times(100); i++) {
        if (i % 3 == 2) OK(wpr_registry_rollback(registry, "waiter", E));
        else OK(wpr_registry_reload(registry, "waiter", waiter.bytes, waiter.length, &config, NULL, E));
    }
}

static void no_call_is_lost_while_another_version_comes(void) {
    struct shared shared = {.world = new_world()};
    together(call_while_another_reloads, &shared);
    CHECK_EQ(atomic_load(&shared.answered), (THREADS - 1) * times(5000));
    release_world(&shared.world);
}

const struct test thread_tests[] = {
    TEST(four_threads_call_one_plugin_side_by_side),
    TEST(one_sandbox_serves_one_thread_at_a_time_and_the_others_are_told),
    TEST(four_threads_have_each_their_registry),
    TEST(four_threads_load_and_unload_in_one_registry),
    TEST(a_lease_and_a_started_call_are_used_by_one_at_a_time_and_the_others_are_told),
    TEST(a_handle_that_is_released_while_others_use_it_is_good_or_refused),
    TEST(of_two_threads_that_release_one_handle_one_succeeds),
    TEST(four_threads_do_anything_with_anything_and_release_it_meanwhile),
    TEST(no_call_is_refused_while_another_thread_maintains),
    TEST(no_call_is_lost_while_another_version_comes),
    END_OF_TESTS,
};
