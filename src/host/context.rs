//! Who is calling: what host functions know of a plugin, the same for all its sandboxes.

use super::{Chain, Host, Link};
use crate::{
    AuditDecision, AuditLog, PluginEvent, WasmInstanceConfig, WasmPluginInstance,
    audit::Recorded,
    engine::{ExportedFunction, Exports},
    ledger::{Account, Reached},
    schedule::Timer,
    sync::{Arc, Once, Weak},
};
use alloc::boxed::Box;
use core::any::Any;

/// What host functions know of the plugin that calls them, in one of its versions. Never changes.
///
/// In another version the same plugin has another configuration, hash and exports; the rest is the same.
pub(crate) struct PluginContext<H> {
    /// A number no other plugin of the process has.
    pub(crate) id: u64,
    pub(crate) name: Box<str>,
    pub(crate) config: WasmInstanceConfig,
    /// The SHA-256 of the module's bytes as they were given.
    pub(crate) hash: [u8; 32],
    /// The exported functions, sorted by name.
    pub(crate) exports: Exports,
    pub(crate) host: Arc<H>,
    pub(crate) clock: Option<Arc<dyn Timer>>,
    /// The registry, if it still exists: a plugin does not keep it alive.
    pub(crate) directory: Weak<dyn Directory<H>>,
    pub(crate) audit: Arc<AuditLog>,
    pub(crate) function_names: Arc<dyn FunctionNames>,
    /// What its tenant's plugins hold.
    pub(crate) account: Arc<Account>,
    /// What the host keeps for the plugin, once it has been looked up.
    pub(crate) kept: Once<Arc<dyn Any + Send + Sync>>,
}

/// What the host functions of a table are called.
pub(crate) trait FunctionNames: Send + Sync {
    /// The import name of a function by its index; empty if there is none.
    fn name(&self, index: usize) -> &str;
}

impl<H> PluginContext<H> {
    /// An exported function and its index.
    pub(crate) fn export(&self, name: &str) -> Option<(usize, &ExportedFunction)> {
        let index = self.exports.binary_search_by(|f| (*f.name).cmp(name)).ok()?;
        Some((index, self.exports.get(index)?))
    }

    /// The name of an exported function by its index.
    pub(crate) fn export_name(&self, index: usize) -> &str {
        self.exports.get(index).map_or("", |function| &function.name)
    }

    pub(crate) fn clock(&self) -> Option<&dyn Timer> {
        self.clock.as_deref()
    }

    /// Within how many microseconds a deadline is to be noticed.
    pub(crate) fn interval_us(&self) -> u64 {
        self.config.epoch_interval_ms.saturating_mul(1_000)
    }

    /// Records a decision about the plugin.
    #[cold]
    pub(crate) fn record(
        &self,
        decision: AuditDecision,
        function: &str,
        resource: &str,
        status: i32,
        fuel: u64,
    ) {
        self.audit.push(&self.event(decision, function, resource, status, fuel), self.clock());
    }

    /// A decision about the plugin.
    pub(crate) fn event<'a>(
        &'a self,
        decision: AuditDecision,
        function: &'a str,
        resource: &'a str,
        status: i32,
        fuel: u64,
    ) -> PluginEvent<'a> {
        let (tenant, plugin) = (&*self.config.tenant, &*self.name);
        PluginEvent { decision, tenant, plugin, function, resource, status, fuel }
    }
}

impl<H: Host> PluginContext<H> {
    /// Tells the host what happened to the plugin, and records it. No lock may be held.
    #[cold]
    pub(crate) fn tell(
        &self,
        decision: AuditDecision,
        function: &str,
        resource: &str,
        status: i32,
        fuel: u64,
    ) {
        let event = self.event(decision, function, resource, status, fuel);
        self.audit.push(&event, self.clock());
        self.host.event(&event);
    }

