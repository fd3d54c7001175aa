//! The registry: load, find, call and unload plugins.

#[cfg(feature = "std")]
mod maintainer;
mod maintenance;
mod plugins;
#[cfg(feature = "quotas")]
mod quotas;
mod reload;
mod statistics;

#[cfg(feature = "std")]
pub use self::maintainer::Maintainer;
#[cfg(feature = "quotas")]
pub use self::quotas::Tenant;

use self::plugins::Plugins;

use crate::{
    AdmissionReport, AuditDecision, AuditLevel, AuditLog, Clock, EmbeddedHost, Error, ErrorKind,
    HostFunctionTable, PluginEvent, WasmInstanceConfig, WasmPluginInstance, WasmValue, WasmValues,
    engine,
    host::{Directory, Host, HostFunctions},
    ledger::{Account, Accounts, Paid, Resource},
    origin::{Origin, default_clock},
    report,
    schedule::Timer,
    sync::{Arc, AtomicUsize, RwLock, Weak},
};
use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec::Vec,
};

/// Plugins of many tenants over one host. `Send + Sync`; share it by reference or in an `Arc`.
///
/// ```
/// use wasm_runtime::{WasmInstanceConfig, WasmPluginRegistry, WasmValue};
///
/// # fn main() -> Result<(), wasm_runtime::Error> {
/// # let wasm = include_bytes!("../fixtures/wasm/counter.wasm");
/// let registry = WasmPluginRegistry::new();
/// registry.load("counter", wasm, WasmInstanceConfig::default())?;
/// let results = registry.call("counter", "add", &[WasmValue::I32(40)])?;
/// assert_eq!(results[0].as_i32(), Some(40));
/// # Ok(())
/// # }
/// ```
pub struct WasmPluginRegistry<H: Host = EmbeddedHost> {
    inner: Arc<Inner<H>>,
}

struct Inner<H: Host> {
    origin: Origin<H>,
    plugins: RwLock<Plugins<H>>,
    accounts: Accounts,
    /// At which plugin maintenance is to begin.
    maintained: AtomicUsize,
}

impl WasmPluginRegistry<EmbeddedHost> {
    /// Returns a registry over a new [`EmbeddedHost`], with the built-in host functions and, with
    /// `std`, the system's clock.
    ///
    /// In a build whose interpreter dispatch is unsound every [`load`](Self::load) fails.
    pub fn new() -> Self {
        Self::with_host(EmbeddedHost::new())
    }

    /// Returns a builder for a registry over a new [`EmbeddedHost`].
    pub fn builder() -> RegistryBuilder<EmbeddedHost> {
        RegistryBuilder {
            host: GivenHost::Default(EmbeddedHost::new),
            table: Ok(None),
            clock: default_clock(),
            audit: AuditLevel::default(),
            ceiling: None,
        }
    }
}

impl Default for WasmPluginRegistry<EmbeddedHost> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Host> WasmPluginRegistry<H> {
    /// Returns a registry over `host`, with the built-in host functions and, with `std`, the
    /// system's clock.
    pub fn with_host(host: H) -> Self {
        // A table of the default size has room for the built-in functions.
        let table = HostFunctionTable::<H>::new().finish().unwrap_or_default();
        Self::assemble(host, table, default_clock(), AuditLevel::default(), Accounts::new())
    }

    fn assemble(
        host: H,
        table: HostFunctions<H>,
        clock: Option<Arc<dyn Timer>>,
        audit: AuditLevel,
        accounts: Accounts,
    ) -> Self {
        let inner = Arc::new_cyclic(|inner: &Weak<Inner<H>>| Inner {
            origin: Origin {
                host: Arc::new(host),
                table: Arc::new(table),
                clock,
                directory: Weak::clone(inner) as _,
                audit: Arc::new(AuditLog::new(audit)),
                shared: Default::default(),
            },
            plugins: RwLock::new(Plugins::new()),
            accounts,
            maintained: AtomicUsize::new(0),
        });
        Self { inner }
    }

