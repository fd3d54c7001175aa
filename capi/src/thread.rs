//! What a thread is in the midst of: a callback of the host program, and the host call it was called for.
//!
//! A plugin is not run from a callback: however plugins and callbacks call one another, the native stack would have no
//! bound. And what a callback is told of its host call is good for that callback, on its thread, and no longer.

use crate::code::{Failure, wpr_code_t};
use core::{cell::Cell, ptr, ptr::NonNull};
use runtime::Labels;

/// The host call that a callback answers: good in that callback, on its thread. Afterwards and elsewhere each function
/// answers `WPR_HOST_NO_CALL`, 0 or nothing.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct wpr_host_call_t {
    /// Its number.
    pub id: u64,
}

/// A callback that is running on this thread.
pub(crate) struct Frame {
    /// The number of the host call that it was called for; 0 if it was called for something else.
    pub(crate) id: u64,
    /// The host call: a `HostCall`, as `host_call.rs` has put it there.
    pub(crate) call: Option<NonNull<()>>,
    /// Where its answer goes: an `Output`, likewise.
    pub(crate) output: Option<NonNull<()>>,
    pub(crate) labels: Labels<'static>,
    /// Under which number the answer will be given, if it comes later.
    pub(crate) ticket: Cell<Option<u64>>,
    outer: *const Frame,
}

impl Frame {
    /// A callback that has no host call.
    pub(crate) fn plain() -> Self {
        Self {
            id: 0,
            call: None,
            output: None,
            labels: Labels::default(),
            ticket: Cell::new(None),
            outer: ptr::null(),
        }
    }
}

pub(crate) use word::next_id;

/// Runs a callback.
pub(crate) fn in_callback<R>(frame: &mut Frame, callback: impl FnOnce() -> R) -> R {
    struct Leave(*const Frame);

    impl Drop for Leave {
        fn drop(&mut self) {
            word::set(self.0);
        }
    }

    frame.outer = word::get();
    let leave = Leave(frame.outer);
    word::set(ptr::from_ref(frame));
    let answer = callback();
    drop(leave);
    answer
}

/// Fails in a callback: what runs a plugin is not for callbacks.
#[inline]
pub(crate) fn may_run_plugins() -> Result<(), Failure> {
    match word::get().is_null() {
        true => Ok(()),
        false => Err(reentrant()),
    }
}

#[cold]
fn reentrant() -> Failure {
    let what = "no plugin can be run from a callback; do it when the callback has returned, or have the plugin \
                use `call_plugin`";
    Failure::misuse(wpr_code_t::WPR_REENTRANT, what)
}

/// Looks at the innermost callback of this thread, if it has the host call of this number.
pub(crate) fn with_frame<R>(id: u64, look: impl FnOnce(&Frame) -> R) -> Option<R> {
    // SAFETY: what `in_callback` has put there lives until it has taken it away, on this thread.
    let frame = unsafe { word::get().as_ref() }?;
    (id != 0 && frame.id == id).then(|| look(frame))
}

/// One word for each thread, and the numbers of its host calls.
#[cfg(feature = "std")]
mod word {
    use super::Frame;
    use core::{
        cell::Cell,
        ptr,
        sync::atomic::{AtomicUsize, Ordering},
    };

    struct Word {
        frame: Cell<*const Frame>,
        next_id: Cell<u64>,
    }

    std::thread_local! {
        static WORD: Word = const { Word { frame: Cell::new(ptr::null()), next_id: Cell::new(0) } };
    }

    #[inline]
    pub(super) fn get() -> *const Frame {
        WORD.with(|word| word.frame.get())
    }

    #[inline]
    pub(super) fn set(frame: *const Frame) {
        WORD.with(|word| word.frame.set(frame));
    }

    /// A number that no other host call has, on this thread or another.
    #[inline]
    pub(crate) fn next_id() -> u64 {
        WORD.with(|word| {
            let id = match word.next_id.get() {
                0 => first_id(),
                id => id,
            };
            word.next_id.set(id.wrapping_add(1));
            id
        })
    }

    /// Each thread has a range of its own: 2^40 numbers for each of 2^24 threads.
    #[cold]
    fn first_id() -> u64 {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        (THREADS.fetch_add(1, Ordering::Relaxed) as u64) << 40 | 1
    }
}

/// The same, kept by the host program.
#[cfg(not(feature = "std"))]
mod word {
    use super::Frame;

    pub(super) fn get() -> *const Frame {
        // SAFETY: the hook gives a word of this thread's own, which begins as null.
        unsafe { (*crate::without_std::thread_word()).cast() }
    }

    /// A number that no other host call has had for a long time.
    pub(crate) fn next_id() -> u64 {
        use crate::sync::{AtomicUsize, Ordering};
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        (NEXT.fetch_add(1, Ordering::Relaxed) as u64).max(1)
    }

    pub(super) fn set(frame: *const Frame) {
        // SAFETY: as above; only this thread uses it.
        unsafe { *crate::without_std::thread_word() = frame.cast_mut().cast() };
    }
}
