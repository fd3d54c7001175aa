//! What is done for the calls to come, while none waits for it.

use super::WasmPluginRegistry;
use crate::{
    Maintained, MaintenanceBudget, WasmPluginInstance,
    host::Host,
    plugin::{Idle, Prepared},
    sync::{Arc, Ordering},
};
use alloc::vec::Vec;
use core::cmp::Reverse;

/// Maintenance that is going on.
struct Round<'a, H: Host> {
    plugins: &'a [Arc<WasmPluginInstance<H>>],
    /// What was found of each.
    found: Vec<Found>,
    max_idle_bytes: u64,
    steps: usize,
    done: Maintained,
}

/// What was found of one plugin.
#[derive(Clone, Copy, Default)]
struct Found {
    /// How many sandboxes are to be ready.
    min: usize,
    /// How many are, and no call has them.
    ready: usize,
    /// Slots that no call has and that have no sandbox that is ready.
    lacking: usize,
}

impl<H: Host> WasmPluginRegistry<H> {
    /// Makes the sandboxes that calls will want, and drops those that none will: for idle time.
    ///
    /// In this order, until all is done or the budget is used up:
    ///
    /// 1. Sandboxes that are used up are dropped: those of plugins with
    ///    [`min_instances`](crate::WasmInstanceConfig::min_instances) whose call trapped, or is the only one
    ///    by [`ResetPolicy::AfterCall`](crate::ResetPolicy::AfterCall).
    /// 2. If idle sandboxes hold more than the ceiling, those go that were not called for longest, by how
    ///    often maintenance has found them so. A plugin keeps `min_instances` that are ready, and every one
    ///    that has state of earlier calls, unless it says
    ///    [`trim_idle`](crate::WasmInstanceConfig::trim_idle).
    /// 3. Plugins that have fewer sandboxes ready than `min_instances`, and a slot that no call has, get
    ///    new ones, plugin by plugin, beginning where the last time ended.
    ///
    /// Calls may go on meanwhile, on other threads or, with a small budget, in between: none is refused
    /// for it. It holds a slot for no longer than a look; what it makes it makes beside the slots, so a plugin
    /// may have one sandbox more than `max_instances` for that time. If a start function fails, that is
    /// recorded and counted as if a call had made the sandbox.
    ///
    /// If a function of the host's panics that a start function calls, the panic leaves from here.
    pub fn maintain(&self, budget: &MaintenanceBudget) -> Maintained {
        let plugins = self.plugins();
        let mut round = Round {
            plugins: &plugins,
            found: Vec::with_capacity(plugins.len()),
            max_idle_bytes: budget.max_idle_bytes,
            steps: budget.steps,
            done: Maintained { is_done: true, ..Maintained::default() },
        };
        let idle = round.look();
        round.trim(idle);
        let from = self.inner.maintained.load(Ordering::Relaxed);
        self.inner.maintained.store(round.prepare(from), Ordering::Relaxed);
        round.done
    }
}

impl<H: Host> Round<'_, H> {
    /// Goes through all slots, and drops what is used up. Returns which sandboxes may be dropped besides, and
    /// whose they are.
    fn look(&mut self) -> Vec<(usize, Idle)> {
        let mut may_go = Vec::new();
        let mut used_up = Vec::new();
        for (at, plugin) in self.plugins.iter().enumerate() {
            let mut found = Found { min: plugin.min_instances(), ..Found::default() };
            plugin.each_idle(|idle| match idle {
                None => found.lacking += 1,
                Some(idle) if idle.looks.is_none() => {
                    found.lacking += 1;
                    used_up.push(idle);
                }
                Some(idle) => {
                    found.ready += 1;
                    self.done.idle_bytes += idle.bytes as u64;
                    if idle.may_go {
                        may_go.push((at, idle));
                    }
                }
            });
            self.found.push(found);
            for idle in used_up.drain(..) {
                if !self.take_step() {
                    self.done.idle_bytes += idle.bytes as u64;
                } else if plugin.drop_idle(&idle) {
                    self.done.dropped += 1;
                }
            }
        }
        may_go
    }

    /// Drops what was idle for longest, until the rest is under the ceiling.
    fn trim(&mut self, mut may_go: Vec<(usize, Idle)>) {
        if self.done.idle_bytes <= self.max_idle_bytes {
            return;
        }
        // The first slots are called first.
        may_go.sort_unstable_by_key(|(at, idle)| (Reverse(idle.looks), *at, Reverse(idle.slot)));
        for (at, idle) in may_go {
            let (Some(plugin), Some(found)) = (self.plugins.get(at), self.found.get(at).copied())
            else {
                continue;
            };
            if self.done.idle_bytes <= self.max_idle_bytes {
                return;
            }
            if found.ready <= found.min {
                continue;
            }
            if !self.take_step() {
                return;
            }
            if plugin.drop_idle(&idle) {
                self.done.trimmed += 1;
                self.done.idle_bytes = self.done.idle_bytes.saturating_sub(idle.bytes as u64);
                if let Some(found) = self.found.get_mut(at) {
                    found.ready -= 1;
                }
            }
        }
    }

    /// Makes what is lacking, from the plugin at `from` on; returns where to begin the next time.
    fn prepare(&mut self, from: usize) -> usize {
        let len = self.plugins.len();
        for at in (0..len).map(|n| from.wrapping_add(n) % len) {
            let (Some(plugin), Some(found)) = (self.plugins.get(at), self.found.get(at).copied())
            else {
                continue;
            };
            for _ in found.ready..found.min.min(found.ready + found.lacking) {
                if !plugin.can_prepare() {
                    break;
                }
                if !self.take_step() {
                    return at;
                }
                match plugin.prepare() {
                    Prepared::Made(bytes) => {
                        self.done.made += 1;
                        self.done.idle_bytes += bytes as u64;
                    }
                    Prepared::Spare => break,
                    Prepared::Failed => {
                        self.done.failed += 1;
                        break;
                    }
                }
            }
        }
        from
    }

    /// Takes a step out of the budget, if one is left.
    fn take_step(&mut self) -> bool {
        let is_left = self.steps > 0;
        self.steps = self.steps.saturating_sub(1);
        self.done.is_done &= is_left;
        is_left
    }
}
