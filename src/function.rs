//! A typed handle on one function of a plugin: the hot path.

use crate::{
    CallOptions, Error, ErrorKind, PluginLease, WasmPluginInstance,
    engine::{ExportedFunction, Params, Results, Sandbox, Version},
    host::Host,
    pool::Versioned,
    report,
    sync::{Arc, AtomicUsize, Ordering},
};
use alloc::boxed::Box;
use core::marker::PhantomData;

/// A function of a plugin, with its Rust signature: `Send + Sync + 'static`.
///
/// Its name and signature are looked up once, when the handle is made, and its wasmi form once a
/// sandbox. It follows the plugin to another version: there it is looked up once more.
pub struct PluginFunction<P, R, H: Host = crate::EmbeddedHost> {
    plugin: Arc<WasmPluginInstance<H>>,
    name: Box<str>,
    place: Place,
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
        let (number, context) = self.current_context();
        let index = self.typed_index::<P, R>(name, context.export(name))?;
        let place = Place::new(number, index);
        let plugin = Arc::clone(self);
        Ok(PluginFunction { plugin, name: name.into(), place, signature: PhantomData })
    }

    /// The index of the function that was found, if it has the signature `P -> R`.
    fn typed_index<P: Params, R: Results>(
        &self,
        name: &str,
        found: Option<(usize, &ExportedFunction)>,
    ) -> Result<usize, Error> {
        let (index, function) = found.ok_or_else(|| report::no_function(self.name(), name))?;
        if *function.params != *P::TYPES || *function.results != *R::TYPES {
            let error = report::wrong_type(function, P::TYPES, R::TYPES);
            return Err(self.name_error(error, name));
        }
        Ok(index)
    }
}

/// Which of the exports a function is, in the version where it was looked up last.
struct Place(AtomicUsize);

/// As many bits as an index has in it; as many are left for the version.
const INDEX_BITS: u32 = usize::BITS / 2;

impl Place {
    fn new(version: usize, index: usize) -> Self {
        let place = Self(AtomicUsize::new(0));
        place.set(version, index);
        place
    }

    /// The index in a version, if it is known.
    #[inline]
    fn get(&self, version: usize) -> Option<usize> {
        let word = self.0.load(Ordering::Relaxed);
        // One word: the two are always of the same version.
        (word >> INDEX_BITS == version).then_some(word & ((1 << INDEX_BITS) - 1))
    }

    /// Takes in the index in a version. What does not fit, after 65,535 reloads where words have 32 bits,
    /// is looked up each time.
    fn set(&self, version: usize, index: usize) {
        if version >> INDEX_BITS == 0 && index >> INDEX_BITS == 0 {
            self.0.store(version << INDEX_BITS | index, Ordering::Relaxed);
        }
    }
}

impl<P: Params, R: Results, H: Host> PluginFunction<P, R, H> {
    /// Calls the function in whichever sandbox is free. Allocates nothing once the sandbox is warm.
    ///
    /// # Errors
    ///
    /// As [`WasmPluginInstance::call`]; [`ErrorKind::FunctionNotFound`] and
    /// [`ErrorKind::SignatureMismatch`] only if the plugin was reloaded, and does not have the function
    /// any more, or has another signature for it.
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
            let index = self.index_in(sandbox)?;
            self.plugin.spend_options(&self.name, &options, sandbox, |sandbox, limits| {
                sandbox.call_typed(index, params, limits)
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
        let index = self.index_in(sandbox)?;
        self.plugin
            .spend(&self.name, sandbox, |sandbox, limits| sandbox.call_typed(index, params, limits))
    }

    /// Which of the exports it is, in the version of a sandbox.
    #[inline]
    pub(crate) fn index_in(&self, sandbox: &Sandbox<H>) -> Result<usize, Error> {
        match self.place.get(Versioned::version(sandbox)) {
            Some(index) => Ok(index),
            None => self.look_up(sandbox),
        }
    }

    #[cold]
    #[inline(never)]
    fn look_up(&self, sandbox: &Sandbox<H>) -> Result<usize, Error> {
        let Version { number, context, .. } = &**sandbox.version();
        let found = context.export(&self.name);
        let index = self.plugin.typed_index::<P, R>(&self.name, found)?;
        self.place.set(*number, index);
        Ok(index)
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
            place: Place(AtomicUsize::new(self.place.0.load(Ordering::Relaxed))),
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

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: usize = (1 << INDEX_BITS) - 1;

    #[test]
    fn a_place_is_known_in_the_version_it_was_found_in_and_no_other() {
        let place = Place::new(1, 7);
        assert_eq!((place.get(1), place.get(0), place.get(2)), (Some(7), None, None));
        place.set(2, HALF);
        assert_eq!((place.get(1), place.get(2)), (None, Some(HALF)));
        place.set(HALF, 0);
        assert_eq!(place.get(HALF), Some(0));
    }

    #[test]
    fn what_does_not_fit_is_never_known() {
        let place = Place::new(3, 1);
        for (version, index) in [(3, HALF + 1), (HALF + 1, 1), (usize::MAX, usize::MAX)] {
            place.set(version, index);
            assert_eq!(place.get(3), Some(1));
            assert_eq!(place.get(version).filter(|_| version != 3), None);
        }
    }
}
