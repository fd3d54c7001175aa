#!/bin/bash
# Builds the library for iOS and packs it as a Swift package with an XCFramework in it.
#
#   examples/ios_host/build.sh
#
# Leaves target/ios/WasmRuntime: a folder to add to an Xcode project. Builds, checks and packs without Xcode and without
# a Mac, with rustup's standard library for the targets if it is installed, which it has to be on a Mac, and otherwise
# with Debian's compiler. Exit code 1 if anything is not as it should be.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools.sh

# Swift's concurrency begins with iOS 13. The simulator of an Apple processor begins with 14, whatever is asked for.
readonly oldest=13.0
readonly here=examples/ios_host header=capi/include/wasm_runtime.h
readonly target=${CARGO_TARGET_DIR:-$PWD/target}/ios
readonly package=$target/WasmRuntime
readonly framework=$package/WasmRuntime.xcframework
# Target, its number in LC_BUILD_VERSION, oldest version, folder in the XCFramework, variant of the platform.
readonly slices="aarch64-apple-ios:2:$oldest:ios-arm64:
    aarch64-apple-ios-sim:7:14.0:ios-arm64-simulator:simulator"

main() {
    local slice
    tool llvm-otool >/dev/null 2>&1 || need llvm-otool-22 llvm-22
    build_all
    self_check
    for slice in $slices; do
        IFS=: read -r triple number version folder variant <<<"$slice"
        check "$(archive "$triple")" "$number" "$version"
    done
    pack
    xcode
}

# --- building ---------------------------------------------------------------------------------------------------

# Side by side: most of the time each uses one core. What is missing is installed before that, once.
build_all() {
    local slice job jobs=()
    for slice in $slices; do
        has_standard_library "${slice%%:*}" || { debian_compilers && need ld.lld-22 lld-22; }
    done
    for slice in $slices; do
        build "${slice%%:*}" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job"; done
}

# Fat LTO, for the size: a third of the archive without, and four fifths of what it adds to an app. Panics unwind: they
# end a call and not the app.
build() {
    local log=$target/$1.log
    mkdir -p "$target"
    if ! build_archive "$1" >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
}

build_archive() {
    export IPHONEOS_DEPLOYMENT_TARGET=$oldest CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
    BUILD_STD=std,panic_abort CARGO_VERB=rustc cargo_for "$1" --manifest-path capi/Cargo.toml --release \
        --crate-type staticlib --target-dir "$target/rust/$1"
}

archive() { echo "$target/rust/$1/$1/release/libwasm_runtime.a"; }

# --- checking ---------------------------------------------------------------------------------------------------

# check FILE NUMBER VERSION
check() {
    echo "$1: $(wc -c <"$1") bytes"
    check_platform "$@"
    check_functions "$1" "$(functions)"
    check_symbols "$1"
    check_manifest "$1"
    tests/handlers.sh "$1" | tail -1
    check_image "$@"
}

# Each object is for arm64, the platform and the oldest version; an archive with none in it is not.
check_platform() {
    local commands versions
    [ "$("$(tool llvm-lipo)" -archs "$1")" = arm64 ] || fail "$1 is not for arm64"
    commands=$("$(tool llvm-otool)" -l "$1" 2>/dev/null)
    versions=$(grep -E '^ *(platform|minos) ' <<<"$commands" | sort -u | xargs)
    [ "$versions" = "minos $3 platform $2" ] || fail "$1 is for: $versions"
}

# check_functions FILE NAMES: it defines them.
check_functions() {
    local missing
    missing=$(comm -23 <(sort <<<"$2") <(symbols "$1" --defined-only))
    [ -z "$missing" ] || fail "$1 does not define" $missing
}

# The functions that the header declares, but for the hooks: those are the program's, in builds without std.
functions() {
    sed -nE 's/^(const )?[a-z][a-z0-9_]* \*?(wpr_[a-z0-9_]+)\(.*/\2/p' "$header" | grep -v '^wpr_hook_' | sort
}

# It asks for no executable memory and no loader. Rust's standard library maps files to read them, in one place, for
# backtraces.
check_symbols() {
    local forbidden bad
    forbidden=$(sed -n "/^readonly forbidden='/,/'\$/{ s/^readonly forbidden=//; p }" no_std_tests/symbols.sh |
        tr -d "'")
    [[ $forbidden == *mprotect* ]] || fail "the list of forbidden symbols is not found"
    bad=$(comm -12 <(symbols "$1" --undefined-only) <(tr -s ' \n' '\n' <<<"$forbidden" | sort -u) | xargs)
    [ -z "$bad" ] || [ "$bad" = mmap ] || fail "$1 asks for: $bad"
    bad=$(callers "$1" mmap | grep -v '12backtrace_rs9symbolize5gimli' || true)
    [ -z "$bad" ] || fail "mmap is asked for by $bad"
}

# callers FILE NAME: the functions that refer to a symbol.
callers() {
    "$(tool llvm-objdump)" -d -r --no-show-raw-insn "$1" |
        awk -v name="_$2" '/^[0-9a-f]+ <.*>:$/ { f = $2 } $NF == name { print f }' | sort -u
}

