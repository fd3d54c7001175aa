//! The conformance suite on a Cortex-M4F: QEMU's mps2-an386.
//!
//! The stack lies at the bottom of RAM, with nothing below it. The memory protection unit makes flash
//! read-only, all RAM non-executable, and null a fault.

#![no_std]
#![no_main]

mod board;
mod fault;
mod protection;
mod timer;

use crate::board::An386;
use core::panic::PanicInfo;

#[cortex_m_rt::entry]
fn main() -> ! {
    // SAFETY: called once, at reset, where everything may be accessed by its peripheral; the regions
    // allow what `memory.x` and the timer ask for.
    unsafe { protection::switch_on() };
    timer::start();
    // SAFETY: this is the entry, on cortex-m-rt's stack, which is the one of `memory.x`; the ranges are
    // that file's.
    unsafe { firmware::run::<An386>() }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    firmware::panicked::<An386>(info)
}
