//! A global allocator that counts for each thread apart.
//!
//! Tests run side by side in one process, and the test harness allocates when it likes. What one
//! thread allocates and frees is the same each time, so the tests need no tolerance for what others
//! do meanwhile. A test with several threads adds their figures up.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    // Initialised at compile time and without a destructor, so that using one never allocates.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
    /// Who hears of this thread's blocks.
    pub static WATCH: Cell<Option<Watch>> = const { Cell::new(None) };
}

/// Hears of each block: where it is, and its size, or none if it goes.
pub type Watch = fn(usize, Option<usize>);

fn count(allocations: u64, bytes: i64) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    LIVE_BYTES.set(LIVE_BYTES.get() + bytes);
}

/// Tells who watches, who may allocate meanwhile.
fn tell(block: *mut u8, size: Option<usize>) {
    if let Some(watch) = WATCH.take() {
        watch(block as usize, size);
        WATCH.set(Some(watch));
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every method hands its arguments on to `System` unchanged and returns what it returns; the
// counting between touches neither the blocks nor the allocator, and cannot unwind.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, signed(layout.size()));
        // SAFETY: the caller's promises are those that `System` asks for.
        let block = unsafe { System.alloc(layout) };
        tell(block, Some(layout.size()));
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, signed(layout.size()));
        // SAFETY: as for `alloc`.
        let block = unsafe { System.alloc_zeroed(layout) };
        tell(block, Some(layout.size()));
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, signed(new_size) - signed(layout.size()));
        tell(block, None);
        // SAFETY: as for `alloc`; the block came from `System`, as all blocks of this allocator do.
        let block = unsafe { System.realloc(block, layout, new_size) };
        tell(block, Some(new_size));
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, -signed(layout.size()));
        tell(block, None);
        // SAFETY: as for `realloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How often this thread has allocated; a reallocation counts, a release does not.
pub fn allocated() -> u64 {
    ALLOCATIONS.get()
}

/// How often `work` allocates in this thread.
pub fn allocations(work: impl FnOnce()) -> u64 {
    let before = allocated();
    work();
    allocated() - before
}

/// The bytes that this thread has allocated, less those that it has freed. Only differences mean
/// something.
pub fn live_bytes() -> i64 {
    LIVE_BYTES.get()
}

/// The bytes that `work` leaves allocated, and what it returns.
pub fn kept_bytes<T>(work: impl FnOnce() -> T) -> (i64, T) {
    let before = live_bytes();
    let result = work();
    (live_bytes() - before, result)
}

#[test]
fn the_allocator_counts_what_this_thread_does_and_nothing_else() {
    let mut kept = Vec::<u8>::new();
    let count = allocations(|| kept.reserve_exact(100));
    assert_eq!(count, 1);
    assert_eq!(allocations(|| kept.reserve_exact(1_000)), 1, "a reallocation");
    assert_eq!(kept_bytes(|| drop(kept)).0, -1_000);
    let (left, (there, _elsewhere)) =
        kept_bytes(|| std::thread::spawn(|| kept_bytes(|| vec![0_u8; 10_000])).join().unwrap());
    assert_eq!(there, 10_000);
    assert!(left < 10_000, "{left} bytes counted here");
}
