/* What a callback does with the host call that it answers. The statuses go to Java as they are. */

#include "shim.h"

static wpr_host_call_t call_of(jlong id) { return (wpr_host_call_t){(uint64_t)id}; }

NATIVE(jint, hostOutput)(JNIEnv *env, CLASS, jlong id, jbyteArray value) {
    struct work work;
    size_t length;
    int32_t status = WPR_HOST_FAILED;
    begin(&work, env);
    const uint8_t *bytes = bytes_of(&work, value, &length);
    if (!work.failed)
        status = wpr_host_call_output(call_of(id), bytes, length);
    end(&work, WPR_OK);
    return status;
}

NATIVE(jint, hostRecord)(JNIEnv *env, CLASS, jlong id, jbyteArray key, jbyteArray value) {
    struct work work;
    size_t key_length, length;
    int32_t status = WPR_HOST_FAILED;
    begin(&work, env);
    const uint8_t *key_bytes = bytes_of(&work, key, &key_length), *bytes = bytes_of(&work, value, &length);
    if (!work.failed)
        status = wpr_host_call_record(call_of(id), key_bytes, key_length, bytes, length);
    end(&work, WPR_OK);
    return status;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

NATIVE(jint, hostCheck)(UNUSED JNIEnv *env, CLASS, jlong id, jint pointer, jint length) {
    const uint8_t *bytes;
    int32_t status = wpr_host_call_memory(call_of(id), (uint32_t)pointer, (uint32_t)length, &bytes);
    /* A memory of 64 bits may have more than Java's arrays. */
    return status == WPR_HOST_OK && length < 0 ? WPR_HOST_INVALID_ARGUMENTS : status;
}

NATIVE(jint, hostRead)(JNIEnv *env, CLASS, jlong id, jint pointer, jbyteArray to, jint offset, jint length) {
    const uint8_t *bytes;
    int32_t status = wpr_host_call_memory(call_of(id), (uint32_t)pointer, (uint32_t)length, &bytes);
    if (status == WPR_HOST_OK)
        (*env)->SetByteArrayRegion(env, to, offset, length, (const jbyte *)bytes);
    return status;
}

NATIVE(jint, hostWrite)(JNIEnv *env, CLASS, jlong id, jint pointer, jbyteArray from, jint offset, jint length) {
    struct work work;
    int32_t status = WPR_HOST_FAILED;
    begin(&work, env);
    uint8_t *bytes = room_for(&work, (size_t)length, 1);
    if (bytes) {
        (*env)->GetByteArrayRegion(env, from, offset, length, (jbyte *)bytes);
        status = wpr_host_call_write(call_of(id), (uint32_t)pointer, bytes, (size_t)length);
    }
    end(&work, WPR_OK);
    return status;
}

/* --- fuel, time, and answers that come later ---------------------------------------------------------------------- */

NATIVE(jint, hostCharge)(UNUSED JNIEnv *env, CLASS, jlong id, jlong fuel) {
    return wpr_host_call_charge(call_of(id), (uint64_t)fuel);
}

NATIVE(jint, hostChargeBytes)(UNUSED JNIEnv *env, CLASS, jlong id, jlong length) {
    /* More than there is fuel for, wherever a size has 32 bits. */
    return wpr_host_call_charge_bytes(call_of(id), (uint64_t)length > SIZE_MAX ? SIZE_MAX : (size_t)length);
}

NATIVE(jint, hostCheckpoint)(UNUSED JNIEnv *env, CLASS, jlong id) { return wpr_host_call_checkpoint(call_of(id)); }

NATIVE(jboolean, hostCanSuspend)(UNUSED JNIEnv *env, CLASS, jlong id) {
    return wpr_host_call_can_suspend(call_of(id)) != 0;
}

NATIVE(jint, hostSuspend)(UNUSED JNIEnv *env, CLASS, jlong id, jlong ticket) {
    return wpr_host_call_suspend(call_of(id), (uint64_t)ticket);
}

NATIVE(jint, hostAnswerTo)(UNUSED JNIEnv *env, CLASS, jlong id, jint pointer, jint length) {
    return wpr_host_call_answer_to(call_of(id), (uint32_t)pointer, (uint32_t)length);
}

NATIVE(jlong, hostFuelLeft)(UNUSED JNIEnv *env, CLASS, jlong id) { return (jlong)wpr_host_call_fuel_left(call_of(id)); }

NATIVE(jlong, hostTag)(UNUSED JNIEnv *env, CLASS, jlong id) { return (jlong)wpr_host_call_tag(call_of(id)); }

/* --- who calls ---------------------------------------------------------------------------------------------------- */

NATIVE(jbyteArray, hostPlugin)(JNIEnv *env, CLASS, jlong id) {
    const char *name;
    size_t length;
    return wpr_host_call_plugin(call_of(id), &name, &length) == WPR_HOST_OK ? new_bytes(env, name, length) : NULL;
}

NATIVE(jbyteArray, hostTenant)(JNIEnv *env, CLASS, jlong id) {
    const char *name;
    size_t length;
    return wpr_host_call_tenant(call_of(id), &name, &length) == WPR_HOST_OK ? new_bytes(env, name, length) : NULL;
}

NATIVE(jbyteArray, hostSetting)(JNIEnv *env, CLASS, jlong id, jbyteArray name) {
    struct work work;
    const char *value = NULL;
    size_t length;
    jbyteArray answer = NULL;
    begin(&work, env);
    const char *text = text_of(&work, name);
    if (!work.failed && wpr_host_call_setting(call_of(id), text, &value, &length) == WPR_HOST_OK)
        answer = new_bytes(env, value, length);
    end(&work, WPR_OK);
    return answer;
}

NATIVE(jbyteArray, hostLabel)(JNIEnv *env, CLASS, jlong id, jint place, jboolean value) {
    const char *texts[2];
    size_t lengths[2];
    int32_t status =
        wpr_host_call_label(call_of(id), (size_t)place, &texts[0], &lengths[0], &texts[1], &lengths[1]);
    int which = value ? 1 : 0;
    return status == WPR_HOST_OK ? new_bytes(env, texts[which], lengths[which]) : NULL;
}
