#!/bin/bash
# Holds a session with the host against what is expected, and interrupts a call that never ends.
#
#   examples/c_host/test.sh           compares
#   examples/c_host/test.sh --record  writes session.txt anew
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools.sh

target=${CARGO_TARGET_DIR:-$PWD/target}
host=$target/c_host/c_host

main() {
    examples/c_host/build.sh
    local session
    session=$(commands | "$host" | sed 's/^\(> \)*//')
    case ${1-} in
        --record) printf '%s\n' "$session" >examples/c_host/session.txt ;;
        *) diff -u examples/c_host/session.txt - <<<"$session" ;;
    esac
    echo "the session went as expected"
    interrupt
    echo "Ctrl-C cancelled the call, and the host went on"
    first_program
    echo "4 passed, 0 failed"
}

# The program of docs/embedding/c.md, as it stands there, in both languages.
first_program() {
    local out=$target/c_host/first language
    awk '/^```c$/ { inside = 1; next } /^```/ { inside = 0 } inside' docs/embedding/c.md >"$out.c"
    need g++ g++
    for language in 'gcc -std=c11' 'g++ -std=c++17 -x c++'; do
        $language -Wall -Wextra -Wpedantic -Werror -Icapi/include "$out.c" -x none \
            "$target/capi/release/libwasm_runtime.a" -lpthread -ldl -lm -o "$out"
        [ "$("$out")" = $'2\nstopped' ]
        echo "the first program of docs/embedding/c.md runs, by ${language%% *}"
    done
}

commands() {
    cat <<'END'
put acme rivers Danube 2850
put acme rivers Nile 6650
load sum fixtures/wasm/aggregate.wasm tenant=acme read=rivers
bytes sum sum rivers
load counter fixtures/wasm/counter.wasm instances=1
call counter add 20
call counter add 22
load loop fixtures/wasm/misbehaving/endless_loop.wasm fuel=5000000 timeout=0
call loop run
load hog fixtures/wasm/misbehaving/memory_grower.wasm memory=1048576 timeout=0
call hog grow_all
load nothing fixtures/wasm/misbehaving/foreign_import.wasm
call counter none
call counter add
reload counter fixtures/wasm/tally.wasm instances=1
rollback counter
call counter get
unload counter
call counter get
stats loop
list
audit
load
END
}

# Starts an endless call without limits, interrupts it, and goes on.
interrupt() {
    local answers=$target/c_host/interrupted.txt pid
    coproc HOST { exec "$host" >"$answers"; }
    pid=$HOST_PID
    printf '%s\n' "load loop fixtures/wasm/misbehaving/endless_loop.wasm fuel=18446744073709551614 timeout=0" \
        "call loop run" >&"${HOST[1]}"
    # Before the host has its handler, which is there as long as the call is, the signal would end it.
    until grep -q 'SigCgt:.*[2367abef]$' "/proc/$pid/status"; do :; done
    kill -INT "$pid"
    printf '%s\n' "call loop ping" quit >&"${HOST[1]}"
    wait "$pid"
    grep -q 'error 12: .*cancelled' "$answers"
    grep -q '= 1' "$answers"
}

main "$@"
