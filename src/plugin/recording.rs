//! What of a plugin's life goes to the audit ring, and to the report of a call that was stopped.

use super::WasmPluginInstance;
use crate::{
    AuditDecision, AuditLevel, CallOptions, Error, Grant, ReportedHostCall, TrapReport,
    audit::Recorded,
    engine::{Evidence, Failure, Version},
    host::{Host, HostError, PluginContext, RecentCall, STOPPED},
    report,
    stats::fuel_consumed,
};

impl<H: Host> WasmPluginInstance<H> {
    /// Tells that the plugin was loaded.
    pub(crate) fn record_load(&self) {
        self.record_version(AuditDecision::Load, fuel_consumed(self.pool.counts()));
    }

    /// Tells how the version that is called came to be, and records which of the functions it imports it
    /// may call.
    pub(super) fn record_version(&self, decision: AuditDecision, fuel: u64) {
        let Ok(version) = self.version() else {
            return;
        };
        let Version { code, context, .. } = &*version;
        let hash = report::hex(context.hash.get(..8).unwrap_or_default());
        context.tell(decision, "", &hash, 0, fuel);
        let imports = code.imports();
        for (function, is_imported) in self.table.iter().zip(imports) {
            if !is_imported || function.grant == Grant::Always {
                continue;
            }
            let (decision, status) = match function.grant.is_possible(&context.config) {
                true => (AuditDecision::Grant, 0),
                false => (AuditDecision::Denial, -1),
            };
            context.record(decision, &function.name, function.grant.name(), status, 0);
        }
    }

    /// Tells how a call ended, if it was stopped.
    ///
    /// `recorded` counts for a nested call: its callers decide how many of these there are.
    #[cold]
    pub(super) fn record_failure(
        &self,
        function: &str,
        spent: u64,
        failure: &Failure,
        recorded: Option<&Recorded>,
    ) {
        let (decision, resource, status) = match failure {
            Failure::Host { error: HostError::Denied, .. } => {
                (AuditDecision::Denial, "a grant is missing", -1)
            }
            _ if !failure.is_midway() => return,
            Failure::OutOfFuel => (AuditDecision::Limit, "fuel_limit", 0),
            Failure::Deadline => (AuditDecision::Limit, "timeout_ms", 0),
            Failure::Cancelled => (AuditDecision::Trap, "cancelled", 0),
            Failure::Trap(code) => (AuditDecision::Trap, code.text(), code.code()),
            Failure::Host { .. } => (AuditDecision::Trap, "stopped by a host function", 0),
            _ => (AuditDecision::Trap, "invalid code", 0),
        };
        let context = self.identity();
        let event = context.event(decision, function, resource, status, spent);
        let is_told = recorded.is_none_or(Recorded::may_record);
        match decision {
            // The host call that was denied is recorded already.
            AuditDecision::Denial => {}
            _ if is_told || context.audit.level() == AuditLevel::HostCalls => {
                context.audit.push(&event, context.clock());
            }
            _ => context.audit.miss(),
        }
        if is_told {
            context.host.event(&event);
        }
    }

    /// What is known of a call that ended with `error`.
    pub(super) fn trap_report(
        &self,
        error: &Error,
        options: &CallOptions,
        evidence: &Evidence,
        context: &PluginContext<H>,
    ) -> TrapReport {
        let function = error.function();
        let exported = context.export(function);
        let limit = context.config.capabilities.fuel_limit;
        TrapReport {
            kind: error.kind(),
            trap_code: error.trap_code(),
            function: function.into(),
            debug_name: exported
                .and_then(|(_, function)| function.debug_name.as_deref())
                .map(Into::into),
            fuel_spent: evidence.fuel,
            fuel_limit: options.fuel.map_or(limit, |fuel| fuel.min(limit)),
            memory_bytes: evidence.memory_bytes,
            host_calls: evidence.host_calls.iter().map(|call| self.reported(call)).collect(),
            last_log: evidence.last_log.as_str().into(),
        }
    }

    fn reported(&self, call: &RecentCall) -> ReportedHostCall {
        ReportedHostCall {
            function: self.identity().function_names.name(call.function as usize).into(),
            status: (call.status != STOPPED).then_some(call.status),
        }
    }
}
