//! What the suite asks of the target it runs on.

use crate::{HeapUse, Stack};
use core::fmt;

/// A target that the suite runs on. What a target does not have is `None`; the suite then says so
/// instead of checking it.
pub trait Device {
    /// What the target is called: architecture, board, dispatch.
    fn name(&self) -> &'static str;

    /// Prints one line.
    fn print(&mut self, line: fmt::Arguments<'_>);

    /// Microseconds since a fixed point, if there is a clock.
    fn clock(&self) -> Option<fn() -> u64> {
        None
    }

    /// What the heap was asked for so far, if it counts.
    fn heap(&self) -> Option<HeapUse> {
        None
    }

    /// Whether the library is built with the feature `std`, and so has a clock of its own.
    fn has_std(&self) -> bool {
        false
    }

    /// Where the native stack lies, if it may be painted: nothing else lies there, and no other
    /// thread or interrupt handler uses it while the suite runs.
    fn stack(&self) -> Option<Stack> {
        None
    }

    /// Runs `work` once and returns how many instructions of the processor that took, if it can be told.
    fn instructions(&mut self, work: &mut dyn FnMut()) -> Option<u64> {
        let _ = work;
        None
    }

    /// The bytes of the firmware's code and constants, fixtures included, if it knows them.
    fn flash_bytes(&self) -> Option<usize> {
        None
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Checks that passed.
    pub passed: usize,
    /// Checks that ran.
    pub total: usize,
}

impl Outcome {
    /// Whether there were checks and all of them passed.
    pub fn is_pass(self) -> bool {
        self.total > 0 && self.passed == self.total
    }
}
