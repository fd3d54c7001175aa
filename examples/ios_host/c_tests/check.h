/* What the tests share: plugins of the repository, checks that count, and memory that is gone after the call. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasm_runtime.h"

static int checks_failed;

#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            checks_failed++;                                                                 \
        }                                                                                    \
    } while (0)

#define CHECK_CODE(expected, asked)                                                          \
    do {                                                                                     \
        wpr_code_t got_ = (asked), want_ = (expected);                                       \
        if (got_ != want_) {                                                                 \
            fprintf(stderr, "%s:%d: code %d, not %d: %s\n", __FILE__, __LINE__, (int)got_,   \
                    (int)want_, #asked);                                                     \
            checks_failed++;                                                                 \
        }                                                                                    \
    } while (0)

#define OK(asked) CHECK_CODE(WPR_OK, asked)

static const char *fixtures;

typedef struct {
    uint8_t *bytes;
    size_t length;
} module_t;

static module_t fixture(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s.wasm", fixtures, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    module_t module = {malloc(1 << 20), 0};
    module.length = fread(module.bytes, 1, 1 << 20, file);
    fclose(file);
    return module;
}

/* Memory that is lent to the library for a call, as `Lent` in the wrapper does. */
typedef struct {
    void *blocks[64];
    size_t sizes[64];
    size_t count;
} lent_t;

static const void *lend(lent_t *lent, const void *what, size_t size) {
    void *block = malloc(size);
    memcpy(block, what, size);
    lent->blocks[lent->count] = block;
    lent->sizes[lent->count++] = size;
    return block;
}

static const char *lend_text(lent_t *lent, const char *text) { return lend(lent, text, strlen(text) + 1); }

/* Takes it back, as other bytes: whoever looks at it from now on finds them, or is stopped by the sanitizer. */
static void take_back(lent_t *lent) {
    for (size_t i = 0; i < lent->count; i++) {
        memset(lent->blocks[i], 0xAA, lent->sizes[i]);
        free(lent->blocks[i]);
    }
    lent->count = 0;
}

#endif
