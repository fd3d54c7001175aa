//! Calls of single functions: typed, by name, narrowed; references of the host's.

use crate::support::{
    StepClock, all_granted, assert_error, call_i32, config, fixture, load, load_hooked, wat,
};
use std::sync::Arc;
use wasm_runtime::{
    CallOptions, ErrorKind, HostError, MAX_VALUES, ValueType, WasmInstanceConfig,
    WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry,
    WasmValue::{self, ExternRef, F32, F64, I32, I64},
};

fn plain(name: &str) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    load(&fixture(name), WasmInstanceConfig::default())
}

#[test]
fn a_typed_handle_takes_and_returns_every_number_type() {
    let (_registry, plugin) = plain("no_memory");
    let add = plugin.function::<(i32, i32), i32>("add").unwrap();
    assert_eq!(add.call((i32::MAX, 1)).unwrap(), i32::MIN);
    let add = plugin.function::<(u32, u32), u32>("add").unwrap();
    assert_eq!(add.call((u32::MAX, 2)).unwrap(), 1);
    let add = plugin.function::<(i64, i64), i64>("add64").unwrap();
    assert_eq!(add.call((i64::MAX, 1)).unwrap(), i64::MIN);
    let add = plugin.function::<(u64, u64), u64>("add64").unwrap();
    assert_eq!(add.call((u64::MAX, 2)).unwrap(), 1);
    let scale = plugin.function::<(f32, f32), f32>("scale").unwrap();
    assert_eq!(scale.call((1.5, -2.0)).unwrap(), -3.0);
    let halve = plugin.function::<f64, f64>("halve").unwrap();
    assert_eq!(halve.call(5.0).unwrap(), 2.5);
    let halve = plugin.function::<(f64,), (f64,)>("halve").unwrap();
    assert!(halve.call((f64::NAN,)).unwrap().0.is_nan());
    let nothing = plugin.function::<(), ()>("nothing").unwrap();
    nothing.call(()).unwrap();
    let mixed = plugin.function::<(i32, i64, f32, f64), f64>("mixed").unwrap();
    assert_eq!(mixed.call((1, 2, 3.0, 4.0)).unwrap(), 4321.0);
}

#[test]
fn a_typed_handle_returns_several_results_as_a_tuple() {
    let (_registry, plugin) = plain("multi_value");
    let swap = plugin.function::<(i32, i32), (i32, i32)>("swap").unwrap();
    assert_eq!(swap.call((1, 2)).unwrap(), (2, 1));
    let types = plugin.function::<(), (i32, i64, f32, f64)>("types").unwrap();
    assert_eq!(types.call(()).unwrap(), (-1, -2, 0.5, -0.25));
    let fibonacci = plugin.function::<u32, (u64, u64)>("fibonacci").unwrap();
    assert_eq!(fibonacci.call(10).unwrap(), (55, 89));
}

#[test]
fn a_handle_of_the_wrong_signature_is_refused_and_the_error_names_both() {
    let (_registry, plugin) = plain("no_memory");
    let error = plugin.function::<(i64, f32), f64>("add").unwrap_err();
    let says = ["`plugin`", "`add`", "(i32 i32) -> (i32)", "(i64 f32) -> (f64)"];
    assert_error(&error, ErrorKind::SignatureMismatch, &says);
    let error = plugin.function::<i32, i32>("add").unwrap_err();
    assert_error(&error, ErrorKind::SignatureMismatch, &["(i32) -> (i32)"]);
    let error = plugin.function::<(i32, i32), ()>("add").unwrap_err();
    assert_error(&error, ErrorKind::SignatureMismatch, &["(i32 i32) -> ()"]);
    let error = plugin.function::<(), ()>("subtract").unwrap_err();
    assert_error(&error, ErrorKind::FunctionNotFound, &["`plugin`", "`subtract`"]);
}

#[test]
fn a_handle_is_cloned_and_sees_the_same_plugin() {
    let (_registry, plugin) = plain("counter");
    let increment = plugin.function::<(), i32>("increment").unwrap();
    let other = increment.clone();
    increment.call(()).unwrap();
    assert_eq!(other.call(()).unwrap(), 2);
    assert_eq!(other.name(), "increment");
    assert!(Arc::ptr_eq(other.plugin(), &plugin));
}

