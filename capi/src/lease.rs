//! One sandbox held across several calls.

use crate::{
    cancel::wpr_cancel_t,
    code::{Failure, wpr_code_t},
    config::wpr_call_options_t,
    error::{boundary, wpr_error_t},
    handle::{give, handle, release, take},
    host::CHost,
    plugin::wpr_plugin_t,
    pointers::{In, Out, Text},
    sync::TryMutex,
    thread::may_run_plugins,
    value::{Arguments, put_results, wpr_value_t},
};
use alloc::format;
use runtime::PluginLease;

/// What a lease handle stands for. Whoever uses it holds it for that time; others are told that it is busy.
pub(crate) struct Lease(TryMutex<PluginLease<'static, CHost>>);

impl Lease {
    fn with<T>(
        &self,
        act: impl FnOnce(&mut PluginLease<'static, CHost>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut lease = self.0.try_lock().ok_or_else(|| {
            Failure::misuse(wpr_code_t::WPR_BUSY, "the lease is in use, by this thread or another")
        })?;
        act(&mut lease)
    }
}

/// One sandbox of a plugin, held across several calls.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct wpr_lease_t {
    /// The handle's number; 0 is none.
    pub id: u64,
}

handle!(wpr_lease_t, "lease", 5, Lease);

/// Takes a sandbox out of the pool, for several calls; it is returned when the handle is released. `WPR_BUSY` if all
/// are in use.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_lease(
    plugin: wpr_plugin_t,
    lease: Out<wpr_lease_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        lease.require("lease")?;
        let leased = take(plugin)?.lease_owned()?;
        lease.set(give(Lease(TryMutex::new(leased)))?);
        Ok(())
    })
}

/// Returns the sandbox; when whoever is using it has ended, if someone is.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_lease_release(lease: wpr_lease_t, error: Out<wpr_error_t>) -> wpr_code_t {
    boundary(error, || release(lease))
}

/// Calls a function in the sandbox, as `wpr_plugin_call` does.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_lease_call(
    lease: wpr_lease_t,
    function: Text,
    args: In<wpr_value_t>,
    arg_count: usize,
    options: In<wpr_call_options_t>,
    results: Out<wpr_value_t>,
    result_capacity: usize,
    result_count: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        let (function, mut arguments) = (function.get("function")?, Arguments::new());
        let args = arguments.read(&args, arg_count)?;
        let options = options.options()?;
        take(lease)?.with(|lease| {
            let ended = match options {
                None => lease.call(function, args),
                Some(options) => lease.call_with(function, args, options),
            };
            put_results(&results, result_capacity, &result_count, ended)
        })
    })
}

/// Hands bytes to a function of the byte convention in the sandbox, as `wpr_plugin_call_bytes_into` does.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_lease_call_bytes_into(
    lease: wpr_lease_t,
    function: Text,
    input: In<u8>,
    input_length: usize,
    output: Out<u8>,
    output_capacity: usize,
    output_length: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        output_length.require("output_length")?;
        let (function, input) = (function.get("function")?, input.slice(input_length, "input")?);
        let output = output.bytes(output_capacity, "output")?;
        take(lease)?.with(|lease| {
            output_length.set(lease.call_bytes_into(function, input, output)?);
            Ok(())
        })
    })
}

/// Reads from a memory of the sandbox, by the name of its export: `length` bytes at `offset`. `WPR_LIMIT_EXCEEDED` if
/// they are not all inside.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_lease_read(
    lease: wpr_lease_t,
    memory: Text,
    offset: u64,
    bytes: Out<u8>,
    length: usize,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let (memory, bytes) = (memory.get("memory")?, bytes.bytes(length, "bytes")?);
        take(lease)?.with(|lease| Ok(lease.read(memory, offset, bytes)?))
    })
}

/// Writes into a memory of the sandbox, likewise; nothing if it does not all fit.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_lease_write(
    lease: wpr_lease_t,
    memory: Text,
    offset: u64,
    bytes: In<u8>,
    length: usize,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let (memory, bytes) = (memory.get("memory")?, bytes.slice(length, "bytes")?);
        take(lease)?.with(|lease| Ok(lease.write(memory, offset, bytes)?))
    })
}

/// Says how many bytes a memory of the sandbox has. `WPR_NOT_FOUND` if none is exported under that name.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_lease_memory_bytes(
    lease: wpr_lease_t,
    memory: Text,
    bytes: Out<u64>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        bytes.require("bytes")?;
        let memory = memory.get("memory")?;
        let size = take(lease)?.with(|lease| Ok(lease.memory_bytes(memory)))?;
        bytes.set(size.ok_or_else(|| not_exported("memory", memory))?);
        Ok(())
    })
}

/// Grows a memory of the sandbox by so many pages; says how many it had before.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_lease_grow(
    lease: wpr_lease_t,
    memory: Text,
    pages: u64,
    pages_before: Out<u64>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let memory = memory.get("memory")?;
        pages_before.set(take(lease)?.with(|lease| Ok(lease.grow(memory, pages)?))?);
        Ok(())
    })
}

/// Answers the value of a global of the sandbox. `WPR_NOT_FOUND` if none is exported under that name that could cross.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_lease_global(
    lease: wpr_lease_t,
    name: Text,
    value: Out<wpr_value_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        value.require("value")?;
        let name = name.get("name")?;
        let found = take(lease)?.with(|lease| Ok(lease.global(name)))?;
        value.set(wpr_value_t::new(&found.ok_or_else(|| not_exported("global", name))?));
        Ok(())
    })
}

/// Gives what cancels the next call of the lease, from any thread.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_lease_cancel_token(
    lease: wpr_lease_t,
    token: Out<wpr_cancel_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        token.require("token")?;
        let cancel = take(lease)?.with(|lease| Ok(lease.cancel_token()))?;
        token.set(give(cancel)?);
        Ok(())
    })
}

fn not_exported(what: &str, name: &str) -> Failure {
    Failure::misuse(wpr_code_t::WPR_NOT_FOUND, format!("no {what} `{name}` is exported"))
}
