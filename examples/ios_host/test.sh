#!/bin/bash
# Everything of this example that runs here, in order; ends with a line 'N passed, 0 failed'.
#
#   examples/ios_host/test.sh             all of it
#   examples/ios_host/test.sh --no-ios    without the libraries for iOS, which are minutes to build
#
# The tests in C need gcc, those in Swift a Swift compiler: see swift.sh. What cannot run is skipped, and said so.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools.sh

readonly here=examples/ios_host
readonly target=${CARGO_TARGET_DIR:-$PWD/target}
readonly out=$target/ios
readonly log=$out/part.log
passed=0 failed=0 skipped=0 status=0

main() {
    mkdir -p "$out/lib" "$out/c"
    part "the library is built" native
    part "each number in the Swift sources has its name from the header" numbers
    counted "C level" c_tests
    if [ "${1-}" = --no-ios ]; then
        skip "the libraries for iOS" "--no-ios"
    else
        part "the libraries for iOS are built, checked and packed" $here/build.sh
        part "the property lists are what Xcode reads" property_lists
    fi
    run $here/swift.sh swift --version
    case $status in
        77) skip "the tests in Swift" "$(tail -1 "$log")" ;;
        *) swift_parts "${1-}" ;;
    esac
    echo
    echo "$passed passed, $failed failed$([ $skipped = 0 ] || echo ", $skipped skipped")"
    [ $failed = 0 ]
}

swift_parts() {
    counted "Swift" swift_tests
    part "the blocks of docs/embedding/swift.md run" document
    [ "$1" = --no-ios ] || part "the wrapper is compiled against the packed headers" packed
}

# --- parts ------------------------------------------------------------------------------------------------------

native() {
    cargo build --locked --release --manifest-path capi/Cargo.toml --target-dir "$target/capi"
    local built=$target/capi/release/libwasm_runtime.a
    if cmp -s "$built" "$out/lib/libwasm_runtime.a"; then return; fi
    # Alone in its folder: a linker prefers a dynamic library of the same name.
    cp "$built" "$out/lib"
    # SwiftPM does not see that what it linked has changed.
    rm -rf "$out"/swift/*/release/*.xctest "$out"/document/.build/*/debug/document
}

# The numbers go to a header of assertions. A name of the C header that no Swift source has fails, too.
numbers() {
    sed -nE 's/.*[ (](-?[0-9]+)\)?:?( .*)? \/\/ (WPR_[A-Z0-9_]+)$/_Static_assert(\3 == \1, "\3");/p' \
        $here/Sources/WasmRuntime/*.swift >"$out/c/swift_numbers.h"
    local in_swift in_header
    in_swift=$(sed -E 's/.*\((WPR_[A-Z0-9_]+) .*/\1/' "$out/c/swift_numbers.h" | sort -u)
    in_header=$(sed -nE 's/^    (WPR_[A-Z0-9_]+) = -?[0-9]+,$/\1/p' capi/include/wasm_runtime.h | sort -u)
    [ "$(wc -l <<<"$in_header")" -ge 70 ] || { echo "the header's names are not found"; return 1; }
    # That all went well is a number of its own in no source.
    diff <(printf '%s\n' WPR_OK WPR_HOST_OK) <(comm -13 <(echo "$in_swift") <(echo "$in_header") | sort -r)
}

c_tests() {
    need gcc gcc
    gcc -std=c11 -Wall -Wextra -Wpedantic -Werror -g -O1 -fsanitize=address,undefined -fno-omit-frame-pointer \
        -Icapi/include -I"$out/c" $here/c_tests/wrapper.c "$out/lib/libwasm_runtime.a" -lpthread -ldl -lm \
        -o "$out/c/wrapper"
    "$out/c/wrapper" fixtures/wasm
}

# Optimised, since that is when Swift lets go of things as early as it may, and with the sanitizer that sees it.
# XCTest itself leaks; a stack of five calls ends before it comes to our tests.
swift_tests() {
    echo 'leak:libXCTest' >"$out/leaks.txt"
    $here/swift.sh env ASAN_OPTIONS=malloc_context_size=5 LSAN_OPTIONS="suppressions=$out/leaks.txt" \
        swift test -c release --sanitize=address -Xswiftc -warnings-as-errors --package-path $here \
        --scratch-path "$out/swift" -Xlinker "-L$out/lib"
}

