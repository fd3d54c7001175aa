/* Calls that end before they return. */

#include "shim.h"

/* --- values of any types ------------------------------------------------------------------------------------------ */

NATIVE(jlong, call)(JNIEnv *env, SELF, jint target, jlong id, jbyteArray function, jlong kinds, jlongArray args,
                    jbyteArray options, jlongArray answer) {
    struct work work;
    wpr_value_t results[WPR_MAX_VALUES];
    size_t count, room = WPR_MAX_VALUES, got = 0;
    wpr_code_t code = WPR_INVALID_HANDLE;
    begin(&work, env);
    wpr_error_t *error = &work.error;
    const char *name = text_of(&work, function);
    const wpr_value_t *values = arguments_of(&work, kinds, args, &count);
    const wpr_call_options_t *with = call_options_of(&work, options);
    uint64_t it = (uint64_t)id;
    switch (work.failed ? 0 : target) {
    case KIND_PLUGIN:
        code = wpr_plugin_call((wpr_plugin_t){it}, name, values, count, with, results, room, &got, error);
        break;
    case KIND_FUNCTION:
        code = wpr_function_call((wpr_function_t){it}, values, count, with, results, room, &got, error);
        break;
    case KIND_LEASE:
        code = wpr_lease_call((wpr_lease_t){it}, name, values, count, with, results, room, &got, error);
        break;
    }
    return end(&work, code) ? put_values(env, results, got, answer) : 0;
}

/* --- the fastest way: values without an array --------------------------------------------------------------------- */

static jlong call_one(JNIEnv *env, jlong function, jlong kinds, const jlong *bits) {
    struct work work;
    wpr_value_t args[WPR_MAX_VALUES], result = {.kind = WPR_NONE};
    begin(&work, env);
    values_of(kinds, bits, args);
    wpr_code_t code = wpr_function_call((wpr_function_t){(uint64_t)function}, args, kinds_count(kinds), NULL, &result,
                                        1, NULL, &work.error);
    if (code == WPR_OK && result.kind != kinds_result(kinds))
        refuse(&work, WPR_SIGNATURE_MISMATCH, "the function returned another type than when it was looked up");
    return end(&work, code) && result.kind != WPR_NONE ? bits_of(&result) : 0;
}

NATIVE(jlong, callBits)(JNIEnv *env, SELF, jlong function, jlong kinds, jlong a, jlong b, jlong c, jlong d) {
    const jlong bits[] = {a, b, c, d};
    return call_one(env, function, kinds, bits);
}

NATIVE(jlong, callArray)(JNIEnv *env, SELF, jlong function, jlong kinds, jlongArray args) {
    jlong bits[WPR_MAX_VALUES];
    (*env)->GetLongArrayRegion(env, args, 0, (jsize)kinds_count(kinds), bits);
    return call_one(env, function, kinds, bits);
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

NATIVE(jbyteArray, callBytes)(JNIEnv *env, SELF, jlong id, jbyteArray function, jbyteArray input) {
    struct work work;
    size_t length;
    wpr_bytes_t answer = {0};
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name = text_of(&work, function);
    const uint8_t *bytes = bytes_of(&work, input, &length);
    if (!work.failed)
        code = wpr_plugin_call_bytes((wpr_plugin_t){(uint64_t)id}, name, bytes, length, &answer, &work.error);
    return take_answer(&work, code, answer);
}

/* A part of a direct buffer. */
struct part {
    uint8_t *bytes;
    size_t length;
};

static struct part part_of(JNIEnv *env, jobject buffer, jint at, jint length) {
    uint8_t *bytes = (*env)->GetDirectBufferAddress(env, buffer);
    return (struct part){bytes ? bytes + at : NULL, bytes ? (size_t)length : 0};
}

/* The library reads the one while it writes the other. */
static bool overlap(struct part a, struct part b) {
    uintptr_t first = (uintptr_t)a.bytes, second = (uintptr_t)b.bytes;
    return a.length && b.length && first < second + b.length && second < first + a.length;
}

NATIVE(jint, callBuffers)(JNIEnv *env, SELF, jint target, jlong id, jbyteArray function, jobject input, jint input_at,
                          jint input_length, jobject output, jint output_at, jint output_room) {
    struct work work;
    size_t length = 0;
    wpr_code_t code = WPR_INVALID_HANDLE;
    begin(&work, env);
    struct part from = part_of(env, input, input_at, input_length), to = part_of(env, output, output_at, output_room);
    const char *name = text_of(&work, function);
    if (overlap(from, to))
        refuse(&work, WPR_INVALID_ARGUMENT, "input and output overlap");
    uint64_t it = (uint64_t)id;
    switch (work.failed ? 0 : target) {
    case KIND_PLUGIN:
        code = wpr_plugin_call_bytes_into((wpr_plugin_t){it}, name, from.bytes, from.length, to.bytes, to.length,
                                          &length, &work.error);
        break;
    case KIND_LEASE:
        code = wpr_lease_call_bytes_into((wpr_lease_t){it}, name, from.bytes, from.length, to.bytes, to.length,
                                         &length, &work.error);
        break;
    }
    end(&work, code);
    return (jint)length;
}
