package dev.wasmruntime;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Texts as the library has them. JNI's own conversion is not UTF-8, and would cut at a zero. */
final class Texts {
    private Texts() {}

    /** The text with a zero byte at its end; null stays null. What cannot be passed as it is, is refused. */
    static byte[] out(String text) {
        if (text == null) {
            return null;
        }
        // Names of functions are looked up at each call, and most are plain: once over them, and one array.
        byte[] bytes = new byte[text.length() + 1];
        for (int at = 0; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == 0 || c >= 0x80) {
                return encoded(text);
            }
            bytes[at] = (byte) c;
        }
        return bytes;
    }

    private static byte[] encoded(String text) {
        check(text);
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return Arrays.copyOf(bytes, bytes.length + 1);
    }

    static String in(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    /** The text up to its zero byte, which lies between two places. */
    static String in(byte[] bytes, int from, int to) {
        int end = from;
        while (end < to && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, from, end - from, StandardCharsets.UTF_8);
    }

    /** {@code getBytes} would make a question mark of half a character, which names something else. */
    private static void check(String text) {
        for (int at = 0; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == 0) {
                throw PluginException.misuse("a text has a zero character at " + at);
            }
            if (Character.isSurrogate(c)) {
                if (!Character.isHighSurrogate(c) || at + 1 == text.length()
                        || !Character.isLowSurrogate(text.charAt(at + 1))) {
                    throw PluginException.misuse("a text has half a character at " + at);
                }
                at++;
            }
        }
    }
}
