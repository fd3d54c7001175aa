//! Memory by the page: the stack, and what else has an address of its own.

use core::cell::UnsafeCell;

pub(crate) const STACK_BYTES: usize = 256 << 10;
pub(crate) const PAGE_BYTES: usize = 4 << 10;

/// Memory whose lowest page may be made inaccessible.
#[repr(C, align(4096))]
pub(crate) struct Pages<const N: usize>(UnsafeCell<[u8; N]>);

// SAFETY: nothing makes references into it; it is the stack, or handed to the heap once.
unsafe impl<const N: usize> Sync for Pages<N> {}

impl<const N: usize> Pages<N> {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new([0; N]))
    }

    pub(crate) fn addr(&self) -> usize {
        self.0.get().expose_provenance()
    }
}

/// The native stack. Its lowest page is the guard.
pub(crate) static STACK: Pages<STACK_BYTES> = Pages::new();
