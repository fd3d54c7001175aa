//! The conformance suite as a WebAssembly module: plugins inside of a host inside of a browser, or of
//! any other runtime. `run.mjs` runs it under Node.js.

#![no_std]

use core::{cell::UnsafeCell, panic::PanicInfo};
use firmware::{Board, Memory};

const HEAP_BYTES: usize = 32 << 20;

/// What the embedder gives.
#[link(wasm_import_module = "board")]
unsafe extern "C" {
    /// Prints UTF-8.
    fn write(text: *const u8, len: usize);
    /// Microseconds since a fixed point.
    fn clock_us() -> f64;
    /// Ends the module, by an exception or a trap.
    fn exit(code: i32) -> !;
}

/// The linker's symbols: the shadow stack, which has what needs an address. The rest of a frame is on
/// the embedder's stack, where nobody can look.
unsafe extern "C" {
    static __stack_low: u8;
    static __stack_high: u8;
}

struct Heap(UnsafeCell<[u8; HEAP_BYTES]>);

// SAFETY: it is handed to the allocator once, and nothing else uses it.
unsafe impl Sync for Heap {}

static HEAP: Heap = Heap(UnsafeCell::new([0; HEAP_BYTES]));
static MISTAKE: u32 = 0;

/// A module under an embedder.
struct Module;

impl Board for Module {
    const NAME: &'static str = "wasm32-unknown-unknown, portable dispatch";
    // Nobody can run data here, and no mistake is made.
    const RETURN: [u8; 4] = [0; 4];

    fn memory() -> Memory {
        let heap = HEAP.0.get().expose_provenance();
        Memory {
            heap: heap..heap + HEAP_BYTES,
            // The lowest word has the address null.
            stack: (&raw const __stack_low).addr().max(8)..(&raw const __stack_high).addr(),
            flash_bytes: 0,
            mistake: (&raw const MISTAKE).expose_provenance(),
        }
    }

    fn write(text: &str) {
        // SAFETY: the embedder reads the text.
        unsafe { write(text.as_ptr(), text.len()) };
    }

    fn exit(passed: bool) -> ! {
        // SAFETY: takes a number, and does not return.
        unsafe { exit(i32::from(!passed)) }
    }

    fn clock_us() -> u64 {
        // SAFETY: takes nothing and gives a number.
        unsafe { clock_us() as u64 }
    }

    fn instructions() -> Option<u64> {
        None
    }

    fn undefined_instruction() {
        core::arch::wasm32::unreachable()
    }
}

/// Runs the suite and calls `exit`.
#[unsafe(no_mangle)]
extern "C" fn run() -> ! {
    // SAFETY: `run.mjs` calls it once; heap and stack are apart from all other statics.
    unsafe { firmware::run::<Module>() }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    firmware::panicked::<Module>(info)
}
