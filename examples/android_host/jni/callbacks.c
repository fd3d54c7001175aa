/* Callbacks: from a plugin to Java, on the thread on which Java called the plugin. */

#include "shim.h"

/* No thread comes here that is not Java's: nothing but the shim calls the library. */
static JNIEnv *env_here(void) {
    void *env;
    return (*java_vm)->GetEnv(java_vm, &env, JNI_VERSION_1_6) == JNI_OK ? env : NULL;
}

void drop_reference(void *reference) {
    JNIEnv *env = env_here();
    if (env)
        (*env)->DeleteGlobalRef(env, reference);
}

/*
 * What a callback threw must not be pending when the library goes on, nor be lost: it ends the plugin's call, and the
 * Java call further out throws it on. If that goes on all the same, since the plugin was called by another that got
 * over it, a later callback forgets it.
 */
static void remember(struct work *work, jthrowable thrown) {
    if (work->cause)
        (*work->env)->DeleteLocalRef(work->env, work->cause);
    work->cause = thrown;
}

static int32_t thrown(struct work *work) {
    jthrowable exception = (*work->env)->ExceptionOccurred(work->env);
    (*work->env)->ExceptionClear(work->env);
    remember(work, exception);
    return WPR_HOST_ABORT;
}

/* --- host functions ----------------------------------------------------------------------------------------------- */

/* The arguments that do not fit the call. */
static jlongArray more_of(JNIEnv *env, const wpr_value_t *args, size_t count) {
    jlong bits[WPR_MAX_VALUES];
    for (size_t i = 0; i < count; i++)
        bits[i] = bits_of(&args[i]);
    return new_longs(env, bits, count);
}

int32_t call_function(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                      wpr_value_t *result) {
    struct work *work = work_here();
    JNIEnv *env = work->env;
    jlongArray more = arg_count > 2 ? more_of(env, args + 2, arg_count - 2) : NULL;
    if (arg_count > 2 && !more)
        return thrown(work);
    const jvalue values[] = {
        {.l = user_data},
        {.j = (jlong)call.id},
        {.i = (jint)arg_count},
        {.j = arg_count > 0 ? bits_of(&args[0]) : 0},
        {.j = arg_count > 1 ? bits_of(&args[1]) : 0},
        {.l = more},
    };
    work->status = WPR_HOST_OK;
    jlong bits = (*env)->CallStaticLongMethodA(env, java.callbacks, java.function, values);
    bool failed = (*env)->ExceptionCheck(env);
    if (more)
        (*env)->DeleteLocalRef(env, more);
    if (failed)
        return thrown(work);
    remember(work, NULL);
    *result = value_of(result->kind, bits);
    return work->status;
}

NATIVE(void, hostStatus)(UNUSED JNIEnv *env, CLASS, jint status) {
    if (work_here())
        work_here()->status = status;
}

/* --- callbacks of a host ------------------------------------------------------------------------------------------ */

/* Calls a method of `Callbacks` that returns a status, within a frame of its own for what it was given. */
static int32_t ask(struct work *work, jmethodID method, const jvalue *values) {
    JNIEnv *env = work->env;
    /* Where there was no memory for an argument, that is pending. */
    jint status = 0;
    if (!(*env)->ExceptionCheck(env))
        status = (*env)->CallStaticIntMethodA(env, java.callbacks, method, values);
    if ((*env)->ExceptionCheck(env)) {
        jthrowable exception = (*env)->ExceptionOccurred(env);
        (*env)->ExceptionClear(env);
        remember(work, (*env)->PopLocalFrame(env, exception));
        return WPR_HOST_ABORT;
    }
    (*env)->PopLocalFrame(env, NULL);
    remember(work, NULL);
    return status;
}

/* Begins such a frame; null if there is no memory for it. */
static struct work *frame(void) {
    struct work *work = work_here();
    if ((*work->env)->PushLocalFrame(work->env, 8) == 0)
        return work;
    thrown(work);
    return NULL;
}

/* An argument of bytes. Nothing is made once something is pending. */
static jvalue bytes(struct work *work, const void *data, size_t length) {
    JNIEnv *env = work->env;
    return (jvalue){.l = (*env)->ExceptionCheck(env) ? NULL : new_bytes(env, data, length)};
}

static jvalue number(jint number) { return (jvalue){.i = number}; }

#define SERVICES {.l = user_data}, {.j = (jlong)call.id}

static int32_t read_row(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                        const uint8_t *key, size_t key_length) {
    struct work *work = frame();
    if (!work)
        return WPR_HOST_ABORT;
    const jvalue values[] = {SERVICES, bytes(work, table, table_length), bytes(work, key, key_length)};
    return ask(work, java.read, values);
}

