#!/bin/bash
# Compiles the library to WebAssembly and lays the page out beside it, ready to be served by any static server:
#
#   examples/web/build.sh [FOLDER] [CARGO ARGUMENTS]     target/web by default
#   python3 -m http.server --bind 127.0.0.1 --directory target/web
#
# An optimised build as it is runs fastest. Where bytes count more than speed: --config 'profile.release.opt-level="s"'
# --config 'profile.release.lto="fat"' makes it 2.6 MB instead of 3.7, and some loops take twice the time.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools.sh

target=${CARGO_TARGET_DIR:-$PWD/target}
folder=${1:-$target/web}
[ $# -eq 0 ] || shift
# A host puts its callbacks into the table, where a pointer to a function is a place.
flags='["-Clink-arg=--export-table", "-Clink-arg=--growable-table", "-Cstrip=symbols"]'

BUILD_STD=std,panic_abort CARGO_VERB=rustc cargo_for wasm32-unknown-unknown \
    --manifest-path capi/Cargo.toml --target-dir "$target/capi-wasm" --release --crate-type cdylib \
    --config "target.wasm32-unknown-unknown.rustflags=$flags" "$@"

mkdir -p "$folder/plugins"
cp "$target/capi-wasm/wasm32-unknown-unknown/release/wasm_runtime.wasm" "$folder/"
cp examples/web/{index.html,page.css,page.mjs,icon.svg,wasm_runtime.mjs} "$folder/"
for plugin in kernels text_transform misbehaving/{endless_loop,memory_grower,endless_host_loop,foreign_import}; do
    cp "fixtures/wasm/$plugin.wasm" "$folder/plugins/"
done
chmod -x "$folder/wasm_runtime.wasm"
ls -l "$folder/wasm_runtime.wasm" | awk -v folder="$folder" '{ printf "%s: %.2f MB\n", folder, $5 / 1e6 }'
