//! What every target must do alike.
//!
//! One suite, run by each firmware of this folder and by the host's own tests: fixtures and their
//! recorded results, limits, traps, every host function, start sections, pause and resume,
//! allocation counts, the native stack. A target implements [`Device`] and calls [`run`].
//!
//! - `fixtures.rs`, `calls.rs`: the modules, and what is called in them.
//! - `transcript.rs`: what came of it, against `transcript.txt`, which is the same for every target.
//! - `checks/`: everything else, one file for each promise.
//! - `device.rs`, `heap.rs`, `stack.rs`: what a target tells of itself.
//! - `figures.rs`: what is measured and not judged.

#![no_std]

extern crate alloc;

mod calls;
mod check;
mod checks;
mod device;
mod figures;
mod fixtures;
mod heap;
mod probe;
mod setup;
mod stack;
mod transcript;

pub use crate::{
    device::{Device, Outcome},
    fixtures::{FIXTURES, Fixture},
    heap::{CountingHeap, HeapUse},
    stack::Stack,
    transcript::transcript,
};

use crate::check::Check;

/// Runs every check on `device` and prints a line for each, what the device measured, and last
/// `PASS n/n` or `FAIL passed/n`.
pub fn run(device: &mut dyn Device) -> Outcome {
    device.print(format_args!("conformance on {}", device.name()));
    if let Some(stack) = device.stack() {
        stack.paint();
    }
    let mut outcome = Outcome { passed: 0, total: 0 };
    let mut count = |device: &mut dyn Device, group: &str, name: &str, result: check::Result| {
        outcome.total += 1;
        match result {
            Ok(()) => outcome.passed += 1,
            Err(failure) => device.print(format_args!("FAILED {group}: {name}: {failure}")),
        }
    };
    for fixture in FIXTURES {
        count(device, "fixture", fixture.name, transcript::check(fixture));
    }
    device.print(format_args!("ran fixtures: {}", FIXTURES.len()));
    for (group, checks) in checks::GROUPS {
        for Check { name, run } in *checks {
            let result = run(device);
            count(device, group, name, result);
        }
        device.print(format_args!("ran {group}: {}", checks.len()));
    }
    figures::print(device);
    let Outcome { passed, total } = outcome;
    let verdict = if outcome.is_pass() { "PASS" } else { "FAIL" };
    device.print(format_args!("{verdict} {passed}/{total}"));
    outcome
}
