#!/bin/bash
# Runs a command with a Swift compiler at hand.
#
#   examples/ios_host/swift.sh swift --version
#
# With the Swift that is installed. On a Debian that has none, as root, with the one of Debian 13: its packages are
# unpacked into target/ios/debian13, or where SWIFT_ROOT says, once (560 MB to fetch, 1.5 GB on disk), and nothing is
# installed. Exit code 77 where neither can be.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly target=${CARGO_TARGET_DIR:-$PWD/target}/ios
readonly root=${SWIFT_ROOT:-$target/debian13}
# With what a compiler and a shell need; each brings its dependencies.
readonly packages='swiftlang libc6-dev libstdc++-14-dev base-files coreutils dash'
# What a command line has no use for: more than half of it.
readonly unused='*/swift/embedded */swift_static */liblldb* */lldb-server */libsourcekitd* */sourcekit-lsp */clangd
    */docc */usr/share/doc */usr/share/locale'

main() {
    if is_installed; then exec "$@"; fi
    can_unpack || { echo "no Swift compiler is installed, and this is no root on Debian" >&2; exit 77; }
    [ -e "$root/complete" ] || unpack
    enter "$@"
}

# A program of that name is also OpenStack's.
is_installed() {
    [[ $(swift --version 2>/dev/null) == *'Swift version'* ]]
}

can_unpack() {
    [ "$(id -u)" = 0 ] && [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] &&
        command -v apt-get dpkg-deb unshare >/dev/null && [ -n "$(mirror)" ]
}

# From where this Debian has its own packages.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Created-By: Packages' 2>/dev/null | head -1
}

unpack() {
    local apt=$target/apt package
    echo "fetching Swift of Debian 13" >&2
    rm -rf "$root" "$apt"
    mkdir -p "$root" "$apt"/{lists,cache/archives}/partial
    : >"$apt/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) trixie main" >"$apt/sources.list"
    fetch update >/dev/null
    fetch install --download-only --no-install-recommends --yes $packages >/dev/null
    # This one first: it says that /lib and the like are in /usr.
    for package in "$apt"/cache/archives/{base-files_*,*}.deb; do
        dpkg-deb --fsys-tarfile "$package" | (set -f; tar -x -C "$root" $(printf -- '--exclude=%s ' $unused))
    done
    rm -rf "$apt"
    touch "$root/complete"
}

# apt with lists, cache and state of its own.
fetch() {
    local apt=$target/apt
    apt-get -qq -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State="$apt" \
        -o Dir::State::status="$apt/status" -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" \
        -o APT::Sandbox::User=root "$@"
}

# The project lies there where it lies here. What is mounted is gone with the command.
enter() {
    exec unshare --mount bash -euc '
        root=$1 folders=("$2" "$3")
        shift 3
        for folder in "${folders[@]}"; do
            mkdir -p "$root$folder"
            mount --rbind "$folder" "$root$folder"
        done
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        exec chroot "$root" /usr/bin/env -i PATH=/usr/libexec/swift/bin:/usr/bin HOME=/tmp LANG=C.UTF-8 \
            sh -c "cd \"\$0\" && exec \"\$@\"" "${folders[0]}" "$@"
    ' enter "$root" "$PWD" "$target" "$@"
}

main "$@"
