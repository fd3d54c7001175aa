//! What cancels a call.

use crate::{
    code::{Failure, wpr_code_t},
    error::{boundary, wpr_error_t},
    handle::{handle, release, take},
    pointers::Out,
};
use runtime::CancelToken;

/// What cancels one call.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct wpr_cancel_t {
    /// The handle's number; 0 is none.
    pub id: u64,
}

handle!(wpr_cancel_t, "cancel", 6, CancelToken);

/// Cancels a call: it ends with `WPR_CANCELLED` at the end of its slice, at its next host call or at its next
/// checkpoint. `WPR_NOT_FOUND` if it has ended, or is cancelled already. May be asked from any thread and any callback.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_cancel(token: wpr_cancel_t, error: Out<wpr_error_t>) -> wpr_code_t {
    boundary(error, || {
        take(token)?.cancel().then_some(()).ok_or_else(|| {
            let what = "the call has ended, or is cancelled already";
            Failure::misuse(wpr_code_t::WPR_NOT_FOUND, what)
        })
    })
}

/// Releases what cancels a call.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_cancel_release(token: wpr_cancel_t, error: Out<wpr_error_t>) -> wpr_code_t {
    boundary(error, || release(token))
}
