#!/bin/bash
# Says of finished binaries whether plugins can run in them without eating the native stack.
#
#   tests/handlers.sh BINARY...      ELF or Mach-O, x86-64 or AArch64; a program, an object, or a static library
#
# When to run it: on what you ship, built with its last profile and not stripped; again after a change of compiler,
# profile, flags or wasmi. The library itself checks when it starts, by loops over every family of operators. This looks
# at every handler, and runs nothing, so a device's binary can be checked where it is built. It needs objdump from
# binutils or LLVM, and awk.
#
# What it looks for: in wasmi's fast dispatch each operator's handler goes on to the next handler by a tail call,
# which must be an indirect jump. The compiler may make a call of it; then every operator that a guest runs leaves a
# frame behind, and a loop overflows the stack. A call counts if its handler returns right after it, or does not jump
# on at all; a jump through a `match`'s jump table does not count as going on.
#
# Exit codes, the highest of all binaries:
#   0  sound: all handlers jump on; or portable dispatch, a loop that needs no tail calls
#   1  unsound: some handlers call. The library answers `UnsoundDispatch`; change the profile, or use the feature
#      `portable-dispatch`
#   2  not known: no handlers found (stripped, or not linked in), or not a binary that this can read
set -euo pipefail

# Handlers that may call: in wasmi 2.0.0 they hand out addresses in their frame, and so keep it; the first two in every
# build, the others in some. The library makes them so expensive (src/engine/costs.rs) that a slice of fuel ends, and
# its stack is given back, before they take much of it.
readonly exceptions='memory_grow table_grow table_init
    i16x8_relaxed_dot_i8x16_i7x16_sss i32x4_relaxed_dot_i8x16_i7x16_add_ssss'

main() {
    [ $# -gt 0 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
    local binary status worst=0
    for binary in "$@"; do
        status=0
        check "$binary" || status=$?
        [ $status -le $worst ] || worst=$status
    done
    exit $worst
}

check() {
    local objdump
    [ -r "$1" ] || { echo "$1: cannot be read" >&2; return 2; }
    objdump=$(disassembler "$1") || { echo "$1: no objdump here reads it" >&2; return 2; }
    echo "$1"
    # Relocations name what a branch of an object not linked yet goes to.
    "$objdump" -d -r --no-show-raw-insn "$1" 2>/dev/null | awk -v exceptions="${exceptions//[$' \n']/ }" "$judge"
}

# The first one that knows the format and the architecture. (LLVM names a format even where it fails otherwise.)
disassembler() {
    local tool header
    for tool in llvm-objdump{,-22,-21,-20,-19,-18,-17,-16,-15,-14} {,aarch64-linux-gnu-,x86_64-linux-gnu-}objdump; do
        command -v "$tool" >/dev/null || continue
        header=$("$tool" -f "$1" 2>/dev/null) || true
        case $tool:$header in
            llvm-*:*"file format "* | *:*"architecture: i386:x86-64"* | *:*"architecture: aarch64"*)
                echo "$tool"
                return
                ;;
        esac
    done
    return 1
}

# Keeps the instructions of handlers and of what the compiler outlined, and judges when all are read.
readonly judge='
# What is not a handler although it lies with them, in either dispatch.
BEGIN {
    helper = "^(identity|memory_copy_within|(exec|fetch)_branch_table(_target|_with_copies)?"
    helper = helper "|splat_[a-z0-9]+|(v128|f32x4|f64x2)_replace_lane[0-9x]*|.*closure.*)?$"
}

# --- reading -------------------------------------------------------------------------------------------------------

/file format / { object++; known += /file format .*(x86-64|arm64|aarch64)/; keep = 0; next }
/^Disassembly of section/ { section++; keep = 0; next }
/^[0-9a-f]+ <.*>:$/ { begin(substr($2, 2, length($2) - 3), $1); next }
!keep { next }
/^[ \t]*[0-9a-f]+:[ \t]+(R_[A-Z0-9_]+|ARM64_RELOC_|X86_64_RELOC_)/ { relocation(); next }
/^[ \t]*[0-9a-f]+:[ \t]/ { instruction() }

function begin(name, address) {
    if (name ~ /^(l?tmp[0-9]+|L.*|\.L.*|\$[xd].*)$/) return # a label inside of a function
    if (name ~ /7handler8dispatch7backend.*8Executor/) portable++
    keep = name ~ /7handler4exec/ && short(name) !~ helper ? 1 : name ~ /OUTLINED_FUNCTION_/ ? 2 : 0
    if (!keep) return
    f = ++functions
    is_handler[f] = keep == 1
    title[f] = name
    first[f] = last[f] = 0
    at_address[object, section, hex(address)] = f
    by_name[object, name] = f
}

