//! The loaded plugins, by name and in load order.

use crate::{WasmPluginInstance, host::Host, sync::Arc, text::hash};
use alloc::{boxed::Box, vec::Vec};

/// The loaded plugins. A name that is being loaded is held, and cannot be found.
// Not a hash map: a hash that nobody can make collide takes three kilobytes of code. Names that collide
// here are still found in as many steps.
pub(super) struct Plugins<H: Host> {
    /// Sorted by hash and name: a search goes through neighbouring numbers, and compares one name.
    by_name: Vec<Entry<H>>,
    load_order: Vec<Arc<WasmPluginInstance<H>>>,
}

struct Entry<H: Host> {
    hash: u32,
    name: Box<str>,
    /// Nothing while it is being loaded.
    plugin: Option<Arc<WasmPluginInstance<H>>>,
}

impl<H: Host> Plugins<H> {
    pub(super) const fn new() -> Self {
        Self { by_name: Vec::new(), load_order: Vec::new() }
    }

    /// The plugins in load order.
    pub(super) fn in_load_order(&self) -> &[Arc<WasmPluginInstance<H>>] {
        &self.load_order
    }

    #[inline]
    pub(super) fn find(&self, name: &str) -> Option<&Arc<WasmPluginInstance<H>>> {
        self.by_name.get(self.position(name).ok()?)?.plugin.as_ref()
    }

    /// Holds a name for a plugin that is to be loaded; `false` if it is taken.
    pub(super) fn reserve(&mut self, name: &str) -> bool {
        let free = self.position(name);
        if let Err(at) = free {
            let entry = Entry { hash: hash(name), name: name.into(), plugin: None };
            self.by_name.insert(at, entry);
        }
        free.is_err()
    }

    /// Lets go of a name that was held.
    pub(super) fn release(&mut self, name: &str) {
        if let Ok(at) = self.position(name) {
            self.by_name.remove(at);
        }
    }

    /// Adds the plugin whose name was held.
    pub(super) fn fill(&mut self, plugin: Arc<WasmPluginInstance<H>>) {
        let at = self.position(plugin.name());
        if let Some(entry) = at.ok().and_then(|at| self.by_name.get_mut(at)) {
            entry.plugin = Some(Arc::clone(&plugin));
            self.load_order.push(plugin);
        }
    }

    /// Removes a plugin that is loaded.
    pub(super) fn remove(&mut self, name: &str) -> Option<Arc<WasmPluginInstance<H>>> {
        let plugin = Arc::clone(self.find(name)?);
        self.load_order.retain(|loaded| !Arc::ptr_eq(loaded, &plugin));
        self.release(name);
        Some(plugin)
    }

    /// Removes the plugin that was loaded last.
    pub(super) fn remove_last(&mut self) -> Option<Arc<WasmPluginInstance<H>>> {
        let plugin = self.load_order.pop()?;
        self.release(plugin.name());
        Some(plugin)
    }

    /// Where a name is, or where it belongs.
    #[inline(never)]
    fn position(&self, name: &str) -> Result<usize, usize> {
        let wanted = (hash(name), name);
        self.by_name.binary_search_by(|entry| (entry.hash, &*entry.name).cmp(&wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmbeddedHost, WasmInstanceConfig};
    use std::string::ToString;

    #[test]
    fn names_of_one_hash_are_told_apart() {
        let names = ["costarring", "liquid"];
        assert_eq!(hash(names[0]), hash(names[1]));
        let wasm = include_bytes!("../../fixtures/wasm/counter.wasm");
        let mut plugins = Plugins::<EmbeddedHost>::new();
        for name in names {
            assert!(plugins.reserve(name));
            assert!(!plugins.reserve(name));
            assert!(plugins.find(name).is_none(), "it is being loaded");
            let plugin = WasmPluginInstance::new(name, wasm, WasmInstanceConfig::default());
            plugins.fill(Arc::new(plugin.unwrap()));
        }
        for name in names {
            assert_eq!(plugins.find(name).map(|plugin| plugin.name().to_string()).unwrap(), name);
        }
        assert_eq!(plugins.remove(names[0]).unwrap().name(), names[0]);
        assert!(plugins.find(names[0]).is_none());
        assert_eq!(plugins.remove_last().unwrap().name(), names[1]);
        assert!(plugins.find(names[1]).is_none());
    }
}
