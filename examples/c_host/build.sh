#!/bin/bash
# Builds target/c_host/c_host: the library, and the host in C that is linked to it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools.sh

target=${CARGO_TARGET_DIR:-$PWD/target}
need gcc gcc
cargo build --locked --release --manifest-path capi/Cargo.toml --target-dir "$target/capi"
mkdir -p "$target/c_host"
gcc -std=c11 -O2 -Wall -Wextra -Wpedantic -Werror -Icapi/include -o "$target/c_host/c_host" \
    examples/c_host/main.c "$target/capi/release/libwasm_runtime.a" -lpthread -ldl -lm
