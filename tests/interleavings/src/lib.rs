//! The library's own code for slots, cancellation and the handles of its C API, run in every order of its steps.
//!
//! The files are included as they are. What they take from `crate::sync` is here in the types of
//! [loom](https://docs.rs/loom), which runs a model again and again: in each order in which its
//! threads can take turns, and with each value that a load may see by the rules of the memory model.
//! The models are in [`models`], and the tests that run them in `tests/models.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

extern crate alloc;

#[allow(dead_code)] // the models use most of it
#[path = "../../../src/cancel.rs"]
mod cancel;
pub mod models;
#[allow(dead_code)]
#[path = "../../../src/pool.rs"]
mod pool;
#[allow(dead_code, unsafe_code)]
#[path = "../../../capi/src/slot.rs"]
mod slot;
mod sync;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Runs a model in every order with at most `preemptions` of them where a thread is interrupted that
/// could go on, or all if there is no such bound; returns how many orders that were.
pub fn explore(preemptions: impl Into<Option<usize>>, model: fn()) -> usize {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions.into();
    builder.max_permutations = None;
    builder.max_duration = None;
    let explored = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&explored);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    explored.load(Ordering::Relaxed)
}
