//! What WAMR has once in a process: its start and the host functions.

use std::ffi::CStr;
use std::ptr;
use std::sync::OnceLock;

use crate::ffi;

/// Starts WAMR if this process has not yet.
pub fn start() -> Result<(), String> {
    static STARTED: OnceLock<bool> = OnceLock::new();
    match *STARTED.get_or_init(start_process) {
        true => Ok(()),
        false => Err("WAMR does not start".to_owned()),
    }
}

fn start_process() -> bool {
    // WAMR sorts and keeps the array.
    let symbols =
        Box::leak(Box::new([symbol(c"next", c"(i)i", next), symbol(c"nothing", c"()", nothing)]));
    let (first, count) = (symbols.as_mut_ptr(), symbols.len() as u32);
    // SAFETY: called once, under a lock, before any other function of WAMR's; the symbols live for
    // ever, and each function reads and writes the slots that its signature says.
    unsafe {
        if !ffi::wasm_runtime_init() {
            return false;
        }
        // Else it writes a line for each import that is not linked.
        ffi::wasm_runtime_set_log_level(ffi::LOG_FATAL);
        ffi::wasm_runtime_register_natives_raw(c"env".as_ptr(), first, count)
    }
}

fn symbol(
    name: &'static CStr,
    signature: &'static CStr,
    function: ffi::RawCall,
) -> ffi::NativeSymbol {
    let (symbol, signature) = (name.as_ptr(), signature.as_ptr());
    ffi::NativeSymbol { symbol, function, signature, attachment: ptr::null_mut() }
}

extern "C" fn next(_: *mut ffi::ExecEnv, slots: *mut u64) {
    // SAFETY: registered as `(i)i`: WAMR gives a slot with the argument, where the result goes.
    unsafe {
        let slot = slots.cast::<i32>();
        slot.write(slot.read().wrapping_add(1));
    }
}

extern "C" fn nothing(_: *mut ffi::ExecEnv, _: *mut u64) {}
