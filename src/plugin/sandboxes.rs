//! How the sandboxes of a plugin come and go: held for a call or taken out for a lease, made where
//! there is none, let go of after a trap, a reset or an unloading.

use super::WasmPluginInstance;
use crate::{
    AuditDecision, CallOptions, CancelToken, Error, ErrorKind,
    condition::{HELD_BACK, NOT_READY, POOLED, QUARANTINED, TRAPPED, UNLOADED},
    engine::{Evidence, Failure, Sandbox, Version},
    host::Host,
    ledger::Resource,
    pool::{Held, Seat, Versioned},
    stats::SlotCounts,
    sync::Arc,
};
use alloc::boxed::Box;

/// A slot of a plugin, held for the time of one call.
pub(crate) struct Visit<'p, H: Host> {
    plugin: &'p WasmPluginInstance<H>,
    held: Held<'p, Sandbox<H>, SlotCounts>,
}

impl<H: Host> Visit<'_, H> {
    /// The sandbox: a fresh one, if there is none that can be used.
    #[inline]
    pub(crate) fn sandbox(&mut self) -> Result<&mut Sandbox<H>, Error> {
        match self.held.sandbox() {
            Some((sandbox, counts)) => self.plugin.callable(sandbox, counts),
            None => Err(self.plugin.busy()),
        }
    }

    /// Puts another sandbox in the slot, and leaves it.
    pub(super) fn replace(mut self, sandbox: Box<Sandbox<H>>) {
        let older = self.plugin.pool.put(&mut self.held, sandbox, Sandbox::adopt);
        drop(self);
        drop(older);
    }
}

impl<H: Host> Drop for Visit<'_, H> {
    #[inline]
    fn drop(&mut self) {
        if let Some((sandbox, _)) = self.held.sandbox()
            && !WasmPluginInstance::keeps(sandbox)
        {
            self.plugin.discard(sandbox);
        }
        self.plugin.leave(self.held.counts());
    }
}