function instruction(   i, n, word) {
    sub(/[ \t]*(# |\/\/ |; |<).*/, "<&") # what a disassembler adds behind the operands
    target = substr($0, index($0, "<<") + 1)
    sub(/<[ \t]*(# |\/\/ |; |<).*/, "")
    n = split($0, word, /[ \t]+/)
    for (i = 1; word[i] !~ /:$/; i++) {}
    where = hex(substr(word[i], 1, length(word[i]) - 1))
    while (word[++i] ~ /^(notrack|bnd|repz?|data16)$/) {}
    if (!first[f]) first[f] = count + 1
    last[f] = ++count
    op[count] = word[i]
    args[count] = ""
    for (i++; i <= n; i++) args[count] = args[count] word[i]
    index_of[f, where] = count
    home[count] = object SUBSEP section
}

# The branch before it goes to this symbol.
function relocation() { symbol[count] = $NF; sub(/[-+]0x[0-9a-f]+$/, "", symbol[count]); names[count] = object }

function hex(text) { sub(/^0x/, "", text); sub(/^0+/, "", text); return text }

# --- judging -------------------------------------------------------------------------------------------------------

END {
    for (g = 1; g <= functions; g++) if (is_handler[g]) judge(g)
    if (portable && !handlers) portable_dispatch()
    if (!handlers) { print "  no handlers of wasmi: keep the symbols (strip = \"none\"), link the library in"; exit 2 }
    if (!known) { print "  " handlers " handlers, of an architecture that this cannot judge"; exit 2 }
    printf "  %5d handlers\n  %5d going on by a jump\n  %5d going on by a call\n", handlers, jumps, calls + excused
    printf "  %5d that only return\n", handlers - jumps - calls - excused
    if (excused) print "  exceptions, which the library prices and slices:" excused_names
    if (calls) { print "  calls:" call_names (calls > 8 ? " and " calls - 8 " more" : ""); print "unsound"; exit 1 }
    if (!jumps) { print "  none of them goes on: not understood"; exit 2 }
    print "sound"
}

function portable_dispatch() {
    printf "  %5d operators in a loop, no handler that goes on by itself\nportable dispatch\n", portable
    exit 0
}

function judge(g,   i, jumped, called, returned) {
    handlers++
    for (i = first[g]; i && i <= last[g]; i++) {
        if (goes_on(g, i)) jumped = 1
        else if (calls_on(i)) { called = 1; if (returns(g, i + 1)) returned = 1 }
    }
    if (!returned && (jumped || !called)) { jumps += jumped; return }
    i = short(title[g])
    if (index(" " exceptions " ", " " i " ")) { excused++; excused_names = excused_names " " i; return }
    if (++calls <= 8) call_names = call_names " " i
}

# A jump through a register or memory, but for jump tables; or to another handler; or to an outlined end that does it.
function goes_on(g, i,   to) {
    if (op[i] ~ /^jmpq?$/ && args[i] ~ /^\*/) return args[i] !~ /\(%rip\)|\(,/ && !computed(g, i, substr(args[i], 2))
    if (op[i] ~ /^bra?a?b?z?$/ && args[i] ~ /^x/) return !computed(g, i, register(args[i]))
    if (op[i] !~ /^(jmpq?|b)$/ || !(to = destination(i)) || to == g) return 0
    return is_handler[to] || ends_in_jump(to)
}

# A call through a register or memory that may be another handler; those through the GOT are not.
function calls_on(i,   to) {
    if (op[i] ~ /^callq?$/) return args[i] ~ /^\*/ && args[i] !~ /\(%rip\)/
    if (op[i] ~ /^blra?a?b?z?$/) return 1
    return op[i] == "bl" && (to = destination(i)) && !is_handler[to] && ends_in_jump(to)
}

function ends_in_jump(g) { return op[last[g]] ~ /^br/ && !computed(g, last[g], register(args[last[g]])) }

function register(text) { sub(/,.*/, "", text); return text }

# The address was added up: a jump table. That of a handler is only ever loaded.
function computed(g, i, name,   to) {
    if (name ~ /\(/) return 0
    while (--i >= first[g]) {
        to = args[i]
        if (name ~ /^%/) sub(/.*,/, "", to); else sub(/,.*/, "", to)
        if (to == name && op[i] !~ /^(cmp|test|push|str|stp|b)/) return op[i] ~ /^add/
    }
    return 0
}

# From here on there is nothing but the end of the function.
function returns(g, i,   steps, to) {
    for (steps = 0; steps < 64 && i <= last[g]; steps++) {
        if (op[i] ~ /^ret/) return 1
        if (op[i] ~ /^(jmpq?|b)$/) {
            to = index_of[g, branch_address(i)]
            if (!to) return (to = destination(i)) && !is_handler[to] && to != g ? returns(to, first[to]) : 0
            i = to
        } else if (leaves_result(i)) i++
        else return 0
    }
    return 0
}

function leaves_result(i) {
    if (op[i] ~ /^(popq?|leaveq?|vzeroupper|nop[wlq]?|autiasp|autibsp|cfi.*)$/) return 1
    if (op[i] ~ /^(addq?|subq?|leaq?|movq?)$/ && args[i] ~ /,%rsp$/) return 1
    if (op[i] ~ /^(add|sub|mov)$/ && args[i] ~ /^sp,/) return 1
    return op[i] ~ /^ld[pr]$/ && args[i] ~ /\[sp/
}

# The function that a direct branch leads to, if it is one of those that were kept.
function destination(i) {
    if (symbol[i] != "") return by_name[names[i], symbol[i]]
    return at_address[home[i], branch_address(i)]
}

function branch_address(i) { return symbol[i] != "" ? "" : hex(args[i]) }

# The operator: the component behind `exec`, and behind `simd`.
function short(name,   n) {
    sub(/.*7handler4exec(4simd)?/, "", name)
    n = name + 0
    sub(/^[0-9]+_?/, "", name)
    return substr(name, 1, n)
}
'

main "$@"
