//! A plugin may do what its configuration grants, and nothing else: denied first, then granted.
//!
//! `cargo run --release --example capabilities`

use wasm_runtime::{
    DenyPolicy, Error, ErrorKind, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry,
};

type Answer = Result<Vec<u8>, Error>;
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Adds up a table of numbers.
const AGGREGATE: &[u8] = include_bytes!("../fixtures/wasm/aggregate.wasm");

fn main() -> Outcome {
    let registry = WasmPluginRegistry::new();
    for (table, river, km) in [
        ("rivers_africa", "Nile", "6650"),
        ("rivers_africa", "Congo", "4700"),
        ("rivers_europe", "Volga", "3531"),
        ("salaries", "Ada", "120000"),
    ] {
        registry.host().put("default", table, river.as_bytes(), km.as_bytes())?;
    }

    println!("What the module asks for, seen before any of it runs:");
    print_report(&registry, &granting(&[]));

    println!("\nWithout a grant it is told -1, which this plugin passes on:");
    registry.load("nothing", AGGREGATE, granting(&[]))?;
    let error = sum(&registry, "nothing", "rivers_africa")?.err().ok_or("not denied")?;
    assert_eq!(error.guest_status(), Some(-1));

    println!("\nOr the first denied call ends it:");
    let strict = WasmInstanceConfig { on_denied: DenyPolicy::Trap, ..granting(&[]) };
    registry.load("strict", AGGREGATE, strict)?;
    let error = sum(&registry, "strict", "rivers_africa")?.err().ok_or("not denied")?;
    assert_eq!(error.kind(), ErrorKind::Denied);

    println!("\nWith a grant for one table:");
    registry.load("one", AGGREGATE, granting(&["rivers_africa"]))?;
    assert!(sum(&registry, "one", "rivers_africa")?.is_ok());
    assert!(sum(&registry, "one", "rivers_europe")?.is_err());

    println!("\nWith a grant for a prefix:");
    registry.load("prefix", AGGREGATE, granting(&["rivers_*"]))?;
    assert!(sum(&registry, "prefix", "rivers_africa")?.is_ok());
    assert!(sum(&registry, "prefix", "rivers_europe")?.is_ok());
    assert!(sum(&registry, "prefix", "salaries")?.is_err());
    Ok(())
}

fn granting(tables: &[&str]) -> WasmInstanceConfig {
    let can_read_table = tables.iter().map(ToString::to_string).collect();
    let capabilities = WasmPluginCapabilities { can_read_table, ..Default::default() };
    WasmInstanceConfig { capabilities, ..Default::default() }
}

/// Asks a plugin for the sum of a table, and prints what comes of it.
fn sum(registry: &WasmPluginRegistry, plugin: &str, table: &str) -> Outcome<Answer> {
    let answer = registry.get(plugin).ok_or("not loaded")?.call_bytes("sum", table.as_bytes());
    match &answer {
        Ok(totals) => println!("  {table}: {}", String::from_utf8_lossy(totals)),
        Err(error) => println!("  {table}: {error}"),
    }
    Ok(answer)
}

fn print_report(registry: &WasmPluginRegistry, config: &WasmInstanceConfig) {
    let report = registry.admit(AGGREGATE, config);
    println!("  {} bytes, memory up to {} KiB", report.module_bytes, report.max_memory_bytes >> 10);
    for import in &report.imports {
        let granted = if import.is_granted { "granted" } else { "not granted" };
        println!("  imports {} {}: {granted}", import.module, import.name);
    }
    let exports: Vec<_> = report.functions.iter().map(|function| function.name.as_str()).collect();
    println!("  exports {}", exports.join(", "));
    assert!(report.is_admitted());
}
