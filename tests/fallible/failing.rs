//! Every allocation fails once.

use crate::{
    heap::{heap, narrowed, tell_refused, unlimited},
    support::{child, config, fixture},
};
use std::{cell::Cell, env};
use wasm_runtime::{WasmPluginRegistry, WasmValue};

thread_local! {
    static PHASE: Cell<&'static str> = const { Cell::new("") };
}

/// Loads, calls, grows and fails; each step may end in an error.
fn scenario() {
    let phase = |name| PHASE.set(name);
    phase("registry");
    let registry = WasmPluginRegistry::new();
    phase("load");
    for name in [
        "counter",
        "echo",
        "caller",
        "misbehaving/memory_grower",
        "misbehaving/table_grower",
        "misbehaving/deep_recursion",
        "misbehaving/traps",
        "text_transform",
        "start",
    ] {
        let _ = registry.load(name, &unlimited(|| fixture(name)), config());
    }
    phase("call");
    for _ in 0..2 {
        let _ = registry.call("counter", "add", &[WasmValue::I32(1)]);
    }
    phase("bytes");
    if let Some(echo) = registry.get("echo") {
        let _ = echo.call_bytes("echo", &[7; 1000]);
    }
    phase("host calls");
    if let Some(caller) = registry.get("caller") {
        let _ = caller.call_bytes("relay", b"echo\0echo\0hello");
    }
    phase("memory.grow");
    let _ = registry.call("misbehaving/memory_grower", "grow_by", &[WasmValue::I32(3)]);
    phase("table.grow");
    let _ = registry.call("misbehaving/table_grower", "grow_by", &[WasmValue::I32(300)]);
    phase("recursion");
    let _ = registry.call("misbehaving/deep_recursion", "depth", &[WasmValue::I32(900)]);
    phase("stack overflow");
    let _ = registry.call("misbehaving/deep_recursion", "endless", &[]);
    phase("trap");
    let _ = registry.call("misbehaving/traps", "unreachable", &[]);
    phase("unload");
    registry.shutdown_all();
}

#[test]
fn count() {
    let before = heap().asked;
    scenario();
    println!("{} allocations", heap().asked - before);
}

#[test]
fn child_from() {
    let Ok(n) = env::var("FROM") else { return };
    scenario();
    let mut n: u64 = n.parse().unwrap();
    loop {
        eprintln!("try {n}");
        let mut refused = 0;
        let at = heap().asked + n;
        tell_refused(|size| eprintln!("refused {size} in {}", PHASE.get()));
        narrowed(|heap| heap.refuse_nth = at, scenario);
        let _ = &mut refused;
        if heap().asked <= at {
            break;
        }
        eprintln!("survived {n}");
        n += 1;
    }
    eprintln!("end");
}

#[test]
fn parent() {
    if env::var("ALL").is_err() {
        return;
    }
    let mut from = 0;
    loop {
        let out = child("failing::child_from", "FROM", &from.to_string());
        let text = String::from_utf8_lossy(&out.stderr);
        print!("{text}");
        println!("STATUS {}", out.status);
        let last = text
            .lines()
            .filter_map(|l| l.strip_prefix("try "))
            .last()
            .unwrap()
            .parse::<u64>()
            .unwrap();
        if text.contains("\nend") {
            break;
        }
        from = last + 1;
    }
}

#[test]
fn trace() {
    if env::var("TRACE").is_err() {
        return;
    }
    // every nth refused at once: told through refuse_nth of every allocation is not possible; see heap::TRACE
    scenario();
    crate::heap::trace(scenario, |n, size, bt| {
        let text = bt.to_string();
        let mut frames = Vec::new();
        for line in text.lines() {
            let line = line.trim();
            if let Some((_, name)) = line.split_once(": ") {
                if ["wasmi", "wasm_runtime", "wasmparser", "wasm_encoder", "hashbrown", "spin"]
                    .iter()
                    .any(|p| name.trim_start_matches('<').starts_with(p))
                {
                    frames.push(name.to_string());
                }
            }
        }
        println!(
            "SITE {n} {size} {} | {}",
            PHASE.get(),
            frames.into_iter().take(6).collect::<Vec<_>>().join(" <- ")
        );
    });
}
