//! The only place that names wasmi: admit and compile a module, run it in a sandbox.

mod admission;
mod batch;
mod code;
mod compiled;
mod constants;
mod convention;
mod costs;
mod dispatch;
mod driver;
mod failure;
mod idle;
mod inspect;
mod interpreter;
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
mod scratch;
mod shape;
#[cfg(feature = "code-sharing")]
mod sharing;
#[cfg(not(feature = "code-sharing"))]
#[path = "unshared.rs"]
mod sharing;
mod signature;
mod store;
mod task;
mod untyped;
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
    code::{Code, Source},
    compiled::{ExportedFunction, Exports},
    convention::{Bytes, Input},
    dispatch::check as check_dispatch,
    failure::{Evidence, Failure},
    limits::{CallLimits, Narrowed},
    link::HostBody,
    run::Stop,
    sandbox::Sandbox,
    sharing::SharedCode,
    task::Task,
    untyped::untyped_body,
    version::Version,
};
pub use self::{
    link::{HostParam, HostResult, IntoHostFunction},
    signature::{Params, Results},
};

#[cfg(test)]
mod tests;
