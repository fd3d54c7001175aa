//! `HostFunctionTable`: functions of the embedder's own, and what they see of their caller.

mod access;
mod costs;
mod errors;
mod grants;
mod panics;
mod signatures;
mod untyped;

use crate::support::{config, wat};
use std::sync::Arc;
use wasm_runtime::{
    EmbeddedHost, Host, HostCall, HostFunctionTable, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginInstance, WasmPluginRegistry,
};

/// What a function of the table takes first.
type Call<'a, 'b> = &'a mut HostCall<'b, EmbeddedHost>;

/// A registry with these functions and a plugin that is written in place.
fn load<H: Host>(
    host: H,
    table: HostFunctionTable<H>,
    text: &str,
    config: WasmInstanceConfig,
) -> (WasmPluginRegistry<H>, Arc<WasmPluginInstance<H>>) {
    let registry = WasmPluginRegistry::builder().host(host).functions(table).build().unwrap();
    registry.load("plugin", &wat(text), config).unwrap();
    let plugin = registry.get("plugin").unwrap();
    (registry, plugin)
}

/// One sandbox, no grants, no timeout.
fn plain() -> WasmInstanceConfig {
    let capabilities = WasmPluginCapabilities { timeout_ms: 0, ..Default::default() };
    WasmInstanceConfig { max_instances: 1, ..config(capabilities) }
}

/// A module that passes the parameters of `run` on to `env.f` and returns its results.
fn forward(params: &str, results: &str) -> String {
    let names: Vec<_> = (0..params.split_whitespace().count()).collect();
    let gets: String = names.iter().map(|i| format!("(local.get {i})")).collect();
    format!(
        r#"(module
          (import "env" "f" (func $f (param {params}) (result {results})))
          (memory (export "memory") 1)
          (func (export "run") (param {params}) (result {results}) (call $f {gets})))"#
    )
}
