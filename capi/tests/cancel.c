/* Calls that are cancelled: before they run, while they run, too late; by threads, callbacks and signal handlers. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "guests.h"

static wpr_config_t endless_config(void) {
    wpr_config_t config = new_config();
    config.fuel_limit = UINT64_MAX / 2;
    return config;
}

static void a_token_cancels_a_call_that_has_not_begun(void) {
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "counter", "counter", NULL);
    wpr_call_t started;
    wpr_cancel_t token;
    uint32_t progress = 99;
    OK(wpr_call_start(plugin, "increment", NO_ARGS, NULL, &started, E));
    OK(wpr_call_cancel_token(started, &token, E));
    OK(wpr_cancel(token, E));
    FAILS(WPR_NOT_FOUND, wpr_cancel(token, E));
    FAILS(WPR_CANCELLED, wpr_call_run(started, UINT64_MAX, &progress, NULL, E));
    FAILS(WPR_NOT_FOUND, wpr_cancel(token, E));
    FAILS(WPR_NOT_READY, wpr_call_run(started, UINT64_MAX, &progress, NULL, E));
    OK(wpr_cancel_release(token, E));
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_token_cancels_a_call_that_is_paused(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = endless_config();
    wpr_plugin_t plugin = load(registry, "loop", "misbehaving/endless_loop", &config);
    wpr_call_t started;
    wpr_cancel_t token;
    uint32_t progress = 99;
    OK(wpr_call_start(plugin, "run", NO_ARGS, NULL, &started, E));
    OK(wpr_call_run(started, 1000, &progress, NULL, E));
    CHECK_EQ(progress, WPR_RUNNING);
    OK(wpr_call_cancel_token(started, &token, E));
    OK(wpr_cancel(token, E));
    FAILS(WPR_CANCELLED, wpr_call_run(started, UINT64_MAX, &progress, NULL, E));
    OK(wpr_call_release(started, E));
    OK(wpr_cancel_release(token, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_late_token_touches_neither_the_next_call_nor_anything_else(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = new_config();
    config.max_instances = 1;
    wpr_plugin_t plugin = load(registry, "counter", "counter", &config);
    wpr_call_t started, next;
    wpr_cancel_t late, of_an_ended;
    uint32_t progress = 99;
    OK(wpr_call_start(plugin, "increment", NO_ARGS, NULL, &started, E));
    OK(wpr_call_cancel_token(started, &late, E));
    OK(wpr_call_run(started, UINT64_MAX, &progress, NULL, E));
    OK(wpr_call_cancel_token(started, &of_an_ended, E));
    OK(wpr_call_start(plugin, "increment", NO_ARGS, NULL, &next, E));
    FAILS(WPR_NOT_FOUND, wpr_cancel(late, E));
    FAILS(WPR_NOT_FOUND, wpr_cancel(of_an_ended, E));
    OK(wpr_call_run(next, UINT64_MAX, &progress, NULL, E));
    CHECK_EQ(progress, WPR_FINISHED);
    OK(wpr_call_release(started, E));
    OK(wpr_call_release(next, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
    FAILS(WPR_NOT_FOUND, wpr_cancel(late, E)); /* all of it is gone but the token */
    OK(wpr_cancel_release(late, E));
    OK(wpr_cancel_release(of_an_ended, E));
}

static void a_lease_s_token_cancels_its_next_call_and_no_other(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = endless_config();
    wpr_plugin_t plugin = load(registry, "loop", "misbehaving/endless_loop", &config);
    wpr_lease_t lease;
    wpr_cancel_t token;
    wpr_value_t result;
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_lease_cancel_token(lease, &token, E));
    OK(wpr_cancel(token, E));
    FAILS(WPR_CANCELLED, wpr_lease_call(lease, "run", NO_ARGS, NULL, NO_RESULTS, E));
    OK(wpr_lease_call(lease, "ping", NO_ARGS, NULL, &result, 1, NULL, E));
    FAILS(WPR_NOT_FOUND, wpr_cancel(token, E));
    OK(wpr_cancel_release(token, E));
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* --- while it runs ------------------------------------------------------------------------------------------------ */

/* What another thread waits for: a line that the plugin logs while it runs. */
struct watched {
    sem_t runs;
    atomic_int lines;
    atomic_bool stop;
};

static int32_t hear(void *user_data, wpr_host_call_t call, uint32_t level, const char *line, size_t length) {
    (void)call, (void)level, (void)line, (void)length;
    struct watched *watched = user_data;
    if (atomic_fetch_add(&watched->lines, 1) == 0) sem_post(&watched->runs);
    return 0;
}

