//! What tenants take that share their code.

use crate::{
    heap::kept_bytes,
    support::{fixture, wat},
};
use wasm_runtime::{CodeSharing, ModuleLimits, WasmInstanceConfig, WasmPluginRegistry};

/// What suits a small tenant.
fn small(tenant: usize, code_sharing: CodeSharing) -> WasmInstanceConfig {
    WasmInstanceConfig {
        tenant: format!("tenant {tenant}"),
        code_sharing,
        limits: ModuleLimits {
            min_stack_bytes: 256,
            max_stack_bytes: 16_384,
            max_recursion_depth: 64,
            ..ModuleLimits::default()
        },
        max_instances: 1,
        ..WasmInstanceConfig::default()
    }
}

/// How many tenants there are besides the first.
const TENANTS: usize = if cfg!(debug_assertions) { 20 } else { 999 };

/// 600 KB, nearly all of it data, as of tables or of a model.
fn large() -> Vec<u8> {
    let data = "\\5a".repeat(600 << 10);
    wat(&format!(
        r#"(module
            (memory (export "memory") 10)
            (data (i32.const 0) "{data}")
            (func (export "at") (param i32) (result i32) (i32.load8_u (local.get 0))))"#
    ))
}

/// What the first tenant takes, and the others in the mean, in each case besides their memories.
fn of_tenants(wasm: &[u8], each: impl Fn(&WasmPluginRegistry, usize)) -> (i64, i64) {
    let registry = WasmPluginRegistry::new();
    let take = |n| {
        let config = small(n, CodeSharing::Registry);
        let (bytes, ()) = kept_bytes(|| {
            registry.load(&n.to_string(), wasm, config).unwrap();
            each(&registry, n);
        });
        let peak = registry.get(&n.to_string()).unwrap().stats().peak_memory_bytes;
        bytes - i64::try_from(peak).unwrap()
    };
    let first = take(0);
    let others: i64 = (1..=TENANTS).map(take).sum();
    (first, others / TENANTS as i64)
}

#[test]
fn a_thousand_tenants_of_one_large_module_take_little_more_than_one() {
    let (first, each) = of_tenants(&large(), |registry, n| {
        assert_eq!(*registry.call(&n.to_string(), "at", &[7.into()]).unwrap(), [0x5a.into()]);
    });
    println!("600 KB of data: the first tenant {first} bytes, each further one {each}");
    // Of a thousand, whatever how many were measured.
    let all = first + 999 * each;
    assert!(all <= 2 * first + 1_000 * (8 << 10), "{all} bytes");
    assert!(first > 600 << 10);
}

#[test]
fn what_a_sandbox_takes_of_shared_code_is_what_the_interpreter_keeps_for_each_function() {
    // 755 functions.
    let (first, each) = of_tenants(&fixture("workload"), |_, _| {});
    println!("workload: the first tenant {first} bytes, each further one {each}");
    assert!(each <= (8 << 10) + 755 * 82, "{each} bytes a tenant");
    assert!(first > 3 << 20);
}
