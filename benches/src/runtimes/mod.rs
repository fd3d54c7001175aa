//! The runtimes, one file each.

#[cfg(feature = "c-peers")]
pub mod c;
pub mod native;
pub mod ours;
pub mod raw;
pub mod tinywasm;
pub mod wasmtime;

use crate::{
    case::{Line, Run},
    kernels::Kernel,
    modules::Module,
};

/// A runtime, used in one way.
///
/// Each method makes something ready to be timed. What comes back does it as often as it is told and
/// checks each result; `None` says that this runtime does not take part.
pub trait Peer {
    /// What it is called.
    fn line(&self) -> Line;

    /// The host calls `nop: (i32) -> i64` of [`Module::pages`].
    fn nop(&self) -> Option<Run> {
        None
    }

    /// The host calls `add: (i32, i32) -> i32` of [`film::guests::calls`].
    fn add(&self) -> Option<Run> {
        None
    }

    /// The host hands so many bytes to `echo` of the fixture of that name and reads its answer, by
    /// the byte convention.
    fn echo(&self, _bytes: usize) -> Option<Run> {
        None
    }

    /// The guest of [`film::guests::calls`] runs a loop of as many turns as it is told.
    fn turns(&self, _loop_name: &'static str) -> Option<Run> {
        None
    }

    /// A module, compiled beforehand, gets a store and an instance of its own, of which `nop` is
    /// called.
    fn instantiate(&self, _module: &Module) -> Option<Run> {
        None
    }

    /// The bytes of a module become something that can be instantiated.
    fn load(&self, _module: &Module) -> Option<Run> {
        None
    }

    /// A kernel runs.
    fn kernel(&self, _kernel: &Kernel) -> Option<Run> {
        None
    }

    /// Calls `increment` of so many plugins in turn, each of which was loaded from [`COUNTER`] by
    /// itself.
    fn tenants(&self, _count: u32) -> Option<Run> {
        None
    }
}

/// The fixture `echo`.
pub const ECHO: &[u8] = include_bytes!("../../../fixtures/wasm/echo.wasm");
/// The fixture `counter`.
pub const COUNTER: &[u8] = include_bytes!("../../../fixtures/wasm/counter.wasm");

/// A peer that fails has nothing to say.
#[track_caller]
fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// The bytes that are handed to `echo`; even none have a place of their own.
///
/// Copying none to or from the dangling pointer of an empty `Vec` costs some 100 ns where memory is
/// copied with masked AVX-512 instructions.
fn message(bytes: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(bytes.max(64));
    message.extend((0..bytes).map(|at| at as u8));
    message
}

/// An answer of the byte convention: where it is, and its length.
fn halves(answer: i64) -> (usize, usize) {
    ((answer as u64 >> 32) as usize, answer as u32 as usize)
}

/// Something with a memory and the three functions of the byte convention, which each runtime calls
/// in its own way.
trait Bytes {
    /// What comes before an exchange.
    fn begin(&mut self) {}
    /// What comes after it.
    fn end(&mut self) {}
    fn alloc(&mut self, size: i32) -> i32;
    fn free(&mut self, ptr: i32, size: i32);
    fn echo(&mut self, ptr: i32, len: i32) -> i64;
    fn write(&mut self, at: usize, bytes: &[u8]);
    fn read(&self, at: usize, bytes: &mut [u8]);
}

/// The byte convention by hand: what this library's `call_bytes_into` does.
fn exchange(mut guest: impl Bytes + 'static, bytes: usize) -> Run {
    let (input, mut output) = (message(bytes), message(bytes));
    Box::new(move |n| {
        for _ in 0..n {
            output.fill(0);
            guest.begin();
            let len = input.len() as i32;
            let mut ptr = 0;
            if len > 0 {
                ptr = guest.alloc(len);
                guest.write(ptr as usize, &input);
            }
            let (at, answered) = halves(guest.echo(ptr, len));
            guest.read(at, &mut output[..answered]);
            if ptr != 0 {
                guest.free(ptr, len);
            }
            guest.end();
            assert_eq!((answered, &output), (input.len(), &input));
        }
    })
}

/// The tenants' counters, called in turn; each must have counted the calls it had.
fn round_robin<T: 'static>(
    mut tenants: Vec<T>,
    mut increment: impl FnMut(&mut T) -> i32 + 'static,
) -> Run {
    let (mut next, mut round) = (0, 1);
    Box::new(move |n| {
        for _ in 0..n {
            assert_eq!(increment(&mut tenants[next]), round);
            next += 1;
            if next == tenants.len() {
                (next, round) = (0, round + 1);
            }
        }
    })
}
