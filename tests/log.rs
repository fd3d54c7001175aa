//! What goes to the `log` crate. A logger is a process's, so these tests have a binary of their own;
//! each looks at the lines of its own tenant.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

use log::{Level, LevelFilter, Log, Metadata, Record};
use std::sync::{Mutex, Once};
use wasm_runtime::{
    ObservabilityExtension, WasmInstanceConfig, WasmObservabilityPlugin, WasmPluginRegistry,
    WasmValue,
};

/// Keeps every line, with its level and target.
struct Keeper(Mutex<Vec<(Level, String, String)>>);

static KEEPER: Keeper = Keeper(Mutex::new(Vec::new()));

impl Log for Keeper {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.target().to_string(), record.args().to_string());
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

/// A registry, with the lines of everything it does kept.
fn registry() -> WasmPluginRegistry {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        log::set_logger(&KEEPER).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
    WasmPluginRegistry::new()
}

/// The lines that name `what`.
fn lines(what: &str) -> Vec<(Level, String, String)> {
    let kept = KEEPER.0.lock().unwrap();
    kept.iter().filter(|(_, _, line)| line.contains(what)).cloned().collect()
}

fn of(tenant: &str) -> WasmInstanceConfig {
    WasmInstanceConfig { tenant: tenant.into(), ..WasmInstanceConfig::default() }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/wasm/{name}.wasm", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn a_shutdown_unloads_the_last_loaded_plugin_first() {
    let registry = registry();
    for name in ["b", "c", "a"] {
        registry.load(name, &fixture("counter"), of("shutdown")).unwrap();
    }
    registry.shutdown_all();
    let told: Vec<_> = lines("`shutdown`").into_iter().map(|(_, _, line)| line).collect();
    let verbs = [("b", "loaded"), ("c", "loaded"), ("a", "loaded")].into_iter().chain([
        ("a", "unloaded"),
        ("c", "unloaded"),
        ("b", "unloaded"),
    ]);
    let expected: Vec<_> =
        verbs.map(|(name, verb)| format!("plugin `{name}` of tenant `shutdown` {verb}")).collect();
    assert_eq!(told, expected);
}

#[test]
fn a_guest_s_lines_name_tenant_and_plugin_and_stay_one_line_each() {
    let registry = registry();
    let probe = fixture("abi_probe");
    registry.load("probe", &probe, WasmInstanceConfig { max_instances: 1, ..of("lines") }).unwrap();
    let plugin = registry.get("probe").unwrap();
    plugin.lease().unwrap().write("memory", 4096, b"one\ntwo\x1b[31m").unwrap();
    for level in 0..4 {
        let args = [level, 4096, 12].map(WasmValue::I32);
        assert_eq!(*plugin.call("call_log_message", &args).unwrap(), [WasmValue::I32(0)]);
    }
    let told = lines("lines/probe");
    let levels: Vec<_> = told.iter().map(|(level, _, _)| *level).collect();
    assert_eq!(levels, [Level::Debug, Level::Info, Level::Warn, Level::Error]);
    for (_, target, line) in told {
        assert_eq!(target, "wasm_plugin");
        assert_eq!(line, r"lines/probe: one\ntwo\u{1b}[31m");
    }
}

#[test]
fn failed_calls_are_told_in_debug_mode_only() {
    let registry = registry();
    let wasm = fixture("misbehaving/traps");
    registry.load("loud", &wasm, WasmInstanceConfig { debug_mode: true, ..of("debug") }).unwrap();
    registry.load("quiet", &wasm, of("debug")).unwrap();
    for plugin in ["loud", "quiet"] {
        let error = registry.call(plugin, "unreachable", &[]).unwrap_err();
        let told = lines(&error.to_string());
        assert_eq!(told.len(), usize::from(plugin == "loud"), "{told:?}");
        let report = error.trap_report().unwrap().to_string();
        assert!(told.iter().all(|(_, _, line)| line.ends_with(&report)), "{told:?}");
    }
}

#[test]
fn an_event_that_a_plugin_does_not_take_in_is_told_in_debug_mode_only() {
    let registry = registry();
    let wasm = wat::parse_str(
        r#"(module
            (memory (export "memory") 1)
            (func (export "soch_alloc") (param i32) (result i32) (i32.const 8))
            (func (export "span_end") (param i32 i32) (result i64) (i64.const -77)))"#,
    )
    .unwrap();
    registry.load("deaf", &wasm, WasmInstanceConfig { debug_mode: true, ..of("events") }).unwrap();
    registry.load("mute", &wasm, of("events")).unwrap();
    for plugin in ["deaf", "mute"] {
        let observed = WasmObservabilityPlugin::new(registry.get(plugin).unwrap());
        observed.span_end(1);
        assert_eq!(observed.stats().failed, 1);
        let told = lines(&format!("plugin `{plugin}`, function `span_end`"));
        assert_eq!(told.len(), usize::from(plugin == "deaf"), "{told:?}");
    }
}
