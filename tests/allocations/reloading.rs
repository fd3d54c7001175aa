//! Reloading gives the memory of the old version back, at once or with the last who uses it.

use crate::{
    heap::{kept_bytes, live_bytes},
    support::{CALLS, assert_allocates_nothing, config, config_of_four, fixture, one_plugin, wat},
};
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};
use wasm_runtime::{ReloadOptions, WasmPluginRegistry, WasmValue};

/// A module that says which version it is, and has what takes memory.
fn version(number: usize) -> Vec<u8> {
    let data = "x".repeat(number % 100);
    wat(&format!(
        r#"(module
            (memory (export "memory") 1)
            (data (i32.const 0) "{data}")
            (func (export "version") (result i32) (i32.const {number})))"#
    ))
}

const RELOADS: usize = 1_000;

#[test]
fn a_thousand_different_versions_leave_the_heap_where_it_was() {
    let (registry, plugin) = one_plugin(&version(0));
    let function = plugin.function::<(), i32>("version").unwrap();
    let reload = |number: usize| {
        registry.reload("plugin", &version(number), config()).unwrap();
        assert_eq!(function.call(()).unwrap(), i32::try_from(number).unwrap());
    };
    // The history has its length then, and a version as large as the last is kept.
    (100..=200).for_each(reload);
    let (kept, ()) = kept_bytes(|| (201..=200 + RELOADS).for_each(reload));
    assert_eq!(kept, 0);
}

#[test]
fn asking_about_a_version_keeps_it_known_once() {
    let (registry, plugin) = one_plugin(&fixture("counter"));
    let wasm = [fixture("counter"), fixture("echo")];
    let reload = |number: usize| {
        registry.reload("plugin", &wasm[number % 2], config()).unwrap();
        assert!(plugin.functions().next().is_some());
        assert_ne!(*plugin.module_hash(), [0; 32]);
    };
    (0..40).for_each(&reload);
    let (kept, ()) = kept_bytes(|| (0..RELOADS).for_each(&reload));
    assert_eq!(kept, 0);
    let before = live_bytes();
    for number in 0..100 {
        registry.reload("plugin", &version(number), config()).unwrap();
        plugin.module_hash();
    }
    let each = (live_bytes() - before) / 100;
    println!("a version that was asked about is known with {each} bytes");
    assert!(each < 1_024, "{each} bytes");
}

#[test]
fn an_old_version_is_gone_with_the_last_who_uses_it() {
    let (registry, plugin) = one_plugin(&fixture("abi_probe"));
    let options = ReloadOptions { keep_previous: false, ..ReloadOptions::default() };
    let reload = |wasm: &[u8]| {
        registry.reload_with("plugin", wasm, config(), &options).unwrap();
    };
    for _ in 0..20 {
        reload(&fixture("abi_probe"));
    }
    let large = live_bytes();
    let mut lease = plugin.lease_owned().unwrap();
    reload(&version(1));
    assert_eq!(*lease.call("peek", &[0.into()]).unwrap(), [WasmValue::I32(0)]);
    plugin.call("version", &[]).unwrap_err();
    let both = live_bytes();
    drop(lease);
    let small = live_bytes();
    assert!(both > large, "a page and the code of both");
    assert!(both - small > 65_536, "the old page, with the code");
    assert_eq!(*plugin.call("version", &[]).unwrap(), [WasmValue::I32(1)]);
    reload(&fixture("abi_probe"));
    registry.unload("plugin").unwrap();
    assert!(live_bytes() < small, "nothing but a handle");
}

#[test]
fn an_unloaded_plugin_keeps_no_version_for_a_rollback() {
    let (registry, plugin) = one_plugin(&fixture("abi_probe"));
    registry.reload("plugin", &fixture("abi_probe"), config()).unwrap();
    assert_eq!(plugin.history().len(), 2);
    registry.unload("plugin").unwrap();
    assert!(plugin.history().is_empty());
    let before = live_bytes();
    drop(plugin);
    let handle = before - live_bytes();
    assert!(handle < 8 << 10, "{handle} bytes");
}

#[test]
fn calls_allocate_nothing_once_a_new_version_is_warm() {
    let (registry, plugin) = one_plugin(&fixture("counter"));
    let add = plugin.function::<i32, i32>("add").unwrap();
    for _ in 0..3 {
        registry.reload("plugin", &fixture("counter"), config()).unwrap();
        assert_allocates_nothing("typed", || assert!(add.call(1).is_ok()));
        assert_allocates_nothing("by name", || drop(registry.call("plugin", "increment", &[])));
        assert!(plugin.stats().total_calls >= u64::try_from(CALLS).unwrap());
    }
}

#[test]
fn reloads_under_load_from_four_threads_leave_the_heap_where_it_was() {
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", &version(7), config_of_four()).unwrap();
    let function = registry.get("plugin").unwrap().function::<(), i32>("version").unwrap();
    let calm = || {
        // The history has its length, one version is called and one kept, each slot has a sandbox.
        for _ in 0..16 {
            registry.reload("plugin", &version(7), config_of_four()).unwrap();
        }
        drop((0..4).map(|_| function.plugin().lease().unwrap()).collect::<Vec<_>>());
    };
    let kept = |reloads: usize| {
        calm();
        let (before, latest, is_over) = (live_bytes(), AtomicUsize::new(7), AtomicBool::new(false));
        let in_threads: i64 = thread::scope(|scope| {
            let call = || {
                let before = live_bytes();
                while !is_over.load(Ordering::Relaxed) {
                    let oldest = latest.load(Ordering::Acquire);
                    let answer = function.call(()).unwrap();
                    assert!(usize::try_from(answer).unwrap() >= oldest);
                }
                live_bytes() - before
            };
            let callers: Vec<_> = (0..4).map(|_| scope.spawn(call)).collect();
            for number in 0..reloads {
                let number = 7 + 100 * number;
                registry.reload("plugin", &version(number), config_of_four()).unwrap();
                latest.store(number, Ordering::Release);
            }
            is_over.store(true, Ordering::Relaxed);
            callers.into_iter().map(|caller| caller.join().unwrap()).sum()
        });
        calm();
        in_threads + live_bytes() - before
    };
    // What the threads themselves leave to be freed elsewhere.
    let of_threads = kept(0);
    assert_eq!(kept(RELOADS) - of_threads, 0, "bytes");
}

#[test]
fn being_watched_keeps_nothing_of_old_versions() {
    let (registry, plugin) = one_plugin(&version(0));
    let mut page = String::with_capacity(1 << 16);
    let mut reload = |number: usize| {
        registry.reload("plugin", &version(number), config()).unwrap();
        page.clear();
        registry.render_prometheus(&mut page).unwrap();
        assert!(format!("{plugin:?} {:?} {:?}", plugin.state(), plugin.latency()).len() > 10);
    };
    (100..=200).for_each(&mut reload);
    let (kept, ()) = kept_bytes(|| (201..=400).for_each(&mut reload));
    assert_eq!(kept, 0);
}
