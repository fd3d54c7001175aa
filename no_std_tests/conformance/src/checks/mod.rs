//! What must hold besides the transcript: a file for each promise.

mod allocations;
mod deadlines;
mod host_functions;
mod hostile;
mod isolation;
mod limits;
mod native_stack;
mod pausing;
mod reloading;
mod start;
mod traps;
mod watching;

use crate::{Device, check::Check};

/// What a device must have, and whether it has it.
pub type Need = (&'static str, fn(&dyn Device) -> bool);

/// Checks that are about the same.
pub struct Group {
    pub name: &'static str,
    pub checks: &'static [Check],
    pub needs: Option<Need>,
}

const fn group(name: &'static str, checks: &'static [Check]) -> Group {
    Group { name, checks, needs: None }
}

const CLOCK: Need = ("a clock", |device| device.clock().is_some());
const HEAP: Need = ("a heap that counts", |device| device.heap().is_some());
const STACK: Need = ("a stack that can be painted", |device| device.stack().is_some());

/// All checks.
pub static GROUPS: &[Group] = &[
    group("limits", limits::CHECKS),
    group("traps", traps::CHECKS),
    group("host functions", host_functions::CHECKS),
    group("start sections", start::CHECKS),
    group("isolation", isolation::CHECKS),
    group("pause and resume", pausing::CHECKS),
    group("reloading", reloading::CHECKS),
    Group { needs: Some(CLOCK), ..group("deadlines", deadlines::CHECKS) },
    group("watching", watching::CHECKS),
    group("hostile bytes", hostile::CHECKS),
    Group { needs: Some(HEAP), ..group("allocations", allocations::CHECKS) },
    Group { needs: Some(STACK), ..group("native stack", native_stack::CHECKS) },
];
