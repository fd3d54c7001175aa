#!/bin/bash
# Tests the C API with programs in C: as they are, under sanitizers, under valgrind, and without the standard library.
#
#   capi/test.sh            all parts; some minutes, most of which compile the library anew for the sanitizers
#   capi/test.sh PART...    only these:
#
#   header     it is current, and compiles as C11 and C++17 without a warning; every function of it is called by a test
#   plain      the release library, linked statically and dynamically; the latter exports nothing but the API
#   valgrind   the same under valgrind, with fewer turns
#   asan       library and tests under AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer
#   tsan       the tests of threads under ThreadSanitizer
#   hooks      the library without the standard library, on a heap that counts: what allocates, and that all is freed
#
# CHECK_ARGS="NAME..." runs only the tests whose names contain one of these. Everything is built below the target
# folder. What is missing is installed from Debian's packages when run as root.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/tools.sh

target=${CARGO_TARGET_DIR:-$PWD/target}
out=$target/capi-tests
host=$(rustc -vV | sed -n 's/^host: //p')
export FIXTURES=$PWD/fixtures/wasm CARGO_TERM_COLOR=never

readonly warnings='-Wall -Wextra -Wpedantic -Wconversion -Werror'
readonly tests='check guests functions lifecycle values bytes host_functions storage started cancel limits leases tables
    config maintenance texts misuse pointers callbacks threads logs'

main() {
    mkdir -p "$out"
    local name began
    for name in ${*:-header plain valgrind asan tsan hooks}; do
        echo "=== $name"
        began=$SECONDS
        "part_$name"
        echo "--- $name: $((SECONDS - began)) s"
    done
}

# --- the header ----------------------------------------------------------------------------------------------------

part_header() {
    capi/header.sh --check
    header_compiles
    every_function_is_called
}

# As the only content of a file, and included twice.
header_compiles() {
    need gcc gcc && need g++ g++ && need clang-19 clang-19
    local folder=$out/header count=0 compiler file
    mkdir -p "$folder"
    printf '#include "wasm_runtime.h"\n' | tee "$folder/once.c" >"$folder/once.cpp"
    cat "$folder/once.c" "$folder/once.c" | tee "$folder/twice.c" >"$folder/twice.cpp"
    # Padding is no mistake, and C++98 is not meant.
    local everything='-Weverything -Wno-padded -Wno-c++98-compat-pedantic'
    for file in once twice; do
        for compiler in "gcc -std=c11" "gcc -std=c2x" "clang-19 -std=c11" "clang-19 -std=c11 $everything" \
            "clang-19 -std=c23 $warnings"; do
            $compiler $warnings -Icapi/include -fsyntax-only "$folder/$file.c"
            count=$((count + 1))
        done
        for compiler in "g++ -std=c++17" "g++ -std=c++23" "clang++-19 -std=c++17" \
            "clang++-19 -std=c++17 $everything"; do
            $compiler $warnings -Icapi/include -fsyntax-only "$folder/$file.cpp"
            count=$((count + 1))
        done
    done
    echo "$count passed, 0 failed"
}

every_function_is_called() {
    need gcc gcc
    local declared handled name missing=0 count=0
    declared=$(gcc -E -P -Icapi/include -x c - <<<'#include "wasm_runtime.h"' | tr '\n' ' ')
    while read -r name; do
        count=$((count + 1))
        grep -q "\b$name(" capi/tests/*.c || { echo "no test calls $name" >&2; missing=$((missing + 1)); }
    done < <(grep -oE '\bwpr_[a-z0-9_]+\(' <<<"$declared" | grep -v wpr_hook_ | tr -d '(' | sort -u)
    # Those that take a handle are in the table of functions.c, of which every misuse is made.
    handled=$(grep -oE 'wpr_code_t wpr_[a-z0-9_]+\(struct wpr_(registry|plugin|function|call|lease|cancel|bytes)_t ' \
        <<<"$declared" | sed 's/.*wpr_code_t \(wpr_[a-z0-9_]*\)(.*/\1/')
    while read -r name; do
        count=$((count + 1))
        grep -q "HANDLE([a-z]*, [A-Z]*, $name," capi/tests/functions.c ||
            { echo "$name takes a handle and is not in capi/tests/functions.c" >&2; missing=$((missing + 1)); }
    done <<<"$handled"
    [ $count -gt 150 ] || { echo "only $count functions were found" >&2; return 1; }
    echo "$((count - missing)) passed, $missing failed"
    [ $missing -eq 0 ]
}

# --- the tests -----------------------------------------------------------------------------------------------------

# sources MAIN...: the files of the test program.
sources() {
    local name
    for name in $tests "$@"; do echo "capi/tests/$name.c"; done
}

