#!/bin/bash
# NOT RUN BY test.sh: links the shim for phones, which needs Android's NDK (r26 or later), and for the library either
# `rustup target add aarch64-linux-android` or what `test.sh device` installs.
#
#   ANDROID_NDK_HOME=... examples/android_host/ndk.sh
#
# Writes target/android/jniLibs/arm64-v8a/libwasm_runtime_jni.so, for the `jniLibs` folder of an app. `CMakeLists.txt`
# does the same from within Gradle.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools.sh

readonly here=examples/android_host
readonly out=${CARGO_TARGET_DIR:-$PWD/target}/android
readonly library=$out/device/aarch64-linux-android/release/libwasm_runtime.a

BUILD_STD=std,panic_abort CARGO_VERB=rustc cargo_for aarch64-linux-android --manifest-path capi/Cargo.toml --release \
    --crate-type staticlib --target-dir "$out/device"
tests/handlers.sh "$library"
mkdir -p "$out/jniLibs/arm64-v8a"
# The number is the lowest API level of the app. From r28 on pages of 16 KiB are the NDK's own default.
"${ANDROID_NDK_HOME:?}"/toolchains/llvm/prebuilt/*/bin/aarch64-linux-android24-clang \
    -std=c11 -O2 -fPIC -fvisibility=hidden -Wall -Wextra -Werror -Icapi/include "$here"/jni/*.c "$library" \
    -shared -Wl,--version-script="$here/jni/exports.map" -Wl,--gc-sections -Wl,--no-undefined \
    -Wl,-z,max-page-size=16384 -s -o "$out/jniLibs/arm64-v8a/libwasm_runtime_jni.so"