#[test]
fn a_call_by_name_takes_and_returns_every_number_type() {
    let (_registry, plugin) = plain("no_memory");
    let cases: [(&str, &[WasmValue], &[WasmValue]); 6] = [
        ("add", &[I32(40), I32(2)], &[I32(42)]),
        ("add64", &[I64(1 << 40), I64(2)], &[I64((1 << 40) + 2)]),
        ("scale", &[F32(1.5), F32(2.0)], &[F32(3.0)]),
        ("halve", &[F64(5.0)], &[F64(2.5)]),
        ("mixed", &[I32(1), I64(2), F32(3.0), F64(4.0)], &[F64(4321.0)]),
        ("nothing", &[], &[]),
    ];
    for (function, args, results) in cases {
        assert_eq!(*plugin.call(function, args).unwrap(), *results, "{function}");
    }
    let results = plugin.call("add", &[1.into(), 2.into()]).unwrap();
    assert_eq!((results[0].as_i32(), results[0].as_i64()), (Some(3), None));
    assert_eq!(plugin.call("halve", &[3.0.into()]).unwrap()[0].as_f64(), Some(1.5));
    assert_eq!(plugin.call("scale", &[3_f32.into(), 2_f32.into()]).unwrap()[0].as_f32(), Some(6.0));
    assert_eq!(plugin.call("add64", &[3_i64.into(), 2_i64.into()]).unwrap()[0].as_i64(), Some(5));
}

#[test]
fn arguments_of_the_wrong_number_or_type_are_refused_before_anything_runs() {
    let (_registry, plugin) = plain("no_memory");
    let cases: [(&[WasmValue], &str); 5] = [
        (&[], "()"),
        (&[I32(1)], "(i32)"),
        (&[I32(1), I32(2), I32(3)], "(i32 i32 i32)"),
        (&[I32(1), I64(2)], "(i32 i64)"),
        (&[F64(1.0), ExternRef(2)], "(f64 externref)"),
    ];
    for (args, given) in cases {
        let error = plugin.call("add", args).unwrap_err();
        let says = ["`plugin`", "`add`", "(i32 i32)", given];
        assert_error(&error, ErrorKind::SignatureMismatch, &says);
    }
    let error = plugin.call("add", &[I32(0); 40]).unwrap_err();
    assert_error(&error, ErrorKind::SignatureMismatch, &["(i32 i32)"]);
    assert_eq!(plugin.stats().total_calls, 0);
}

#[test]
fn an_unknown_function_is_not_found_and_the_error_names_it() {
    let (registry, plugin) = plain("counter");
    let errors = [
        plugin.call("decrement", &[]).unwrap_err(),
        registry.call("plugin", "decrement", &[]).unwrap_err(),
        plugin.call_bytes("decrement", b"").unwrap_err(),
        plugin.lease().unwrap().call("decrement", &[]).unwrap_err(),
    ];
    for error in errors {
        assert_error(&error, ErrorKind::FunctionNotFound, &["`plugin`", "`decrement`"]);
    }
    // A memory is no function.
    assert_error(&plugin.call("memory", &[]).unwrap_err(), ErrorKind::FunctionNotFound, &[]);
}

#[test]
fn functions_and_their_signatures_are_told() {
    let (_registry, plugin) = plain("counter");
    let names: Vec<_> = plugin.functions().collect();
    assert_eq!(names, ["add", "get", "increment", "reset"]);
    assert_eq!(plugin.signature("add"), Some((&[ValueType::I32][..], &[ValueType::I32][..])));
    assert_eq!(plugin.signature("reset"), Some((&[][..], &[][..])));
    assert_eq!(plugin.signature("memory"), None);
}

#[cfg(feature = "simd")]
#[test]
fn a_function_with_a_vector_in_its_signature_is_refused_by_name() {
    let (_registry, plugin) = plain("simd");
    let (params, results) = plugin.signature("add_vectors").unwrap();
    assert_eq!((params, results), (&[ValueType::V128; 2][..], &[ValueType::V128][..]));
    for args in [&[][..], &[I64(0), I64(0)]] {
        let error = plugin.call("add_vectors", args).unwrap_err();
        assert_error(&error, ErrorKind::SignatureMismatch, &["`add_vectors`", "v128"]);
    }
}

#[test]
fn a_function_with_a_function_reference_in_its_signature_is_refused_by_name() {
    let (_registry, plugin) = plain("externref");
    for (function, args) in [("function", &[][..]), ("is_function", &[ExternRef(0)])] {
        let error = plugin.call(function, args).unwrap_err();
        assert_error(&error, ErrorKind::SignatureMismatch, &[function, "funcref"]);
    }
    assert_eq!(plugin.signature("function"), Some((&[][..], &[ValueType::FuncRef][..])));
}

