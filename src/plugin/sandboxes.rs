//! How the sandboxes of a plugin come and go: made when a slot has none, let go of after a trap, a
//! reset or an unloading.

use super::WasmPluginInstance;
use crate::{
    AuditDecision, CallOptions, Error,
    engine::{Evidence, Failure, Sandbox},
    host::Host,
    pool::{Held, Place},
    stats::SlotCounts,
    sync::{Arc, Ordering, fence},
};
use alloc::boxed::Box;

impl<H: Host> WasmPluginInstance<H> {
    /// Makes sure that there is a sandbox in the slot, and one that can be used.
    #[inline]
    pub(super) fn fill<'h>(&self, held: &'h mut Held<'_, H>) -> Result<&'h mut Sandbox<H>, Error> {
        let usable = matches!(&*held.place, Place::Idle(sandbox) if sandbox.is_usable());
        if !usable {
            self.refill(held)?;
        }
        match &mut *held.place {
            Place::Idle(sandbox) => Ok(sandbox),
            Place::Empty | Place::Out => Err(self.busy()),
        }
    }

    #[cold]
    fn refill(&self, held: &mut Held<'_, H>) -> Result<(), Error> {
        *held.place = Place::Empty;
        *held.place = Place::Idle(self.fresh(held.counts)?);
        Ok(())
    }

    /// A new sandbox.
    fn fresh(&self, counts: &Arc<SlotCounts>) -> Result<Box<Sandbox<H>>, Error> {
        let code = self.code.read().clone().ok_or_else(|| self.gone())?;
        let sandbox = Sandbox::start(&code, &self.context, counts)
            .map_err(|(failure, evidence)| self.not_started(failure, &evidence))?;
        self.trapped.store(false, Ordering::Relaxed);
        Ok(Box::new(sandbox))
    }

    #[cold]
    fn not_started(&self, failure: Failure, evidence: &Evidence) -> Error {
        self.record_failure("", evidence.fuel, &failure, None);
        self.failed("", failure, &CallOptions::default(), evidence)
    }

    /// Whether a sandbox that was used may be used again.
    #[inline]
    pub(super) fn keeps(&self, sandbox: &Sandbox<H>) -> bool {
        if !sandbox.is_usable() {
            self.trapped.store(true, Ordering::Relaxed);
            return false;
        }
        self.context.config.reset == crate::ResetPolicy::OnTrap
    }

    /// Gives back what an unloaded plugin still holds. Every use of a sandbox ends here: either
    /// this sees that the plugin was unloaded, or unloading finds the slot free.
    #[inline]
    pub(super) fn after_use(&self) {
        fence(Ordering::SeqCst);
        if self.unloaded.load(Ordering::Relaxed) {
            self.pool.clear();
        }
    }

    /// Refuses new calls and drops everything that is not in use. Never waits.
    pub(crate) fn unload(&self) {
        self.unloaded.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        *self.code.write() = None;
        self.pool.clear();
        self.context.record(AuditDecision::Unload, "", "", 0, 0);
        log::debug!("plugin `{}` of tenant `{}` unloaded", self.name(), self.tenant());
    }

    /// Puts a leased sandbox back, if there is one and it can be used again.
    pub(crate) fn put_back(&self, slot: usize, sandbox: Option<Box<Sandbox<H>>>) {
        let sandbox = sandbox.filter(|sandbox| self.keeps(sandbox));
        self.pool.put_back(slot, sandbox);
        self.after_use();
    }

    /// The sandbox of a lease: a fresh one, if its own cannot be used any more.
    #[inline]
    pub(crate) fn usable<'s>(
        &self,
        sandbox: &'s mut Option<Box<Sandbox<H>>>,
        slot: usize,
    ) -> Result<&'s mut Sandbox<H>, Error> {
        if !sandbox.as_ref().is_some_and(|sandbox| sandbox.is_usable()) {
            *sandbox = None;
            let counts = self.pool.counts_of(slot).ok_or_else(|| self.busy())?;
            *sandbox = Some(self.fresh(counts)?);
        }
        match sandbox {
            Some(sandbox) => Ok(sandbox),
            None => Err(self.busy()),
        }
    }
}
