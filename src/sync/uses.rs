//! Who lets go of what was closed while it was used.

use super::{AtomicUsize, Ordering};

/// Tells who ends a use of a thing that it was closed meanwhile.
///
/// Whoever uses the thing ends the use after having let go of it; whoever closes it does so before
/// trying for it. Both change the same number, so that one of the two comes second: either the one
/// who ends hears that it is closed, or the one who closes finds it free. Neither needs a fence.
#[derive(Debug, Default)]
pub(crate) struct Uses(AtomicUsize);

impl Uses {
    /// Ends a use; returns whether the thing was closed.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        // By twos: the lowest bit stays.
        self.0.fetch_add(2, Ordering::AcqRel) & 1 != 0
    }

    /// A number that changes with each use that ends. It is the latest there is.
    pub(crate) fn ended(&self) -> usize {
        self.0.fetch_add(0, Ordering::AcqRel) & !1
    }

    pub(crate) fn close(&self) {
        self.0.fetch_or(1, Ordering::AcqRel);
    }

    /// Takes it back: for whoever has the thing, and makes another of it.
    pub(crate) fn open(&self) {
        self.0.fetch_and(!1, Ordering::AcqRel);
    }
}
