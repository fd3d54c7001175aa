//! What the suite needs of the board.

use crate::{counters, uart};
use core::arch::asm;
use firmware::{Board, Memory, semihosting};

unsafe extern "C" {
    static _stack_low: u8;
    static _stack_high: u8;
    static _heap_low: u8;
    static _heap_high: u8;
    static _mistake: u8;
    static _flash_bytes: u8;
}

/// QEMU's virt with a Cortex-A72.
pub(crate) struct Virt;

impl Board for Virt {
    const NAME: &'static str = if cfg!(feature = "portable-dispatch") {
        "aarch64, QEMU virt, portable dispatch"
    } else {
        "aarch64, QEMU virt, tail dispatch"
    };
    // ret
    const RETURN: [u8; 4] = [0xc0, 0x03, 0x5f, 0xd6];

    fn memory() -> Memory {
        Memory {
            heap: (&raw const _heap_low).addr()..(&raw const _heap_high).addr(),
            stack: (&raw const _stack_low).addr()..(&raw const _stack_high).addr(),
            flash_bytes: (&raw const _flash_bytes).addr(),
            mistake: (&raw const _mistake).addr(),
        }
    }

    fn write(text: &str) {
        uart::write(text);
    }

    fn exit(passed: bool) -> ! {
        semihosting::exit(passed)
    }

    fn clock_us() -> u64 {
        counters::clock_us()
    }

    fn instructions() -> Option<u64> {
        counters::instructions()
    }

    fn undefined_instruction() {
        // SAFETY: it changes nothing; the processor takes an exception.
        unsafe { asm!("udf #0", options(nomem, nostack)) };
    }
}
