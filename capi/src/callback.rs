//! What belongs to the host program's callbacks.

use alloc::sync::Arc;
use core::{
    ffi::c_void,
    sync::atomic::{AtomicBool, Ordering},
};
use runtime::Clock;

use crate::thread::{Frame, in_callback};

/// What a callback gets first, and what is called once it is not needed any more.
pub(crate) struct UserData {
    data: *mut c_void,
    drop: Option<unsafe extern "C" fn(*mut c_void)>,
    taken: Taken,
}

/// Whether the registry that callbacks are for has come about: until then the program keeps what is its own.
#[derive(Clone, Default)]
pub(crate) struct Taken(Arc<AtomicBool>);

impl Taken {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

// SAFETY: the program says that its callbacks may be called by any thread; Rust only hands the pointer on.
unsafe impl Send for UserData {}
// SAFETY: as above, by several at once.
unsafe impl Sync for UserData {}

impl UserData {
    pub(crate) fn new(
        data: *mut c_void,
        drop: Option<unsafe extern "C" fn(*mut c_void)>,
        taken: &Taken,
    ) -> Self {
        Self { data, drop, taken: taken.clone() }
    }

    pub(crate) fn get(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(drop) = self.drop
            && self.taken.0.load(Ordering::Acquire)
        {
            // SAFETY: the program says that it may be called so; nothing calls back with the data any more.
            in_callback(&mut Frame::plain(), || unsafe { drop(self.data) });
        }
    }
}

/// A clock of the host program's.
pub(crate) struct HostClock {
    pub(crate) now_us: unsafe extern "C" fn(*mut c_void) -> u64,
    pub(crate) user: UserData,
}

impl Clock for HostClock {
    fn now_us(&self) -> u64 {
        // SAFETY: the program says that its callback may be called so.
        in_callback(&mut Frame::plain(), || unsafe { (self.now_us)(self.user.get()) })
    }
}
