//! The library as programs in C, Swift, Kotlin and JavaScript link it.
//!
//! The documentation for them is the header, `include/wasm_runtime.h`, which `header.sh` makes of what is documented
//! here. A few files are about the boundary itself:
//!
//! - `table.rs`: handles that are checked, and not waited for.
//! - `pointers.rs`: the only place that follows pointers of the program.
//! - `error.rs`: the boundary: what is told of an error, and that no panic crosses.
//! - `thread.rs`: what a callback may do, and what not.
//!
//! The others hand things on to the library.

#![no_std]
#![allow(non_camel_case_types)]
#![allow(clippy::too_many_arguments)] // of a C function

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod answers;
mod audit;
mod bytes;
mod call;
mod callback;
mod cancel;
mod code;
mod config;
mod error;
mod function;
mod handle;
mod host;
mod host_call;
mod lease;
mod logging;
mod maintenance;
mod no_handle;
mod options;
mod plugin;
mod pointers;
mod quotas;
mod record;
mod registry;
mod reload;
mod report;
mod slot;
mod stats;
mod status;
mod sync;
mod table;
mod tables;
mod thread;
mod typed;
mod value;
#[cfg(not(feature = "std"))]
mod without_std;

pub use crate::{
    audit::*, bytes::*, call::*, cancel::*, code::*, config::*, error::*, function::*, host::*,
    host_call::*, lease::*, logging::*, maintenance::*, options::*, plugin::*, pointers::*,
    quotas::*, record::*, registry::*, reload::*, stats::*, status::*, tables::*, thread::*,
    value::*,
};

/// The version of the API: a program that was compiled with a header of the same number, or a lower one, can use this
/// library.
pub const WPR_API_VERSION: u32 = 1;

/// Returns the version of the API that the library has: `WPR_API_VERSION` of its header.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_api_version() -> u32 {
    WPR_API_VERSION
}

/// Returns the version of the library: a text that stays.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_version() -> *const core::ffi::c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