# Of what Apple wants a reason for, it asks for what the privacy manifest has one for.
check_manifest() {
    local asked
    asked=$(symbols "$1" --undefined-only |
        grep -xE '(f|l)?(stat|statfs|statvfs)|fstatat|f?getattrlist[a-z]*|mach_absolute_time' | xargs)
    [ "$asked" = fstat ] || fail "the privacy manifest is for fstat, and $1 asks for: $asked"
}

# What it adds to an app: linked, without dead code, its names stripped.
check_image() {
    local linker image=$target/image.dylib platform
    if ! linker=$(tool ld64.lld); then echo "not linked: there is no ld64.lld"; return; fi
    [ "$2" = 2 ] && platform=ios || platform=ios-simulator
    "$linker" -arch arm64 -platform_version $platform "$3" "$3" -dylib -undefined dynamic_lookup -dead_strip \
        -exported_symbol '_wpr_*' -force_load "$1" -o "$image"
    check_functions "$image" "$(functions)"
    "$(tool llvm-strip)" -x "$image"
    echo "linked and stripped: $(wc -c <"$image") bytes"
}

# Without this, checks that see nothing would pass.
self_check() {
    local file
    file=$(archive aarch64-apple-ios)
    [ "$(functions | wc -l)" -ge 90 ] || fail "the header's functions are not found: $(functions | wc -l)"
    ! (check_functions "$file" "wpr_no_such_function") 2>/dev/null || fail "a function that is missing passes"
    ! (check_platform "$file" 7 $oldest) 2>/dev/null || fail "an archive for a device passes for the simulator"
    [ -n "$(callers "$file" mmap)" ] || fail "who asks for mmap is not found"
}

# symbols FILE WHICH: one a line, without the underscore that Mach-O puts before each name of C.
symbols() {
    "$(tool llvm-nm)" --quiet --extern-only --format=just-symbols "$2" "$1" | sed -n 's/^_//p' | sort -u
}

# --- packing ----------------------------------------------------------------------------------------------------

pack() {
    local slice
    rm -rf "$package"
    mkdir -p "$package/Sources" "$framework"
    cp $here/Package.swift LICENSE-APACHE LICENSE-MIT "$package"
    cp -R $here/Sources/WasmRuntime "$package/Sources"
    for slice in $slices; do
        IFS=: read -r triple number version folder variant <<<"$slice"
        pack_slice "$triple" "$framework/$folder"
    done
    information >"$framework/Info.plist"
    # Once more beside the libraries, for who takes the XCFramework without the package.
    cp $here/Sources/WasmRuntime/PrivacyInfo.xcprivacy "$framework"
    echo "packed: $package"
}

# In a folder of their own: other libraries bring a `module.modulemap`, too, and Xcode puts all of them into one place.
pack_slice() {
    local headers=$2/Headers/CWasmRuntime
    mkdir -p "$headers"
    cp "$(archive "$1")" "$2"
    cp "$header" "$headers"
    printf 'module CWasmRuntime [system] {\n    header "wasm_runtime.h"\n    export *\n}\n' >"$headers/module.modulemap"
}

information() {
    local slice
    echo '<?xml version="1.0" encoding="UTF-8"?>'
    echo '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">'
    echo '<plist version="1.0"><dict><key>AvailableLibraries</key><array>'
    for slice in $slices; do
        IFS=: read -r triple number version folder variant <<<"$slice"
        library "$folder" "$variant"
    done
    echo "</array>$(entry CFBundlePackageType XFWK)$(entry XCFrameworkFormatVersion 1.0)</dict></plist>"
}

# library FOLDER VARIANT
library() {
    echo "<dict>$(entry BinaryPath libwasm_runtime.a)$(entry LibraryPath libwasm_runtime.a)"
    echo "$(entry HeadersPath Headers)$(entry LibraryIdentifier "$1")$(entry SupportedPlatform ios)"
    [ -z "$2" ] || entry SupportedPlatformVariant "$2"
    echo "<key>SupportedArchitectures</key><array><string>arm64</string></array></dict>"
}

entry() { echo "<key>$1</key><string>$2</string>"; }

# --- what only Xcode can do: these lines run on no machine of this project ----------------------------------------

xcode() {
    if ! command -v xcodebuild >/dev/null; then
        echo "skipped: building the package for iOS, and its signature; both need Xcode"
        return
    fi
    (cd "$package" && xcodebuild build -scheme WasmRuntime -destination generic/platform=iOS)
    (cd "$package" && xcodebuild build -scheme WasmRuntime -destination 'generic/platform=iOS Simulator' ARCHS=arm64)
    [ -z "${CODESIGN_IDENTITY-}" ] || codesign --timestamp --sign "$CODESIGN_IDENTITY" "$framework"
}

# --- tools ------------------------------------------------------------------------------------------------------

# LLVM's, of whatever version, or Apple's of the same name.
tool() {
    local name
    for name in "$1"{-22,-21,-20,-19,-18,-17,-16,} "${1#llvm-}"; do
        if command -v "$name"; then return; fi
    done
    echo "missing: $1 (Debian: apt-get install --no-install-recommends llvm-22 lld-22)" >&2
    return 1
}

fail() {
    echo "$*" >&2
    exit 1
}

export LC_ALL=C
main "$@"