static int32_t scan_rows(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                         const uint8_t *from, size_t from_length, uint32_t limit) {
    struct work *work = frame();
    if (!work)
        return WPR_HOST_ABORT;
    const jvalue values[] = {SERVICES, bytes(work, table, table_length), bytes(work, from, from_length),
                             number((jint)limit)};
    return ask(work, java.scan, values);
}

static int32_t write_row(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                         const uint8_t *key, size_t key_length, const uint8_t *value, size_t value_length) {
    struct work *work = frame();
    if (!work)
        return WPR_HOST_ABORT;
    const jvalue values[] = {SERVICES, bytes(work, table, table_length), bytes(work, key, key_length),
                             bytes(work, value, value_length)};
    return ask(work, java.write, values);
}

static int32_t remove_row(void *user_data, wpr_host_call_t call, const char *table, size_t table_length,
                          const uint8_t *key, size_t key_length) {
    struct work *work = frame();
    if (!work)
        return WPR_HOST_ABORT;
    const jvalue values[] = {SERVICES, bytes(work, table, table_length), bytes(work, key, key_length)};
    return ask(work, java.remove, values);
}

static int32_t find_setting(void *user_data, wpr_host_call_t call, const char *name, size_t name_length) {
    struct work *work = frame();
    if (!work)
        return WPR_HOST_ABORT;
    const jvalue values[] = {SERVICES, bytes(work, name, name_length)};
    return ask(work, java.setting, values);
}

static int32_t observe(void *user_data, wpr_host_call_t call, uint32_t kind, const char *name, size_t name_length,
                       double value) {
    struct work *work = frame();
    if (!work)
        return WPR_HOST_ABORT;
    const jvalue values[] = {SERVICES, number((jint)kind), bytes(work, name, name_length), {.d = value}};
    return ask(work, java.metric, values);
}

static int32_t log_of_plugin(void *user_data, wpr_host_call_t call, uint32_t level, const char *line, size_t length) {
    struct work *work = frame();
    if (!work)
        return WPR_HOST_ABORT;
    const jvalue values[] = {SERVICES, number((jint)level), bytes(work, line, length)};
    return ask(work, java.log, values);
}

/* --- callbacks that nobody waits for ------------------------------------------------------------------------------ */

/* What was still thrown, where there was no stack or no memory left, is printed. */
static void tell(JNIEnv *env, jmethodID method, const jvalue *values, jobject array) {
    if (array)
        (*env)->CallStaticVoidMethodA(env, java.callbacks, method, values);
    if ((*env)->ExceptionCheck(env)) {
        (*env)->ExceptionDescribe(env);
        (*env)->ExceptionClear(env);
    }
    if (array)
        (*env)->DeleteLocalRef(env, array);
}

jbyteArray names_of(JNIEnv *env, const wpr_audit_record_t *record) {
    enum { first = offsetof(wpr_audit_record_t, tenant), all = 4 * WPR_AUDIT_NAME_BYTES };
    _Static_assert(offsetof(wpr_audit_record_t, resource) + WPR_AUDIT_NAME_BYTES == first + all, "names lie together");
    return new_bytes(env, (const char *)record + first, all);
}

static void hear(void *user_data, const wpr_audit_record_t *record) {
    JNIEnv *env = env_here();
    if (!env)
        return;
    jbyteArray names = names_of(env, record);
    const jvalue values[] = {
        {.l = user_data},
        {.j = (jlong)record->time_us},
        {.j = (jlong)record->fuel},
        {.i = (jint)record->decision},
        {.i = record->status},
        {.l = names},
    };
    tell(env, java.event, values, names);
}

void log_line(UNUSED void *user_data, uint32_t level, const char *line, size_t length) {
    JNIEnv *env = env_here();
    if (!env)
        return;
    jbyteArray text = new_bytes(env, line, length);
    const jvalue values[] = {number((jint)level), {.l = text}};
    tell(env, java.logged, values, text);
}

void host_of(wpr_host_t *host, const struct services *services, jobject reference) {
    wpr_host_init(host, sizeof *host);
    host->user_data = reference;
    host->drop = drop_reference;
    if (services->storage) {
        host->read = read_row;
        host->scan = scan_rows;
        host->write = write_row;
        host->remove = remove_row;
    }
    if (services->settings)
        host->setting = find_setting;
    if (services->metrics)
        host->metric = observe;
    if (services->log)
        host->log = log_of_plugin;
    if (services->events)
        host->event = hear;
}
