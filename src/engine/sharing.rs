//! Code that several plugins share.
//!
//! It is found by the SHA-256 of the module's bytes and by everything that its engine depends on, among the
//! plugins of one tenant or of all, and goes with the last that has it. What is kept here keeps nothing.

use super::compiled::{Compiled, Exports};
use crate::{
    CodeSharing, Compilation, WasmInstanceConfig,
    sync::{Arc, Mutex, Weak},
};
use alloc::{boxed::Box, vec::Vec};
use core::ops::Deref;

/// Code as a plugin has it.
pub(super) type Held = Arc<Shared>;

/// Code that others may have too.
pub(super) struct Shared {
    compiled: Compiled,
    /// Where it is found by them, if it is.
    _home: Option<Home>,
}

impl Deref for Shared {
    type Target = Compiled;

    fn deref(&self) -> &Compiled {
        &self.compiled
    }
}

/// What code exports, for a plugin that has it.
pub(super) fn exports(code: &mut Held) -> Exports {
    Arc::clone(&code.exports)
}

/// The code of a registry that is there to share.
#[derive(Clone, Default)]
pub(crate) struct SharedCode(Arc<Kept>);

type Kept = Mutex<Vec<(Key, Weak<Shared>)>>;

/// What is the same of all plugins that share code.
#[derive(PartialEq, Eq)]
pub(crate) struct Key {
    hash: [u8; 32],
    /// Nothing where it is shared by all.
    tenant: Option<Box<str>>,
    is_metered: bool,
    stack_bytes: (usize, usize),
    max_recursion_depth: usize,
}

impl SharedCode {
    /// What code is found by; nothing if it is not to be shared.
    pub(super) fn key(hash: &[u8; 32], config: &WasmInstanceConfig) -> Option<Key> {
        let tenant = match (config.code_sharing, config.compilation) {
            (CodeSharing::Own, _) | (_, Compilation::Lazy) => return None,
            (CodeSharing::Tenant, Compilation::Eager) => Some((*config.tenant).into()),
            (CodeSharing::Registry, Compilation::Eager) => None,
        };
        let limits = &config.limits;
        Some(Key {
            hash: *hash,
            tenant,
            is_metered: config.enable_fuel,
            stack_bytes: (limits.min_stack_bytes, limits.max_stack_bytes),
            max_recursion_depth: limits.max_recursion_depth,
        })
    }

    pub(super) fn find(&self, key: &Key) -> Option<Held> {
        let kept = self.0.lock();
        kept.iter().find(|(known, _)| known == key)?.1.upgrade()
    }

    /// Has others find `compiled`, or returns what somebody else has compiled meanwhile.
    pub(super) fn keep(&self, key: Option<Key>, compiled: Compiled) -> Held {
        let Some(key) = key else {
            return Arc::new(Shared { compiled, _home: None });
        };
        let home = Home(Arc::downgrade(&self.0));
        let compiled = Arc::new(Shared { compiled, _home: Some(home) });
        let mut kept = self.0.lock();
        let known = kept.iter_mut().find(|(known, _)| *known == key);
        let other = known.as_ref().and_then(|(_, other)| other.upgrade());
        match (other, known) {
            (Some(other), _) => {
                // Ours goes once the lock is free: it looks for itself then.
                drop(kept);
                return other;
            }
            (None, Some((_, gone))) => *gone = Arc::downgrade(&compiled),
            (None, None) => kept.push((key, Arc::downgrade(&compiled))),
        }
        compiled
    }
}

/// Where code is found by others. When the code goes, it is found no more.
pub(super) struct Home(Weak<Kept>);

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(kept) = self.0.upgrade() {
            let mut kept = kept.lock();
            kept.retain(|(_, compiled)| compiled.strong_count() > 0);
            if kept.len() < kept.capacity() / 4 {
                kept.shrink_to_fit();
            }
        }
    }
}
