/*
 * What calls cost a program in C: prints a name and the nanoseconds of each, for `Bench.java` to put beside its own.
 *
 *     calls FIXTURES
 */

#include "wasm_runtime.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TURNS = 200000, READS = 512 };

static wpr_error_t error;

static void must(wpr_code_t code) {
    if (code != WPR_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int32_t read_sensor(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                           wpr_value_t *result) {
    (void)user_data, (void)call, (void)arg_count;
    result->of.i32 = args[0].of.i32 + 1;
    return WPR_HOST_OK;
}

static wpr_registry_t make_registry(void) {
    static const uint32_t params[] = {WPR_I32};
    wpr_host_function_t read;
    wpr_registry_options_t options;
    wpr_registry_t registry;
    wpr_host_function_init(&read, sizeof read);
    read.module = "env", read.name = "read", read.params = params, read.param_count = 1, read.result = WPR_I32;
    read.callback = read_sensor;
    const wpr_host_function_t *functions[] = {&read};
    wpr_registry_options_init(&options, sizeof options);
    options.functions = functions, options.function_count = 1;
    must(wpr_registry_new(&options, &registry, &error));
    return registry;
}

static wpr_plugin_t load(wpr_registry_t registry, const char *fixtures, const char *name) {
    char path[4096];
    wpr_plugin_t plugin;
    snprintf(path, sizeof path, "%s/%s.wasm", fixtures, name);
    must(wpr_registry_load_file(registry, name, path, NULL, &error));
    must(wpr_registry_get(registry, name, &plugin, &error));
    return plugin;
}

static void time_handle(wpr_plugin_t plugin) {
    wpr_function_t add;
    wpr_value_t args[] = {wpr_i32(20), wpr_i32(22)}, result;
    must(wpr_plugin_function(plugin, "add", &add, &error));
    double began = now();
    for (int turn = 0; turn < TURNS; turn++)
        must(wpr_function_call(add, args, 2, NULL, &result, 1, NULL, &error));
    printf("handle %.1f\n", (now() - began) / TURNS);
}

static void time_name(wpr_plugin_t plugin) {
    wpr_value_t args[] = {wpr_i32(20), wpr_i32(22)}, result;
    double began = now();
    for (int turn = 0; turn < TURNS; turn++)
        must(wpr_plugin_call(plugin, "add", args, 2, NULL, &result, 1, NULL, &error));
    printf("name %.1f\n", (now() - began) / TURNS);
}

static void time_bytes(wpr_plugin_t plugin) {
    static uint8_t input[64], output[64];
    size_t length;
    double began = now();
    for (int turn = 0; turn < TURNS; turn++)
        must(wpr_plugin_call_bytes_into(plugin, "copy", input, sizeof input, output, sizeof output, &length, &error));
    printf("buffers %.1f\n", (now() - began) / TURNS);
    began = now();
    for (int turn = 0; turn < TURNS; turn++) {
        wpr_bytes_t answer;
        must(wpr_plugin_call_bytes(plugin, "copy", input, sizeof input, &answer, &error));
        must(wpr_bytes_release(answer, &error));
    }
    printf("bytes %.1f\n", (now() - began) / TURNS);
}

static void time_host_calls(wpr_plugin_t plugin) {
    wpr_value_t args[] = {wpr_i32(3), wpr_i32(READS)}, result;
    double began = now();
    for (int turn = 0; turn < TURNS / READS; turn++)
        must(wpr_plugin_call(plugin, "average", args, 2, NULL, &result, 1, NULL, &error));
    printf("host_call %.1f\n", (now() - began) / (TURNS / READS) / READS);
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    wpr_registry_t registry = make_registry();
    wpr_plugin_t pure = load(registry, argv[1], "no_memory"), echo = load(registry, argv[1], "echo");
    wpr_plugin_t sensor = load(registry, argv[1], "sensor");
    /* Once to warm up. */
    for (int turn = 0; turn < 2; turn++) {
        time_handle(pure);
        time_name(pure);
        time_bytes(echo);
        time_host_calls(sensor);
    }
    must(wpr_registry_release(registry, &error));
    return 0;
}
