/* Loading: classes and methods are looked up once. */

#include "shim.h"

struct java java;
JavaVM *java_vm;

struct method {
    jmethodID *id;
    const char *name, *signature;
};

#define SERVICES "(Ldev/wasmruntime/HostServices;"

static const struct method callbacks[] = {
    {&java.function, "function", "(Ldev/wasmruntime/HostFunction;JIJJ[J)J"},
    {&java.read, "read", SERVICES "J[B[B)I"},
    {&java.scan, "scan", SERVICES "J[B[BI)I"},
    {&java.write, "write", SERVICES "J[B[B[B)I"},
    {&java.remove, "remove", SERVICES "J[B[B)I"},
    {&java.setting, "setting", SERVICES "J[B)I"},
    {&java.metric, "metric", SERVICES "JI[BD)I"},
    {&java.log, "log", SERVICES "JI[B)I"},
    {&java.event, "event", SERVICES "JJII[B)V"},
    {&java.logged, "logged", "(I[B)V"},
};

static jclass find_class(JNIEnv *env, const char *name) {
    jclass local = (*env)->FindClass(env, name);
    if (!local)
        return NULL;
    jclass global = (*env)->NewGlobalRef(env, local);
    (*env)->DeleteLocalRef(env, local);
    return global;
}

static bool find_all(JNIEnv *env) {
    java.callbacks = find_class(env, "dev/wasmruntime/Callbacks");
    if (!java.callbacks)
        return false;
    for (size_t i = 0; i < sizeof callbacks / sizeof *callbacks; i++) {
        const struct method *method = &callbacks[i];
        *method->id = (*env)->GetStaticMethodID(env, java.callbacks, method->name, method->signature);
        if (!*method->id)
            return false;
    }
    java.plugin_exception = find_class(env, "dev/wasmruntime/PluginException");
    if (!java.plugin_exception)
        return false;
    java.new_exception =
        (*env)->GetMethodID(env, java.plugin_exception, "<init>", "(IIII[BLjava/lang/Throwable;)V");
    return java.new_exception;
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, UNUSED void *reserved) {
    void *env;
    if ((*vm)->GetEnv(vm, &env, JNI_VERSION_1_6) != JNI_OK || !find_all(env) || wpr_api_version() < WPR_API_VERSION)
        return JNI_ERR;
    java_vm = vm;
    return JNI_VERSION_1_6;
}

JNIEXPORT void JNICALL JNI_OnUnload(JavaVM *vm, UNUSED void *reserved) {
    void *place;
    if ((*vm)->GetEnv(vm, &place, JNI_VERSION_1_6) != JNI_OK)
        return;
    JNIEnv *env = place;
    (*env)->DeleteGlobalRef(env, java.callbacks);
    (*env)->DeleteGlobalRef(env, java.plugin_exception);
}

NATIVE(jbyteArray, version)(JNIEnv *env, CLASS) {
    const char *version = wpr_version();
    size_t length = 0;
    while (version[length])
        length++;
    return new_bytes(env, version, length);
}

NATIVE(void, setLog)(JNIEnv *env, CLASS, jint max_level) {
    struct work work;
    begin(&work, env);
    end(&work, wpr_set_log(log_line, NULL, (uint32_t)max_level, &work.error));
}

NATIVE(void, release)(JNIEnv *env, CLASS, jint kind, jlong id) {
    struct work work;
    wpr_code_t code = WPR_INVALID_HANDLE;
    begin(&work, env);
    switch (kind) {
    case KIND_REGISTRY: code = wpr_registry_release((wpr_registry_t){(uint64_t)id}, &work.error); break;
    case KIND_PLUGIN: code = wpr_plugin_release((wpr_plugin_t){(uint64_t)id}, &work.error); break;
    case KIND_FUNCTION: code = wpr_function_release((wpr_function_t){(uint64_t)id}, &work.error); break;
    case KIND_CALL: code = wpr_call_release((wpr_call_t){(uint64_t)id}, &work.error); break;
    case KIND_LEASE: code = wpr_lease_release((wpr_lease_t){(uint64_t)id}, &work.error); break;
    case KIND_CANCEL: code = wpr_cancel_release((wpr_cancel_t){(uint64_t)id}, &work.error); break;
    }
    end(&work, code);
}
