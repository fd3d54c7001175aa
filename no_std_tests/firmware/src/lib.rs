//! What the firmwares of all boards share: the heap, the way from reset to exit code, and how faults
//! end. A board implements [`Board`] and calls [`run`], [`panicked`] and [`fault`].
//!
//! Everything here is for one thread of execution that is not interrupted.

#![no_std]

mod board;
mod counter;
mod end;
mod heap;
mod mistake;
#[cfg(any(target_arch = "arm", target_arch = "aarch64"))]
pub mod semihosting;

pub use crate::{
    board::{Board, Memory, run},
    counter::Widened,
    end::{Cause, Fault, fault, panicked},
};
