//! Exceptions of every kind end the firmware.

use crate::board::Virt;
use core::arch::global_asm;
use firmware::{Cause, Fault};

/// For the handler, since the stack may be what overflowed.
const STACK_BYTES: usize = 16 << 10;

unsafe extern "C" {
    /// The vector table.
    #[link_name = "exception_vectors"]
    pub(crate) static vectors: u8;
}

// Every vector hands the stack pointer and the syndrome on to the handler, on a stack of its own.
global_asm!(
    ".section .bss.fault_stack, \"aw\", %nobits",
    ".balign 16",
    ".space {bytes}",
    "fault_stack_high:",
    ".section .text.vectors, \"ax\"",
    ".balign 2048",
    ".global exception_vectors",
    "exception_vectors:",
    ".rept 16",
    ".balign 128",
    "b 0f",
    ".endr",
    "0: mov x0, sp",
    "ldr x1, =fault_stack_high",
    "mov sp, x1",
    "mrs x1, esr_el1",
    "mrs x2, elr_el1",
    "mrs x3, far_el1",
    "b {report}",
    ".ltorg",
    bytes = const STACK_BYTES,
    report = sym report,
);

/// Prints what happened.
extern "C" fn report(sp: usize, esr: u64, elr: usize, far: usize) -> ! {
    let (cause, has_address) = match esr >> 26 & 0x3f {
        0x00 => (Cause::UndefinedInstruction, false),
        0x20 | 0x21 => (Cause::Run, true),
        0x24 | 0x25 => (Cause::Access, true),
        _ => (Cause::Other, false),
    };
    firmware::fault::<Virt>(Fault {
        cause,
        pc: Some(elr),
        sp,
        address: has_address.then_some(far),
        registers: format_args!("esr={esr:#x}"),
    })
}
