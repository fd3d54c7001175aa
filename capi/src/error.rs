//! What is told of an error, and the boundary that every function of the API goes through.

use crate::{
    code::{Failure, wpr_code_t, wpr_code_t::WPR_OK},
    pointers::Out,
};
use alloc::{borrow::Cow, string::String, string::ToString};
use core::{ffi::c_char, fmt::Write};
use runtime::Fault;

/// Whose doing an error is.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wpr_fault_t {
    /// The plugin's.
    WPR_FAULT_GUEST = 0,
    /// The host program's: its arguments, its callbacks, its build or its load.
    WPR_FAULT_HOST = 1,
    /// The configuration's: a limit or grant that does not fit the plugin.
    WPR_FAULT_CONFIGURATION = 2,
}

/// The bytes of a message at most, the zero byte at its end included.
pub const WPR_MESSAGE_BYTES: usize = 1004;

/// What there is to say of an error. 1,024 bytes, which will never be more or others: what is new gets a function.
///
/// Filled in when a function answers anything but `WPR_OK`, and otherwise left alone.
#[repr(C)]
pub struct wpr_error_t {
    /// What the function answered.
    pub code: wpr_code_t,
    /// Whose doing it is.
    pub fault: wpr_fault_t,
    /// How the guest trapped: 1 `unreachable`, 2 memory access out of bounds, 3 table access out of bounds, 4 call of
    /// a null reference, 5 integer division by zero, 6 integer overflow, 7 float has no integer value, 8 call stack
    /// exhausted, 9 indirect call of another type, 10 growth over a limit, 11 out of system memory; 0 if it did not.
    pub trap_code: i32,
    /// The negative status that a function of the byte convention answered; 0 if it did not.
    pub guest_status: i32,
    /// How long the whole message is in bytes, which may be more than there is room for.
    pub message_length: u32,
    /// The message: UTF-8 with a zero byte at its end, cut if it is longer. It names plugin, function, limit and value.
    pub message: [c_char; WPR_MESSAGE_BYTES],
}

const _: () = assert!(size_of::<wpr_error_t>() == 1024);

impl wpr_error_t {
    fn of(failure: &Failure) -> Self {
        let mut error = Self {
            code: failure.code(),
            fault: wpr_fault_t::WPR_FAULT_HOST,
            trap_code: 0,
            guest_status: 0,
            message_length: 0,
            message: [0; WPR_MESSAGE_BYTES],
        };
        let text = match failure {
            Failure::Library(library) => {
                error.fault = match library.fault() {
                    Fault::Guest => wpr_fault_t::WPR_FAULT_GUEST,
                    Fault::Host => wpr_fault_t::WPR_FAULT_HOST,
                    Fault::Configuration => wpr_fault_t::WPR_FAULT_CONFIGURATION,
                };
                error.trap_code = library.trap_code().map_or(0, |trap| trap.code());
                error.guest_status = library.guest_status().unwrap_or(0);
                let mut text = String::new();
                // Writing to a string does not fail.
                let _ = write!(text, "{library}");
                text.into()
            }
            Failure::Misuse(_, what) => Cow::Borrowed(&**what),
            Failure::Handle(handle) => handle.to_string().into(),
        };
        error.message_length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        put_text(&mut error.message, &text);
        error
    }
}

/// Puts a text into a field with a zero byte behind it; cut, between two characters, if it is too long.
pub(crate) fn put_text(field: &mut [c_char], text: &str) {
    let mut end = text.len().min(field.len().saturating_sub(1));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = text.bytes().take(end).chain(core::iter::once(0));
    for (to, from) in field.iter_mut().zip(bytes) {
        *to = from.cast_signed() as c_char;
    }
}

/// Runs a function of the API: whatever becomes of it, what crosses the boundary is a code.
#[inline]
pub(crate) fn boundary(
    error: Out<wpr_error_t>,
    body: impl FnOnce() -> Result<(), Failure>,
) -> wpr_code_t {
    match contained(body) {
        Ok(()) => WPR_OK,
        Err(failure) => tell(&error, &failure),
    }
}

