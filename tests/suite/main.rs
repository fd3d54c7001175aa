//! What the library promises, shown on real plugins through the public API.
//!
//! One binary, so that it links once; one module for each subject.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

mod probe;
mod support;

mod abi;
mod capabilities;
mod exact_fuel;
mod host_table;
mod nested;
mod registry;
mod wild_pointers;
