//! What the suite needs of the program.

use crate::{
    kernel::{self, CLOCK_GETTIME, EXIT_GROUP, WRITE},
    pages::{PAGE_BYTES, Pages, STACK, STACK_BYTES},
    steps,
};
use core::{
    arch::asm,
    ptr::with_exposed_provenance,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use firmware::{Board, Memory};

const HEAP_BYTES: usize = 32 << 20;

static HEAP: Pages<HEAP_BYTES> = Pages::new();
static MISTAKE: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" {
    static __executable_start: u8;
    static edata: u8;
}

/// A program without a C library.
pub(crate) struct Program;

/// Asks for the mistake whose number, one digit, is the program's argument.
///
/// # Safety
///
/// `told` is how many arguments there are, the program's name included, and then the addresses of
/// texts that end with a zero.
pub(crate) unsafe fn take_mistake(told: *const usize) {
    // SAFETY: the caller's promise.
    let arguments = unsafe { told.read() };
    if arguments == 2 {
        // SAFETY: as before; the text has one byte at least, its end.
        let digit = unsafe { with_exposed_provenance::<u8>(told.add(2).read()).read() };
        MISTAKE.store(0xbad0_0000 + u32::from(digit.wrapping_sub(b'0')), Relaxed);
    }
}

impl Board for Program {
    const NAME: &'static str = if cfg!(feature = "portable-dispatch") {
        "x86-64, freestanding, portable dispatch"
    } else {
        "x86-64, freestanding, tail dispatch"
    };
    // ret
    const RETURN: [u8; 4] = [0xc3; 4];

    fn memory() -> Memory {
        let stack = STACK.addr() + PAGE_BYTES..STACK.addr() + STACK_BYTES;
        let code = (&raw const __executable_start).addr();
        Memory {
            heap: HEAP.addr()..HEAP.addr() + HEAP_BYTES,
            stack,
            flash_bytes: (&raw const edata).addr() - code,
            mistake: MISTAKE.as_ptr().expose_provenance(),
        }
    }

    fn write(text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            // SAFETY: the kernel reads the text.
            let written = unsafe { kernel::call(WRITE, [1, rest.as_ptr().addr(), rest.len(), 0]) };
            rest = usize::try_from(written).ok().and_then(|n| rest.get(n..)).unwrap_or_default();
        }
    }

    fn exit(passed: bool) -> ! {
        loop {
            // SAFETY: the process ends.
            unsafe { kernel::call(EXIT_GROUP, [usize::from(!passed), 0, 0, 0]) };
        }
    }

    fn clock_us() -> u64 {
        const MONOTONIC: usize = 1;
        let mut seconds_and_ns = [0_u64; 2];
        let into = (&raw mut seconds_and_ns).expose_provenance();
        // SAFETY: the kernel writes two numbers of 64 bits.
        unsafe { kernel::call(CLOCK_GETTIME, [MONOTONIC, into, 0, 0]) };
        let [seconds, ns] = seconds_and_ns;
        seconds * 1_000_000 + ns / 1_000
    }

    fn instructions() -> Option<u64> {
        None
    }

    fn instructions_of(work: &mut dyn FnMut()) -> Option<u64> {
        Some(steps::step_through(work))
    }

    fn undefined_instruction() {
        // SAFETY: it changes nothing; the processor takes an exception.
        unsafe { asm!("ud2", options(nomem, nostack)) };
    }
}
