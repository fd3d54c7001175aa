#!/bin/bash
# Tests the Java classes and their shim on the JVM of this machine, and the library that an app for Android links.
#
#   examples/android_host/test.sh           both halves
#   examples/android_host/test.sh jvm       the tests under checks of JNI, the example, the page, what calls cost
#   examples/android_host/test.sh device    a static library for aarch64-linux-android, which is looked at and not run
#
# Output goes to ${CARGO_TARGET_DIR:-target}/android. What is missing is installed from Debian's packages when run as
# root.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools.sh

readonly here=examples/android_host
readonly out=${CARGO_TARGET_DIR:-$PWD/target}/android
readonly warnings='WARNING in native method|WARNING: JNI|FATAL ERROR in native method'
readonly suites='CallTests RegistryTests CallbackTests MisuseTests ThreadTests LifeTests'

main() {
    mkdir -p "$out"
    case ${1-all} in
        all) jvm; device ;;
        jvm) jvm ;;
        device) device ;;
        *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
}

jvm() {
    "$here/build.sh"
    tests/handlers.sh "$out/libwasm_runtime_jni.so"
    plugins
    tests
    example
    page
    bench
}

# --- the JVM of this machine ------------------------------------------------------------------------------------------

# java_with CLASSES ARGUMENT...
java_with() {
    local classes=$out/classes:$1
    shift
    timeout 600 java -XX:ErrorFile="$out/hs_err.log" -Djava.library.path="$out" -cp "$classes" "$@"
}

# compile NAME SOURCE...
compile() {
    rm -rf "${out:?}/$1"
    javac -Xlint:all,-options -Werror --release 8 -encoding UTF-8 -cp "$out/classes" -d "$out/$1" "${@:2}"
}

