#!/bin/bash
# Builds a firmware, runs it, and exits as it does: 0 if the whole suite passed.
#
#   no_std_tests/run.sh TARGET           in QEMU: cortex-m, aarch64, aarch64-portable, riscv32; under Node.js: wasm32;
#                                        as they are: x86-64, x86-64-portable, which need nothing but Rust
#   no_std_tests/run.sh TARGET faults    every mistake made on purpose must end as a line and exit code 1
#   no_std_tests/run.sh TARGET refuses   aarch64 and x86-64: built so that dispatch is unsound, it must refuse to run
#   no_std_tests/run.sh TARGET file      says where the file is that the others built
#
# Builds into $DEVICES_TARGET_DIR, one folder per triple; target/devices of the repository by default.
# Uses rustup's standard library for the target where it is installed, otherwise Debian's compiler; what is missing is
# installed from Debian's packages when run as root.
set -euo pipefail
cd "$(dirname "$0")"
. ../tests/tools.sh

devices=${DEVICES_TARGET_DIR:-$PWD/../target/devices}
ask=() file=
limit_s=${DEVICES_TIMEOUT_S:-600}
export CARGO_TERM_COLOR=never

main() {
    local target=${1-} what=${2-suite}
    case $target in
        cortex-m | aarch64 | aarch64-portable | riscv32 | wasm32 | x86-64 | x86-64-portable) ;;
        *) usage ;;
    esac
    case $what in
        suite | faults | refuses | file) ;;
        *) usage ;;
    esac
    "${target//-/_}"
    # Not supported, on purpose: the interpreter's tail calls are lost, and the library must say so.
    [ "$what" != refuses ] || package+=(--config profile.device.package.wasmi.debug-assertions=true)
    if [ "$what" = file ]; then
        built
        return
    fi
    timed "build of $target" build
    timed "run of $target" "$what"
}

usage() {
    sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# --- targets -------------------------------------------------------------------------------------------------------

# Each says what to build, `package` with its features, and the `command` that runs the file of that name, or `file`. If
# mistakes can be asked for, the words that ask for the one of a number are `ask` with the number in the place of `N`.
#
# Under `-icount shift=0` an instruction takes a nanosecond of the emulated clock: every run is the same, and the clock
# counts instructions.

cortex_m() {
    dispatch=portable
    # As in size.sh, which builds into the same folder.
    triple=thumbv7em-none-eabihf profile=small flags='--cfg sha2_backend_soft="compact"'
    package=(cortex-m-firmware)
    command=(qemu-system-arm -machine mps2-an386 "${semihosting[@]}" "${emulated[@]}")
    ask=(-device loader,addr=0x21fffffc,data=0xbad0000N,data-len=4)
    need qemu-system-arm qemu-system-arm
}

aarch64() {
    dispatch=tail
    triple=aarch64-unknown-none profile=device flags="-C target-feature=-strict-align"
    package=(aarch64-firmware)
    # No network card: its ROM would be looked for, which is in a package of its own.
    command=(qemu-system-aarch64 -machine virt -nic none -cpu cortex-a72 -m 128M "${semihosting[@]}" "${emulated[@]}")
    ask=(-device loader,addr=0x44fffffc,data=0xbad0000N,data-len=4)
    need qemu-system-aarch64 qemu-system-arm
}

aarch64_portable() {
    aarch64
    dispatch=portable
    package+=(--features portable-dispatch)
}

riscv32() {
    dispatch=portable
    triple=riscv32imac-unknown-none-elf profile=device flags=""
    package=(riscv32-firmware)
    command=(qemu-system-riscv32 -machine virt -bios none -m 64M "${emulated[@]}")
    ask=(-device loader,addr=0x82fffffc,data=0xbad0000N,data-len=4)
    need qemu-system-riscv32 qemu-system-misc
}

# With the toolchain that is there.
x86_64() {
    dispatch=tail
    triple=x86_64-unknown-linux-gnu profile=device flags=""
    package=(x86-64-firmware)
    command=()
    ask=(N)
}

x86_64_portable() {
    x86_64
    dispatch=portable
    package+=(--features portable-dispatch)
}

wasm32() {
    dispatch=portable
    triple=wasm32-unknown-unknown profile=device flags=""
    package=(wasm32-firmware)
    command=(node wasm32/run.mjs)
    file=wasm32_firmware.wasm
    need node nodejs
}

semihosting=(-semihosting-config enable=on,target=native)
emulated=(-nographic -icount shift=0 -kernel)

# --- building ------------------------------------------------------------------------------------------------------

build() {
    local upper=${triple^^}
    export "CARGO_TARGET_${upper//-/_}_RUSTFLAGS=$flags"
    cargo_for "$triple" --package "${package[@]}" --profile "$profile" --target-dir "$devices/$triple"
}

# --- running -------------------------------------------------------------------------------------------------------

# Both dispatches of a target are built into one file, the last one asked for.
suite() {
    local output status=0
    output=$(run) || status=$?
    printf '%s\n' "$output"
    if [[ ${output%%$'\n'*} != *", $dispatch dispatch" ]]; then
        echo "WRONG: was to be built with $dispatch dispatch"
        return 1
    fi
    return $status
}

# Each mistake, by its number, and what the firmware must say last.
mistakes=(
    ""
    "panic: on purpose"
    "fault: undefined instruction;"
    "fault: memory may not be accessed like this; address=0x0 "
    "fault: the stack overflowed;"
    "fault: memory may not be accessed like this;"
    "fault: code may not be run here;"
)

faults() {
    [ ${#ask[@]} -gt 0 ] || usage
    local number wrong=0 output status
    for number in 1 2 3 4 5 6; do
        status=0
        output=$(run "${ask[@]//N/$number}") || status=$?
        printf '%s\n-> exit code %d\n' "$output" "$status"
        if [ "$status" -ne 1 ] || [[ ${output##*$'\n'} != "${mistakes[number]}"* ]]; then
            echo "WRONG: was to end with exit code 1 and \"${mistakes[number]}\""
            wrong=1
        fi
    done
    return $wrong
}

refuses() {
    local output status=0
    output=$(run) || status=$?
    printf '%s\n-> exit code %d\n' "$output" "$status"
    [ "$status" -eq 1 ] && [[ ${output##*$'\n'} == "REFUSED UnsoundDispatch:"* ]]
}

run() {
    timeout "$limit_s" "${command[@]}" "$(built)" "$@" </dev/null 2>&1
}

built() {
    echo "$devices/$triple/$triple/$profile/${file:-$package}"
}

# timed WHAT COMMAND...: the command's exit code, and how long it took.
timed() {
    local what=$1 status=0 began=${EPOCHREALTIME/[.,]/} ms
    shift
    # In a shell of its own, where `set -e` holds although the status is looked at.
    set +e
    (set -e; "$@")
    status=$?
    set -e
    ms=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
    printf -- '--- %s: exit code %d, %d.%03d s\n' "$what" "$status" $((ms / 1000)) $((ms % 1000))
    [ "$status" -eq 0 ] || exit "$status"
}

main "$@"
