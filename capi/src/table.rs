//! Handles that are checked: numbers for what a program in another language holds.
//!
//! A handle names a slot and the generation of what is in it. Slots are never given back, so that a number can be
//! looked at whatever it is; what is in them is dropped once it was released and the last who uses it is through. A
//! look-up neither locks nor waits: it counts itself in, looks, and counts itself out.

use crate::{
    slot::Slot,
    sync::{AtomicPtr, Mutex, Ordering},
};
use alloc::{boxed::Box, vec::Vec};
use core::{ops::Deref, ptr};

pub(crate) use crate::slot::Stale;

/// The first chunk has so many slots, each further one twice as many as the one before.
const FIRST_CHUNK: usize = 32;
/// As many as hold every index.
const CHUNKS: usize = 20;
/// Bits of a handle that are the index.
const INDEX_BITS: u32 = 24;
const MAX_SLOTS: usize = 1 << INDEX_BITS;

/// What the handles of one type stand for.
pub(crate) struct Table<T> {
    chunks: [AtomicPtr<Slot<T>>; CHUNKS],
    free: Mutex<Free>,
}

struct Free {
    /// Slots that had something in them and have not any more.
    slots: Vec<u32>,
    /// How many slots there are.
    len: usize,
}

impl<T> Table<T> {
    #[allow(clippy::new_without_default)]
    pub(crate) const fn new() -> Self {
        Self {
            chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS],
            free: Mutex::new(Free { slots: Vec::new(), len: 0 }),
        }
    }

    /// Puts a value in, and returns its handle: never 0. Gives the value back if 16,777,216 are in use.
    pub(crate) fn insert(&self, value: T) -> Result<u64, T> {
        let Some(index) = self.take_free() else {
            return Err(value);
        };
        let Some(slot) = self.slot(index) else {
            return Err(value);
        };
        // SAFETY: it was among the free ones, which are empty, and is not any more.
        let generation = unsafe { slot.fill(value) };
        Ok(u64::from(generation) << 32 | index as u64)
    }

    /// Finds what a handle stands for. It stays until what is returned is dropped, even if it is released meanwhile.
    #[inline]
    pub(crate) fn get(&self, handle: u64) -> Result<Used<'_, T>, Stale> {
        let (index, generation) = parts(handle);
        let slot = self.slot(index).ok_or(Stale::Unknown)?;
        let entered = slot.enter(generation);
        let looked = Looked { table: self, slot, index };
        entered.map(|()| Used(looked))
    }

    /// Releases a handle. What it stands for is dropped by the last who uses it, perhaps here.
    pub(crate) fn release(&self, handle: u64) -> Result<(), Stale> {
        match self.get(handle)?.0.slot.release() {
            true => Ok(()),
            false => Err(Stale::Released),
        }
    }

    fn take_free(&self) -> Option<usize> {
        let mut free = self.free.lock();
        if let Some(index) = free.slots.pop() {
            return usize::try_from(index).ok();
        }
        let index = free.len;
        if index >= MAX_SLOTS {
            return None;
        }
        let (chunk, _) = place(index);
        let slots = self.chunks.get(chunk)?;
        if slots.load(Ordering::Relaxed).is_null() {
            let made: Box<[Slot<T>]> = (0..FIRST_CHUNK << chunk).map(|_| Slot::empty()).collect();
            // For good: handles can be looked at as long as the program runs.
            slots.store(Box::leak(made).as_mut_ptr(), Ordering::Release);
        }
        free.len += 1;
        // A slot that becomes free later has room in the list, so that letting go allocates nothing.
        let more = free.len.saturating_sub(free.slots.len());
        free.slots.reserve(more);
        Some(index)
    }

    #[inline]
    fn slot(&self, index: usize) -> Option<&Slot<T>> {
        let (chunk, offset) = place(index);
        let slots = self.chunks.get(chunk)?.load(Ordering::Acquire);
        // SAFETY: a chunk that is there has `FIRST_CHUNK << chunk` slots, of which `place` never says more, and is
        // never given back.
        (!slots.is_null()).then(|| unsafe { &*slots.add(offset) })
    }
}

/// The index and the generation in a handle.
#[inline]
fn parts(handle: u64) -> (usize, u32) {
    let index = handle & ((1 << INDEX_BITS) - 1);
    ((index as usize), (handle >> 32) as u32)
}

/// The chunk that a slot is in, and its place there.
#[inline]
fn place(index: usize) -> (usize, usize) {
    let at = index + FIRST_CHUNK;
    let chunk = (at / FIRST_CHUNK).ilog2();
    (chunk as usize, at - (FIRST_CHUNK << chunk))
}

/// A slot that somebody looks at, whatever is in it.
struct Looked<'t, T> {
    table: &'t Table<T>,
    slot: &'t Slot<T>,
    index: usize,
}

impl<T> Drop for Looked<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.slot.leave() {
            self.table.free.lock().slots.extend(u32::try_from(self.index));
        }
    }
}

/// What a handle stands for, while it is used.
pub(crate) struct Used<'t, T>(Looked<'t, T>);

impl<T> Deref for Used<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: it was entered, and is left when this is dropped.
        unsafe { self.0.slot.get() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_handle_stands_for_its_value_until_it_is_released() {
        let table = Table::new();
        let handle = table.insert("value").unwrap();
        assert_eq!(table.get(handle).map(|used| *used), Ok("value"));
        assert_eq!(table.release(handle), Ok(()));
        assert_eq!(table.release(handle), Err(Stale::Released));
        assert_eq!(table.get(handle).map(|used| *used), Err(Stale::Released));
    }

    #[test]
    fn a_released_handle_never_stands_for_what_comes_after_it() {
        let table = Table::new();
        let old = table.insert(1).unwrap();
        table.release(old).unwrap();
        let new = table.insert(2).unwrap();
        assert_eq!((old as u32, new as u32), (0, 0), "the same slot");
        assert_eq!(table.get(old).map(|used| *used), Err(Stale::Released));
        assert_eq!(table.release(old), Err(Stale::Released));
        assert_eq!(table.get(new).map(|used| *used), Ok(2));
    }

    #[test]
    fn what_was_never_given_out_is_unknown() {
        let table = Table::new();
        let handle = table.insert(()).unwrap();
        for wild in [0, 1, u64::MAX, handle + 1, handle + (1 << 32), handle & 0xffff] {
            let stale = table.get(wild).map(|_| ()).unwrap_err();
            assert!(stale == Stale::Unknown, "{wild:x}");
        }
    }

    #[test]
    fn a_value_is_dropped_by_the_last_who_uses_it() {
        let table = Table::new();
        let value = Arc::new(());
        let handle = table.insert(Arc::clone(&value)).unwrap();
        let used = table.get(handle).unwrap();
        table.release(handle).unwrap();
        assert_eq!(Arc::strong_count(&value), 2);
        drop(used);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn many_handles_are_all_different_and_all_found() {
        let table = Table::new();
        let handles: Vec<_> = (0..5_000).map(|n| table.insert(n).unwrap()).collect();
        for (n, &handle) in handles.iter().enumerate() {
            assert_eq!(table.get(handle).map(|used| *used), Ok(n));
        }
        for &handle in &handles {
            table.release(handle).unwrap();
        }
        let again: Vec<_> = (0..5_000).map(|n| table.insert(n).unwrap()).collect();
        assert!(again.iter().all(|handle| !handles.contains(handle)));
    }
}
