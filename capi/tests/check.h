/* What the tests are written with: checks that say where and with which values they fail, and the list of tests. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wasm_runtime.h"

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}
#define END_OF_TESTS {NULL, NULL}

/* A check that fails is told, and the test goes on: it may be in a callback, which has to return. */
#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQ(actual, expected) \
    check_equal((uint64_t)(actual), (uint64_t)(expected), #actual, #expected, __FILE__, __LINE__)
#define CHECK_TEXT(actual, expected) check_text((actual), (expected), #actual, __FILE__, __LINE__)
#define CHECK_HAS(text, part) check_has((text), (part), #text, __FILE__, __LINE__)

/* The error of this thread's last call in one of the next two. */
#define E (check_error())
#define OK(call) (check_begin(), check_code((call), WPR_OK, #call, __FILE__, __LINE__))
#define FAILS(code, call) (check_begin(), check_code((call), (code), #call, __FILE__, __LINE__))

bool check_that(bool holds, const char *what, const char *file, int line);
bool check_equal(uint64_t actual, uint64_t expected, const char *a, const char *b, const char *file, int line);
bool check_text(const char *actual, const char *expected, const char *what, const char *file, int line);
bool check_has(const char *text, const char *part, const char *what, const char *file, int line);
bool check_code(wpr_code_t actual, wpr_code_t expected, const char *what, const char *file, int line);
void check_begin(void);
wpr_error_t *check_error(void);

/* How often a test does what it does often: fewer times where SLOWER says that everything takes longer. */
int times(int often);

/* Numbers that look random and are the same in each run. */
uint64_t next_random(uint64_t *state);

/* Runs the tests that are named, or all; returns how many failed. */
int run_tests(int argc, char **argv);
/* Runs all tests without a word unless they fail. */
int run_tests_again(void);

extern const struct test lifecycle_tests[], values_tests[], bytes_tests[], host_function_tests[], storage_tests[],
    started_tests[], cancel_tests[], limits_tests[], lease_tests[], table_tests[], config_tests[], text_tests[],
    misuse_tests[], maintenance_tests[], pointer_tests[], callback_tests[], thread_tests[], log_tests[], allocation_tests[];

#endif
