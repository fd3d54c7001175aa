//! What the library promises about the heap, shown with an allocator that counts.
//!
//! A warm call allocates nothing, whatever it calls; unloading gives everything back; nothing that
//! goes wrong leaves anything behind. "Warm" means that the sandbox has run that function once, with
//! arguments of that size.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

mod audit;
mod calls;
mod dropping;
mod failures;
mod flooding;
mod heap;
mod host_functions;
mod maintenance;
mod nesting;
mod observability;
mod own_hosts;
mod parallel;
mod piecewise;
mod reloading;
mod scheduling;
mod sharing;
mod sizes;
mod slices;
mod small_tenant;
mod support;
mod unloading;
