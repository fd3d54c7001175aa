//! A global allocator that measures and fails, for each thread apart: when a number of allocations is
//! reached, or of bytes, or where one is too large.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr,
};

struct Failing;

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// What is told the number and size of a block.
type Watch = fn(u64, usize);

/// What the heap of a thread has, and what it gives.
#[derive(Debug, Clone, Copy)]
pub struct Heap {
    pub live: i64,
    pub peak: i64,
    /// How many blocks were asked for; a reallocation asks for one.
    pub asked: u64,
    /// How many were refused.
    pub refused: u64,
    /// There is no more than so much.
    pub bytes: i64,
    /// This one is refused, counted as `asked`.
    pub refuse_nth: u64,
    /// Blocks of so many bytes are refused.
    pub refuse_from: usize,
}

impl Heap {
    const ENDLESS: Self = Self {
        live: 0,
        peak: 0,
        asked: 0,
        refused: 0,
        bytes: i64::MAX,
        refuse_nth: u64::MAX,
        refuse_from: usize::MAX,
    };
}

thread_local! {
    // Initialised at compile time and without a destructor, so that using one never allocates.
    static HEAP: Cell<Heap> = const { Cell::new(Heap::ENDLESS) };
    /// Called for each block that is asked for; it may allocate.
    static WATCH: Cell<Option<Watch>> = const { Cell::new(None) };
}

/// Asks for a block, next to all that there are; `false` if there is none.
fn ask(size: usize) -> bool {
    let mut heap = HEAP.get();
    let is_refused = heap.asked == heap.refuse_nth
        || size >= heap.refuse_from
        || heap.live + signed(size) > heap.bytes;
    heap.asked += 1;
    if is_refused {
        heap.refused += 1;
    } else {
        heap.live += signed(size);
        heap.peak = heap.peak.max(heap.live);
    }
    HEAP.set(heap);
    if let Some(watch) = WATCH.get() {
        unlimited(|| watch(heap.asked - 1, size));
    }
    !is_refused
}

fn release(size: usize) {
    let heap = HEAP.get();
    HEAP.set(Heap { live: heap.live - signed(size), ..heap });
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every method hands its arguments on to `System` unchanged and returns what it returns, or a null
// pointer, which says that there is no memory; what is counted between cannot unwind.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match ask(layout.size()) {
            // SAFETY: the caller's promises are those that `System` asks for.
            true => unsafe { System.alloc(layout) },
            false => ptr::null_mut(),
        }
    }

    /// The new block lies next to the old one until that is copied, as in an allocator without pages to
    /// move.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !ask(new_size) {
            return ptr::null_mut();
        }
        release(layout.size());
        // SAFETY: as for `alloc`; the block came from `System`, as all blocks of this allocator do.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        release(layout.size());
        // SAFETY: as for `realloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// This thread's heap as it is.
pub fn heap() -> Heap {
    HEAP.get()
}

/// Runs `work` on a heap that `change` narrows.
pub fn narrowed<T>(change: impl FnOnce(&mut Heap), work: impl FnOnce() -> T) -> T {
    let before = HEAP.get();
    let mut narrow = before;
    change(&mut narrow);
    HEAP.set(narrow);
    let result = work();
    let after = HEAP.get();
    let Heap { bytes, refuse_nth, refuse_from, .. } = before;
    HEAP.set(Heap { bytes, refuse_nth, refuse_from, ..after });
    result
}

/// Runs `work` on a heap without limits, whatever it had before, unseen: only what it leaves counts.
pub fn unlimited<T>(work: impl FnOnce() -> T) -> T {
    let (before, watch) = (HEAP.get(), WATCH.take());
    HEAP.set(Heap { live: before.live, ..Heap::ENDLESS });
    let result = work();
    HEAP.set(Heap { live: HEAP.get().live, ..before });
    WATCH.set(watch);
    result
}

/// Runs `work`, and tells `watch` the number and size of each block that is asked for.
pub fn watched(watch: Watch, work: impl FnOnce()) {
    WATCH.set(Some(watch));
    work();
    WATCH.set(None);
}

/// How much more than before `work` holds at its peak, and when it is done; and what it returns.
pub fn measured<T>(work: impl FnOnce() -> T) -> (i64, i64, T) {
    let before = HEAP.get();
    HEAP.set(Heap { peak: before.live, ..before });
    let result = work();
    let after = HEAP.get();
    (after.peak - before.live, after.live - before.live, result)
}

#[test]
fn the_allocator_refuses_what_it_is_told_to_and_counts_the_rest() {
    let mut kept = Vec::<u8>::new();
    let (peak, held, ()) = measured(|| {
        kept.reserve_exact(1_000);
        kept.reserve_exact(3_000);
    });
    assert_eq!((peak, held), (4_000, 3_000), "a block moves to one next to it");
    let refused = |change: &dyn Fn(&mut Heap)| {
        narrowed(change, || Vec::<u8>::new().try_reserve_exact(100).is_err())
    };
    assert!(!refused(&|_| ()));
    assert!(refused(&|heap| heap.refuse_from = 100));
    assert!(!refused(&|heap| heap.refuse_from = 101));
    assert!(refused(&|heap| heap.refuse_nth = heap.asked));
    assert!(!refused(&|heap| heap.refuse_nth = heap.asked + 1));
    assert!(refused(&|heap| heap.bytes = heap.live + 99));
    assert!(!refused(&|heap| heap.bytes = heap.live + 100));
}
