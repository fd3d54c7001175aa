//! The conformance suite on a bare RV32IMAC: QEMU's virt.
//!
//! Runs in machine mode. The stack lies right above the code. Physical memory protection makes code and
//! constants read-only, and all other memory non-executable; what is neither memory nor a device that
//! is used, null first, may not be accessed.

#![no_std]
#![no_main]

mod board;
mod fault;
mod start;

use crate::board::Virt;
use core::panic::PanicInfo;

/// Where `start` goes.
extern "C" fn main() -> ! {
    // SAFETY: called once, by `start`, on the stack of `link.x`; the ranges are that file's.
    unsafe { firmware::run::<Virt>() }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    firmware::panicked::<Virt>(info)
}
