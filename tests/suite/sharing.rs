//! Plugins that share their compiled code, and nothing else.

use crate::support::{all_granted, assert_error, call_i32, config, fixture, load_error, wat};
use std::{sync::Barrier, thread};
use wasm_runtime::{
    CodeSharing, Compilation, ErrorKind, TenantQuota, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginRegistry, WasmValue,
};

fn shared(tenant: &str, code_sharing: CodeSharing) -> WasmInstanceConfig {
    let mut config = config(all_granted());
    config.limits.max_stack_bytes = 4_096;
    WasmInstanceConfig { tenant: tenant.into(), code_sharing, ..config }
}

/// Less than the code of `kernels` is charged.
const CODE: u64 = 20_000;

/// What the loaded plugins are charged of the heap.
fn heap(registry: &WasmPluginRegistry) -> u64 {
    registry.usage().heap_bytes
}

/// How much the heap of a registry grows with a plugin, beyond what one costs that finds its code there.
fn costs(registry: &WasmPluginRegistry, name: &str, config: WasmInstanceConfig) -> u64 {
    let before = heap(registry);
    registry.load(name, &fixture("kernels"), config).unwrap();
    heap(registry) - before
}

#[test]
fn code_is_shared_with_those_it_may_be_shared_with_and_no_others() {
    use CodeSharing::{Own, Registry, Tenant};
    let registry = WasmPluginRegistry::new();
    let alone = costs(&registry, "own", shared("a", Own));
    assert_eq!(costs(&registry, "own again", shared("a", Own)), alone);
    // The first of its kind pays for the code, and the others do not.
    assert_eq!(costs(&registry, "a1", shared("a", Tenant)), alone);
    let little = costs(&registry, "a2", shared("a", Tenant));
    assert!(little + CODE < alone, "{little} of {alone}");
    assert_eq!(costs(&registry, "b1", shared("b", Tenant)), alone);
    assert_eq!(costs(&registry, "all1", shared("a", Registry)), alone);
    assert_eq!(costs(&registry, "all2", shared("b", Registry)), little);
    // Other bytes, other engines.
    let unmetered = WasmInstanceConfig { enable_fuel: false, ..shared("a", Registry) };
    assert!(costs(&registry, "unmetered", unmetered) > little + CODE);
    let mut deep = shared("a", Registry);
    deep.limits.max_recursion_depth += 1;
    assert!(costs(&registry, "deep", deep) > little + CODE);
    // What the engine does not depend on may differ.
    let mut poor = shared("a", Registry);
    poor.capabilities =
        WasmPluginCapabilities { fuel_limit: 10, timeout_ms: 0, ..Default::default() };
    assert_eq!(costs(&registry, "poor", poor), little);
}

#[test]
fn shared_code_goes_with_the_last_that_has_it() {
    let registry = WasmPluginRegistry::new();
    for round in 0..3 {
        let first = costs(&registry, "first", shared("a", CodeSharing::Registry));
        let second = costs(&registry, "second", shared("b", CodeSharing::Registry));
        assert!(second + CODE < first, "round {round}");
        registry.unload("first").unwrap();
        // The code is there as long as the second plugin, which goes on as before.
        assert_eq!(call_i32(&registry.get("second").unwrap(), "fib", &[10]).unwrap(), 55);
        // The stack of the first is there as well.
        assert!(costs(&registry, "third", shared("c", CodeSharing::Registry)) < second);
        registry.shutdown_all();
        assert_eq!(heap(&registry), 0);
    }
}

#[test]
fn a_tenant_is_charged_for_code_that_it_shares_with_itself_and_the_registry_for_what_all_share() {
    let registry = WasmPluginRegistry::new();
    let of = |tenant: &str| registry.tenant(tenant).usage().heap_bytes;
    costs(&registry, "own", shared("x", CodeSharing::Own));
    costs(&registry, "a", shared("a", CodeSharing::Tenant));
    assert_eq!(of("a"), of("x"));
    costs(&registry, "b", shared("b", CodeSharing::Registry));
    costs(&registry, "c", shared("c", CodeSharing::Registry));
    assert_eq!(of("b"), of("c"));
    assert!(of("b") + CODE < of("a"), "{} of {}", of("b"), of("a"));
    // The first of those who share it leaves: the others are charged what they were.
    let before = of("c");
    registry.unload("b").unwrap();
    assert_eq!((of("b"), of("c")), (0, before));
}

