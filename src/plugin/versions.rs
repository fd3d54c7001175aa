//! Which version of the plugin is called, and what is known of it.

use super::WasmPluginInstance;
use crate::{
    Error, ValueType, WasmInstanceConfig, WasmPluginCapabilities,
    engine::{Code, Version},
    host::{Host, PluginContext},
    quarantine::Breaker,
    sync::{Arc, Once},
};
use alloc::boxed::Box;

/// The number of a plugin's first version.
pub(super) const FIRST: usize = 1;

/// The version that is called.
pub(super) struct Current<H: Host> {
    pub(super) number: usize,
    pub(super) context: Arc<PluginContext<H>>,
    /// The compiled module; gone when unloaded. Sandboxes hold it too.
    pub(super) code: Option<Arc<Code<H>>>,
    /// What puts it in quarantine, if anything does.
    pub(super) breaker: Option<Box<dyn Breaker>>,
    /// Since when it is called, by the clock.
    pub(super) since_us: Option<u64>,
}

/// What is known of the versions that somebody has asked about. It stays as long as the plugin, so that
/// whoever asked may keep what was answered.
pub(super) struct Known<H> {
    pub(super) context: Arc<PluginContext<H>>,
    next: Once<Box<Self>>,
}

impl<H> Known<H> {
    pub(super) const fn new(context: Arc<PluginContext<H>>) -> Self {
        Self { context, next: Once::new() }
    }

    /// What is known already of a version that is `alike`.
    pub(super) fn find(
        &self,
        alike: impl Fn(&Arc<PluginContext<H>>) -> bool,
    ) -> Option<Arc<PluginContext<H>>> {
        let mut known = Some(self);
        while let Some(Self { context, next }) = known {
            if alike(context) {
                return Some(Arc::clone(context));
            }
            known = next.get().map(|next| &**next);
        }
        None
    }

    /// The same as `context`, kept.
    fn keep(&self, context: &Arc<PluginContext<H>>) -> &PluginContext<H> {
        let mut known = self;
        while !Arc::ptr_eq(&known.context, context) {
            known = known.next.call_once(|| Box::new(Self::new(Arc::clone(context))));
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
        Arc::clone(&self.current.read().context)
    }

    /// The number of the version that is called, and what is known of it.
    pub(crate) fn current_context(&self) -> (usize, Arc<PluginContext<H>>) {
        let current = self.current.read();
        (current.number, Arc::clone(&current.context))
    }

    /// The same, for as long as the plugin is there.
    fn known(&self) -> &PluginContext<H> {
        self.known.keep(&self.context())
    }

    /// The version that is called.
    pub(super) fn version(&self) -> Result<Version<H>, Error> {
        let current = self.current.read();
        let code = current.code.clone().ok_or_else(|| self.gone())?;
        Ok(Version { number: current.number, code, context: Arc::clone(&current.context) })
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

impl<H> Drop for Known<H> {
    fn drop(&mut self) {
        // One after the other: each drops none but itself.
        let mut next = take(&mut self.next);
        while let Some(mut known) = next {
            next = take(&mut known.next);
        }
    }
}

fn take<T>(once: &mut Once<T>) -> Option<T> {
    core::mem::replace(once, Once::new()).try_into_inner()
}
