//! The only place that names wasmi: admit and compile a module, run it in a sandbox.

mod admission;
mod admit;
mod code;
mod convention;
mod dispatch;
mod failure;
mod limiter;
mod link;
mod proposals;
mod run;
mod sandbox;
mod signature;
mod start;
mod store;
mod unwind;
mod values;

pub(crate) use self::{
    admission::admission,
    code::{Code, ExportedFunction},
    dispatch::check as check_dispatch,
    failure::Failure,
    link::HostBody,
    sandbox::{CallLimits, Sandbox},
};
pub use self::{
    link::{HostParam, HostResult, IntoHostFunction},
    signature::{Params, Results},
};
