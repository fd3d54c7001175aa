/* The memory and globals of a sandbox that is held. */

#include "shim.h"

static wpr_lease_t lease_of(jlong id) { return (wpr_lease_t){(uint64_t)id}; }

NATIVE(jbyteArray, leaseRead)(JNIEnv *env, SELF, jlong id, jbyteArray memory, jlong offset, jint length) {
    struct work work;
    jbyteArray answer = NULL;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name = text_of(&work, memory);
    uint8_t *bytes = room_for(&work, (size_t)length, 1);
    if (!work.failed) {
        code = wpr_lease_read(lease_of(id), name, (uint64_t)offset, bytes, (size_t)length, &work.error);
        if (code == WPR_OK)
            answer = new_bytes(env, bytes, (size_t)length);
    }
    end(&work, code);
    return answer;
}

NATIVE(void, leaseWrite)(JNIEnv *env, SELF, jlong id, jbyteArray memory, jlong offset, jbyteArray from) {
    struct work work;
    size_t length;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name = text_of(&work, memory);
    const uint8_t *bytes = bytes_of(&work, from, &length);
    if (!work.failed)
        code = wpr_lease_write(lease_of(id), name, (uint64_t)offset, bytes, length, &work.error);
    end(&work, code);
}

NATIVE(jlong, leaseMemoryBytes)(JNIEnv *env, SELF, jlong id, jbyteArray memory) {
    struct work work;
    uint64_t bytes = 0;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name = text_of(&work, memory);
    if (!work.failed)
        code = wpr_lease_memory_bytes(lease_of(id), name, &bytes, &work.error);
    end(&work, code);
    return (jlong)bytes;
}

NATIVE(jlong, leaseGrow)(JNIEnv *env, SELF, jlong id, jbyteArray memory, jlong pages) {
    struct work work;
    uint64_t before = 0;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name = text_of(&work, memory);
    if (!work.failed)
        code = wpr_lease_grow(lease_of(id), name, (uint64_t)pages, &before, &work.error);
    end(&work, code);
    return (jlong)before;
}

NATIVE(jlong, leaseGlobal)(JNIEnv *env, SELF, jlong id, jbyteArray global, jlongArray answer) {
    struct work work;
    wpr_value_t value;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name = text_of(&work, global);
    if (!work.failed)
        code = wpr_lease_global(lease_of(id), name, &value, &work.error);
    return end(&work, code) ? put_values(env, &value, 1, answer) : 0;
}
