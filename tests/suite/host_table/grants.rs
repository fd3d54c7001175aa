//! What a function of the embedder's needs.

use super::{Call, forward, load, plain};
use wasm_runtime::{
    DenyPolicy, EmbeddedHost, ErrorKind, Grant, HostCost, HostError, HostFunctionTable,
    WasmInstanceConfig, WasmPluginCapabilities, WasmValue,
};

fn table(grant: Grant) -> HostFunctionTable<EmbeddedHost> {
    let mut table = HostFunctionTable::new();
    let f = |_: Call<'_, '_>| -> Result<i32, HostError> { Ok(1) };
    table.define("env", "f", grant, HostCost::default(), f).unwrap();
    table
}

/// What the guest gets of a function that needs `grant`.
fn answer(grant: Grant, config: WasmInstanceConfig) -> i32 {
    let text = forward("", "i32");
    let (_registry, plugin) = load(EmbeddedHost::new(), table(grant), &text, config);
    plugin.call("run", &[]).unwrap()[0].as_i32().unwrap()
}

fn with(capabilities: WasmPluginCapabilities) -> WasmInstanceConfig {
    let capabilities = WasmPluginCapabilities { timeout_ms: 0, ..capabilities };
    WasmInstanceConfig { capabilities, ..plain() }
}

#[test]
fn a_custom_grant_is_what_the_configuration_lists() {
    let listed = |grants: &[&str]| WasmInstanceConfig {
        custom_grants: grants.iter().map(ToString::to_string).collect(),
        ..plain()
    };
    let grant = Grant::Custom("send_mail");
    assert_eq!(answer(grant, listed(&["send_mail"])), 1);
    assert_eq!(answer(grant, listed(&["other", "send_mail"])), 1);
    // Names, not patterns.
    for others in [&[][..], &["send_mails"], &["send"], &["send*"], &["*"], &["Send_mail"]] {
        assert_eq!(answer(grant, listed(others)), -1, "{others:?}");
    }
}

#[test]
fn a_built_in_grant_is_held_by_whoever_holds_some_of_it() {
    let none = WasmPluginCapabilities::default();
    let some = vec!["x".to_string()];
    let cases = [
        (Grant::Always, none.clone()),
        (Grant::ReadTable, WasmPluginCapabilities { can_read_table: some.clone(), ..none.clone() }),
        (
            Grant::WriteTable,
            WasmPluginCapabilities { can_write_table: some.clone(), ..none.clone() },
        ),
        (Grant::CallPlugin, WasmPluginCapabilities { can_call_plugin: some, ..none.clone() }),
        (Grant::IndexSearch, WasmPluginCapabilities { can_index_search: true, ..none.clone() }),
        (Grant::VectorSearch, WasmPluginCapabilities { can_vector_search: true, ..none.clone() }),
    ];
    for (grant, _) in &cases {
        for (held, capabilities) in &cases {
            let expected = if grant == held || *grant == Grant::Always { 1 } else { -1 };
            assert_eq!(answer(*grant, with(capabilities.clone())), expected, "{grant} {held}");
        }
    }
}

#[test]
fn a_denial_that_traps_names_the_function_and_its_grant() {
    let config = WasmInstanceConfig { on_denied: DenyPolicy::Trap, ..plain() };
    let table = table(Grant::Custom("send_mail"));
    let (_registry, plugin) = load(EmbeddedHost::new(), table, &forward("", "i32"), config);
    let error = plugin.call("run", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let text = error.to_string();
    assert!(text.contains("`env` `f`") && text.contains("`send_mail`"), "{text}");
}

#[test]
fn a_function_that_returns_no_integer_traps_when_it_is_denied() {
    for results in ["", "f32", "f64"] {
        let mut table = HostFunctionTable::new();
        let (grant, cost) = (Grant::Custom("g"), HostCost::default());
        match results {
            "" => table.define("env", "f", grant, cost, |_: Call<'_, '_>| Ok(())),
            "f32" => table.define("env", "f", grant, cost, |_: Call<'_, '_>| Ok(1.0_f32)),
            _ => table.define("env", "f", grant, cost, |_: Call<'_, '_>| Ok(1.0_f64)),
        }
        .unwrap();
        let text = forward("", results);
        let (_registry, plugin) = load(EmbeddedHost::new(), table, &text, plain());
        assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(plugin.stats().denied_host_calls, 1);
    }
}

#[test]
fn a_denied_function_is_not_run() {
    let mut table = HostFunctionTable::new();
    let f = |_: Call<'_, '_>| -> Result<i64, HostError> { Err(HostError::Abort("it ran")) };
    table.define("env", "f", Grant::Custom("g"), HostCost::default(), f).unwrap();
    let text = forward("", "i64");
    let (_registry, plugin) = load(EmbeddedHost::new(), table, &text, plain());
    assert_eq!(plugin.call("run", &[]).unwrap()[0], WasmValue::I64(-1));
}
