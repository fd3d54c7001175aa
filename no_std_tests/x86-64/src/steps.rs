//! Counting instructions by single steps.

use core::{
    arch::asm,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

static STEPS: AtomicU64 = AtomicU64::new(0);

/// The instructions that `work` takes, and a few that begin and end the count.
pub(crate) fn step_through(work: &mut dyn FnMut()) -> u64 {
    let before = STEPS.load(Relaxed);
    // SAFETY: from here on, each instruction is followed by a signal that only counts.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    work();
    // SAFETY: as before, until here.
    unsafe { asm!("pushfq", "and qword ptr [rsp], -0x101", "popfq") };
    STEPS.load(Relaxed) - before
}

/// The handler of a step.
pub(crate) extern "C" fn on_step(_signal: i32) {
    STEPS.fetch_add(1, Relaxed);
}