impl<H: Host> WasmPluginInstance<H> {
    /// Holds a free slot; the error is not yet put in words, which would allocate.
    #[inline]
    pub(crate) fn try_visit(&self) -> Result<Visit<'_, H>, ErrorKind> {
        Ok(Visit { plugin: self, held: self.try_hold()? })
    }

    /// Holds a free slot, whatever keeps calls from the plugin.
    pub(super) fn visit_anyway(&self) -> Option<Visit<'_, H>> {
        Some(Visit { plugin: self, held: self.pool.hold_outlined(false)? })
    }

    /// As [`try_visit`](Self::try_visit), with the error in words.
    #[inline]
    pub(super) fn visit(&self) -> Result<Visit<'_, H>, Error> {
        self.try_visit().map_err(|kind| self.unavailable(kind))
    }

    /// Makes the first sandbox of a plugin that is not ready yet.
    pub(super) fn make_first(&self) -> Result<(), Error> {
        let mut held = self.pool.hold_outlined(false).ok_or_else(|| self.busy())?;
        match held.sandbox() {
            Some((sandbox, counts)) => self.callable(sandbox, counts).map(|_| ()),
            None => Err(self.busy()),
        }
    }

    /// Takes a sandbox, or the right to make one, out of a free slot; returns which slot.
    pub(crate) fn take_out(&self) -> Result<(usize, Seat<Sandbox<H>>), Error> {
        self.try_take_out().map_err(|kind| self.unavailable(kind))
    }

    /// As [`take_out`](Self::take_out); the error is not yet put in words.
    pub(crate) fn try_take_out(&self) -> Result<(usize, Seat<Sandbox<H>>), ErrorKind> {
        let (slot, seat) = self.pool.take_out(self.try_hold()?);
        let is_callable = self.is_callable(&seat);
        Ok((slot, seat.filter(|_| is_callable)))
    }

    /// Begins a call in a sandbox that was taken out, which is made if there is none: returns whether
    /// it was, so that its start function is still to run.
    pub(crate) fn begin_in(&self, slot: usize, seat: &mut Seat<Sandbox<H>>) -> Result<bool, Error> {
        let counts = self.pool.counts_of(slot).ok_or_else(|| self.busy())?;
        let is_fresh = !self.is_callable(seat);
        if is_fresh {
            *seat = None;
            let version = self.version()?;
            let sandbox = Sandbox::instantiate(&version, counts).map_err(|failure| {
                self.not_started(failure, &Evidence::default(), counts, &version)
            })?;
            *seat = Some(Box::new(sandbox));
        }
        counts.cancel.begin();
        Ok(is_fresh)
    }

    #[inline]
    fn try_hold(&self) -> Result<Held<'_, Sandbox<H>, SlotCounts>, ErrorKind> {
        match self.condition.which(UNLOADED | NOT_READY | QUARANTINED | POOLED) {
            0 => self.pool.hold().ok_or(ErrorKind::Busy),
            special => self.hold_special(special),
        }
    }

    /// Holds a slot whose sandbox is ready, where they are made ahead; for a call on trial, if quarantine is
    /// all that refuses calls, and it is time.
    #[cold]
    #[inline(never)]
    fn hold_special(&self, special: usize) -> Result<Held<'_, Sandbox<H>, SlotCounts>, ErrorKind> {
        if special & UNLOADED != 0 {
            return Err(ErrorKind::Unloaded);
        }
        if special & NOT_READY != 0 {
            return Err(ErrorKind::NotReady);
        }
        let held = self.pool.hold_outlined(special & POOLED != 0).ok_or(ErrorKind::Busy)?;
        match special & QUARANTINED == 0 || self.is_let_in(held.counts()) {
            true => Ok(held),
            false => Err(ErrorKind::Quarantined),
        }
    }

    /// Puts a leased sandbox back, if there is one and it can be used again.
    pub(crate) fn put_back(&self, slot: usize, mut sandbox: Seat<Sandbox<H>>) {
        if !Self::keeps(&sandbox) {
            self.discard(&mut sandbox);
        }
        // A token of a call that never came.
        if let Some(counts) = self.pool.counts_of(slot) {
            counts.cancel.end();
            self.leave(counts);
        }
        self.pool.put_back(slot, sandbox);
    }

    /// Cancels every call that is going on in the plugin: each ends with
    /// [`ErrorKind::Cancelled`] at the end of its slice, at its next host call or at its next
    /// [`checkpoint`](crate::HostCall::checkpoint), also where it waits for another plugin or for
    /// the host. Calls that begin later are not concerned. Returns how many were cancelled.
    pub fn cancel_calls(&self) -> usize {
        self.pool.counts().filter(|counts| counts.cancel.cancel_running()).count()
    }

    /// A token of the call that a sandbox taken out runs, or runs next.
    pub(crate) fn cancel_token(&self, slot: usize) -> CancelToken {
        let cell = self.pool.counts_of(slot).map(|counts| Arc::clone(&counts.cancel));
        CancelToken::new(cell.unwrap_or_default())
    }

    /// The sandbox of a lease: a fresh one, if its own cannot be used any more.
    #[inline]
    pub(crate) fn usable_of<'s>(
        &self,
        slot: usize,
        sandbox: &'s mut Seat<Sandbox<H>>,
    ) -> Result<&'s mut Sandbox<H>, Error> {
        if self.condition.has(QUARANTINED) || !is_usable(sandbox) {
            self.make_usable(slot, sandbox)?;
        }
        sandbox.as_deref_mut().ok_or_else(|| self.busy())
    }

    #[cold]
    #[inline(never)]
    fn make_usable(&self, slot: usize, sandbox: &mut Seat<Sandbox<H>>) -> Result<(), Error> {
        let counts = self.pool.counts_of(slot).ok_or_else(|| self.busy())?;
        // An older version is none that the quarantine is about.
        let is_older = is_usable(sandbox) && !self.is_callable(sandbox);
        if self.condition.has(QUARANTINED) && !is_older && !self.is_let_in(counts) {
            return Err(self.refused_in_quarantine());
        }
        match is_usable(sandbox) {
            true => Ok(()),
            false => self.refill(sandbox, counts),
        }
    }

    /// The sandbox that the next call of a lease is in: a fresh one, if its own cannot be used any more.
    pub(crate) fn lasting_of<'s>(
        &self,
        slot: usize,
        sandbox: &'s mut Seat<Sandbox<H>>,
    ) -> Result<&'s mut Sandbox<H>, Error> {
        if !is_usable(sandbox) {
            // A trial is of a call.
            if self.condition.has(QUARANTINED) {
                return Err(self.refused_in_quarantine());
            }
            self.make_usable(slot, sandbox)?;
        }
        sandbox.as_deref_mut().ok_or_else(|| self.busy())
    }

    /// The sandbox of a slot that is held: a fresh one, if it cannot be used any more, or is of another
    /// version than the one that is called.
    #[inline]
    fn callable<'s>(
        &self,
        sandbox: &'s mut Seat<Sandbox<H>>,
        counts: &Arc<SlotCounts>,
    ) -> Result<&'s mut Sandbox<H>, Error> {
        if !self.is_callable(sandbox) {
            self.refill(sandbox, counts)?;
        }
        sandbox.as_deref_mut().ok_or_else(|| self.busy())
    }

    /// Whether there is a sandbox in which calls may run, of the version that is called.
    #[inline]
    pub(super) fn is_callable(&self, sandbox: &Seat<Sandbox<H>>) -> bool {
        sandbox.as_ref().is_some_and(|sandbox| {
            sandbox.is_usable() && Versioned::version(&**sandbox) == self.pool.version()
        })
    }

    /// Makes a new sandbox in place of one that cannot be used, or of none.
    #[cold]
    #[inline(never)]
    fn refill(&self, place: &mut Seat<Sandbox<H>>, counts: &Arc<SlotCounts>) -> Result<(), Error> {
        *place = None;
        let version = self.version()?;
        let sandbox = Sandbox::start(&version, counts).map_err(|(failure, evidence)| {
            self.not_started(failure, &evidence, counts, &version)
        })?;
        self.condition.hold(TRAPPED | HELD_BACK, false);
        *place = Some(Box::new(sandbox));
        Ok(())
    }

    #[cold]
    pub(super) fn not_started(
        &self,
        failure: Failure,
        evidence: &Evidence,
        counts: &SlotCounts,
        version: &Version<H>,
    ) -> Error {
        self.record_failure("", evidence.fuel, &failure, None);
        self.went_wrong("", &failure, &version.limits, version, counts);
        self.failed("", failure, &CallOptions::default(), evidence, &version.context)
    }

    /// Whether a sandbox that was used may be used again, in its version.
    #[inline]
    fn keeps(sandbox: &Seat<Sandbox<H>>) -> bool {
        // If another version is called by now, the pool lets go of it when its slot is left.
        sandbox.as_ref().is_some_and(|sandbox| sandbox.is_usable() && sandbox.outlasts_calls())
    }

    /// Lets go of a sandbox that was used, or leaves it to whoever maintains the plugin.
    #[cold]
    #[inline(never)]
    fn discard(&self, sandbox: &mut Seat<Sandbox<H>>) {
        let trapped = |sandbox: &Sandbox<H>| {
            !sandbox.is_usable() && Versioned::version(sandbox) == self.pool.version()
        };
        if sandbox.as_deref().is_some_and(trapped) {
            self.condition.hold(TRAPPED, true);
        }
        match sandbox {
            Some(sandbox) if self.condition.has(POOLED) => sandbox.use_up(),
            _ => *sandbox = None,
        }
    }

    /// Refuses new calls and drops everything that is not in use. Never waits.
    pub(crate) fn unload(&self) {
        if !self.condition.hold(UNLOADED, true) {
            self.identity().account.give(Resource::Plugins, 1);
        }
        let version = self.current.lock().version.take();
        drop(version);
        let reloads = self.reloads.lock().take();
        drop(reloads);
        self.pool.close();
        self.identity().tell(AuditDecision::Unload, "", "", 0, 0);
        log::debug!("plugin `{}` of tenant `{}` unloaded", self.name(), self.tenant());
    }
}

