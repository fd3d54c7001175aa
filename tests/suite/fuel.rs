//! What calls cost: the same every time, in whatever order, and never more than the budget.

use crate::support::{
    all_granted, assert_error, call_i32, config, fixture, load, load_hooked_on_itself, wat,
};
use std::sync::Arc;
use wasm_runtime::{
    Compilation, ErrorKind, ResetPolicy, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginInstance, WasmValue, WasmValues,
};

fn rich() -> WasmInstanceConfig {
    config(WasmPluginCapabilities { fuel_limit: 1 << 40, ..all_granted() })
}

/// Pure work of every kind.
const WORK: [(&str, i32); 8] = [
    ("spin", 1_000),
    ("sieve", 1_000),
    ("fib", 15),
    ("mix", 500),
    ("sort", 300),
    ("mandelbrot", 10),
    ("dispatch", 300),
    ("bulk", 50_000),
];

/// Runs a function; returns the fuel it cost.
fn cost(plugin: &WasmPluginInstance, function: &str, arg: i32) -> u64 {
    let before = plugin.stats().total_fuel_consumed;
    plugin.call(function, &[WasmValue::I32(arg)]).unwrap();
    plugin.stats().total_fuel_consumed - before
}

fn costs(plugin: &WasmPluginInstance) -> Vec<u64> {
    WORK.iter().map(|(function, arg)| cost(plugin, function, *arg)).collect()
}

#[test]
fn the_same_call_costs_the_same_each_time_in_every_sandbox_and_copy() {
    let wasm = fixture("kernels");
    let (_registry, plugin) = load(&wasm, rich());
    let first = costs(&plugin);
    assert!(first.iter().all(|cost| *cost > 100), "{first:?}");
    for _ in 0..3 {
        assert_eq!(costs(&plugin), first);
    }
    let _lease = plugin.lease().unwrap();
    assert_eq!(costs(&plugin), first);
    let (_registry, copy) =
        load(&wasm, WasmInstanceConfig { reset: ResetPolicy::AfterCall, ..rich() });
    assert_eq!(costs(&copy), first);
}

#[test]
fn calls_cost_the_same_compiled_at_load_or_on_the_first_call() {
    for name in ["kernels", "start", "misbehaving/table_grower"] {
        let of = |compilation| {
            let config = WasmInstanceConfig { compilation, ..rich() };
            let (_registry, plugin) = load(&fixture(name), config);
            let mut fuel = vec![plugin.stats().total_fuel_consumed];
            for _ in 0..2 {
                match name {
                    "kernels" => fuel.extend(costs(&plugin)),
                    "start" => drop(plugin.call("value", &[]).unwrap()),
                    _ => fuel.push(cost(&plugin, "grow_by", 500)),
                }
                fuel.push(plugin.stats().total_fuel_consumed);
            }
            fuel
        };
        assert_eq!(of(Compilation::Eager), of(Compilation::Lazy), "{name}");
    }
}

#[test]
fn calls_cost_the_same_whatever_runs_beside_them() {
    let wasm = fixture("kernels");
    let (_registry, alone) = load(&wasm, rich());
    let alone = costs(&alone);
    let (_registry, noise) = load(&wasm, rich());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let (_registry, plugin) = load(&wasm, rich());
                for _ in 0..5 {
                    assert_eq!(costs(&plugin), alone);
                }
            });
        }
        scope.spawn(|| (0..10).for_each(|_| drop(costs(&noise))));
    });
}

#[test]
fn a_call_costs_the_same_typed_by_name_and_in_a_lease() {
    let (_registry, plugin) = load(&fixture("kernels"), rich());
    let by_name = cost(&plugin, "sieve", 700);
    let sieve = plugin.function::<i32, i32>("sieve").unwrap();
    let spent = || plugin.stats().total_fuel_consumed;
    let before = spent();
    sieve.call(700).unwrap();
    assert_eq!(spent() - before, by_name);
    let mut lease = plugin.lease().unwrap();
    lease.call("sieve", &[WasmValue::I32(700)]).unwrap();
    assert_eq!(spent() - before, 2 * by_name);
    sieve.call_in(&mut lease, 700).unwrap();
    assert_eq!(spent() - before, 3 * by_name);
}

