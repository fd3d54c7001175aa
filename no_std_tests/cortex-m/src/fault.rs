//! Faults of every kind, which all arrive as hard faults.

use crate::board::An386;
use core::{arch::global_asm, ptr::with_exposed_provenance};
use cortex_m::peripheral::SCB;
use firmware::{Board, Cause, Fault};

/// For the handler, since the stack may be what overflowed.
const STACK_BYTES: usize = 4 << 10;

// Hands the stack pointer on and goes to the handler on a stack of its own.
global_asm!(
    ".section .bss.fault_stack, \"aw\", %nobits",
    ".balign 8",
    ".space {bytes}",
    "fault_stack_end:",
    ".section .text.HardFault, \"ax\", %progbits",
    ".global HardFault",
    ".type HardFault, %function",
    ".thumb_func",
    "HardFault:",
    "mov r0, sp",
    "ldr r1, =fault_stack_end",
    "mov sp, r1",
    "b {report}",
    bytes = const STACK_BYTES,
    report = sym report,
);

/// Prints what happened. `frame` is where the processor saved its registers, or failed to.
extern "C" fn report(frame: usize) -> ! {
    // SAFETY: only reads, and the processor is past all other use of these registers.
    let scb = unsafe { &*SCB::PTR };
    let (cfsr, hfsr) = (scb.cfsr.read(), scb.hfsr.read());
    let address = match cfsr & (MMFAR_VALID | BFAR_VALID) {
        0 => None,
        valid if valid & MMFAR_VALID != 0 => Some(scb.mmfar.read() as usize),
        _ => Some(scb.bfar.read() as usize),
    };
    firmware::fault::<An386>(Fault {
        cause: cause(cfsr),
        pc: saved_pc(frame),
        sp: frame,
        address,
        registers: format_args!("cfsr={cfsr:#x} hfsr={hfsr:#x}"),
    })
}

/// The program counter of a frame, of which it is the seventh word, if the frame was saved.
fn saved_pc(frame: usize) -> Option<usize> {
    let stack = An386::memory().stack;
    (stack.start <= frame && frame + 32 <= stack.end).then(|| {
        // SAFETY: it lies in the stack.
        unsafe { with_exposed_provenance::<usize>(frame + 24).read_volatile() }
    })
}

const MMFAR_VALID: u32 = 1 << 7;
const BFAR_VALID: u32 = 1 << 15;

fn cause(cfsr: u32) -> Cause {
    const IACCVIOL: u32 = 1 << 0;
    const DACCVIOL: u32 = 1 << 1;
    const IBUSERR: u32 = 1 << 8;
    const PRECISERR: u32 = 1 << 9;
    const UNDEFINSTR: u32 = 1 << 16;
    match cfsr {
        _ if cfsr & UNDEFINSTR != 0 => Cause::UndefinedInstruction,
        _ if cfsr & (IACCVIOL | IBUSERR) != 0 => Cause::Run,
        _ if cfsr & (DACCVIOL | PRECISERR) != 0 => Cause::Access,
        _ => Cause::Other,
    }
}
