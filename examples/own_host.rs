//! An embedder's own host: a plugin adds up a table that is computed while it is read.
//!
//! `cargo run --release --example own_host`

use wasm_runtime::{
    Host, HostCall, HostError, LogLevel, LogMessage, Metric, Output, WasmInstanceConfig,
    WasmPluginCapabilities, WasmPluginRegistry,
};

/// One table, `squares`: the first thousand square numbers, keyed by their root.
struct Squares;

impl Host for Squares {
    fn scan(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        from: &[u8],
        limit: u32,
        out: &mut Output<'_>,
    ) -> Result<(), HostError> {
        if table != "squares" {
            return Err(HostError::NotFound);
        }
        let rows = (1..=1_000_u32).map(|root| (root.to_be_bytes(), root * root));
        for (key, square) in rows.filter(|(key, _)| &key[..] >= from).take(limit as usize) {
            // Charged to the call, and written straight into the guest's memory.
            if !out.push_record(call, &key, square.to_string().as_bytes())? {
                return if out.is_empty() { Err(HostError::LimitReached) } else { Ok(()) };
            }
        }
        Ok(())
    }

    fn emit_metric(&self, _: &mut HostCall<'_, Self>, m: &Metric<'_>) -> Result<(), HostError> {
        println!("metric {} = {}", m.name, m.value);
        Ok(())
    }

    fn log(
        &self,
        call: &mut HostCall<'_, Self>,
        level: LogLevel,
        message: LogMessage<'_>,
    ) -> Result<(), HostError> {
        println!("{level} {}: {message}", call.plugin());
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = WasmPluginRegistry::with_host(Squares);
    let wasm = include_bytes!("../fixtures/wasm/aggregate.wasm");
    let capabilities = WasmPluginCapabilities::read_only(vec!["squares".into()]);
    registry.load("sum", wasm, WasmInstanceConfig { capabilities, ..Default::default() })?;
    let plugin = registry.get("sum").ok_or("not loaded")?;
    let answer = plugin.call_bytes("sum", b"squares")?;
    let (n, sum) = (1_000_u64, |n: u64| n * (n + 1) * (2 * n + 1) / 6);
    let expected = format!("count={n} sum={} min=1 max={}", sum(n), n * n);
    println!("{}", String::from_utf8_lossy(&answer));
    assert_eq!(answer, expected.as_bytes());
    Ok(())
}