static wpr_registry_t watched_registry(struct watched *watched) {
    sem_init(&watched->runs, 0, 0);
    wpr_host_t host;
    wpr_host_init(&host, sizeof host);
    host.user_data = watched;
    host.log = hear;
    wpr_registry_options_t options = new_options();
    options.host = &host;
    return registry_with(&options);
}

struct canceller {
    struct watched *watched;
    wpr_cancel_t token;
    wpr_plugin_t plugin;
    wpr_registry_t registry;
    size_t cancelled;
};

static void *cancel_by_token(void *argument) {
    struct canceller *canceller = argument;
    sem_wait(&canceller->watched->runs);
    OK(wpr_cancel(canceller->token, E));
    return NULL;
}

static void *cancel_by_plugin(void *argument) {
    struct canceller *canceller = argument;
    sem_wait(&canceller->watched->runs);
    OK(wpr_plugin_cancel_calls(canceller->plugin, &canceller->cancelled, E));
    return NULL;
}

static void *cancel_by_tenant(void *argument) {
    struct canceller *canceller = argument;
    sem_wait(&canceller->watched->runs);
    OK(wpr_registry_cancel_tenant(canceller->registry, "somebody else", &canceller->cancelled, E));
    CHECK_EQ(canceller->cancelled, 0);
    OK(wpr_registry_cancel_tenant(canceller->registry, "acme", &canceller->cancelled, E));
    return NULL;
}

static void another_thread_cancels_a_call_that_would_never_end(void) {
    void *(*const ways[])(void *) = {cancel_by_token, cancel_by_plugin, cancel_by_tenant};
    for (size_t way = 0; way < 3; way++) {
        struct watched watched = {.lines = 0};
        struct canceller canceller = {.watched = &watched, .registry = watched_registry(&watched)};
        wpr_config_t config = endless_config();
        config.tenant = "acme";
        canceller.plugin = load(canceller.registry, "loop", "misbehaving/endless_host_loop", &config);
        wpr_call_t started;
        uint32_t progress;
        OK(wpr_call_start(canceller.plugin, "log", NO_ARGS, NULL, &started, E));
        OK(wpr_call_cancel_token(started, &canceller.token, E));
        pthread_t thread;
        pthread_create(&thread, NULL, ways[way], &canceller);
        FAILS(WPR_CANCELLED, wpr_call_run(started, UINT64_MAX, &progress, NULL, E));
        pthread_join(thread, NULL);
        CHECK_EQ(canceller.cancelled, way == 0 ? 0 : 1);
        OK(wpr_cancel_release(canceller.token, E));
        OK(wpr_call_release(started, E));
        OK(wpr_plugin_release(canceller.plugin, E));
        release_registry(canceller.registry);
        sem_destroy(&watched.runs);
    }
}

static void a_loop_without_host_calls_is_cancelled_too(void) {
    struct watched watched = {.lines = 0};
    wpr_registry_t registry = watched_registry(&watched);
    wpr_config_t config = endless_config();
    struct canceller canceller = {.watched = &watched};
    canceller.plugin = load(registry, "loop", "misbehaving/endless_loop", &config);
    wpr_call_t started;
    uint32_t progress;
    OK(wpr_call_start(canceller.plugin, "run_with_work", NO_ARGS, NULL, &started, E));
    OK(wpr_call_cancel_token(started, &canceller.token, E));
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_by_token, &canceller);
    OK(wpr_call_run(started, 1000, &progress, NULL, E));
    sem_post(&watched.runs); /* before or while it goes on: it ends in any case */
    FAILS(WPR_CANCELLED, wpr_call_run(started, UINT64_MAX, &progress, NULL, E));
    pthread_join(thread, NULL);
    OK(wpr_cancel_release(canceller.token, E));
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(canceller.plugin, E));
    release_registry(registry);
    sem_destroy(&watched.runs);
}

static void plain_calls_are_cancelled_through_their_plugin(void) {
    struct watched watched = {.lines = 0};
    struct canceller canceller = {.watched = &watched, .registry = watched_registry(&watched)};
    wpr_config_t config = endless_config();
    canceller.plugin = load(canceller.registry, "loop", "misbehaving/endless_host_loop", &config);
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_by_plugin, &canceller);
    FAILS(WPR_CANCELLED, wpr_plugin_call(canceller.plugin, "log", NO_ARGS, NULL, NO_RESULTS, E));
    pthread_join(thread, NULL);
    CHECK_EQ(canceller.cancelled, 1);
    OK(wpr_plugin_cancel_calls(canceller.plugin, &canceller.cancelled, E));
    CHECK_EQ(canceller.cancelled, 0);
    OK(wpr_plugin_cancel_calls(canceller.plugin, NULL, E));
    OK(wpr_plugin_release(canceller.plugin, E));
    release_registry(canceller.registry);
    sem_destroy(&watched.runs);
}

