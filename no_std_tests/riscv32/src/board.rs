//! What the suite needs of the board.

use core::{
    arch::asm,
    ptr::{with_exposed_provenance, with_exposed_provenance_mut},
};
use firmware::{Board, Memory};

/// The device that ends the emulator.
pub(crate) const EXIT: usize = 0x0010_0000;
/// The device with the clock.
pub(crate) const CLINT: usize = 0x0200_0000;
/// The console, a 16550.
pub(crate) const UART: usize = 0x1000_0000;

const PASS: u32 = 0x5555;
/// Exit code 1, in the upper half.
const FAIL: u32 = 1 << 16 | 0x3333;
/// Ticks of 100 ns, 64 bits.
const MTIME: usize = CLINT + 0xbff8;
const TICKS_PER_US: u64 = 10;
const LINE_STATUS: usize = UART + 5;
const TRANSMIT_EMPTY: u8 = 1 << 5;

unsafe extern "C" {
    static _stack_low: u8;
    static _stack_high: u8;
    static _heap_low: u8;
    static _heap_high: u8;
    static _mistake: u8;
    static _flash_bytes: u8;
}

/// QEMU's virt.
pub(crate) struct Virt;

impl Board for Virt {
    const NAME: &'static str = "riscv32imac, QEMU virt, portable dispatch";
    // ret
    const RETURN: [u8; 4] = [0x67, 0x80, 0x00, 0x00];

    fn memory() -> Memory {
        Memory {
            heap: (&raw const _heap_low).addr()..(&raw const _heap_high).addr(),
            stack: (&raw const _stack_low).addr()..(&raw const _stack_high).addr(),
            flash_bytes: (&raw const _flash_bytes).addr(),
            mistake: (&raw const _mistake).addr(),
        }
    }

    fn write(text: &str) {
        let status = with_exposed_provenance::<u8>(LINE_STATUS);
        for byte in text.bytes() {
            // SAFETY: both are registers of the console, which only this function uses.
            unsafe {
                while status.read_volatile() & TRANSMIT_EMPTY == 0 {}
                with_exposed_provenance_mut::<u8>(UART).write_volatile(byte);
            }
        }
    }

    fn exit(passed: bool) -> ! {
        let code = if passed { PASS } else { FAIL };
        loop {
            // SAFETY: the register of the exit device.
            unsafe { with_exposed_provenance_mut::<u32>(EXIT).write_volatile(code) };
        }
    }

    fn clock_us() -> u64 {
        // SAFETY: both are registers of the clock, and reading them changes nothing.
        let half = |at: usize| unsafe { with_exposed_provenance::<u32>(at).read_volatile() };
        two_halves(|| half(MTIME + 4), || half(MTIME)) / TICKS_PER_US
    }

    fn instructions() -> Option<u64> {
        Some(two_halves(minstret_high, minstret_low))
    }

    fn undefined_instruction() {
        // SAFETY: it changes nothing; the processor takes an exception.
        unsafe { asm!("unimp", options(nomem, nostack)) };
    }
}

/// A counter of two halves, of which the upper does not change while the lower is read.
fn two_halves(high: impl Fn() -> u32, low: impl Fn() -> u32) -> u64 {
    loop {
        let (before, low, after) = (high(), low(), high());
        if before == after {
            return u64::from(after) << 32 | u64::from(low);
        }
    }
}

fn minstret_low() -> u32 {
    let value;
    // SAFETY: reads a register. Not `nomem`: what is counted stays before or after it.
    unsafe { asm!("csrr {}, minstret", out(reg) value, options(nostack)) };
    value
}

fn minstret_high() -> u32 {
    let value;
    // SAFETY: as for the lower half.
    unsafe { asm!("csrr {}, minstreth", out(reg) value, options(nostack)) };
    value
}