    /// Returns the host.
    pub fn host(&self) -> &H {
        &self.inner.origin.host
    }

    /// Returns the audit ring: what was granted, denied, limited and stopped.
    pub fn audit(&self) -> &AuditLog {
        &self.inner.origin.audit
    }

    /// Says what a module asks for and brings, and whether [`load`](Self::load) would take it with
    /// `config`. Runs nothing of it, so what its start function does, and whether its segments fit,
    /// shows only when it is loaded.
    pub fn admit(&self, wasm: &[u8], config: &WasmInstanceConfig) -> AdmissionReport {
        let Origin { table, clock, .. } = &self.inner.origin;
        engine::admission(wasm, config, table, clock.is_some())
    }

    /// Loads a module under a name: admits it, compiles it, makes its first sandbox and runs its
    /// start function. Only then can it be found.
    ///
    /// # Errors
    ///
    /// If it fails, the registry is as it was. [`ErrorKind::AlreadyLoaded`];
    /// [`ErrorKind::InvalidModule`]; [`ErrorKind::LimitExceeded`] for a size or count over
    /// [`ModuleLimits`](crate::ModuleLimits) or the memory limit; [`ErrorKind::Refused`] for an
    /// import that is missing or of another type, and for an invalid configuration;
    /// [`ErrorKind::HashMismatch`]; [`ErrorKind::ClockMissing`]; [`ErrorKind::UnsoundDispatch`];
    /// [`ErrorKind::Trap`], [`ErrorKind::OutOfFuel`], [`ErrorKind::Deadline`],
    /// [`ErrorKind::Denied`] or [`ErrorKind::Host`] if the start function fails.
    pub fn load(&self, name: &str, wasm: &[u8], config: WasmInstanceConfig) -> Result<(), Error> {
        let tenant = config.tenant.clone();
        self.load_plugin(name, wasm, config).inspect_err(|error| {
            let refused = PluginEvent {
                decision: AuditDecision::Load,
                tenant: &tenant,
                plugin: name,
                function: "",
                resource: error.kind().name(),
                status: -1,
                fuel: 0,
            };
            self.audit().push(&refused, self.inner.origin.clock.as_deref());
            self.host().event(&refused);
        })
    }

    fn load_plugin(
        &self,
        name: &str,
        wasm: &[u8],
        config: WasmInstanceConfig,
    ) -> Result<(), Error> {
        engine::check_dispatch().map_err(|error| error.in_plugin(name))?;
        let reservation = self.inner.reserve(name)?;
        let account = self.inner.accounts.of(&config.tenant);
        let paid = Paid::take(&account, Resource::Plugins, 1)
            .map_err(|reached| report::over_quota(&reached).in_plugin(name))?;
        let plugin = WasmPluginInstance::build(name, wasm, config, &self.inner.origin, account)?;
        // From here on the plugin gives it back.
        paid.leave();
        plugin.init()?;
        log::debug!("plugin `{name}` of tenant `{}` loaded", plugin.tenant());
        plugin.record_load();
        let plugin = Arc::new(plugin);
        reservation.fill(Arc::clone(&plugin));
        // Whoever set a rate meanwhile has not seen it.
        plugin.note_rate();
        Ok(())
    }

    /// Loads a module from a file, of which it keeps no copy.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); [`ErrorKind::Io`] if the file cannot be read,
    /// [`ErrorKind::LimitExceeded`] if it is longer than `max_module_bytes`, before it is read.
    #[cfg(feature = "std")]
    pub fn load_from_file(
        &self,
        name: &str,
        path: impl AsRef<std::path::Path>,
        config: WasmInstanceConfig,
    ) -> Result<(), Error> {
        let wasm = crate::file::read(path.as_ref(), config.limits.max_module_bytes)
            .map_err(|error| error.in_plugin(name))?;
        self.load(name, &wasm, config)
    }

