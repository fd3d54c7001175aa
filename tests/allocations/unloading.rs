//! Unloading gives the memory of a plugin back, at once or with the last who uses it.

use crate::{
    heap::live_bytes,
    support::{config, config_of_four, fixture, load, wat},
};
use std::sync::{Arc, OnceLock, Weak};
use wasm_runtime::{
    EmbeddedHost, ErrorKind, Grant, HostCall, HostCost, HostError, HostFunctionTable,
    WasmPluginRegistry, WasmPluginState, WasmValue,
};

/// A module that no other number gives: in its constants, its size and the number of its functions.
fn different_module(n: usize) -> Vec<u8> {
    let others: String =
        (0..n % 7).map(|k| format!("(func (export \"f{k}\") (nop) (nop))")).collect();
    let data = "x".repeat(n % 1_000);
    wat(&format!(
        r#"(module
            (memory (export "memory") 1)
            (data (i32.const 0) "{data}")
            (func (export "number") (result i32) (i32.const {n}))
            {others})"#
    ))
}

/// A committed module with a custom section that no other number gives.
fn different_fixture(name: &str, n: usize) -> Vec<u8> {
    let mut wasm = fixture(name);
    wasm.extend_from_slice(&[0, 9]);
    wasm.extend_from_slice(&[4, b's', b'a', b'l', b't']);
    wasm.extend_from_slice(&u32::try_from(n).unwrap().to_le_bytes());
    wasm
}

#[test]
fn a_thousand_different_modules_come_and_go_and_leave_nothing() {
    const MODULES: usize = 1_000;
    /// So many are loaded at any time.
    const AT_ONCE: usize = 8;
    let registry = WasmPluginRegistry::new();
    let mut hashes = std::collections::BTreeSet::new();
    let turn = |n: usize, seen: &mut dyn FnMut([u8; 32])| {
        let name = format!("plugin{n}");
        let wasm = match n % 10 {
            3 => different_fixture("counter", n),
            6 => different_fixture("abi_probe", n),
            _ => different_module(n),
        };
        let plugin = load(&registry, &name, &wasm, config());
        match n % 10 {
            3 => assert_eq!(*plugin.call("add", &[7.into()]).unwrap(), [WasmValue::I32(7)]),
            6 => assert_eq!(*plugin.call("peek", &[7.into()]).unwrap(), [WasmValue::I32(0)]),
            _ => assert_eq!(
                *plugin.call("number", &[]).unwrap(),
                [WasmValue::I32(i32::try_from(n).unwrap())]
            ),
        }
        seen(*plugin.module_hash());
        if let Some(gone) = n.checked_sub(AT_ONCE) {
            registry.unload(&format!("plugin{gone}")).unwrap_or(());
        }
    };
    // Warm-up: the registry's own tables reach their size.
    (0..100).for_each(|n| turn(n, &mut |_| ()));
    registry.shutdown_all();
    let before = live_bytes();
    (0..MODULES).for_each(|n| turn(n, &mut |hash| assert!(hashes.insert(hash))));
    assert_eq!((hashes.len(), registry.count()), (MODULES, AT_ONCE));
    let with_the_last = live_bytes() - before;
    hashes.clear();
    registry.shutdown_all();
    let left = live_bytes() - before;
    println!(
        "1,000 modules loaded and unloaded leave {left} bytes ({with_the_last} with the last 8)"
    );
    assert!(left.abs() <= 1 << 10, "{left} bytes left");
}

/// A registry whose tables have their size, and the bytes live now.
fn warm_registry() -> (WasmPluginRegistry, i64) {
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", &fixture("counter"), config()).unwrap();
    registry.unload("plugin").unwrap();
    (registry, live_bytes())
}

#[test]
fn a_plugin_nobody_uses_is_gone_at_once_when_unloaded() {
    let (registry, before) = warm_registry();
    registry.load("plugin", &fixture("counter"), config()).unwrap();
    assert!(live_bytes() - before > 65_536);
    registry.unload("plugin").unwrap();
    assert_eq!(live_bytes() - before, 0);
}

