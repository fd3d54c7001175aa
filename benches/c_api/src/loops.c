/* The same call again and again, as a program in C makes it. Each loop returns how many calls failed. */

#include "wasm_runtime.h"

uint64_t loop_function(wpr_function_t function, uint64_t turns, int32_t *last) {
    wpr_value_t arg = wpr_i32(1), result;
    wpr_error_t error;
    uint64_t failed = 0;
    for (uint64_t turn = 0; turn < turns; turn++)
        failed += wpr_function_call(function, &arg, 1, NULL, &result, 1, NULL, &error) != WPR_OK;
    *last = result.of.i32;
    return failed;
}

uint64_t loop_by_name(wpr_plugin_t plugin, const char *name, uint64_t turns, int32_t *last) {
    wpr_value_t arg = wpr_i32(1), result;
    wpr_error_t error;
    uint64_t failed = 0;
    for (uint64_t turn = 0; turn < turns; turn++)
        failed += wpr_plugin_call(plugin, name, &arg, 1, NULL, &result, 1, NULL, &error) != WPR_OK;
    *last = result.of.i32;
    return failed;
}

uint64_t loop_bytes(wpr_plugin_t plugin, const char *name, const uint8_t *input, size_t length, uint8_t *output,
                    uint64_t turns, size_t *last) {
    wpr_error_t error;
    uint64_t failed = 0;
    for (uint64_t turn = 0; turn < turns; turn++)
        failed += wpr_plugin_call_bytes_into(plugin, name, input, length, output, length, last, &error) != WPR_OK;
    return failed;
}

static int32_t next_number(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                           wpr_value_t *result) {
    (void)user_data, (void)call, (void)arg_count;
    result->of.i32 = args[0].of.i32 + 1;
    return WPR_HOST_OK;
}

/* A registry with the host function env.next in C. */
wpr_code_t registry_with_next(wpr_registry_t *registry) {
    static const uint32_t params[1] = {WPR_I32};
    wpr_host_function_t next;
    wpr_host_function_init(&next, sizeof next);
    next.module = "env";
    next.name = "next";
    next.params = params;
    next.param_count = 1;
    next.result = WPR_I32;
    next.callback = next_number;
    const wpr_host_function_t *functions[1] = {&next};
    wpr_registry_options_t options;
    wpr_registry_options_init(&options, sizeof options);
    options.functions = functions;
    options.function_count = 1;
    return wpr_registry_new(&options, registry, NULL);
}
