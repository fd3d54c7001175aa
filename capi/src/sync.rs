//! The only place that names locks and atomics; `tests/interleavings` has the same in the types of a model checker.

pub(crate) use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
pub(crate) use spin::mutex::SpinMutex as TryMutex;

use core::{cell::UnsafeCell, mem::MaybeUninit};

/// Where a value is, or is not.
pub(crate) struct Place<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> Place<T> {
    pub(crate) fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Puts a value there.
    ///
    /// # Safety
    ///
    /// Nobody else looks there meanwhile.
    pub(crate) unsafe fn put(&self, value: T) {
        // SAFETY: as above.
        unsafe { (*self.0.get()).write(value) };
    }

    /// The value.
    ///
    /// # Safety
    ///
    /// There is one, and it stays for as long as it is used.
    #[inline]
    pub(crate) unsafe fn get(&self) -> &T {
        // SAFETY: as above.
        unsafe { (*self.0.get()).assume_init_ref() }
    }

    /// Drops the value.
    ///
    /// # Safety
    ///
    /// There is one, and nobody uses it from here on.
    pub(crate) unsafe fn drop_in_place(&self) {
        // SAFETY: as above.
        unsafe { (*self.0.get()).assume_init_drop() };
    }
}

/// A lock for one at a time, held for a few steps that do not panic.
#[cfg(feature = "std")]
#[derive(Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

#[cfg(feature = "std")]
impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(not(feature = "std"))]
pub(crate) use spin::mutex::SpinMutex as Mutex;