# As one program, in a folder with the plugins.
document() {
    local package=$out/document printed
    mkdir -p "$package/Sources/document"
    ln -sfn "$PWD/fixtures/wasm" "$package/plugins"
    cat >"$package/Package.swift" <<SWIFT
// swift-tools-version:5.9
import PackageDescription
let package = Package(name: "document", platforms: [.macOS(.v10_15)],
    dependencies: [.package(name: "WasmRuntime", path: "$PWD/$here")],
    targets: [.executableTarget(name: "document", dependencies: ["WasmRuntime"])])
SWIFT
    awk '/^```/ { inside = /swift$/; next } inside' docs/embedding/swift.md >"$package/Sources/document/main.swift"
    $here/swift.sh swift build -Xswiftc -warnings-as-errors --package-path "$package" -Xlinker "-L$out/lib"
    printed=$($here/swift.sh sh -c 'cd "$1" && .build/debug/document' sh "$package")
    echo "$printed"
    [[ $printed == *'i32(1229)'*'i32(9592)'*true ]]
}

property_lists() {
    need python3 python3-minimal
    python3 - "$out/WasmRuntime" <<'PYTHON'
import pathlib, plistlib, sys

package = pathlib.Path(sys.argv[1])
framework = package / "WasmRuntime.xcframework"
info = plistlib.loads((framework / "Info.plist").read_bytes())
assert info["CFBundlePackageType"] == "XFWK" and info["XCFrameworkFormatVersion"] == "1.0"
libraries = {library["LibraryIdentifier"]: library for library in info["AvailableLibraries"]}
assert set(libraries) == {path.name for path in framework.iterdir() if path.is_dir()}, libraries
assert libraries["ios-arm64-simulator"]["SupportedPlatformVariant"] == "simulator"
assert "SupportedPlatformVariant" not in libraries["ios-arm64"]
for name, library in libraries.items():
    assert library["SupportedPlatform"] == "ios" and library["SupportedArchitectures"] == ["arm64"]
    assert (framework / name / library["LibraryPath"]).is_file()
    headers = framework / name / library["HeadersPath"] / "CWasmRuntime"
    assert sorted(path.name for path in headers.iterdir()) == ["module.modulemap", "wasm_runtime.h"]
for folder in framework, package / "Sources/WasmRuntime":
    privacy = plistlib.loads((folder / "PrivacyInfo.xcprivacy").read_bytes())
    assert privacy["NSPrivacyTracking"] is False
    asked = privacy["NSPrivacyAccessedAPITypes"]
    assert [kind["NSPrivacyAccessedAPIType"] for kind in asked] == ["NSPrivacyAccessedAPICategoryFileTimestamp"]
    assert all(kind["NSPrivacyAccessedAPITypeReasons"] for kind in asked)
PYTHON
}

# With the host's own libraries: Apple's are only where Xcode is.
packed() {
    local headers=$out/WasmRuntime/WasmRuntime.xcframework/ios-arm64/Headers
    $here/swift.sh swift package --package-path "$out/WasmRuntime" dump-package | grep '"type" : "binary"'
    $here/swift.sh swiftc -typecheck -module-name WasmRuntime -warnings-as-errors -swift-version 5 -I "$headers" \
        "$out"/WasmRuntime/Sources/WasmRuntime/*.swift
}

# --- counting ---------------------------------------------------------------------------------------------------

# part NAME COMMAND...: one test.
part() {
    local name=$1
    shift
    run "$@"
    if [ $status = 0 ]; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
        tail -40 "$log"
    fi
}

# counted NAME COMMAND: a program with tests of its own, which says how many.
counted() {
    local sum
    run "$2"
    sum=$(sed -nE 's/^([0-9]+) passed, 0 failed$/\1/p; s/.*Executed ([0-9]+) tests, with 0 .*/\1/p' "$log" | tail -1)
    if [ $status = 0 ] && [ -n "$sum" ]; then
        passed=$((passed + sum))
        echo "ok      $1: $sum tests"
    else
        failed=$((failed + 1))
        echo "FAILED  $1"
        grep -E 'error:|FAILED|c:[0-9]+:|ERROR' "$log" || tail -40 "$log"
    fi
}

# Runs a command in a shell of its own, in which the first command that fails is the end. It is never part of a
# condition, in which bash would go on.
run() {
    set +e
    (set -e; "$@") >"$log" 2>&1
    status=$?
    set -e
}

skip() {
    skipped=$((skipped + 1))
    echo "skipped $1: $2"
}

export LC_ALL=C
main "$@"
