//! The native stack's high-water mark, by painting it.

use core::hint::black_box;

/// What the unused part of the stack is painted with.
const PAINT: u32 = 0xa5c3_7e18;
/// Left alone below the painter's own frame.
const MARGIN_BYTES: usize = 1 << 10;

/// A native stack that grows downwards, from `high` to `low`.
#[derive(Debug, Clone, Copy)]
pub struct Stack {
    low: usize,
    high: usize,
}

impl Stack {
    /// A stack between two addresses, of which `high` is where it begins.
    ///
    /// # Safety
    ///
    /// The current stack pointer lies between the two; from `low` to it is memory that can be
    /// written, and nothing but frames of this thread will ever lie there.
    pub const unsafe fn new(low: usize, high: usize) -> Self {
        Self { low: low.next_multiple_of(4), high }
    }

    /// Paints what is not in use.
    #[inline(never)]
    pub fn paint(&self) {
        let local = 0_u32;
        let here = core::ptr::from_ref(black_box(&local)).addr();
        for address in (self.low..here.saturating_sub(MARGIN_BYTES)).step_by(4) {
            // SAFETY: by the promise made to `new` this is free stack: the frames of this function
            // and of those it calls end within the margin.
            unsafe { core::ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(PAINT) };
        }
    }

    /// The bytes of stack that were in use at most since it was painted.
    #[inline(never)]
    pub fn peak_bytes(&self) -> usize {
        let unpainted = |address: &usize| {
            // SAFETY: by the promise made to `new`, this can be read.
            unsafe { core::ptr::with_exposed_provenance::<u32>(*address).read_volatile() != PAINT }
        };
        let lowest = (self.low..self.high).step_by(4).find(unpainted).unwrap_or(self.high);
        self.high - lowest
    }
}
