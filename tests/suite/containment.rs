//! Plugins that misbehave end as errors of their own, and nobody else notices.

use crate::support::{all_granted, assert_error, call_i32, config, fixture};
use std::sync::Arc;
use wasm_runtime::{
    DenyPolicy, Error,
    ErrorKind::{self, Denied, OutOfFuel, Refused, Trap},
    Fault, ValueType, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance,
    WasmPluginRegistry,
    WasmValue::{self, ExternRef, F32, F64, I32, I64},
};

/// Two plugins of other tenants that must not notice anything.
struct Innocents {
    counter: Arc<WasmPluginInstance>,
    text: Arc<WasmPluginInstance>,
    count: i32,
}

impl Innocents {
    fn load(registry: &WasmPluginRegistry) -> Self {
        let load = |name: &str, fixture_name: &str, tenant: &str| {
            let config = WasmInstanceConfig {
                tenant: tenant.into(),
                max_instances: 1,
                ..config(all_granted())
            };
            registry.load(name, &fixture(fixture_name), config).unwrap();
            registry.get(name).unwrap()
        };
        Self {
            counter: load("innocent counter", "counter", "a"),
            text: load("innocent text", "text_transform", "b"),
            count: 0,
        }
    }

    fn answer(&mut self, after: &str) {
        self.count += 1;
        assert_eq!(call_i32(&self.counter, "increment", &[]).unwrap(), self.count, "{after}");
        let answer = self.text.call_bytes("reverse_words", b"all is well").unwrap();
        assert_eq!(answer, b"well is all", "{after}");
    }

    fn noticed_nothing(&self) {
        for plugin in [&self.counter, &self.text] {
            let stats = plugin.stats();
            assert_eq!((stats.trap_count, stats.sandboxes_started), (0, 1));
            assert_eq!(stats.total_calls, u64::try_from(self.count).unwrap());
        }
    }
}

/// The names of all committed modules that misbehave.
fn gallery() -> Vec<String> {
    let folder = format!("{}/fixtures/wasm/misbehaving", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut names: Vec<_> =
        files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_string()).collect();
    names.sort_unstable();
    names
}

/// Why a module of the gallery does not load; nothing if it does.
fn load_failure(module: &str) -> Option<ErrorKind> {
    Some(match module {
        "endless_start" => OutOfFuel,
        "trap_start" => Trap,
        "missing_import" | "mistyped_import" | "reserved_export" => Refused,
        foreign if foreign.starts_with("foreign_import") => Refused,
        _ => return None,
    })
}

/// How calling an export of the gallery with zeros fails; nothing if it answers.
fn call_failure(module: &str, function: &str) -> Option<ErrorKind> {
    match (module, function) {
        (_, "ping") | ("deep_recursion", "depth") => None,
        ("traps" | "deep_recursion", _)
        | ("liar_alloc_trap", "soch_alloc")
        | ("liar_free_traps" | "mistyped_free", "soch_free") => Some(Trap),
        ("endless_loop" | "endless_host_loop", _)
        | ("metric_flood", "log_without_end")
        | ("liar_alloc_loop", "soch_alloc")
        | ("liar_free_loop", "soch_free") => Some(OutOfFuel),
        _ => None,
    }
}

fn zeros(types: &[ValueType]) -> Vec<WasmValue> {
    let zero = |ty: &ValueType| match ty {
        ValueType::I32 => I32(0),
        ValueType::I64 => I64(0),
        ValueType::F32 => F32(0.0),
        ValueType::F64 => F64(0.0),
        _ => ExternRef(0),
    };
    types.iter().map(zero).collect()
}

/// The gallery's modules all belong to one tenant, which may use the tables `users*` and no others.
fn gallery_config() -> WasmInstanceConfig {
    let capabilities = WasmPluginCapabilities {
        can_read_table: vec!["users*".into()],
        can_write_table: vec!["users*".into()],
        ..all_granted()
    };
    WasmInstanceConfig { tenant: "gallery".into(), ..config(capabilities) }
}

fn assert_names(error: &Error, kind: ErrorKind, plugin: &str, function: &str) {
    assert_error(error, kind, &[&format!("plugin `{plugin}`")]);
    assert_eq!((error.plugin(), error.function()), (plugin, function));
    assert_eq!(error.fault(), Fault::Guest, "{error}");
}

