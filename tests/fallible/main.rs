//! What happens where the heap has none left: what fails, what ends the program, and how large it is.
//! `docs/memory.md` says it in words.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

mod estimates;
mod failing;
mod heap;
mod hostile;
mod support;
