//! Which closures can be functions, and what becomes of their parameters and results.

use super::{Call, forward, load, plain};
use crate::support::{fixture, wat};
use wasm_runtime::{
    EmbeddedHost, ErrorKind, Fault, Grant, HostCost, HostError, HostFunctionTable,
    WasmInstanceConfig, WasmPluginRegistry, WasmValue,
};

/// Runs `f` behind a guest with these arguments and returns what the guest got.
fn through_a_guest(
    define: impl FnOnce(&mut HostFunctionTable<EmbeddedHost>) -> Result<(), wasm_runtime::Error>,
    (params, results): (&str, &str),
    args: &[WasmValue],
) -> Vec<WasmValue> {
    let mut table = HostFunctionTable::empty();
    define(&mut table).unwrap();
    let (_registry, plugin) = load(EmbeddedHost::new(), table, &forward(params, results), plain());
    plugin.call("run", args).unwrap().to_vec()
}

macro_rules! guest_gets {
    ($params:literal -> $results:literal, $f:expr, $args:expr, $expected:expr) => {
        assert_eq!(
            through_a_guest(
                |table| table.define("env", "f", Grant::Always, HostCost::default(), $f),
                ($params, $results),
                &$args,
            ),
            $expected
        )
    };
}

use WasmValue::{F32, F64, I32, I64};

#[test]
fn a_function_has_0_to_12_parameters() {
    type R = Result<i32, HostError>;
    guest_gets!("" -> "i32", |_: Call<'_, '_>| -> R { Ok(7) }, [], [I32(7)]);
    guest_gets!("i32" -> "i32", |_: Call<'_, '_>, a: i32| -> R { Ok(a + 1) }, [I32(1)], [I32(2)]);
    guest_gets!(
        "i32 i32" -> "i32",
        |_: Call<'_, '_>, a: i32, b: i32| -> R { Ok(a * 10 + b) },
        [1, 2].map(I32),
        [I32(12)]
    );
    guest_gets!(
        "i32 i32 i32" -> "i32",
        |_: Call<'_, '_>, a: i32, b: i32, c: i32| -> R { Ok((a * 10 + b) * 10 + c) },
        [1, 2, 3].map(I32),
        [I32(123)]
    );
    let number = |digits: &[i32]| digits.iter().fold(0, |number, digit| number * 10 + digit);
    guest_gets!(
        "i32 i32 i32 i32" -> "i32",
        move |_: Call<'_, '_>, a: i32, b: i32, c: i32, d: i32| -> R { Ok(number(&[a, b, c, d])) },
        [1, 2, 3, 4].map(I32),
        [I32(1234)]
    );
    guest_gets!(
        "i32 i32 i32 i32 i32" -> "i32",
        move |_: Call<'_, '_>, a: i32, b: i32, c: i32, d: i32, e: i32| -> R {
            Ok(number(&[a, b, c, d, e]))
        },
        [1, 2, 3, 4, 5].map(I32),
        [I32(12345)]
    );
    guest_gets!(
        "i32 i32 i32 i32 i32 i32" -> "i32",
        move |_: Call<'_, '_>, a: i32, b: i32, c: i32, d: i32, e: i32, f: i32| -> R {
            Ok(number(&[a, b, c, d, e, f]))
        },
        [1, 2, 3, 4, 5, 6].map(I32),
        [I32(123_456)]
    );
    guest_gets!(
        "i32 i32 i32 i32 i32 i32 i32" -> "i32",
        move |_: Call<'_, '_>, a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i32| -> R {
            Ok(number(&[a, b, c, d, e, f, g]))
        },
        [1, 2, 3, 4, 5, 6, 7].map(I32),
        [I32(1_234_567)]
    );
    guest_gets!(
        "i32 i32 i32 i32 i32 i32 i32 i32" -> "i32",
        move |_: Call<'_, '_>,
              a: i32,
              b: i32,
              c: i32,
              d: i32,
              e: i32,
              f: i32,
              g: i32,
              h: i32|
              -> R { Ok(number(&[a, b, c, d, e, f, g, h])) },
        [1, 2, 3, 4, 5, 6, 7, 8].map(I32),
        [I32(12_345_678)]
    );
    guest_gets!(
        "i32 i32 i32 i32 i32 i32 i32 i32 i32" -> "i32",
        move |_: Call<'_, '_>,
              a: i32,
              b: i32,
              c: i32,
              d: i32,
              e: i32,
              f: i32,
              g: i32,
              h: i32,
              i: i32|
              -> R { Ok(number(&[a, b, c, d, e, f, g, h, i])) },
        [1, 2, 3, 4, 5, 6, 7, 8, 9].map(I32),
        [I32(123_456_789)]
    );
}

