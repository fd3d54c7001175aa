//! A guest whose work is mostly the host's is stopped within its budget, to the unit.

use crate::{
    probe::{FUNCTIONS, Function, Probe, ordinary},
    support::{all_granted, fixture, load},
};
use std::sync::Arc;
use wasm_runtime::{
    CallOptions, ErrorKind, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance,
    WasmPluginRegistry, WasmValue,
};

/// Fuel of one slice: at its end a call is suspended and goes on with the next.
const SLICE: u64 = 40_000;
/// More than one turn of any loop here costs, but for `call_plugin`.
const TURN: u64 = 250;

fn endless() -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let settings = vec![("greeting".into(), "hello".into())];
    let capabilities = WasmPluginCapabilities { fuel_limit: u64::MAX, ..all_granted() };
    let config = WasmInstanceConfig { capabilities, settings, ..ordinary() };
    load(&fixture("misbehaving/endless_host_loop"), config)
}

/// What a call that never ends by itself spends under a limit.
fn spent(plugin: &WasmPluginInstance, function: &str, args: &[WasmValue], limit: u64) -> u64 {
    let before = plugin.stats().total_fuel_consumed;
    let options = CallOptions { fuel: Some(limit), ..CallOptions::default() };
    let error = plugin.call_with(function, args, options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfFuel, "{error}");
    let spent = plugin.stats().total_fuel_consumed - before;
    assert!(spent <= limit, "{function} spent {spent} of {limit}");
    spent
}

/// Checks that under each limit of a range the call spends all that whole charges allow: a unit
/// more of limit either changes nothing, or pays for one charge more that is then spent to the unit.
/// Returns the charges.
fn charges(
    plugin: &WasmPluginInstance,
    function: &str,
    args: &[WasmValue],
    limits: std::ops::Range<u64>,
) -> Vec<u64> {
    let mut stops = vec![spent(plugin, function, args, limits.start)];
    for limit in limits.start + 1..limits.end {
        let spent = spent(plugin, function, args, limit);
        let last = stops[stops.len() - 1];
        if spent != last {
            assert_eq!(spent, limit, "{function}");
            stops.push(spent);
        }
    }
    stops.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn a_host_heavy_guest_spends_its_limit_down_to_less_than_one_charge() {
    let (_registry, plugin) = endless();
    // Base, line or name, setting; `refused` pays its base only.
    let paid = [("log", vec![120, 2]), ("config", vec![50, 2, 2]), ("refused", vec![120])];
    for (function, paid) in paid {
        for start in [0, 10_000, SLICE - TURN, 2 * SLICE - TURN] {
            let charges = charges(&plugin, function, &[], start..start + 2 * TURN);
            let found = charges.windows(paid.len()).any(|window| window == paid);
            assert!(found, "{function} from {start}: {charges:?}");
            let dearest = paid[0];
            assert!(charges.iter().all(|charge| *charge <= dearest), "{function}: {charges:?}");
        }
    }
}

#[test]
fn a_guest_whose_host_calls_begin_to_fail_is_stopped_as_exactly() {
    let (registry, plugin) = endless();
    // Over 256 series every further one is refused, for the same price.
    let charges = charges(&plugin, "metrics", &[], 200_000..200_000 + 2 * TURN);
    assert!(charges.windows(2).any(|window| window == [200, 2]), "{charges:?}");
    assert_eq!(registry.host().metrics("default").len(), 256);
}

fn forever(function: &Function) -> Vec<WasmValue> {
    let mut args = function.args(function.pairs);
    args.insert(0, WasmValue::I32(-1));
    args
}

fn probe() -> Probe {
    let capabilities = WasmPluginCapabilities { fuel_limit: u64::MAX, ..all_granted() };
    let probe = Probe::with(WasmInstanceConfig { capabilities, ..ordinary() });
    probe.put_row();
    probe
}

#[test]
fn the_same_limit_is_spent_to_the_same_unit_each_time() {
    let (_registry, plugin) = endless();
    for function in ["log", "config", "refused", "metrics"] {
        for limit in [0, 1, 19, 12_345, SLICE, SLICE + 1, 123_456] {
            let first = spent(&plugin, function, &[], limit);
            for _ in 0..3 {
                assert_eq!(spent(&plugin, function, &[], limit), first, "{function} of {limit}");
            }
        }
    }
}

#[test]
fn a_loop_over_any_host_function_stays_within_its_limit_and_stops_close_to_it() {
    for function in &FUNCTIONS {
        let name = format!("loop_{}", function.name);
        for limit in [1_000, SLICE - 1, SLICE, SLICE + 1, 250_001] {
            // A call that is stopped takes the memory with it.
            let probe = probe();
            let spent = spent(&probe.plugin, &name, &forever(function), limit);
            // The dearest single charge is `call_plugin`'s base or what its callee spent.
            let dearest = function.base.max(20);
            assert!(limit - spent < dearest, "{name} left {} of {limit}", limit - spent);
        }
    }
}

#[test]
fn a_fuel_budget_over_all_calls_is_spent_to_the_unit_too() {
    let config = WasmInstanceConfig { fuel_budget: Some(100_000), ..ordinary() };
    let (_registry, plugin) = load(&fixture("misbehaving/endless_host_loop"), config);
    assert_eq!(plugin.call("log", &[]).unwrap_err().kind(), ErrorKind::OutOfFuel);
    let left = plugin.fuel_budget_left().unwrap();
    // The dearest single charge of that loop is the base of `log_message`.
    assert!(left < 120, "{left}");
    assert_eq!(plugin.stats().total_fuel_consumed, 100_000 - left);
    assert_eq!(plugin.call("log", &[]).unwrap_err().kind(), ErrorKind::OutOfFuel);
    assert!(plugin.fuel_budget_left().unwrap() <= left);
    plugin.refuel();
    assert_eq!(plugin.fuel_budget_left(), Some(100_000));
}
