package dev.wasmruntime;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Packs a struct for the library: numbers of eight bytes, texts and bytes behind their length. {@code pack.c} reads it.
 */
final class Packer {
    private byte[] bytes = new byte[512];
    private int length;

    Packer number(long number) {
        room(8);
        for (int shift = 0; shift < 64; shift += 8) {
            bytes[length++] = (byte) (number >>> shift);
        }
        return this;
    }

    Packer flag(boolean flag) {
        return number(flag ? 1 : 0);
    }

    /** A count or size; -1 is the largest there is, which stands for none. Others below 0 would be huge ones. */
    Packer count(String name, long count) {
        if (count < -1) {
            throw PluginException.misuse("`" + name + "` is " + count);
        }
        return number(count);
    }

    Packer bytes(byte[] value) {
        number(value == null ? -1 : value.length);
        if (value != null) {
            room(value.length);
            System.arraycopy(value, 0, bytes, length, value.length);
            length += value.length;
        }
        return this;
    }

    Packer text(String text) {
        return bytes(Texts.out(text));
    }

    Packer texts(List<String> texts) {
        number(texts.size());
        for (String text : texts) {
            text(Objects.requireNonNull(text, "a name"));
        }
        return this;
    }

    Packer pairs(Map<String, String> pairs) {
        number(pairs.size());
        for (Map.Entry<String, String> pair : pairs.entrySet()) {
            text(Objects.requireNonNull(pair.getKey(), "a name"));
            text(Objects.requireNonNull(pair.getValue(), "a value"));
        }
        return this;
    }

    Packer types(List<ValueType> types) {
        number(types.size());
        for (ValueType type : types) {
            number(type.ordinal());
        }
        return this;
    }

    Packer values(Value[] values) {
        number(values.length);
        for (Value value : values) {
            number(value.type.ordinal()).number(value.bits);
        }
        return this;
    }

    byte[] done() {
        return Arrays.copyOf(bytes, length);
    }

    private void room(int wanted) {
        if (bytes.length - length < wanted) {
            bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, Math.addExact(length, wanted)));
        }
    }
}
