//! The conformance suite as a freestanding x86-64 program, so that everyone can run it.
//!
//! It is a Linux executable without a C library: the kernel loads it, and its system calls are the
//! board: writing, exiting, the clock, and the signals that stand for a processor's exceptions. Heap
//! and stack lie in its own statics.

#![no_std]
#![no_main]

mod board;
mod kernel;
mod memory;
mod pages;
mod signals;
mod start;
mod steps;

use crate::board::Program;
use core::panic::PanicInfo;

/// Where `start` goes, with what the kernel tells a program: how many arguments, and their addresses.
extern "C" fn main(told: *const usize) -> ! {
    // SAFETY: `start` passes on what the kernel gives every program.
    unsafe { board::take_mistake(told) };
    signals::install();
    // SAFETY: called once, by `start`, on the stack of `board`; heap, stack and mistake word are
    // statics that nothing else uses.
    unsafe { firmware::run::<Program>() }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    firmware::panicked::<Program>(info)
}
