//! Signals, which stand for the exceptions of a processor: faults, and single steps.

use crate::{
    board::Program,
    kernel::{self, MPROTECT, SIGACTION, SIGALTSTACK},
    pages::{PAGE_BYTES, Pages, STACK},
    steps::on_step,
};
use core::arch::global_asm;
use firmware::{Cause, Fault};

const SIGILL: usize = 4;
const SIGTRAP: usize = 5;
const SIGBUS: usize = 7;
const SIGSEGV: usize = 11;
/// With the state of the processor; on a stack of its own; with a way back.
const FLAGS: u64 = 0x4 | 0x0800_0000 | 0x0400_0000;
/// In the error code of a page fault: code was to be run.
const FETCH: u64 = 1 << 4;
const NO_ACCESS: usize = 0;

const HANDLER_STACK_BYTES: usize = 64 << 10;
static HANDLER_STACK: Pages<HANDLER_STACK_BYTES> = Pages::new();

/// As the kernel takes it.
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// As the kernel gives it, up to the registers.
#[repr(C)]
struct Context {
    _flags_link_and_stack: [u64; 5],
    registers: Registers,
}

#[repr(C)]
struct Registers {
    _r8_to_rcx: [u64; 15],
    rsp: u64,
    rip: u64,
    _flags_and_segments: [u64; 2],
    error: u64,
    trap: u64,
    _mask: u64,
    address: u64,
}

unsafe extern "C" {
    /// Back from a handler; not a function to be called.
    fn back_from_signal();
}

global_asm!(".global back_from_signal", "back_from_signal:", "mov eax, 15", "syscall");

/// Takes the stack's lowest page away, and has faults end the program and steps counted.
pub(crate) fn install() {
    let stack = [HANDLER_STACK.addr(), 0, HANDLER_STACK_BYTES];
    // SAFETY: the kernel reads the three words; the page and the handlers' stack are nobody else's.
    unsafe {
        kernel::call(MPROTECT, [STACK.addr(), PAGE_BYTES, NO_ACCESS, 0]);
        kernel::call(SIGALTSTACK, [(&raw const stack).expose_provenance(), 0, 0, 0]);
    }
    let fault = on_fault as extern "C" fn(i32, usize, &Context) as usize;
    let step = on_step as extern "C" fn(i32) as usize;
    for (signal, handler) in [(SIGILL, fault), (SIGBUS, fault), (SIGSEGV, fault), (SIGTRAP, step)] {
        let restorer = back_from_signal as unsafe extern "C" fn() as usize;
        let action = Action { handler, flags: FLAGS, restorer, mask: 0 };
        let action = (&raw const action).expose_provenance();
        // SAFETY: the kernel reads the action; the handlers take what it gives them.
        unsafe { kernel::call(SIGACTION, [signal, action, 0, 8]) };
    }
}

extern "C" fn on_fault(signal: i32, _info: usize, context: &Context) {
    let Registers { rsp, rip, error, trap, address, .. } = context.registers;
    let cause = match signal as usize {
        SIGILL => Cause::UndefinedInstruction,
        SIGSEGV if error & FETCH != 0 => Cause::Run,
        SIGSEGV => Cause::Access,
        _ => Cause::Other,
    };
    firmware::fault::<Program>(Fault {
        cause,
        pc: Some(rip as usize),
        sp: rsp as usize,
        address: (signal as usize == SIGSEGV).then_some(address as usize),
        registers: format_args!("signal={signal} trap={trap} error={error:#x}"),
    })
}
