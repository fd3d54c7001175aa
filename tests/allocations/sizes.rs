//! How much heap a plugin takes, item by item: the figures of the README.
//!
//! Printed by `cargo test --test allocations sizes -- --nocapture`.

use crate::{
    heap::kept_bytes,
    support::{config_of_four, fixture, load},
};
use std::sync::Arc;
use wasm_runtime::{AuditLevel, WasmPluginInstance, WasmPluginRegistry};

const PAGE: i64 = 65_536;

/// What a plugin takes, in bytes.
struct Sizes {
    module: usize,
    code: i64,
    sandbox: i64,
    stack: i64,
    further: i64,
}

fn sizes(name: &str, call: &dyn Fn(&Arc<WasmPluginInstance>)) -> Sizes {
    let wasm = fixture(name);
    WasmPluginInstance::new("warm-up", &wasm, config_of_four()).unwrap().init().unwrap();
    let (code, plugin) = kept_bytes(|| {
        Arc::new(WasmPluginInstance::new("plugin", &wasm, config_of_four()).unwrap())
    });
    let (sandbox, ()) = kept_bytes(|| plugin.init().unwrap());
    let (stack, ()) = kept_bytes(|| call(&plugin));
    let (further, lease) = kept_bytes(|| {
        let first = plugin.lease().unwrap();
        let second = plugin.lease().unwrap();
        (first, second)
    });
    drop(lease);
    Sizes { module: wasm.len(), code, sandbox, stack, further }
}

#[test]
fn an_idle_plugin_of_one_page_costs_little_more_than_its_page() {
    let print = |name: &str, sizes: &Sizes| {
        let Sizes { module, code, sandbox, stack, further } = sizes;
        println!("{name}, a module of {module} bytes:");
        println!(
            "  loaded, no sandbox   {code:>8}  (code, imports, names, configuration, 4 slots)"
        );
        println!("  the first sandbox    {sandbox:>8}  ({} besides its memory)", sandbox % PAGE);
        println!("  its first call       {stack:>8}  (the value stack, the resolved function)");
        println!("  each further sandbox {further:>8}");
    };
    let counter = sizes("counter", &|plugin| {
        plugin.function::<(), i32>("increment").unwrap().call(()).unwrap();
    });
    print("counter", &counter);
    let probe = sizes("abi_probe", &|plugin| {
        plugin.function::<i32, i32>("peek").unwrap().call(0).unwrap();
    });
    print("abi_probe", &probe);
    for (sizes, pages) in [(&counter, 1), (&probe, 2)] {
        assert!(sizes.code < 64 << 10, "{} bytes loaded", sizes.code);
        assert!(sizes.stack < 4 << 10, "{} bytes of the first call", sizes.stack);
        for sandbox in [sizes.sandbox, sizes.further] {
            let besides = sandbox - pages * PAGE;
            assert!((1..14 << 10).contains(&besides), "{besides} bytes besides the memory");
        }
    }
    let idle = counter.code + counter.sandbox + counter.stack;
    println!("counter, loaded and called once: {idle} bytes in all");
    assert!(idle < PAGE + (32 << 10), "{idle} bytes");
}

#[test]
fn an_empty_registry_is_small() {
    drop(WasmPluginRegistry::new());
    let quiet = || WasmPluginRegistry::builder().audit(AuditLevel::Off).build().unwrap();
    let (bare, _) = kept_bytes(quiet);
    println!("an empty registry without an audit ring: {bare} bytes");
    assert!(bare < 4 << 10, "{bare} bytes");
    let (empty, registry) = kept_bytes(WasmPluginRegistry::new);
    let (first, _) =
        kept_bytes(|| drop(load(&registry, "plugin", &fixture("counter"), config_of_four())));
    println!("an empty registry: {empty} bytes; with `counter` loaded {first} more");
    assert!(empty < 16 << 10, "{empty} bytes");
    assert!(first < PAGE + (32 << 10), "{first} bytes");
}