#[test]
fn every_export_of_the_gallery_is_called_and_the_innocent_go_on() {
    let registry = WasmPluginRegistry::new();
    let mut innocents = Innocents::load(&registry);
    let mut failures = 0;
    for module in gallery() {
        let wasm = fixture(&format!("misbehaving/{module}"));
        let loaded = registry.load(&module, &wasm, gallery_config());
        innocents.answer(&module);
        if let Some(kind) = load_failure(&module) {
            assert_names(&loaded.unwrap_err(), kind, &module, "");
            failures += 1;
            continue;
        }
        loaded.unwrap();
        let plugin = registry.get(&module).unwrap();
        let functions: Vec<_> = plugin.functions().map(str::to_string).collect();
        let good = functions.iter().find(|name| call_failure(&module, name).is_none());
        for function in &functions {
            let args = zeros(plugin.signature(function).unwrap().0);
            let result = plugin.call(function, &args);
            innocents.answer(function);
            let Some(kind) = call_failure(&module, function) else {
                result.unwrap();
                continue;
            };
            let error = result.unwrap_err();
            assert_names(&error, kind, &module, function);
            assert!(error.to_string().contains(&format!("function `{function}`")), "{error}");
            assert_eq!(error.trap_code().is_some(), kind == Trap);
            failures += 1;
            // The next call of that plugin answers.
            if let Some(good) = good {
                let args = zeros(plugin.signature(good).unwrap().0);
                plugin.call(good, &args).unwrap();
            }
        }
        registry.unload(&module).unwrap();
    }
    innocents.noticed_nothing();
    assert!(failures > 40, "{failures}");
}

#[test]
fn a_forbidden_table_is_denied_by_status_and_nothing_of_it_leaks() {
    let registry = WasmPluginRegistry::new();
    registry.host().put("gallery", "secret", b"key", b"value").unwrap();
    registry.load("thief", &fixture("misbehaving/forbidden_table"), gallery_config()).unwrap();
    let thief = registry.get("thief").unwrap();
    for function in ["read", "scan", "write", "delete"] {
        assert_eq!(call_i32(&thief, function, &[]).unwrap(), -1, "{function}");
        assert_eq!(call_i32(&thief, "leaked", &[]).unwrap(), 0);
    }
    assert_eq!(registry.host().get("gallery", "secret", b"key").unwrap(), b"value");
    let stats = thief.stats();
    assert_eq!((stats.host_calls, stats.denied_host_calls, stats.trap_count), (4, 4, 0));
}

#[test]
fn a_forbidden_table_is_a_trap_by_choice_that_names_the_grant() {
    let registry = WasmPluginRegistry::new();
    let config = WasmInstanceConfig { on_denied: DenyPolicy::Trap, ..gallery_config() };
    registry.load("thief", &fixture("misbehaving/forbidden_table"), config).unwrap();
    let thief = registry.get("thief").unwrap();
    let cases = [
        ("read", "soch_read", "can_read_table"),
        ("scan", "soch_scan", "can_read_table"),
        ("write", "soch_write", "can_write_table"),
        ("delete", "soch_delete", "can_write_table"),
    ];
    for (function, host_function, grant) in cases {
        let error = thief.call(function, &[]).unwrap_err();
        assert_names(&error, Denied, "thief", function);
        assert_error(&error, Denied, &[function, host_function, grant]);
        assert_eq!(call_i32(&thief, "leaked", &[]).unwrap(), 0);
    }
    assert_eq!(thief.stats().trap_count, 4);
}

#[test]
fn an_error_tells_the_last_line_that_the_guest_logged_in_that_call() {
    let registry = WasmPluginRegistry::new();
    let wasm = fixture("misbehaving/endless_host_loop");
    registry.load("chatty", &wasm, gallery_config()).unwrap();
    let error = registry.call("chatty", "log", &[]).unwrap_err();
    assert_error(&error, OutOfFuel, &["`chatty`", "`log`", "still here"]);
    assert_eq!(error.last_log(), "still here");
    // The next call logs nothing, and has nothing from before.
    let error = registry.call("chatty", "refused", &[]).unwrap_err();
    assert_eq!(error.last_log(), "");
}

