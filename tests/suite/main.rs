//! What the library promises, shown on real plugins through the public API.
//!
//! One binary, so that it links once; one module for each subject.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

mod support;

mod abi;
mod abi_document;
mod admission;
mod audit;
mod batches;
mod bytes;
mod calls;
mod capabilities;
mod concurrency;
mod containment;
mod data_set;
mod deadlines;
mod events;
mod exact_fuel;
mod exposition;
mod fuel;
mod host_table;
mod leases;
mod limits;
mod lives;
mod maintenance;
mod modules;
mod nested;
mod observability;
mod piecewise;
mod probe;
mod prometheus;
mod quarantine;
mod quotas;
mod registry;
mod reload;
mod scheduler;
mod search;
mod sharing;
mod small_memory;
mod stack;
mod statistics;
mod timing;
mod trap_reports;
mod wild_pointers;
mod word_frequencies;
