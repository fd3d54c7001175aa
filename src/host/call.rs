//! One host call: who calls, what it may still spend, and the order of its checks.

use super::{
    CallState, Host, HostCost, HostError, Link, NestedLimits, Output, PluginContext,
    memory::{Range, Split},
    suspension::Suspension,
};
use crate::{
    WasmPluginCapabilities,
    schedule::{MIN_NESTED_SLICE_FUEL, SLICE_FUEL},
    sync::Arc,
};

/// The longest name, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 128;
/// The longest key, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 4 << 10;

/// What a host function was defined with, as seen from one plugin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FunctionSpec {
    /// Its index in the registry's table.
    // Not a `usize`: no table has as many, and every plugin keeps one of these for each import.
    pub(crate) index: u32,
    pub(crate) cost: HostCost,
    /// Whether the plugin holds the grant, as far as that depends on no argument; always, for a
    /// function that checks its grant itself.
    pub(crate) granted: bool,
    /// Whether the plugin's calls are metered.
    pub(crate) metered: bool,
    /// Whether each of its calls goes to the audit ring.
    pub(crate) audited: bool,
}

impl FunctionSpec {
    /// Its index in the registry's table.
    #[inline]
    pub(crate) const fn index(&self) -> usize {
        self.index as usize
    }
}

/// A call of a host function by a guest: who calls, with what budget, and the guest's memory.
pub struct HostCall<'b, H> {
    context: &'b PluginContext<H>,
    state: &'b mut CallState,
    /// The guest's memory; gone once it was split, or if the guest exports none.
    memory: Option<&'b mut [u8]>,
    spec: &'b FunctionSpec,
    /// Where in that memory the output is, once it was split off.
    output: Range,
}

impl<H> core::fmt::Debug for HostCall<'_, H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("HostCall").field("plugin", &self.context.name).finish_non_exhaustive()
    }
}

impl<'b, H: Host> HostCall<'b, H> {
    pub(crate) fn new(
        context: &'b PluginContext<H>,
        state: &'b mut CallState,
        memory: Option<&'b mut [u8]>,
        spec: &'b FunctionSpec,
    ) -> Self {
        Self { context, state, memory, spec, output: Range::EMPTY }
    }

    /// Begins the call: says whether it may go on, and when it began if it `is_watched` and there is
    /// a deadline.
    #[inline(always)]
    pub(crate) fn begin(&mut self, is_watched: bool) -> Result<Option<u64>, HostError> {
        self.state.check_cancelled()?;
        match is_watched && self.state.pace.has_deadline() {
            true => self.state.begin_watch(self.context, self.spec.index()).map(Some),
            false => Ok(None),
        }
    }

    /// Ends a call that was watched: if it went well, the guest may not go on where the deadline has
    /// passed meanwhile.
    #[cold]
    pub(crate) fn end<R>(
        &mut self,
        began_us: u64,
        result: Result<R, HostError>,
    ) -> Result<R, HostError> {
        let verdict = self.state.end_watch(self.context, self.spec.index(), began_us);
        result.and_then(|value| verdict.map(|()| value))
    }

    /// Where in guest memory the function has its output.
    pub(crate) fn output(&self) -> Range {
        self.output
    }

    /// Returns the host.
    pub fn host(&self) -> &H {
        &self.context.host
    }

    /// Returns the name of the plugin that calls.
    pub fn plugin(&self) -> &str {
        &self.context.name
    }

    /// Returns the tenant that the plugin belongs to.
    pub fn tenant(&self) -> &str {
        &self.context.config.tenant
    }

    /// Returns what the plugin may do, for a function that decides by what its arguments name.
    pub fn capabilities(&self) -> &WasmPluginCapabilities {
        &self.context.config.capabilities
    }

    /// Returns the tag that the host gave the running call, 0 if none. A plugin called by another
    /// sees the outermost call's tag.
    pub fn tag(&self) -> u64 {
        self.state.tag
    }

