//! A plugin's sandboxes made ahead of its calls, and let go of when they are used up or idle.

use super::WasmPluginInstance;
use crate::{
    condition::{HELD_BACK, NOT_READY, QUARANTINED, RELOADING, UNLOADED},
    engine::Sandbox,
    host::Host,
    stats::SlotCounts,
    sync::Arc,
};
use alloc::boxed::Box;

/// A sandbox that no call has.
pub(crate) struct Idle {
    pub(crate) slot: usize,
    pub(crate) bytes: usize,
    /// How often in a row it was found idle; nothing once it is used up.
    pub(crate) looks: Option<u32>,
    /// Whether it may be dropped although it is not used up.
    pub(crate) may_go: bool,
}

/// What came of making a sandbox ahead.
pub(crate) enum Prepared {
    /// It holds so many bytes.
    Made(usize),
    /// Nobody has a place for it any more.
    Spare,
    /// It did not start.
    Failed,
}

impl<H: Host> WasmPluginInstance<H> {
    /// How many sandboxes are to be ready.
    pub(crate) fn min_instances(&self) -> usize {
        self.context().config.min_instances as usize
    }

    /// Tells of each slot that no call has what sandbox is there, if there is one.
    pub(crate) fn each_idle(&self, mut tell: impl FnMut(Option<Idle>)) {
        for slot in 0..self.pool.len() {
            self.pool.look_into(slot, |seat| {
                let is_callable = self.is_callable(seat);
                tell(seat.as_deref_mut().map(|sandbox| Idle {
                    slot,
                    bytes: sandbox.heap_bytes(),
                    looks: is_callable.then(|| sandbox.look()),
                    may_go: !sandbox.outlasts_calls() || sandbox.version().context.config.trim_idle,
                }));
                None
            });
        }
    }

    /// Drops the sandbox of a slot, if it is as it was found, used up or idle; returns whether it did.
    pub(crate) fn drop_idle(&self, idle: &Idle) -> bool {
        let mut is_dropped = false;
        self.pool.look_into(idle.slot, |seat| {
            let is_callable = self.is_callable(seat);
            let taken = seat.take_if(|sandbox| match idle.looks {
                None => !is_callable,
                Some(_) => is_callable && !sandbox.was_called_since(),
            });
            is_dropped = taken.is_some();
            taken
        });
        is_dropped
    }

    /// Makes a sandbox, and puts it in a slot that needs one.
    pub(crate) fn prepare(&self) -> Prepared {
        let Some(version) = self.try_version() else {
            return Prepared::Spare;
        };
        // Before it starts: a panic of the host's may leave from here, and is not to do so again.
        self.condition.hold(HELD_BACK, true);
        let counts = Arc::new(SlotCounts::new(self.table.len()));
        match Sandbox::start(&version, &counts) {
            Ok(sandbox) => {
                self.condition.hold(HELD_BACK, false);
                let bytes = sandbox.heap_bytes();
                if self.pool.offer(Box::new(sandbox), Sandbox::adopt) {
                    return Prepared::Made(bytes);
                }
                self.count_start(&counts);
                Prepared::Spare
            }
            Err((failure, evidence)) => {
                // In words it goes to the log, if it is to.
                drop(self.not_started(failure, &evidence, &counts, &version));
                self.count_start(&counts);
                Prepared::Failed
            }
        }
    }

    /// Counts the start of a sandbox that no slot has taken; if all are in use, it is not counted.
    fn count_start(&self, counts: &SlotCounts) {
        if let Some(held) = self.pool.hold() {
            held.counts().take_start(counts);
        }
    }

    /// Whether sandboxes may be made ahead now.
    pub(crate) fn can_prepare(&self) -> bool {
        const UNFIT: usize = UNLOADED | NOT_READY | QUARANTINED | RELOADING | HELD_BACK;
        !self.condition.has(UNFIT)
    }
}
