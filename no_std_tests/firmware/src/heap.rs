//! The heap: a linked list of holes, without locks.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    ops::Range,
    ptr::{self, NonNull},
};

/// An allocator for one thread.
pub(crate) struct Heap(UnsafeCell<linked_list_allocator::Heap>);

// SAFETY: the boards have one thread and no interrupt handlers that allocate (see the crate's
// documentation), so that no two uses overlap.
unsafe impl Sync for Heap {}

impl Heap {
    /// A heap that has nothing to give.
    pub(crate) const fn empty() -> Self {
        Self(UnsafeCell::new(linked_list_allocator::Heap::empty()))
    }

    /// Gives it memory.
    ///
    /// # Safety
    ///
    /// `memory` can be written, is used for nothing else ever, and this is the first use of the heap.
    pub(crate) unsafe fn init(&self, memory: Range<usize>) {
        let start = ptr::with_exposed_provenance_mut(memory.start);
        // SAFETY: one thread, and no reference to the inner heap outlives a method; the memory is
        // this heap's, as the caller promises.
        unsafe { (*self.0.get()).init(start, memory.len()) };
    }
}

// SAFETY: the inner heap gives out blocks that fit the layout and do not overlap; it cannot unwind.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no reference to the inner heap outlives a method.
        let heap = unsafe { &mut *self.0.get() };
        heap.allocate_first_fit(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as for `alloc`.
        let heap = unsafe { &mut *self.0.get() };
        // SAFETY: the caller promises that the block came from `alloc` with this layout, which does
        // not give out null.
        unsafe { heap.deallocate(NonNull::new_unchecked(block), layout) }
    }
}
