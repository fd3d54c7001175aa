//! Tenants: what the plugins of one may hold and spend together.

use crate::{
    Error, ErrorKind,
    host::Host,
    ledger::{Account, Resource},
    schedule::Timer,
};

/// What the plugins of one tenant may hold and spend together, or those of all tenants. The default
/// sets no ceiling.
///
/// What is over a ceiling when it is set stays; nothing is added until enough has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantQuota {
    /// Loaded plugins. Default: `u64::MAX`, no ceiling, as of those below.
    pub max_plugins: u64,
    /// Sandboxes, idle ones included.
    pub max_sandboxes: u64,
    /// Bytes of all linear memories of all sandboxes.
    pub max_memory_bytes: u64,
    /// Elements of all tables of all sandboxes.
    pub max_table_elements: u64,
    /// Bytes of heap that plugins take for all of this at most: code, sandboxes, memories, tables and
    /// stacks, by an estimate that is never below what they take. `docs/memory.md` says how it is made up,
    /// and what it has to be for the heap not to run out.
    pub max_heap_bytes: u64,
    /// Rows that plugins have stored with the host, which counts them:
    /// [`Host::limit_storage`](crate::Host::limit_storage). An [`EmbeddedHost`](crate::EmbeddedHost) has
    /// limits of its own besides.
    pub max_stored_rows: u64,
    /// Bytes that plugins have stored with the host, as it counts them.
    pub max_stored_bytes: u64,
    /// Fuel over time. Default: none.
    pub fuel_rate: Option<FuelRate>,
}

/// Fuel over time: a bucket of tokens that fills by the registry's clock. It is full when it is set.
///
/// A call that the host makes, and a start function, takes all the fuel it may use out of the bucket
/// before it runs, and gives back what it has not spent: it runs as if alone, or is refused at once
/// with [`ErrorKind::QuotaExceeded`]. What it may use is at most a full bucket, whatever its
/// `fuel_limit`. Plugins that are called by plugins run on what their caller took. Calls of a plugin
/// with [`enable_fuel`](crate::WasmInstanceConfig::enable_fuel) off spend none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuelRate {
    /// Fuel that comes each second.
    pub per_second: u64,
    /// The most fuel that the bucket holds: of as many calls at once as it holds `fuel_limit`s.
    pub burst: u64,
}

impl Default for TenantQuota {
    fn default() -> Self {
        Self {
            max_plugins: u64::MAX,
            max_sandboxes: u64::MAX,
            max_memory_bytes: u64::MAX,
            max_table_elements: u64::MAX,
            max_heap_bytes: u64::MAX,
            max_stored_rows: u64::MAX,
            max_stored_bytes: u64::MAX,
            fuel_rate: None,
        }
    }
}

impl TenantQuota {
    /// Sets it for a tenant's account, or for that of all tenants, and with the host.
    pub(crate) fn apply<H: Host>(
        &self,
        account: &Account,
        host: &H,
        clock: Option<&dyn Timer>,
    ) -> Result<(), Error> {
        let rate = self.fuel_rate.map(|rate| (rate.per_second, rate.burst));
        if rate.is_some() && clock.is_none() {
            let what = "`fuel_rate` is set and there is no clock: give the registry's builder one";
            return Err(Error::configuration(ErrorKind::ClockMissing, what));
        }
        let (rows, bytes) = (self.max_stored_rows, self.max_stored_bytes);
        let limited = host.limit_storage(account.tenant(), rows, bytes);
        if let Err(error) = limited
            && (rows, bytes) != (u64::MAX, u64::MAX)
        {
            let what =
                "`max_stored_rows` or `max_stored_bytes` is set, and the host does not have it";
            return Err(Error::host(ErrorKind::Host, what).with_source(error));
        }
        account.set_rate(rate, clock.map_or(0, Timer::now_us));
        account.set_limit(Resource::Plugins, self.max_plugins);
        account.set_limit(Resource::Sandboxes, self.max_sandboxes);
        account.set_limit(Resource::MemoryBytes, self.max_memory_bytes);
        account.set_limit(Resource::TableElements, self.max_table_elements);
        account.set_limit(Resource::HeapBytes, self.max_heap_bytes);
        Ok(())
    }
}

/// What is held at the moment, by the plugins of one tenant or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantUsage {
    /// Loaded plugins.
    pub plugins: u64,
    /// Sandboxes, idle ones included.
    pub sandboxes: u64,
    /// Bytes of all linear memories.
    pub memory_bytes: u64,
    /// Elements of all tables.
    pub table_elements: u64,
    /// Bytes of heap at most, as [`TenantQuota::max_heap_bytes`] counts them.
    pub heap_bytes: u64,
    /// Rows stored with the host; 0 if it does not count them.
    pub stored_rows: u64,
    /// Bytes stored with the host; 0 if it does not count them.
    pub stored_bytes: u64,
    /// The fuel that may be spent at once; nothing without a [`FuelRate`].
    pub fuel_left: Option<u64>,
}

impl TenantUsage {
    pub(crate) fn of<H: Host>(account: &Account, host: &H, clock: Option<&dyn Timer>) -> Self {
        let (stored_rows, stored_bytes) = host.stored(account.tenant()).unwrap_or_default();
        let used = |what| account.used(what);
        Self {
            plugins: used(Resource::Plugins),
            sandboxes: used(Resource::Sandboxes),
            memory_bytes: used(Resource::MemoryBytes),
            table_elements: used(Resource::TableElements),
            heap_bytes: used(Resource::HeapBytes),
            stored_rows,
            stored_bytes,
            fuel_left: account.fuel_left(clock),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbeddedHost;

    #[test]
    fn a_rate_without_a_clock_is_refused_and_nothing_is_set() {
        let account = Account::new("tenant", None);
        let fuel_rate = Some(FuelRate { per_second: 1, burst: 1 });
        let quota = TenantQuota { max_plugins: 0, fuel_rate, ..TenantQuota::default() };
        let error = quota.apply(&account, &EmbeddedHost::new(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ClockMissing);
        assert!(account.take(Resource::Plugins, 1));
        assert_eq!(account.take_fuel(7, None).ok(), Some(7));
    }
}
