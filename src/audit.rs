//! The audit ring: what was granted, denied, limited and stopped, for whoever watches the host.
//!
//! A record is written where the decision is taken, into a ring of fixed size, and never waits: if
//! another thread is at the ring in that moment, the record is dropped and counted.

use crate::{
    schedule::Timer,
    sync::{AtomicU64, AtomicUsize, Ordering, TryMutex},
    text::prefix,
};
use alloc::boxed::Box;
use core::fmt;

/// Records that the ring holds.
const CAPACITY: usize = 64;
/// Bytes kept of a name.
const MAX_NAME_BYTES: usize = 40;

/// Which decisions a registry keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum AuditLevel {
    /// None. No memory is taken for the ring.
    Off,
    /// Loads and unloads, what a plugin was granted when it was loaded, quarantines, quotas that were
    /// reached, and every denial, limit and trap.
    #[default]
    Decisions,
    /// Every host call as well.
    HostCalls,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuditDecision {
    /// At load: a plugin imports a function and holds the grant that is the resource. At
    /// [`AuditLevel::HostCalls`]: a host call was let through, whatever it answered.
    Grant,
    /// At load: a plugin imports a function without the grant that is the resource. Later: a host
    /// call was denied, for the table, index, collection or plugin that is the resource.
    Denial,
    /// A host call answered -5, or a call spent its fuel or its time.
    Limit,
    /// A call trapped, a host function stopped it, or it was cancelled.
    Trap,
    /// A plugin was loaded (status 0; the resource is the beginning of its SHA-256), or was not
    /// (status -1; the resource is the [`ErrorKind`](crate::ErrorKind)).
    Load,
    /// A plugin was reloaded (status 0; the resource is the beginning of the new version's SHA-256), or
    /// was not, and the version before serves (status -1; the resource is the
    /// [`ErrorKind`](crate::ErrorKind)).
    Reload,
    /// A plugin was rolled back to the version before, or was not: as of a reload.
    Rollback,
    /// A plugin was unloaded.
    Unload,
    /// A quota of the tenant or of the registry was reached: the resource is the field of
    /// `TenantQuota`.
    Quota,
    /// A plugin was put in quarantine; the function and the resource say what failed last.
    Quarantine,
    /// A plugin came out of quarantine: the resource says how.
    Revive,
}

/// One decision. Names are cut after 40 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    sequence: u64,
    time_us: Option<u64>,
    fuel: u64,
    status: i32,
    decision: AuditDecision,
    tenant: Name,
    plugin: Name,
    function: Name,
    resource: Name,
}

type Name = heapless::String<MAX_NAME_BYTES, u8>;

impl AuditRecord {
    /// Returns the record's number, counting from 0. A number that is missing was dropped.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns what the registry's clock said, in microseconds; nothing without a clock.
    pub fn time_us(&self) -> Option<u64> {
        self.time_us
    }

    /// Returns what was decided.
    pub fn decision(&self) -> AuditDecision {
        self.decision
    }

    /// Returns the tenant of the plugin.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Returns the plugin.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Returns the host function that was called or imported; for a call that trapped, reached a limit or
    /// led to quarantine, the function of the plugin, empty for its start function; else empty.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Returns what it is about: the table, index, collection, metric, setting or plugin that a host
    /// call named, the grant, the limit (`fuel_limit`, `timeout_ms`) or quota, or how a call trapped.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Returns what a host call answered, or would have if its status had not stopped the guest
    /// ([`DenyPolicy::Trap`](crate::DenyPolicy::Trap), a result without room for a status);
    /// `i32::MIN` if it stopped the guest without a status; the [code](crate::TrapCode::code) of a
    /// trap; else 0 or -1.
    pub fn status(&self) -> i32 {
        self.status
    }

    /// Returns the fuel that the host call was charged, or the call spent; 0 for the others.
    pub fn fuel(&self) -> u64 {
        self.fuel
    }
}

impl fmt::Display for AuditRecord {
    /// One line, in which names from plugins are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, decision, tenant, plugin, function, resource, status, fuel, .. } =
            self;
        write!(f, "{sequence} {decision:?} {tenant:?}/{plugin:?}")?;
        if !function.is_empty() {
            write!(f, " {function:?}")?;
        }
        if !resource.is_empty() {
            write!(f, " {resource:?}")?;
        }
        write!(f, " status {status}, fuel {fuel}")
    }
}