/// With ten and more parameters closures are as with twelve.
#[test]
fn a_function_of_12_parameters_gets_each_of_them() {
    guest_gets!(
        "i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64" -> "f64",
        |_: Call<'_, '_>,
         a: i32,
         b: i64,
         c: f32,
         d: f64,
         e: i32,
         f: i64,
         g: f32,
         h: f64,
         i: i32,
         j: i64,
         k: f32,
         l: f64|
         -> Result<f64, HostError> {
            let ints = [i64::from(a), b, i64::from(e), f, i64::from(i), j];
            let floats = [f64::from(c), d, f64::from(g), h, f64::from(k), l];
            let ints = ints.iter().fold(0, |number, digit| number * 10 + digit);
            Ok(floats.iter().fold(ints as f64, |number, digit| number * 10.0 + digit))
        },
        [
            I32(1), I64(2), F32(7.0), F64(8.0), I32(3), I64(4),
            F32(9.0), F64(1.0), I32(5), I64(6), F32(2.0), F64(3.0),
        ],
        [F64(123_456_789_123.0)]
    );
}

#[test]
fn a_parameter_and_a_result_are_of_any_of_six_types() {
    guest_gets!(
        "i32" -> "i32",
        |_: Call<'_, '_>, a: u32| -> Result<u32, HostError> { Ok(a / 2) },
        [I32(-2)],
        [I32(i32::MAX)]
    );
    guest_gets!(
        "i64" -> "i64",
        |_: Call<'_, '_>, a: i64| -> Result<i64, HostError> { Ok(a / 2) },
        [I64(i64::MIN)],
        [I64(i64::MIN / 2)]
    );
    guest_gets!(
        "i64" -> "i64",
        |_: Call<'_, '_>, a: u64| -> Result<u64, HostError> { Ok(a / 2) },
        [I64(-2)],
        [I64(i64::MAX)]
    );
    guest_gets!(
        "f32" -> "f32",
        |_: Call<'_, '_>, a: f32| -> Result<f32, HostError> { Ok(a / 4.0) },
        [F32(1.0)],
        [F32(0.25)]
    );
    guest_gets!(
        "f64" -> "f64",
        |_: Call<'_, '_>, a: f64| -> Result<f64, HostError> { Ok(-a) },
        [F64(f64::INFINITY)],
        [F64(f64::NEG_INFINITY)]
    );
    guest_gets!(
        "i64 f32 i32 f64 i32 i64" -> "f64",
        |_: Call<'_, '_>, a: i64, b: f32, c: u32, d: f64, e: i32, f: u64|
         -> Result<f64, HostError> {
            Ok(a as f64 + f64::from(b) + f64::from(c) + d + f64::from(e) + f as f64)
        },
        [I64(1), F32(20.0), I32(300), F64(4_000.0), I32(-50_000), I64(600_000)],
        [F64(554_321.0)]
    );
}

#[test]
fn a_function_may_return_nothing() {
    guest_gets!(
        "i32" -> "",
        |_: Call<'_, '_>, _: i32| -> Result<(), HostError> { Ok(()) },
        [I32(1)],
        []
    );
}

#[test]
fn an_integer_may_look_like_a_status_and_is_none() {
    guest_gets!(
        "" -> "i32",
        |_: Call<'_, '_>| -> Result<i32, HostError> { Ok(-1) },
        [],
        [I32(-1)]
    );
}

