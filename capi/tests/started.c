/* Calls that are run piece by piece: paused, gone on with, answered later, left. */
#include "guests.h"

static void a_call_divided_in_any_way_answers_and_costs_what_a_plain_one_does(void) {
    static const char *const functions[] = {"sieve", "fib", "crc32", "sort", "mandelbrot"};
    static const uint64_t slices[] = {1, 7, 100, 1009, 65536, UINT64_MAX};
    wpr_registry_t registry = new_registry();
    wpr_plugin_t plugin = load(registry, "kernels", "kernels", NULL);
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        wpr_value_t expected = call(plugin, functions[f], ARGS(wpr_i32(12)));
        uint64_t fuel = 0;
        for (size_t s = 0; s < sizeof slices / sizeof *slices; s++) {
            wpr_call_t started;
            uint32_t progress = WPR_RUNNING;
            uint64_t spent = 0;
            int runs = 0;
            OK(wpr_call_start(plugin, functions[f], ARGS(wpr_i32(12)), NULL, &started, E));
            for (; progress == WPR_RUNNING; runs++)
                if (!OK(wpr_call_run(started, slices[s], &progress, NULL, E))) break;
            CHECK_EQ(progress, WPR_FINISHED);
            CHECK(s > 0 || runs > 1);
            for (int again = 0; again < 2; again++) {
                wpr_value_t result = {WPR_NONE, {0}};
                size_t count = 0;
                OK(wpr_call_results(started, &result, 1, &count, E));
                CHECK(count == 1 && same_value(result, expected));
            }
            OK(wpr_call_fuel_spent(started, &spent, E));
            CHECK(fuel == 0 || spent == fuel);
            fuel = spent;
            OK(wpr_call_release(started, E));
        }
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* --- answers that come later -------------------------------------------------------------------------------------- */

/* `later(ticket, out, capacity)`, and the like without an output: the answer comes under that ticket. */
static int32_t later(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                     wpr_value_t *result) {
    (void)user_data, (void)result;
    if (arg_count == 3) {
        int32_t status = wpr_host_call_answer_to(call, (uint32_t)args[1].of.i32, (uint32_t)args[2].of.i32);
        if (status < 0) return status;
        const uint8_t *bytes = NULL;
        CHECK_EQ(wpr_host_call_memory(call, 0, 1, &bytes), WPR_HOST_INVALID_ARGUMENTS);
    }
    int32_t can = wpr_host_call_can_suspend(call), status = wpr_host_call_suspend(call, (uint64_t)args[0].of.i32);
    CHECK(can == 0 || can == 1);
    CHECK_EQ(status, can ? WPR_HOST_PENDING : WPR_HOST_NOT_SUPPORTED);
    return status;
}

static wpr_registry_t waiting_registry(void) {
    static const uint32_t three[] = {WPR_I32, WPR_I32, WPR_I32};
    wpr_host_function_t functions[] = {new_function(later, NULL, three, 3, WPR_I32),
                                       new_function(later, NULL, three, 1, WPR_F64),
                                       new_function(later, NULL, three, 1, WPR_NONE)};
    functions[0].name = "later", functions[1].name = "later_f64", functions[2].name = "later_nothing";
    return registry_of(functions, 3);
}

static wpr_plugin_t load_waiter(wpr_registry_t registry, const char *name) {
    wpr_config_t config = new_config();
    static const char *const callees[] = {"waiter-*"};
    config.can_call_plugin = callees;
    config.can_call_plugin_count = 1;
    return load(registry, name, "waiter", &config);
}

static wpr_call_t start(wpr_plugin_t plugin, const char *function, int32_t arg) {
    wpr_call_t started = {0};
    OK(wpr_call_start(plugin, function, ARGS(wpr_i32(arg)), NULL, &started, E));
    return started;
}

static uint32_t run(wpr_call_t started, uint64_t *ticket) {
    uint32_t progress = 99;
    OK(wpr_call_run(started, UINT64_MAX, &progress, ticket, E));
    return progress;
}

static void runs_to_its_ticket(wpr_call_t started, uint64_t expected) {
    uint64_t ticket = 0;
    CHECK_EQ(run(started, &ticket), WPR_SUSPENDED);
    CHECK_EQ(ticket, expected);
}

static int32_t finishes_with_i32(wpr_call_t started) {
    wpr_value_t result = {WPR_NONE, {0}};
    CHECK_EQ(run(started, NULL), WPR_FINISHED);
    OK(wpr_call_results(started, &result, 1, NULL, E));
    CHECK_EQ(result.kind, WPR_I32);
    return result.of.i32;
}

static void a_suspended_call_goes_on_with_the_answer(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    static const char *const functions[] = {"wait", "wait_in_tail_call", "wait_below_tail_call"};
    static const int32_t expected[] = {1005, 5, 75};
    for (size_t i = 0; i < 3; i++) {
        wpr_call_t started = start(plugin, functions[i], 7);
        runs_to_its_ticket(started, 7);
        runs_to_its_ticket(started, 7); /* it is still waiting */
        wpr_value_t value = wpr_i32(5);
        OK(wpr_call_complete(started, 7, &value, (const uint8_t *)"12345", 5, E));
        CHECK_EQ(finishes_with_i32(started), expected[i]);
        OK(wpr_call_release(started, E));
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void results_of_other_types_are_answered_later_too(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    wpr_call_t started = start(plugin, "wait_f64", 3);
    wpr_value_t integer = wpr_i32(1), number = wpr_f64(1.25), result;
    runs_to_its_ticket(started, 3);
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_call_complete(started, 3, &integer, NULL, 0, E));
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_call_complete(started, 3, NULL, NULL, 0, E));
    wpr_value_t reference = externref(1);
    FAILS(WPR_INVALID_ARGUMENT, wpr_call_complete(started, 3, &reference, NULL, 0, E));
    OK(wpr_call_complete(started, 3, &number, NULL, 0, E));
    CHECK_EQ(run(started, NULL), WPR_FINISHED);
    OK(wpr_call_results(started, &result, 1, NULL, E));
    CHECK(result.of.f64 == 2.5);
    OK(wpr_call_release(started, E));
    started = start(plugin, "wait_for_nothing", 4);
    runs_to_its_ticket(started, 4);
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_call_complete(started, 4, &integer, NULL, 0, E));
    OK(wpr_call_complete(started, 4, NULL, NULL, 0, E));
    CHECK_EQ(finishes_with_i32(started), 5);
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_ticket_is_good_once_and_no_other_is(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    wpr_call_t started = start(plugin, "wait", 7);
    wpr_value_t value = wpr_i32(5);
    FAILS(WPR_NOT_FOUND, wpr_call_complete(started, 7, &value, NULL, 0, E));
    runs_to_its_ticket(started, 7);
    FAILS(WPR_NOT_FOUND, wpr_call_complete(started, 8, &value, NULL, 0, E));
    FAILS(WPR_NOT_FOUND, wpr_call_fail(started, 8, WPR_HOST_FAILED, E));
    OK(wpr_call_complete(started, 7, &value, NULL, 0, E));
    FAILS(WPR_NOT_FOUND, wpr_call_complete(started, 7, &value, NULL, 0, E));
    CHECK_EQ(finishes_with_i32(started), 1005);
    FAILS(WPR_NOT_FOUND, wpr_call_complete(started, 7, &value, NULL, 0, E));
    FAILS(WPR_NOT_READY, wpr_call_run(started, 1, &(uint32_t){0}, NULL, E));
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void an_answer_may_be_an_error(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    static const char *const functions[] = {"wait", "wait_f64", "wait_for_nothing"};
    for (size_t i = 0; i < 3; i++) {
        wpr_call_t started = start(plugin, functions[i], 7);
        runs_to_its_ticket(started, 7);
        static const int32_t none[] = {0, 1, INT32_MAX, WPR_HOST_PENDING};
        for (size_t n = 0; n < 4; n++) FAILS(WPR_INVALID_ARGUMENT, wpr_call_fail(started, 7, none[n], E));
        OK(wpr_call_fail(started, 7, WPR_HOST_NOT_FOUND, E));
        if (i == 0)
            CHECK_EQ(finishes_with_i32(started), 1000 + WPR_HOST_NOT_FOUND);
        else
            FAILS(WPR_HOST, wpr_call_run(started, UINT64_MAX, &(uint32_t){0}, NULL, E));
        OK(wpr_call_release(started, E));
    }
    wpr_call_t started = start(plugin, "wait", 7);
    runs_to_its_ticket(started, 7);
    OK(wpr_call_fail(started, 7, WPR_HOST_ABORT, E));
    FAILS(WPR_HOST, wpr_call_run(started, UINT64_MAX, &(uint32_t){0}, NULL, E));
    FAILS(WPR_NOT_READY, wpr_call_run(started, UINT64_MAX, &(uint32_t){0}, NULL, E));
    FAILS(WPR_NOT_READY, wpr_call_results(started, NO_RESULTS, E));
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void an_output_that_does_not_fit_is_left_out_and_paid_for(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    static uint8_t output[100];
    uint64_t spent[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        static const size_t lengths[] = {0, 8, 100};
        wpr_call_t started = start(plugin, "wait", 7);
        wpr_value_t value = wpr_i32((int32_t)lengths[i]);
        runs_to_its_ticket(started, 7);
        OK(wpr_call_complete(started, 7, &value, output, lengths[i], E));
        CHECK_EQ(finishes_with_i32(started), 1000 + (int32_t)lengths[i]);
        OK(wpr_call_fuel_spent(started, &spent[i], E));
        OK(wpr_call_release(started, E));
    }
    CHECK_EQ(spent[1] - spent[0], 2);
    CHECK_EQ(spent[2] - spent[0], 4);
    wpr_call_t started = start(plugin, "wait_outside", 7);
    CHECK_EQ(finishes_with_i32(started), WPR_HOST_INVALID_ARGUMENTS);
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_call_waits_as_often_as_it_likes(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    wpr_call_t started = start(plugin, "wait_often", 20);
    for (int32_t ticket = 20; ticket > 0; ticket--) {
        wpr_value_t value = wpr_i32(ticket);
        runs_to_its_ticket(started, (uint64_t)ticket);
        OK(wpr_call_complete(started, (uint64_t)ticket, &value, NULL, 0, E));
    }
    CHECK_EQ(finishes_with_i32(started), 210);
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_plain_call_cannot_wait(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    CHECK_EQ(call_i32(plugin, "wait", ARGS(wpr_i32(7))), 1000 + WPR_HOST_NOT_SUPPORTED);
    wpr_lease_t lease;
    wpr_value_t result;
    OK(wpr_plugin_lease(plugin, &lease, E));
    OK(wpr_lease_call(lease, "wait", ARGS(wpr_i32(7)), NULL, &result, 1, NULL, E));
    CHECK_EQ(result.of.i32, 1000 + WPR_HOST_NOT_SUPPORTED);
    OK(wpr_lease_release(lease, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_plugin_that_was_called_waits_with_its_caller(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter"), callee = load_waiter(registry, "waiter-b");
    wpr_call_t started;
    wpr_value_t value = wpr_i32(0);
    OK(wpr_call_start(plugin, "ask_to_wait", NO_ARGS, NULL, &started, E));
    runs_to_its_ticket(started, 7);
    OK(wpr_call_complete(started, 7, &value, NULL, 0, E));
    CHECK_EQ(finishes_with_i32(started), 104);
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(plugin, E));
    OK(wpr_plugin_release(callee, E));
    release_registry(registry);
}

static void bytes_are_answered_later_too(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    wpr_call_t started;
    wpr_bytes_t answer = {77};
    wpr_value_t value = wpr_i32(0);
    const uint8_t *data = NULL;
    size_t length = 0;
    OK(wpr_call_start_bytes(plugin, "wait_bytes", (const uint8_t *)"hello", 5, NULL, &started, E));
    FAILS(WPR_NOT_READY, wpr_call_answer(started, &answer, E));
    runs_to_its_ticket(started, 7);
    FAILS(WPR_NOT_READY, wpr_call_answer(started, &answer, E));
    CHECK_EQ(answer.id, 77);
    OK(wpr_call_complete(started, 7, &value, NULL, 0, E));
    CHECK_EQ(run(started, NULL), WPR_FINISHED);
    OK(wpr_call_answer(started, &answer, E));
    OK(wpr_call_release(started, E));
    OK(wpr_bytes_view(answer, &data, &length, E));
    CHECK(is_text((const char *)data, length, "hello"));
    OK(wpr_bytes_release(answer, E));
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_call_start_bytes(plugin, "wait", NULL, 0, NULL, &started, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

/* --- calls that are left ------------------------------------------------------------------------------------------ */

static void a_call_released_in_any_state_gives_its_sandbox_back(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_config_t config = new_config();
    config.max_instances = 1;
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", &config);
    for (int state = 0; state < 4; state++) {
        wpr_call_t started = start(plugin, state == 1 ? "spin" : "wait", 7);
        uint32_t progress;
        FAILS(WPR_BUSY, wpr_plugin_call(plugin, "spin", ARGS(wpr_i32(1)), NULL, NO_RESULTS, E));
        if (state == 1) OK(wpr_call_run(started, 5, &progress, NULL, E));
        if (state >= 2) runs_to_its_ticket(started, 7);
        wpr_value_t value = wpr_i32(5);
        if (state == 3) OK(wpr_call_complete(started, 7, &value, NULL, 0, E));
        OK(wpr_call_release(started, E));
        CHECK_EQ(call_i32(plugin, "spin", ARGS(wpr_i32(1))), 1);
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_call_goes_on_when_its_plugin_is_unloaded_and_everything_else_is_released(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    wpr_call_t started = start(plugin, "wait", 7), other = start(plugin, "wait", 8);
    runs_to_its_ticket(started, 7);
    OK(wpr_registry_unload(registry, "waiter", E));
    uint32_t state = 0;
    OK(wpr_plugin_state(plugin, &state, E));
    CHECK_EQ(state, WPR_UNLOADING);
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
    wpr_value_t value = wpr_i32(5);
    OK(wpr_call_complete(started, 7, &value, NULL, 0, E));
    CHECK_EQ(finishes_with_i32(started), 1005);
    OK(wpr_call_release(started, E));
    runs_to_its_ticket(other, 8);
    OK(wpr_call_release(other, E));
}

static void an_error_ends_the_call(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    wpr_call_t started;
    uint32_t progress = 99;
    OK(wpr_call_start(plugin, "trap", NO_ARGS, NULL, &started, E));
    FAILS(WPR_TRAP, wpr_call_run(started, 1000, &progress, NULL, E));
    CHECK_EQ(E->trap_code, 1);
    CHECK_EQ(progress, 99);
    FAILS(WPR_NOT_READY, wpr_call_run(started, 1000, &progress, NULL, E));
    FAILS(WPR_NOT_READY, wpr_call_results(started, NO_RESULTS, E));
    OK(wpr_call_release(started, E));
    wpr_call_options_t options;
    wpr_call_options_init(&options, sizeof options);
    options.fuel = 500;
    OK(wpr_call_start(plugin, "spin", ARGS(wpr_i32(-1)), &options, &started, E));
    wpr_code_t code = WPR_OK;
    for (int i = 0; i < 1000 && code == WPR_OK; i++) code = wpr_call_run(started, 10, &progress, NULL, E);
    FAILS(WPR_OUT_OF_FUEL, code);
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_call_that_cannot_start_is_an_error_and_takes_no_sandbox(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_config_t config = new_config();
    config.max_instances = 2;
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", &config);
    wpr_call_t calls[3];
    FAILS(WPR_FUNCTION_NOT_FOUND, wpr_call_start(plugin, "no", NO_ARGS, NULL, &calls[0], E));
    FAILS(WPR_SIGNATURE_MISMATCH, wpr_call_start(plugin, "wait", NO_ARGS, NULL, &calls[0], E));
    for (int i = 0; i < 2; i++) calls[i] = start(plugin, "wait", i);
    FAILS(WPR_BUSY, wpr_call_start(plugin, "wait", ARGS(wpr_i32(2)), NULL, &calls[2], E));
    for (int i = 0; i < 2; i++) OK(wpr_call_release(calls[i], E));
    OK(wpr_registry_unload(registry, "waiter", E));
    FAILS(WPR_UNLOADED, wpr_call_start(plugin, "wait", ARGS(wpr_i32(2)), NULL, &calls[2], E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void a_run_with_no_fuel_runs_nothing(void) {
    wpr_registry_t registry = waiting_registry();
    wpr_plugin_t plugin = load_waiter(registry, "waiter");
    wpr_call_t started = start(plugin, "spin", 3);
    uint64_t spent = 1;
    for (int i = 0; i < 3; i++) {
        uint32_t progress = 99;
        OK(wpr_call_run(started, 0, &progress, NULL, E));
        CHECK_EQ(progress, WPR_RUNNING);
    }
    OK(wpr_call_fuel_spent(started, &spent, E));
    CHECK_EQ(spent, 0);
    CHECK_EQ(finishes_with_i32(started), 3);
    OK(wpr_call_release(started, E));
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

static void many_calls_are_under_way_at_once(void) {
    enum { MANY = 64 };
    wpr_registry_t registry = waiting_registry();
    wpr_config_t config = new_config();
    config.max_instances = MANY;
    wpr_plugin_t plugin = load(registry, "waiter", "waiter", &config);
    wpr_call_t calls[MANY];
    for (int i = 0; i < MANY; i++) calls[i] = start(plugin, "wait", i);
    for (int i = 0; i < MANY; i++) runs_to_its_ticket(calls[i], (uint64_t)i);
    for (int i = MANY; i-- > 0;) {
        wpr_value_t value = wpr_i32(i);
        OK(wpr_call_complete(calls[i], (uint64_t)i, &value, NULL, 0, E));
    }
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(finishes_with_i32(calls[i]), 1000 + i);
        OK(wpr_call_release(calls[i], E));
    }
    OK(wpr_plugin_release(plugin, E));
    release_registry(registry);
}

const struct test started_tests[] = {
    TEST(a_call_divided_in_any_way_answers_and_costs_what_a_plain_one_does),
    TEST(a_suspended_call_goes_on_with_the_answer),
    TEST(results_of_other_types_are_answered_later_too),
    TEST(a_ticket_is_good_once_and_no_other_is),
    TEST(an_answer_may_be_an_error),
    TEST(an_output_that_does_not_fit_is_left_out_and_paid_for),
    TEST(a_call_waits_as_often_as_it_likes),
    TEST(a_plain_call_cannot_wait),
    TEST(a_plugin_that_was_called_waits_with_its_caller),
    TEST(bytes_are_answered_later_too),
    TEST(a_call_released_in_any_state_gives_its_sandbox_back),
    TEST(a_call_goes_on_when_its_plugin_is_unloaded_and_everything_else_is_released),
    TEST(an_error_ends_the_call),
    TEST(a_call_that_cannot_start_is_an_error_and_takes_no_sandbox),
    TEST(a_run_with_no_fuel_runs_nothing),
    TEST(many_calls_are_under_way_at_once),
    END_OF_TESTS,
};
