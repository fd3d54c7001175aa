//! What a host sees of its plugins: statistics, the audit ring, the report of a trap, a page for
//! Prometheus.
//!
//! `cargo run --release --example watching`

use std::iter;
use wasm_runtime::{
    AuditDecision, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry, WasmValue,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A plugin that logs a line, and divides by what it is given.
const DIVIDER: &str = r#"(module
    (import "soch_v1" "log_message" (func $log (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "about to divide")
    (func $math::divide (export "divide") (param i32) (result i32)
        (drop (call $log (i32.const 1) (i32.const 0) (i32.const 15)))
        (i32.div_u (i32.const 100) (local.get 0))))"#;

fn main() -> Outcome {
    let registry = WasmPluginRegistry::new();
    let of = |tenant: &str| WasmInstanceConfig { tenant: tenant.into(), ..Default::default() };
    registry.load("divider", &wat::parse_str(DIVIDER)?, of("school"))?;
    let spy = include_bytes!("../fixtures/wasm/misbehaving/forbidden_table.wasm");
    let write_only =
        WasmPluginCapabilities { can_write_table: vec!["notes".into()], ..Default::default() };
    registry.load("spy", spy, WasmInstanceConfig { capabilities: write_only, ..of("stranger") })?;

    for divisor in (1..=200).chain([0]) {
        if let Err(error) = registry.call("divider", "divide", &[WasmValue::I32(divisor)]) {
            println!("The call that failed:\n  {error}\n");
            let report = error.trap_report().ok_or("no report")?;
            println!("{report}\n");
            assert_eq!(report.debug_name.as_deref(), Some("math::divide"));
        }
    }
    registry.call("spy", "read", &[])?;

    println!("What was decided:");
    let records: Vec<_> = iter::from_fn(|| registry.audit().pop()).collect();
    records.iter().for_each(|record| println!("  {record}"));
    let denied = records.iter().filter(|record| record.decision() == AuditDecision::Denial);
    assert!(denied.clone().any(|record| (record.plugin(), record.resource()) == ("spy", "secret")));

    println!("\nHow long the calls took:");
    let divider = registry.get("divider").ok_or("not loaded")?;
    let latency = divider.latency().ok_or("no clock")?;
    for (count, bound) in latency.counts.iter().zip(wasm_runtime::LatencyHistogram::BOUNDS_US) {
        if *count > 0 {
            println!(
                "  up to {bound:>7} us  {count:>4} {}",
                "#".repeat(usize::try_from(count / 5)?)
            );
        }
    }
    assert_eq!(latency.count(), 201);

    println!("\nOf what Prometheus is told:");
    let mut page = String::new();
    registry.render_prometheus(&mut page)?;
    for line in
        page.lines().filter(|line| line.starts_with("wasm_plugin_") && line.contains("total{"))
    {
        println!("  {line}");
    }
    assert!(page.contains("kind=\"IntegerDivisionByZero\"} 1"));
    Ok(())
}