#[test]
fn sixteen_results_fit_and_seventeen_are_refused() {
    let (_registry, plugin) = plain("multi_value");
    let sixteen: Vec<_> = (100..116).map(I32).collect();
    assert_eq!(*plugin.call("sixteen", &[I32(100)]).unwrap(), *sixteen);
    let error = plugin.call("seventeen", &[I32(100)]).unwrap_err();
    assert_error(&error, ErrorKind::SignatureMismatch, &["`seventeen`", "17", "16"]);
    assert_eq!(MAX_VALUES, 16);
}

#[test]
fn sixteen_arguments_fit_and_seventeen_are_refused() {
    let sum = |n: usize| {
        let params = "i32 ".repeat(n);
        let adds: String =
            (1..n).map(|i| format!("(local.get {i}) (i32.add)")).collect::<Vec<_>>().concat();
        format!(r#"(func (export "sum{n}") (param {params}) (result i32) (local.get 0) {adds})"#)
    };
    let wasm = wat(&format!("(module {} {})", sum(16), sum(17)));
    let (_registry, plugin) = load(&wasm, WasmInstanceConfig::default());
    assert_eq!(*plugin.call("sum16", &[I32(2); 16]).unwrap(), [I32(32)]);
    let error = plugin.call("sum17", &[I32(2); 17]).unwrap_err();
    assert_error(&error, ErrorKind::SignatureMismatch, &["`sum17`", "17", "16"]);
}

#[test]
fn fuel_is_narrowed_for_one_call_and_never_widened() {
    let capabilities = WasmPluginCapabilities { fuel_limit: 10_000, ..all_granted() };
    let (_registry, plugin) =
        load(&fixture("misbehaving/endless_loop"), config(capabilities.clone()));
    let spent_within = |fuel: Option<u64>| {
        let before = plugin.stats().total_fuel_consumed;
        let options = CallOptions { fuel, ..CallOptions::default() };
        let error = plugin.call_with("run", &[], options).unwrap_err();
        let limit = fuel.unwrap_or(u64::MAX).min(10_000);
        assert_error(&error, ErrorKind::OutOfFuel, &[&format!("limit is {limit}")]);
        plugin.stats().total_fuel_consumed - before
    };
    for (fuel, expected) in [(Some(2_000), 2_000), (None, 10_000), (Some(1 << 40), 10_000)] {
        let spent = spent_within(fuel);
        assert!((expected - 100..=expected).contains(&spent), "{spent} of {expected}");
    }
    assert_eq!(spent_within(Some(0)), 0);
}

/// An endless plugin on a clock that goes on by a millisecond each time it is read.
fn endless(timeout_ms: u64) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let registry = WasmPluginRegistry::builder().clock(StepClock::new(1_000)).build().unwrap();
    let capabilities =
        WasmPluginCapabilities { fuel_limit: 200_000_000, timeout_ms, ..all_granted() };
    let wasm = fixture("misbehaving/endless_loop");
    registry.load("plugin", &wasm, config(capabilities)).unwrap();
    let plugin = registry.get("plugin").unwrap();
    (registry, plugin)
}

#[test]
fn the_timeout_is_narrowed_for_one_call_and_never_widened() {
    let cases = [
        (50, None, 50),
        (50, Some(5), 5),
        (50, Some(5_000), 50),
        (50, Some(0), 50),
        (0, Some(5), 5),
    ];
    for (own, narrowed, expected) in cases {
        let (_registry, plugin) = endless(own);
        let options = CallOptions { timeout_ms: narrowed, ..CallOptions::default() };
        let error = plugin.call_with("run", &[], options).unwrap_err();
        assert_error(&error, ErrorKind::Deadline, &["`run`", &format!("timeout of {expected} ms")]);
        // A slice takes one reading, and one of them is a millisecond: too slow for longer slices.
        let slices = plugin.stats().total_fuel_consumed / 1_000;
        assert!((expected - 2..=expected + 2).contains(&slices), "{slices} slices, {expected} ms");
        assert_eq!(call_i32(&plugin, "ping", &[]).unwrap(), 1);
    }
}

