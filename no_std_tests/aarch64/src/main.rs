//! The conformance suite on a bare AArch64: QEMU's virt with a Cortex-A72.
//!
//! Runs at EL1 with MMU and caches on. What is mapped is in `pages.rs`: below the stack lies nothing,
//! and nothing that can be written can be run.

#![no_std]
#![no_main]

mod board;
mod counters;
mod fault;
mod pages;
mod start;
mod uart;

use crate::board::Virt;
use core::panic::PanicInfo;

/// Where `start` goes.
extern "C" fn main() -> ! {
    counters::start();
    // SAFETY: called once, by `start`, on the stack of `link.x`; the ranges are that file's and mapped.
    unsafe { firmware::run::<Virt>() }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    firmware::panicked::<Virt>(info)
}
