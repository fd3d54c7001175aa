//! What a sandbox knows of the call it is running.

use super::{
    Chain, HostError, NestedLimits, PluginContext, memory::Range, recent::Recent,
    suspension::Suspension,
};
use crate::{
    audit::Recorded,
    budget::Meter,
    cancel::CancelCell,
    schedule::Pace,
    stats::{HostCounts, SlotCounts},
    sync::Arc,
};
use alloc::{string::String, vec::Vec};

/// What a sandbox knows of the call it is running.
pub(crate) struct CallState {
    pub(crate) counts: Arc<SlotCounts>,
    pub(crate) host_counts: HostCounts,
    cancel: Arc<CancelCell>,
    pub(crate) meter: Meter,
    pub(crate) pace: Pace,
    /// Whether the first slice is all there is, so that the guest never goes on from where it was
    /// stopped.
    pub(crate) whole: bool,
    pub(crate) chain: Chain,
    pub(crate) tag: u64,
    /// What the last `call_plugin` of this call left for `last_answer`.
    pub(crate) last_answer: Vec<u8>,
    /// The beginning of the last line logged in this call. Has its room once there was a line.
    pub(crate) last_log: String,
    /// The last host calls of this call.
    pub(crate) recent: Recent,
    /// Where in guest memory the running host call has the name it is about.
    pub(crate) named: Range,
    /// How many decisions of this call, and of those that it led to, went to the audit ring.
    pub(crate) recorded: Recorded,
    pub(crate) suspension: Suspension,
}

/// The status of a host call that stopped the guest.
pub(crate) const STOPPED: i32 = i32::MIN;

impl CallState {
    pub(crate) fn new(metered: bool, counts: Arc<SlotCounts>) -> Self {
        Self {
            cancel: Arc::clone(&counts.cancel),
            host_counts: counts.host_counts().clone(),
            counts,
            meter: Meter::new(metered),
            pace: Pace::default(),
            whole: false,
            chain: Chain::default(),
            tag: 0,
            last_answer: Vec::new(),
            last_log: String::new(),
            recent: Recent::default(),
            named: Range::EMPTY,
            recorded: Recorded::default(),
            suspension: Suspension::default(),
        }
    }

    /// Makes it the state of a sandbox in another slot.
    pub(crate) fn move_to(&mut self, counts: Arc<SlotCounts>) {
        self.cancel = Arc::clone(&counts.cancel);
        self.host_counts = counts.host_counts().clone();
        self.counts = counts;
    }

    /// Begins a call: forgets what the last one left.
    #[inline]
    pub(crate) fn begin(&mut self, tag: u64) {
        self.tag = tag;
        // What there is to forget comes from host calls.
        if !self.recent.is_empty() {
            self.last_answer.clear();
            self.last_log.clear();
            self.recent.clear();
            if self.chain.is_empty() {
                self.recorded.set_to(None);
            }
        }
    }

    /// Takes over what the callers of a nested call leave it, before the sandbox runs for them: who
    /// they are, and how many decisions of theirs went to the audit ring. Returns whether there was
    /// memory for it; if not, it may not run.
    #[must_use]
    pub(crate) fn enter(&mut self, outer: &NestedLimits<'_>) -> bool {
        let has_room = self.chain.set(outer.chain, &outer.caller);
        if has_room {
            self.recorded.set_to(Some(outer.recorded));
        }
        has_room
    }

    /// Forgets the callers, once the sandbox has run for them.
    pub(crate) fn leave(&mut self) {
        if !self.chain.is_empty() {
            self.chain.clear();
            self.recorded.set_to(None);
        }
    }

    /// Ends a slice, after `spent` fuel, and says whether the call may go on.
    #[inline]
    pub(crate) fn end_slice<H>(
        &mut self,
        context: &PluginContext<H>,
        spent: u64,
    ) -> Result<(), HostError> {
        self.check_cancelled()?;
        self.pace.end_slice(context.clock(), spent, context.interval_us(), &self.counts)
    }

    /// Reads the clock, and says whether the call may go on, amid a host call.
    #[cold]
    #[inline(never)]
    pub(crate) fn check<H>(&mut self, context: &PluginContext<H>) -> Result<(), HostError> {
        self.check_cancelled()?;
        self.pace.check(context.clock(), self.meter.spent(self.meter.slice_left()))
    }

    /// Where the call is cancelled.
    pub(super) fn cancel(&self) -> Arc<CancelCell> {
        Arc::clone(&self.cancel)
    }

    /// Fails if the call is cancelled, or one of those that led to it.
    #[inline]
    pub(crate) fn check_cancelled(&self) -> Result<(), HostError> {
        match self.cancel.is_cancelled() || self.chain.is_cancelled() {
            true => Err(HostError::Cancelled),
            false => Ok(()),
        }
    }

    /// Begins to time a call of host function `function`, and says whether the guest may go on.
    #[cold]
    #[inline(never)]
    pub(crate) fn begin_watch<H>(
        &mut self,
        context: &PluginContext<H>,
        function: usize,
    ) -> Result<u64, HostError> {
        self.check(context).inspect_err(|_| {
            // The calls that were not timed may have been what took so long.
            self.host_counts.took(function, u64::MAX, context.interval_us());
        })?;
        Ok(self.pace.last_us())
    }

    /// Ends the timing of a host call, and says whether the call may go on.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_watch<H>(
        &mut self,
        context: &PluginContext<H>,
        function: usize,
        began_us: u64,
    ) -> Result<(), HostError> {
        let verdict = self.check(context);
        let us = self.pace.last_us().saturating_sub(began_us);
        self.host_counts.took(function, us, context.interval_us());
        verdict
    }
}
