/* A small interactive plugin host in C11: load plugins, call them, watch them being stopped at their limits.
 *
 *     examples/c_host/build.sh && target/c_host/c_host        `help` lists the commands
 *
 * Ctrl-C cancels the call that is running, and not the host. */

#include "wasm_runtime.h"

#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 32, FUEL_OF_A_STEP = 1000000 };

static wpr_registry_t registry;
/* The last error. Its message names plugin, function, limit and value. */
static wpr_error_t error;
/* The number of what Ctrl-C cancels: a handler may look at it. */
static _Atomic uint64_t running;

/* Says whether something went well, and if not, why. */
static bool went_well(wpr_code_t code) {
    if (code != WPR_OK) printf("  error %d: %s\n", (int)code, error.message);
    return code == WPR_OK;
}

/* --- a host function of our own: env.clock_ticks() -> i64, one tick later each time ------------------------------ */

static int32_t clock_ticks(void *user_data, wpr_host_call_t call, const wpr_value_t *args, size_t arg_count,
                           wpr_value_t *result) {
    (void)call, (void)args, (void)arg_count;
    result->of.i64 = ++*(int64_t *)user_data;
    return WPR_HOST_OK;
}

static int32_t print_log(void *user_data, wpr_host_call_t call, uint32_t level, const char *line, size_t length) {
    static const char *const levels[] = {"?", "error", "warning", "info", "debug"};
    const char *plugin = "";
    size_t plugin_length = 0;
    (void)user_data;
    wpr_host_call_plugin(call, &plugin, &plugin_length);
    printf("  [%s] %.*s: %.*s\n", levels[level < 5 ? level : 0], (int)plugin_length, plugin, (int)length, line);
    return WPR_HOST_OK;
}

static bool make_registry(void) {
    static int64_t ticks;
    wpr_host_function_t function;
    wpr_host_function_init(&function, sizeof function);
    function.module = "env";
    function.name = "clock_ticks";
    function.result = WPR_I64;
    function.callback = clock_ticks;
    function.user_data = &ticks;
    const wpr_host_function_t *functions[] = {&function};

    wpr_host_t host;
    wpr_host_init(&host, sizeof host);
    host.log = print_log;

    wpr_registry_options_t options;
    wpr_registry_options_init(&options, sizeof options);
    options.host = &host;
    options.functions = functions;
    options.function_count = 1;
    return went_well(wpr_registry_new(&options, &registry, &error));
}

/* --- words of a command ------------------------------------------------------------------------------------------ */

static bool find(const char *name, wpr_plugin_t *plugin) {
    return went_well(wpr_registry_get(registry, name, plugin, &error));
}

/* A file as a whole; NULL, and a word about it, if it cannot be read. */
static uint8_t *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long size = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
    if (size >= 0 && fseek(file, 0, SEEK_SET) == 0) bytes = malloc((size_t)size + 1);
    if (bytes != NULL && fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        free(bytes);
        bytes = NULL;
    }
    if (file != NULL) fclose(file);
    if (bytes == NULL) printf("  cannot read %s\n", path);
    *length = (size_t)(size < 0 ? 0 : size);
    return bytes;
}

/* `fuel=1000 memory=65536 timeout=50 tenant=acme read=users`: what a plugin may do. */
static bool configure(wpr_config_t *config, char **words, int count) {
    static const char *readable[1];
    wpr_config_init(config, sizeof *config);
    for (int i = 0; i < count; i++) {
        char *value = strchr(words[i], '=');
        if (value == NULL) return printf("  what is `%s`? Options are NAME=VALUE\n", words[i]), false;
        *value++ = '\0';
        if (strcmp(words[i], "fuel") == 0) config->fuel_limit = strtoull(value, NULL, 10);
        else if (strcmp(words[i], "memory") == 0) config->memory_limit_bytes = strtoull(value, NULL, 10);
        else if (strcmp(words[i], "timeout") == 0) config->timeout_ms = strtoull(value, NULL, 10);
        else if (strcmp(words[i], "instances") == 0) config->max_instances = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(words[i], "tenant") == 0) config->tenant = value;
        else if (strcmp(words[i], "read") == 0) {
            readable[0] = value;
            config->can_read_table = readable;
            config->can_read_table_count = 1;
        } else return printf("  there is no option `%s`\n", words[i]), false;
    }
    return true;
}