/// Something that happened to a plugin, as [`Host::event`](crate::Host::event) is told. The same goes
/// to the audit ring: the fields are those of an [`AuditRecord`], and names are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginEvent<'a> {
    /// What happened.
    pub decision: AuditDecision,
    /// The tenant of the plugin.
    pub tenant: &'a str,
    /// The plugin.
    pub plugin: &'a str,
    /// The function that it is about, or empty: see [`AuditRecord::function`].
    pub function: &'a str,
    /// What else it is about, or empty: see [`AuditRecord::resource`].
    pub resource: &'a str,
    /// See [`AuditRecord::status`].
    pub status: i32,
    /// The fuel that was spent: see [`AuditRecord::fuel`].
    pub fuel: u64,
}

/// The last 64 decisions of a registry, until someone takes them.
///
/// When it is full, the oldest record makes room. About 14 KB, none at [`AuditLevel::Off`].
///
/// ```
/// use wasm_runtime::{AuditDecision, WasmInstanceConfig, WasmPluginRegistry};
///
/// # fn main() -> Result<(), wasm_runtime::Error> {
/// # let wasm = include_bytes!("../fixtures/wasm/misbehaving/forbidden_table.wasm");
/// let registry = WasmPluginRegistry::new();
/// registry.load("spy", wasm, WasmInstanceConfig::default())?;
/// registry.call("spy", "read", &[])?;
/// let mut records = std::iter::from_fn(|| registry.audit().pop());
/// let denial = records.find(|r| r.decision() == AuditDecision::Denial && r.status() == -1);
/// assert!(denial.is_some_and(|r| r.plugin() == "spy"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AuditLog {
    level: AuditLevel,
    ring: Option<Box<TryMutex<Ring>>>,
    /// By way of a pointer: a program that keeps no records is linked without what writes them.
    write: Write,
    /// Records that found the ring in use, or were too many of one call.
    missed: AtomicU64,
    /// Records that made room for others before anyone took them.
    overwritten: AtomicU64,
}