    /// Returns a setting of the plugin's configuration.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let settings = &self.context.config.settings;
        settings.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What the host keeps for the plugin: found once, and then at hand for all its calls. Nothing if
    /// `find` finds nothing yet.
    #[inline]
    pub(crate) fn kept<T: Send + Sync + 'static>(
        &self,
        find: impl FnOnce() -> Option<Arc<T>>,
    ) -> Option<&'b T> {
        let kept = match self.context.kept.get() {
            Some(kept) => kept,
            None => {
                let found = find()?;
                self.context.kept.call_once(|| found)
            }
        };
        kept.downcast_ref()
    }

    /// Returns the fuel that guest and host may still spend in this call; `u64::MAX` for a plugin
    /// that is not metered.
    pub fn fuel_left(&self) -> u64 {
        self.state.meter.left()
    }

    /// Charges `fuel` to the call.
    ///
    /// # Errors
    ///
    /// [`HostError::OutOfFuel`] if less is left; nothing is charged then, and the call ends when the
    /// error is returned to the guest.
    #[inline]
    pub fn charge(&mut self, fuel: u64) -> Result<(), HostError> {
        self.state.meter.charge(fuel)
    }

    /// Charges for `len` bytes at the function's cost.
    ///
    /// # Errors
    ///
    /// As [`charge`](Self::charge).
    #[inline]
    pub fn charge_bytes(&mut self, len: usize) -> Result<(), HostError> {
        self.charge(self.spec.cost.bytes(len))
    }

    /// Charges for what a suspended function writes into its output.
    pub(crate) fn paying<'o>(&'o mut self, output: Output<'o>) -> Output<'o> {
        output.paid_by(&mut self.state.meter, &self.spec.cost)
    }

    /// Charges for `len` bytes that are looked at more than once, which cost more where they are many.
    #[inline]
    pub(super) fn charge_long(&mut self, len: usize) -> Result<(), HostError> {
        self.charge(self.spec.cost.bytes(len).saturating_add(HostCost::long_bytes(len)))
    }

    /// Charges for a name, and for `len` bytes as [`charge_long`](Self::charge_long) does.
    #[inline]
    pub(super) fn charge_name_and_long(
        &mut self,
        name_len: usize,
        len: usize,
    ) -> Result<(), HostError> {
        let cost = self.spec.cost;
        let fuel = cost.bytes(name_len).saturating_add(cost.bytes(len));
        self.charge(fuel.saturating_add(HostCost::long_bytes(len)))
    }

    /// Charges for `n` rows, records or components at the function's cost.
    ///
    /// # Errors
    ///
    /// As [`charge`](Self::charge).
    #[inline]
    pub fn charge_items(&mut self, n: usize) -> Result<(), HostError> {
        self.charge(self.spec.cost.items(n))
    }

    /// Returns whether the function may answer [`HostError::Pending`]: whether the host
    /// [started](crate::WasmPluginInstance::start) the call, so that there is something to complete.
    pub fn can_suspend(&self) -> bool {
        self.state.suspension.possible
    }

    /// Says whether the call may go on. Call it at least every 64 KiB or 1,024 rows of a long loop.
    ///
    /// # Errors
    ///
    /// [`HostError::Deadline`] if the call is past its deadline, [`HostError::Cancelled`] if it was
    /// cancelled.
    pub fn checkpoint(&mut self) -> Result<(), HostError> {
        self.state.check(self.context)
    }

    /// Returns the guest's memory at a pointer and length that the guest gave.
    ///
    /// # Errors
    ///
    /// [`HostError::InvalidArguments`] if the range is not inside, if the guest exports no memory,
    /// or after [`split`](Self::split).
    pub fn bytes(&self, ptr: i32, len: i32) -> Result<&[u8], HostError> {
        let memory = self.memory.as_deref().ok_or(HostError::InvalidArguments)?;
        Range::check(memory.len(), ptr, len)?.of(memory)
    }

    /// Writes `bytes` into the guest's memory, from a pointer on that the guest gave.
    ///
    /// # Errors
    ///
    /// [`HostError::InvalidArguments`] as for [`bytes`](Self::bytes); nothing is written.
    pub fn write(&mut self, ptr: i32, bytes: &[u8]) -> Result<(), HostError> {
        let len = u32::try_from(bytes.len()).map_err(|_| HostError::InvalidArguments)?;
        let memory = self.memory.as_deref_mut().ok_or(HostError::InvalidArguments)?;
        let range = Range::check(memory.len(), ptr, len.cast_signed())?;
        range.of_mut(memory)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Returns the guest's memory at several pointers and lengths, the last of which can be
    /// written. The memory can be split once a call.
    ///
    /// # Errors
    ///
    /// [`HostError::InvalidArguments`] as for [`bytes`](Self::bytes), and if the output overlaps an
    /// input.
    pub fn split<const N: usize>(
        &mut self,
        inputs: [(i32, i32); N],
        output: (i32, i32),
    ) -> Result<([&'b [u8]; N], Output<'b>), HostError> {
        let size = self.memory_size()?;
        let mut ranges = [Range::EMPTY; N];
        for (range, (ptr, len)) in ranges.iter_mut().zip(inputs) {
            *range = Range::check(size, ptr, len)?;
        }
        let output = Range::check(size, output.0, output.1)?;
        self.output = output;
        let (split, output) = Split::new(self.take_memory()?, output)?;
        let mut parts: [&'b [u8]; N] = [&[]; N];
        for (part, range) in parts.iter_mut().zip(ranges) {
            *part = split.input(range)?;
        }
        Ok((parts, Output::new(output)))
    }

    fn memory_size(&self) -> Result<usize, HostError> {
        Ok(self.memory.as_deref().ok_or(HostError::InvalidArguments)?.len())
    }

    fn take_memory(&mut self) -> Result<&'b mut [u8], HostError> {
        self.memory.take().ok_or(HostError::InvalidArguments)
    }

    /// Checks the arguments of a built-in function that names something, in the order that the ABI
    /// fixes: the bounds, length and UTF-8 of the name; the grant for it; then everything else.
    ///
    /// `granted` fails with [`HostError::Denied`] if there is no grant for the name. Each input is a
    /// pointer, a length and the most that length may be.
    pub(super) fn named_arguments<const N: usize>(
        &mut self,
        name: (i32, i32),
        granted: impl FnOnce(&Self, &str) -> Result<(), HostError>,
        inputs: [(i32, i32, usize); N],
        output: (i32, i32),
    ) -> Result<(&'b str, [&'b [u8]; N], Output<'b>), HostError> {
        let memory = self.take_memory()?;
        let name = check_length(memory.len(), (name.0, name.1, MAX_NAME_BYTES))?;
        self.state.named = name;
        let mut ranges = [Range::EMPTY; N];
        let others = check_others(memory.len(), name, (inputs, &mut ranges), output);
        // Splitting off an output that overlaps the name would hide the name from its own check.
        let output = others.unwrap_or(Range::EMPTY);
        self.output = output;
        let (split, output) = Split::new(memory, output)?;
        let name = check_name(split.input(name)?)?;
        granted(self, name)?;
        if others.is_none() {
            return Err(HostError::InvalidArguments);
        }
        let mut parts: [&'b [u8]; N] = [&[]; N];
        for (part, range) in parts.iter_mut().zip(ranges) {
            *part = split.input(range)?;
        }
        Ok((name, parts, Output::new(output)))
    }

    /// The output of a host call that was suspended: the range is checked again, against the memory
    /// as it is now.
    pub(crate) fn suspended_output(&mut self) -> Result<Output<'b>, HostError> {
        let range = self.state.suspension.output;
        self.output = range;
        match self.memory.take() {
            Some(memory) => range.of_mut(memory).map(Output::new),
            // A function that has no memory has no output either.
            None => Range::EMPTY.of_mut(&mut []).map(Output::new),
        }
    }

    /// Fails unless the plugin has a grant.
    pub(super) fn require(
        &self,
        has: impl FnOnce(&WasmPluginCapabilities) -> bool,
    ) -> Result<(), HostError> {
        match has(self.capabilities()) {
            true => Ok(()),
            false => Err(HostError::Denied),
        }
    }

    /// What a callee of `call_plugin` may use of this call.
    pub(super) fn nested_limits(&self) -> NestedLimits<'_> {
        let state = &*self.state;
        NestedLimits {
            fuel: state.meter.left(),
            slice_fuel: state.meter.slice_left().clamp(MIN_NESTED_SLICE_FUEL, SLICE_FUEL),
            deadline_us: state.pace.deadline_us(),
            timeout_us: state.pace.timeout_us(),
            tag: state.tag,
            chain: &state.chain,
            recorded: &state.recorded,
            pause_after: self.pause_after(),
            caller: Link { plugin: self.context.id, cancel: state.cancel() },
            max_depth: self.context.config.limits.max_call_depth,
        }
    }

    /// The fuel after which a callee is to be paused; nothing if it cannot be.
    fn pause_after(&self) -> Option<u64> {
        let Suspension { possible, pause_at, .. } = self.state.suspension;
        let meter = &self.state.meter;
        possible.then(|| pause_at.saturating_sub(meter.spent(meter.slice_left())))
    }

    pub(super) fn state(&mut self) -> &mut CallState {
        self.state
    }

    /// Who calls.
    pub(super) fn context(&self) -> &'b PluginContext<H> {
        self.context
    }

    /// Runs a method of the host with this call.
    #[inline]
    pub(super) fn with_host<R>(
        &mut self,
        method: impl FnOnce(&'b H, &mut Self) -> Result<R, HostError>,
    ) -> Result<R, HostError> {
        method(&self.context.host, self)
    }
}

