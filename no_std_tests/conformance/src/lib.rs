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

use crate::{check::Check, checks::Group};
use wasm_runtime::WasmPluginRegistry;

/// Runs every check on `device` and prints a line for each, what the device measured, and last
/// `PASS n/n`, `FAIL passed/n`, or `REFUSED` and why the library runs no plugin in this build.
pub fn run(device: &mut dyn Device) -> Outcome {
    device.print(format_args!("conformance on {}", device.name()));
    if let Some(stack) = device.stack() {
        stack.paint();
    }
    let mut outcome = Outcome { passed: 0, total: 0 };
    if let Err(error) = WasmPluginRegistry::builder().build() {
        device.print(format_args!("REFUSED {:?}: {error}", error.kind()));
        return outcome;
    }
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
    let mut stack_bytes = 0;
    for Group { name: group, checks, needs } in checks::GROUPS {
        // Some checks paint the stack again.
        stack_bytes = device.stack().map_or(0, |stack| stack.peak_bytes()).max(stack_bytes);
        if let Some((what, _)) = needs.filter(|(_, has)| !has(device)) {
            device.print(format_args!("NOT RUN {group}: {}, for want of {what}", checks.len()));
            continue;
        }
        for Check { name, run } in *checks {
            let result = run(device);
            count(device, group, name, result);
        }
        device.print(format_args!("ran {group}: {}", checks.len()));
    }
    figures::print(device, stack_bytes);
    let Outcome { passed, total } = outcome;
    let verdict = if outcome.is_pass() { "PASS" } else { "FAIL" };
    device.print(format_args!("{verdict} {passed}/{total}"));
    outcome
}
