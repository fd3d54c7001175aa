//! What runs: a few threads each, as short as they can be and still meet.
//!
//! What a model remembers to judge by, such as who holds a slot, is in std's types. Loom does not see
//! those: they add no order between threads, and no thread is interrupted at them. So what is noted
//! right after a step of the code is noted in the same instant.

mod both;
mod cancel;
mod handles;
mod pool;

pub use both::*;
pub use cancel::*;
pub use handles::*;
pub use pool::*;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A number that loom does not see.
#[derive(Default)]
struct Note(AtomicUsize);

impl Note {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Adds, and returns what it was.
    fn add(&self, n: usize) -> usize {
        self.0.fetch_add(n, Ordering::SeqCst)
    }

    fn subtract(&self, n: usize) -> usize {
        self.0.fetch_sub(n, Ordering::SeqCst)
    }
}
