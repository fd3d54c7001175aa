//! From reset to `main`: stack, traps, statics, memory protection.

use crate::{board, fault};
use core::arch::global_asm;

const READ: u32 = 1;
const WRITE: u32 = 1 << 1;
const RUN: u32 = 1 << 2;
/// From the entry before to this one; or a range of a power of two bytes.
const UP_TO: u32 = 1 << 3;
const RANGE: u32 = 3 << 3;
/// Machine mode is held to it as well.
const LOCKED: u32 = 1 << 7;

/// Entries 0 to 3: where the code begins; code and constants; other memory; the exit device.
const CONFIG_0: u32 = (LOCKED | UP_TO | READ | RUN) << 8
    | (LOCKED | UP_TO | READ | WRITE) << 16
    | (LOCKED | RANGE | READ | WRITE) << 24;
/// Entries 4 to 6: the clock; the console; everything else.
const CONFIG_1: u32 =
    (LOCKED | RANGE | READ | WRITE) | (LOCKED | RANGE | READ | WRITE) << 8 | (LOCKED | RANGE) << 16;

/// The address of an entry for a range.
const fn range(low: usize, bytes: usize) -> usize {
    (low >> 2) | ((bytes >> 3) - 1)
}

global_asm!(
    ".section .text.start, \"ax\"",
    ".global _start",
    "_start:",
    "la sp, _stack_high",
    "la t0, {trap}",
    "csrw mtvec, t0",
    "la t0, _bss_low",
    "la t1, _bss_high",
    "0: bgeu t0, t1, 1f",
    "sw zero, 0(t0)",
    "addi t0, t0, 4",
    "j 0b",
    "1: la t0, _code_low",
    "srli t0, t0, 2",
    "csrw pmpaddr0, t0",
    "la t0, _code_high",
    "srli t0, t0, 2",
    "csrw pmpaddr1, t0",
    "la t0, _ram_high",
    "srli t0, t0, 2",
    "csrw pmpaddr2, t0",
    "li t0, {exit}",
    "csrw pmpaddr3, t0",
    "li t0, {clock}",
    "csrw pmpaddr4, t0",
    "li t0, {console}",
    "csrw pmpaddr5, t0",
    "li t0, -1",
    "csrw pmpaddr6, t0",
    "li t0, {config_0}",
    "csrw pmpcfg0, t0",
    "li t0, {config_1}",
    "csrw pmpcfg1, t0",
    "j {main}",
    trap = sym fault::trap,
    exit = const range(board::EXIT, 4 << 10),
    clock = const range(board::CLINT, 64 << 10),
    console = const range(board::UART, 4 << 10),
    config_0 = const CONFIG_0,
    config_1 = const CONFIG_1,
    main = sym crate::main,
);
