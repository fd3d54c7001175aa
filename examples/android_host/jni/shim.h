/* What the files of the shim share: how a Java call is begun and ended, and what crosses in it. */

#ifndef SHIM_H
#define SHIM_H

#include <jni.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasm_runtime.h"

/* A method of dev.wasmruntime.Native: its first parameters are `JNIEnv *env, CLASS` or `JNIEnv *env, SELF`. */
#define NATIVE(type, name) JNIEXPORT type JNICALL Java_dev_wasmruntime_Native_##name

/* What it does not look at: its class, and the object that it keeps from being collected. */
#define UNUSED __attribute__((unused))
#define CLASS UNUSED jclass native
#define SELF CLASS, UNUSED jobject self

/* The kinds of handles, and targets of calls, as `Native` numbers them. */
enum kind { KIND_REGISTRY = 1, KIND_PLUGIN, KIND_FUNCTION, KIND_CALL, KIND_LEASE, KIND_CANCEL };

/* --- load.c: what is looked up once ------------------------------------------------------------------------------- */

struct java {
    jclass callbacks, plugin_exception;
    jmethodID new_exception;
    jmethodID function, read, scan, write, remove, setting, metric, log, event, logged;
};

extern struct java java;
extern JavaVM *java_vm;

/* --- work.c: one Java call ---------------------------------------------------------------------------------------- */

/*
 * A Java call of the library, from its begin to its end. Calls nest: a callback may call the library again.
 *
 * What `text_of` and the like return is kept until the end. Where one fails an exception is pending and `failed` is
 * set; the library is not called then.
 */
struct work {
    JNIEnv *env;
    bool failed;
    /* What the last callback of a plugin threw: a local reference. */
    jthrowable cause;
    /* What the last host function answered, if it answered no value. */
    int32_t status;
    struct work *outer;
    struct kept *kept;
    size_t used;
    alignas(16) unsigned char room[768];
    wpr_error_t error;
};

/* The innermost Java call of this thread; null outside. */
struct work *work_here(void);

void begin(struct work *work, JNIEnv *env);

/* Ends what was begun; throws if the code is that of an error. Returns whether it went well. */
bool end(struct work *work, wpr_code_t code);

/* Room for so many elements; null if there is no memory. */
void *room_for(struct work *work, size_t count, size_t size);

/* A text that Java ended with a zero byte; null if the array is. */
const char *text_of(struct work *work, jbyteArray text);

/* The bytes of an array; null if the array is. `length` is set to how many. */
const uint8_t *bytes_of(struct work *work, jbyteArray bytes, size_t *length);

/* The elements of an array of numbers, which is not null. */
const jlong *longs_of(struct work *work, jlongArray longs, size_t *length);

/* A new array of bytes; null if there is no memory, and then an exception is pending. */
jbyteArray new_bytes(JNIEnv *env, const void *bytes, size_t length);
jlongArray new_longs(JNIEnv *env, const jlong *longs, size_t length);

/* The same of an answer of the library's, which is released. */
jbyteArray take_answer(struct work *work, wpr_code_t code, wpr_bytes_t answer);

/* A text that the library answers; null behind the last of several. */
typedef wpr_code_t text_getter(uint64_t id, size_t place, char *text, size_t capacity, size_t *length,
                               wpr_error_t *error);
jbyteArray text_answer(JNIEnv *env, text_getter *get, jlong id, jlong place);

jlongArray stats_answer(JNIEnv *env, const wpr_stats_t *stats);

void throw_out_of_memory(JNIEnv *env);

/* Fails before the library is asked. */
void refuse(struct work *work, wpr_code_t code, const char *message);

/* --- pack.c: structs that Java packed ----------------------------------------------------------------------------- */

struct pack {
    struct work *work;
    const uint8_t *at, *end;
};

/* Begins to read; false if the array is null. */
bool unpack(struct pack *pack, struct work *work, jbyteArray packed);

uint64_t packed_number(struct pack *pack);
const char *packed_text(struct pack *pack);

/* Each returns null if the array is null, which is the default. */
const wpr_config_t *config_of(struct work *work, jbyteArray packed);
const wpr_call_options_t *call_options_of(struct work *work, jbyteArray packed);
const wpr_reload_options_t *reload_options_of(struct work *work, jbyteArray packed);

void packed_function(struct pack *pack, wpr_host_function_t *function);
const wpr_quota_t *packed_quota(struct pack *pack);

/* --- values.c ----------------------------------------------------------------------------------------------------- */

wpr_value_t value_of(uint32_t kind, jlong bits);
jlong bits_of(const wpr_value_t *value);

/* Kinds are packed as dev.wasmruntime.Value says. */
size_t kinds_count(jlong kinds);
uint32_t kinds_result(jlong kinds);
void values_of(jlong kinds, const jlong *bits, wpr_value_t *values);

/* The arguments in an array, which have those kinds: fewer are refused. */
const wpr_value_t *arguments_of(struct work *work, jlong kinds, jlongArray bits, size_t *count);

/* Puts bits into an array with room for them; returns the kinds. */
jlong put_values(JNIEnv *env, const wpr_value_t *values, size_t count, jlongArray bits);

/* --- callbacks.c -------------------------------------------------------------------------------------------------- */

/* Each `user_data` is a global reference, which `drop_reference` deletes. */
void drop_reference(void *reference);
int32_t call_function(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                      wpr_value_t *result);
void log_line(void *user_data, uint32_t level, const char *line, size_t length);

/* The four names of a record, one after the other. */
jbyteArray names_of(JNIEnv *env, const wpr_audit_record_t *record);

/* Which callbacks of a host there are. */
struct services {
    bool storage, settings, metrics, log, events;
};
void host_of(wpr_host_t *host, const struct services *services, jobject reference);

#endif
