//! What must hold besides the transcript: a file for each promise.

mod allocations;
mod deadlines;
mod host_functions;
mod hostile;
mod isolation;
mod limits;
mod native_stack;
mod pausing;
mod start;
mod traps;
mod watching;

use crate::check::Check;

/// The checks, by what they are about.
pub static GROUPS: &[(&str, &[Check])] = &[
    ("limits", limits::CHECKS),
    ("traps", traps::CHECKS),
    ("host functions", host_functions::CHECKS),
    ("start sections", start::CHECKS),
    ("isolation", isolation::CHECKS),
    ("pause and resume", pausing::CHECKS),
    ("deadlines", deadlines::CHECKS),
    ("watching", watching::CHECKS),
    ("hostile bytes", hostile::CHECKS),
    ("allocations", allocations::CHECKS),
    ("native stack", native_stack::CHECKS),
];