    /// Loads a module from a file that is mapped into memory while it is loaded, not read.
    ///
    /// For files that cannot change meanwhile, such as those of a signed application bundle. If
    /// another process writes or truncates the file during the load, the load may see any mixture
    /// of bytes, and the host may be ended by a signal; use
    /// [`load_from_file`](Self::load_from_file) where that can happen.
    ///
    /// # Errors
    ///
    /// As [`load_from_file`](Self::load_from_file).
    #[cfg(feature = "mmap")]
    pub fn load_from_mapped_file(
        &self,
        name: &str,
        path: impl AsRef<std::path::Path>,
        config: WasmInstanceConfig,
    ) -> Result<(), Error> {
        let wasm = crate::mmap::map(path.as_ref()).map_err(|error| error.in_plugin(name))?;
        self.load(name, &wasm, config)
    }

    /// Unloads a plugin. Never waits: its name is free at once, new calls through handles are
    /// refused with [`ErrorKind::Unloaded`], calls and leases that are going on end in peace, and
    /// the last of them gives the memory back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`].
    pub fn unload(&self, name: &str) -> Result<(), Error> {
        let plugin = self.inner.remove(name).ok_or_else(|| not_found(name))?;
        plugin.unload();
        Ok(())
    }

    /// Returns a handle on a plugin.
    pub fn get(&self, name: &str) -> Option<Arc<WasmPluginInstance<H>>> {
        self.inner.find(name)
    }

    /// Returns the names of the loaded plugins, in load order.
    pub fn list(&self) -> Vec<String> {
        let plugins = self.inner.plugins.read();
        plugins.in_load_order().iter().map(|plugin| plugin.name().to_string()).collect()
    }

    /// Returns how many plugins are loaded.
    pub fn count(&self) -> usize {
        self.inner.plugins.read().in_load_order().len()
    }

    /// Unloads every plugin, the last loaded first, as [`unload`](Self::unload) does.
    pub fn shutdown_all(&self) {
        while let Some(plugin) = self.inner.remove_last() {
            plugin.unload();
        }
    }

    /// Calls a function of a plugin by name, as [`WasmPluginInstance::call`] does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`], and those of [`WasmPluginInstance::call`].
    pub fn call(
        &self,
        plugin: &str,
        function: &str,
        args: &[WasmValue],
    ) -> Result<WasmValues, Error> {
        self.inner.find(plugin).ok_or_else(|| not_found(plugin))?.call(function, args)
    }

    /// Cancels every call that is going on in the plugins of a tenant, as
    /// [`WasmPluginInstance::cancel_calls`] does; returns how many were cancelled.
    pub fn cancel_tenant(&self, tenant: &str) -> usize {
        let plugins = self.inner.in_load_order();
        let of_tenant = plugins.iter().filter(|plugin| plugin.tenant() == tenant);
        of_tenant.map(|plugin| plugin.cancel_calls()).sum()
    }

    /// The loaded plugins, in load order.
    pub(crate) fn plugins(&self) -> Vec<Arc<WasmPluginInstance<H>>> {
        self.inner.in_load_order()
    }
}

impl<H: Host> core::fmt::Debug for WasmPluginRegistry<H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WasmPluginRegistry").field("plugins", &self.list()).finish_non_exhaustive()
    }
}

/// A name held for a plugin that is being loaded. Dropped unfilled, it is free again.
struct Reservation<'r, H: Host> {
    inner: &'r Inner<H>,
    name: &'r str,
    filled: bool,
}

impl<H: Host> Reservation<'_, H> {
    fn fill(mut self, plugin: Arc<WasmPluginInstance<H>>) {
        self.inner.plugins.write().fill(plugin);
        self.filled = true;
    }
}

impl<H: Host> Drop for Reservation<'_, H> {
    fn drop(&mut self) {
        if !self.filled {
            self.inner.plugins.write().release(self.name);
        }
    }
}

impl<H: Host> Inner<H> {
    fn reserve<'r>(&'r self, name: &'r str) -> Result<Reservation<'r, H>, Error> {
        if !self.plugins.write().reserve(name) {
            let what = "a plugin of that name is loaded already";
            return Err(Error::host(ErrorKind::AlreadyLoaded, what).in_plugin(name));
        }
        Ok(Reservation { inner: self, name, filled: false })
    }

