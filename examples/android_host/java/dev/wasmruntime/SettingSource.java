package dev.wasmruntime;

/** Settings that a plugin's configuration does not have. */
public interface SettingSource {
    /** The value of a setting; null if there is none of that name. */
    String find(HostCall call, String name) throws Exception;
}