#[test]
fn a_narrowed_timeout_holds_where_the_plugin_s_own_is_switched_off() {
    let registry = WasmPluginRegistry::builder().clock(StepClock::new(1_000)).build().unwrap();
    let capabilities =
        WasmPluginCapabilities { fuel_limit: 200_000_000, timeout_ms: 3, ..all_granted() };
    let config = WasmInstanceConfig { enable_epochs: false, ..config(capabilities) };
    registry.load("plugin", &fixture("misbehaving/endless_loop"), config).unwrap();
    let plugin = registry.get("plugin").unwrap();
    let options = CallOptions { timeout_ms: Some(20), ..CallOptions::default() };
    let error = plugin.call_with("run", &[], options).unwrap_err();
    assert_error(&error, ErrorKind::Deadline, &["timeout of 20 ms"]);
}

#[test]
fn a_host_function_reads_the_tag_of_the_call() {
    let (_registry, plugin) = load_hooked(WasmInstanceConfig::default(), |call, bit| {
        Ok(i32::from(call.tag() >> bit & 1 == 1))
    });
    let with_tag = |tag, bit| {
        let options = CallOptions { tag, ..CallOptions::default() };
        plugin.call_with("run", &[I32(bit)], options).unwrap()[0].as_i32().unwrap()
    };
    assert_eq!((with_tag(1 << 63, 63), with_tag(1 << 63, 62), with_tag(4, 2)), (1, 0, 1));
    // The tag is the call's, not the plugin's.
    assert_eq!(call_i32(&plugin, "run", &[2]).unwrap(), 0);
    let run = plugin.function::<i32, i32>("run").unwrap();
    assert_eq!(run.call_with(2, CallOptions { tag: 4, ..CallOptions::default() }).unwrap(), 1);
    let mut lease = plugin.lease().unwrap();
    let tagged = lease.call_with("run", &[I32(2)], CallOptions { tag: 4, ..Default::default() });
    assert_eq!(*tagged.unwrap(), [I32(1)]);
}

#[test]
fn a_host_function_that_aborts_ends_the_call_with_its_reason() {
    let (_registry, plugin) = load_hooked(WasmInstanceConfig::default(), |_, x| match x {
        0 => Err(HostError::Abort("the disk is on fire")),
        x => Ok(x),
    });
    let error = plugin.call("run", &[I32(0)]).unwrap_err();
    assert_error(&error, ErrorKind::Host, &["`plugin`", "`run`", "`env`", "`hook`", "on fire"]);
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("on fire"));
    assert_eq!(call_i32(&plugin, "run", &[7]).unwrap(), 7);
}

#[test]
fn an_extern_ref_comes_back_as_the_number_it_was() {
    let (_registry, plugin) = plain("externref");
    let one = |function: &str, args: &[WasmValue]| plugin.call(function, args).unwrap()[0];
    for number in [1, 2, u64::from(u32::MAX) + 1, u64::MAX] {
        assert_eq!(one("identity", &[ExternRef(number)]), ExternRef(number));
    }
    plugin.call("store", &[I32(3), ExternRef(77)]).unwrap();
    assert_eq!(one("load", &[I32(3)]), ExternRef(77));
    assert_eq!(one("last", &[]), ExternRef(77));
    let swapped = plugin.call("swap", &[ExternRef(5), I32(6), ExternRef(7)]).unwrap();
    assert_eq!(*swapped, [ExternRef(7), I32(6), ExternRef(5)]);
}

#[test]
fn the_extern_ref_0_is_null() {
    let (_registry, plugin) = plain("externref");
    assert_eq!(*plugin.call("null", &[]).unwrap(), [ExternRef(0)]);
    assert_eq!(*plugin.call("is_null", &[ExternRef(0)]).unwrap(), [I32(1)]);
    assert_eq!(*plugin.call("is_null", &[ExternRef(1)]).unwrap(), [I32(0)]);
}

#[test]
fn a_sandbox_holds_64_different_extern_refs_and_no_more() {
    let config = WasmInstanceConfig { max_instances: 1, ..WasmInstanceConfig::default() };
    let (_registry, plugin) = load(&fixture("externref"), config);
    for _ in 0..100 {
        for number in 0..=64 {
            plugin.call("identity", &[ExternRef(number)]).unwrap();
        }
    }
    plugin.call("store", &[I32(0), ExternRef(64)]).unwrap();
    let error = plugin.call("identity", &[ExternRef(65)]).unwrap_err();
    assert_error(&error, ErrorKind::LimitExceeded, &["`identity`", "64"]);
    // Nothing is lost by that.
    assert_eq!(*plugin.call("load", &[I32(0)]).unwrap(), [ExternRef(64)]);
    assert_eq!(*plugin.call("identity", &[ExternRef(1)]).unwrap(), [ExternRef(1)]);
}
