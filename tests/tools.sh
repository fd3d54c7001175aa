# Sourced by `test.sh` and by the scripts of `no_std_tests`: building for a device, and installing what is missing.

# cargo_for TRIPLE ARGUMENT...: `cargo build` for a target. With rustup's standard library if it is there; otherwise
# Debian's compiler builds core and alloc, or what BUILD_STD says. CARGO_VERB is another command than `build`.
cargo_for() {
    local triple=$1 linker=ld.lld-22 upper verb=${CARGO_VERB-build}
    shift
    if has_standard_library "$triple"; then
        cargo "$verb" --locked --target "$triple" "$@"
        return
    fi
    debian_compilers || return 1
    [ "$triple" != wasm32-unknown-unknown ] || linker=wasm-ld-22
    need $linker lld-22 || return 1
    upper=${triple^^}
    env RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 "CARGO_TARGET_${upper//-/_}_LINKER=$linker" \
        /usr/bin/cargo "$verb" --locked --target "$triple" "-Zbuild-std=${BUILD_STD-core,alloc}" "$@"
}

# compiler_for TRIPLE: the version of the compiler that `cargo_for` uses.
compiler_for() {
    if has_standard_library "$1"; then rustc -V; else /usr/bin/rustc -V; fi
}

# The host's own is there even without rustup.
has_standard_library() {
    [ "$1" = "$(rustc -vV | sed -n 's/^host: //p')" ] || rustup target list --installed 2>/dev/null | grep -qx "$1"
}

debian_compilers() {
    need /usr/bin/rustc rustc-web || return 1
    need /usr/bin/cargo cargo-web || return 1
    need "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/core/src/lib.rs" rust-web-src
}

# need COMMAND-OR-FILE PACKAGE
need() {
    present "$1" && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        [ -n "${updated-}" ] || apt-get update -qq
        updated=yes
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$2" >/dev/null
    fi
    present "$1" && return
    echo "missing: $1 (Debian: apt-get install --no-install-recommends $2)" >&2
    return 1
}

present() {
    command -v "$1" >/dev/null || [ -f "$1" ]
}
