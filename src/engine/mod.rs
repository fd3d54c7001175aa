//! The only place that names wasmi: admit and compile a module, run it in a sandbox.

mod admission;
mod code;
mod constants;
mod convention;
mod costs;
mod dispatch;
mod failure;
mod inspect;
mod limiter;
mod limits;
mod link;
mod memories;
mod names;
mod operators;
mod proposals;
mod rewrite;
mod run;
mod sandbox;
mod shape;
mod signature;
mod store;
mod task;
mod unwind;
mod values;
mod version;
#[cfg(feature = "quotas")]
mod weight;
#[cfg(not(feature = "quotas"))]
#[path = "weightless.rs"]
mod weight;

pub(crate) use self::{
    admission::admission,
    code::{Code, ExportedFunction, Exports},
    convention::{Bytes, Input},
    dispatch::check as check_dispatch,
    failure::{Evidence, Failure},
    limits::{CallLimits, Narrowed},
    link::HostBody,
    run::Stop,
    sandbox::Sandbox,
    task::Task,
    version::Version,
};
pub use self::{
    link::{HostParam, HostResult, IntoHostFunction},
    signature::{Params, Results},
};

#[cfg(test)]
mod tests;
