//! What misbehaving guests do to the native stack: nothing. Each runs on a thread of 128 KiB.

use crate::support::{
    all_granted, assert_error, call_i32, config, fixture, load, load_error, on_small_stack, wat,
};
use wasm_runtime::{
    ErrorKind, GrowthPolicy, ModuleLimits, TrapCode, WasmInstanceConfig, WasmPluginCapabilities,
    WasmValue,
};

/// Ten million in a release build; an unoptimised one would take minutes for that.
const GROWTHS: i32 = if cfg!(debug_assertions) { 200_000 } else { 10_000_000 };

/// Fuel that allows all of that.
fn rich() -> WasmInstanceConfig {
    config(WasmPluginCapabilities { fuel_limit: 1 << 40, ..all_granted() })
}

#[test]
fn a_memory_grows_by_a_run_time_zero_ten_million_times() {
    on_small_stack(|| {
        let (_registry, plugin) = load(&fixture("misbehaving/memory_grower"), rich());
        assert_eq!(call_i32(&plugin, "grow_zero", &[GROWTHS]).unwrap(), 1);
        let stats = plugin.stats();
        assert!(stats.total_fuel_consumed > 255 * u64::try_from(GROWTHS).unwrap());
        assert_eq!((stats.trap_count, stats.sandboxes_started), (0, 1));
    });
}

#[test]
fn a_table_grows_by_a_run_time_zero_ten_million_times() {
    on_small_stack(|| {
        let (_registry, plugin) = load(&fixture("misbehaving/table_grower"), rich());
        assert_eq!(call_i32(&plugin, "grow_zero", &[GROWTHS]).unwrap(), 1);
        let stats = plugin.stats();
        assert!(stats.total_fuel_consumed > 255 * u64::try_from(GROWTHS).unwrap());
        assert_eq!((stats.trap_count, stats.sandboxes_started), (0, 1));
    });
}

/// On AArch64 they leave stack behind, so there this is about the stack; everywhere it is about the price.
#[cfg(feature = "simd")]
#[test]
fn the_relaxed_dot_products_cost_what_they_leave_on_the_stack() {
    for product in ["i16x8.relaxed_dot_i8x16_i7x16_s", "i32x4.relaxed_dot_i8x16_i7x16_add_s"] {
        let sum = if product.contains("add") { "(local.get $sum)" } else { "" };
        let module = wat(&format!(
            r#"(module (func (export "run") (param $n i32) (result i32) (local $sum v128)
                (loop $next
                    (local.set $sum ({product} (local.get $sum) (v128.const i32x4 1 2 3 4) {sum}))
                    (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $n)))"#
        ));
        on_small_stack(move || {
            let (_registry, plugin) = load(&module, rich());
            assert_eq!(call_i32(&plugin, "run", &[GROWTHS / 10]).unwrap(), 0);
            let spent = plugin.stats().total_fuel_consumed;
            assert!(spent > 255 * u64::try_from(GROWTHS / 10).unwrap(), "{product}: {spent}");
        });
    }
}

#[test]
fn refused_growths_leave_nothing_on_the_stack() {
    on_small_stack(|| {
        let (_registry, plugin) = load(&fixture("misbehaving/memory_grower"), rich());
        assert_eq!(call_i32(&plugin, "grow_refused", &[GROWTHS / 10]).unwrap(), 1);
    });
}

#[test]
fn growing_to_the_limit_leaves_nothing_on_the_stack() {
    on_small_stack(|| {
        let limits = ModuleLimits { max_table_elements: 1 << 22, ..ModuleLimits::default() };
        let mut config = WasmInstanceConfig { limits, ..rich() };
        config.capabilities.memory_limit_bytes = 128 << 20;
        let (_registry, memory) = load(&fixture("misbehaving/memory_grower"), config.clone());
        assert_eq!(call_i32(&memory, "grow_all", &[]).unwrap(), 2_048);
        let (_registry, table) = load(&fixture("misbehaving/table_grower"), config);
        assert_eq!(call_i32(&table, "grow_all", &[]).unwrap(), 1 + 4_095 * 1_024);
    });
}

