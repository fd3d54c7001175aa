//! Sandboxed, multi-tenant WebAssembly plugins for targets where a JIT is forbidden or impossible.
//!
//! A [`WasmPluginRegistry`] loads untrusted modules, runs them in an interpreter and gives them what
//! their configuration grants: tables, metrics, a log, settings, other plugins, functions of the
//! embedder's own. A plugin that misbehaves ends as an [`Error`], never as a crash of the host. No
//! executable memory is ever asked for.
//!
//! - Load and call: [`WasmPluginRegistry`], [`WasmPluginInstance`], [`PluginFunction`],
//!   [`PluginLease`].
//! - Stay in charge: [`PluginCall`] runs a call piece by piece, [`Scheduler`] many of them on one core,
//!   [`CancelToken`] stops one.
//! - Keep fresh sandboxes ready, and let go of idle ones: [`WasmPluginRegistry::maintain`].
//! - Leave one alone that fails again and again: [`QuarantinePolicy`].
//! - Say what a tenant's plugins may hold together: `WasmPluginRegistry::tenant`.
//! - Say what a plugin may do: [`WasmInstanceConfig`], [`WasmPluginCapabilities`],
//!   [`ModuleLimits`].
//! - Give it data: [`EmbeddedHost`], or a [`Host`] of your own; [`HostFunctionTable`] for functions
//!   of your own.
//! - Tell it what the program does: [`WasmObservabilityPlugin`].
//!
//! # Features
//!
//! | feature | default | what it does |
//! |---|---|---|
//! | `std` | yes | std's locks, a default clock, loading from files; without it the crate is `no_std` + `alloc` |
//! | `simd` | yes | the SIMD proposals |
//! | `quotas` | yes | quotas of tenants: what their plugins may hold and spend together |
//! | `code-sharing` | yes | plugins of the same bytes may share their compiled code: [`CodeSharing`] |
//! | `portable-dispatch` | no | an interpreter loop that is sound in every build, 1.1 to 3.6 times slower on x86-64; always on but on x86-64 and AArch64 with float registers |
//! | `mmap` | no | `WasmPluginRegistry::load_from_mapped_file` |

#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod admission;
mod audit;
mod batch;
mod budget;
mod cancel;
mod capabilities;
mod clock;
mod condition;
mod config;
mod embedded;
mod engine;
mod error;
#[cfg(feature = "std")]
mod file;
mod frame;
mod function;
mod host;
mod kernel;
mod lease;
mod ledger;
mod limits;
mod maintenance;
#[cfg(feature = "mmap")]
mod mmap;
mod nested;
mod observability;
mod origin;
mod plugin;
mod plugin_call;
mod pool;
mod prometheus;
mod quarantine;
mod registry;
mod reload;
mod report;
mod schedule;
mod scheduler;
mod state;
mod stats;
mod sync;
#[cfg(feature = "quotas")]
mod tenant;
mod text;
mod trap;
mod value;

#[cfg(feature = "std")]
pub use crate::registry::Maintainer;
pub use crate::{
    admission::{AdmissionReport, AdmittedFunction, AdmittedImport},
    audit::{AuditDecision, AuditLevel, AuditLog, AuditRecord, PluginEvent},
    batch::BatchError,
    cancel::CancelToken,
    capabilities::{Grant, WasmPluginCapabilities},
    clock::Clock,
    config::{CallOptions, CodeSharing, Compilation, DenyPolicy, ResetPolicy, WasmInstanceConfig},
    embedded::{Distance, EmbeddedHost, HostQuota, IndexKey, MetricSample},
    engine::{HostParam, HostResult, IntoHostFunction, Params, Results},
    error::{Error, ErrorKind, Fault},
    function::PluginFunction,
    host::{
        Host, HostCall, HostCost, HostError, HostFunctionTable, Labels, LogMessage, MAX_DIMS,
        MAX_K, Metric, MetricKind, Nearest, Output, Query,
    },
    lease::PluginLease,
    limits::{GrowthPolicy, MAX_CALL_DEPTH, MAX_MIN_STACK_BYTES, ModuleLimits},
    maintenance::{Maintained, MaintenanceBudget},
    observability::{
        Extension, ExtensionCapability, ExtensionInfo, ObservabilityExtension, ObservabilityStats,
        WasmObservabilityPlugin,
    },
    plugin::WasmPluginInstance,
    plugin_call::{PluginCall, Progress},
    quarantine::{Quarantine, QuarantineEnd, QuarantinePolicy},
    registry::{RegistryBuilder, WasmPluginRegistry},
    reload::{Probe, ReloadOptions, StateHandover, VersionChange, VersionRecord},
    scheduler::{CallId, Scheduler, Turn},
    state::WasmPluginState,
    stats::{HostFunctionStats, LatencyHistogram, TrapStats, WasmPluginStats},
    trap::{ReportedHostCall, TrapCode, TrapReport},
    value::{MAX_VALUES, ValueType, WasmValue, WasmValues},
};
#[cfg(feature = "quotas")]
pub use crate::{
    registry::Tenant,
    tenant::{FuelRate, TenantQuota, TenantUsage},
};
/// How important a guest's log line is: the `log` crate's levels.
pub use log::Level as LogLevel;

/// The README's example, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
