#!/bin/bash
# Everything that must hold before a change is taken; CI runs the same.
#
#   ./test.sh            all of it, some forty minutes from a fresh clone on two cores
#   ./test.sh host       without devices, other languages and benchmarks, which need Debian's compilers and more
#   ./test.sh devices    only those: firmware in emulators, archives, sizes, fixtures from their sources
#   ./test.sh languages  only the C API, and hosts in C, Java, Swift and a browser
#   ./test.sh quick      for the inner loop: formatting, clippy, debug tests, quickstart
#
#   --without-third-party   leaves out the modules from npm, for machines without a network
#
# What is missing is installed from Debian's packages when run as root; otherwise it is named, and the part fails.
# A part that fails does not stop the others.
set -euo pipefail
cd "$(dirname "$0")"
. tests/tools.sh

scope=all third_party=yes
for argument in "$@"; do
    case $argument in
        all | host | devices | languages | quick) scope=$argument ;;
        --without-third-party) third_party=no ;;
        *) sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done

target=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$target"
log=$target/test.log
: >"$log"
passed=() failed=() left_out=() waiting=()
export CARGO_TERM_COLOR=never DEVICES_TARGET_DIR=$target/devices

main() {
    case $scope in
        quick) quick ;;
        host) host ;;
        devices) devices_and_guests ;;
        languages) languages ;;
        all) host; devices_and_guests; languages; benchmarks ;;
    esac
    summary
}

quick() {
    part "formatting" cargo fmt --check -- --color never
    part "clippy" cargo clippy --all-targets -- -D warnings
    part "tests, debug" cargo test
    part "example quickstart" cargo run --release --example quickstart
}

host() {
    part "formatting" formatting
    part "clippy, default features" cargo clippy --all-targets -- -D warnings
    part "clippy, no default features" cargo clippy --no-default-features -- -D warnings
    part "clippy, all features" cargo clippy --all-targets --all-features -- -D warnings
    part "clippy, devices" device_clippy
    part "clippy and tests, C API" c_api
    part "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features
    part "README names tests that exist" readme_links
    # At opt-level 1 the interpreter dispatches by its loop: these are the tests of portable dispatch as well.
    part "tests, debug" cargo test
    part "tests, release, threads of 128 KiB" small_stack
    part "random sequences of calls against a model" env SEQUENCES=100000 cargo test --release --test suite sequences
    part "slots and cancellation in every order" interleavings
    part "examples" examples
    if [ "$(uname -m)" = x86_64 ]; then
        part "vector search: packed instructions" vector_instructions
    else
        leave_out "vector search: packed instructions" "looked for on x86-64 only"
    fi
    part "feature combinations" feature_combinations
    part "targets that cannot work" impossible_targets
    part "workload: native tests" workload
    part "handlers of the interpreter jump, or are seen not to" handlers
    if [ "$(uname -ms)" = "Linux x86_64" ]; then
        part "no_std, a program without an operating system's library" device x86-64 faults handlers
    else
        leave_out "no_std, a program without an operating system's library" "it is one for x86-64 Linux"
    fi
    part "unsound build: refuses" dispatch_check refuses
    part "unsound build, portable dispatch: runs" dispatch_check runs --features portable-dispatch
    if [ $third_party = yes ]; then
        part "third-party modules" third_party
    else
        leave_out "third-party modules"
    fi
}

devices_and_guests() {
    part "tools for devices and guests" device_tools
    together "fixtures match their sources" fixtures
    together "device: Arm Cortex-M" "device cortex-m faults"
    # One after the other: they are built into one file, of mostly the same crates.
    together "device: AArch64; with portable dispatch; an unsound build, which refuses" \
        "device aarch64 faults handlers; device aarch64-portable; no_std_tests/run.sh aarch64 refuses"
    together "device: RISC-V" "device riscv32 faults"
    together "device: WebAssembly, under Node.js" "device wasm32"
    together "size of a minimal firmware" "no_std_tests/size.sh"
    together "archive without std asks for no executable memory" symbols
    gather
}

