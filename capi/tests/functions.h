/* Every function that takes a handle, as something that is given the handle's number: `test.sh` checks that none is
   missing. */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include "guests.h"

enum kind { REGISTRY, PLUGIN, FUNCTION, CALL, LEASE, CANCEL, BYTES, KINDS };

/* What a function does with what it is given. */
enum effect {
    STAYS,   /* it can be used on */
    RUNS,    /* a plugin runs, which it may not from a callback */
    RELEASES /* it is gone, or its plugins are */
};

/* Where all of them put what they answer. */
struct out {
    wpr_bytes_t bytes;
    wpr_plugin_t plugin;
    wpr_function_t function;
    wpr_call_t call;
    wpr_lease_t lease;
    wpr_cancel_t cancel;
    size_t size, other_size;
    uint32_t word, words[16], other_words[16];
    uint64_t number, other_number;
    wpr_value_t value, values[WPR_MAX_VALUES];
    const uint8_t *pointer;
    uint8_t data[64];
    char text[64];
    wpr_stats_t stats;
    wpr_usage_t usage;
    wpr_audit_record_t record;
    wpr_maintained_t maintained;
};

struct use {
    const char *name;
    enum kind kind;
    enum effect effect;
    wpr_code_t (*with)(uint64_t id, struct out *out);
};

extern const struct use uses[];
extern const size_t use_count;

/* One thing of each kind, and what they belong to: a plugin `waiter`, in a registry that has what it imports. */
struct world {
    uint64_t ids[KINDS];
};

struct world new_world(void);
/* Releases what is left of it. */
void release_world(struct world *world);
wpr_code_t release_of_kind(enum kind kind, uint64_t id);

/* Makes everything in it recognisable, and fit to be answered to. */
void poison(struct out *out);
/* Releases the handles that were answered. */
void release_answered(struct out *out);

/* Whether a use of that number is told to be invalid, and writes nothing. */
bool is_refused(const struct use *use, uint64_t id);

#endif
