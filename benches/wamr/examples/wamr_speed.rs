//! Rough speeds, to see that this is the fast build: `cargo run --release --example wamr_speed`.

use std::time::Instant;

use peer_wamr::{COMPILER, Instance};

const TURNS: i32 = 10_000_000;

const MODULE: &str = r#"(module
    (import "env" "next" (func $next (param i32) (result i32)))
    (func (export "sum") (param $n i32) (result i64) (local $sum i64)
        (loop $turn
            (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $n))))
            (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "host") (param $n i32) (result i32) (local $count i32)
        (loop $turn
            (local.set $count (call $next (local.get $count)))
            (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $count))
    (func $fib (export "fib") (param $n i32) (result i32)
        (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
            (then (local.get $n))
            (else (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1)))
                           (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
    (memory 1)
    (func (export "memory") (param $n i32) (result i32) (local $sum i32)
        (loop $turn
            (i32.store (i32.and (local.get $n) (i32.const 0xfffc)) (local.get $sum))
            (local.set $sum (i32.add (local.get $sum)
                (i32.load offset=4 (i32.and (local.get $n) (i32.const 0xff00)))))
            (br_if $turn (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func (export "empty")))"#;

fn main() -> Result<(), String> {
    println!("{COMPILER}");
    let wasm = wat::parse_str(MODULE).map_err(|e| e.to_string())?;
    let mut instance = Instance::new(&wasm, 1 << 20)?;
    let empty = instance.function("empty")?;
    time("call of an empty function", 1_000_000, || {
        (0..1_000_000).try_for_each(|_| instance.call_void(&empty))
    })?;
    let sum = instance.function("sum")?;
    time("turn of an adding loop", TURNS, || instance.call_i32_i64(&sum, TURNS).map(drop))?;
    let host = instance.function("host")?;
    time("turn of a host call loop", TURNS, || instance.call_i32_i32(&host, TURNS).map(drop))?;
    let memory = instance.function("memory")?;
    time("turn of a memory loop", TURNS, || instance.call_i32_i32(&memory, TURNS).map(drop))?;
    let fib = instance.function("fib")?;
    time("call in fib(30)", 1_346_269 * 2, || instance.call_i32_i32(&fib, 30).map(drop))
}

/// Prints the least of five times.
fn time(what: &str, turns: i32, mut run: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{what}: {:.2} ns", best * 1e9 / f64::from(turns));
    Ok(())
}
