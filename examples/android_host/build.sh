#!/bin/bash
# Builds the classes and the shim for the JVM of this machine.
#
#   examples/android_host/build.sh
#
# into ${CARGO_TARGET_DIR:-target}/android: `wasm-runtime.jar`, and `libwasm_runtime_jni.so` with the library inside.
# What is missing is installed from Debian's packages when run as root. For a device: `ndk.sh`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools.sh

readonly here=examples/android_host
target=${CARGO_TARGET_DIR:-$PWD/target}
readonly out=$target/android
readonly library=$target/capi/release/libwasm_runtime.a

main() {
    tools
    mkdir -p "$out/objects"
    native_library
    classes
    shim
    exports
}

tools() {
    need cargo cargo
    need javac openjdk-17-jdk-headless
    need gcc gcc
    need nm binutils
}

# Cargo knows whether it is current.
native_library() {
    cargo build --quiet --release --locked --manifest-path capi/Cargo.toml --target-dir "$target/capi"
}

# `--release 8` is what every Android builds; newer compilers call it obsolete, which says nothing about the code.
classes() {
    rm -rf "$out/classes" "$out/include"
    javac -Xlint:all,-options -Werror --release 8 -encoding UTF-8 -h "$out/include" -d "$out/classes" \
        "$here"/java/dev/wasmruntime/*.java
    jar --create --file "$out/wasm-runtime.jar" -C "$out/classes" .
}

# With the header that javac wrote, in which each native method has a prototype: a parameter of another type does not
# compile.
shim() {
    local java_home source flags
    java_home=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
    flags=(-std=c11 -O2 -g -fPIC -fvisibility=hidden -Wall -Wextra -Wpedantic -Wmissing-prototypes -Werror
        -I"$java_home/include" -I"$java_home/include/linux" -Icapi/include
        -include "$out/include/dev_wasmruntime_Native.h")
    for source in "$here"/jni/*.c; do
        gcc "${flags[@]}" -c "$source" -o "$out/objects/$(basename "$source" .c).o"
    done
    gcc -shared -o "$out/libwasm_runtime_jni.so" "$out"/objects/*.o "$library" \
        -Wl,--version-script="$here/jni/exports.map" -Wl,--gc-sections -Wl,--no-undefined -lpthread -ldl -lm
}

# Each native method is there, and nothing else is to be seen.
exports() {
    local declared shown
    declared=$(grep -oE 'Java_\w+' "$out/include/dev_wasmruntime_Native.h"; echo JNI_OnLoad; echo JNI_OnUnload)
    shown=$(nm -D --defined-only --format=posix "$out/libwasm_runtime_jni.so" | cut -d' ' -f1)
    diff <(sort -u <<<"$declared") <(sort -u <<<"$shown") || { echo "the shim shows something else" >&2; return 1; }
}

main