type Write = fn(&AuditLog, &PluginEvent<'_>, Option<&dyn Timer>);

#[derive(Debug, Default)]
struct Ring {
    records: heapless::Deque<AuditRecord, CAPACITY>,
    written: u64,
}

impl AuditLog {
    pub(crate) fn new(level: AuditLevel) -> Self {
        let (ring, write): (_, Write) = match level {
            AuditLevel::Off => (None, |_, _, _| {}),
            AuditLevel::Decisions | AuditLevel::HostCalls => (Some(Box::default()), Self::write),
        };
        Self { level, ring, write, missed: AtomicU64::new(0), overwritten: AtomicU64::new(0) }
    }

    /// Returns which decisions are kept.
    pub fn level(&self) -> AuditLevel {
        self.level
    }

    /// Returns how many records the ring holds at most.
    pub fn capacity(&self) -> usize {
        self.ring.as_ref().map_or(0, |_| CAPACITY)
    }

    /// Takes the oldest record. Waits in a loop while another thread is at the ring, which copies one
    /// record; so this is not for interrupt handlers, nor for a task that keeps such a thread from
    /// running.
    pub fn pop(&self) -> Option<AuditRecord> {
        self.ring.as_ref()?.lock().records.pop_front()
    }

    /// Returns how many records were lost: written over before they were taken; not written because
    /// another thread was at the ring; or not written because the same call of a plugin, and
    /// the calls that it led to, had written eight already (except at [`AuditLevel::HostCalls`]).
    pub fn dropped(&self) -> u64 {
        self.overwritten.load(Ordering::Relaxed).wrapping_add(self.missed.load(Ordering::Relaxed))
    }

    /// Counts a record that is not written, where there is a ring for it.
    #[cold]
    pub(crate) fn miss(&self) {
        if self.ring.is_some() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records a decision, or drops it. Never waits.
    #[cold]
    pub(crate) fn push(&self, entry: &PluginEvent<'_>, clock: Option<&dyn Timer>) {
        (self.write)(self, entry, clock);
    }

    fn write(&self, entry: &PluginEvent<'_>, clock: Option<&dyn Timer>) {
        let Some(ring) = &self.ring else {
            return;
        };
        let time_us = clock.map(Timer::now_us);
        let Some(mut ring) = ring.try_lock() else {
            self.miss();
            return;
        };
        // Both only grow, and one of them is this thread's alone: no number is given twice.
        let sequence = ring.written.wrapping_add(self.missed.load(Ordering::Relaxed));
        ring.written = ring.written.wrapping_add(1);
        if ring.records.is_full() && ring.records.pop_front().is_some() {
            self.overwritten.fetch_add(1, Ordering::Relaxed);
        }
        // Cannot fail: there is room.
        let _ = ring.records.push_back(entry.record(sequence, time_us));
    }
}

/// How many decisions of one call went to the audit ring. Calls of one chain run one after the other.
#[derive(Debug, Default)]
pub(crate) struct Recorded(AtomicUsize);

/// How many may: a guest that is denied in a loop, or has other plugins denied or trapped, shall not
/// write over what others did.
const MAX_RECORDED: usize = 8;

impl Recorded {
    /// Takes over the count of another.
    #[inline]
    pub(crate) fn set_to(&self, other: Option<&Self>) {
        let count = other.map_or(0, |other| other.0.load(Ordering::Relaxed));
        self.0.store(count, Ordering::Relaxed);
    }

    /// Whether one more decision goes to the audit ring.
    pub(crate) fn may_record(&self) -> bool {
        let count = self.0.load(Ordering::Relaxed);
        self.0.store(count.saturating_add(1), Ordering::Relaxed);
        count < MAX_RECORDED
    }
}

impl PluginEvent<'_> {
    fn record(&self, sequence: u64, time_us: Option<u64>) -> AuditRecord {
        AuditRecord {
            sequence,
            time_us,
            fuel: self.fuel,
            status: self.status,
            decision: self.decision,
            tenant: name(self.tenant),
            plugin: name(self.plugin),
            function: name(self.function),
            resource: name(self.resource),
        }
    }
}

fn name(text: &str) -> Name {
    let mut name = Name::new();
    // Cannot fail: it was cut to fit.
    let _ = name.push_str(prefix(text, MAX_NAME_BYTES));
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec::Vec};

    fn entry(status: i32) -> PluginEvent<'static> {
        PluginEvent {
            decision: AuditDecision::Denial,
            tenant: "tenant",
            plugin: "a name that is longer than forty bytes can be",
            function: "soch_read",
            resource: "line\nbreak",
            status,
            fuel: 7,
        }
    }

    fn statuses(log: &AuditLog) -> Vec<(u64, i32)> {
        core::iter::from_fn(|| log.pop()).map(|r| (r.sequence(), r.status())).collect()
    }

    #[test]
    fn a_full_ring_drops_its_oldest_records_and_counts_them() {
        let log = AuditLog::new(AuditLevel::Decisions);
        for status in 0..70 {
            log.push(&entry(status), None);
        }
        let expected: Vec<_> = (6..70).map(|n| (u64::try_from(n).unwrap(), n)).collect();
        assert_eq!((statuses(&log), log.dropped()), (expected, 6));
        log.push(&entry(1), None);
        assert_eq!((statuses(&log), log.dropped()), ([(70, 1)].into(), 6));
    }

    #[test]
    fn a_record_that_finds_the_ring_in_use_is_dropped_and_leaves_a_gap() {
        let log = AuditLog::new(AuditLevel::Decisions);
        log.push(&entry(0), None);
        let in_use = log.ring.as_ref().unwrap().lock();
        log.push(&entry(1), None);
        drop(in_use);
        log.push(&entry(2), None);
        assert_eq!((statuses(&log), log.dropped()), ([(0, 0), (2, 2)].into(), 1));
    }

    #[test]
    fn nothing_is_kept_when_it_is_off() {
        let log = AuditLog::new(AuditLevel::Off);
        log.push(&entry(0), None);
        log.miss();
        assert_eq!((log.pop(), log.dropped(), log.capacity()), (None, 0, 0));
    }

    #[test]
    fn a_record_prints_as_one_line_whatever_its_names_are() {
        let line = format!("{}", entry(-1).record(3, None));
        let plugin = "a name that is longer than forty bytes c";
        assert_eq!(
            line,
            format!(
                "3 Denial \"tenant\"/\"{plugin}\" \"soch_read\" \"line\\nbreak\" status -1, fuel 7"
            )
        );
    }
}