#[test]
fn recursion_of_every_kind_uses_the_guest_s_stack_alone() {
    on_small_stack(|| {
        let limits = ModuleLimits {
            max_recursion_depth: 1_000_000,
            max_stack_bytes: 100_000_000,
            ..ModuleLimits::default()
        };
        let config = WasmInstanceConfig { limits, ..rich() };
        let (_registry, plugin) = load(&fixture("misbehaving/deep_recursion"), config);
        assert_eq!(call_i32(&plugin, "depth", &[900_000]).unwrap(), 900_000);
        let endless: [(&str, &[WasmValue]); 3] = [
            ("endless", &[]),
            ("endless_large_frames", &[WasmValue::I64(0)]),
            ("endless_indirect", &[WasmValue::I32(0)]),
        ];
        for (function, args) in endless {
            let error = plugin.call(function, args).unwrap_err();
            assert_error(&error, ErrorKind::Trap, &[function]);
            assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
        }
    });
}

#[test]
fn endless_loops_leave_nothing_on_the_stack() {
    on_small_stack(|| {
        let mut config = rich();
        config.capabilities.fuel_limit = 20_000_000;
        let (_registry, plugin) = load(&fixture("misbehaving/endless_loop"), config.clone());
        for function in ["run", "run_with_work", "run_with_calls", "run_with_tail_calls"] {
            let error = plugin.call(function, &[]).unwrap_err();
            assert_error(&error, ErrorKind::OutOfFuel, &[function]);
        }
        let (_registry, plugin) = load(&fixture("misbehaving/endless_host_loop"), config);
        for function in ["log", "config", "refused", "metrics"] {
            let error = plugin.call(function, &[]).unwrap_err();
            assert_error(&error, ErrorKind::OutOfFuel, &[function]);
        }
    });
}

#[test]
fn traps_one_after_the_other_leave_nothing_on_the_stack() {
    on_small_stack(|| {
        let limits =
            ModuleLimits { on_growth_denied: GrowthPolicy::Trap, ..ModuleLimits::default() };
        let config = WasmInstanceConfig { limits, ..rich() };
        let (_registry, grower) = load(&fixture("misbehaving/memory_grower"), config.clone());
        let (_registry, traps) = load(&fixture("misbehaving/traps"), config);
        for _ in 0..1_000 {
            call_i32(&grower, "grow_all", &[]).unwrap_err();
            traps.call("unreachable", &[]).unwrap_err();
        }
        assert_eq!(call_i32(&traps, "ping", &[]).unwrap(), 1);
    });
}

/// A global, and where data and elements go, as sums of so many terms.
fn sums(terms: usize) -> Vec<Vec<u8>> {
    let flat = format!("i32.const 0 {}", "i32.const 1 i32.add ".repeat(terms));
    let nested = format!("{} {}", "i32.const 1 ".repeat(terms + 1), "i32.add ".repeat(terms));
    let modules = [flat, nested].map(|sum| {
        [
            format!("(global i32 {sum})"),
            format!("(memory 1) (data (offset {sum}) \"x\")"),
            format!("(table 300 funcref) (func $f) (elem (table 0) (offset {sum}) func $f)"),
        ]
    });
    modules.as_flattened().iter().map(|text| wat(&format!("(module {text})"))).collect()
}

/// wasmi evaluates a constant by recursion, and drops it so.
#[test]
fn a_constant_of_a_million_sums_is_refused_and_one_of_sixty_is_not() {
    let (endless, short) = (sums(1_300_000), sums(60));
    on_small_stack(move || {
        for wasm in endless {
            let error = load_error(&wasm, config(all_granted()));
            assert_error(
                &error,
                ErrorKind::LimitExceeded,
                &["constant expression has more than 256 bytes"],
            );
        }
        for wasm in short {
            load(&wasm, config(all_granted()));
        }
    });
}
