//! The same call from Rust and from C, in turns.
//!
//! `cargo bench -p c-api` prints the medians and how they compare; with `-- --test` each is only done once.

use c_api::{by_handle, by_name, bytes, c_plugin};
use std::{ffi::CStr, hint::black_box, time::Instant};
use wasm_runtime::{
    EmbeddedHost, Grant, HostCall, HostCost, HostError, HostFunctionTable, PluginFunction,
    WasmInstanceConfig, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

const ECHO: &[u8] = include_bytes!("../../../fixtures/wasm/echo.wasm");

/// `same` answers its argument; `many` calls the host function `next` so often.
const GUEST: &str = r#"(module
  (import "env" "next" (func $next (param i32) (result i32)))
  (func (export "same") (param i32) (result i32) (local.get 0))
  (func (export "many") (param i32) (result i32)
    (local $turn i32) (local $number i32)
    (loop $again
      (local.set $number (call $next (local.get $number)))
      (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $turn) (i32.const 1000))))
    (local.get $number)))"#;

/// Calls of one turn.
const CALLS: u64 = 2_000;
const TURNS: usize = 401;

fn main() {
    let turns = if std::env::args().any(|arg| arg == "--test") { 1 } else { TURNS };
    let guest = wat::parse_str(GUEST).unwrap();
    let rust = rust_plugin(&guest);
    println!("{:34} {:>9} {:>9} {:>6}", "median of a call, in ns", "Rust", "C", "C/Rust");

    let same: PluginFunction<i32, i32> = rust.function("same").unwrap();
    let (_, plugin, handle) = c_plugin(&guest, c"same");
    compare(
        "by handle, beside a typed handle",
        turns,
        CALLS,
        |calls| assert_eq!((0..calls).map(|_| same.call(black_box(1)).unwrap()).last(), Some(1)),
        |calls| assert_eq!(by_handle(handle, calls), 1),
    );
    let args = [WasmValue::I32(1)];
    compare(
        "by handle, beside values by name",
        turns,
        CALLS,
        |calls| {
            for _ in 0..calls {
                assert_eq!(rust.call("same", black_box(&args)).unwrap()[0], args[0]);
            }
        },
        |calls| assert_eq!(by_handle(handle, calls), 1),
    );
    compare(
        "by name",
        turns,
        CALLS,
        |calls| {
            for _ in 0..calls {
                assert_eq!(rust.call("same", black_box(&args)).unwrap()[0], args[0]);
            }
        },
        |calls| assert_eq!(by_name(plugin, c"same", calls), 1),
    );
    host_functions(turns, &rust, &guest);
    exchanges(turns);
}

/// A host function of one number, of which a guest calls a thousand.
fn host_functions(turns: usize, rust: &WasmPluginInstance, guest: &[u8]) {
    let (_, plugin, _) = c_plugin(guest, c"many");
    let many = |calls: u64| {
        let results = rust.call("many", &[WasmValue::I32(0)]).unwrap();
        assert_eq!((results[0], calls), (WasmValue::I32(1_000), 1_000));
    };
    compare("host function of one number", turns, 1_000, many, |_| {
        assert_eq!(by_name(plugin, c"many", 1), 1_000);
    });
}

/// 64 bytes to a guest and back.
fn exchanges(turns: usize) {
    let registry = WasmPluginRegistry::new();
    registry.load("echo", ECHO, WasmInstanceConfig::default()).unwrap();
    let rust = registry.get("echo").unwrap();
    let (_, plugin, _) = c_plugin(ECHO, c"echo");
    let (input, mut output, mut other) = ([7; 64], [0; 64], [0; 64]);
    let echo: &CStr = c"echo";
    compare(
        "64 bytes there and back",
        turns,
        CALLS,
        |calls| {
            for _ in 0..calls {
                assert_eq!(
                    rust.call_bytes_into("echo", black_box(&input), &mut output).unwrap(),
                    64
                );
            }
        },
        |calls| assert_eq!(bytes(plugin, echo, &input, &mut other, calls), 64),
    );
    assert_eq!((output, other), (input, input));
}

fn rust_plugin(guest: &[u8]) -> std::sync::Arc<WasmPluginInstance> {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let next = |_: &mut HostCall<'_, EmbeddedHost>, number: i32| -> Result<i32, HostError> {
        Ok(number + 1)
    };
    table.define("env", "next", Grant::Always, HostCost::default(), next).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    registry.load("plugin", guest, WasmInstanceConfig::default()).unwrap();
    registry.get("plugin").unwrap()
}

/// Times both in turns, so many `calls` each, and prints the medians.
fn compare(
    what: &str,
    turns: usize,
    calls: u64,
    mut rust: impl FnMut(u64),
    mut c: impl FnMut(u64),
) {
    let (mut of_rust, mut of_c) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        of_rust.push(timed(calls, &mut rust));
        of_c.push(timed(calls, &mut c));
    }
    let (rust, c) = (median(of_rust), median(of_c));
    println!("{what:34} {rust:9.1} {c:9.1} {:6.2}", c / rust);
}

fn timed(calls: u64, run: &mut impl FnMut(u64)) -> f64 {
    let began = Instant::now();
    run(calls);
    began.elapsed().as_secs_f64() * 1e9 / calls as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