#[test]
fn a_call_with_just_enough_fuel_ends_and_with_one_less_does_not() {
    let (_registry, plugin) = load(&fixture("kernels"), rich());
    for (function, arg) in WORK {
        let enough = cost(&plugin, function, arg);
        let with = |fuel_limit| {
            let config = config(WasmPluginCapabilities { fuel_limit, ..all_granted() });
            let (_registry, plugin) = load(&fixture("kernels"), config);
            plugin.call(function, &[WasmValue::I32(arg)]).map_err(|error| error.kind())
        };
        assert!(with(enough).is_ok(), "{function}");
        assert_eq!(with(enough - 1).unwrap_err(), ErrorKind::OutOfFuel, "{function}");
    }
}

#[test]
fn a_growth_costs_255_where_another_operator_costs_1() {
    let wasm = wat(r#"(module (memory 1) (table $t 1 funcref)
            (func (export "plain") (param i32) (drop (i32.clz (local.get 0))))
            (func (export "grow") (param i32) (drop (memory.grow (local.get 0))))
            (func (export "grow_table") (param i32)
                (drop (table.grow $t (ref.null func) (local.get 0)))))"#);
    let (_registry, plugin) = load(&wasm, rich());
    let [plain, grow, grow_table] = ["plain", "grow", "grow_table"].map(|f| cost(&plugin, f, 0));
    assert_eq!(grow - plain, 255 - 1);
    assert!(grow_table - plain >= 255, "{grow_table} against {plain}");
}

#[test]
fn a_growth_costs_more_by_its_size() {
    let (_registry, memory) = load(&fixture("misbehaving/memory_grower"), rich());
    let (_registry, table) = load(&fixture("misbehaving/table_grower"), rich());
    let page = cost(&memory, "grow_by", 1) - cost(&memory, "grow_by", 0);
    assert_eq!(page, 65_536 / 64);
    let elements = cost(&table, "grow_by", 6_400) - cost(&table, "grow_by", 0);
    assert!((100..=800).contains(&elements), "{elements} for 6,400 elements");
}

#[test]
fn a_start_function_s_fuel_is_counted_for_each_sandbox() {
    let config = WasmInstanceConfig { reset: ResetPolicy::AfterCall, ..rich() };
    let (_registry, plugin) = load(&fixture("start"), config);
    let start = plugin.stats().total_fuel_consumed;
    assert!(start > 40, "{start}");
    plugin.call("value", &[]).unwrap();
    let value = plugin.stats().total_fuel_consumed - start;
    plugin.call("value", &[]).unwrap();
    assert_eq!(plugin.stats().total_fuel_consumed, 2 * (start + value));
}

/// Runs a function of `kernels` under a fuel limit, with a timeout and so in slices, or without and
/// so as a whole; returns the results, or the kind of the error, and the fuel.
fn sliced_or_whole(
    function: &str,
    arg: i32,
    fuel_limit: u64,
    timeout_ms: u64,
) -> (Result<WasmValues, ErrorKind>, u64) {
    let grants = WasmPluginCapabilities { fuel_limit, timeout_ms, ..all_granted() };
    let (_registry, plugin) = load(&fixture("kernels"), config(grants));
    let result = plugin.call(function, &[WasmValue::I32(arg)]);
    (result.map_err(|error| error.kind()), plugin.stats().total_fuel_consumed)
}

#[test]
fn a_call_that_is_not_sliced_costs_what_a_sliced_one_costs_and_ends_where_it_ends() {
    const HOUR_MS: u64 = 3_600_000;
    for (function, arg) in [("fib", 18), ("sort", 1_500), ("dispatch", 9_000), ("bulk", 20_000)] {
        for fuel_limit in [1_000_000, 300_000, 90_001, 40_001, 40_000, 39_999, 500] {
            let whole = sliced_or_whole(function, arg, fuel_limit, 0);
            let sliced = sliced_or_whole(function, arg, fuel_limit, HOUR_MS);
            assert_eq!(whole, sliced, "{function} under {fuel_limit} fuel");
            assert!(whole.1 <= fuel_limit);
        }
    }
}

fn with_budget(fuel_limit: u64, budget: u64) -> WasmInstanceConfig {
    WasmInstanceConfig {
        fuel_budget: Some(budget),
        ..config(WasmPluginCapabilities { fuel_limit, ..all_granted() })
    }
}

