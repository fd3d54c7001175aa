/* The four hooks. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hooks.h"
#include "wasm_runtime.h"

static atomic_size_t blocks, bytes, allocations, failing;

struct heap heap_now(void) {
    return (struct heap){atomic_load(&blocks), atomic_load(&bytes), atomic_load(&allocations)};
}

void fail_allocation(size_t nth) { atomic_store(&failing, nth == 0 ? 0 : atomic_load(&allocations) + nth); }

/* In front of each block: what was asked for, to be asked for the same when it is freed. */
struct front {
    size_t size, align;
};

static size_t room_for_front(size_t align) { return align > sizeof(struct front) ? align : sizeof(struct front); }

void *wpr_hook_alloc(size_t size, size_t align) {
    size_t front = room_for_front(align), nth = atomic_fetch_add(&allocations, 1) + 1;
    if (nth == atomic_load(&failing)) return NULL;
    if (size == 0 || align == 0 || (align & (align - 1)) != 0) wpr_hook_abort("not a layout", 12);
    if (size > SIZE_MAX / 2) return NULL;
    char *block = aligned_alloc(front, (front + size + front - 1) / front * front);
    if (!block) return NULL;
    struct front *asked = (struct front *)(void *)(block + front) - 1;
    *asked = (struct front){size, align};
    atomic_fetch_add(&blocks, 1);
    atomic_fetch_add(&bytes, size);
    return block + front;
}

void wpr_hook_free(void *block, size_t size, size_t align) {
    struct front *asked = (struct front *)block - 1;
    if (asked->size != size || asked->align != align) wpr_hook_abort("freed otherwise", 15);
    asked->size = 0;
    atomic_fetch_sub(&blocks, 1);
    atomic_fetch_sub(&bytes, size);
    free((char *)block - room_for_front(align));
}

void wpr_hook_abort(const char *message, size_t length) {
    fflush(stdout);
    fprintf(stderr, "aborted: %.*s\n", (int)length, message);
    _exit(ABORTED);
}

void **wpr_hook_thread_word(void) {
    static _Thread_local void *word;
    return &word;
}