# The same product for programs that are not Rust.
languages() {
    together "C API: programs in C, also under sanitizers and valgrind" capi/test.sh
    together "host in C" examples/c_host/test.sh
    together "host on a Java virtual machine, and archives for Android" examples/android_host/test.sh
    together "host in Swift, and archives for iOS" examples/ios_host/test.sh
    together "host in a browser" examples/web/test.sh
    gather
}

# What benchmarks show is measured by `benches/`; here it is only checked that they run and are right.
benchmarks() {
    part "benches: clippy" benches_clippy
    part "benches: peers in C" linting cargo test --locked --profile quick -p peer-wasm3 -p peer-wamr "${benches[@]}"
    part "benches: every result, in every runtime" \
        linting cargo bench --locked --profile quick -p benches -p c-api -p scale "${benches[@]}" -- --test
    part "executable memory banned: this library, and others" \
        linting cargo run --locked --profile quick --example no_exec "${benches[@]}"
    local recorded
    recorded=$(sed -n '2s/^# //p' benches/guard/instructions.txt)
    if [ "$(uname -m)" != x86_64 ] || [ "$(rustc -V)" != "$recorded" ]; then
        leave_out "hot paths: instruction counts" "recorded on x86_64 with $recorded"
    else
        part "hot paths: instruction counts" instruction_counts
    fi
}

benches=(--manifest-path benches/Cargo.toml --target-dir "$target/benches")

# --- parts ---------------------------------------------------------------------------------------------------------

formatting() {
    cargo fmt --check -- --color never
    cargo fmt --check --manifest-path fixtures/tool/Cargo.toml -- --color never
    cargo fmt --check --all --manifest-path fixtures/rust/Cargo.toml -- --color never
    cargo fmt --check --all --manifest-path benches/Cargo.toml -- --color never
    cargo fmt --check --all --manifest-path no_std_tests/Cargo.toml -- --color never
    cargo fmt --check --manifest-path tests/interleavings/Cargo.toml -- --color never
    cargo fmt --check --manifest-path capi/Cargo.toml -- --color never
}

# What only a device's own compiler can see is compiled there.
device_clippy() {
    cargo clippy --locked --manifest-path no_std_tests/Cargo.toml --target-dir "$target/devices/clippy" \
        -p conformance -p firmware -p x86-64-firmware -- -D warnings
}

# With the standard library and without, where nothing unwinds. What it stands on is compiled for the library already.
c_api() {
    local -x CARGO_BUILD_BUILD_DIR=$target
    local crate=(--locked --manifest-path capi/Cargo.toml --target-dir "$target/capi")
    cargo clippy "${crate[@]}" --all-targets -- -D warnings
    cargo clippy "${crate[@]}" --profile embedded --no-default-features -- -D warnings
    cargo test "${crate[@]}"
}

# In release: loom tries some 150,000 orders.
interleavings() {
    local crate=(--manifest-path tests/interleavings/Cargo.toml --target-dir "$target/interleavings")
    cargo clippy --locked --all-targets "${crate[@]}" -- -D warnings
    cargo test --locked --release "${crate[@]}" -- --nocapture
}

# A test thread has the stack that the variable says; the main thread only starts them. Set through a runner, since
# rustc minds the variable too and does not survive it.
small_stack() {
    local host
    host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    env "CARGO_TARGET_${host}_RUNNER=env RUST_MIN_STACK=131072" cargo test --release --lib --tests
}

examples() {
    cargo build --release --examples
    local example
    for example in examples/*.rs examples/*/main.rs; do
        example=${example%/main.rs}
        example=$(basename "$example" .rs)
        echo "--- $example"
        cargo run --quiet --release --example "$example"
    done
    cargo run --quiet --release --example dispatch_check -- runs
}

# The kernels of the vector search multiply four components at once.
vector_instructions() {
    need objdump binutils || return 1
    cargo build --release --example calibrate
    local kernel count
    for kernel in dot squared_distance; do
        count=$(objdump -d --no-show-raw-insn -C "$target/release/examples/calibrate" |
            awk -v name="wasm_runtime::kernel::$kernel" '/^[0-9a-f]+ </ { inside = index($0, name) } inside' |
            grep -cwE 'v?mulps') || true
        echo "$kernel: $count packed multiplies"
        [ "$count" -gt 0 ]
    done
}

