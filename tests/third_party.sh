#!/bin/bash
# Fetches modules that nobody here wrote from the npm registry into target/third-party (never
# committed) and runs them: tests/programs/third_party.rs. Needs npm and a network.
#
#   tests/third_party.sh [cargo arguments]
set -euo pipefail
cd "$(dirname "$0")/.."

# package@version, the module in it, and what to call it here. Most are Rust or C through emscripten or wasm-bindgen.
packages='
@jitl/quickjs-wasmfile-release-sync@0.32.0 dist/emscripten-module.wasm quickjs
source-map@0.7.4 lib/mappings.wasm source-map
sql.js@1.16.0 dist/sql-wasm.wasm sql.js
tiktoken@1.0.22 lite/tiktoken_bg.wasm tiktoken-lite
tiktoken@1.0.22 tiktoken_bg.wasm tiktoken
undici@5.28.4 lib/llhttp/llhttp.wasm llhttp
undici@5.28.4 lib/llhttp/llhttp_simd.wasm llhttp_simd
web-tree-sitter@0.27.1 web-tree-sitter.wasm web-tree-sitter
xxhash-wasm@1.1.0 workerd/xxhash.wasm xxhash
'
# package@version, a script in it with modules in base64, and what to call the only one; `-` if each has a name there.
embedded='
cjs-module-lexer@2.3.0 dist/lexer.js cjs-module-lexer
es-module-lexer@0.9.3 dist/lexer.js es-module-lexer
hash-wasm@4.13.0 dist/index.umd.min.js -
'

if ! command -v npm >/dev/null; then
    echo "missing: npm, which fetches the third-party modules (apt-get install npm)" >&2
    exit 1
fi

folder=$PWD/target/third-party
packed=$folder/packages
mkdir -p "$packed"

# fetch PACKAGE@VERSION: unpacks it once, and prints where it is.
fetch() {
    local place=$packed/${1//\//+}
    if [ ! -e "$place/package/package.json" ]; then
        mkdir -p "$place"
        local file
        file=$(npm pack --silent --pack-destination "$place" "$1")
        tar -xzf "$place/$file" -C "$place"
    fi
    printf '%s\n' "$place/package"
}

rm -f "$folder"/*.wasm
while read -r package file name; do
    [ -n "$package" ] || continue
    place=$(fetch "$package")
    cp "$place/$file" "$folder/$name.wasm"
done <<<"$packages"
while read -r package file name; do
    [ -n "$package" ] || continue
    place=$(fetch "$package")
    if [ "$name" != - ]; then
        grep -oE '"AGFzb[A-Za-z0-9+/=]+"' "$place/$file" | tr -d '"' | base64 -d >"$folder/$name.wasm"
        continue
    fi
    grep -oE 'name:"[a-z0-9]+",data:"AGFzb[A-Za-z0-9+/=]+"' "$place/$file" | tr -d '"' | tr ':,' '  ' |
        while read -r _ name _ data; do base64 -d <<<"$data" >"$folder/$name.wasm"; done
done <<<"$embedded"

cargo run --release "$@" --example third_party -- "$folder"
