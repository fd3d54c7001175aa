//! What an interpreter costs, and what this library adds to it: the same work in this library, in
//! wasmi by hand, in other interpreters, in a JIT and in native code, side by side.
//!
//! ```sh
//! cargo run --release --bin report              # writes REPORT.md and plots/; --quick, --only GROUP
//! cargo bench                                   # the same cases through criterion
//! cargo bench --profile quick -- --test         # every case once, to check its results
//! ```
//!
//! [`groups`] lists the [cases](case::Case); both drivers, [`mod@criterion`] and [`report`], run
//! what is in that list. Each case checks every result that it times. A runtime is one file in
//! [`runtimes`].

pub mod case;
pub mod criterion;
pub mod groups;
pub mod host_functions;
pub mod kernels;
pub mod modules;
pub mod report;
pub mod runtimes;
pub mod threads;