#[cold]
#[inline(never)]
fn tell(error: &Out<wpr_error_t>, failure: &Failure) -> wpr_code_t {
    if !error.is_null() {
        error.set(wpr_error_t::of(failure));
    }
    failure.code()
}

/// The same without the standard library, where nothing unwinds: a panic ends the program.
#[cfg(not(feature = "std"))]
#[inline]
pub(crate) fn contained(body: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    body()
}

/// Runs something whose panic is a failure.
#[cfg(feature = "std")]
#[inline]
pub(crate) fn contained(body: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    // What a panic may leave half done is marked so by the library itself: a sandbox is not used again.
    std::panic::catch_unwind(core::panic::AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(panicked(&*panic)))
}

#[cfg(feature = "std")]
#[cold]
fn panicked(panic: &(dyn core::any::Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied().map(String::from);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Failure::misuse(wpr_code_t::WPR_PANIC, text.unwrap_or_else(|| "no message".into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use core::ffi::CStr;
    use std::{mem::MaybeUninit, string::String};

    /// What the program sees of how a function ended.
    fn ended(body: impl FnOnce() -> Result<(), Failure>) -> (wpr_code_t, String, u32) {
        let mut error = MaybeUninit::<wpr_error_t>::zeroed();
        // SAFETY: the pointer is valid; an error of zeros is one.
        let (code, error) = unsafe {
            let code = boundary(Out::new(error.as_mut_ptr()), body);
            (code, error.assume_init())
        };
        // SAFETY: the message ends with a zero byte.
        let message = unsafe { CStr::from_ptr(error.message.as_ptr()) };
        assert_eq!(error.code, code);
        (code, message.to_str().unwrap().into(), error.message_length)
    }

    #[test]
    fn a_panic_ends_as_a_code_with_its_message() {
        let (code, message, _) = ended(|| panic!("number {}", 7));
        assert_eq!((code, message.as_str()), (wpr_code_t::WPR_PANIC, "number 7"));
        let (code, message, _) = ended(|| panic!("plain"));
        assert_eq!((code, message.as_str()), (wpr_code_t::WPR_PANIC, "plain"));
        let (code, message, _) = ended(|| std::panic::panic_any(7));
        assert_eq!((code, message.as_str()), (wpr_code_t::WPR_PANIC, "no message"));
    }

    #[test]
    fn an_error_that_nobody_wants_to_see_is_a_code() {
        // SAFETY: null is allowed.
        let nowhere = unsafe { Out::new(core::ptr::null_mut()) };
        let code = boundary(nowhere, || Err(Failure::argument("no")));
        assert_eq!(code, wpr_code_t::WPR_INVALID_ARGUMENT);
    }

    #[test]
    fn a_message_that_is_too_long_is_cut_between_two_characters_and_its_length_is_told() {
        for (text, kept) in
            [("x".repeat(1_003), 1_003), ("x".repeat(1_004), 1_003), ("ß".repeat(600), 1_002)]
        {
            let whole = text.clone();
            let (_, message, length) = ended(|| Err(Failure::argument(text)));
            assert_eq!((message.len(), length as usize), (kept, whole.len()));
            assert!(whole.starts_with(&message));
        }
    }

    #[test]
    fn each_kind_of_error_has_a_code_of_its_own() {
        use runtime::ErrorKind::*;
        let kinds = [
            InvalidModule,
            Refused,
            LimitExceeded,
            AlreadyLoaded,
            NotFound,
            FunctionNotFound,
            SignatureMismatch,
            Busy,
            NotReady,
            OutOfFuel,
            Deadline,
            Cancelled,
            Trap,
            Denied,
            Quarantined,
            QuotaExceeded,
            HashMismatch,
            ClockMissing,
            UnsoundDispatch,
            BadGuestAnswer,
            TableFull,
            Host,
            Unloaded,
            Io,
        ];
        for (kind, code) in kinds.into_iter().zip(1..) {
            assert_eq!(wpr_code_t::of(kind) as i32, code, "{kind:?}");
        }
    }
}