/* The arguments of a call, of the types that the function has. */
static bool parse_values(wpr_plugin_t plugin, const char *function, char **words, int count, wpr_value_t *values) {
    uint32_t params[WPR_MAX_VALUES], results[WPR_MAX_VALUES];
    size_t param_count, result_count;
    if (!went_well(wpr_plugin_signature(plugin, function, params, &param_count, results, &result_count,
                                        WPR_MAX_VALUES, &error))) return false;
    for (int i = 0; i < count; i++) {
        switch ((size_t)i < param_count ? params[i] : WPR_I32) {
        case WPR_I64: values[i] = wpr_i64((int64_t)strtoll(words[i], NULL, 0)); break;
        case WPR_F32: values[i] = wpr_f32(strtof(words[i], NULL)); break;
        case WPR_F64: values[i] = wpr_f64(strtod(words[i], NULL)); break;
        default: values[i] = wpr_i32((int32_t)strtoll(words[i], NULL, 0));
        }
    }
    return true;
}

static void print_values(const wpr_value_t *values, size_t count) {
    printf("  =");
    for (size_t i = 0; i < count; i++) {
        switch (values[i].kind) {
        case WPR_I32: printf(" %" PRId32, values[i].of.i32); break;
        case WPR_I64: printf(" %" PRId64, values[i].of.i64); break;
        case WPR_F32: printf(" %g", (double)values[i].of.f32); break;
        case WPR_F64: printf(" %g", values[i].of.f64); break;
        default: printf(" ref %" PRIu64, values[i].of.externref);
        }
    }
    printf("%s\n", count == 0 ? " nothing" : "");
}

static void print_bytes(wpr_bytes_t bytes) {
    const uint8_t *data;
    size_t length;
    if (went_well(wpr_bytes_view(bytes, &data, &length, &error))) printf("  %.*s\n", (int)length, (const char *)data);
    wpr_bytes_release(bytes, NULL);
}

/* --- commands: words[0] is the command itself -------------------------------------------------------------------- */

static void load(char **words, int count) {
    size_t length;
    uint8_t *wasm = read_file(words[2], &length);
    wpr_config_t config;
    if (wasm != NULL && configure(&config, words + 3, count - 3) &&
        went_well(wpr_registry_load(registry, words[1], wasm, length, &config, &error)))
        printf("  loaded %s\n", words[1]);
    free(wasm);
}

static void reload(char **words, int count) {
    size_t length;
    uint8_t *wasm = read_file(words[2], &length);
    wpr_config_t config;
    if (wasm != NULL && configure(&config, words + 3, count - 3) &&
        went_well(wpr_registry_reload(registry, words[1], wasm, length, &config, NULL, &error)))
        printf("  reloaded %s\n", words[1]);
    free(wasm);
}

static void admit(char **words, int count) {
    size_t length;
    uint8_t *wasm = read_file(words[1], &length);
    wpr_config_t config;
    wpr_bytes_t report;
    if (wasm != NULL && configure(&config, words + 2, count - 2) &&
        went_well(wpr_registry_admit(registry, wasm, length, &config, &report, &error)))
        print_bytes(report);
    free(wasm);
}

static void rollback(char **words, int count) {
    (void)count;
    if (went_well(wpr_registry_rollback(registry, words[1], &error))) printf("  rolled back %s\n", words[1]);
}

static void unload(char **words, int count) {
    (void)count;
    if (went_well(wpr_registry_unload(registry, words[1], &error))) printf("  unloaded %s\n", words[1]);
}

static void on_interrupt(int signal) {
    (void)signal;
    /* One atomic step, which may be taken here. */
    wpr_cancel_t token = {atomic_load(&running)};
    wpr_cancel(token, NULL);
}

/* A call in steps, so that it can be seen to go on, and cancelled. */
static void call(char **words, int count) {
    wpr_plugin_t plugin;
    wpr_value_t values[WPR_MAX_VALUES];
    wpr_call_t started;
    if (count - 3 > WPR_MAX_VALUES) { printf("  that is too many arguments\n"); return; }
    if (!find(words[1], &plugin)) return;
    if (parse_values(plugin, words[2], words + 3, count - 3, values) &&
        went_well(wpr_call_start(plugin, words[2], values, (size_t)(count - 3), NULL, &started, &error))) {
        uint32_t progress = WPR_RUNNING;
        uint64_t ticket, fuel = 0;
        wpr_cancel_t token = {0};
        size_t results;
        wpr_code_t code = wpr_call_cancel_token(started, &token, &error);
        atomic_store(&running, token.id);
        signal(SIGINT, on_interrupt);
        while (code == WPR_OK && progress == WPR_RUNNING)
            code = wpr_call_run(started, FUEL_OF_A_STEP, &progress, &ticket, &error);
        signal(SIGINT, SIG_DFL);
        wpr_call_fuel_spent(started, &fuel, NULL);
        if (went_well(code) && went_well(wpr_call_results(started, values, WPR_MAX_VALUES, &results, &error)))
            print_values(values, results);
        printf("  %" PRIu64 " fuel\n", fuel);
        wpr_cancel_release(token, NULL);
        wpr_call_release(started, NULL);
    }
    wpr_plugin_release(plugin, NULL);
}

