/* The tables in memory. */

#include "shim.h"

/* What each function here is given first. */
struct place {
    wpr_registry_t registry;
    const char *tenant, *table;
};

static struct place place_of(struct work *work, jlong id, jbyteArray tenant, jbyteArray table) {
    struct place place = {{(uint64_t)id}, text_of(work, tenant), NULL};
    place.table = text_of(work, table);
    return place;
}

NATIVE(jboolean, put)(JNIEnv *env, SELF, jlong id, jbyteArray tenant, jbyteArray table, jbyteArray key,
                      jbyteArray value) {
    struct work work;
    size_t key_length, value_length;
    uint32_t replaced = 0;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    struct place at = place_of(&work, id, tenant, table);
    const uint8_t *key_bytes = bytes_of(&work, key, &key_length), *bytes = bytes_of(&work, value, &value_length);
    if (!work.failed)
        code = wpr_registry_put(at.registry, at.tenant, at.table, key_bytes, key_length, bytes, value_length,
                                &replaced, &work.error);
    end(&work, code);
    return replaced != 0;
}

NATIVE(jbyteArray, row)(JNIEnv *env, SELF, jlong id, jbyteArray tenant, jbyteArray table, jbyteArray key) {
    struct work work;
    size_t key_length, length = 256, room;
    uint8_t *value = NULL;
    wpr_code_t code = WPR_BUFFER_TOO_SMALL;
    begin(&work, env);
    struct place at = place_of(&work, id, tenant, table);
    const uint8_t *bytes = bytes_of(&work, key, &key_length);
    /* Once more if it does not fit; and again, if it has become longer meanwhile. */
    while (!work.failed && code == WPR_BUFFER_TOO_SMALL && (value = room_for(&work, room = length, 1)))
        code = wpr_registry_get_row(at.registry, at.tenant, at.table, bytes, key_length, value, room, &length,
                                    &work.error);
    bool none = code == WPR_NOT_FOUND;
    jbyteArray answer = !work.failed && code == WPR_OK ? new_bytes(env, value, length) : NULL;
    end(&work, none ? WPR_OK : code);
    return answer;
}

NATIVE(jboolean, deleteRow)(JNIEnv *env, SELF, jlong id, jbyteArray tenant, jbyteArray table, jbyteArray key) {
    struct work work;
    size_t length;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    struct place at = place_of(&work, id, tenant, table);
    const uint8_t *bytes = bytes_of(&work, key, &length);
    if (!work.failed)
        code = wpr_registry_delete_row(at.registry, at.tenant, at.table, bytes, length, &work.error);
    bool none = code == WPR_NOT_FOUND;
    return end(&work, none ? WPR_OK : code) && !none;
}

NATIVE(void, createIndex)(JNIEnv *env, SELF, jlong id, jbyteArray tenant, jbyteArray index, jbyteArray table,
                          jlong offset, jlong length) {
    struct work work;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    struct place at = place_of(&work, id, tenant, table);
    const char *name = text_of(&work, index);
    if (!work.failed)
        code = wpr_registry_create_index(at.registry, at.tenant, name, at.table, (size_t)offset, (size_t)length,
                                         &work.error);
    end(&work, code);
}

NATIVE(void, createCollection)(JNIEnv *env, SELF, jlong id, jbyteArray tenant, jbyteArray collection, jbyteArray table,
                               jlong dims, jint distance) {
    struct work work;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    struct place at = place_of(&work, id, tenant, table);
    const char *name = text_of(&work, collection);
    if (!work.failed)
        code = wpr_registry_create_collection(at.registry, at.tenant, name, at.table, (size_t)dims,
                                              (uint32_t)distance, &work.error);
    end(&work, code);
}

NATIVE(jboolean, insertVector)(JNIEnv *env, SELF, jlong id, jbyteArray tenant, jbyteArray collection, jlong row,
                               jfloatArray vector) {
    struct work work;
    uint32_t replaced = 0;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    struct place at = place_of(&work, id, tenant, collection);
    jsize dims = (*env)->GetArrayLength(env, vector);
    float *components = room_for(&work, (size_t)dims, sizeof *components);
    if (!work.failed) {
        (*env)->GetFloatArrayRegion(env, vector, 0, dims, components);
        code = wpr_registry_insert_vector(at.registry, at.tenant, at.table, (uint64_t)row, components, (size_t)dims,
                                          &replaced, &work.error);
    }
    end(&work, code);
    return replaced != 0;
}
