//! A plugin that fails again and again: it is left alone for a while, tried again, and works in the
//! end. Its callers get a value that they named, at once; the host hears what happens.
//!
//! `cargo run --release --example quarantine`

use std::{thread, time::Duration};
use wasm_runtime::{
    AuditDecision, ErrorKind, Host, PluginEvent, QuarantineEnd, QuarantinePolicy,
    WasmInstanceConfig, WasmPluginRegistry, WasmPluginState, WasmValue,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A plugin that prices an order, and divides by the number of items.
const PRICES: &str = r#"(module
    (func (export "price_of_one") (param $total i32) (param $items i32) (result i32)
        (i32.div_s (local.get $total) (local.get $items))))"#;

/// A host that says what it hears.
struct Shop;

impl Host for Shop {
    fn event(&self, event: &PluginEvent<'_>) {
        if event.decision != AuditDecision::Load {
            println!("  host: {:?} `{}`: {}", event.decision, event.plugin, event.resource);
        }
    }
}

fn main() -> Outcome {
    let registry = WasmPluginRegistry::with_host(Shop);
    let policy = QuarantinePolicy::after(3).backoff_ms(50, 1_000);
    let config = WasmInstanceConfig { quarantine: Some(policy), ..Default::default() };
    registry.load("prices", &wat::parse_str(PRICES)?, config)?;
    let plugin = registry.get("prices").ok_or("not loaded")?;
    let price = plugin.function::<(i32, i32), i32>("price_of_one")?;

    let ask = |items| price.call((100, items)).map_err(|error| error.kind());

    println!("Three orders of nothing:");
    for _ in 0..3 {
        assert_eq!(ask(0), Err(ErrorKind::Trap));
    }
    assert_eq!(plugin.state(), WasmPluginState::Trapped);

    println!("A good order, too early:");
    let error = price.call((100, 4)).err().ok_or("it was let in")?;
    println!("  {error}");
    assert_eq!(error.kind(), ErrorKind::Quarantined);
    assert_eq!(price.call_or((100, 4), -1)?, -1);
    let results = plugin.call_or("price_of_one", &[100, 4].map(WasmValue::I32), &[(-1).into()])?;
    assert_eq!(*results, [WasmValue::I32(-1)]);

    println!("After a while, an order of nothing is the trial, and then a good one:");
    wait(&plugin);
    assert_eq!(ask(0), Err(ErrorKind::Trap));
    wait(&plugin);
    assert_eq!(price.call_or((100, 4), -1)?, 25);
    assert_eq!((plugin.quarantine(), plugin.state()), (None, WasmPluginState::Ready));

    println!("Whoever knows better ends a quarantine by hand:");
    for _ in 0..3 {
        assert_eq!(ask(0), Err(ErrorKind::Trap));
    }
    assert!(plugin.revive());
    assert_eq!(ask(5), Ok(20));
    Ok(())
}

/// Until the next call is let in.
fn wait(plugin: &wasm_runtime::WasmPluginInstance<Shop>) {
    while let Some(QuarantineEnd::AfterMs(ms @ 1..)) = plugin.quarantine().map(|q| q.until) {
        thread::sleep(Duration::from_millis(ms));
    }
}
