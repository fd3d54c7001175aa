#!/bin/bash
# Makes include/wasm_runtime.h of what is documented in src.
#
#   capi/header.sh          writes it
#   capi/header.sh --check  says whether the committed one is current; exit code 1 if not
#
# Needs cbindgen of the version below, and installs it into the target folder if it is not there.
set -euo pipefail
cd "$(dirname "$0")"

readonly version=0.29.4
tools=${CARGO_TARGET_DIR:-$PWD/../target}/tools
cbindgen=$tools/bin/cbindgen

main() {
    [ "$("$cbindgen" --version 2>/dev/null)" = "cbindgen $version" ] ||
        CARGO_PROFILE_DEV_DEBUG=false cargo install --debug --locked --quiet --root "$tools" --version "$version" cbindgen
    local header
    header=$("$cbindgen" --config cbindgen.toml src/lib.rs 2>/dev/null | as_pointers)
    case ${1-} in
        --check) diff -u include/wasm_runtime.h - <<<"$header" && echo "the header is current" ;;
        *) printf '%s\n' "$header" >include/wasm_runtime.h ;;
    esac
}

# Parameters that are pointers, and have types of their own in Rust, are pointers in C.
as_pointers() {
    perl -0777 -pe '
        s{typedef \s+ ([^;\n]*?) \s* \* \s* ((?:In|Out)_\w+|Text);\n\n?}{ $of{$2} = $1; "" }gex;
        for my $pass (1 .. 3) {
            s{\bconst \s+ ((?:In|Out)_\w+|Text)\b \s*}{ "$of{$1} *const " }gex;
            s{\b((?:In|Out)_\w+|Text)\b \s* (\w*)}{ "$of{$1} *$2" }gex;
        }
    '
}

main "$@"
