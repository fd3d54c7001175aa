//! How one plugin is to be run.

use crate::{ModuleLimits, QuarantinePolicy, WasmPluginCapabilities};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// How one plugin is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WasmInstanceConfig {
    /// What the plugin may do. Default: nothing ([`WasmPluginCapabilities::default`]).
    pub capabilities: WasmPluginCapabilities,
    /// Whether failed calls are also written to the log. Default: no.
    pub debug_mode: bool,
    /// Whether calls are metered. Default: yes.
    ///
    /// Without fuel nothing bounds the time or the native stack of a call: it needs
    /// `timeout_ms = 0`, and either the feature `portable-dispatch` or a plugin the embedder trusts
    /// (README, "What it does not do").
    pub enable_fuel: bool,
    /// Whether `timeout_ms` applies. Default: yes.
    pub enable_epochs: bool,
    /// How soon after its deadline a call is to be noticed, in milliseconds. Default: 10.
    ///
    /// How much fuel goes by between two looks at the clock follows the speed that the guest was
    /// measured to have, from 100 to 160,000, so that there are eight in this time. 0 means as often
    /// as that. One instruction over much memory, and a host function that does not look itself, are
    /// not interrupted.
    pub epoch_interval_ms: u64,
    /// The tenant the plugin belongs to: 1 to 128 bytes. Default: `"default"`.
    pub tenant: String,
    /// What `get_config` answers, as pairs of name and value. Names may not start `soch.`.
    /// Default: none.
    pub settings: Vec<(String, String)>,
    /// Names of [`Grant::Custom`](crate::Grant::Custom) that the plugin holds. Default: none.
    pub custom_grants: Vec<String>,
    /// How many calls may run at once, each in its own sandbox; 1 to 1,024. Default: 4.
    ///
    /// 1 means that all calls share one state.
    pub max_instances: u32,
    /// How many sandboxes are to be ready for calls, those apart that calls have; 0 to `max_instances`.
    /// Default: 0.
    ///
    /// From 1 on, a call leaves a sandbox that is used up as it is, for
    /// [`WasmPluginRegistry::maintain`](crate::WasmPluginRegistry::maintain) to put another in its place.
    /// So with [`ResetPolicy::AfterCall`] each call gets fresh state that was made before it came. A call
    /// that finds none ready makes one itself.
    pub min_instances: u32,
    /// Whether sandboxes may be dropped for want of memory although they hold what earlier calls left.
    /// Default: no.
    ///
    /// Says with [`ResetPolicy::OnTrap`] that the plugin can do without its state:
    /// [`maintain`](crate::WasmPluginRegistry::maintain) may then drop it where nothing has called it for
    /// long. The next call begins in a fresh sandbox.
    pub trim_idle: bool,
    /// When a sandbox is replaced by a fresh one. Default: after a trap.
    pub reset: ResetPolicy,
    /// What a denied host call does. Default: the guest gets status -1.
    pub on_denied: DenyPolicy,
    /// Fuel over all calls until [`refuel`](crate::WasmPluginInstance::refuel). Default: no such
    /// budget.
    pub fuel_budget: Option<u64>,
    /// When the plugin is put in quarantine for failing again and again. Default: never.
    pub quarantine: Option<QuarantinePolicy>,
    /// The SHA-256 the module must have. Default: any.
    pub expected_sha256: Option<[u8; 32]>,
    /// When code is compiled. Default: at load.
    pub compilation: Compilation,
    /// With which other plugins it shares its compiled code. Default: with none.
    pub code_sharing: CodeSharing,
    /// What the module may contain, and how much stack its code may use.
    pub limits: ModuleLimits,
}

impl Default for WasmInstanceConfig {
    fn default() -> Self {
        Self {
            capabilities: WasmPluginCapabilities::default(),
            debug_mode: false,
            enable_fuel: true,
            enable_epochs: true,
            epoch_interval_ms: 10,
            tenant: "default".to_string(),
            settings: Vec::new(),
            custom_grants: Vec::new(),
            max_instances: 4,
            min_instances: 0,
            trim_idle: false,
            reset: ResetPolicy::OnTrap,
            on_denied: DenyPolicy::Status,
            fuel_budget: None,
            quarantine: None,
            expected_sha256: None,
            compilation: Compilation::Eager,
            code_sharing: CodeSharing::Own,
            limits: ModuleLimits::default(),
        }
    }
}

impl WasmInstanceConfig {
    /// The timeout that applies, in microseconds; 0 for none.
    pub(crate) fn timeout_us(&self) -> u64 {
        match self.enable_epochs {
            true => self.capabilities.timeout_ms.saturating_mul(1_000),
            false => 0,
        }
    }

    /// The timeout of a call that `options` narrow, in microseconds; 0 for none.
    #[inline(never)]
    pub(crate) fn call_timeout_us(&self, options: &CallOptions) -> u64 {
        match (self.timeout_us(), options.timeout_ms) {
            // A configuration without a timeout may have been made for want of a clock.
            (own, None | Some(0)) => own,
            (0, Some(ms)) => ms.saturating_mul(1_000),
            (own, Some(ms)) => own.min(ms.saturating_mul(1_000)),
        }
    }
}

/// When a sandbox is replaced by a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResetPolicy {
    /// After a trap. Until then, calls to the same sandbox see what earlier ones left.
    #[default]
    OnTrap,
    /// After every call, so that each call sees the module's initial state.
    AfterCall,
}

/// What a denied host call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DenyPolicy {
    /// The guest gets status -1. A host function that returns no integer traps instead.
    #[default]
    Status,
    /// The call ends with [`ErrorKind::Denied`](crate::ErrorKind::Denied).
    Trap,
}

/// When a plugin's code is compiled for the interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compilation {
    /// At load: an invalid function fails the load, and the first call costs what the second does.
    #[default]
    Eager,
    /// Each function on its first call: a faster load, and an invalid function is found when it is
    /// called; at load, if the module has a start section or grows a table. Costs no fuel.
    Lazy,
}

/// With which other plugins a plugin shares its compiled code.
///
/// Plugins whose modules are the same to the byte, and which agree in `enable_fuel`, `min_stack_bytes`,
/// `max_stack_bytes` and `max_recursion_depth`, then have one copy of it, which goes with the last of them.
/// Everything else stays apart: memories, limits, grants, statistics. What they share besides is a lock, which
/// each call takes for a moment: callers on several threads wait for one another there (README, "Many
/// tenants"). Needs [`Compilation::Eager`] and the feature `code-sharing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CodeSharing {
    /// With none.
    #[default]
    Own,
    /// With those of its tenant that say so too. The tenant's quota is charged for it once.
    Tenant,
    /// With those of any tenant that say so too. No tenant's quota is charged for it, but the registry's: for
    /// modules that the host brings, not for those that a tenant chooses.
    Registry,
}

impl CodeSharing {
    /// Whether code can be shared in this build.
    pub(crate) const IS_POSSIBLE: bool = cfg!(feature = "code-sharing");
}

/// How one call is narrowed below what the plugin may use. The default narrows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallOptions {
    /// Fuel for this call, if less than the plugin's `fuel_limit`.
    pub fuel: Option<u64>,
    /// Time for this call, in milliseconds, if less than the plugin's `timeout_ms`. 0 narrows
    /// nothing. Ignored without a clock.
    pub timeout_ms: Option<u64>,
    /// A number that host functions can read with [`HostCall::tag`](crate::HostCall::tag).
    pub tag: u64,
}
