/* A heap of the program's own that counts, for the library without the standard library. */
#ifndef HOOKS_H
#define HOOKS_H

#include <stddef.h>

/* Blocks and bytes that the library holds now, and how often it asked for one so far. */
struct heap {
    size_t blocks, bytes, allocations;
};

struct heap heap_now(void);

/* The n-th allocation from now on fails; 0: none does. */
void fail_allocation(size_t nth);

/* With what the abort hook ends the process. */
enum { ABORTED = 77 };

#endif
