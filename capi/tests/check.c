/* Checks, and what runs the tests. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

/* What `error.code` is before a call: the library fills the error in if the call fails, and else leaves it alone. */
enum { UNTOUCHED = -12345 };
/* More are counted and not told. */
enum { MOST_TOLD = 20 };

static atomic_int failures;
static _Thread_local wpr_error_t last_error;

static bool fail(const char *file, int line) {
    if (atomic_fetch_add(&failures, 1) >= MOST_TOLD) return false;
    const char *name = strrchr(file, '/');
    fprintf(stderr, "  %s:%d: ", name ? name + 1 : file, line);
    return true;
}

bool check_that(bool holds, const char *what, const char *file, int line) {
    if (!holds && fail(file, line)) fprintf(stderr, "%s does not hold\n", what);
    return holds;
}

bool check_equal(uint64_t actual, uint64_t expected, const char *a, const char *b, const char *file, int line) {
    if (actual != expected && fail(file, line))
        fprintf(stderr, "%s is %" PRIu64 " (%" PRId64 "), not %s, %" PRIu64 " (%" PRId64 ")\n", a, actual,
                (int64_t)actual, b, expected, (int64_t)expected);
    return actual == expected;
}

bool check_text(const char *actual, const char *expected, const char *what, const char *file, int line) {
    bool same = strcmp(actual, expected) == 0;
    if (!same && fail(file, line)) fprintf(stderr, "%s is \"%s\", not \"%s\"\n", what, actual, expected);
    return same;
}

bool check_has(const char *text, const char *part, const char *what, const char *file, int line) {
    bool has = strstr(text, part) != NULL;
    if (!has && fail(file, line)) fprintf(stderr, "%s is \"%s\", in which there is no \"%s\"\n", what, text, part);
    return has;
}

void check_begin(void) { last_error.code = UNTOUCHED; }

wpr_error_t *check_error(void) { return &last_error; }

/* Whether the error says what it has to about a call that was answered so. */
static bool error_is_right(wpr_code_t code) {
    if (last_error.code == UNTOUCHED) return true;
    const char *end = memchr(last_error.message, 0, WPR_MESSAGE_BYTES);
    size_t length = end ? (size_t)(end - last_error.message) : WPR_MESSAGE_BYTES;
    bool whole = last_error.message_length == length;
    bool cut = last_error.message_length > length && length >= WPR_MESSAGE_BYTES - 4 && length < WPR_MESSAGE_BYTES;
    return code != WPR_OK && last_error.code == code && length > 0 && (whole || cut);
}

bool check_code(wpr_code_t actual, wpr_code_t expected, const char *what, const char *file, int line) {
    bool right = error_is_right(actual), told = last_error.code != UNTOUCHED;
    /* For a call further up, of which this one is in a callback. */
    last_error.code = UNTOUCHED;
    if (actual == expected && right) return true;
    if (fail(file, line)) {
        fprintf(stderr, "%s answered %d, not %d", what, (int)actual, (int)expected);
        if (told) fprintf(stderr, ": %.*s", WPR_MESSAGE_BYTES, last_error.message);
        fputs(right ? "\n" : " (and the error is not filled in as it should be)\n", stderr);
    }
    return false;
}

int times(int often) {
    const char *slower = getenv("SLOWER");
    int by = slower ? atoi(slower) : 1;
    return by > 1 && often > by ? often / by : often;
}

uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static const struct test *const all[] = {
    lifecycle_tests, values_tests, bytes_tests,  host_function_tests, storage_tests, started_tests,
    cancel_tests,    limits_tests, lease_tests,  table_tests,         config_tests,  text_tests,
    misuse_tests,    pointer_tests, callback_tests, thread_tests,     log_tests,     maintenance_tests,
#ifdef WITHOUT_STD
    allocation_tests,
#endif
};

static bool is_wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i])) return true;
    return argc <= 1;
}

static bool passes(const struct test *test) {
    atomic_store(&failures, 0);
    test->run();
    return atomic_load(&failures) == 0;
}

/* Without one nothing below can be tested, and some of it would wait for ever. */
static bool registries_can_be_made(void) {
    wpr_registry_t registry;
    wpr_error_t error;
    if (wpr_registry_new(NULL, &registry, &error) != WPR_OK) {
        printf("%s\n", error.message);
        return false;
    }
    return wpr_registry_release(registry, NULL) == WPR_OK;
}

int run_tests(int argc, char **argv) {
    int passed = 0, failed = 0;
    if (!registries_can_be_made()) return 1;
    for (size_t list = 0; list < sizeof all / sizeof *all; list++)
        for (const struct test *test = all[list]; test->name; test++) {
            if (!is_wanted(test->name, argc, argv)) continue;
            printf("%s ... ", test->name);
            fflush(stdout);
            bool ok = passes(test);
            puts(ok ? "ok" : "FAILED");
            ok ? passed++ : failed++;
        }
    printf("%d passed, %d failed\n", passed, failed);
    return passed + failed > 0 ? failed : 1;
}

int run_tests_again(void) {
    int failed = 0;
    for (size_t list = 0; list < sizeof all / sizeof *all; list++)
        for (const struct test *test = all[list]; test->name; test++)
            if (!passes(test)) {
                printf("%s ... FAILED when it ran again\n", test->name);
                failed++;
            }
    return failed;
}
