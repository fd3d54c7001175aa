/* Values: Java has their bits in a `long`. */

#include "shim.h"

#include <string.h>

wpr_value_t value_of(uint32_t kind, jlong bits) {
    wpr_value_t value = {.kind = kind};
    uint32_t low = (uint32_t)bits;
    switch (kind) {
    case WPR_I32: value.of.i32 = (int32_t)low; break;
    case WPR_F32: memcpy(&value.of.f32, &low, sizeof low); break;
    default: value.of.i64 = bits;
    }
    return value;
}

jlong bits_of(const wpr_value_t *value) {
    int32_t low;
    switch (value->kind) {
    case WPR_I32: return value->of.i32;
    case WPR_F32: memcpy(&low, &value->of.f32, sizeof low); return low;
    default: return value->of.i64;
    }
}

size_t kinds_count(jlong kinds) { return (size_t)(kinds >> 3) & 31; }

uint32_t kinds_result(jlong kinds) { return (uint32_t)kinds & 7; }

static uint32_t kind_at(jlong kinds, size_t place) { return (uint32_t)((uint64_t)kinds >> (8 + 3 * place)) & 7; }

void values_of(jlong kinds, const jlong *bits, wpr_value_t *values) {
    for (size_t i = 0; i < kinds_count(kinds); i++)
        values[i] = value_of(kind_at(kinds, i), bits[i]);
}

const wpr_value_t *arguments_of(struct work *work, jlong kinds, jlongArray array, size_t *count) {
    size_t given;
    const jlong *bits = longs_of(work, array, &given);
    *count = kinds_count(kinds);
    if (!bits || given < *count || *count > WPR_MAX_VALUES) {
        refuse(work, WPR_INVALID_ARGUMENT, "there are fewer values than types");
        return NULL;
    }
    wpr_value_t *values = room_for(work, *count, sizeof *values);
    if (values)
        values_of(kinds, bits, values);
    return values;
}

jlong put_values(JNIEnv *env, const wpr_value_t *values, size_t count, jlongArray array) {
    jlong bits[WPR_MAX_VALUES], kinds = (jlong)count << 3;
    for (size_t i = 0; i < count; i++) {
        bits[i] = bits_of(&values[i]);
        kinds |= (jlong)((uint64_t)values[i].kind << (8 + 3 * i));
    }
    (*env)->SetLongArrayRegion(env, array, 0, (jsize)count, bits);
    return kinds;
}