    /// Takes a call's fuel out of the rates of its tenant and of the registry, or as much as a full bucket
    /// has; all of it where no rate is set, and for a plugin that is not metered.
    pub(crate) fn take_fuel(&self, fuel: u64) -> Result<u64, Box<Reached>> {
        match self.config.enable_fuel {
            true => self
                .account
                .take_fuel(fuel, self.clock())
                .inspect_err(|reached| self.tell_quota(reached, None)),
            false => Ok(fuel),
        }
    }

    /// Gives back what was taken.
    pub(crate) fn give_fuel(&self, fuel: u64) {
        if self.config.enable_fuel {
            self.account.give_fuel(fuel);
        }
    }

    /// Tells of a ceiling of the tenant's or the registry's that was reached. In a call, `recorded` counts
    /// how many of these there are.
    #[cold]
    pub(crate) fn tell_quota(&self, reached: &Reached, recorded: Option<&Recorded>) {
        match recorded.is_none_or(Recorded::may_record) {
            true => self.tell(AuditDecision::Quota, "", reached.limit_name(), -1, 0),
            false => self.audit.miss(),
        }
    }
}

/// Where `call_plugin` finds its callee.
// It finds and does not call: what is behind a `dyn` is linked whether a program uses it or not.
pub(crate) trait Directory<H>: Send + Sync {
    /// The loaded plugin of that name.
    fn find(&self, name: &str) -> Option<Arc<WasmPluginInstance<H>>>
    where
        H: Host;
}

/// How far a call to another plugin came.
pub(crate) enum NestedResult {
    Ended {
        spent: u64,
        outcome: NestedOutcome,
    },
    /// It has to be gone on with later, and has taken the answer so far with it.
    Suspended(Box<dyn Any + Send>),
}

/// How a call to another plugin ended.
pub(crate) type NestedOutcome = Result<(), NestedFailure>;

impl NestedResult {
    /// A call that came to nothing.
    pub(crate) const fn failed(failure: NestedFailure) -> Self {
        Self::Ended { spent: 0, outcome: Err(failure) }
    }
}

/// A call from one plugin to another.
pub(crate) struct Nested<'a> {
    pub(crate) function: &'a str,
    pub(crate) input: &'a [u8],
    pub(crate) limits: NestedLimits<'a>,
    pub(crate) max_answer_bytes: u32,
}

/// What the caller leaves its callee.
pub(crate) struct NestedLimits<'a> {
    pub(crate) fuel: u64,
    pub(crate) slice_fuel: u64,
    /// What is left of the caller's time, if its clock has been read.
    pub(crate) deadline_us: Option<u64>,
    /// What the caller's whole time is, 0 for no limit.
    pub(crate) timeout_us: u64,
    pub(crate) tag: u64,
    /// The plugins that led to the caller, and the caller.
    pub(crate) chain: &'a Chain,
    /// How many decisions of the chain's calls went to the audit ring.
    pub(crate) recorded: &'a Recorded,
    /// The fuel after which the callee is to be paused; nothing if it cannot be.
    pub(crate) pause_after: Option<u64>,
    pub(crate) caller: Link,
    pub(crate) max_depth: u32,
}

/// How a call to another plugin failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NestedFailure {
    /// No such plugin for this tenant, or no such function: status -2.
    NotFound,
    /// The chain is as deep as it may be, or the answer is too long: status -5.
    LimitReached,
    /// Status -7, and what `last_answer` tells: a reason and a code.
    Failed { reason: u32, code: i32 },
}

impl NestedFailure {
    pub(crate) const fn refused(code: i32) -> Self {
        Self::Failed { reason: 0, code }
    }
    pub(crate) const fn trapped(code: i32) -> Self {
        Self::Failed { reason: 1, code }
    }
    pub(crate) const BUSY: Self = Self::Failed { reason: 2, code: 0 };
    pub(crate) const QUARANTINED: Self = Self::Failed { reason: 3, code: 0 };
    pub(crate) const BUDGET: Self = Self::Failed { reason: 4, code: 0 };
}
