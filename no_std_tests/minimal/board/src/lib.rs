//! What both minimal firmwares share: a heap that counts, a painted stack, output and exit by
//! semihosting. It must not depend on the library: one of the two firmwares is without it.

#![no_std]

#[path = "../../../conformance/src/heap.rs"]
mod heap;
#[path = "../../../conformance/src/stack.rs"]
mod stack;

pub use crate::{
    heap::{CountingHeap, HeapUse},
    stack::Stack,
};
pub use cortex_m_rt::entry;
pub use cortex_m_semihosting::hprintln;

use core::{mem::MaybeUninit, panic::PanicInfo, ptr::addr_of_mut};
use cortex_m_semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, exit};
use embedded_alloc::LlffHeap;

/// What the heap may grow to, what the allocator adds included.
const HEAP_BYTES: usize = 48 << 10;

#[global_allocator]
static HEAP: CountingHeap<LlffHeap> = CountingHeap::new(LlffHeap::empty());

unsafe extern "C" {
    /// The end of what the linker placed in RAM.
    static mut __sheap: u32;
    /// Where the stack begins.
    static mut _stack_start: u32;
}

/// The parts of the memory that a firmware reports.
pub struct Board {
    stack: Stack,
}

impl Board {
    /// Begins: gives the heap its memory and paints the stack. To be called once, by `main`.
    pub fn start() -> Self {
        static mut ARENA: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];
        // SAFETY: the arena is named here alone, and `main` calls this once, before it allocates.
        unsafe { HEAP.inner.init(addr_of_mut!(ARENA) as usize, HEAP_BYTES) };
        let (low, high) = (addr_of_mut!(__sheap) as usize, addr_of_mut!(_stack_start) as usize);
        // SAFETY: the linker places nothing between the two, and this firmware has one thread and
        // no interrupt handlers.
        let stack = unsafe { Stack::new(low, high) };
        stack.paint();
        Self { stack }
    }

    /// Prints what the heap holds, as `heap STEP bytes`.
    pub fn heap(&self, step: &str) {
        hprintln!("heap {} {}", step, HEAP.used().live_bytes);
    }

    /// Prints the most that heap and stack have held, and ends well.
    pub fn finish(&self) -> ! {
        hprintln!("heap peak {}", HEAP.used().peak_bytes);
        hprintln!("stack peak {}", self.stack.peak_bytes());
        exit(EXIT_SUCCESS);
        never()
    }
}

/// Ends badly.
pub fn fail() -> ! {
    exit(EXIT_FAILURE);
    never()
}

fn never() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    hprintln!("panicked");
    fail()
}
