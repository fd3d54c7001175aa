/* Reads the structs that `Packer` packed: numbers of eight bytes, texts and bytes behind their length, -1 for null. */

#include "shim.h"

bool unpack(struct pack *pack, struct work *work, jbyteArray packed) {
    size_t length;
    *pack = (struct pack){.work = work};
    pack->at = bytes_of(work, packed, &length);
    pack->end = pack->at ? pack->at + length : NULL;
    return pack->at;
}

/* The next bytes; null if there are not so many. */
static const uint8_t *take(struct pack *pack, uint64_t length) {
    if (length > (uint64_t)(pack->end - pack->at)) {
        refuse(pack->work, WPR_INVALID_STRUCT, "the classes and the shim are not of one version");
        return NULL;
    }
    const uint8_t *bytes = pack->at;
    pack->at += length;
    return bytes;
}

uint64_t packed_number(struct pack *pack) {
    const uint8_t *bytes = take(pack, 8);
    uint64_t number = 0;
    for (int i = 0; bytes && i < 8; i++)
        number |= (uint64_t)bytes[i] << (8 * i);
    return number;
}

/* A length of something that follows, of which each element takes at least a byte: none is longer than what is left. */
static size_t packed_count(struct pack *pack) {
    uint64_t count = packed_number(pack);
    if (count <= (uint64_t)(pack->end - pack->at))
        return (size_t)count;
    take(pack, UINT64_MAX);
    return 0;
}

static const uint8_t *packed_bytes(struct pack *pack, size_t *length) {
    uint64_t count = packed_number(pack);
    *length = 0;
    if (count == UINT64_MAX)
        return NULL;
    const uint8_t *bytes = take(pack, count);
    if (bytes)
        *length = (size_t)count;
    return bytes;
}

const char *packed_text(struct pack *pack) {
    size_t length;
    return (const char *)packed_bytes(pack, &length);
}

static const char *const *packed_texts(struct pack *pack, size_t *count) {
    *count = packed_count(pack);
    const char **texts = room_for(pack->work, *count, sizeof *texts);
    for (size_t i = 0; texts && i < *count; i++)
        texts[i] = packed_text(pack);
    return texts;
}

static const wpr_setting_t *packed_settings(struct pack *pack, size_t *count) {
    *count = packed_count(pack);
    wpr_setting_t *settings = room_for(pack->work, *count, sizeof *settings);
    for (size_t i = 0; settings && i < *count; i++) {
        settings[i].name = packed_text(pack);
        settings[i].value = packed_text(pack);
    }
    return settings;
}

static const uint32_t *packed_types(struct pack *pack, size_t *count) {
    *count = packed_count(pack);
    uint32_t *types = room_for(pack->work, *count, sizeof *types);
    for (size_t i = 0; types && i < *count; i++)
        types[i] = (uint32_t)packed_number(pack);
    return types;
}

static const wpr_value_t *packed_values(struct pack *pack, size_t *count) {
    *count = packed_count(pack);
    wpr_value_t *values = room_for(pack->work, *count, sizeof *values);
    for (size_t i = 0; values && i < *count; i++) {
        uint32_t kind = (uint32_t)packed_number(pack);
        values[i] = value_of(kind, (jlong)packed_number(pack));
    }
    return values;
}

/* --- the structs: their numbers in the order of the Java classes, which read and write them in the same ----------- */

#define CONFIG_NUMBERS(X)                                                                                              \
    X(can_index_search) X(can_vector_search) X(memory_limit_bytes) X(fuel_limit) X(timeout_ms) X(epoch_interval_ms)    \
    X(fuel_budget) X(max_instances) X(reset) X(on_denied) X(compilation) X(enable_fuel) X(enable_epochs) X(debug_mode) \
    X(quarantine_failures) X(quarantine_first_ms) X(quarantine_longest_ms) X(code_sharing) X(min_instances)            \
    X(trim_idle)

#define LIMITS_NUMBERS(X)                                                                                              \
    X(max_module_bytes) X(max_table_elements) X(max_growth_step_bytes) X(min_stack_bytes) X(max_stack_bytes)           \
    X(max_recursion_depth) X(max_types) X(max_imports) X(max_functions) X(max_globals) X(max_exports) X(max_memories)  \
    X(max_tables) X(max_element_segments) X(max_data_segments) X(max_locals) X(max_body_bytes) X(max_params)           \
    X(max_results) X(max_call_depth) X(max_answer_bytes) X(on_growth_denied)

#define FUNCTION_NUMBERS(X) X(base_fuel) X(fuel_per_64_bytes) X(fuel_per_item)

#define QUOTA_NUMBERS(X)                                                                                               \
    X(max_plugins) X(max_sandboxes) X(max_memory_bytes) X(max_table_elements) X(max_heap_bytes) X(max_stored_rows)     \
    X(max_stored_bytes) X(fuel_per_second) X(fuel_burst)

#define READ(field) it->field = narrowed(packed_number(pack), sizeof it->field);
#define TELL(field) (jlong) it.field,

