//! What a program without an operating system brings: memory, its own end, and a word for each thread.

use core::{
    alloc::{GlobalAlloc, Layout},
    ffi::{c_char, c_void},
    panic::PanicInfo,
};

unsafe extern "C" {
    /// Returns `size` bytes aligned to `align`, which is a power of two, or null.
    fn wpr_hook_alloc(size: usize, align: usize) -> *mut c_void;
    /// Takes back what `wpr_hook_alloc` returned for the same `size` and `align`.
    fn wpr_hook_free(block: *mut c_void, size: usize, align: usize);
    /// Ends the program. The message has `length` bytes.
    fn wpr_hook_abort(message: *const c_char, length: usize) -> !;
    /// Returns where the library may keep one word for the thread that asks: null at first, always the same place.
    fn wpr_hook_thread_word() -> *mut *mut c_void;
}

pub(crate) fn thread_word() -> *mut *mut c_void {
    // SAFETY: the hook takes nothing.
    unsafe { wpr_hook_thread_word() }
}

struct HostHeap;

#[global_allocator]
static HEAP: HostHeap = HostHeap;

// SAFETY: the hooks give blocks of the size and alignment asked for, as their contract says.
unsafe impl GlobalAlloc for HostHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the hook takes numbers only.
        unsafe { wpr_hook_alloc(layout.size(), layout.align()).cast() }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` is of `alloc` with the same layout, which our own contract demands.
        unsafe { wpr_hook_free(block.cast(), layout.size(), layout.align()) }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // The place only: to format the message takes code, and perhaps memory.
    let place = info.location().map_or("panic", |location| location.file());
    // SAFETY: the text is readable for its length; the hook does not return.
    unsafe { wpr_hook_abort(place.as_ptr().cast(), place.len()) }
}

/// Named by the unwind tables of the compiled `core`, where it comes from a toolchain whose programs unwind. These do not.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
