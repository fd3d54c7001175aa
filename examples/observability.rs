//! A plugin that adds up what its host does: counters, a histogram, spans, log lines.
//!
//! `cargo run --release --example observability`

use wasm_runtime::{
    Extension, LogLevel, ObservabilityExtension, WasmInstanceConfig, WasmObservabilityPlugin,
    WasmPluginCapabilities, WasmPluginRegistry,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const REQUESTS: u64 = 10_000;

fn main() -> Result<()> {
    let registry = WasmPluginRegistry::new();
    let config = WasmInstanceConfig {
        capabilities: WasmPluginCapabilities::observability_only(),
        // One sandbox, so that one state sees all events.
        max_instances: 1,
        ..WasmInstanceConfig::default()
    };
    registry.load_from_file("metrics", "fixtures/wasm/metrics.wasm", config)?;
    let plugin = registry.get("metrics").ok_or("not loaded")?;
    let metrics = WasmObservabilityPlugin::new(plugin);
    let info = metrics.info();
    println!("{} {}: {}\n", info.name, info.version, info.description);

    serve(&metrics);

    let answer = metrics.plugin().call_bytes("snapshot", b"")?;
    let snapshot = String::from_utf8(answer)?;
    println!("{snapshot}");
    assert!(snapshot.contains("counter requests{status=200} 9900\n"));
    assert!(snapshot.contains("log debug=0 info=0 warn=0 error=100\n"));
    assert!(snapshot.contains("spans started=10000 ended=10000 open=0 events=100\n"));

    let histogram = snapshot.lines().find(|line| line.starts_with("histogram latency_ms"));
    assert_eq!(draw(histogram.ok_or("no histogram")?)?, REQUESTS);
    // Two spans, a counter and a measurement for each request; an event and a line for a failed one.
    assert_eq!(metrics.stats().delivered, 4 * REQUESTS + 2 * REQUESTS / 100);
    Ok(())
}

/// Stands for a program at work, which knows nothing of plugins.
fn serve(metrics: &dyn ObservabilityExtension) {
    let mut random = 1_u64;
    for request in 1..=REQUESTS {
        let span = metrics.span_start("request", None);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let uniform = (random >> 40) as f64 / (1_u64 << 24) as f64;
        metrics.histogram_observe("latency_ms", 0.05 / (1.000_01 - uniform), &[]);
        let failed = request.is_multiple_of(100);
        if failed {
            metrics.span_event(span, "failed", &[("reason", "no such row")]);
            metrics.log(LogLevel::Error, "request failed", &[("reason", "no such row")]);
        }
        let status = if failed { "404" } else { "200" };
        metrics.counter_inc("requests", 1, &[("status", status)]);
        metrics.span_end(span);
    }
}

/// Draws the buckets, each `bound:count`, and returns how many values there are in all.
fn draw(histogram: &str) -> Result<u64> {
    let mut total = 0;
    for (bound, count) in histogram.split(' ').filter_map(|word| word.split_once(':')) {
        let count: u64 = count.parse()?;
        let bar = "#".repeat(usize::try_from(count.div_ceil(200))?);
        println!("up to {bound:>5} ms {count:>6} {bar}");
        total += count;
    }
    Ok(total)
}
