//! A board, and the suite run on it.

use crate::{end::Console, heap::Heap, mistake};
use conformance::{CountingHeap, Device, HeapUse, Stack};
use core::{fmt, marker::PhantomData, ops::Range};

#[global_allocator]
static HEAP: CountingHeap<Heap> = CountingHeap::new(Heap::empty());

/// What a board has to offer.
pub trait Board {
    /// Architecture, board, dispatch.
    const NAME: &'static str;

    /// The machine code of a function that returns at once, in the order of its bytes in memory.
    const RETURN: [u8; 4];

    /// Where things lie.
    fn memory() -> Memory;

    /// Writes to the console.
    fn write(text: &str);

    /// Ends the firmware: exit code 0 if it passed, else 1.
    fn exit(passed: bool) -> !;

    /// Microseconds since a fixed point.
    fn clock_us() -> u64;

    /// Instructions since a fixed point, if the board counts them.
    fn instructions() -> Option<u64>;

    /// Runs `work` and returns the instructions that took, if the board can tell.
    fn instructions_of(work: &mut dyn FnMut()) -> Option<u64> {
        let before = Self::instructions()?;
        work();
        Some(Self::instructions()? - before)
    }

    /// Runs an undefined instruction.
    fn undefined_instruction();
}

/// Where things lie, as the linker script says.
#[derive(Debug, Clone)]
pub struct Memory {
    /// Free for the heap.
    pub heap: Range<usize>,
    /// The native stack. An access below it is a fault.
    pub stack: Range<usize>,
    /// Code, constants and initial values; 0 if that is not known.
    pub flash_bytes: usize,
    /// A word that the emulator sets to have a mistake made; the board uses it for nothing else.
    pub mistake: usize,
}

/// Runs the suite on `B` and exits.
///
/// # Safety
///
/// Called once, on the stack that [`Board::memory`] names and before anything is allocated. Heap,
/// stack and mistake word are as [`Memory`] says, and apart from each other and from all statics.
pub unsafe fn run<B: Board>() -> ! {
    let memory = B::memory();
    // SAFETY: the caller promises that the memory is nobody else's and that this is the first use.
    unsafe { HEAP.inner.init(memory.heap.clone()) };
    // SAFETY: the caller promises that the word can be read and means nothing else.
    unsafe { mistake::make_if_asked::<B>(memory.mistake) };
    // SAFETY: the caller promises that this is the stack in use, and this thread is the only one.
    let stack = unsafe { Stack::new(memory.stack.start, memory.stack.end) };
    let mut device = Running::<B> { stack, flash_bytes: memory.flash_bytes, board: PhantomData };
    B::exit(conformance::run(&mut device).is_pass())
}

/// A board as the suite sees it.
struct Running<B> {
    stack: Stack,
    flash_bytes: usize,
    board: PhantomData<B>,
}

impl<B: Board> Device for Running<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }

    fn print(&mut self, line: fmt::Arguments<'_>) {
        Console::<B>::print(line);
    }

    fn clock(&self) -> Option<fn() -> u64> {
        Some(B::clock_us)
    }

    fn heap(&self) -> Option<HeapUse> {
        Some(HEAP.used())
    }

    fn stack(&self) -> Option<Stack> {
        Some(self.stack)
    }

    fn instructions(&mut self, work: &mut dyn FnMut()) -> Option<u64> {
        B::instructions_of(work)
    }

    fn flash_bytes(&self) -> Option<usize> {
        (self.flash_bytes > 0).then_some(self.flash_bytes)
    }
}
