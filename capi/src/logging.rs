//! The log of the library, and of plugins whose host has no callback for it.

use crate::{
    code::{Failure, wpr_code_t},
    config::choice,
    error::{boundary, wpr_error_t},
    pointers::Out,
    sync::Mutex,
    thread::{Frame, in_callback},
};
use alloc::string::String;
use core::{
    ffi::{c_char, c_void},
    fmt::Write,
};
use log::{LevelFilter, Log, Metadata, Record};

/// What gets the lines of the log: `level` 1 error, 2 warning, 3 information, 4 debug. The line is UTF-8, ended by no
/// zero byte, and good until the callback returns.
pub type wpr_log_callback_t = Option<
    unsafe extern "C" fn(user_data: *mut c_void, level: u32, line: *const c_char, length: usize),
>;

#[derive(Clone, Copy)]
struct Sink {
    callback: wpr_log_callback_t,
    user_data: *mut c_void,
}

// SAFETY: the program says that its callback may be called by any thread; Rust only hands the pointer on.
unsafe impl Send for Sink {}

static SINK: Mutex<Sink> = Mutex::new(Sink { callback: None, user_data: core::ptr::null_mut() });

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // A copy: the lock is not held while the callback runs.
        let sink = *SINK.lock();
        let Some(callback) = sink.callback else {
            return;
        };
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = write!(line, "{}", record.args());
        let level = record.level() as u32;
        in_callback(&mut Frame::plain(), || {
            // SAFETY: the program says that its callback may be called so.
            unsafe { callback(sink.user_data, level, line.as_ptr().cast(), line.len()) }
        });
    }

    fn flush(&self) {}
}

/// Sets what gets the log of the whole program's library, down to `max_level`: 0 nothing to 4 debug. The callback may
/// be null. One that is replaced may still be called by threads that are about to.
///
/// `WPR_REFUSED` if another logger of Rust's `log` was set before, by other Rust code in the program.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_set_log(
    callback: wpr_log_callback_t,
    user_data: *mut c_void,
    max_level: u32,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let levels = [
            LevelFilter::Off,
            LevelFilter::Error,
            LevelFilter::Warn,
            LevelFilter::Info,
            LevelFilter::Debug,
        ];
        let level = choice(max_level, "max_level", levels)?;
        static LOGGER: Logger = Logger;
        let is_ours = {
            let mut sink = SINK.lock();
            let set = log::set_logger(&LOGGER).is_ok() || is_set(&LOGGER);
            if set {
                *sink = Sink { callback, user_data };
            }
            set
        };
        if !is_ours {
            let what = "the program has another logger already";
            return Err(Failure::misuse(wpr_code_t::WPR_REFUSED, what));
        }
        log::set_max_level(level);
        Ok(())
    })
}

/// Whether the logger of the program is this one.
fn is_set(logger: &'static Logger) -> bool {
    core::ptr::addr_eq(log::logger(), logger)
}
