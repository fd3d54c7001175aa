//! Registries: loading, finding and replacing plugins.

use crate::{
    bytes::{put_text_out, wpr_bytes, wpr_bytes_t},
    callback::Taken,
    code::{Failure, wpr_code_t},
    config::wpr_config_t,
    error::{boundary, wpr_error_t},
    handle::{give, release, take},
    host::{CHost, wpr_registry_t},
    options::{build, wpr_registry_options_t},
    plugin::wpr_plugin_t,
    pointers::{In, Out, Text},
    report,
    thread::may_run_plugins,
};
use alloc::{format, string::String};
use core::ffi::c_char;
use runtime::WasmPluginRegistry;

/// Makes a registry. `options` may be null. `WPR_UNSOUND_DISPATCH` if no plugin may run in this build of the library;
/// `WPR_TABLE_FULL` if there are too many functions, or two of one name.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_new(
    options: In<wpr_registry_options_t>,
    registry: Out<wpr_registry_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        registry.require("registry")?;
        let (options, taken) = (options.read()?, Taken::default());
        let built = build(&options, &taken)?;
        registry.set(give(built)?);
        taken.set();
        Ok(())
    })
}

/// Releases a registry: its plugins are unloaded once nobody uses them. Plugin and function handles go on.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_release(
    registry: wpr_registry_t,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || release(registry))
}

/// Says what a module asks for, and whether `wpr_registry_load` would take it with the same configuration, before
/// anything of it runs: JSON, as `docs/embedding/c.md` describes it.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_admit(
    registry: wpr_registry_t,
    wasm: In<u8>,
    wasm_length: usize,
    config: In<wpr_config_t>,
    report: Out<wpr_bytes_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        report.require("report")?;
        let registry = take(registry)?;
        let wasm = wasm.slice(wasm_length, "wasm")?;
        let admission = registry.admit(wasm, &config.config()?);
        report.set(wpr_bytes(report::admission(&admission))?);
        Ok(())
    })
}

/// Loads a module under a name, 1 to 128 bytes. `config` may be null. The bytes are not needed afterwards.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_load(
    registry: wpr_registry_t,
    name: Text,
    wasm: In<u8>,
    wasm_length: usize,
    config: In<wpr_config_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        let registry = take(registry)?;
        let (name, wasm) = (name.get("name")?, wasm.slice(wasm_length, "wasm")?);
        Ok(registry.load(name, wasm, config.config()?)?)
    })
}

/// Loads a module from a file. `WPR_NOT_SUPPORTED` without the standard library.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_load_file(
    registry: wpr_registry_t,
    name: Text,
    path: Text,
    config: In<wpr_config_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        let registry = take(registry)?;
        load_file(&registry, name.get("name")?, path.get("path")?, config)
    })
}

#[cfg(feature = "std")]
fn load_file(
    registry: &WasmPluginRegistry<CHost>,
    name: &str,
    path: &str,
    config: In<wpr_config_t>,
) -> Result<(), Failure> {
    Ok(registry.load_from_file(name, path, config.config()?)?)
}

#[cfg(not(feature = "std"))]
fn load_file(
    _: &WasmPluginRegistry<CHost>,
    _: &str,
    _: &str,
    _: In<wpr_config_t>,
) -> Result<(), Failure> {
    let what = "this build has no files; give the bytes to `wpr_registry_load`";
    Err(Failure::misuse(wpr_code_t::WPR_NOT_SUPPORTED, what))
}

/// Unloads a plugin: new calls are refused at once, and its memory returns with the last call or lease.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_unload(
    registry: wpr_registry_t,
    name: Text,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || Ok(take(registry)?.unload(name.get("name")?)?))
}

/// Unloads all plugins, in reverse load order.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_shutdown_all(
    registry: wpr_registry_t,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        take(registry)?.shutdown_all();
        Ok(())
    })
}

/// Says how many plugins are loaded.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_count(
    registry: wpr_registry_t,
    count: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        count.require("count")?;
        count.set(take(registry)?.count());
        Ok(())
    })
}

/// Says what the plugin is called that was loaded at that place, counted from 0: a text answer.
/// `WPR_NOT_FOUND` behind the last.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_name_at(
    registry: wpr_registry_t,
    place: usize,
    name: Out<c_char>,
    capacity: usize,
    length: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let registry = take(registry)?;
        let names = registry.list();
        let found = names.get(place).ok_or_else(|| {
            let what = format!("there are {} plugins, and none at place {place}", names.len());
            Failure::misuse(wpr_code_t::WPR_NOT_FOUND, what)
        })?;
        put_text_out(found, &name, capacity, &length)
    })
}

/// Finds a plugin.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_get(
    registry: wpr_registry_t,
    name: Text,
    plugin: Out<wpr_plugin_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        plugin.require("plugin")?;
        let registry = take(registry)?;
        let name = name.get("name")?;
        let found = registry.get(name).ok_or_else(|| {
            Failure::misuse(wpr_code_t::WPR_NOT_FOUND, format!("there is no plugin `{name}`"))
        })?;
        plugin.set(give(found)?);
        Ok(())
    })
}

/// Cancels all calls that are running in a tenant's plugins; says how many.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_cancel_tenant(
    registry: wpr_registry_t,
    tenant: Text,
    cancelled: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        cancelled.set(take(registry)?.cancel_tenant(tenant.get("tenant")?));
        Ok(())
    })
}

/// Writes all metrics in the text format of Prometheus.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_render_prometheus(
    registry: wpr_registry_t,
    text: Out<wpr_bytes_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        text.require("text")?;
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = take(registry)?.render_prometheus(&mut page);
        text.set(wpr_bytes(page.into_bytes())?);
        Ok(())
    })
}
