/* Calls that are run piece by piece, and what cancels one. */

#include "shim.h"

static wpr_call_t call_of(jlong id) { return (wpr_call_t){(uint64_t)id}; }

NATIVE(jlong, start)(JNIEnv *env, SELF, jlong id, jbyteArray function, jlong kinds, jlongArray args,
                     jbyteArray options) {
    struct work work;
    size_t count;
    wpr_call_t call = {0};
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name = text_of(&work, function);
    const wpr_value_t *values = arguments_of(&work, kinds, args, &count);
    const wpr_call_options_t *with = call_options_of(&work, options);
    if (!work.failed)
        code = wpr_call_start((wpr_plugin_t){(uint64_t)id}, name, values, count, with, &call, &work.error);
    end(&work, code);
    return (jlong)call.id;
}

NATIVE(jlong, startBytes)(JNIEnv *env, SELF, jlong id, jbyteArray function, jbyteArray input, jbyteArray options) {
    struct work work;
    size_t length;
    wpr_call_t call = {0};
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    const char *name = text_of(&work, function);
    const uint8_t *bytes = bytes_of(&work, input, &length);
    const wpr_call_options_t *with = call_options_of(&work, options);
    if (!work.failed)
        code = wpr_call_start_bytes((wpr_plugin_t){(uint64_t)id}, name, bytes, length, with, &call, &work.error);
    end(&work, code);
    return (jlong)call.id;
}

NATIVE(jint, run)(JNIEnv *env, SELF, jlong id, jlong fuel, jlongArray tickets) {
    struct work work;
    uint32_t progress = WPR_FINISHED;
    uint64_t number = 0;
    begin(&work, env);
    if (!end(&work, wpr_call_run(call_of(id), (uint64_t)fuel, &progress, &number, &work.error)))
        return 0;
    jlong ticket = (jlong)number;
    (*env)->SetLongArrayRegion(env, tickets, 0, 1, &ticket);
    return (jint)progress;
}

NATIVE(void, complete)(JNIEnv *env, SELF, jlong id, jlong ticket, jlong kinds, jlong bits, jbyteArray output) {
    struct work work;
    size_t length;
    wpr_value_t value;
    wpr_code_t code = WPR_OK;
    begin(&work, env);
    values_of(kinds, &bits, &value);
    const uint8_t *bytes = bytes_of(&work, output, &length);
    if (!work.failed)
        code = wpr_call_complete(call_of(id), (uint64_t)ticket, kinds_count(kinds) ? &value : NULL, bytes, length,
                                 &work.error);
    end(&work, code);
}

NATIVE(void, fail)(JNIEnv *env, SELF, jlong id, jlong ticket, jint status) {
    struct work work;
    begin(&work, env);
    end(&work, wpr_call_fail(call_of(id), (uint64_t)ticket, status, &work.error));
}

NATIVE(jlong, results)(JNIEnv *env, SELF, jlong id, jlongArray answer) {
    struct work work;
    wpr_value_t results[WPR_MAX_VALUES];
    size_t count = 0;
    begin(&work, env);
    bool well = end(&work, wpr_call_results(call_of(id), results, WPR_MAX_VALUES, &count, &work.error));
    return well ? put_values(env, results, count, answer) : 0;
}

NATIVE(jbyteArray, answer)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    wpr_bytes_t answer = {0};
    begin(&work, env);
    wpr_code_t code = wpr_call_answer(call_of(id), &answer, &work.error);
    return take_answer(&work, code, answer);
}

NATIVE(jlong, fuelSpent)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    uint64_t fuel = 0;
    begin(&work, env);
    end(&work, wpr_call_fuel_spent(call_of(id), &fuel, &work.error));
    return (jlong)fuel;
}

/* --- cancelling --------------------------------------------------------------------------------------------------- */

NATIVE(jlong, cancelToken)(JNIEnv *env, SELF, jint kind, jlong id) {
    struct work work;
    wpr_cancel_t token = {0};
    wpr_code_t code;
    begin(&work, env);
    if (kind == KIND_CALL)
        code = wpr_call_cancel_token(call_of(id), &token, &work.error);
    else
        code = wpr_lease_cancel_token((wpr_lease_t){(uint64_t)id}, &token, &work.error);
    end(&work, code);
    return (jlong)token.id;
}

NATIVE(jboolean, cancel)(JNIEnv *env, SELF, jlong id) {
    struct work work;
    begin(&work, env);
    wpr_code_t code = wpr_cancel((wpr_cancel_t){(uint64_t)id}, &work.error);
    bool none = code == WPR_NOT_FOUND;
    return end(&work, none ? WPR_OK : code) && !none;
}
