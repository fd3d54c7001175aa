//! This machine, as the suite sees it.

use crate::heap;
use conformance::{Device, HeapUse};
use std::{fmt, sync::LazyLock, time::Instant};

/// The machine that the tests run on. It counts what the current thread allocates, and its stack is
/// not painted: `tests/suite/stack.rs` runs on a small one instead.
pub struct Here;

impl Device for Here {
    fn name(&self) -> &'static str {
        "the host"
    }

    fn print(&mut self, line: fmt::Arguments<'_>) {
        println!("{line}");
    }

    fn has_std(&self) -> bool {
        true
    }

    fn clock(&self) -> Option<fn() -> u64> {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        Some(|| u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn heap(&self) -> Option<HeapUse> {
        let live_bytes = usize::try_from(heap::live_bytes()).expect("it frees what it allocated");
        let allocations = usize::try_from(heap::allocated()).unwrap();
        Some(HeapUse { allocations, live_bytes, peak_bytes: 0 })
    }
}