#[test]
fn a_plugin_finds_no_room_for_itself_where_its_code_is_there_already() {
    let registry = WasmPluginRegistry::new();
    costs(&registry, "a", shared("a", CodeSharing::Registry));
    let quota = TenantQuota { max_heap_bytes: 10_000, ..TenantQuota::default() };
    registry.tenant("b").quota(quota).unwrap();
    let error =
        registry.load("b", &fixture("kernels"), shared("b", CodeSharing::Registry)).unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["max_heap_bytes"]);
    assert_eq!(registry.tenant("b").usage().heap_bytes, 0);
    assert_eq!(call_i32(&registry.get("a").unwrap(), "fib", &[10]).unwrap(), 55);
}

#[test]
fn memories_limits_grants_and_statistics_stay_apart() {
    let registry = WasmPluginRegistry::new();
    let wasm = wat(r#"(module
            (import "soch_v1" "soch_write" (func $write (param i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "rows" "key")
            (global $count (mut i32) (i32.const 0))
            (func (export "count") (result i32)
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                (i32.store8 (i32.const 4) (global.get $count))
                (global.get $count))
            (func (export "write") (result i32)
                (call $write (i32.const 0) (i32.const 4) (i32.const 4) (i32.const 3) (i32.const 4) (i32.const 3)))
            (func (export "trap") (unreachable))
            (func (export "grow") (result i32) (memory.grow (i32.const 1)))
            (func (export "spin") (loop (br 0))))"#);
    let mut poor = shared("poor", CodeSharing::Registry);
    poor.capabilities = WasmPluginCapabilities {
        fuel_limit: 2_000,
        timeout_ms: 0,
        memory_limit_bytes: 65_536,
        ..Default::default()
    };
    poor.max_instances = 1;
    let mut rich = shared("rich", CodeSharing::Registry);
    rich.max_instances = 1;
    registry.load("poor", &wasm, poor).unwrap();
    registry.load("rich", &wasm, rich).unwrap();
    let (poor, rich) = (registry.get("poor").unwrap(), registry.get("rich").unwrap());
    let count =
        |plugin, times| (0..times).fold(None, |_, _| Some(call_i32(plugin, "count", &[]).unwrap()));
    assert_eq!((count(&poor, 3), count(&rich, 5), count(&poor, 1)), (Some(3), Some(5), Some(4)));
    assert_eq!(call_i32(&rich, "write", &[]).unwrap(), 0);
    assert_eq!(call_i32(&poor, "write", &[]).unwrap(), -1);
    assert_eq!(call_i32(&rich, "grow", &[]).unwrap(), 1);
    assert_eq!(call_i32(&poor, "grow", &[]).unwrap(), -1);
    assert_eq!(poor.call("trap", &[]).unwrap_err().kind(), ErrorKind::Trap);
    assert_eq!(poor.call("spin", &[]).unwrap_err().kind(), ErrorKind::OutOfFuel);
    // The one that trapped has a fresh sandbox, the other has its own.
    assert_eq!((count(&poor, 1), count(&rich, 1)), (Some(1), Some(6)));
    let (poor, rich) = (poor.stats(), rich.stats());
    assert_eq!((poor.trap_count, rich.trap_count), (2, 0));
    assert_eq!((poor.denied_host_calls, rich.denied_host_calls), (1, 0));
    assert_eq!((poor.peak_memory_bytes, rich.peak_memory_bytes), (65_536, 131_072));
}

#[test]
fn code_that_is_compiled_lazily_is_not_shared() {
    for sharing in [CodeSharing::Tenant, CodeSharing::Registry] {
        let lazy = WasmInstanceConfig { compilation: Compilation::Lazy, ..shared("a", sharing) };
        let error = load_error(&fixture("counter"), lazy);
        assert_error(&error, ErrorKind::Refused, &["code_sharing", "Compilation::Eager"]);
    }
}

#[test]
fn a_module_that_does_not_compile_is_refused_each_time() {
    let registry = WasmPluginRegistry::new();
    let mut broken = fixture("counter");
    let last = broken.len() - 1;
    broken[last] ^= 0xff;
    for name in ["a", "b"] {
        let error = registry.load(name, &broken, shared(name, CodeSharing::Registry)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidModule, "{error}");
        assert_eq!(heap(&registry), 0);
    }
}

#[test]
fn a_plugin_that_shares_its_code_still_has_its_own_limits_on_the_module() {
    let registry = WasmPluginRegistry::new();
    registry.load("a", &fixture("kernels"), shared("a", CodeSharing::Registry)).unwrap();
    let mut strict = shared("b", CodeSharing::Registry);
    strict.limits.max_functions = 1;
    let error = registry.load("b", &fixture("kernels"), strict).unwrap_err();
    assert_error(&error, ErrorKind::LimitExceeded, &["max_functions"]);
}

#[test]
fn start_functions_run_in_each_plugin() {
    let registry = WasmPluginRegistry::new();
    for name in ["a", "b"] {
        registry.load(name, &fixture("start"), shared(name, CodeSharing::Registry)).unwrap();
    }
    let (a, b) = (registry.get("a").unwrap().stats(), registry.get("b").unwrap().stats());
    assert_eq!(a.total_fuel_consumed, b.total_fuel_consumed);
    assert!(a.total_fuel_consumed > 0);
}

#[test]
fn a_reload_finds_code_that_is_there_and_leaves_the_other_plugins_theirs() {
    let registry = WasmPluginRegistry::new();
    let little = costs(&registry, "little", shared("a", CodeSharing::Own)) - CODE;
    costs(&registry, "a", shared("a", CodeSharing::Registry));
    registry.load("b", &fixture("counter"), shared("b", CodeSharing::Own)).unwrap();
    let before = heap(&registry);
    registry.reload("b", &fixture("kernels"), shared("b", CodeSharing::Registry)).unwrap();
    assert!(heap(&registry) < before + little);
    registry.reload("a", &fixture("counter"), shared("a", CodeSharing::Registry)).unwrap();
    assert_eq!(call_i32(&registry.get("b").unwrap(), "fib", &[10]).unwrap(), 55);
    assert_eq!(call_i32(&registry.get("a").unwrap(), "add", &[3]).unwrap(), 3);
}

#[test]
fn threads_that_load_and_unload_the_same_module_at_once_share_one_copy_in_the_end() {
    let registry = WasmPluginRegistry::new();
    let wasm = fixture("kernels");
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (registry, wasm, barrier) = (&registry, &wasm, &barrier);
            scope.spawn(move || {
                let name = format!("{thread}");
                for _ in 0..20 {
                    barrier.wait();
                    registry.load(&name, wasm, shared(&name, CodeSharing::Registry)).unwrap();
                    let plugin = registry.get(&name).unwrap();
                    assert_eq!(
                        plugin.call("fib", &[WasmValue::I32(10)]).unwrap()[0].as_i32(),
                        Some(55)
                    );
                    barrier.wait();
                    registry.unload(&name).unwrap();
                }
            });
        }
    });
    assert_eq!(heap(&registry), 0);
    let first = costs(&registry, "first", shared("a", CodeSharing::Registry));
    assert!(costs(&registry, "second", shared("b", CodeSharing::Registry)) + CODE < first);
}

#[test]
fn batches_work_in_shared_code() {
    let registry = WasmPluginRegistry::new();
    for name in ["a", "b"] {
        registry.load(name, &fixture("counter"), shared(name, CodeSharing::Registry)).unwrap();
        let add = registry.get(name).unwrap().function::<i32, i32>("add").unwrap();
        let mut outputs = [0; 3];
        add.call_many(&[1, 2, 3], &mut outputs).unwrap();
        assert_eq!(outputs, [1, 3, 6]);
    }
    registry.shutdown_all();
}
