//! What the interpreter needs while it compiles, and would keep.
//!
//! wasmi 2.0.0 keeps what translating and validating the last function took, for the next: its vectors
//! are as long as the largest function of the module needs them. The engine of a plugin compiles once. It
//! lends what it keeps to whatever it compiles next, and gets it back only if that succeeds; so it is
//! handed a function that is not valid.

use super::{interpreter::translate, shape::Shape};
use wasmi::Engine;

/// Gives back what `engine` keeps from compiling `wasm`.
pub(super) fn release(engine: &Engine, wasm: &[u8], shape: &Shape) {
    let functions = shape.body_count() as usize + shape.grown_tables.len();
    if functions > 0 && !fills_buckets(functions) {
        // It begins as `wasm` does, types included, so that the engine learns no new ones.
        let types = wasm.get(..shape.types_end).unwrap_or_default();
        // Refused, and that is all there is to it.
        let _ = translate(engine, &[types, &INVALID_FUNCTION].concat());
    }
}

/// The functions in wasmi's first bucket of them; each further one has twice as many.
const FIRST_BUCKET: usize = 32;

/// Whether one function more would take a bucket more.
fn fills_buckets(functions: usize) -> bool {
    functions.saturating_add(FIRST_BUCKET).is_power_of_two()
}

/// Two sections of a module: one function of its first type, and a body, which takes a value from an empty stack.
const INVALID_FUNCTION: [u8; 11] = [3, 2, 1, 0, 10, 5, 1, 3, 0, 0x1a, 0x0b];
