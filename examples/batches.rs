//! A function that is called for every row: in batches, which costs a fraction of calls one by one.
//!
//! `cargo run --release --example batches`

use std::time::Instant;
use wasm_runtime::{ErrorKind, PluginFunction, WasmInstanceConfig, WasmPluginRegistry};

/// Quotient and remainder of two numbers.
type Divide = PluginFunction<(i32, i32), (i32, i32)>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = WasmPluginRegistry::new();
    let wasm = include_bytes!("../fixtures/wasm/multi_value.wasm");
    registry.load("plugin", wasm, WasmInstanceConfig::default())?;
    let divide: Divide = registry.get("plugin").ok_or("not loaded")?.function("divide")?;

    println!("A hundred thousand rows, one by one and at once:");
    let mut rows: Vec<(i32, i32)> = (0..100_000).map(|n| (n * 17, n % 100 + 1)).collect();
    let mut results = vec![(0, 0); rows.len()];
    let began = Instant::now();
    for (row, result) in rows.iter().zip(&mut results) {
        *result = divide.call(*row)?;
    }
    let one_by_one = began.elapsed();
    let mut at_once = vec![(0, 0); rows.len()];
    let began = Instant::now();
    divide.call_many(&rows, &mut at_once)?;
    println!("  {one_by_one:.1?} and {:.1?}", began.elapsed());
    assert_eq!(at_once, results);
    assert_eq!(at_once.last(), Some(&(99_999 * 17 / 100, 99_999 * 17 % 100)));

    println!("A row that fails does not take those before it with it:");
    rows.truncate(1_000);
    *rows.get_mut(700).ok_or("no such row")? = (1, 0);
    let mut results = vec![(0, 0); rows.len()];
    let error = divide.call_many(&rows, &mut results).err().ok_or("nothing failed")?;
    println!("  {error}");
    assert_eq!((error.index(), error.error().kind()), (700, ErrorKind::Trap));
    assert!(results.iter().take(700).eq(at_once.iter().take(700)));

    println!("Those behind it did not run, and can still:");
    let (_, rows) = rows.split_at(701);
    let (_, results) = results.split_at_mut(701);
    divide.call_many(rows, results)?;
    assert!(results.iter().eq(at_once.iter().take(1_000).skip(701)));
    let calls = divide.plugin().stats().total_calls;
    println!("  {calls} calls in all");
    assert_eq!(calls, 100_000 + 100_000 + 701 + 299);
    Ok(())
}