/// Whether there is a sandbox in which calls may run.
#[inline]
fn is_usable<H: Host>(sandbox: &Seat<Sandbox<H>>) -> bool {
    sandbox.as_ref().is_some_and(|sandbox| sandbox.is_usable())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmbeddedHost, WasmInstanceConfig};
    use std::{fs, thread};

    fn counter() -> WasmPluginInstance<EmbeddedHost> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wasm/counter.wasm");
        let config = WasmInstanceConfig { max_instances: 2, ..WasmInstanceConfig::default() };
        let plugin = WasmPluginInstance::new("counter", &fs::read(path).unwrap(), config).unwrap();
        plugin.init().unwrap();
        plugin
    }

    fn call_until_unloaded(plugin: &WasmPluginInstance<EmbeddedHost>) {
        while plugin.call("increment", &[]).map_err(|error| error.kind()).err()
            != Some(ErrorKind::Unloaded)
        {}
    }

    #[test]
    fn a_plugin_unloaded_amid_calls_holds_no_sandbox_once_the_last_has_ended() {
        for round in 0..500 {
            let plugin = counter();
            thread::scope(|scope| {
                // One more than there are slots.
                for _ in 0..3 {
                    scope.spawn(|| call_until_unloaded(&plugin));
                }
                (0..round * 20).for_each(|_| core::hint::spin_loop());
                plugin.unload();
            });
            assert!(plugin.pool.is_empty(), "round {round}");
        }
    }

    #[test]
    fn a_plugin_unloaded_while_leased_holds_no_sandbox_once_the_lease_is_back() {
        let plugin = counter();
        let lease = plugin.lease().unwrap();
        plugin.unload();
        assert!(!plugin.pool.is_empty());
        drop(lease);
        assert!(plugin.pool.is_empty());
    }
}
