//! Loaded plugins: calls, state, control.

use crate::{
    bytes::{put_bytes_out, put_text_out, wpr_bytes, wpr_bytes_t},
    code::{Failure, wpr_code_t},
    config::wpr_call_options_t,
    error::{boundary, wpr_error_t},
    handle::{handle, release, take},
    host::{CHost, wpr_registry_t},
    pointers::{In, Out, Text},
    report,
    thread::may_run_plugins,
    value::{Arguments, put_results, wpr_value_t, wpr_value_type_t},
};
use alloc::{format, sync::Arc};
use core::{ffi::c_char, mem::MaybeUninit};
use runtime::{QuarantineEnd, ValueType, WasmPluginInstance, WasmPluginState};

/// What a plugin handle stands for.
pub(crate) type Plugin = Arc<WasmPluginInstance<CHost>>;

/// A loaded plugin. It follows the plugin to other versions, and outlives its registry.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct wpr_plugin_t {
    /// The handle's number; 0 is none.
    pub id: u64,
}

handle!(wpr_plugin_t, "plugin", 2, Plugin);

/// Where a plugin is in its life.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wpr_state_t {
    /// Not initialised yet.
    WPR_LOADING = 0,
    /// Accepts calls; none is running.
    WPR_READY = 1,
    /// At least one call is running or one lease is held.
    WPR_EXECUTING = 2,
    /// The last call trapped, and no call has begun since; or the plugin is in quarantine.
    WPR_TRAPPED = 3,
    /// Unloaded, while calls or leases that began before are still going on.
    WPR_UNLOADING = 4,
    /// Unloaded.
    WPR_UNLOADED_STATE = 5,
}

/// Releases a plugin handle. The plugin itself stays loaded.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_release(plugin: wpr_plugin_t, error: Out<wpr_error_t>) -> wpr_code_t {
    boundary(error, || release(plugin))
}

/// Calls a function by name. `options` may be null. `results` has room for `result_capacity` values, of which
/// `result_count` says how many there are; `WPR_MAX_VALUES` always suffice. Either may be null if nothing is wanted.
///
/// A call that succeeds allocates nothing once the sandbox is warm.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_call(
    plugin: wpr_plugin_t,
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
        let plugin = take(plugin)?;
        let (function, mut arguments) = (function.get("function")?, Arguments::new());
        let args = arguments.read(&args, arg_count)?;
        let ended = match options.options()? {
            None => plugin.call(function, args),
            Some(options) => plugin.call_with(function, args, options),
        };
        put_results(&results, result_capacity, &result_count, ended)
    })
}

/// Hands bytes to a function of the byte convention and answers what it answers.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_call_bytes(
    plugin: wpr_plugin_t,
    function: Text,
    input: In<u8>,
    input_length: usize,
    answer: Out<wpr_bytes_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        answer.require("answer")?;
        let plugin = take(plugin)?;
        let (function, input) = (function.get("function")?, input.slice(input_length, "input")?);
        answer.set(wpr_bytes(plugin.call_bytes(function, input)?)?);
        Ok(())
    })
}

/// Hands bytes to a function of the byte convention and writes what it answers to `output`, which must not be where
/// `input` is. `WPR_LIMIT_EXCEEDED` if it does not fit; the plugin has run by then. Allocates nothing once the sandbox
/// is warm.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_call_bytes_into(
    plugin: wpr_plugin_t,
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
        let plugin = take(plugin)?;
        let (function, input) = (function.get("function")?, input.slice(input_length, "input")?);
        let output = output.bytes(output_capacity, "output")?;
        output_length.set(plugin.call_bytes_into(function, input, output)?);
        Ok(())
    })
}

/// Says what the plugin is called: a text answer.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_name(
    plugin: wpr_plugin_t,
    name: Out<c_char>,
    capacity: usize,
    length: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || put_text_out(take(plugin)?.name(), &name, capacity, &length))
}

/// Says which tenant the plugin belongs to: a text answer.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_tenant(
    plugin: wpr_plugin_t,
    tenant: Out<c_char>,
    capacity: usize,
    length: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || put_text_out(take(plugin)?.tenant(), &tenant, capacity, &length))
}

/// Says where the plugin is in its life: a `wpr_state_t`.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_state(
    plugin: wpr_plugin_t,
    state: Out<u32>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        state.require("state")?;
        let is = match take(plugin)?.state() {
            WasmPluginState::Loading => wpr_state_t::WPR_LOADING,
            WasmPluginState::Ready => wpr_state_t::WPR_READY,
            WasmPluginState::Executing => wpr_state_t::WPR_EXECUTING,
            WasmPluginState::Trapped => wpr_state_t::WPR_TRAPPED,
            WasmPluginState::Unloading => wpr_state_t::WPR_UNLOADING,
            _ => wpr_state_t::WPR_UNLOADED_STATE,
        };
        state.set(is as u32);
        Ok(())
    })
}

/// Answers the SHA-256 of the module: 32 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_module_hash(
    plugin: wpr_plugin_t,
    sha256: Out<u8>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let plugin = take(plugin)?;
        put_bytes_out(plugin.module_hash(), &sha256, 32, &no_length())
    })
}

