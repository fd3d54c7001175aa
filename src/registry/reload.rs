//! Loaded plugins get another version, and the one before back.

use super::{WasmPluginRegistry, not_found};
use crate::{Error, ReloadOptions, WasmInstanceConfig, host::Host};

impl<H: Host> WasmPluginRegistry<H> {
    /// Puts a version made from `wasm` in the place of the one that is called, as
    /// [`reload_with`](Self::reload_with) does by default.
    ///
    /// # Errors
    ///
    /// As [`reload_with`](Self::reload_with).
    pub fn reload(&self, name: &str, wasm: &[u8], config: WasmInstanceConfig) -> Result<(), Error> {
        self.reload_with(name, wasm, config, &ReloadOptions::default())
    }

    /// Puts a version made from `wasm` in the place of the one that is called.
    ///
    /// First it is admitted, compiled, instantiated, handed the state and tried, as `options` say; if any
    /// of this fails, everything is as it was, and the version that is called goes on being so. Then it
    /// takes over: every call that begins from here on runs in it, through whatever handle, and by name.
    /// Calls that are going on end in the version that they began in, and so do those through leases.
    /// An old version's memory returns with the last of them, but for what is
    /// [kept](ReloadOptions::keep_previous).
    ///
    /// Statistics go on; a quarantine ends, and the
    /// [`fuel_budget`](WasmInstanceConfig::fuel_budget) is full. While both versions are there, the
    /// tenant's quota counts both.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load) but for `AlreadyLoaded`, and those of
    /// [`call`](Self::call) for `soch_save`, `soch_restore` and the probes.
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such plugin;
    /// [`Unloaded`](crate::ErrorKind::Unloaded) if it is unloaded meanwhile;
    /// [`Busy`](crate::ErrorKind::Busy) if it is being reloaded by someone else, or its state is to be
    /// handed over and a call goes on; [`Refused`](crate::ErrorKind::Refused) if a probe returns
    /// something else than expected, a function for the state is missing, the tenant is another or
    /// `max_instances` more than when it was loaded.
    pub fn reload_with(
        &self,
        name: &str,
        wasm: &[u8],
        config: WasmInstanceConfig,
        options: &ReloadOptions<'_>,
    ) -> Result<(), Error> {
        self.get(name).ok_or_else(|| not_found(name))?.reload(wasm, config, options)
    }

    /// Puts the version that the last reload replaced in the place of the one that it brought, with its
    /// configuration, and the state that it had handed over, if it did. The newer one is dropped; it
    /// cannot be rolled back to.
    ///
    /// It is compiled already; making its first sandbox is all that is to be done.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such plugin, or no version is kept;
    /// [`Busy`](crate::ErrorKind::Busy) if it is being reloaded; those of a start function, and of
    /// `soch_restore`. The version that is called goes on being so then, and the other is kept.
    pub fn rollback(&self, name: &str) -> Result<(), Error> {
        self.get(name).ok_or_else(|| not_found(name))?.rollback()
    }
}
