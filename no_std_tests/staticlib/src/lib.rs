//! The library behind one C function, without std: everything that it asks of the system is an
//! undefined symbol of the archive, where `no_std_tests/symbols.sh` looks for it.

#![no_std]

extern crate alloc;

use alloc::string::String;
use core::{
    alloc::{GlobalAlloc, Layout},
    panic::PanicInfo,
    ptr, slice,
};
use wasm_runtime::{Progress, WasmInstanceConfig, WasmPluginRegistry, WasmValue, WasmValues};

/// What the C program has to bring. It is all that the archive may ask for besides memcpy and the like.
mod hooks {
    use core::ffi::c_void;

    unsafe extern "C" {
        /// `size` bytes aligned to `align`, or null.
        pub(crate) fn wasm_host_alloc(size: usize, align: usize) -> *mut c_void;
        /// Releases what `wasm_host_alloc` returned for the same `size` and `align`.
        pub(crate) fn wasm_host_free(block: *mut c_void, size: usize, align: usize);
        /// Ends the program.
        pub(crate) fn wasm_host_abort() -> !;
    }
}

struct HostHeap;

#[global_allocator]
static HEAP: HostHeap = HostHeap;

// SAFETY: the hooks give blocks of the size and alignment asked for, as their contract says.
unsafe impl GlobalAlloc for HostHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the hook takes numbers only.
        unsafe { hooks::wasm_host_alloc(layout.size(), layout.align()).cast() }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` is of `alloc` with the same layout, which our own contract demands.
        unsafe { hooks::wasm_host_free(block.cast(), layout.size(), layout.align()) }
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: the hook takes nothing and does not return.
    unsafe { hooks::wasm_host_abort() }
}

/// Loads the module of `length` bytes at `wasm`, calls its function `run` with `argument` and puts what
/// it returned into `result`. Returns 0, or 1 if any of it failed.
///
/// # Safety
///
/// `wasm` must be readable for `length` bytes and `result` writable, both until this returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_run(
    wasm: *const u8,
    length: usize,
    argument: i32,
    result: *mut i32,
) -> i32 {
    // SAFETY: `wasm` is readable for `length` bytes, as the caller promises.
    let wasm = unsafe { slice::from_raw_parts(wasm, length) };
    match run(wasm, argument) {
        Some(value) => {
            // SAFETY: `result` is writable, as the caller promises.
            unsafe { ptr::write(result, value) };
            0
        }
        None => 1,
    }
}

/// At once and piece by piece; both must return the same.
fn run(wasm: &[u8], argument: i32) -> Option<i32> {
    let mut config = WasmInstanceConfig::default();
    config.capabilities.timeout_ms = 0; // there is no clock
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", wasm, config).ok()?;
    let arguments = [WasmValue::I32(argument)];
    let at_once = number(&registry.call("plugin", "run", &arguments).ok()?)?;
    let piecewise = number(&run_piecewise(&registry, &arguments)?)?;
    registry.render_prometheus(&mut String::new()).ok()?;
    registry.unload("plugin").ok()?;
    (at_once == piecewise).then_some(at_once)
}

fn run_piecewise(registry: &WasmPluginRegistry, arguments: &[WasmValue]) -> Option<WasmValues> {
    let mut call = registry.get("plugin")?.start("run", arguments).ok()?;
    loop {
        match call.run(10_000).ok()? {
            Progress::Finished(values) => return Some(values),
            Progress::Running => {}
            Progress::Suspended(_) => return None, // it has no host function that waits
        }
    }
}

fn number(values: &WasmValues) -> Option<i32> {
    match **values {
        [WasmValue::I32(number)] => Some(number),
        _ => None,
    }
}
