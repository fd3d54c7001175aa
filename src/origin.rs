//! What a plugin is made from, besides its bytes: a registry's, or its own.

use crate::{
    AuditLevel, AuditLog, EmbeddedHost, Error, HostFunctionTable, WasmInstanceConfig,
    WasmPluginInstance,
    clock::SystemClock,
    engine::{self, SharedCode},
    host::{Directory, Host, HostFunctions},
    ledger::{Account, Resource},
    schedule::Timer,
    sync::{Arc, Weak},
};

/// What a plugin is made from, besides its bytes.
pub(crate) struct Origin<H: Host> {
    pub(crate) host: Arc<H>,
    pub(crate) table: Arc<HostFunctions<H>>,
    pub(crate) clock: Option<Arc<dyn Timer>>,
    /// The registry, for `call_plugin`.
    pub(crate) directory: Weak<dyn Directory<H>>,
    pub(crate) audit: Arc<AuditLog>,
    pub(crate) shared: SharedCode,
}

impl WasmPluginInstance<EmbeddedHost> {
    /// Returns a plugin that stands alone, over an [`EmbeddedHost`] of its own and, with `std`, the
    /// system's clock. It is in [`WasmPluginState::Loading`](crate::WasmPluginState::Loading) until
    /// [`init`](Self::init).
    ///
    /// # Errors
    ///
    /// As [`WasmPluginRegistry::load`](crate::WasmPluginRegistry::load), except for what a start
    /// function can do.
    pub fn new(name: &str, wasm: &[u8], config: WasmInstanceConfig) -> Result<Self, Error> {
        engine::check_dispatch().map_err(|error| error.in_plugin(name))?;
        let origin = Origin {
            host: Arc::new(EmbeddedHost::new()),
            table: Arc::new(HostFunctionTable::<_>::new().finish()?),
            clock: default_clock(),
            directory: no_directory(),
            audit: Arc::new(AuditLog::new(AuditLevel::Off)),
            shared: SharedCode::default(),
        };
        let account = Account::new("", None);
        // Nothing has a ceiling there.
        account.take(Resource::Plugins, 1);
        Self::build(name, wasm, config, &origin, Arc::new(account))
    }
}

/// The system's clock, if there is one.
pub(crate) fn default_clock() -> Option<Arc<dyn Timer>> {
    SystemClock::new().map(|clock| Arc::new(clock) as Arc<dyn Timer>)
}

/// The directory of a plugin that stands alone: there is none.
pub(crate) fn no_directory<H: Host>() -> Weak<dyn Directory<H>> {
    Weak::<Nobody>::new()
}

/// Gives the directory that is not there a type.
struct Nobody;

impl<H: Host> Directory<H> for Nobody {
    fn find(&self, _name: &str) -> Option<Arc<WasmPluginInstance<H>>> {
        None
    }
}
