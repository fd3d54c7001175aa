//! A global allocator that counts.

use core::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// What a heap was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeapUse {
    /// Allocations so far; a reallocation counts, a release does not.
    pub allocations: usize,
    /// Bytes allocated and not yet released, as asked for.
    pub live_bytes: usize,
    /// The most `live_bytes` has been since the start; 0 if that is not known.
    pub peak_bytes: usize,
}

/// An allocator that hands everything on to `A` and counts. For targets with one thread.
#[derive(Debug)]
pub struct CountingHeap<A> {
    /// The allocator that does the work.
    pub inner: A,
    allocations: AtomicUsize,
    live: AtomicUsize,
    peak: AtomicUsize,
}

impl<A> CountingHeap<A> {
    /// Counts what `inner` is asked for.
    pub const fn new(inner: A) -> Self {
        Self {
            inner,
            allocations: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// What was asked for so far.
    pub fn used(&self) -> HeapUse {
        HeapUse {
            allocations: self.allocations.load(Relaxed),
            live_bytes: self.live.load(Relaxed),
            peak_bytes: self.peak.load(Relaxed),
        }
    }

    fn count(&self, added: usize, released: usize) {
        let live = self.live.load(Relaxed).wrapping_add(added).wrapping_sub(released);
        self.live.store(live, Relaxed);
        if live > self.peak.load(Relaxed) {
            self.peak.store(live, Relaxed);
        }
    }

    fn allocated(&self, block: *mut u8, added: usize, released: usize) -> *mut u8 {
        if !block.is_null() {
            self.allocations.store(self.allocations.load(Relaxed).wrapping_add(1), Relaxed);
            self.count(added, released);
        }
        block
    }
}

// SAFETY: every method hands its arguments on to `A` unchanged and returns what it returns; the
// counting between touches neither the blocks nor the allocator, and cannot unwind.
// Out of line, so that counting takes no room wherever something is allocated.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingHeap<A> {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that `A` asks for.
        let block = unsafe { self.inner.alloc(layout) };
        self.allocated(block, layout.size(), 0)
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        let block = unsafe { self.inner.alloc_zeroed(layout) };
        self.allocated(block, layout.size(), 0)
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as for `alloc`; the block came from `A`, as all blocks of this allocator do.
        let block = unsafe { self.inner.realloc(block, layout, new_size) };
        self.allocated(block, new_size, layout.size())
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.count(0, layout.size());
        // SAFETY: as for `realloc`.
        unsafe { self.inner.dealloc(block, layout) }
    }
}
