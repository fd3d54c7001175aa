//! An embedder's own host, and its own functions.

use crate::support::{
    Arguments, CALLS, assert_allocates_nothing, assert_host_function_allocates_nothing, config,
    fixture, flat, load, wat,
};
use wasm_runtime::{
    EmbeddedHost, Grant, Host, HostCall, HostCost, HostError, HostFunctionTable, Output,
    PluginFunction, ValueType, WasmInstanceConfig, WasmPluginRegistry, WasmValue,
};

/// A host that has nothing.
struct Bare;

impl Host for Bare {}

#[test]
fn a_host_that_has_nothing_answers_so_without_allocating() {
    let registry = WasmPluginRegistry::with_host(Bare);
    let plugin = load(&registry, "probe", &fixture("abi_probe"), config());
    let mut guest = Arguments::new(&plugin);
    let (name, key) = (guest.put(b"open"), guest.put(b"key"));
    let out = guest.room(64);
    let case = |function, parts: &[&[i32]], status| {
        assert_host_function_allocates_nothing(&plugin, function, &flat(parts), status);
    };
    case("soch_read", &[&name, &key, &out], -6);
    case("soch_scan", &[&name, &key, &[1], &out], -6);
    case("soch_write", &[&name, &key, &key], -6);
    case("soch_delete", &[&name, &key], -6);
    case("log_message", &[&[0], &name], -6);
    case("get_config", &[&name, &out], -2);
    let mut metric = flat(&[&[0], &name]);
    metric.push(WasmValue::F64(1.0));
    metric.extend(flat(&[&[0, 0]]));
    assert_host_function_allocates_nothing(&plugin, "emit_metric", &metric, -6);
}

#[test]
fn an_untyped_function_of_two_numbers_or_eight_pointers_allocates_nothing() {
    use ValueType::{F64, I32, I64};
    for params in [&[][..], &[I64], &[F64, I32], &[I32; 4], &[I32; 8]] {
        let mut table = HostFunctionTable::<EmbeddedHost>::new();
        let signature = (params, Some(I32));
        let answer = |_: &mut HostCall<'_, EmbeddedHost>, args: &[WasmValue]| {
            Ok(Some(WasmValue::I32(args.len() as i32)))
        };
        let cost = HostCost::default();
        table.define_untyped("env", "f", Grant::Always, cost, signature, answer).unwrap();
        let types: String = params.iter().map(|ty| format!("{ty} ")).collect();
        let zeros: String = params.iter().map(|ty| format!("({ty}.const 0)")).collect();
        let module = wat(&format!(
            r#"(module (import "env" "f" (func $f (param {types}) (result i32)))
              (func (export "run") (result i32) (call $f {zeros})))"#
        ));
        let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
        let plugin = load(&registry, "plugin", &module, config());
        let run: PluginFunction<(), i32> = plugin.function("run").unwrap();
        assert_allocates_nothing(&types, || {
            assert_eq!(run.call(()).unwrap(), params.len() as i32);
        });
    }
}

/// A host that has nothing but what an in-memory host within it has, and a log of its own.
#[derive(Default)]
struct Within(EmbeddedHost);

impl Host for Within {
    fn embedded(&self) -> Option<&EmbeddedHost> {
        Some(&self.0)
    }

    fn log(
        &self,
        _: &mut HostCall<'_, Self>,
        _: wasm_runtime::LogLevel,
        _: wasm_runtime::LogMessage<'_>,
    ) -> Result<(), HostError> {
        Err(HostError::LimitReached)
    }
}

#[test]
fn a_host_within_a_host_answers_what_the_outer_one_does_not_and_allocates_nothing() {
    let registry = WasmPluginRegistry::with_host(Within::default());
    registry.host().0.put("default", "open", b"key", b"value").unwrap();
    let plugin = load(&registry, "probe", &fixture("abi_probe"), config());
    let mut guest = Arguments::new(&plugin);
    let (table, key, out) = (guest.put(b"open"), guest.put(b"key"), guest.room(64));
    let case = |function, parts: &[&[i32]], status| {
        assert_host_function_allocates_nothing(&plugin, function, &flat(parts), status);
    };
    case("soch_read", &[&table, &key, &out], 5);
    case("soch_write", &[&table, &key, &key], 1);
    case("soch_read", &[&table, &key, &out], 3);
    case("log_message", &[&[0], &key], -5);
}