#[test]
fn calls_share_a_fuel_budget_until_it_is_filled_up_again() {
    let (_registry, plugin) = load(&fixture("kernels"), rich());
    let one = cost(&plugin, "sieve", 500);
    let (_registry, plugin) = load(&fixture("kernels"), with_budget(1 << 40, 3 * one + one / 2));
    for _ in 0..2 {
        for left in (0..3).rev() {
            cost(&plugin, "sieve", 500);
            assert_eq!(plugin.fuel_budget_left(), Some(left * one + one / 2));
        }
        let error = plugin.call("sieve", &[WasmValue::I32(500)]).unwrap_err();
        let budget = format!("`fuel_budget` over all calls is {}", 3 * one + one / 2);
        assert_error(&error, ErrorKind::OutOfFuel, &["`sieve`", &budget, "`refuel()`"]);
        plugin.refuel();
        assert_eq!(plugin.fuel_budget_left(), Some(3 * one + one / 2));
    }
}

#[test]
fn without_a_budget_refuelling_does_nothing() {
    let (_registry, plugin) = load(&fixture("counter"), rich());
    plugin.refuel();
    assert_eq!(plugin.fuel_budget_left(), None);
    assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
}

#[test]
fn four_threads_never_spend_more_than_the_budget() {
    let budget = 3_000_000;
    let (_registry, plugin) = load(&fixture("kernels"), with_budget(100_000, budget));
    let run_dry = |plugin: &Arc<WasmPluginInstance>| {
        let sieve = plugin.function::<i32, i32>("sieve").unwrap();
        (0..).map_while(|i| sieve.call(100 + i % 50).ok()).count()
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| run_dry(&plugin));
        }
    });
    run_dry(&plugin);
    let spent = plugin.stats().total_fuel_consumed;
    assert!(spent <= budget, "{spent} of {budget}");
    // What a call did not use was given back, so that little is left.
    assert_eq!(plugin.fuel_budget_left(), Some(budget - spent));
    assert!(budget - spent < 10_000, "{spent} of {budget}");
}

#[test]
fn refuelling_during_a_call_never_leaves_more_than_the_budget() {
    for budget in [50_000, u64::MAX] {
        let (_registry, plugin) =
            load_hooked_on_itself(with_budget(u64::MAX, budget), |plugin, x| {
                plugin.refuel();
                x
            });
        assert_eq!(call_i32(&plugin, "run", &[1]).unwrap(), 1);
        assert_eq!(plugin.fuel_budget_left(), Some(budget));
        assert_eq!(call_i32(&plugin, "run", &[1]).unwrap(), 1);
    }
}

#[test]
fn an_unmetered_plugin_runs_and_counts_no_fuel() {
    let config = WasmInstanceConfig {
        enable_fuel: false,
        ..config(WasmPluginCapabilities { fuel_limit: 1, ..all_granted() })
    };
    let (_registry, plugin) = load(&fixture("kernels"), config);
    assert_eq!(call_i32(&plugin, "fib", &[20]).unwrap(), 6_765);
    let stats = plugin.stats();
    assert_eq!((stats.total_calls, stats.total_fuel_consumed), (1, 0));
}

#[test]
fn bytes_in_and_out_cost_what_the_guest_does_with_them() {
    let (_registry, plugin) = load(&fixture("echo"), rich());
    let cost = |len: usize| {
        let before = plugin.stats().total_fuel_consumed;
        plugin.call_bytes("copy", &vec![1; len]).unwrap();
        plugin.stats().total_fuel_consumed - before
    };
    // The first calls of a size may grow the memory.
    let sizes = [100, 1_000, 10_000];
    let [_, warm, again] = [(); 3].map(|()| sizes.map(cost));
    assert_eq!(again, warm);
    assert!(warm.is_sorted() && warm[0] < warm[2], "{warm:?}");
}

#[test]
fn a_module_without_work_costs_little_and_something() {
    let wasm = wat(r#"(module (func (export "nothing")))"#);
    let (_registry, plugin) = load(&wasm, rich());
    plugin.call("nothing", &[]).unwrap();
    let fuel = plugin.stats().total_fuel_consumed;
    assert!((1..10).contains(&fuel), "{fuel}");
}
