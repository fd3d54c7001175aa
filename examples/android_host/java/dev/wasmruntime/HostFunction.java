package dev.wasmruntime;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** A function of yours that plugins may import. */
public final class HostFunction {
    /** The import module, such as {@code "env"}. */
    public final String module;
    /** The import name. */
    public final String name;
    /** What a plugin needs to call it. */
    public Grant grant = Grant.NOTHING;
    /** The name of a grant of your own that it needs instead: {@link PluginConfig#customGrants}. Null for none. */
    public String customGrant;
    /** Fuel for being called: 40. */
    public long baseFuel;
    /** Fuel for 64 bytes, by {@link HostCall#chargeBytes}: 2. */
    public long fuelPer64Bytes;
    /** Fuel for a row: 12. */
    public long fuelPerItem;

    final ValueType[] params;
    final ValueType result;
    final HostCallback callback;

    /** A function of parameters of these types, up to 16, and a result; {@link ValueType#NONE} for none. */
    public HostFunction(
            String module, String name, List<ValueType> params, ValueType result, HostCallback callback) {
        this.module = Objects.requireNonNull(module, "module");
        this.name = Objects.requireNonNull(name, "name");
        this.params = params.toArray(new ValueType[0]);
        this.result = Objects.requireNonNull(result, "result");
        this.callback = Objects.requireNonNull(callback, "callback");
        long[] defaults = Native.functionDefaults();
        baseFuel = defaults[0];
        fuelPer64Bytes = defaults[1];
        fuelPerItem = defaults[2];
    }

    Packer pack(Packer packer) {
        return packer
                .text(module)
                .text(name)
                .types(Arrays.asList(params))
                .number(result.ordinal())
                .number(grant.ordinal())
                .text(customGrant)
                .count("baseFuel", baseFuel)
                .count("fuelPer64Bytes", fuelPer64Bytes)
                .count("fuelPerItem", fuelPerItem);
    }
}
