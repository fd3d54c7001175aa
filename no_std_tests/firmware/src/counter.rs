//! A counter of 32 bits as one of 64.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Remembers how often a counter of 32 bits began anew.
#[derive(Debug, Default)]
pub struct Widened {
    last: AtomicU32,
    wraps: AtomicU32,
}

impl Widened {
    /// For a counter that was not read yet.
    pub const fn new() -> Self {
        Self { last: AtomicU32::new(0), wraps: AtomicU32::new(0) }
    }

    /// All that was counted, if `now` is what the counter says. Right if it is asked at least once in
    /// each turn of the counter.
    pub fn at(&self, now: u32) -> u64 {
        let wraps = self.wraps.load(Relaxed) + u32::from(now < self.last.load(Relaxed));
        self.wraps.store(wraps, Relaxed);
        self.last.store(now, Relaxed);
        u64::from(wraps) << 32 | u64::from(now)
    }
}
