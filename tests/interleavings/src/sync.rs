//! What the library's `sync` is to its slots and cancellation, in loom's types.

#[path = "../../../src/sync/uses.rs"]
mod uses;

pub(crate) use loom::sync::{
    Arc,
    atomic::{AtomicBool, Ordering, fence},
};
pub(crate) use uses::Uses;

use core::{
    cell::Cell,
    ops::{Deref, DerefMut},
};
use loom::{
    cell::{MutPtr, UnsafeCell},
    sync::atomic,
};

/// Loom's, but for storing.
///
/// Loom does not know that nothing comes between what a read-modify-write reads and what it writes.
/// Where one meets a plain store of another thread, it lets a third thread that has seen the store
/// still read what the read-modify-write left before: an order that the memory model rules out. As a
/// swap, a store comes after whatever was written before it was run. What this leaves out is a store
/// that others see before one that was run earlier.
#[derive(Debug, Default)]
pub(crate) struct AtomicUsize(atomic::AtomicUsize);

impl AtomicUsize {
    pub(crate) fn new(n: usize) -> Self {
        Self(atomic::AtomicUsize::new(n))
    }

    pub(crate) fn load(&self, order: Ordering) -> usize {
        self.0.load(order)
    }

    pub(crate) fn store(&self, n: usize, order: Ordering) {
        self.0.swap(n, order);
    }

    pub(crate) fn compare_exchange(
        &self,
        from: usize,
        to: usize,
        success: Ordering,
        failure: Ordering,
    ) -> Result<usize, usize> {
        self.0.compare_exchange(from, to, success, failure)
    }

    pub(crate) fn fetch_add(&self, n: usize, order: Ordering) -> usize {
        self.0.fetch_add(n, order)
    }

    pub(crate) fn fetch_sub(&self, n: usize, order: Ordering) -> usize {
        self.0.fetch_sub(n, order)
    }

    pub(crate) fn fetch_and(&self, n: usize, order: Ordering) -> usize {
        self.0.fetch_and(n, order)
    }

    pub(crate) fn fetch_or(&self, n: usize, order: Ordering) -> usize {
        self.0.fetch_or(n, order)
    }
}

/// Where a value is, or is not. Fails the model if it is looked at while it is put there or dropped, or without one
/// having happened before the other.
pub(crate) struct Place<T>(UnsafeCell<Option<T>>);

#[allow(unsafe_code, clippy::missing_safety_doc)]
impl<T> Place<T> {
    pub(crate) fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    pub(crate) unsafe fn put(&self, value: T) {
        // SAFETY: the caller's, and loom looks.
        self.0.with_mut(|place| unsafe { *place = Some(value) });
    }

    pub(crate) unsafe fn get(&self) -> &T {
        // SAFETY: the caller's, and loom looks at this moment.
        self.0.with(|place| unsafe { (*place).as_ref().unwrap() })
    }

    pub(crate) unsafe fn drop_in_place(&self) {
        // SAFETY: the caller's, and loom looks.
        self.0.with_mut(|place| unsafe { assert!((*place).take().is_some(), "dropped twice") });
    }
}

/// Who waits gives up after trying so often: each try is a step of the model. A model that shows that
/// nobody is refused looks at [`has_given_up`].
pub(crate) const PATIENCE: usize = 2;

loom::thread_local! {
    static WAITED: Cell<usize> = Cell::new(0);
}

/// Lets others run.
pub(crate) fn relax() {
    WAITED.with(|waited| waited.set(waited.get() + 1));
    loom::thread::yield_now();
}

/// Whether this thread has waited as often as anyone does; forgotten once asked.
pub(crate) fn has_given_up() -> bool {
    WAITED.with(|waited| waited.replace(0)) >= PATIENCE
}

/// `spin`'s lock, with its orderings. The cell fails the model if two threads are in it at once, or
/// one after the other without the first having happened before the second.
pub(crate) struct TryMutex<T> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

/// Whoever has locked it; there is no other way to the value.
pub(crate) struct TryGuard<'m, T> {
    /// There until this is dropped.
    value: Option<MutPtr<T>>,
    mutex: &'m TryMutex<T>,
}

// SAFETY: only who holds the lock reaches the value, and loom checks that.
#[allow(unsafe_code)]
unsafe impl<T: Send> Send for TryMutex<T> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for TryMutex<T> {}

impl<T> TryMutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { locked: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub(crate) fn try_lock(&self) -> Option<TryGuard<'_, T>> {
        self.locked.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(TryGuard { value: Some(self.value.get_mut()), mutex: self })
    }

    pub(crate) fn lock(&self) -> TryGuard<'_, T> {
        loop {
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            loom::thread::yield_now();
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.locked.load(Ordering::Relaxed)
    }
}

impl<T> Deref for TryGuard<'_, T> {
    type Target = T;

    #[allow(unsafe_code)]
    fn deref(&self) -> &T {
        // SAFETY: the mutex outlives the guard, which has the only pointer to its value.
        unsafe { self.value.as_ref().unwrap().deref() }
    }
}

impl<T> DerefMut for TryGuard<'_, T> {
    #[allow(unsafe_code)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above; the guard is borrowed for as long.
        unsafe { self.value.as_ref().unwrap().deref() }
    }
}

impl<T> Drop for TryGuard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.mutex.locked.store(false, Ordering::Release);
    }
}