/// The same module for two tenants, each with a setting of its own.
fn twins(module: &str) -> (WasmPluginRegistry, [Arc<WasmPluginInstance>; 2]) {
    let registry = WasmPluginRegistry::new();
    let twins = ["left", "right"].map(|tenant| {
        let config = WasmInstanceConfig {
            tenant: tenant.into(),
            settings: vec![("greeting".into(), format!("hello, {tenant}"))],
            max_instances: 1,
            ..config(all_granted())
        };
        registry.load(tenant, &fixture(module), config).unwrap();
        registry.get(tenant).unwrap()
    });
    (registry, twins)
}

#[test]
fn identical_plugins_of_two_tenants_share_no_memory_and_no_globals() {
    let (_registry, [left, right]) = twins("counter");
    for count in 1..=5 {
        assert_eq!(call_i32(&left, "increment", &[]).unwrap(), count);
        assert_eq!(call_i32(&right, "get", &[]).unwrap(), 0);
    }
    assert_eq!(call_i32(&right, "add", &[100]).unwrap(), 100);
    assert_eq!(call_i32(&left, "get", &[]).unwrap(), 5);
}

#[test]
fn identical_plugins_of_two_tenants_share_no_table_elements() {
    let (_registry, [left, right]) = twins("externref");
    left.call("store", &[I32(3), ExternRef(77)]).unwrap();
    assert_eq!(*right.call("load", &[I32(3)]).unwrap(), [ExternRef(0)]);
    assert_eq!(*left.call("load", &[I32(3)]).unwrap(), [ExternRef(77)]);
}

#[test]
fn identical_plugins_of_two_tenants_read_each_their_own_settings() {
    let (_registry, twins) = twins("start");
    for (plugin, greeting) in twins.iter().zip([&b"hello, left\0"[..], b"hello, right"]) {
        let mut read = [0; 12];
        plugin.lease().unwrap().read("memory", 128, &mut read).unwrap();
        assert_eq!(read, greeting);
    }
}

#[test]
fn identical_plugins_of_two_tenants_see_each_their_own_rows() {
    let (registry, [left, right]) = twins("row_validator");
    registry.host().put("left", "people", b"1", b"1,Ada,ada@example.org,36").unwrap();
    registry.host().put("right", "people", b"1", b"no row at all").unwrap();
    let count = |plugin: &WasmPluginInstance| plugin.call_bytes("validate_table", b"people");
    assert_eq!(count(&left).unwrap(), b"valid=1 invalid=0");
    assert_eq!(count(&right).unwrap(), b"valid=0 invalid=1");
}

#[test]
fn what_a_sandbox_held_before_a_trap_is_gone_after_it() {
    let registry = WasmPluginRegistry::new();
    let wasm = crate::support::wat(
        r#"(module (memory (export "memory") 1) (table $t 4 externref)
            (global $g (mut i32) (i32.const 5))
            (data $d "\2a")
            (func (export "fill") (param externref)
                (i32.store (i32.const 0) (i32.const 9)) (global.set $g (i32.const 9))
                (table.set $t (i32.const 0) (local.get 0)) (data.drop $d)
                (drop (memory.grow (i32.const 1))))
            (func (export "trap") (unreachable))
            (func (export "state") (result i32 i32 i32 externref)
                (i32.load (i32.const 0)) (global.get $g) (memory.size)
                (table.get $t (i32.const 0)))
            (func (export "init") (result i32)
                (memory.init $d (i32.const 8) (i32.const 0) (i32.const 1))
                (i32.load8_u (i32.const 8))))"#,
    );
    let config = WasmInstanceConfig { max_instances: 1, ..gallery_config() };
    registry.load("p", &wasm, config).unwrap();
    let plugin = registry.get("p").unwrap();
    let state = || plugin.call("state", &[]).unwrap();
    plugin.call("fill", &[ExternRef(7)]).unwrap();
    assert_eq!(*state(), [I32(9), I32(9), I32(2), ExternRef(7)]);
    plugin.call("trap", &[]).unwrap_err();
    assert_eq!(*state(), [I32(0), I32(5), I32(1), ExternRef(0)]);
    assert_eq!(call_i32(&plugin, "init", &[]).unwrap(), 42);
}
