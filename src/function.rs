//! A typed handle on one function of a plugin: the hot path.

use crate::{
    CallOptions, Error, ErrorKind, PluginLease, WasmPluginInstance,
    engine::{Params, Results, Sandbox},
    host::Host,
    report,
    sync::Arc,
};
use alloc::boxed::Box;
use core::marker::PhantomData;

/// A function of a plugin, with its Rust signature: `Send + Sync + 'static`.
///
/// Its name and signature are looked up once, when the handle is made, and its wasmi form once a
/// sandbox.
pub struct PluginFunction<P, R, H: Host = crate::EmbeddedHost> {
    plugin: Arc<WasmPluginInstance<H>>,
    name: Box<str>,
    index: usize,
    signature: PhantomData<fn(P) -> R>,
}

impl<H: Host> WasmPluginInstance<H> {
    /// Returns a handle on an exported function of the Rust signature `P -> R`, such as
    /// `(i32, i64) -> f64` or `() -> ()`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FunctionNotFound`];
    /// [`ErrorKind::SignatureMismatch`], naming both
    /// signatures.
    pub fn function<P: Params, R: Results>(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<PluginFunction<P, R, H>, Error> {
        let (index, function) =
            self.export(name).ok_or_else(|| report::no_function(self.name(), name))?;
        if *function.params != *P::TYPES || *function.results != *R::TYPES {
            let error = report::wrong_type(function, P::TYPES, R::TYPES);
            return Err(self.name_error(error, name));
        }
        let plugin = Arc::clone(self);
        Ok(PluginFunction { plugin, name: name.into(), index, signature: PhantomData })
    }
}

impl<P: Params, R: Results, H: Host> PluginFunction<P, R, H> {
    /// Calls the function in whichever sandbox is free. Allocates nothing once the sandbox is warm.
    ///
    /// # Errors
    ///
    /// As [`WasmPluginInstance::call`], except for those of names and types.
    #[inline]
    pub fn call(&self, params: P) -> Result<R, Error> {
        self.plugin.in_any_sandbox(|sandbox| self.run(sandbox, params))
    }

    /// Calls the function, as [`call`](Self::call) does; returns `fallback` at once if the plugin is in
    /// quarantine. That allocates nothing.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), but for
    /// [`ErrorKind::Quarantined`].
    #[inline]
    pub fn call_or(&self, params: P, fallback: R) -> Result<R, Error> {
        match self.plugin.try_visit() {
            Ok(mut visit) => self.run(visit.sandbox()?, params),
            Err(ErrorKind::Quarantined) => Ok(fallback),
            Err(kind) => Err(self.plugin.unavailable(kind)),
        }
    }

    /// Calls the function under limits that `options` may narrow.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    #[inline]
    pub fn call_with(&self, params: P, options: CallOptions) -> Result<R, Error> {
        self.plugin.in_any_sandbox(|sandbox| {
            self.plugin.spend_options(&self.name, &options, sandbox, |sandbox, limits| {
                sandbox.call_typed(self.index, params, limits)
            })
        })
    }

    /// Calls the function in the sandbox of a lease on the same plugin.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call);
    /// [`ErrorKind::SignatureMismatch`] if the lease is on
    /// another plugin.
    #[inline]
    pub fn call_in(&self, lease: &mut PluginLease<'_, H>, params: P) -> Result<R, Error> {
        let sandbox = lease.sandbox_of(&self.plugin)?;
        self.run(sandbox, params)
    }

    #[inline]
    fn run(&self, sandbox: &mut Sandbox<H>, params: P) -> Result<R, Error> {
        self.plugin.spend(&self.name, sandbox, |sandbox, limits| {
            sandbox.call_typed(self.index, params, limits)
        })
    }

    /// Returns the name of the function.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the plugin.
    pub fn plugin(&self) -> &Arc<WasmPluginInstance<H>> {
        &self.plugin
    }
}

impl<P, R, H: Host> Clone for PluginFunction<P, R, H> {
    fn clone(&self) -> Self {
        Self {
            plugin: Arc::clone(&self.plugin),
            name: self.name.clone(),
            index: self.index,
            signature: PhantomData,
        }
    }
}

impl<P, R, H: Host> core::fmt::Debug for PluginFunction<P, R, H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PluginFunction")
            .field("plugin", &self.plugin.name())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