/* --- from a signal handler ---------------------------------------------------------------------------------------- */

static _Atomic uint64_t handled_token;
static atomic_int handled_code, handled;

static void on_signal(int number) {
    (void)number;
    wpr_cancel_t token = {atomic_load(&handled_token)};
    atomic_store(&handled_code, (int)wpr_cancel(token, NULL));
    atomic_fetch_add(&handled, 1);
}

static void handle_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    atomic_store(&handled, 0);
}

static int32_t raise_signal(void *user_data, wpr_host_call_t call, uint32_t level, const char *line, size_t length) {
    (void)call, (void)level, (void)line, (void)length;
    struct watched *watched = user_data;
    if (atomic_fetch_add(&watched->lines, 1) == 3) raise(SIGUSR1);
    return 0;
}

/* Starts a call that never ends, whose token the handler has. */
static wpr_call_t start_for_handler(wpr_plugin_t plugin, const char *function, wpr_cancel_t *token) {
    wpr_call_t started = {0};
    OK(wpr_call_start(plugin, function, NO_ARGS, NULL, &started, E));
    OK(wpr_call_cancel_token(started, token, E));
    atomic_store(&handled_token, token->id);
    return started;
}

static void a_signal_handler_cancels_the_call_it_interrupts_in_a_callback(void) {
    struct watched watched = {.lines = 0};
    wpr_host_t host;
    wpr_host_init(&host, sizeof host);
    host.user_data = &watched;
    host.log = raise_signal;
    wpr_registry_options_t options = new_options();
    options.host = &host;
    wpr_registry_t registry = registry_with(&options);
    wpr_config_t config = endless_config();
    wpr_plugin_t plugin = load(registry, "loop", "misbehaving/endless_host_loop", &config);
    wpr_cancel_t token;
    uint32_t progress;
    handle_signals();
    wpr_call_t started = start_for_handler(plugin, "log", &token);
    FAILS(WPR_CANCELLED, wpr_call_run(started, UINT64_MAX, &progress, NULL, E));
    CHECK_EQ(atomic_load(&handled_code), WPR_OK);
    CHECK_EQ(atomic_load(&watched.lines), 4);
    OK(wpr_call_release(started, E));
    raise(SIGUSR1);
    CHECK_EQ(atomic_load(&handled_code), WPR_NOT_FOUND);
    OK(wpr_cancel_release(token, E));
    raise(SIGUSR1);
    CHECK_EQ(atomic_load(&handled_code), WPR_INVALID_HANDLE);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static pthread_t interrupted;

static void *interrupt_again_and_again(void *argument) {
    struct watched *watched = argument;
    while (!atomic_load(&watched->stop)) pthread_kill(interrupted, SIGUSR1);
    return NULL;
}

static void signals_at_any_moment_cancel_what_runs_and_break_nothing(void) {
    wpr_registry_t registry = new_registry();
    wpr_config_t config = endless_config();
    wpr_plugin_t plugin = load(registry, "loop", "misbehaving/endless_loop", &config);
    struct watched watched = {.lines = 0};
    atomic_store(&handled_token, 0);
    interrupted = pthread_self();
    handle_signals();
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt_again_and_again, &watched);
    for (int i = 0; i < times(50); i++) {
        wpr_cancel_t token;
        uint32_t progress;
        wpr_call_t started = start_for_handler(plugin, "run", &token);
        FAILS(WPR_CANCELLED, wpr_call_run(started, UINT64_MAX, &progress, NULL, E));
        OK(wpr_call_release(started, E));
        /* The handler must not use what is released meanwhile. */
        atomic_store(&handled_token, 0);
        OK(wpr_cancel_release(token, E));
    }
    atomic_store(&watched.stop, true);
    pthread_join(thread, NULL);
    CHECK(atomic_load(&handled) > 0);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

const struct test cancel_tests[] = {
    TEST(a_token_cancels_a_call_that_has_not_begun),
    TEST(a_token_cancels_a_call_that_is_paused),
    TEST(a_late_token_touches_neither_the_next_call_nor_anything_else),
    TEST(a_lease_s_token_cancels_its_next_call_and_no_other),
    TEST(another_thread_cancels_a_call_that_would_never_end),
    TEST(a_loop_without_host_calls_is_cancelled_too),
    TEST(plain_calls_are_cancelled_through_their_plugin),
    TEST(a_signal_handler_cancels_the_call_it_interrupts_in_a_callback),
    TEST(signals_at_any_moment_cancel_what_runs_and_break_nothing),
    END_OF_TESTS,
};
