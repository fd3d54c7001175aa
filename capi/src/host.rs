//! The host as a program in another language gives it: callbacks, over tables in memory.

use crate::{
    callback::UserData, handle::handle, pointers::Struct, record::wpr_audit_record_t,
    thread::wpr_host_call_t,
};
use core::{
    ffi::{c_char, c_void},
    ptr,
};
use runtime::{EmbeddedHost, WasmPluginRegistry};

/// What plugins get from the host program, instead of what the library has in memory.
///
/// A callback that is null leaves its function to the library: tables, settings and metrics are kept in memory, log
/// lines go to the callback of `wpr_set_log`, and events to nobody. Searches are always over tables in memory.
///
/// Callbacks are called by the thread that calls the plugin, several at once if several threads do, with `user_data`
/// first. Texts and bytes that they are given are not ended by a zero byte, and are good until they return. They must
/// return: no exception, no `longjmp`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_host_t {
    /// The size of the struct: `wpr_host_init` sets it.
    pub struct_size: usize,
    /// What each callback gets first.
    pub user_data: *mut c_void,
    /// Called with `user_data` once nothing of the registry is left that could call back. Not called if
    /// `wpr_registry_new` fails.
    pub drop: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Finds a value, gives it to `wpr_host_call_output` and returns what that returns; `WPR_HOST_NOT_FOUND` if there
    /// is no such row.
    pub read: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            call: wpr_host_call_t,
            table: *const c_char,
            table_length: usize,
            key: *const u8,
            key_length: usize,
        ) -> i32,
    >,
    /// Gives the rows with keys from `from` on, in order, to `wpr_host_call_record`, until `limit` are written or that
    /// returns 0 or less; returns 0, or what was less than 0.
    pub scan: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            call: wpr_host_call_t,
            table: *const c_char,
            table_length: usize,
            from: *const u8,
            from_length: usize,
            limit: u32,
        ) -> i32,
    >,
    /// Stores a value; returns 1 if it replaced one and 0 if not.
    pub write: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            call: wpr_host_call_t,
            table: *const c_char,
            table_length: usize,
            key: *const u8,
            key_length: usize,
            value: *const u8,
            value_length: usize,
        ) -> i32,
    >,
    /// Removes a row; returns 0, or `WPR_HOST_NOT_FOUND`. The word is not `delete`, which C++ keeps for itself.
    pub remove: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            call: wpr_host_call_t,
            table: *const c_char,
            table_length: usize,
            key: *const u8,
            key_length: usize,
        ) -> i32,
    >,
    /// Finds a setting that the plugin's configuration does not have, gives it to `wpr_host_call_output` and returns
    /// what that returns.
    pub setting: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            call: wpr_host_call_t,
            name: *const c_char,
            name_length: usize,
        ) -> i32,
    >,
    /// Takes in one observation: `kind` 0 adds to a counter, 1 sets a gauge, 2 counts in a histogram. The value is a
    /// number. Labels: `wpr_host_call_label`.
    pub metric: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            call: wpr_host_call_t,
            kind: u32,
            name: *const c_char,
            name_length: usize,
            value: f64,
        ) -> i32,
    >,
    /// Takes in a line that a plugin logs: `level` 1 error, 2 warning, 3 information, 4 debug. Its control characters
    /// are escaped.
    pub log: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            call: wpr_host_call_t,
            level: u32,
            line: *const c_char,
            line_length: usize,
        ) -> i32,
    >,
    /// Hears what happened to a plugin, in the words of the audit; the record has no number and is good until the
    /// callback returns. Everything that runs no plugin may be done here.
    pub event:
        Option<unsafe extern "C" fn(user_data: *mut c_void, record: *const wpr_audit_record_t)>,
}

// SAFETY: `repr(C)`, the size first; pointers and functions that are only used if they are not null.
unsafe impl Struct for wpr_host_t {
    const NAME: &'static str = "wpr_host_t";

    fn initial() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            user_data: ptr::null_mut(),
            drop: None,
            read: None,
            scan: None,
            write: None,
            remove: None,
            setting: None,
            metric: None,
            log: None,
            event: None,
        }
    }
}

/// A registry of plugins.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct wpr_registry_t {
    /// The handle's number; 0 is none.
    pub id: u64,
}

handle!(wpr_registry_t, "registry", 1, WasmPluginRegistry<CHost>);

/// The host of such a registry.
pub(crate) struct CHost {
    pub(crate) tables: EmbeddedHost,
    pub(crate) callbacks: wpr_host_t,
    pub(crate) user: UserData,
}

// SAFETY: what the callbacks get may be used by any thread, as the documentation of `wpr_host_t` says.
unsafe impl Send for CHost {}
// SAFETY: as above, by several at once.
unsafe impl Sync for CHost {}

impl CHost {
    pub(crate) fn new(callbacks: wpr_host_t, user: UserData) -> Self {
        Self { tables: EmbeddedHost::new(), callbacks, user }
    }
}