# Besides all and none, which clippy has seen.
feature_combinations() {
    cargo check --no-default-features --features simd
    cargo check --no-default-features --features quotas
    cargo check --features mmap
}

# They have no compare-and-swap of a pointer. What the README says of them would be news if this failed.
impossible_targets() {
    local triple
    for triple in thumbv6m-none-eabi riscv32imc-unknown-none-elf; do
        grep -q "$triple" README.md
        rustc --print cfg --target $triple >"$target/cfg"
        if grep 'target_has_atomic="ptr"' "$target/cfg"; then
            echo "$triple: the README calls it impossible" >&2
            return 1
        fi
    done
}

# The checksums that the benchmarks expect of the guest.
workload() {
    local crate=(--locked --manifest-path fixtures/rust/Cargo.toml --package workload --target-dir "$target/workload")
    cargo clippy "${crate[@]}" --all-targets -- -D warnings
    cargo test "${crate[@]}"
}

# Tail calls are lost with debug assertions: the library must notice instead of overflowing the stack. Those of the
# interpreter are enough, and all else is compiled already.
unsound=(--release --config profile.release.package.wasmi.debug-assertions=true --example dispatch_check)

dispatch_check() {
    local expected=$1
    shift
    cargo run "${unsound[@]}" "$@" -- "$expected"
}

# Each verdict of `tests/handlers.sh`, on a build that deserves it.
handlers() {
    need objdump binutils || return 1
    cargo build --release --example dispatch_check
    verdict 0 "$target/release/examples/dispatch_check"
    strip -o "$target/stripped" "$target/release/examples/dispatch_check"
    verdict 2 "$target/stripped"
    cargo build "${unsound[@]}"
    verdict 1 "$target/release/examples/dispatch_check"
    cargo build "${unsound[@]}" --features portable-dispatch
    verdict 0 "$target/release/examples/dispatch_check"
}

# verdict EXIT-CODE BINARY
verdict() {
    local status=0
    tests/handlers.sh "$2" || status=$?
    [ $status -eq "$1" ] || { echo "exit code $status instead of $1" >&2; return 1; }
}

third_party() {
    need npm npm || return 1
    tests/third_party.sh
}

# The other runtimes are large: they are built once, by what lints and compiles, instead of checked for clippy before.
benches_clippy() {
    linting cargo build --locked --profile quick --all-targets -p benches -p c-api -p scale -p peer-wasm3 -p peer-wamr \
        "${benches[@]}"
    cargo clippy --locked --all-targets -p film -p guard "${benches[@]}" -- -D warnings
}

# linting COMMAND...: cargo, with clippy as the compiler of the workspace. As `cargo clippy` does it, which only checks.
linting() {
    RUSTC_WORKSPACE_WRAPPER=$(rustc --print sysroot)/bin/clippy-driver \
        CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__ "$@"
}

# The runner of the benchmark library must be of the library's version.
instruction_counts() {
    need valgrind valgrind || return 1
    local version runner=$target/tools/bin/gungraun-runner
    version=$(sed -n 's/^gungraun = "=\(.*\)"$/\1/p' benches/guard/Cargo.toml)
    [ "$("$runner" --version 2>/dev/null)" = "gungraun-runner $version" ] ||
        CARGO_PROFILE_DEV_DEBUG=false cargo install --debug --locked --root "$target/tools" --version "$version" gungraun-runner
    GUNGRAUN_RUNNER=$runner CARGO_TARGET_DIR=$target/benches cargo run --locked -p guard \
        --manifest-path benches/Cargo.toml
}

fixtures() {
    debian_compilers || return 1
    need clang-19 clang-19 || return 1
    need wasm-ld-22 lld-22 || return 1
    need npm npm || return 1
    fixtures/build.sh --check
}

# All of them before anything is done side by side.
device_tools() {
    debian_compilers || return 1
    need clang-19 clang-19 || return 1
    need ld.lld-22 lld-22 || return 1
    need npm npm || return 1
    need llvm-nm-22 llvm-22 || return 1
    need qemu-system-arm qemu-system-arm || return 1
    need qemu-system-riscv32 qemu-system-misc || return 1
    need node nodejs
}

