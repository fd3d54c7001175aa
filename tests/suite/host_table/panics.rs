//! A host whose own code panics: no part of this library stays broken.

use super::{forward, plain};
use crate::{
    probe::{FUNCTIONS, Probe, VALUE, ordinary},
    support::{fixture, wat},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use wasm_runtime::{
    EmbeddedHost, Grant, Host, HostCall, HostCost, HostError, HostFunctionTable, LogMessage,
    Output, ResetPolicy, WasmInstanceConfig, WasmPluginRegistry, WasmPluginState, WasmValue,
};

/// A host with a bug in one of its methods.
struct Buggy;

impl Host for Buggy {
    fn read(
        &self,
        _: &mut HostCall<'_, Self>,
        table: &str,
        _: &[u8],
        _: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        panic!("no table {table} here")
    }

    fn log(
        &self,
        _: &mut HostCall<'_, Self>,
        _: log::Level,
        _: LogMessage<'_>,
    ) -> Result<(), HostError> {
        Ok(())
    }
}

fn buggy() -> Probe<Buggy> {
    Probe::on(WasmPluginRegistry::with_host(Buggy), ordinary())
}

/// Calls the function that panics.
fn panics(probe: &Probe<Buggy>) {
    let read = &FUNCTIONS[0];
    let call = || probe.call_values("soch_read", &read.args(read.pairs));
    let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "no table users here");
}

#[test]
fn a_sandbox_that_a_panic_went_through_is_never_used_again() {
    let probe = buggy();
    probe.put(4096, b"left by an earlier call");
    panics(&probe);
    assert_eq!(probe.bytes((4096, 4)), [0; 4]);
    assert_eq!(probe.call("log_message", &[1, VALUE.0, 4]), 0);
    assert_eq!(probe.plugin.stats().sandboxes_started, 2);
    assert_eq!(probe.plugin.state(), WasmPluginState::Ready);
}

#[test]
fn after_a_panic_the_plugin_and_all_others_can_be_called() {
    let probe = buggy();
    probe.registry.load("counter", &fixture("counter"), ordinary()).unwrap();
    for round in 1..=10 {
        // The table's name is gone with the sandbox.
        probe.put(256, b"users");
        panics(&probe);
        assert_eq!(probe.call("log_message", &[1, VALUE.0, 4]), 0);
        let count = probe.registry.call("counter", "increment", &[]).unwrap();
        assert_eq!(count[0], WasmValue::I32(round));
    }
    probe.registry.unload("probe").unwrap();
    assert_eq!(probe.plugin.state(), WasmPluginState::Unloaded);
    assert_eq!(probe.registry.count(), 1);
}

#[test]
fn a_lease_that_a_panic_went_through_goes_on_with_a_fresh_sandbox() {
    let probe = buggy();
    let read = &FUNCTIONS[0];
    let mut lease = probe.plugin.lease().unwrap();
    lease.write("memory", 4096, b"here").unwrap();
    let call = || lease.call("call_soch_read", &read.args(read.pairs));
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    let peeked = lease.call("peek", &[WasmValue::I32(4096)]).unwrap();
    assert_eq!(peeked[0], WasmValue::I32(0));
    drop(lease);
    assert_eq!(probe.plugin.state(), WasmPluginState::Ready);
    probe.plugin.lease().unwrap();
}

#[test]
fn a_panic_below_another_plugin_leaves_neither_sandbox_in_use() {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let f = |_: &mut HostCall<'_, EmbeddedHost>, _: i32, _: i32| -> Result<i64, HostError> {
        panic!("deep below")
    };
    table.define("env", "f", Grant::Always, HostCost::default(), f).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let callee = forward("i32 i32", "i64").replace(
        "(memory",
        r#"(func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
           (func (export "fine") (param i32 i32) (result i64) (i64.const 0)) (memory"#,
    );
    registry.load("callee", &wat(&callee), plain()).unwrap();
    registry.load("caller", &fixture("caller"), ordinary()).unwrap();
    let caller = registry.get("caller").unwrap();
    let call = |input: &[u8]| caller.call_bytes("relay", input);
    for _ in 0..3 {
        let panicking = AssertUnwindSafe(|| call(b"callee\0run\0x"));
        assert!(catch_unwind(panicking).is_err());
        assert_eq!(call(b"callee\0fine\0x").unwrap(), b"");
    }
    for plugin in [&caller, &registry.get("callee").unwrap()] {
        assert_eq!(plugin.state(), WasmPluginState::Ready);
        assert_eq!(plugin.stats().sandboxes_started, 4);
    }
}

#[test]
fn a_panic_below_a_start_function_goes_on_from_whoever_starts_the_sandbox() {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let starts = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&starts);
    let f = move |_: &mut HostCall<'_, EmbeddedHost>| -> Result<i32, HostError> {
        match counted.fetch_add(1, Ordering::SeqCst) % 2 {
            0 => panic!("amid a start"),
            _ => Ok(0),
        }
    };
    table.define("env", "f", Grant::Always, HostCost::default(), f).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let wasm = wat(r#"(module (import "env" "f" (func $f (result i32)))
        (func $start (drop (call $f))) (start $start) (func (export "run")))"#);
    let panics = |start: &dyn Fn()| {
        let panic = catch_unwind(AssertUnwindSafe(start)).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"amid a start"));
    };
    let config = WasmInstanceConfig { reset: ResetPolicy::AfterCall, ..plain() };
    panics(&|| registry.load("plugin", &wasm, config.clone()).unwrap());
    assert_eq!((registry.count(), registry.usage().heap_bytes), (0, 0));
    registry.load("plugin", &wasm, config).unwrap();
    let plugin = registry.get("plugin").unwrap();
    plugin.call("run", &[]).unwrap();
    panics(&|| drop(plugin.call("run", &[])));
    plugin.call("run", &[]).unwrap();
    panics(&|| drop(plugin.lease()));
    plugin.call("run", &[]).unwrap();
    panics(&|| drop(plugin.start("run", &[]).unwrap().run(1_000_000)));
    plugin.call("run", &[]).unwrap();
    registry.unload("plugin").unwrap();
    assert_eq!(registry.usage().heap_bytes, 0);
}
