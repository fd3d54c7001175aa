//! The only place that names shared ownership, locks and atomics.
//!
//! With `std` a lock that someone may wait for is std's; without, it is `spin`'s. A sandbox's slot is
//! a spin lock in both, because it is only ever tried, never waited for.
//!
//! What a slot and a cancellation take from here, `tests/interleavings` has in the types of a model
//! checker: it runs their code, and that of [`Uses`], in every order of its steps.

mod uses;

pub(crate) use alloc::sync::{Arc, Weak};
pub(crate) use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
pub(crate) use portable_atomic::AtomicU64;
pub(crate) use spin::Once;
pub(crate) use spin::mutex::{SpinMutex as TryMutex, SpinMutexGuard as TryGuard};
pub(crate) use uses::Uses;

#[cfg(feature = "std")]
mod lock {
    use std::sync::{
        Mutex as StdMutex, MutexGuard, PoisonError, RwLock as StdRwLock, RwLockReadGuard,
        RwLockWriteGuard,
    };

    /// A lock for one at a time, entered like an [`RwLock`] if it is poisoned.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(StdMutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(StdMutex::new(value))
        }

        #[inline]
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// A reader-writer lock. What it guards is only ever replaced as a whole or by operations that
    /// do not panic, so a poisoned lock is entered like any other.
    #[derive(Debug, Default)]
    pub(crate) struct RwLock<T>(StdRwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(StdRwLock::new(value))
        }

        #[inline]
        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        #[inline]
        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(not(feature = "std"))]
mod lock {
    pub(crate) use spin::{RwLock, mutex::SpinMutex as Mutex};
}

pub(crate) use lock::{Mutex, RwLock};

/// How often somebody who waits for others to let go of something they hold for a moment tries again.
pub(crate) const PATIENCE: usize = 10_000;

/// Lets others run, where one waits for what they do.
pub(crate) fn relax() {
    #[cfg(feature = "std")]
    std::thread::yield_now();
    #[cfg(not(feature = "std"))]
    core::hint::spin_loop();
}

/// A count that one writer at a time advances and anyone reads.
///
/// The writer is whoever holds the sandbox the count belongs to, so adding needs no atomic
/// read-modify-write: a relaxed load and a relaxed store.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn new(n: u64) -> Self {
        Self(AtomicU64::new(n))
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn add(&self, n: u64) {
        let sum = self.0.load(Ordering::Relaxed).wrapping_add(n);
        self.0.store(sum, Ordering::Relaxed);
    }

    pub(crate) fn raise_to(&self, n: u64) {
        if n > self.get() {
            self.0.store(n, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The largest number it was ever given, by anyone.
#[derive(Debug, Default)]
pub(crate) struct HighWater(AtomicU64);

impl HighWater {
    /// Takes in `n`, and returns the largest.
    pub(crate) fn raise_to(&self, n: u64) -> u64 {
        self.0.fetch_max(n, Ordering::Relaxed).max(n)
    }
}
