//! Traps of every kind end the firmware.

use crate::board::Virt;
use core::arch::global_asm;
use firmware::{Cause, Fault};

/// For the handler, since the stack may be what overflowed.
const STACK_BYTES: usize = 16 << 10;

unsafe extern "C" {
    /// The handler of all traps.
    #[link_name = "trap_entry"]
    pub(crate) fn trap();
}

// Hands the stack pointer and the cause on to the handler, on a stack of its own.
global_asm!(
    ".section .bss.fault_stack, \"aw\", @nobits",
    ".balign 16",
    ".space {bytes}",
    "fault_stack_high:",
    ".section .text.trap, \"ax\"",
    ".balign 4",
    ".global trap_entry",
    "trap_entry:",
    "mv a0, sp",
    "la sp, fault_stack_high",
    "csrr a1, mcause",
    "csrr a2, mepc",
    "csrr a3, mtval",
    "j {report}",
    bytes = const STACK_BYTES,
    report = sym report,
);

/// Prints what happened.
extern "C" fn report(sp: usize, mcause: usize, mepc: usize, mtval: usize) -> ! {
    let (cause, has_address) = match mcause {
        1 | 12 => (Cause::Run, true),
        2 => (Cause::UndefinedInstruction, false),
        4..=7 | 13 | 15 => (Cause::Access, true),
        _ => (Cause::Other, false),
    };
    firmware::fault::<Virt>(Fault {
        cause,
        pc: Some(mepc),
        sp,
        address: has_address.then_some(mtval),
        registers: format_args!("mcause={mcause:#x} mtval={mtval:#x}"),
    })
}
