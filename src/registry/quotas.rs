//! What the plugins of a tenant, and of all tenants, may hold and spend together.

use super::{RegistryBuilder, WasmPluginRegistry};
use crate::{
    Error, TenantQuota, TenantUsage, WasmPluginStats, host::Host, ledger::Account, schedule::Timer,
    sync::Arc,
};
use alloc::boxed::Box;

/// A tenant of a registry, whether it has a plugin or not.
pub struct Tenant<'r, H: Host = crate::EmbeddedHost> {
    registry: &'r WasmPluginRegistry<H>,
    account: Arc<Account>,
}

impl<H: Host> Tenant<'_, H> {
    /// Returns the tenant's name.
    pub fn name(&self) -> &str {
        self.account.name()
    }

    /// Sets what the tenant's plugins may hold and spend together, in the place of what was set before.
    /// It holds until it is set again, also while the tenant has no plugin.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ClockMissing`](crate::ErrorKind::ClockMissing) if there is a
    /// [`FuelRate`](crate::FuelRate) and no clock; [`ErrorKind::Host`](crate::ErrorKind::Host) if there
    /// are limits on what is stored and the host counts nothing. Nothing is set then.
    pub fn quota(&self, quota: TenantQuota) -> Result<(), Error> {
        quota.apply(&self.account, self.registry.host(), self.registry.clock())?;
        self.account.keep();
        for plugin in self.registry.plugins_of(self.name()) {
            plugin.note_rate();
        }
        Ok(())
    }

    /// Returns what the tenant's plugins hold.
    pub fn usage(&self) -> TenantUsage {
        TenantUsage::of(&self.account, self.registry.host(), self.registry.clock())
    }

    /// Returns what the tenant's loaded plugins have done together, as
    /// [`WasmPluginRegistry::tenant_stats`] does.
    pub fn stats(&self) -> WasmPluginStats {
        self.registry.tenant_stats(self.name())
    }
}

impl<H: Host> core::fmt::Debug for Tenant<'_, H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tenant")
            .field("name", &self.name())
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

impl<H: Host> WasmPluginRegistry<H> {
    /// Returns a tenant, whether it has a plugin or not: to set its quota, and to see what it holds.
    ///
    /// ```
    /// use wasm_runtime::{ErrorKind, TenantQuota, WasmInstanceConfig, WasmPluginRegistry};
    ///
    /// # fn main() -> Result<(), wasm_runtime::Error> {
    /// # let wasm = include_bytes!("../../fixtures/wasm/counter.wasm");
    /// let registry = WasmPluginRegistry::new();
    /// registry.tenant("acme").quota(TenantQuota { max_plugins: 1, ..TenantQuota::default() })?;
    /// let config = WasmInstanceConfig { tenant: "acme".into(), ..WasmInstanceConfig::default() };
    /// registry.load("first", wasm, config.clone())?;
    /// let error = registry.load("second", wasm, config).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    /// assert_eq!(registry.tenant("acme").usage().memory_bytes, 65_536);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tenant(&self, name: &str) -> Tenant<'_, H> {
        Tenant { registry: self, account: self.inner.accounts.of(name) }
    }

    /// Returns what the plugins of all tenants hold.
    pub fn usage(&self) -> TenantUsage {
        TenantUsage::of(self.inner.accounts.registry(), self.host(), self.clock())
    }
}

impl<H: Host> WasmPluginRegistry<H> {
    fn clock(&self) -> Option<&dyn Timer> {
        self.inner.origin.clock.as_deref()
    }
}

impl<H: Host> RegistryBuilder<H> {
    /// Sets what the plugins of all tenants may hold and spend together. Default: no ceiling.
    pub fn quota(self, quota: TenantQuota) -> Self {
        let ceiling = move |account: &Account, host: &H, clock: Option<&dyn Timer>| {
            quota.apply(account, host, clock)
        };
        Self { ceiling: Some(Box::new(ceiling)), ..self }
    }
}
