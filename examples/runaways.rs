//! Guests that never end, in every way we know, and how late each is stopped.
//!
//! Each has far more fuel than time: what stops it is the deadline, which is noticed without a timer
//! and without a second thread. Meanwhile another tenant's plugin is called from another thread, and
//! always answers.
//!
//! `cargo run --release --example runaways -- 1000` stops a thousand of them, at 10 and at 100 ms.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};
use wasm_runtime::{
    Distance, EmbeddedHost, Error, ErrorKind, Grant, HostCall, HostCost, HostError,
    HostFunctionTable, Progress, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry,
    WasmValue,
};

/// `epoch_interval_ms`: within this time a deadline is to be noticed.
const INTERVAL_MS: f64 = 10.0;

/// What the fixtures do not do.
const RUNAWAYS: &str = r#"(module
  (import "env" "slow" (func $slow))
  (import "soch_v1" "call_plugin"
    (func $call_plugin (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "soch_v1" "vector_search"
    (func $vector_search (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "soch_v1" "soch_scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 200)
  (data (i32.const 0) "calleequickendlessrows")
  (func (export "slow") (loop $again (call $slow) (br $again)))
  (func (export "fill")
    (loop $again
      (memory.fill (i32.const 65536) (i32.const 7) (i32.const 13000000))
      (br $again)))
  (func $deep (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 0))))
  (func (export "recursion") (loop $again (drop (call $deep (i32.const 500))) (br $again)))
  (func $ask (param $name i32) (param $len i32)
    (drop (call $call_plugin (i32.const 0) (i32.const 6) (local.get $name) (local.get $len)
      (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 64))))
  (func (export "calls") (loop $again (call $ask (i32.const 6) (i32.const 5)) (br $again)))
  (func (export "endless_callee")
    (loop $again (call $ask (i32.const 11) (i32.const 7)) (br $again)))
  (func (export "search")
    (loop $again
      (drop (call $vector_search (i32.const 18) (i32.const 4) (i32.const 2048) (i32.const 128)
        (i32.const 10) (i32.const 4096) (i32.const 1024)))
      (br $again)))
  (func (export "scan")
    (loop $again
      (drop (call $scan (i32.const 18) (i32.const 4) (i32.const 0) (i32.const 0)
        (i32.const -1) (i32.const 65536) (i32.const 8000000)))
      (br $again))))"#;

const CALLEE: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "quick") (param i32 i32) (result i64) (i64.const 0))
  (func (export "endless") (param i32 i32) (result i64) (loop $again (br $again)) (unreachable)))"#;

/// What is run: a name, a module, a function, and its argument.
const KINDS: [(&str, &str, &str, Option<i32>); 14] = [
    ("a loop", "endless_loop", "run", None),
    ("a loop, piece by piece", "endless_loop", "run", None),
    ("calls of the host: a log line", "endless_host_loop", "log", None),
    ("calls of the host: a metric", "endless_host_loop", "metrics", None),
    ("calls of the host: 1 ms each", "runaways", "slow", None),
    ("memory.fill of 13 MB", "runaways", "fill", None),
    ("memory.grow by nothing", "memory_grower", "grow_zero", Some(-1)),
    ("table.grow by nothing", "table_grower", "grow_zero", Some(-1)),
    ("recursion", "runaways", "recursion", None),
    ("a start function", "endless_start", "", None),
    ("calls of another plugin", "runaways", "calls", None),
    ("another plugin's loop", "runaways", "endless_callee", None),
    ("vector_search in 20,000 vectors", "runaways", "search", None),
    ("soch_scan of 20,000 rows", "runaways", "scan", None),
];

fn config(timeout_ms: u64) -> WasmInstanceConfig {
    WasmInstanceConfig {
        capabilities: WasmPluginCapabilities {
            can_read_table: vec!["*".into()],
            can_vector_search: true,
            can_call_plugin: vec!["*".into()],
            memory_limit_bytes: 64 << 20,
            fuel_limit: u64::MAX / 2,
            timeout_ms,
            ..WasmPluginCapabilities::default()
        },
        ..WasmInstanceConfig::default()
    }
}

fn wasm(module: &str) -> Vec<u8> {
    match module {
        "runaways" => wat::parse_str(RUNAWAYS).unwrap(),
        _ => std::fs::read(format!("fixtures/wasm/misbehaving/{module}.wasm")).unwrap(),
    }
}

