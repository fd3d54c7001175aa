/* The same tests with the library built without the standard library, on a heap that counts. What the library keeps for
   good is the tables of its handles, which grow with the most that there were at once: when all tests have run again,
   it holds what it held before. */
#include <stdio.h>

#include "check.h"
#include "hooks.h"

enum { MOST_ROUNDS = 6 };

static int nothing_is_left_behind(void) {
    struct heap before = heap_now();
    printf("after the tests the library holds %zu blocks of %zu bytes, of %zu that it asked for\n", before.blocks,
           before.bytes, before.allocations);
    for (int round = 2; round <= MOST_ROUNDS; round++) {
        if (run_tests_again() > 0) return 1;
        struct heap now = heap_now();
        printf("after round %d: %zu blocks of %zu bytes, of %zu\n", round, now.blocks, now.bytes, now.allocations);
        if (now.blocks == before.blocks && now.bytes == before.bytes) return 0;
        before = now;
    }
    return 1;
}

int main(int argc, char **argv) {
    int failed = run_tests(argc, argv);
    if (argc > 1) return failed == 0 ? 0 : 1;
    int left = nothing_is_left_behind();
    printf("everything that was allocated is freed ... %s\n", left ? "FAILED" : "ok");
    printf("%d passed, %d failed\n", !left, left);
    return failed == 0 && left == 0 ? 0 : 1;
}
