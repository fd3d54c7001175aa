#!/bin/bash
# Says what the C API, built without std, asks of the system and the program that links it: no executable memory, no
# loader, nothing but what is listed here.
#
#   no_std_tests/symbols.sh [TARGET...]     all of those below if none is named; minutes each
#
# Builds `capi` for each target, with rustup's standard library if it is installed and otherwise with Debian's compiler,
# core and alloc; looks at the undefined symbols of the archive, and with `tests/handlers.sh` at the
# interpreter in it. Exit code 1 if anything is not as it should be.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/tools.sh

readonly targets='aarch64-apple-ios aarch64-unknown-none x86_64-unknown-none thumbv7em-none-eabihf
    riscv32imac-unknown-none-elf'

# Executable memory, code that changes, code from elsewhere.
readonly forbidden='mmap mmap64 mremap mprotect mprotect_rx pkey_mprotect memfd_create shmat
    pthread_jit_write_protect_np pthread_jit_write_with_callback_np be_memory_inline_jit_restrict_rwx_to_rx_with_witness
    sys_icache_invalidate sys_dcache_flush __clear_cache
    vm_protect vm_allocate vm_map vm_remap mach_vm_protect mach_vm_allocate mach_vm_map mach_vm_remap
    VirtualAlloc VirtualAlloc2 VirtualProtect FlushInstructionCache
    dlopen dlsym dlmopen LoadLibraryA LoadLibraryW GetProcAddress'

# What the compiler emits calls of, and the hooks of the C API.
readonly allowed='memcpy memmove memset memcmp bcmp bzero strlen
    wpr_hook_alloc wpr_hook_free wpr_hook_abort wpr_hook_thread_word'
# `cpufeatures`, which `sha2` uses, asks an Apple system whether the processor has instructions for SHA-256.
readonly allowed_apple='sysctlbyname'
# The unwind tables of Arm name it; nothing calls it where nothing unwinds.
readonly allowed_arm='__aeabi_unwind_cpp_pr0'

main() {
    local target failed=()
    self_check
    for target in ${*:-$targets}; do
        check_target "$target" || failed+=("$target")
    done
    [ ${#failed[@]} -eq 0 ] || { echo "FAILED: ${failed[*]}" >&2; exit 1; }
}

check_target() {
    local target=$1 began=$SECONDS archive extra='' status=0
    where "$target"
    archive=$target_dir/$target/$profile/libwasm_runtime.a
    echo "=== $target"
    build "$target" || return 1
    echo "built in $((SECONDS - began)) s"
    case $target in
        *-apple-*) extra=$allowed_apple ;;
        thumb* | arm*) extra=$allowed_arm ;;
    esac
    defines "$archive" wpr_registry_call || { echo "the library is not in $archive" >&2; return 1; }
    check_symbols "$archive" "$extra" || status=1
    tests/handlers.sh "$archive" || status=1
    return $status
}

build() {
    CARGO_VERB=rustc cargo_for "$1" --profile "$profile" --no-default-features --crate-type staticlib \
        --manifest-path capi/Cargo.toml --target-dir "$target_dir"
}

# where TARGET: what is built, and into which folder. On Arm, as the firmware: with the same core and crates.
where() {
    case $1 in
        thumbv7em-none-eabihf)
            profile=embedded target_dir=${DEVICES_TARGET_DIR:-$PWD/target/devices}/$1
            export CARGO_TARGET_THUMBV7EM_NONE_EABIHF_RUSTFLAGS='--cfg sha2_backend_soft="compact"'
            ;;
        *) profile=archive target_dir=${CARGO_TARGET_DIR:-$PWD/target}/symbols ;;
    esac
}

# check_symbols FILE [ALSO-ALLOWED]
check_symbols() {
    local wanted defined outside bad unknown
    wanted=$(symbols "$1" --undefined-only) || return 1
    defined=$(symbols "$1" --defined-only) || return 1
    # Forbidden even if the archive brought its own.
    bad=$(only "$wanted" "$(list "$forbidden")")
    outside=$(without "$wanted" "$defined")
    unknown=$(without "$outside" "$(list "$allowed ${2-}")")
    echo "asks for:" ${outside:-nothing}
    [ -z "$bad" ] || echo "FORBIDDEN:" $bad
    [ -z "$unknown" ] || echo "NOT ALLOWED:" $unknown
    [ -z "$bad$unknown" ]
}

# Without these three, a check that sees nothing would pass.
self_check() {
    local folder target
    folder=$(mktemp -d)
    trap "rm -rf '$folder'" EXIT
    for target in aarch64-apple-ios x86_64-unknown-none-elf thumbv7em-none-eabihf; do
        object "$target" "$folder/jit.o" mprotect
        object "$target" "$folder/file.o" fopen
        object "$target" "$folder/copy.o" memcpy
        ! check_symbols "$folder/jit.o" >/dev/null || give_up "mprotect passes for $target"
        ! check_symbols "$folder/file.o" >/dev/null || give_up "fopen passes for $target"
        check_symbols "$folder/copy.o" >/dev/null || give_up "memcpy does not pass for $target"
    done
    echo "self-check: an object that wants mprotect fails, and so does one that wants fopen"
}

# object TARGET FILE SYMBOL: one that calls the symbol.
object() {
    printf 'extern int %s(void); int call(void) { return %s(); }\n' "$3" "$3" |
        "$(tool clang)" --target="$1" -fno-builtin -c -x c -o "$2" -
}

# --- symbols, one a line and sorted ----------------------------------------------------------------------------------

# symbols FILE WHICH. Mach-O puts an underscore before each name of C.
symbols() {
    local names headers
    names=$("$(tool llvm-nm)" --quiet --extern-only --format=just-symbols "$2" "$1") || give_up "$1 cannot be read"
    names=$(grep -v ':$\|^$' <<<"$names") || true # members' names
    headers=$("$(tool llvm-objdump)" --file-headers "$1" 2>/dev/null) || true # it fails where it knows only the format
    [[ $headers != *'file format mach-o'* ]] || names=$(sed 's/^_//' <<<"$names")
    sort -u <<<"$names"
}

defines() { grep -qx "$2" <<<"$(symbols "$1" --defined-only)"; }
list() { tr -s ' \n' '\n' <<<"$1" | sort -u; }
only() { comm -12 <(echo "$1") <(echo "$2") | grep . || true; }
without() { comm -23 <(echo "$1") <(echo "$2") | grep . || true; }

# --- tools -----------------------------------------------------------------------------------------------------------

# LLVM's, of whatever version: binutils does not read Mach-O.
tool() {
    local version
    for version in -{22,21,20,19,18,17,16,15,14} ''; do
        if command -v "$1$version"; then return; fi
    done
    give_up "missing: $1 (Debian: apt-get install --no-install-recommends llvm-22 clang-19)"
}

give_up() { echo "$*" >&2; exit 1; }

export LC_ALL=C
main "$@"