    #[inline]
    fn find(&self, name: &str) -> Option<Arc<WasmPluginInstance<H>>> {
        self.plugins.read().find(name).cloned()
    }

    fn remove(&self, name: &str) -> Option<Arc<WasmPluginInstance<H>>> {
        self.plugins.write().remove(name)
    }

    fn remove_last(&self) -> Option<Arc<WasmPluginInstance<H>>> {
        self.plugins.write().remove_last()
    }

    fn in_load_order(&self) -> Vec<Arc<WasmPluginInstance<H>>> {
        self.plugins.read().in_load_order().to_vec()
    }
}

impl<H: Host> Drop for Inner<H> {
    fn drop(&mut self) {
        // Handles outlive the registry; this only fixes the order in which plugins go.
        while self.remove_last().is_some() {}
    }
}

impl<H: Host> Directory<H> for Inner<H> {
    fn find(&self, name: &str) -> Option<Arc<WasmPluginInstance<H>>> {
        self.find(name)
    }
}

#[cold]
fn not_found(name: &str) -> Error {
    Error::host(ErrorKind::NotFound, "no plugin of that name is loaded").in_plugin(name)
}

/// Builds a [`WasmPluginRegistry`].
///
/// The host comes first: it decides what functions the table can hold.
pub struct RegistryBuilder<H: Host> {
    host: GivenHost<H>,
    /// The functions; nothing for the built-in ones.
    table: Result<Option<HostFunctions<H>>, Error>,
    clock: Option<Arc<dyn Timer>>,
    audit: AuditLevel,
    ceiling: Option<Ceiling<H>>,
}

/// What sets a ceiling on what all tenants hold.
type Ceiling<H> =
    Box<dyn FnOnce(&Account, &H, Option<&dyn Timer>) -> Result<(), Error> + Send + Sync>;

/// The host, or how it is made: whoever gives another has no use for the default one's code.
enum GivenHost<H> {
    Default(fn() -> H),
    Given(H),
}

impl<H: Host> RegistryBuilder<H> {
    /// Sets the host. A table or a quota given before is forgotten.
    pub fn host<G: Host>(self, host: G) -> RegistryBuilder<G> {
        let host = GivenHost::Given(host);
        RegistryBuilder {
            host,
            table: Ok(None),
            clock: self.clock,
            audit: self.audit,
            ceiling: None,
        }
    }

    /// Sets the functions that plugins may import. Default: the built-in ones.
    pub fn functions<const N: usize>(self, table: HostFunctionTable<H, N>) -> Self {
        Self { table: table.finish().map(Some), ..self }
    }

    /// Sets the clock. Default: the system's with `std`, none without.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Some(Arc::new(clock)), ..self }
    }

    /// Sets which decisions go to the audit ring. Default: [`AuditLevel::Decisions`].
    pub fn audit(self, level: AuditLevel) -> Self {
        Self { audit: level, ..self }
    }

    /// Returns the registry.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnsoundDispatch`] if no plugin may run in this build,
    /// [`ErrorKind::TableFull`] if the table had no room for the built-in functions,
    /// and those of setting a quota: [`ErrorKind::ClockMissing`] if it has a rate of fuel and there is no
    /// clock, [`ErrorKind::Host`] if it limits what is stored and the host counts nothing.
    pub fn build(self) -> Result<WasmPluginRegistry<H>, Error> {
        engine::check_dispatch()?;
        let table = match self.table? {
            Some(table) => table,
            None => HostFunctionTable::<H>::new().finish()?,
        };
        let host = match self.host {
            GivenHost::Given(host) => host,
            GivenHost::Default(make) => make(),
        };
        let accounts = Accounts::new();
        if let Some(set) = self.ceiling {
            set(accounts.registry(), &host, self.clock.as_deref())?;
        }
        Ok(WasmPluginRegistry::assemble(host, table, self.clock, self.audit, accounts))
    }
}

impl<H: Host> core::fmt::Debug for RegistryBuilder<H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RegistryBuilder").finish_non_exhaustive()
    }
}