# What the tests' own plugins are, from their text.
plugins() {
    local source tool=$out/tool/release/fixture-tool
    cargo build --quiet --release --locked --manifest-path fixtures/tool/Cargo.toml --target-dir "$out/tool"
    mkdir -p "$out/plugins"
    for source in "$here"/tests/plugins/*.wat; do
        "$tool" wat "$source" "$out/plugins/$(basename "$source" .wat).wasm"
    done
}

tests() {
    compile tests "$here"/tests/dev/wasmruntime/*.java
    # shellcheck disable=SC2086
    checked $suites
    # Without compilers, and with all of the heap from the beginning: see GrowthTests.
    checked -Xint -Xms64m -Xmx64m -XX:+AlwaysPreTouch GrowthTests
}

# checked [OPTION...] SUITE...: with JNI's own checks, which warn and go on: a warning is a failure.
checked() {
    local options=() status=0
    while [[ $1 == -* ]]; do options+=("$1"); shift; done
    java_with "$out/tests" "${options[@]}" -Xcheck:jni -Dfixtures=fixtures/wasm -Dplugins="$out/plugins" \
        -Dheader=capi/include/wasm_runtime.h dev.wasmruntime.Runner "$@" 2>&1 | tee "$out/tests.log" || status=$?
    if grep -E "$warnings" "$out/tests.log" >&2; then
        echo "the virtual machine warns of the shim" >&2
        status=1
    fi
    return $status
}

example() {
    compile example "$here/example/Main.java"
    java_with "$out/example" -Xcheck:jni Main fixtures/wasm 2>&1 | tee "$out/example.log"
    ! grep -E "$warnings" "$out/example.log" >&2
}

# The Java program of the documentation, as it stands there.
page() {
    local said
    mkdir -p "$out/page-source"
    awk '/^```java$/ { inside = 1; next } /^```$/ { inside = 0 } inside' docs/embedding/kotlin.md \
        >"$out/page-source/FirstPlugin.java"
    compile page "$out/page-source/FirstPlugin.java"
    said=$(java_with "$out/page" FirstPlugin)
    [ "$said" = $'215\nOUT_OF_FUEL' ] || { echo "the program of the page says: $said" >&2; return 1; }
    echo "the program of docs/embedding/kotlin.md runs"
}

# What calls cost is told, and not judged.
bench() {
    compile bench "$here/bench/Bench.java"
    gcc -std=c11 -D_POSIX_C_SOURCE=200809L -O2 -Wall -Wextra -Wpedantic -Werror -Icapi/include "$here/bench/calls.c" \
        "$out/../capi/release/libwasm_runtime.a" -o "$out/bench/calls" -lpthread -ldl -lm
    java_with "$out/bench" Bench fixtures/wasm "$out/bench/calls"
}

# --- the library for a device -----------------------------------------------------------------------------------------

# Executable memory, code that changes, code from elsewhere. `mmap` is not in the list: std maps the program's own files
# with it, to read them for a backtrace. Nor is `syscall`, by which std waits for locks.
readonly forbidden='mremap mprotect pkey_mprotect memfd_create shmat __clear_cache dlopen dlsym dlmopen
    android_dlopen_ext'

device() {
    local archive=$out/device/aarch64-linux-android/release/libwasm_runtime.a
    need llvm-nm-22 llvm-22
    need ld.lld-22 lld-22
    BUILD_STD=std,panic_abort CARGO_VERB=rustc cargo_for aarch64-linux-android --quiet --manifest-path capi/Cargo.toml \
        --release --crate-type staticlib --target-dir "$out/device"
    only_aarch64 "$archive"
    defines_the_header "$archive"
    asks_for_nothing_forbidden "$archive"
    linked "$archive"
    tests/handlers.sh "$archive"
}

only_aarch64() {
    local kinds
    kinds=$(llvm-objdump-22 --file-headers "$1" | sed -n 's/.*file format //p' | sort | uniq -c)
    echo "objects:" $kinds
    [[ $kinds =~ ^\ *[0-9]+\ elf64-littleaarch64$ ]]
}

# What the header declares, without what it defines itself and the hooks that a program without std brings.
declared() {
    gcc -E -P capi/include/wasm_runtime.h | grep -oE '\bwpr_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u |
        grep -vxE 'wpr_[if](32|64)|wpr_hook_.*'
}

defines_the_header() {
    local missing
    missing=$(comm -23 <(declared) <(symbols "$1" --defined-only))
    [ -z "$missing" ] || { echo "not in $1:" $missing >&2; return 1; }
    echo "defines all $(declared | wc -l) functions of the header"
}

asks_for_nothing_forbidden() {
    local wanted bad
    wanted=$(symbols "$@" --undefined-only)
    grep -qx malloc <<<"$wanted" || { echo "no symbols are seen in $1" >&2; return 1; }
    bad=$(comm -12 <(tr -s ' \n' '\n' <<<"$forbidden" | sort -u) <(echo "$wanted"))
    [ -z "$bad" ] || { echo "FORBIDDEN:" $bad >&2; return 1; }
}

# As a library for a device, but for Android's own, which the loader would add; with the pages of 16 KiB that Play asks
# for.
linked() {
    local library=$out/device/linked.so names=()
    mapfile -t names < <(declared)
    echo '{ global: wpr_*; local: *; };' >"$out/device/exports.map"
    ld.lld-22 -shared --gc-sections -z max-page-size=16384 --version-script="$out/device/exports.map" \
        "${names[@]/#/--undefined=}" "$1" -o "$library"
    asks_for_nothing_forbidden "$library" --dynamic
    echo "linked, it asks for:" $(symbols "$library" --dynamic --undefined-only)
    llvm-readelf-22 --program-headers "$library" |
        awk '/^ *LOAD/ { loads++; if ($NF != "0x4000") bad = 1 } END { exit bad || !loads }' ||
        { echo "$library is not for pages of 16 KiB" >&2; return 1; }
}

# symbols FILE WHICH...
symbols() {
    local names
    names=$(llvm-nm-22 --quiet --extern-only --format=just-symbols "${@:2}" "$1")
    grep -v ':$\|^$' <<<"$names" | sort -u
}

export LC_ALL=C.UTF-8
main "$@"