/* -1 is the largest number, also of those that have fewer bits. */
static uint64_t narrowed(uint64_t number, size_t size) {
    return size == sizeof(uint32_t) && number > UINT32_MAX ? UINT32_MAX : number;
}

const wpr_config_t *config_of(struct work *work, jbyteArray packed) {
    struct pack room, *pack = &room;
    if (!unpack(pack, work, packed))
        return NULL;
    wpr_config_t *it = room_for(work, 1, sizeof *it);
    wpr_limits_t *limits = room_for(work, 1, sizeof *limits);
    if (!it || !limits)
        return NULL;
    wpr_config_init(it, sizeof *it);
    it->tenant = packed_text(pack);
    it->can_read_table = packed_texts(pack, &it->can_read_table_count);
    it->can_write_table = packed_texts(pack, &it->can_write_table_count);
    it->can_call_plugin = packed_texts(pack, &it->can_call_plugin_count);
    it->custom_grants = packed_texts(pack, &it->custom_grant_count);
    it->settings = packed_settings(pack, &it->setting_count);
    CONFIG_NUMBERS(READ)
    size_t length;
    it->expected_sha256 = packed_bytes(pack, &length);
    it->limits = limits;
    {
        wpr_limits_t *it = limits;
        wpr_limits_init(it, sizeof *it);
        LIMITS_NUMBERS(READ)
    }
    return it;
}

const wpr_call_options_t *call_options_of(struct work *work, jbyteArray packed) {
    struct pack pack;
    if (!unpack(&pack, work, packed))
        return NULL;
    wpr_call_options_t *options = room_for(work, 1, sizeof *options);
    if (!options)
        return NULL;
    wpr_call_options_init(options, sizeof *options);
    options->fuel = packed_number(&pack);
    options->timeout_ms = packed_number(&pack);
    options->tag = packed_number(&pack);
    return options;
}

static const wpr_probe_t *packed_probe(struct pack *pack) {
    wpr_probe_t *probe = room_for(pack->work, 1, sizeof *probe);
    if (!probe)
        return NULL;
    wpr_probe_init(probe, sizeof *probe);
    probe->function = packed_text(pack);
    probe->is_bytes = (uint32_t)packed_number(pack);
    probe->has_expected = (uint32_t)packed_number(pack);
    probe->args = packed_values(pack, &probe->arg_count);
    probe->expected = packed_values(pack, &probe->expected_count);
    probe->input = packed_bytes(pack, &probe->input_length);
    probe->expected_bytes = packed_bytes(pack, &probe->expected_length);
    return probe;
}

const wpr_reload_options_t *reload_options_of(struct work *work, jbyteArray packed) {
    struct pack pack;
    if (!unpack(&pack, work, packed))
        return NULL;
    wpr_reload_options_t *options = room_for(work, 1, sizeof *options);
    if (!options)
        return NULL;
    wpr_reload_options_init(options, sizeof *options);
    options->state = (uint32_t)packed_number(&pack);
    options->keep_previous = (uint32_t)packed_number(&pack);
    options->drain_ms = packed_number(&pack);
    options->probe_count = packed_count(&pack);
    const wpr_probe_t **probes = room_for(work, options->probe_count, sizeof *probes);
    for (size_t i = 0; probes && i < options->probe_count; i++)
        probes[i] = packed_probe(&pack);
    options->probes = probes;
    return options;
}

void packed_function(struct pack *pack, wpr_host_function_t *it) {
    wpr_host_function_init(it, sizeof *it);
    it->module = packed_text(pack);
    it->name = packed_text(pack);
    it->params = packed_types(pack, &it->param_count);
    it->result = (uint32_t)packed_number(pack);
    it->grant = (uint32_t)packed_number(pack);
    it->custom_grant = packed_text(pack);
    FUNCTION_NUMBERS(READ)
}

const wpr_quota_t *packed_quota(struct pack *pack) {
    wpr_quota_t *it = room_for(pack->work, 1, sizeof *it);
    if (!it)
        return NULL;
    wpr_quota_init(it, sizeof *it);
    QUOTA_NUMBERS(READ)
    return it;
}

/* --- defaults ----------------------------------------------------------------------------------------------------- */

NATIVE(jlongArray, configDefaults)(JNIEnv *env, CLASS) {
    wpr_config_t it;
    wpr_config_init(&it, sizeof it);
    const jlong numbers[] = {CONFIG_NUMBERS(TELL)};
    return new_longs(env, numbers, sizeof numbers / sizeof *numbers);
}

NATIVE(jlongArray, limitsDefaults)(JNIEnv *env, CLASS) {
    wpr_limits_t it;
    wpr_limits_init(&it, sizeof it);
    const jlong numbers[] = {LIMITS_NUMBERS(TELL)};
    return new_longs(env, numbers, sizeof numbers / sizeof *numbers);
}

NATIVE(jlongArray, functionDefaults)(JNIEnv *env, CLASS) {
    wpr_host_function_t it;
    wpr_host_function_init(&it, sizeof it);
    const jlong numbers[] = {FUNCTION_NUMBERS(TELL)};
    return new_longs(env, numbers, sizeof numbers / sizeof *numbers);
}