/* What follows the function's name goes to it as it is. */
static void bytes(char **words, int count) {
    wpr_plugin_t plugin;
    wpr_bytes_t answer;
    char input[1024] = "";
    for (int i = 3; i < count; i++) {
        size_t used = strlen(input);
        snprintf(input + used, sizeof input - used, "%s%s", i == 3 ? "" : " ", words[i]);
    }
    if (!find(words[1], &plugin)) return;
    if (went_well(wpr_plugin_call_bytes(plugin, words[2], (const uint8_t *)input, strlen(input), &answer, &error)))
        print_bytes(answer);
    wpr_plugin_release(plugin, NULL);
}

static void stats(char **words, int count) {
    wpr_plugin_t plugin;
    wpr_stats_t stats;
    (void)count;
    if (!find(words[1], &plugin)) return;
    wpr_stats_init(&stats, sizeof stats);
    if (went_well(wpr_plugin_stats(plugin, &stats, &error)))
        printf("  %" PRIu64 " calls, %" PRIu64 " stopped, %" PRIu64 " fuel, %" PRIu64 " KiB at most, %" PRIu64
               " host calls\n", stats.total_calls, stats.trap_count, stats.total_fuel_consumed,
               stats.peak_memory_bytes / 1024, stats.host_calls);
    wpr_plugin_release(plugin, NULL);
}

static void list(char **words, int count) {
    char name[129];
    (void)words, (void)count;
    for (size_t place = 0; wpr_registry_name_at(registry, place, name, sizeof name, NULL, NULL) == WPR_OK; place++)
        printf("  %s\n", name);
}

static void put(char **words, int count) {
    (void)count;
    if (went_well(wpr_registry_put(registry, words[1], words[2], (const uint8_t *)words[3], strlen(words[3]),
                                   (const uint8_t *)words[4], strlen(words[4]), NULL, &error)))
        printf("  stored\n");
}

static void audit(char **words, int count) {
    static const char *const decisions[] = {"grant", "denial", "limit", "trap", "load", "reload",
                                            "rollback", "unload", "quota", "quarantine", "revive", "other"};
    wpr_audit_record_t record;
    (void)words, (void)count;
    wpr_audit_record_init(&record, sizeof record);
    while (wpr_registry_audit_pop(registry, &record, NULL) == WPR_OK)
        printf("  %s %s/%s %s %s\n", decisions[record.decision < 11 ? record.decision : 11], record.tenant,
               record.plugin, record.function, record.resource);
}

static const struct command {
    const char *name;
    int least_words;
    void (*run)(char **words, int count);
    const char *help;
} commands[] = {
    {"load", 3, load, "load NAME FILE [fuel=N memory=BYTES timeout=MS instances=N tenant=NAME read=TABLE]"},
    {"admit", 2, admit, "admit FILE [OPTIONS]            what a module asks for, before any of it runs"},
    {"call", 3, call, "call NAME FUNCTION [NUMBER...]  Ctrl-C cancels it"},
    {"bytes", 3, bytes, "bytes NAME FUNCTION [TEXT]      by the byte convention"},
    {"reload", 3, reload, "reload NAME FILE [OPTIONS]      another version in its place"},
    {"rollback", 2, rollback, "rollback NAME                   the version before"},
    {"unload", 2, unload, "unload NAME"},
    {"list", 1, list, "list"},
    {"stats", 2, stats, "stats NAME                      what it has done"},
    {"audit", 1, audit, "audit                           what was decided since the last time"},
    {"put", 5, put, "put TENANT TABLE KEY VALUE      a row that plugins can read"},
};

static void run(char **words, int count) {
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(words[0], commands[i].name) != 0) continue;
        if (count < commands[i].least_words) printf("  usage: %s\n", commands[i].help);
        else commands[i].run(words, count);
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) printf("  %s\n", commands[i].help);
    printf("  quit\n");
}

int main(void) {
    char line[4096];
    if (wpr_api_version() < WPR_API_VERSION) return fprintf(stderr, "the library is too old\n"), 1;
    if (!make_registry()) return 1;
    for (;;) {
        char *words[MAX_WORDS];
        int count = 0;
        printf("> ");
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) == NULL) break;
        for (char *word = strtok(line, " \t\n"); word != NULL && count < MAX_WORDS; word = strtok(NULL, " \t\n"))
            words[count++] = word;
        if (count == 0) continue;
        if (strcmp(words[0], "quit") == 0) break;
        run(words, count);
    }
    wpr_registry_release(registry, NULL);
    return 0;
}