# device TARGET [faults] [handlers]: the whole conformance suite there, and what else is asked for.
device() {
    local target_name=$1 output=$target/device-$1.log
    no_std_tests/run.sh "$target_name" | tee "$output"
    # The suite counts its own checks; here they are told as cargo tells tests.
    sed -n 's|^PASS \([0-9]*\)/.*|test result: ok. \1 passed; 0 failed; 0 ignored|p' "$output"
    shift
    for what in "$@"; do
        case $what in
            faults) no_std_tests/run.sh "$target_name" faults ;;
            handlers) tests/handlers.sh "$(no_std_tests/run.sh "$target_name" file)" ;;
        esac
    done
}

# Those with `std`, for iOS and Android, are looked at where they are built: `examples/*_host`.
symbols() {
    CARGO_TARGET_DIR=$target no_std_tests/symbols.sh thumbv7em-none-eabihf
}

# Every `[`test_name`](file)` of the README.
readme_links() {
    local wrong=0 count=0 name file
    while IFS=$'\t' read -r name file; do
        count=$((count + 1))
        grep -q "fn $name\b" "$file" || { echo "README: no test $name in $file"; wrong=1; }
    done < <(grep -oE '\[`[a-z0-9_]+`\]\([a-z0-9_/]+\.rs\)' README.md | sed -E 's/\[`([^`]+)`\]\(([^)]+)\)/\1\t\2/')
    echo "$count tests are linked"
    [ $wrong -eq 0 ] && [ $count -gt 0 ]
}

# --- running -------------------------------------------------------------------------------------------------------

# part TITLE COMMAND...
part() {
    local title=$1 began=$SECONDS status
    shift
    printf '\n=== %s\n' "$title" | tee -a "$log"
    # In a shell of its own, where `set -e` holds although the status is looked at.
    set +e
    (set -e; "$@") </dev/null 2>&1 | tee -a "$log"
    status=${PIPESTATUS[0]}
    set -e
    verdict_of "$title" "$status" $((SECONDS - began))
}

# together TITLE COMMAND-LINE: a part that runs beside others, two at a time; `gather` waits and tells of all.
together() {
    local number=${#waiting[@]} began
    waiting+=("$1")
    rm -f "$target/part-$number.end"
    [ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n || true
    (
        began=$SECONDS
        set +e
        (set -e; eval "$2") </dev/null >"$target/part-$number.log" 2>&1
        echo "$? $((SECONDS - began))" >"$target/part-$number.end"
    ) &
}

gather() {
    local number status seconds
    wait || true
    for number in "${!waiting[@]}"; do
        read -r status seconds <"$target/part-$number.end"
        printf '\n=== %s\n' "${waiting[number]}" | tee -a "$log"
        tee -a "$log" <"$target/part-$number.log"
        verdict_of "${waiting[number]}" "$status" "$seconds"
    done
    waiting=()
}

# verdict_of TITLE STATUS SECONDS
verdict_of() {
    if [ "$2" -eq 0 ]; then passed+=("$1"); else failed+=("$1"); fi
    printf -- '--- %s: %s, %d s\n' "$1" "$([ "$2" -eq 0 ] && echo passed || echo "FAILED ($2)")" "$3" | tee -a "$log"
}

# leave_out TITLE [REASON]
leave_out() {
    left_out+=("$1")
    printf '\n=== %s\nNOT RUN, %s\n' "$1" "${2-as asked}" | tee -a "$log"
}

summary() {
    printf '\n=== all parts, %d s\n' $SECONDS
    for title in "${failed[@]}"; do echo "FAILED: $title"; done
    for title in "${left_out[@]}"; do echo "NOT RUN: $title"; done
    awk -v parts=${#passed[@]} -v failed=${#failed[@]} -v out=${#left_out[@]} '
        /^test result:/ { ok += $4; bad += $6; ignored += $8 }
        /^[0-9]+ passed, [0-9]+ failed/ { ok += $1; bad += $3 }
        END { printf "total: %d parts passed, %d failed, %d not run; %d tests passed, %d failed, %d ignored\n",
              parts, failed, out, ok, bad, ignored }' "$log"
    [ ${#failed[@]} -eq 0 ]
}

main
