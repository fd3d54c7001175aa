//! What a call costs a program in C, beside the same call from Rust: `cargo bench -p c-api`.
//!
//! The loops are C, compiled by a C compiler (`loops.c`), and call the library through its header. Rust and C take turns
//! within one run, so that a busy machine is busy for both; what is told is the median of many turns.
#![allow(unsafe_code)] // calls of C

use core::ffi::{CStr, c_char};
use wasm_runtime_c::{
    In, Out, Text, wpr_code_t, wpr_error_t, wpr_function_t, wpr_plugin_t, wpr_registry_load,
    wpr_registry_t,
};

unsafe extern "C" {
    fn loop_function(function: wpr_function_t, turns: u64, last: *mut i32) -> u64;
    fn loop_by_name(plugin: wpr_plugin_t, name: *const c_char, turns: u64, last: *mut i32) -> u64;
    fn loop_bytes(
        plugin: wpr_plugin_t,
        name: *const c_char,
        input: *const u8,
        length: usize,
        output: *mut u8,
        turns: u64,
        last: *mut usize,
    ) -> u64;
    fn registry_with_next(registry: *mut wpr_registry_t) -> wpr_code_t;
}

/// Calls a function of one `i32` by its handle so often; returns what it answered last.
pub fn by_handle(function: wpr_function_t, turns: u64) -> i32 {
    let mut last = 0;
    // SAFETY: the loop takes a number and a place for its answer.
    let failed = unsafe { loop_function(function, turns, &raw mut last) };
    assert_eq!(failed, 0);
    last
}

/// Calls a function of one `i32` by its name so often; returns what it answered last.
pub fn by_name(plugin: wpr_plugin_t, name: &CStr, turns: u64) -> i32 {
    let mut last = 0;
    // SAFETY: the name ends with a zero byte.
    let failed = unsafe { loop_by_name(plugin, name.as_ptr(), turns, &raw mut last) };
    assert_eq!(failed, 0);
    last
}

/// Hands bytes to a function so often, whose answers fit `output`, which is as long as they are; returns how long the
/// last was.
pub fn bytes(
    plugin: wpr_plugin_t,
    name: &CStr,
    input: &[u8],
    output: &mut [u8],
    turns: u64,
) -> usize {
    assert_eq!(input.len(), output.len());
    let (mut last, len) = (0, input.len());
    // SAFETY: both have so many bytes, and the name ends with a zero byte.
    let failed = unsafe {
        loop_bytes(
            plugin,
            name.as_ptr(),
            input.as_ptr(),
            len,
            output.as_mut_ptr(),
            turns,
            &raw mut last,
        )
    };
    assert_eq!(failed, 0);
    last
}

/// A registry of the C API that has `env` `next` in C, with one plugin, and handles on it and on a function of it.
pub fn c_plugin(wasm: &[u8], function: &CStr) -> (wpr_registry_t, wpr_plugin_t, wpr_function_t) {
    let mut registry = wpr_registry_t { id: 0 };
    let (mut plugin, mut handle) = (wpr_plugin_t { id: 0 }, wpr_function_t { id: 0 });
    // SAFETY: each pointer is null, or valid for the call.
    unsafe {
        let no_error = || Out::<wpr_error_t>::new(core::ptr::null_mut());
        assert_eq!(registry_with_next(&raw mut registry), wpr_code_t::WPR_OK);
        let (name, bytes, config) =
            (Text::new(c"plugin".as_ptr()), wasm.as_ptr(), core::ptr::null());
        let loaded = wpr_registry_load(
            registry,
            name,
            In::new(bytes),
            wasm.len(),
            In::new(config),
            no_error(),
        );
        assert_eq!(loaded, wpr_code_t::WPR_OK);
        let got =
            wasm_runtime_c::wpr_registry_get(registry, name, Out::new(&raw mut plugin), no_error());
        assert_eq!(got, wpr_code_t::WPR_OK);
        let name = Text::new(function.as_ptr());
        let found = wasm_runtime_c::wpr_plugin_function(
            plugin,
            name,
            Out::new(&raw mut handle),
            no_error(),
        );
        assert_eq!(found, wpr_code_t::WPR_OK);
    }
    (registry, plugin, handle)
}
