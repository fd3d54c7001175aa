//! How a firmware ends that does not come to its end.

use crate::Board;
use core::{
    fmt::{self, Write},
    marker::PhantomData,
    panic::PanicInfo,
};

/// How far below the stack an access is still taken for an overflow: larger than the frames here.
const BELOW_STACK_BYTES: usize = 64 << 10;

/// The board's console.
pub(crate) struct Console<B>(PhantomData<B>);

impl<B: Board> Console<B> {
    /// Prints one line.
    pub(crate) fn print(line: fmt::Arguments<'_>) {
        // `write_str` below does not fail, and what is formatted has no error of its own.
        let _ = Self(PhantomData).write_fmt(format_args!("{line}\n"));
    }
}

impl<B: Board> Write for Console<B> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        B::write(text);
        Ok(())
    }
}

/// Prints the panic and exits with 1. For the board's panic handler.
pub fn panicked<B: Board>(info: &PanicInfo<'_>) -> ! {
    let message = info.message();
    match info.location() {
        Some(place) => Console::<B>::print(format_args!("panic: {message}, at {place}")),
        None => Console::<B>::print(format_args!("panic: {message}")),
    }
    B::exit(false)
}

/// What a processor tells of a fault.
#[derive(Debug)]
pub struct Fault<'a> {
    /// In words.
    pub cause: Cause,
    /// The instruction, if it is known.
    pub pc: Option<usize>,
    /// The stack pointer.
    pub sp: usize,
    /// What was accessed, if that is known.
    pub address: Option<usize>,
    /// The processor's own words.
    pub registers: fmt::Arguments<'a>,
}

/// Why a processor stopped, in the same words on all boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Not an instruction.
    UndefinedInstruction,
    /// Code where none may be run.
    Run,
    /// A read or a write that is not allowed.
    Access,
    /// Anything else.
    Other,
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::UndefinedInstruction => "undefined instruction",
            Self::Run => "code may not be run here",
            Self::Access => "memory may not be accessed like this",
            Self::Other => "the processor stopped",
        })
    }
}

/// Prints the fault and exits with 1. For the board's fault handler, on a stack of its own.
pub fn fault<B: Board>(fault: Fault<'_>) -> ! {
    let Fault { cause, pc, sp, address, registers } = fault;
    let low = B::memory().stack.start;
    let below = low.saturating_sub(BELOW_STACK_BYTES)..low;
    let overflow = below.contains(&sp) || address.is_some_and(|address| below.contains(&address));
    let cause: &dyn fmt::Display = if overflow { &"the stack overflowed" } else { &cause };
    let (pc, address) = (Known(pc), Known(address));
    Console::<B>::print(format_args!(
        "fault: {cause}; address={address} pc={pc} sp={sp:#x} {registers}"
    ));
    B::exit(false)
}

struct Known(Option<usize>);

impl fmt::Display for Known {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(out, "{address:#x}"),
            None => out.write_str("?"),
        }
    }
}
