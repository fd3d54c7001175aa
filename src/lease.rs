//! One sandbox held across several calls.

use crate::{
    CallOptions, CancelToken, Error, ErrorKind, WasmPluginInstance, WasmValue, WasmValues,
    engine::{Failure, Sandbox},
    host::Host,
    pool::Seat,
    report,
    sync::Arc,
    value::filled,
};
use alloc::{format, vec::Vec};
use core::ops::Deref;

/// One sandbox of a plugin, held across several calls: for plugins with a protocol of their own.
///
/// The calls see one another's state, and nobody else's. Each has the plugin's limits. When the lease
/// is dropped, the sandbox goes back to the plugin. If a call trapped or was stopped, it is discarded
/// instead: the next call, [`write`](Self::write) or [`grow`](Self::grow) is in a fresh one, and until then
/// [`read`](Self::read), [`memory_bytes`](Self::memory_bytes) and [`global`](Self::global) show what the
/// guest left.
pub struct PluginLease<'p, H: Host = crate::EmbeddedHost> {
    plugin: Holder<'p, H>,
    slot: usize,
    /// There until the lease is dropped, unless it could not be made.
    sandbox: Seat<Sandbox<H>>,
}

/// How a lease holds its plugin.
enum Holder<'p, H: Host> {
    Borrowed(&'p WasmPluginInstance<H>),
    Owned(Arc<WasmPluginInstance<H>>),
}

impl<H: Host> Deref for Holder<'_, H> {
    type Target = WasmPluginInstance<H>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        match self {
            Self::Borrowed(plugin) => plugin,
            Self::Owned(plugin) => plugin,
        }
    }
}

impl<'p, H: Host> PluginLease<'p, H> {
    pub(crate) fn borrowed(
        plugin: &'p WasmPluginInstance<H>,
        slot: usize,
        sandbox: Seat<Sandbox<H>>,
    ) -> Result<Self, Error> {
        Self { plugin: Holder::Borrowed(plugin), slot, sandbox }.filled()
    }

    pub(crate) fn owned(
        plugin: Arc<WasmPluginInstance<H>>,
        slot: usize,
        sandbox: Seat<Sandbox<H>>,
    ) -> Result<Self, Error> {
        Self { plugin: Holder::Owned(plugin), slot, sandbox }.filled()
    }

    /// The lease with a sandbox in it. If none can be made, the slot is free again.
    fn filled(mut self) -> Result<Self, Error> {
        self.plugin.usable_of(self.slot, &mut self.sandbox)?;
        Ok(self)
    }

    /// Returns the plugin.
    pub fn plugin(&self) -> &WasmPluginInstance<H> {
        &self.plugin
    }

    /// Returns a token that cancels the next call through the lease, and no other.
    pub fn cancel_token(&self) -> CancelToken {
        self.plugin.cancel_token(self.slot)
    }

    /// Calls a function by name.
    ///
    /// # Errors
    ///
    /// As [`WasmPluginInstance::call`].
    pub fn call(&mut self, function: &str, args: &[WasmValue]) -> Result<WasmValues, Error> {
        self.call_with(function, args, CallOptions::default())
    }