/// Says what the exported function at that place is called, counted from 0: a text answer. `WPR_NOT_FOUND` behind the
/// last.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_function_at(
    plugin: wpr_plugin_t,
    place: usize,
    name: Out<c_char>,
    capacity: usize,
    length: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let plugin = take(plugin)?;
        let found = plugin.functions().nth(place).ok_or_else(|| {
            let what = format!("plugin `{}` exports {place} functions or fewer", plugin.name());
            Failure::misuse(wpr_code_t::WPR_NOT_FOUND, what)
        })?;
        put_text_out(found, &name, capacity, &length)
    })
}

/// Says of which types a function's parameters and results are: each a `wpr_value_type_t`. `params` and `results` have
/// room for `capacity` each, of which the counts say how many there are; `WPR_BUFFER_TOO_SMALL` if one does not fit.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_signature(
    plugin: wpr_plugin_t,
    function: Text,
    params: Out<u32>,
    param_count: Out<usize>,
    results: Out<u32>,
    result_count: Out<usize>,
    capacity: usize,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let plugin = take(plugin)?;
        let function = function.get("function")?;
        let (is_params, is_results) = plugin.signature(function).ok_or_else(|| {
            let what = format!("plugin `{}` exports no function `{function}`", plugin.name());
            Failure::misuse(wpr_code_t::WPR_FUNCTION_NOT_FOUND, what)
        })?;
        param_count.set(is_params.len());
        result_count.set(is_results.len());
        let most = is_params.len().max(is_results.len());
        if most > capacity {
            let what = format!("there are {most} types, and room for {capacity}");
            return Err(Failure::misuse(wpr_code_t::WPR_BUFFER_TOO_SMALL, what));
        }
        // Both are looked at before one is written.
        let params = params.room(is_params.len(), "params")?;
        put_types(is_results, results.room(is_results.len(), "results")?);
        put_types(is_params, params);
        Ok(())
    })
}

fn put_types(types: &[ValueType], to: &mut [MaybeUninit<u32>]) {
    for (to, &ty) in to.iter_mut().zip(types) {
        *to = MaybeUninit::new(wpr_value_type_t::of(ty) as u32);
    }
}

/// Tells what else is known of the plugin: traps by kind, how long calls took, calls of each host function, quarantine,
/// history of versions. JSON, as `docs/embedding/c.md` describes it.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_report(
    plugin: wpr_plugin_t,
    json: Out<wpr_bytes_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        json.require("json")?;
        let plugin = take(plugin)?;
        json.set(wpr_bytes(report::plugin(&plugin))?);
        Ok(())
    })
}

/// Gives the plugin its whole fuel budget again.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_refuel(plugin: wpr_plugin_t, error: Out<wpr_error_t>) -> wpr_code_t {
    boundary(error, || {
        take(plugin)?.refuel();
        Ok(())
    })
}

/// Says how much of the fuel budget is left; `UINT64_MAX` if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_fuel_budget_left(
    plugin: wpr_plugin_t,
    fuel: Out<u64>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        fuel.require("fuel")?;
        fuel.set(take(plugin)?.fuel_budget_left().unwrap_or(u64::MAX));
        Ok(())
    })
}

/// Cancels the calls of the plugin that are running; says how many. May be asked from any thread and any callback.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_cancel_calls(
    plugin: wpr_plugin_t,
    cancelled: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        cancelled.set(take(plugin)?.cancel_calls());
        Ok(())
    })
}

/// Says how long the plugin is still in quarantine, in milliseconds; 0 if it is not; `UINT64_MAX` if the next call, or
/// one that is running, decides.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_quarantine_ms(
    plugin: wpr_plugin_t,
    left_ms: Out<u64>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        left_ms.require("left_ms")?;
        let left = match take(plugin)?.quarantine().map(|quarantine| quarantine.until) {
            None => 0,
            Some(QuarantineEnd::AfterMs(ms)) if ms > 0 => ms,
            Some(_) => u64::MAX,
        };
        left_ms.set(left);
        Ok(())
    })
}

/// Takes the plugin out of quarantine. `WPR_NOT_FOUND` if it is not in it.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_revive(plugin: wpr_plugin_t, error: Out<wpr_error_t>) -> wpr_code_t {
    boundary(error, || {
        let plugin = take(plugin)?;
        plugin.revive().then_some(()).ok_or_else(|| {
            let what = format!("plugin `{}` is not in quarantine", plugin.name());
            Failure::misuse(wpr_code_t::WPR_NOT_FOUND, what)
        })
    })
}

/// Calls a function of a plugin by the names of both, without a handle on either: looks both up each time.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_call(
    registry: wpr_registry_t,
    plugin: Text,
    function: Text,
    args: In<wpr_value_t>,
    arg_count: usize,
    results: Out<wpr_value_t>,
    result_capacity: usize,
    result_count: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        let registry = take(registry)?;
        let (plugin, function) = (plugin.get("plugin")?, function.get("function")?);
        let mut arguments = Arguments::new();
        let ended = registry.call(plugin, function, arguments.read(&args, arg_count)?);
        put_results(&results, result_capacity, &result_count, ended)
    })
}

/// Where nobody wants to know a length.
fn no_length() -> Out<usize> {
    // SAFETY: null is allowed.
    unsafe { Out::new(core::ptr::null_mut()) }
}
