/* Registries, plugins and calls, as most tests need them. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "guests.h"

/* --- fixtures ----------------------------------------------------------------------------------------------------- */

enum { MOST_FIXTURES = 64, LONGEST_PATH = 512 };

static struct {
    char path[LONGEST_PATH];
    struct file file;
} fixtures[MOST_FIXTURES];
static pthread_mutex_t fixtures_lock = PTHREAD_MUTEX_INITIALIZER;

static struct file read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr, "%s cannot be read; FIXTURES says where fixtures/wasm is\n", path);
        exit(2);
    }
    size_t length = (size_t)ftell(file);
    uint8_t *bytes = malloc(length);
    rewind(file);
    if (!bytes || fread(bytes, 1, length, file) != length) exit(2);
    fclose(file);
    return (struct file){bytes, length};
}

const char *fixture_path(const char *name) {
    static _Thread_local char path[LONGEST_PATH];
    const char *folder = getenv("FIXTURES");
    snprintf(path, sizeof path, "%s/%s.wasm", folder ? folder : "fixtures/wasm", name);
    return path;
}

struct file fixture(const char *name) {
    const char *path = fixture_path(name);
    struct file found = {NULL, 0};
    pthread_mutex_lock(&fixtures_lock);
    for (size_t i = 0; i < MOST_FIXTURES && !found.bytes; i++) {
        if (!fixtures[i].file.bytes) {
            snprintf(fixtures[i].path, LONGEST_PATH, "%s", path);
            fixtures[i].file = read_file(path);
        }
        if (strcmp(fixtures[i].path, path) == 0) found = fixtures[i].file;
    }
    pthread_mutex_unlock(&fixtures_lock);
    return found;
}

/* --- modules made here -------------------------------------------------------------------------------------------- */

static void put(struct module *module, uint8_t byte) {
    if (module->length < sizeof module->bytes) module->bytes[module->length++] = byte;
}

static void put_all(struct module *module, const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) put(module, bytes[i]);
}

#define PUT(module, ...) put_all((module), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static uint8_t encoded(uint32_t type) {
    static const uint8_t codes[] = {0x40, 0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f};
    return codes[type];
}

static void put_header(struct module *module) { PUT(module, 0, 'a', 's', 'm', 1, 0, 0, 0); }

/* A section with one function type. */
static void put_type(struct module *module, const uint32_t *params, size_t param_count, const uint32_t *results,
                     size_t result_count) {
    PUT(module, 1, (uint8_t)(4 + param_count + result_count), 1, 0x60, (uint8_t)param_count);
    for (size_t i = 0; i < param_count; i++) put(module, encoded(params[i]));
    put(module, (uint8_t)result_count);
    for (size_t i = 0; i < result_count; i++) put(module, encoded(results[i]));
}

/* Puts all parameters on the stack. */
static void put_parameters(struct module *module, size_t count) {
    for (size_t i = 0; i < count; i++) PUT(module, 0x20, (uint8_t)i);
}

struct module forwarder(const uint32_t *params, size_t param_count, uint32_t result) {
    struct module module = {0, {0}};
    put_header(&module);
    put_type(&module, params, param_count, &result, result == WPR_NONE ? 0 : 1);
    PUT(&module, 2, 9, 1, 3, 'e', 'n', 'v', 1, 'f', 0, 0);          /* import env.f, of that type */
    PUT(&module, 3, 2, 1, 0);                                       /* a function of that type */
    PUT(&module, 5, 3, 1, 0, 1);                                    /* a memory of one page */
    PUT(&module, 7, 16, 2, 3, 'r', 'u', 'n', 0, 1);                 /* export both */
    PUT(&module, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0);
    PUT(&module, 10, (uint8_t)(6 + 2 * param_count), 1, (uint8_t)(4 + 2 * param_count), 0);
    put_parameters(&module, param_count);
    PUT(&module, 0x10, 0, 0x0b);                                    /* call env.f, end */
    return module;
}

struct module starter(void) {
    struct module module = {0, {0}};
    put_header(&module);
    put_type(&module, NULL, 0, NULL, 0);
    PUT(&module, 2, 9, 1, 3, 'e', 'n', 'v', 1, 'f', 0, 0);
    PUT(&module, 7, 7, 1, 3, 'r', 'u', 'n', 0, 0);
    PUT(&module, 8, 1, 0);
    return module;
}

struct module identity(const uint32_t *types, size_t count) {
    struct module module = {0, {0}};
    put_header(&module);
    put_type(&module, types, count, types, count);
    PUT(&module, 3, 2, 1, 0);
    PUT(&module, 7, 7, 1, 3, 'r', 'u', 'n', 0, 0);
    PUT(&module, 10, (uint8_t)(4 + 2 * count), 1, (uint8_t)(2 + 2 * count), 0);
    put_parameters(&module, count);
    put(&module, 0x0b);
    return module;
}

