#!/bin/bash
# What the library adds to a minimal firmware, against the same by hand over wasmi: flash, heap, stack.
#
#   size.sh            builds and runs both, and fails where the budget or the figures of size.txt are exceeded
#   size.sh --record   writes size.txt anew; the budget must hold even then
#
# For thumbv7em-none-eabihf at `opt-level = "s"` and fat LTO, in QEMU.
set -euo pipefail
cd "$(dirname "$0")"
. ../tests/tools.sh

triple=thumbv7em-none-eabihf
# The budget in bytes: heap that registry and plugin hold after the first call, and at most while loading.
max_heap=24576
# What the library may add in flash.
max_added=40960
# Growth over what is recorded, in percent.
max_growth=5

# That of the firmware for the same target, which takes the same core and most of the same crates.
target=${DEVICES_TARGET_DIR:-$PWD/../target/devices}/$triple
declare -A now recorded
failures=0

main() {
    local record=no
    case ${1-} in
        '') ;;
        --record) record=yes ;;
        *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    tools
    build
    measure raw
    measure runtime
    now[added_flash]=$((now[runtime_flash] - now[raw_flash]))
    if [ $record = yes ]; then write >size.txt; fi
    read_recorded
    compare
    check_readme
    [ $failures -eq 0 ]
}

tools() {
    need llvm-readelf-22 llvm-22
    need qemu-system-arm qemu-system-arm
}

build() {
    # SHA-256 in a loop instead of unrolled: a fifth of the code.
    export CARGO_TARGET_THUMBV7EM_NONE_EABIHF_RUSTFLAGS='--cfg sha2_backend_soft="compact"'
    compiler=$(compiler_for $triple)
    cargo_for $triple --profile small -p minimal-raw -p minimal-runtime --target-dir "$target"
}

# measure FIRMWARE
measure() {
    local file=$target/$triple/small/minimal-$1 output what step bytes
    now[$1_flash]=$(flash "$file")
    output=$(timeout 60 qemu-system-arm -machine mps2-an386 -nographic -semihosting-config enable=on,target=native \
        -kernel "$file" </dev/null) || { printf '%s\n' "$output" "minimal-$1 failed" >&2; exit 1; }
    while read -r what step bytes; do
        case $what in
            heap | stack) now[$1_${what}_$step]=$bytes ;;
            *) echo "$1: $what $step $bytes" ;;
        esac
    done <<<"$output"
    for what in heap_registry heap_plugin heap_call heap_peak stack_peak; do
        [[ ${now[$1_$what]-} =~ ^[0-9]+$ ]] || { echo "minimal-$1 printed no $what" >&2; exit 1; }
    done
}

# All that lies in the file to be loaded: code, constants, tables, and the first values of variables.
flash() {
    llvm-readelf-22 -lW "$1" | awk '$1 == "LOAD" { print $5 }' | { sum=0; while read -r n; do sum=$((sum + n)); done; echo $sum; }
}

# --- figures -------------------------------------------------------------------------------------------------------

figures=(
    runtime_flash raw_flash added_flash
    runtime_heap_registry runtime_heap_plugin runtime_heap_call runtime_heap_peak runtime_stack_peak
    raw_heap_registry raw_heap_plugin raw_heap_call raw_heap_peak raw_stack_peak
)
# Those that may not grow.
bounded=(runtime_flash added_flash runtime_heap_call runtime_heap_peak)

write() {
    echo "# $triple, $compiler"
    local figure
    for figure in "${figures[@]}"; do
        echo "$figure ${now[$figure]}"
    done
}

read_recorded() {
    local figure bytes
    while read -r figure bytes; do
        [ "$figure" = "#" ] || recorded[$figure]=$bytes
    done <size.txt
}

compare() {
    local figure
    echo
    echo "$triple, $compiler; recorded with: $(sed -n '1s/^# //p' size.txt)"
    printf '%-24s %10s %10s\n' bytes recorded now
    for figure in "${figures[@]}"; do
        printf '%-24s %10d %10d\n' "$figure" "${recorded[$figure]}" "${now[$figure]}"
    done
    for figure in "${bounded[@]}"; do
        if ((now[$figure] * 100 > recorded[$figure] * (100 + max_growth))); then
            fail "$figure grew by more than $max_growth% over what is recorded"
        fi
    done
    ((now[added_flash] <= max_added)) || fail "we add ${now[added_flash]} bytes of flash, over $max_added"
    for figure in runtime_heap_call runtime_heap_peak; do
        ((now[$figure] <= max_heap)) || fail "$figure is ${now[$figure]} bytes, over $max_heap"
    done
}

fail() {
    echo "size: $1" >&2
    failures=$((failures + 1))
}

# --- the README's table --------------------------------------------------------------------------------------------

# The table of the README as the recorded figures have it.
table() {
    row "flash" flash
    row "heap, registry" heap_registry
    row "heap, and one plugin" heap_plugin
    row "heap, and its first call" heap_call
    row "heap, the most while loading" heap_peak
    row "native stack, the most" stack_peak
}

# row TITLE FIGURE
row() {
    local ours=${recorded[runtime_$2]} raw=${recorded[raw_$2]}
    echo "| $1 | $(grouped $ours) | $(grouped $raw) | $(grouped $((ours - raw))) |"
}

# A number in groups of three digits.
grouped() {
    sed -E ':again; s/^(-?[0-9]+)([0-9]{3})/\1,\2/; t again' <<<"$1"
}

check_readme() {
    local line
    while read -r line; do
        grep -qxF -- "$line" ../README.md || fail "README.md lacks the line: $line"
    done < <(table)
}

main "$@"