/// A host that generates what it is asked for, and fails where a table is called so.
struct Generated;

impl Host for Generated {
    fn read(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        match table {
            "open_failing" => Err(HostError::Failed),
            _ => out.write_value(call, key),
        }
    }
}

#[test]
fn a_host_of_the_embedder_s_own_costs_no_allocation_either() {
    let registry = WasmPluginRegistry::with_host(Generated);
    let plugin = load(&registry, "probe", &fixture("abi_probe"), config());
    let mut guest = Arguments::new(&plugin);
    let (table, failing) = (guest.put(b"open"), guest.put(b"open_failing"));
    let (key, out) = (guest.put(b"key"), guest.room(64));
    let case = |parts: &[&[i32]], status| {
        assert_host_function_allocates_nothing(&plugin, "soch_read", &flat(parts), status);
    };
    case(&[&table, &key, &out], 3);
    case(&[&failing, &key, &out], -4);
}

#[test]
fn a_function_of_the_embedder_s_own_allocates_nothing_whatever_it_answers() {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    type Call<'a, 'b> = &'a mut HostCall<'b, EmbeddedHost>;
    let cost = HostCost::default();
    table
        .define(
            "env",
            "eight",
            Grant::Always,
            cost,
            |call: Call<'_, '_>, a: i32, b: u32, c: i64, d: u64, e: f32, f: f64, g: i32, h: i32| {
                let len = call.bytes(g, h)?.len();
                Ok(a + b as i32 + c as i32 + d as i32 + e as i32 + f as i32 + len as i32)
            },
        )
        .unwrap();
    table
        .define("env", "fail", Grant::Always, cost, |_: Call<'_, '_>, n: i32| match n {
            -2 => Err::<i32, _>(HostError::NotFound),
            -3 => Err(HostError::InvalidArguments),
            -5 => Err(HostError::LimitReached),
            _ => Err(HostError::NotSupported),
        })
        .unwrap();
    table
        .define("env", "guarded", Grant::Custom("guarded"), cost, |_: Call<'_, '_>| Ok(1_i32))
        .unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let module = wat(r#"(module
        (import "env" "eight"
            (func $eight (param i32 i32 i64 i64 f32 f64 i32 i32) (result i32)))
        (import "env" "fail" (func $fail (param i32) (result i32)))
        (import "env" "guarded" (func $guarded (result i32)))
        (memory (export "memory") 1)
        (func $eight_once (result i32)
            (call $eight (i32.const 1) (i32.const 2) (i64.const 3) (i64.const 4) (f32.const 5)
                (f64.const 6) (i32.const 0) (i32.const 7)))
        (func (export "eight") (param $n i32) (result i32)
            (loop $again
                (drop (call $eight_once))
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (call $eight_once))
        (func (export "fail") (param i32) (result i32) (call $fail (local.get 0)))
        (func (export "guarded") (param i32) (result i32) (call $guarded)))"#);
    let plugin = load(&registry, "plugin", &module, config());
    let call = |function: &str, argument: i32, status: i32| {
        let function: PluginFunction<i32, i32> = plugin.function(function).unwrap();
        assert_allocates_nothing(&format!("{} answering {status}", function.name()), || {
            assert_eq!(function.call(argument).unwrap(), status);
        });
    };
    call("eight", 1, 28);
    for status in [-2, -3, -5, -6] {
        call("fail", status, status);
    }
    call("guarded", 0, -1);
    let eight: PluginFunction<i32, i32> = plugin.function("eight").unwrap();
    let count = crate::heap::allocations(|| assert_eq!(eight.call(CALLS).unwrap(), 28));
    assert_eq!(count, 0, "in one call");
    let granted = WasmInstanceConfig { custom_grants: vec!["guarded".into()], ..config() };
    let plugin = load(&registry, "granted", &module, granted);
    let guarded: PluginFunction<i32, i32> = plugin.function("guarded").unwrap();
    assert_allocates_nothing("guarded", || assert_eq!(guarded.call(0).unwrap(), 1));
}
