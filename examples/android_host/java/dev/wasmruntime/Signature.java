package dev.wasmruntime;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Of which types a function's parameters and results are. */
public final class Signature {
    public final List<ValueType> params;
    public final List<ValueType> results;

    /** How many parameters there are, and then all types. */
    Signature(int[] types) {
        params = list(types, 1, 1 + types[0]);
        results = list(types, 1 + types[0], types.length);
    }

    private static List<ValueType> list(int[] types, int from, int to) {
        List<ValueType> list = new ArrayList<>();
        for (int at = from; at < to; at++) {
            list.add(ValueType.of(types[at]));
        }
        return Collections.unmodifiableList(list);
    }

    /** As {@link Value} says, with the result; -1 if it cannot be told so. */
    long kinds() {
        if (params.size() > Value.MOST || results.size() > 1) {
            return -1;
        }
        long kinds = params.size() << 3;
        for (int at = 0; at < params.size(); at++) {
            kinds |= (long) params.get(at).ordinal() << (8 + 3 * at);
        }
        return kinds | (results.isEmpty() ? 0 : results.get(0).ordinal());
    }

    @Override
    public String toString() {
        return params + " -> " + results;
    }
}
