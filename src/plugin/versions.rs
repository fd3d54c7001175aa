//! Which version of the plugin is called, and what is known of it.

use super::WasmPluginInstance;
use crate::{
    Error, ValueType, WasmInstanceConfig, WasmPluginCapabilities,
    engine::Version,
    host::{Host, PluginContext},
    ledger::Account,
    sync::{Arc, Once},
};
use alloc::boxed::Box;

/// The number of a plugin's first version.
pub(super) const FIRST: usize = 1;

/// The version that is called.
pub(super) struct Current<H: Host> {
    pub(super) context: Arc<PluginContext<H>>,
    /// Gone when unloaded. Sandboxes hold it too.
    pub(super) version: Option<Arc<Version<H>>>,
}

impl<H: Host> Current<H> {
    /// The number of the version; 0, which none has, if there is none any more.
    pub(super) fn number(&self) -> usize {
        self.version.as_ref().map_or(0, |version| version.number)
    }
}

/// What is known of the versions that somebody has asked about. It stays as long as the plugin, so that
/// whoever asked may keep what was answered.
pub(super) struct Known<H> {
    /// That of the first version.
    pub(super) context: Arc<PluginContext<H>>,
    /// Behind a pointer, so that it is linked only where somebody asks.
    others: Once<Box<dyn Others<H>>>,
}

/// What is known of further versions.
trait Others<H>: Send + Sync {
    fn find(&self, alike: Alike<'_, H>) -> Option<Arc<PluginContext<H>>>;

    /// The same as `context`, kept.
    fn keep(&self, context: &Arc<PluginContext<H>>) -> &PluginContext<H>;
}

/// Says whether two versions have the same to tell.
type Alike<'a, H> = &'a dyn Fn(&PluginContext<H>) -> bool;

/// One further version, and those that were asked about later.
struct Other<H> {
    context: Arc<PluginContext<H>>,
    next: Once<Box<Self>>,
}

impl<H> Known<H> {
    pub(super) const fn new(context: Arc<PluginContext<H>>) -> Self {
        Self { context, others: Once::new() }
    }
}

impl<H: Host> Known<H> {
    /// What is known already of a version that is `alike`.
    pub(super) fn find(&self, alike: Alike<'_, H>) -> Option<Arc<PluginContext<H>>> {
        match alike(&self.context) {
            true => Some(Arc::clone(&self.context)),
            false => self.others.get()?.find(alike),
        }
    }

    /// The same as `context`, kept.
    fn keep(&self, context: &Arc<PluginContext<H>>) -> &PluginContext<H> {
        if Arc::ptr_eq(&self.context, context) {
            return &self.context;
        }
        self.others.call_once(|| Box::new(Other::new(context))).keep(context)
    }
}

impl<H> Other<H> {
    fn new(context: &Arc<PluginContext<H>>) -> Self {
        Self { context: Arc::clone(context), next: Once::new() }
    }
}

impl<H: Host> Others<H> for Other<H> {
    fn find(&self, alike: Alike<'_, H>) -> Option<Arc<PluginContext<H>>> {
        let mut known = Some(self);
        while let Some(Self { context, next }) = known {
            if alike(context) {
                return Some(Arc::clone(context));
            }
            known = next.get().map(|next| &**next);
        }
        None
    }

    fn keep(&self, context: &Arc<PluginContext<H>>) -> &PluginContext<H> {
        let mut known = self;
        while !Arc::ptr_eq(&known.context, context) {
            known = known.next.call_once(|| Box::new(Self::new(context)));
        }
        &known.context
    }
}

impl<H: Host> WasmPluginInstance<H> {
    /// What is the same in all versions: all but the configuration, the hash and the exports.
    #[inline]
    pub(super) fn identity(&self) -> &PluginContext<H> {
        &self.known.context
    }

    /// A number no other plugin of the process has.
    pub(crate) fn id(&self) -> u64 {
        self.identity().id
    }

    /// What is known of the version that is called.
    pub(crate) fn context(&self) -> Arc<PluginContext<H>> {
        self.current_context().1
    }

    /// What its tenant's plugins hold.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.identity().account
    }

    /// The number of the version that is called, and what is known of it.
    pub(crate) fn current_context(&self) -> (usize, Arc<PluginContext<H>>) {
        let current = self.current.lock();
        (current.number(), Arc::clone(&current.context))
    }

    /// The same, for as long as the plugin is there.
    fn known(&self) -> &PluginContext<H> {
        self.known.keep(&self.context())
    }

    /// The version that is called.
    pub(super) fn version(&self) -> Result<Arc<Version<H>>, Error> {
        self.try_version().ok_or_else(|| self.gone())
    }

    /// The version that is called; nothing once it is unloaded.
    #[inline(never)]
    pub(super) fn try_version(&self) -> Option<Arc<Version<H>>> {
        self.current.lock().version.clone()
    }

    /// Returns what the plugin may do, in the version that is called now.
    pub fn capabilities(&self) -> &WasmPluginCapabilities {
        &self.known().config.capabilities
    }

    /// Returns the configuration of the version that is called now.
    ///
    /// What this and the following return stays as long as the plugin: about a kilobyte for each
    /// different version that was asked about.
    pub fn config(&self) -> &WasmInstanceConfig {
        &self.known().config
    }

    /// Returns the SHA-256 of the module's bytes as they were given, in the version that is called now.
    pub fn module_hash(&self) -> &[u8; 32] {
        &self.known().hash
    }

    /// Iterates over the names of the exported functions, sorted.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.known().exports.iter().map(|function| &*function.name)
    }

    /// Returns the parameters and results of an exported function.
    pub fn signature(&self, function: &str) -> Option<(&[ValueType], &[ValueType])> {
        let (_, function) = self.known().export(function)?;
        Some((&*function.params, &*function.results))
    }
}

impl<H> Drop for Other<H> {
    fn drop(&mut self) {
        // One after the other: each drops none but itself.
        let mut next = take(&mut self.next);
        while let Some(mut other) = next {
            next = take(&mut other.next);
        }
    }
}

fn take<T>(once: &mut Once<T>) -> Option<T> {
    core::mem::replace(once, Once::new()).try_into_inner()
}
