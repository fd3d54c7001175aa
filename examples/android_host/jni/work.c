/* One Java call of the library. */

#include "shim.h"

#include <stdlib.h>
#include <string.h>

/* What did not fit the room of the work. */
struct kept {
    struct kept *next;
    alignas(16) unsigned char room[];
};

static _Thread_local struct work *innermost;

struct work *work_here(void) { return innermost; }

void begin(struct work *work, JNIEnv *env) {
    work->env = env;
    work->failed = false;
    work->cause = NULL;
    work->status = WPR_HOST_OK;
    work->outer = innermost;
    work->kept = NULL;
    work->used = 0;
    innermost = work;
}

static void throw_error(struct work *work) {
    JNIEnv *env = work->env;
    const wpr_error_t *error = &work->error;
    jbyteArray message = new_bytes(env, error->message, strlen(error->message));
    if (!message)
        return;
    /* An exception that a plugin called by this one threw, and this one got over, is not why this one failed. */
    jthrowable cause = error->code == WPR_HOST ? work->cause : NULL;
    jobject exception =
        (*env)->NewObject(env, java.plugin_exception, java.new_exception, (jint)error->code, (jint)error->fault,
                          (jint)error->trap_code, (jint)error->guest_status, message, cause);
    if (exception)
        (*env)->Throw(env, exception);
}

bool end(struct work *work, wpr_code_t code) {
    innermost = work->outer;
    while (work->kept) {
        struct kept *next = work->kept->next;
        free(work->kept);
        work->kept = next;
    }
    if (code == WPR_OK || work->failed)
        return !work->failed;
    throw_error(work);
    return false;
}

void *room_for(struct work *work, size_t count, size_t size) {
    if (size && count > (SIZE_MAX / 2) / size) {
        work->failed = true;
        throw_out_of_memory(work->env);
        return NULL;
    }
    size_t bytes = (count * size + 15) & ~(size_t)15;
    if (bytes <= sizeof work->room - work->used) {
        void *room = work->room + work->used;
        work->used += bytes;
        return room;
    }
    struct kept *kept = malloc(sizeof *kept + bytes);
    if (!kept) {
        work->failed = true;
        throw_out_of_memory(work->env);
        return NULL;
    }
    kept->next = work->kept;
    work->kept = kept;
    return kept->room;
}

const uint8_t *bytes_of(struct work *work, jbyteArray bytes, size_t *length) {
    *length = 0;
    if (work->failed || !bytes)
        return NULL;
    jsize size = (*work->env)->GetArrayLength(work->env, bytes);
    uint8_t *room = room_for(work, (size_t)size, 1);
    if (!room)
        return NULL;
    (*work->env)->GetByteArrayRegion(work->env, bytes, 0, size, (jbyte *)room);
    *length = (size_t)size;
    return room;
}

const char *text_of(struct work *work, jbyteArray text) {
    size_t length;
    return (const char *)bytes_of(work, text, &length);
}

const jlong *longs_of(struct work *work, jlongArray longs, size_t *length) {
    *length = 0;
    if (work->failed)
        return NULL;
    jsize size = (*work->env)->GetArrayLength(work->env, longs);
    jlong *room = room_for(work, (size_t)size, sizeof *room);
    if (!room)
        return NULL;
    (*work->env)->GetLongArrayRegion(work->env, longs, 0, size, room);
    *length = (size_t)size;
    return room;
}

jbyteArray new_bytes(JNIEnv *env, const void *bytes, size_t length) {
    if (length > INT32_MAX) {
        throw_out_of_memory(env);
        return NULL;
    }
    jbyteArray array = (*env)->NewByteArray(env, (jsize)length);
    if (array && length)
        (*env)->SetByteArrayRegion(env, array, 0, (jsize)length, bytes);
    return array;
}

jlongArray new_longs(JNIEnv *env, const jlong *longs, size_t length) {
    jlongArray array = (*env)->NewLongArray(env, (jsize)length);
    if (array && length)
        (*env)->SetLongArrayRegion(env, array, 0, (jsize)length, longs);
    return array;
}

jbyteArray take_answer(struct work *work, wpr_code_t code, wpr_bytes_t answer) {
    const uint8_t *data = NULL;
    size_t length = 0;
    if (!end(work, code))
        return NULL;
    wpr_bytes_view(answer, &data, &length, NULL);
    jbyteArray array = new_bytes(work->env, data, length);
    wpr_bytes_release(answer, NULL);
    return array;
}

jbyteArray text_answer(JNIEnv *env, text_getter *get, jlong id, jlong place) {
    struct work work;
    size_t length = 128, room;
    char *text = NULL;
    wpr_code_t code = WPR_BUFFER_TOO_SMALL;
    begin(&work, env);
    /* Once more if it does not fit; and again, if another text has come to that place meanwhile. */
    while (code == WPR_BUFFER_TOO_SMALL && (text = room_for(&work, room = length + 1, 1)))
        code = get((uint64_t)id, (size_t)place, text, room, &length, &work.error);
    bool none = code == WPR_NOT_FOUND;
    jbyteArray answer = text && code == WPR_OK ? new_bytes(env, text, length) : NULL;
    end(&work, none ? WPR_OK : code);
    return answer;
}

void throw_out_of_memory(JNIEnv *env) {
    jclass error = (*env)->FindClass(env, "java/lang/OutOfMemoryError");
    if (error)
        (*env)->ThrowNew(env, error, "of the native heap");
}

void refuse(struct work *work, wpr_code_t code, const char *message) {
    if (work->failed)
        return;
    wpr_error_t *error = &work->error;
    *error = (wpr_error_t){.code = code, .fault = WPR_FAULT_HOST, .message_length = (uint32_t)strlen(message)};
    strncpy(error->message, message, sizeof error->message - 1);
    throw_error(work);
    work->failed = true;
}
