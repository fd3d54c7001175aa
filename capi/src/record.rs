//! One decision, as the audit ring has it and as a callback is told.

use crate::{error::put_text, pointers::Struct};
use core::ffi::c_char;
use runtime::{AuditDecision, AuditRecord, PluginEvent};

/// What was decided.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wpr_audit_decision_t {
    /// At load: a plugin imports a function and holds the grant that is the resource. At `WPR_AUDIT_HOST_CALLS`: a host
    /// call was let through.
    WPR_AUDIT_GRANT = 0,
    /// A grant is missing: for a function that is imported, or for what a host call named.
    WPR_AUDIT_DENIAL = 1,
    /// A host call answered -5, or a call spent its fuel or its time.
    WPR_AUDIT_LIMIT = 2,
    /// A call trapped, a host function stopped it, or it was cancelled.
    WPR_AUDIT_TRAP = 3,
    /// A plugin was loaded (status 0), or was not (-1).
    WPR_AUDIT_LOAD = 4,
    /// A plugin was reloaded, or was not.
    WPR_AUDIT_RELOAD = 5,
    /// A plugin was rolled back, or was not.
    WPR_AUDIT_ROLLBACK = 6,
    /// A plugin was unloaded.
    WPR_AUDIT_UNLOAD = 7,
    /// A quota was reached.
    WPR_AUDIT_QUOTA = 8,
    /// A plugin was put in quarantine.
    WPR_AUDIT_QUARANTINE = 9,
    /// A plugin came out of quarantine.
    WPR_AUDIT_REVIVE = 10,
    /// Something that a later version of the library decides.
    WPR_AUDIT_OTHER = 11,
}

impl wpr_audit_decision_t {
    fn of(decision: AuditDecision) -> Self {
        match decision {
            AuditDecision::Grant => Self::WPR_AUDIT_GRANT,
            AuditDecision::Denial => Self::WPR_AUDIT_DENIAL,
            AuditDecision::Limit => Self::WPR_AUDIT_LIMIT,
            AuditDecision::Trap => Self::WPR_AUDIT_TRAP,
            AuditDecision::Load => Self::WPR_AUDIT_LOAD,
            AuditDecision::Reload => Self::WPR_AUDIT_RELOAD,
            AuditDecision::Rollback => Self::WPR_AUDIT_ROLLBACK,
            AuditDecision::Unload => Self::WPR_AUDIT_UNLOAD,
            AuditDecision::Quota => Self::WPR_AUDIT_QUOTA,
            AuditDecision::Quarantine => Self::WPR_AUDIT_QUARANTINE,
            AuditDecision::Revive => Self::WPR_AUDIT_REVIVE,
            _ => Self::WPR_AUDIT_OTHER,
        }
    }
}

/// Bytes of a name in a record, the zero byte at its end included.
pub const WPR_AUDIT_NAME_BYTES: usize = 48;

/// One decision. Names are UTF-8, cut, and end with a zero byte.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_audit_record_t {
    /// The size of the struct: `wpr_audit_record_init` sets it.
    pub struct_size: usize,
    /// The record's number, counting from 0; a number that is missing was dropped.
    pub sequence: u64,
    /// What the registry's clock said, in microseconds; `UINT64_MAX` without a clock.
    pub time_us: u64,
    /// The fuel that the host call was charged, or the call spent; 0 for the others.
    pub fuel: u64,
    /// What was decided: a `wpr_audit_decision_t`.
    pub decision: u32,
    /// What a host call answered; `INT32_MIN` if it stopped the guest without a status; the code of a trap; else 0 or -1.
    pub status: i32,
    /// The tenant of the plugin.
    pub tenant: [c_char; WPR_AUDIT_NAME_BYTES],
    /// The plugin.
    pub plugin: [c_char; WPR_AUDIT_NAME_BYTES],
    /// The host function that was called or imported; for a call that trapped, reached a limit or led to quarantine,
    /// the function of the plugin; else empty.
    pub function: [c_char; WPR_AUDIT_NAME_BYTES],
    /// What it is about: the table, index, collection, metric, setting or plugin that a host call named, the grant, the
    /// limit or quota, or how a call trapped.
    pub resource: [c_char; WPR_AUDIT_NAME_BYTES],
}

// SAFETY: `repr(C)`, the size first, numbers and bytes.
unsafe impl Struct for wpr_audit_record_t {
    const NAME: &'static str = "wpr_audit_record_t";

    fn initial() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            sequence: 0,
            time_us: u64::MAX,
            fuel: 0,
            decision: wpr_audit_decision_t::WPR_AUDIT_OTHER as u32,
            status: 0,
            tenant: [0; WPR_AUDIT_NAME_BYTES],
            plugin: [0; WPR_AUDIT_NAME_BYTES],
            function: [0; WPR_AUDIT_NAME_BYTES],
            resource: [0; WPR_AUDIT_NAME_BYTES],
        }
    }
}

impl wpr_audit_record_t {
    pub(crate) fn of(record: &AuditRecord) -> Self {
        let numbers = Self {
            sequence: record.sequence(),
            time_us: record.time_us().unwrap_or(u64::MAX),
            fuel: record.fuel(),
            decision: wpr_audit_decision_t::of(record.decision()) as u32,
            status: record.status(),
            ..Self::initial()
        };
        numbers.named([record.tenant(), record.plugin(), record.function(), record.resource()])
    }

    pub(crate) fn of_event(event: &PluginEvent<'_>) -> Self {
        let numbers = Self {
            fuel: event.fuel,
            decision: wpr_audit_decision_t::of(event.decision) as u32,
            status: event.status,
            ..Self::initial()
        };
        numbers.named([event.tenant, event.plugin, event.function, event.resource])
    }

    fn named(mut self, names: [&str; 4]) -> Self {
        let fields = [&mut self.tenant, &mut self.plugin, &mut self.function, &mut self.resource];
        for (field, name) in fields.into_iter().zip(names) {
            put_text(field, name);
        }
        self
    }
}