#[test]
fn an_import_of_another_signature_is_refused_naming_both() {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let f = |_: Call<'_, '_>, a: u32, _: f64| -> Result<u64, HostError> { Ok(a.into()) };
    table.define("env", "f", Grant::Always, HostCost::default(), f).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    for (params, results) in [
        ("i32", "i64"),
        ("i32 f64", "i32"),
        ("i32 f64", ""),
        ("f64 i32", "i64"),
        ("i32 f32", "i64"),
    ] {
        let wasm = wat(&forward(params, results));
        let error = registry.load("p", &wasm, WasmInstanceConfig::default()).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Refused, Fault::Guest));
        let text = error.to_string();
        assert!(text.contains("`env` `f`") && text.contains("i64"), "{text}");
    }
    registry.load("p", &wat(&forward("i32 f64", "i64")), WasmInstanceConfig::default()).unwrap();
}

#[test]
fn a_name_can_be_defined_once() {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let built_in = table.len();
    let one = |_: Call<'_, '_>| -> Result<i32, HostError> { Ok(1) };
    let two = |_: Call<'_, '_>| -> Result<i32, HostError> { Ok(2) };
    let (always, cost) = (Grant::Always, HostCost::default());
    table.define("env", "f", always, cost, one).unwrap();
    for (module, name) in [("env", "f"), ("soch_v1", "soch_read"), ("soch_v1", "last_answer")] {
        let error = table.define(module, name, always, cost, two).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::TableFull, Fault::Host));
        assert!(error.to_string().contains(module) && error.to_string().contains(name));
    }
    table.define("env", "g", always, cost, two).unwrap();
    table.define("env2", "f", always, cost, two).unwrap();
    assert_eq!(table.len(), built_in + 3);
    let (_registry, plugin) = load(EmbeddedHost::new(), table, &forward("", "i32"), plain());
    assert_eq!(plugin.call("run", &[]).unwrap()[0], I32(1));
}

#[test]
fn a_table_holds_as_many_functions_as_it_says() {
    let mut table = HostFunctionTable::<EmbeddedHost, 2>::empty();
    assert!(table.is_empty() && table.capacity() == 2);
    let f = |_: Call<'_, '_>| -> Result<(), HostError> { Ok(()) };
    let (always, cost) = (Grant::Always, HostCost::default());
    table.define("env", "a", always, cost, f).unwrap();
    table.define("env", "b", always, cost, f).unwrap();
    let error = table.define("env", "c", always, cost, f).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableFull);
    assert!(error.to_string().contains("full at 2"), "{error}");
    assert_eq!(table.len(), 2);
    WasmPluginRegistry::builder().functions(table).build().unwrap();
    assert_eq!(HostFunctionTable::<EmbeddedHost>::new().capacity(), 64);
}

#[test]
fn a_table_without_room_for_the_built_in_functions_builds_no_registry() {
    let table = HostFunctionTable::<EmbeddedHost, 4>::new();
    assert_eq!(table.len(), 4);
    let error = WasmPluginRegistry::builder().functions(table).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TableFull);
    assert!(error.to_string().contains("full at 4"), "{error}");
}

#[test]
fn an_empty_table_has_none_of_the_built_in_functions() {
    let table = HostFunctionTable::<EmbeddedHost>::empty();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let error = registry.load("p", &fixture("abi_probe"), plain()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("`soch_v1` `soch_read`"), "{error}");
    registry.load("counter", &fixture("counter"), plain()).unwrap();
}

#[test]
fn an_embedder_may_replace_a_built_in_function_in_an_empty_table() {
    let mut table = HostFunctionTable::<EmbeddedHost>::empty();
    let f = |_: Call<'_, '_>, level: i32, _: i32, len: i32| -> Result<i32, HostError> {
        Ok(level + len)
    };
    table.define("soch_v1", "log_message", Grant::Always, HostCost::default(), f).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    registry.load("p", &fixture("import_twice"), plain()).unwrap();
    // Two lines at level 1, of 5 and 6 bytes.
    assert_eq!(registry.call("p", "run", &[]).unwrap()[0], I32(1 + 5 + 1 + 6));
}
