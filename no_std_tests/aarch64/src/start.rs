//! From reset to `main`: floating point, vectors, MMU and caches, stack, statics.

use crate::{fault, pages};
use core::arch::global_asm;

/// Floating point and vectors are not trapped.
const CPACR: u64 = 3 << 20;
/// Attribute 0: normal memory, write-back. Attribute 1: device memory.
const MAIR: u64 = 0xff;
/// 39 bits of address, pages of 4 KiB, walks through the caches, no upper half.
const TCR: u64 = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23;
/// MMU, data cache, instruction cache; what can be written cannot be run.
const SCTLR: u64 = 1 | 1 << 2 | 1 << 12 | 1 << 19;
/// Alignment checks.
const SCTLR_A: u64 = 1 << 1;

global_asm!(
    ".section .text.start, \"ax\"",
    ".global _start",
    "_start:",
    "ldr x0, ={cpacr}",
    "msr cpacr_el1, x0",
    "ldr x0, ={vectors}",
    "msr vbar_el1, x0",
    "ldr x0, ={mair}",
    "msr mair_el1, x0",
    "ldr x0, ={tcr}",
    "msr tcr_el1, x0",
    "ldr x0, ={tables}",
    "msr ttbr0_el1, x0",
    "tlbi vmalle1",
    "dsb sy",
    "isb",
    "mrs x0, sctlr_el1",
    "ldr x1, ={sctlr}",
    "orr x0, x0, x1",
    "bic x0, x0, #{alignment}",
    "msr sctlr_el1, x0",
    "isb",
    "ldr x0, =_stack_high",
    "mov sp, x0",
    "ldr x0, =_bss_low",
    "ldr x1, =_bss_high",
    "0: cmp x0, x1",
    "b.hs 1f",
    "stp xzr, xzr, [x0], #16",
    "b 0b",
    "1: b {main}",
    ".ltorg",
    cpacr = const CPACR,
    vectors = sym fault::vectors,
    mair = const MAIR,
    tcr = const TCR,
    tables = sym pages::level_1,
    sctlr = const SCTLR,
    alignment = const SCTLR_A,
    main = sym crate::main,
);
