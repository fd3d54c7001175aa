/* What most tests begin with: a registry, a plugin from a fixture or made here, a call. */
#ifndef GUESTS_H
#define GUESTS_H

#include "check.h"

struct file {
    const uint8_t *bytes;
    size_t length;
};

/* The fixture of that name: `fixtures/wasm/NAME.wasm`. */
struct file fixture(const char *name);
/* Where it is. */
const char *fixture_path(const char *name);

/* A module that is made here. */
struct module {
    size_t length;
    uint8_t bytes[512];
};

/* `run`, which hands its parameters on to the imported `env.f` and returns what that returns; and a `memory`. */
struct module forwarder(const uint32_t *params, size_t param_count, uint32_t result);
/* The same with a start section that calls an imported `env.f` without parameters or result. */
struct module starter(void);
/* `run`, which returns its parameters. */
struct module identity(const uint32_t *types, size_t count);
/* Two globals: `number`, an i64 of -7, and `function`, a null reference of a function. */
struct module globals(void);

/* Options as `wpr_registry_options_init` sets them; with a clock, where the library has none of its own. */
wpr_registry_options_t new_options(void);
wpr_registry_t new_registry(void);
wpr_registry_t registry_with(const wpr_registry_options_t *options);
void release_registry(wpr_registry_t registry);

/* A configuration as `wpr_config_init` sets it, with a minute for a call: tests run in slow builds too. */
wpr_config_t new_config(void);
wpr_plugin_t load(wpr_registry_t registry, const char *name, const char *fixture_name, const wpr_config_t *config);
wpr_plugin_t load_module(wpr_registry_t registry, const char *name, const struct module *module,
                         const wpr_config_t *config);

/* Values, and how many, as two arguments. */
#define ARGS(...) (wpr_value_t[]){__VA_ARGS__}, sizeof((wpr_value_t[]){__VA_ARGS__}) / sizeof(wpr_value_t)
#define NO_ARGS NULL, 0
/* Nothing is wanted of the results. */
#define NO_RESULTS NULL, 0, NULL

/* Calls a function that returns one value, which it returns. */
wpr_value_t call(wpr_plugin_t plugin, const char *function, const wpr_value_t *args, size_t count);
int32_t call_i32(wpr_plugin_t plugin, const char *function, const wpr_value_t *args, size_t count);

wpr_value_t externref(uint64_t number);
bool same_value(wpr_value_t a, wpr_value_t b);

/* A host function of the type `env.f`, with its callback. */
wpr_host_function_t new_function(wpr_host_callback_t callback, void *user_data, const uint32_t *params,
                                 size_t param_count, uint32_t result);
/* A registry with these functions. */
wpr_registry_t registry_of(const wpr_host_function_t *functions, size_t count);

/* A clock that goes on when it is told to. */
struct clock {
    _Atomic uint64_t now_us;
    _Atomic uint64_t step_us;
};
uint64_t clock_now(void *clock);

/* A callback's text, as it was given. */
bool is_text(const char *text, size_t length, const char *expected);

#endif