/// Checks that a range is inside and not longer than allowed.
#[inline]
fn check_length(size: usize, range: (i32, i32, usize)) -> Result<Range, HostError> {
    let (ptr, len, max) = range;
    let range = Range::check(size, ptr, len)?;
    match range.len() <= max {
        true => Ok(range),
        false => Err(HostError::InvalidArguments),
    }
}

/// Checks everything but the name, and says where the inputs are. Returns where the output is;
/// nothing if any of it is invalid.
#[inline]
fn check_others<const N: usize>(
    size: usize,
    name: Range,
    (inputs, ranges): ([(i32, i32, usize); N], &mut [Range; N]),
    output: (i32, i32),
) -> Option<Range> {
    let output = Range::check(size, output.0, output.1).ok()?;
    let mut overlaps = output.overlaps(name);
    for (range, input) in ranges.iter_mut().zip(inputs) {
        *range = check_length(size, input).ok()?;
        overlaps |= output.overlaps(*range);
    }
    (!overlaps).then_some(output)
}

/// Checks a name: UTF-8 of 1 to 128 bytes.
pub(super) fn check_name(bytes: &[u8]) -> Result<&str, HostError> {
    match bytes.len() {
        1..=MAX_NAME_BYTES => str::from_utf8(bytes).map_err(|_| HostError::InvalidArguments),
        _ => Err(HostError::InvalidArguments),
    }
}
