//! One function of a plugin called many times at once.

use crate::{
    CallOptions, Error, ErrorKind, PluginFunction, PluginLease, ResetPolicy,
    engine::{CallLimits, Failure, Params, Results, Sandbox, Version},
    host::Host,
};
use alloc::format;
use core::fmt;

/// How a batch of calls failed: [`PluginFunction::call_many`].
#[derive(Debug)]
pub struct BatchError {
    index: usize,
    items: usize,
    error: Error,
}

impl BatchError {
    /// Returns the index of the item that failed. Those before it have ended well, and their results are
    /// in the outputs; those behind it did not run.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns how the item failed.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Returns how the item failed.
    pub fn into_error(self) -> Error {
        self.error
    }
}

impl From<BatchError> for Error {
    fn from(error: BatchError) -> Self {
        error.error
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {} of {}: {}", self.index, self.items, self.error)
    }
}

impl core::error::Error for BatchError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl<P: Params, R: Results, H: Host> PluginFunction<P, R, H> {
    /// Calls the function with each of `inputs`, one after the other in one sandbox, and puts the results
    /// in the first so many of `outputs`. Allocates nothing once the sandbox has done so before.
    ///
    /// It is made for a function that is called for every row: up to 256 calls are made in one entry into
    /// the interpreter, by a few instructions next to the plugin that loop over a memory of their own.
    /// Results, fuel and statistics are those of as many calls by [`call`](Self::call), but for these:
    ///
    /// - The fuel of all is pooled: they may spend as many times `fuel_limit` as there are inputs, in
    ///   whatever shares. (The instructions that make the calls are not counted, and what they are allowed
    ///   for one entry, some 5,000 fuel at most, is within the reach of the last item.)
    /// - `timeout_ms` is for the whole: whoever waits, waits once.
    /// - For host functions it is one call: of what `call_plugin` answered, and of what went
    ///   to the audit ring.
    /// - One of the guest's `max_recursion_depth` levels is taken.
    ///
    /// With [`ResetPolicy::AfterCall`] each item gets a sandbox of its own, and what a call may use: then
    /// this is no faster than calls one by one.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call), with the index of the item that failed. The results of the items
    /// before it are in `outputs`; what comes after them there is as it was.
    /// [`ErrorKind::LimitExceeded`] at index 0 if `outputs` is shorter than `inputs`.
    pub fn call_many(&self, inputs: &[P], outputs: &mut [R]) -> Result<(), BatchError> {
        self.call_many_with(inputs, outputs, CallOptions::default())
    }

    /// Calls the function with each of `inputs`, as [`call_many`](Self::call_many) does, under limits that
    /// `options` may narrow: the fuel of each, and the time of all.
    ///
    /// # Errors
    ///
    /// As [`call_many`](Self::call_many).
    pub fn call_many_with(
        &self,
        inputs: &[P],
        outputs: &mut [R],
        options: CallOptions,
    ) -> Result<(), BatchError> {
        let outputs = self.room_for(inputs, outputs)?;
        if inputs.is_empty() {
            return Ok(());
        }
        if self.plugin().context().config.reset == ResetPolicy::AfterCall {
            return self.call_each(inputs, outputs, options);
        }
        let mut ended = 0;
        let result = self
            .plugin()
            .in_any_sandbox(|sandbox| self.run_many(sandbox, inputs, outputs, options, &mut ended));
        result.map_err(|error| BatchError { index: ended, items: inputs.len(), error })
    }

    /// Calls the function with each of `inputs`, as [`call_many`](Self::call_many) does, in the sandbox of
    /// a lease on the same plugin. All items see one state there, whatever the plugin's reset policy.
    ///
    /// # Errors
    ///
    /// As [`call_many`](Self::call_many); [`ErrorKind::SignatureMismatch`] if the lease is on another
    /// plugin.
    pub fn call_many_in(
        &self,
        lease: &mut PluginLease<'_, H>,
        inputs: &[P],
        outputs: &mut [R],
    ) -> Result<(), BatchError> {
        let outputs = self.room_for(inputs, outputs)?;
        if inputs.is_empty() {
            return Ok(());
        }
        let mut ended = 0;
        let sandbox = lease.sandbox_of(self.plugin());
        let options = CallOptions::default();
        let result = sandbox
            .and_then(|sandbox| self.run_many(sandbox, inputs, outputs, options, &mut ended));
        result.map_err(|error| BatchError { index: ended, items: inputs.len(), error })
    }

    /// The outputs that there are inputs for.
    fn room_for<'o>(&self, inputs: &[P], outputs: &'o mut [R]) -> Result<&'o mut [R], BatchError> {
        let (items, room) = (inputs.len(), outputs.len());
        outputs.get_mut(..items).ok_or_else(|| {
            let what = format!("there are {items} inputs and room for {room} outputs");
            let error = Error::host(ErrorKind::LimitExceeded, what);
            let error = self.plugin().name_error(error, self.name());
            BatchError { index: 0, items, error }
        })
    }

    fn call_each(
        &self,
        inputs: &[P],
        outputs: &mut [R],
        options: CallOptions,
    ) -> Result<(), BatchError> {
        let items = inputs.len();
        for (index, (input, output)) in inputs.iter().zip(outputs).enumerate() {
            let result = self.call_with(*input, options);
            *output = result.map_err(|error| BatchError { index, items, error })?;
        }
        Ok(())
    }

    /// Runs a batch in a sandbox; `ended` is how many of its items have ended.
    fn run_many(
        &self,
        sandbox: &mut Sandbox<H>,
        inputs: &[P],
        outputs: &mut [R],
        options: CallOptions,
        ended: &mut usize,
    ) -> Result<(), Error> {
        let index = self.index_in(sandbox)?;
        let Version { code, context, .. } = &**sandbox.version();
        let each = code.limits(&context.config, &options);
        let fuel = each.fuel.saturating_mul(inputs.len() as u64);
        let limits = CallLimits { fuel, whole: false, ..each };
        let run = |sandbox: &mut Sandbox<H>, limits: Option<&CallLimits>| -> Result<(), Failure> {
            // There are limits: those given below, or less.
            let limits = limits.copied().unwrap_or(each);
            let result = sandbox.call_many(index, inputs, outputs, &limits);
            result.map_err(|(done, failure)| {
                *ended = done;
                failure
            })
        };
        self.plugin().spend_within(self.name(), &options, &limits, sandbox, run)
    }
}
