//! The board's timer 0: 25 MHz, 32 bits, counting down.

use core::ptr;
use firmware::Widened;

/// Ticks of a microsecond.
pub(crate) const TICKS_PER_US: u64 = 25;
/// Under QEMU's `-icount shift=0`, where an instruction takes a nanosecond.
pub(crate) const INSTRUCTIONS_PER_TICK: u64 = 40;

const CONTROL: usize = 0x4000_0000;
const VALUE: usize = 0x4000_0004;
const RELOAD: usize = 0x4000_0008;

static TICKS: Widened = Widened::new();

/// Starts it.
pub(crate) fn start() {
    for (register, value) in [(RELOAD, u32::MAX), (VALUE, u32::MAX), (CONTROL, 1)] {
        // SAFETY: the three are the timer's registers, and without its interrupt it does nothing but count.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(register).write_volatile(value) };
    }
}

/// Ticks since the start. Right if it is read at least every 171 s, in which it wraps.
pub(crate) fn ticks() -> u64 {
    // SAFETY: the timer's register, and reading it changes nothing.
    let left = unsafe { ptr::with_exposed_provenance::<u32>(VALUE).read_volatile() };
    TICKS.at(u32::MAX - left)
}
