//! What the suite needs of the board.

use crate::timer;
use core::arch::asm;
use firmware::{Board, Memory, semihosting};

unsafe extern "C" {
    static _stack_start: u8;
    static _stack_end: u8;
    static _heap_low: u8;
    static _heap_high: u8;
    static _mistake: u8;
    static _flash_bytes: u8;
}

/// QEMU's mps2-an386.
pub(crate) struct An386;

impl Board for An386 {
    const NAME: &'static str = "thumbv7em, QEMU mps2-an386, portable dispatch";
    // bx lr, twice.
    const RETURN: [u8; 4] = [0x70, 0x47, 0x70, 0x47];

    fn memory() -> Memory {
        Memory {
            heap: (&raw const _heap_low).addr()..(&raw const _heap_high).addr(),
            stack: (&raw const _stack_end).addr()..(&raw const _stack_start).addr(),
            flash_bytes: (&raw const _flash_bytes).addr(),
            mistake: (&raw const _mistake).addr(),
        }
    }

    fn write(text: &str) {
        semihosting::write(text);
    }

    fn exit(passed: bool) -> ! {
        semihosting::exit(passed)
    }

    fn clock_us() -> u64 {
        timer::ticks() / timer::TICKS_PER_US
    }

    fn instructions() -> Option<u64> {
        Some(timer::ticks() * timer::INSTRUCTIONS_PER_TICK)
    }

    fn undefined_instruction() {
        // SAFETY: it changes nothing; the processor takes an exception.
        unsafe { asm!("udf #0", options(nomem, nostack)) };
    }
}
