//! An allocator that counts, once it is told to.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
};

/// The system's allocator, and a count of the bytes that are allocated. Until it is told to count it
/// costs a load and a branch, so that times do not change.
pub struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

/// Counts from now on.
pub(super) fn start() {
    COUNTS.store(true, Relaxed);
}

/// The bytes that are allocated; only differences mean something.
pub(super) fn live_bytes() -> i64 {
    LIVE_BYTES.load(Relaxed)
}

#[inline]
fn count(bytes: i64) {
    if COUNTS.load(Relaxed) {
        LIVE_BYTES.fetch_add(bytes, Relaxed);
    }
}

// SAFETY: every method hands its arguments on to `System` unchanged and returns what it returns; the
// counting between touches neither the blocks nor the allocator, and cannot unwind.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as i64 - layout.size() as i64);
        // SAFETY: as for `alloc`; the block came from `System`, as all blocks of this allocator do.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as for `realloc`.
        unsafe { System.dealloc(block, layout) }
    }
}
