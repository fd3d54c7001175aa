//! How a function of the embedder's fails.

use super::{Call, forward, load, plain};
use std::error::Error as _;
use wasm_runtime::{
    EmbeddedHost, Error, ErrorKind, Fault, Grant, HostCost, HostError, HostFunctionTable,
    WasmPluginInstance, WasmValue,
};

const STATUSES: [(HostError, i32); 7] = [
    (HostError::Denied, -1),
    (HostError::NotFound, -2),
    (HostError::InvalidArguments, -3),
    (HostError::Failed, -4),
    (HostError::LimitReached, -5),
    (HostError::NotSupported, -6),
    (HostError::PluginFailed, -7),
];

const ENDS: [(HostError, ErrorKind); 3] = [
    (HostError::OutOfFuel, ErrorKind::OutOfFuel),
    (HostError::Deadline, ErrorKind::Deadline),
    (HostError::Abort("no more paper"), ErrorKind::Host),
];

macro_rules! fails {
    ($result:ty as $wasm:literal, $error:expr) => {{
        let mut table = HostFunctionTable::new();
        let error = $error;
        let f = move |_: Call<'_, '_>| -> Result<$result, HostError> { Err(error) };
        table.define("env", "f", Grant::Always, HostCost::default(), f).unwrap();
        let text = forward("", $wasm);
        let (_registry, plugin) = load(EmbeddedHost::new(), table, &text, plain());
        (run(&plugin), plugin)
    }};
}

fn run(plugin: &WasmPluginInstance) -> Result<Option<WasmValue>, Error> {
    plugin.call("run", &[]).map(|results| results.first().copied())
}

#[test]
fn an_error_is_a_status_where_the_result_is_an_integer() {
    for (error, status) in STATUSES {
        assert_eq!(error.status(), Some(status));
        let long = Some(WasmValue::I64(status.into()));
        assert_eq!(fails!(i32 as "i32", error).0.unwrap(), Some(WasmValue::I32(status)));
        assert_eq!(fails!(u32 as "i32", error).0.unwrap(), Some(WasmValue::I32(status)));
        assert_eq!(fails!(i64 as "i64", error).0.unwrap(), long);
        assert_eq!(fails!(u64 as "i64", error).0.unwrap(), long);
    }
}

#[test]
fn an_error_ends_the_call_where_the_result_has_no_room_for_it() {
    for (error, _) in STATUSES {
        let kind = if error == HostError::Denied { ErrorKind::Denied } else { ErrorKind::Host };
        for (outcome, plugin) in
            [fails!(() as "", error), fails!(f32 as "f32", error), fails!(f64 as "f64", error)]
        {
            assert_eq!(outcome.unwrap_err().kind(), kind, "{error}");
            assert_eq!(plugin.stats().trap_count, 1);
        }
    }
}

#[test]
fn an_error_without_a_status_ends_the_call_whatever_the_result() {
    for (error, kind) in ENDS {
        assert_eq!(error.status(), None);
        for (outcome, plugin) in
            [fails!(i32 as "i32", error), fails!(u64 as "i64", error), fails!(() as "", error)]
        {
            assert_eq!(outcome.unwrap_err().kind(), kind);
            assert_eq!(plugin.stats().trap_count, 1);
        }
    }
}

#[test]
fn an_abort_names_the_function_and_the_reason_and_is_the_host_s_doing() {
    let error = fails!(i32 as "i32", HostError::Abort("no more paper")).0.unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Host, Fault::Host));
    assert_eq!((error.plugin(), error.function()), ("plugin", "run"));
    let text = error.to_string();
    assert!(text.contains("`env` `f`") && text.contains("no more paper"), "{text}");
    let source = error.source().unwrap().downcast_ref::<HostError>();
    assert_eq!(source, Some(&HostError::Abort("no more paper")));
}

#[test]
fn calls_denials_and_errors_are_counted_for_each_function() {
    let mut table = HostFunctionTable::new();
    let cost = HostCost::default();
    let by_number = |_: Call<'_, '_>, n: i32| -> Result<i32, HostError> {
        match n {
            0 => Ok(0),
            1 => Err(HostError::Denied),
            2 => Err(HostError::NotFound),
            _ => Err(HostError::Abort("enough")),
        }
    };
    table.define("env", "f", Grant::Always, cost, by_number).unwrap();
    table.define("env", "g", Grant::Custom("none"), cost, by_number).unwrap();
    table.define("env", "unused", Grant::Always, cost, by_number).unwrap();
    let text = r#"(module
      (import "env" "f" (func $f (param i32) (result i32)))
      (import "env" "g" (func $g (param i32) (result i32)))
      (func (export "f") (param i32) (result i32) (call $f (local.get 0)))
      (func (export "g") (param i32) (result i32) (call $g (local.get 0))))"#;
    let (_registry, plugin) = load(EmbeddedHost::new(), table, text, plain());
    assert!(plugin.host_function_stats().is_empty());
    for n in [0, 0, 0, 1, 2, 2] {
        plugin.call("f", &[WasmValue::I32(n)]).unwrap();
        plugin.call("g", &[WasmValue::I32(n)]).unwrap();
    }
    plugin.call("f", &[WasmValue::I32(3)]).unwrap_err();
    let counts: Vec<_> = plugin
        .host_function_stats()
        .into_iter()
        .map(|s| ((s.module, s.name), (s.calls, s.denials, s.errors)))
        .collect();
    let named = |name: &str| ("env".to_string(), name.to_string());
    assert_eq!(counts, [(named("f"), (7, 1, 3)), (named("g"), (6, 6, 0))]);
    assert_eq!((plugin.stats().host_calls, plugin.stats().denied_host_calls), (13, 7));
}