# run COMMAND...: tells of tests that fail, and how many passed.
run() {
    local status=0
    # shellcheck disable=SC2086 # several names
    "$@" ${CHECK_ARGS-} >"$out/run.log" 2>&1 || status=$?
    if [ $status -ne 0 ]; then
        cat "$out/run.log" >&2
        echo "exit code $status: $*" >&2
        return 1
    fi
    grep -v ' \.\.\. ok$' "$out/run.log"
}

release_library() {
    cargo build --locked --release --manifest-path capi/Cargo.toml --target-dir "$target/capi"
    need gcc gcc
    # shellcheck disable=SC2086
    gcc -std=c11 -O1 -g $warnings -Icapi/include -o "$out/static" $(sources main) \
        "$target/capi/release/libwasm_runtime.a" -lpthread -ldl -lm
}

part_plain() {
    release_library
    run "$out/static"
    # shellcheck disable=SC2086
    gcc -std=c11 -O1 -g $warnings -Icapi/include -o "$out/dynamic" $(sources main) \
        -L"$target/capi/release" -lwasm_runtime -Wl,-rpath,"$target/capi/release" -lpthread
    run "$out/dynamic"
    need nm binutils
    local others
    others=$(nm -D --defined-only "$target/capi/release/libwasm_runtime.so" | awk '$3 !~ /^wpr_/ { print $3 }')
    [ -z "$others" ] || { echo "the dynamic library exports: $others" >&2; return 1; }
    echo "the dynamic library exports nothing but the API"
}

# The library as it is shipped.
part_valgrind() {
    release_library
    need valgrind valgrind
    run env SLOWER="${SLOWER-20}" valgrind -q --fair-sched=try --suppressions=capi/tests/valgrind.supp \
        --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=1 "$out/static"
}

# sanitized SANITIZER RUSTFLAGS CARGO-OPTION...: the library, instrumented; but for `core`, `alloc` and `std`, which are
# compiled already. Instrumented handlers do not go on by tail calls: the interpreter is the portable one.
sanitized() {
    local sanitizer=$1 flags=$2
    shift 2
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=$sanitizer -Cdebuginfo=line-tables-only $flags" \
        CARGO_PROFILE_DEV_OPT_LEVEL=1 cargo rustc --locked --manifest-path capi/Cargo.toml \
        --features portable-dispatch --crate-type staticlib --target "$host" --target-dir "$out/$sanitizer" "$@"
    need clang-19 clang-19
    need "/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.asan-${host%%-*}.a" libclang-rt-19-dev
}

part_asan() {
    sanitized address ''
    # shellcheck disable=SC2086
    clang-19 -std=c11 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined \
        $warnings -Icapi/include -o "$out/asan" $(sources main) \
        "$out/address/$host/debug/libwasm_runtime.a" -lpthread -ldl -lm
    run env SLOWER="${SLOWER-2}" ASAN_SYMBOLIZER_PATH="$(symbolizer)" UBSAN_OPTIONS=print_stacktrace=1 \
        ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 "$out/asan"
}

# Without the standard library, of whose locks the sanitizer sees only one half; its own are all compiled here.
part_tsan() {
    CARGO_PROFILE_DEV_PANIC=abort sanitized thread -Cunsafe-allow-abi-mismatch=sanitizer --no-default-features
    # shellcheck disable=SC2086
    clang-19 -std=c11 -O1 -g -DWITHOUT_STD -fsanitize=thread $warnings -Icapi/include -o "$out/tsan" \
        $(sources main_hooks hooks allocations) "$out/thread/$host/debug/libwasm_runtime.a" -lpthread -lm
    CHECK_ARGS=${CHECK_ARGS-thread while signal release} run env SLOWER="${SLOWER-2}" \
        TSAN_OPTIONS=suppressions=capi/tests/tsan.supp:external_symbolizer_path="$(symbolizer)" "$out/tsan"
}

# What puts addresses in words, if it is there.
symbolizer() { command -v llvm-symbolizer-19 || command -v llvm-symbolizer-22 || command -v llvm-symbolizer || true; }

# With the portable interpreter: the one by tail calls is sound at opt-level 2 and 3 only.
part_hooks() {
    cargo rustc --locked --manifest-path capi/Cargo.toml --profile embedded --no-default-features \
        --features portable-dispatch --crate-type staticlib --target-dir "$target/capi"
    need gcc gcc
    # shellcheck disable=SC2086
    gcc -std=c11 -O1 -g -DWITHOUT_STD $warnings -Icapi/include -o "$out/hooks" $(sources main_hooks hooks allocations) \
        "$target/capi/embedded/libwasm_runtime.a" -lpthread -lm
    run env SLOWER="${SLOWER-4}" "$out/hooks"
}

main "$@"