#[test]
fn a_plugin_unloaded_while_leased_is_gone_with_the_lease() {
    let (registry, before) = warm_registry();
    let plugin = load(&registry, "plugin", &fixture("counter"), config_of_four());
    let mut lease = plugin.lease_owned().unwrap();
    plugin.call("increment", &[]).unwrap();
    drop(plugin);
    let with_two_sandboxes = live_bytes() - before;
    registry.unload("plugin").unwrap();
    let with_the_leased_one = live_bytes() - before;
    assert!(with_two_sandboxes - with_the_leased_one > 65_536, "the idle sandbox goes at once");
    assert!(with_the_leased_one > 65_536);
    assert_eq!(*lease.call("increment", &[]).unwrap(), [WasmValue::I32(1)]);
    drop(lease);
    assert_eq!(live_bytes() - before, 0);
}

#[test]
fn a_handle_kept_after_unloading_keeps_neither_code_nor_sandboxes() {
    let wasm = fixture("abi_probe");
    let (registry, before) = warm_registry();
    let plugin = load(&registry, "plugin", &wasm, config_of_four());
    let leases: Vec<_> = (0..4).map(|_| plugin.lease().unwrap()).collect();
    drop(leases);
    let loaded = live_bytes() - before;
    registry.unload("plugin").unwrap();
    assert_eq!(plugin.state(), WasmPluginState::Unloaded);
    let error = plugin.call("peek", &[0.into()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unloaded);
    drop(error);
    let handle = live_bytes() - before;
    // Names, signatures, configuration, and the counts of four slots.
    assert!(handle < 8 << 10, "{handle} bytes");
    assert_eq!(plugin.stats().sandboxes_started, 4);
    drop(plugin);
    assert_eq!(live_bytes() - before, 0);
    // Not before: what a test prints is kept on the heap.
    println!("a handle on an unloaded plugin keeps {handle} bytes of {loaded}");
}

#[test]
fn a_lease_that_ends_after_unloading_leaves_a_kept_handle_without_its_sandbox() {
    let (registry, before) = warm_registry();
    let plugin = load(&registry, "plugin", &fixture("counter"), config());
    let lease = plugin.lease().unwrap();
    registry.unload("plugin").unwrap();
    assert_eq!(plugin.state(), WasmPluginState::Unloading);
    assert!(live_bytes() - before > 65_536);
    drop(lease);
    assert_eq!(plugin.state(), WasmPluginState::Unloaded);
    assert!(live_bytes() - before < 8 << 10);
    drop(plugin);
    assert_eq!(live_bytes() - before, 0);
}

#[test]
fn a_plugin_unloaded_from_within_its_own_call_is_gone_when_the_call_ends() {
    type Registry = WasmPluginRegistry<EmbeddedHost>;
    let registry: Arc<OnceLock<Weak<Registry>>> = Arc::default();
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let known = Arc::clone(&registry);
    let unload = move |call: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
        let registry = known.get().and_then(Weak::upgrade).ok_or(HostError::Failed)?;
        registry.unload(call.plugin()).map_err(|_| HostError::NotFound)
    };
    table.define("env", "unload", Grant::Always, HostCost::default(), unload).unwrap();
    let owner = Arc::new(WasmPluginRegistry::builder().functions(table).build().unwrap());
    registry.set(Arc::downgrade(&owner)).unwrap();
    let wasm = wat(r#"(module
        (import "env" "unload" (func $unload))
        (memory (export "memory") 1)
        (func (export "leave") (result i32)
            (call $unload)
            (i32.store (i32.const 0) (i32.const 42))
            (i32.load (i32.const 0))))"#);
    let round = || {
        owner.load("plugin", &wasm, config()).unwrap();
        assert_eq!(*owner.call("plugin", "leave", &[]).unwrap(), [WasmValue::I32(42)]);
        assert!(owner.get("plugin").is_none());
    };
    round();
    let before = live_bytes();
    round();
    assert_eq!(live_bytes() - before, 0);
}

#[test]
fn memory_that_a_plugin_grew_comes_back_too() {
    let (registry, before) = warm_registry();
    let plugin = load(&registry, "plugin", &fixture("misbehaving/memory_grower"), config());
    plugin.call("grow_all", &[]).unwrap();
    assert!(live_bytes() - before > 15 << 20);
    registry.unload("plugin").unwrap();
    drop(plugin);
    assert_eq!(live_bytes() - before, 0);
}
