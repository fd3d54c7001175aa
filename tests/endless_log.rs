//! A guest that logs without end. A logger is a process's, so this test has a binary of its own.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "allocations/heap.rs"]
mod heap;

use heap::live_bytes;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};
use wasm_runtime::{ErrorKind, WasmInstanceConfig, WasmPluginRegistry, WasmValue};

/// How many lines of the guest came.
static LINES: AtomicU64 = AtomicU64::new(0);

/// Formats each line and keeps none.
struct Reader;

/// Counts the bytes written to it.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

impl Log for Reader {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut length = Length(0);
        fmt::Write::write_fmt(&mut length, *record.args()).unwrap();
        if record.level() == Level::Error && length.0 == "logger/plugin: once more".len() {
            LINES.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

#[test]
fn logging_without_end_ends_with_the_fuel_and_leaves_memory_where_it_was() {
    log::set_logger(&Reader).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wasm/misbehaving/metric_flood.wasm");
    let mut config = WasmInstanceConfig { tenant: "logger".into(), ..Default::default() };
    config.capabilities.fuel_limit = 10_000_000;
    config.capabilities.timeout_ms = 0;
    let registry = WasmPluginRegistry::new();
    registry.load_from_file("plugin", file, config).unwrap();
    let plugin = registry.get("plugin").unwrap();
    let round = || {
        let before = (LINES.load(Ordering::Relaxed), plugin.stats().total_fuel_consumed);
        let error = plugin.call("log_without_end", &[]).unwrap_err();
        assert_eq!((error.kind(), error.last_log()), (ErrorKind::OutOfFuel, "once more"));
        // A fresh sandbox, as warm as the one before.
        plugin.call("flood", &[WasmValue::I32(0)]).unwrap();
        let lines = LINES.load(Ordering::Relaxed) - before.0;
        let fuel = plugin.stats().total_fuel_consumed - before.1;
        assert!(lines > 50_000, "{lines} lines");
        assert!(lines * 120 <= fuel && fuel <= 10_001_000, "{fuel} fuel for {lines} lines");
    };
    round();
    let before = live_bytes();
    (0..3).for_each(|_| round());
    assert_eq!(live_bytes() - before, 0);
}