    /// Calls a function by name, under limits that `options` may narrow.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_with(
        &mut self,
        function: &str,
        args: &[WasmValue],
        options: CallOptions,
    ) -> Result<WasmValues, Error> {
        filled(|results| {
            self.in_sandbox(function, |plugin, sandbox, index| {
                report::check_arguments(sandbox.export(index), args)
                    .map_err(|error| plugin.name_error(error, function))?;
                plugin.spend_options(function, &options, sandbox, |sandbox, limits| {
                    sandbox.call_values(index, args, results, limits)
                })
            })
        })
    }

    /// Hands `input` to a function of the byte convention and returns its answer.
    ///
    /// # Errors
    ///
    /// As [`WasmPluginInstance::call_bytes`].
    pub fn call_bytes(&mut self, function: &str, input: &[u8]) -> Result<Vec<u8>, Error> {
        self.exchange_bytes(function, input, report::copy)
    }

    /// Hands `input` to a function of the byte convention, writes its answer to the beginning of
    /// `output` and returns its length.
    ///
    /// # Errors
    ///
    /// As [`WasmPluginInstance::call_bytes_into`].
    pub fn call_bytes_into(
        &mut self,
        function: &str,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, Error> {
        self.exchange_bytes(function, input, |answer| report::copy_into(answer, output))
    }

    fn exchange_bytes<T>(
        &mut self,
        function: &str,
        input: &[u8],
        take: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        self.in_sandbox(function, |plugin, sandbox, index| {
            report::check_byte_function(sandbox.export(index))
                .map_err(|error| plugin.name_error(error, function))?;
            plugin.spend(function, sandbox, |sandbox, limits| {
                sandbox.call_bytes(index, input, limits, take)
            })
        })
    }

    /// Runs `call` in the sandbox, which has the function at the index given.
    pub(crate) fn in_sandbox<T>(
        &mut self,
        function: &str,
        call: impl FnOnce(&WasmPluginInstance<H>, &mut Sandbox<H>, usize) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let plugin = &*self.plugin;
        let sandbox = plugin.usable_of(self.slot, &mut self.sandbox)?;
        let index = sandbox.find(function);
        let index = index.ok_or_else(|| report::no_function(plugin.name(), function))?;
        call(plugin, sandbox, index)
    }

    /// The sandbox, if it is one of `plugin`'s.
    #[inline]
    pub(crate) fn sandbox_of(
        &mut self,
        plugin: &WasmPluginInstance<H>,
    ) -> Result<&mut Sandbox<H>, Error> {
        if !core::ptr::eq(self.plugin(), plugin) {
            return Err(self.of_another(plugin));
        }
        plugin.usable_of(self.slot, &mut self.sandbox)
    }

    #[cold]
    fn of_another(&self, plugin: &WasmPluginInstance<H>) -> Error {
        let what = format!("the lease is on the plugin `{}`", self.plugin().name());
        Error::host(ErrorKind::SignatureMismatch, what).in_plugin(plugin.name())
    }

    /// Fills `into` with the bytes of the exported memory `memory` from `offset` on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FunctionNotFound`] if no memory is exported by that name,
    /// [`ErrorKind::LimitExceeded`] if the range is not inside; `into` is then as it was.
    pub fn read(&self, memory: &str, offset: u64, into: &mut [u8]) -> Result<(), Error> {
        let len = into.len();
        let read = self.sandbox.as_deref().and_then(|sandbox| sandbox.read(memory, offset, into));
        self.inside(read, memory, offset, len)
    }

    /// Writes `bytes` to the exported memory `memory` from `offset` on.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and where the last call was stopped those of a start function; nothing is
    /// written then.
    pub fn write(&mut self, memory: &str, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let written = self.lasting()?.write(memory, offset, bytes);
        self.inside(written, memory, offset, bytes.len())
    }

    /// The sandbox that the next call is in.
    fn lasting(&mut self) -> Result<&mut Sandbox<H>, Error> {
        self.plugin.lasting_of(self.slot, &mut self.sandbox)
    }

    fn inside(
        &self,
        done: Option<bool>,
        memory: &str,
        offset: u64,
        len: usize,
    ) -> Result<(), Error> {
        match done {
            Some(true) => Ok(()),
            None => Err(report::no_memory(self.plugin().name(), memory)),
            Some(false) => {
                let size = self.memory_bytes(memory).unwrap_or(0);
                let what =
                    format!("{len} bytes at {offset} are outside of `{memory}` of {size} bytes");
                Err(Error::host(ErrorKind::LimitExceeded, what).in_plugin(self.plugin().name()))
            }
        }
    }

    /// Returns the size of an exported memory, in bytes; nothing if there is no such memory.
    pub fn memory_bytes(&self, memory: &str) -> Option<u64> {
        self.sandbox.as_deref()?.memory_bytes(memory)
    }

    /// Grows an exported memory by `pages` of its page size and returns its former size in pages.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FunctionNotFound`] if no memory is exported by that name,
    /// [`ErrorKind::LimitExceeded`] if its maximum, the plugin's memory limit or the growth step
    /// forbids it; [`ErrorKind::QuotaExceeded`] if a quota of the tenant or the registry does; and where
    /// the last call was stopped those of a start function.
    pub fn grow(&mut self, memory: &str, pages: u64) -> Result<u64, Error> {
        let grown = self.lasting()?.grow(memory, pages);
        let plugin = &*self.plugin;
        match grown {
            Some(Some(former)) => Ok(former),
            None => Err(report::no_memory(plugin.name(), memory)),
            Some(None) => {
                if let Some(reached) = self.sandbox.as_deref().and_then(Sandbox::reached) {
                    return Err(report::over_quota(&reached).in_plugin(plugin.name()));
                }
                let context = self.sandbox.as_deref().map(|sandbox| &sandbox.version().context);
                let context = context.map_or_else(|| plugin.context(), Arc::clone);
                let config = &context.config;
                let what = format!(
                    "`{memory}` cannot grow by {pages} pages: its own maximum, \
                     `memory_limit_bytes` {} or `max_growth_step_bytes` {} forbids it",
                    config.capabilities.memory_limit_bytes, config.limits.max_growth_step_bytes
                );
                Err(Error::configuration(ErrorKind::LimitExceeded, what).in_plugin(plugin.name()))
            }
        }
    }

    /// Returns the value of an exported global; nothing if there is none of that name and of a type
    /// that a host can receive.
    pub fn global(&self, name: &str) -> Option<WasmValue> {
        self.sandbox.as_deref()?.global(name)
    }
}

impl<H: Host> Drop for PluginLease<'_, H> {
    fn drop(&mut self) {
        self.plugin.put_back(self.slot, self.sandbox.take());
    }
}

impl<H: Host> core::fmt::Debug for PluginLease<'_, H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PluginLease").field("plugin", &self.plugin().name()).finish_non_exhaustive()
    }
}