fn registry() -> Result<WasmPluginRegistry, Error> {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let slow = |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
        thread::sleep(Duration::from_millis(1));
        Ok(())
    };
    table.define("env", "slow", Grant::Always, HostCost::default(), slow)?;
    let registry = WasmPluginRegistry::builder().functions(table).build()?;
    let host = registry.host();
    host.create_collection("default", "rows", "rows", 128, Distance::Cosine)?;
    for id in 0..20_000_u64 {
        host.put("default", "rows", &id.to_be_bytes(), &[7; 200])?;
        let vector: Vec<f32> = (0..128).map(|at| ((id + at) % 17) as f32 - 8.0).collect();
        host.insert_vector("default", "rows", id, &vector)?;
    }
    let mut honest = config(0);
    honest.tenant = "honest".into();
    registry.load_from_file("honest", "fixtures/wasm/kernels.wasm", honest)?;
    Ok(registry)
}

/// Lets a guest run away once; returns how late it was stopped, in milliseconds.
fn run_away(
    registry: &WasmPluginRegistry,
    (name, module, function, argument): (&str, &str, &str, Option<i32>),
    timeout_ms: u64,
) -> Result<f64, Error> {
    let wasm = wasm(module);
    registry.load("callee", &wat::parse_str(CALLEE).unwrap(), config(timeout_ms))?;
    let late = |began: Instant| began.elapsed().as_secs_f64() * 1e3 - timeout_ms as f64;
    let args: Vec<_> = argument.into_iter().map(WasmValue::I32).collect();
    let mut began = Instant::now();
    let loaded = registry.load(module, &wasm, config(timeout_ms));
    let result = match (loaded, registry.get(module)) {
        (Ok(()), Some(plugin)) if name.ends_with("piece by piece") => {
            let mut call = plugin.start(function, &args)?;
            began = Instant::now();
            loop {
                match call.run(50_000) {
                    Ok(Progress::Running) => {}
                    ended => break ended.map(|_| ()),
                }
            }
        }
        (Ok(()), Some(plugin)) => {
            began = Instant::now();
            plugin.call(function, &args).map(|_| ())
        }
        (loaded, _) => loaded,
    };
    let late = late(began);
    let error = result.expect_err("it never ends by itself");
    assert_eq!(error.kind(), ErrorKind::Deadline, "{name}: {error}");
    let _ = registry.unload(module);
    registry.unload("callee")?;
    Ok(late)
}

fn main() -> Result<ExitCode, Error> {
    let runs: usize = std::env::args().nth(1).map_or(140, |runs| runs.parse().unwrap());
    let each = runs.div_ceil(2 * KINDS.len());
    let registry = registry()?;
    let (done, mut honest_calls) = (AtomicBool::new(false), 0_u64);
    let mut all = Vec::new();
    let mut mostly_late = Vec::new();
    thread::scope(|scope| {
        let honest = scope.spawn(|| {
            let plugin = registry.get("honest").unwrap();
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) {
                let answer = plugin.call("fib", &[WasmValue::I32(15)]).unwrap();
                assert_eq!(answer.first(), Some(&WasmValue::I32(610)));
                calls += 1;
            }
            calls
        });
        println!(
            "late by, in ms                      runs     least    median       99%      most"
        );
        for timeout_ms in [10, 100] {
            for kind in KINDS {
                let run = |_| run_away(&registry, kind, timeout_ms).unwrap();
                let mut late: Vec<f64> = (0..each).map(run).collect();
                late.sort_by(f64::total_cmp);
                let at = |share: f64| late.get((late.len() as f64 * share) as usize);
                let [least, median, most_of_all] =
                    [0.0, 0.5, 0.99].map(|share| at(share).or(late.last()).copied().unwrap());
                let most = late.last().unwrap();
                println!(
                    "{timeout_ms:>4} ms  {:<32} {each:>3} {least:>9.2} {median:>9.2} \
                     {most_of_all:>9.2} {most:>9.2}",
                    kind.0
                );
                if late.get(each / 2).is_some_and(|late| *late > INTERVAL_MS) {
                    mostly_late.push(kind.0);
                }
                all.append(&mut late);
            }
        }
        done.store(true, Ordering::Relaxed);
        honest_calls = honest.join().unwrap();
    });
    let over = all.iter().filter(|late| **late > INTERVAL_MS).count();
    println!(
        "\n{} guests stopped, {over} of them later than one interval of {INTERVAL_MS} ms; meanwhile \
         {honest_calls} calls of another tenant, all answered right",
        all.len(),
    );
    // On a machine that does something else for a moment, that moment is late too: what is late by
    // itself is so most of the time.
    println!("late most of the time: {mostly_late:?}");
    Ok(if mostly_late.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