struct module globals(void) {
    struct module module = {0, {0}};
    put_header(&module);
    PUT(&module, 6, 11, 2, 0x7e, 0, 0x42, 0x79, 0x0b, 0x70, 0, 0xd0, 0x70, 0x0b);
    PUT(&module, 7, 21, 2, 6, 'n', 'u', 'm', 'b', 'e', 'r', 3, 0, 8, 'f', 'u', 'n', 'c', 't', 'i', 'o', 'n', 3, 1);
    return module;
}

/* --- registries and plugins --------------------------------------------------------------------------------------- */

#ifdef WITHOUT_STD
static uint64_t system_clock(void *unused) {
    (void)unused;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
#endif

wpr_registry_options_t new_options(void) {
    wpr_registry_options_t options;
    wpr_registry_options_init(&options, sizeof options);
#ifdef WITHOUT_STD
    options.clock_us = system_clock;
#endif
    return options;
}

wpr_registry_t registry_with(const wpr_registry_options_t *options) {
    wpr_registry_t registry = {0};
    OK(wpr_registry_new(options, &registry, E));
    return registry;
}

wpr_registry_t new_registry(void) {
    wpr_registry_options_t options = new_options();
    return registry_with(&options);
}

void release_registry(wpr_registry_t registry) { OK(wpr_registry_release(registry, E)); }

wpr_config_t new_config(void) {
    wpr_config_t config;
    wpr_config_init(&config, sizeof config);
    config.timeout_ms = 60000;
    return config;
}

static wpr_plugin_t load_bytes(wpr_registry_t registry, const char *name, const uint8_t *bytes, size_t length,
                               const wpr_config_t *config) {
    wpr_config_t own = new_config();
    wpr_plugin_t plugin = {0};
    OK(wpr_registry_load(registry, name, bytes, length, config ? config : &own, E));
    OK(wpr_registry_get(registry, name, &plugin, E));
    return plugin;
}

wpr_plugin_t load(wpr_registry_t registry, const char *name, const char *fixture_name, const wpr_config_t *config) {
    struct file file = fixture(fixture_name);
    return load_bytes(registry, name, file.bytes, file.length, config);
}

wpr_plugin_t load_module(wpr_registry_t registry, const char *name, const struct module *module,
                         const wpr_config_t *config) {
    return load_bytes(registry, name, module->bytes, module->length, config);
}

wpr_value_t call(wpr_plugin_t plugin, const char *function, const wpr_value_t *args, size_t count) {
    wpr_value_t result = {WPR_NONE, {0}};
    size_t result_count = 0;
    OK(wpr_plugin_call(plugin, function, args, count, NULL, &result, 1, &result_count, E));
    CHECK_EQ(result_count, 1);
    return result;
}

int32_t call_i32(wpr_plugin_t plugin, const char *function, const wpr_value_t *args, size_t count) {
    wpr_value_t result = call(plugin, function, args, count);
    CHECK_EQ(result.kind, WPR_I32);
    return result.of.i32;
}

wpr_value_t externref(uint64_t number) {
    wpr_value_t value = {WPR_EXTERNREF, {0}};
    value.of.externref = number;
    return value;
}

bool same_value(wpr_value_t a, wpr_value_t b) {
    size_t length = a.kind == WPR_I32 || a.kind == WPR_F32 ? 4 : 8;
    return a.kind == b.kind && memcmp(&a.of, &b.of, length) == 0;
}

wpr_host_function_t new_function(wpr_host_callback_t callback, void *user_data, const uint32_t *params,
                                 size_t param_count, uint32_t result) {
    wpr_host_function_t function;
    wpr_host_function_init(&function, sizeof function);
    function.module = "env";
    function.name = "f";
    function.params = params;
    function.param_count = param_count;
    function.result = result;
    function.callback = callback;
    function.user_data = user_data;
    return function;
}

wpr_registry_t registry_of(const wpr_host_function_t *functions, size_t count) {
    const wpr_host_function_t *pointers[64];
    for (size_t i = 0; i < count; i++) pointers[i] = &functions[i];
    wpr_registry_options_t options = new_options();
    options.functions = pointers;
    options.function_count = count;
    return registry_with(&options);
}

uint64_t clock_now(void *user_data) {
    struct clock *clock = user_data;
    return clock->now_us += clock->step_us;
}

bool is_text(const char *text, size_t length, const char *expected) {
    return length == strlen(expected) && memcmp(text, expected, length) == 0;
}
