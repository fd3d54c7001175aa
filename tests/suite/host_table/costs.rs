//! What a function of the embedder's is charged.

use super::{Call, forward, load, plain};
use std::sync::Arc;
use wasm_runtime::{
    CallOptions, EmbeddedHost, ErrorKind, Grant, HostCost, HostError, HostFunctionTable,
    WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

/// A function that charges what its parameters say: fuel, bytes, items. Answers the fuel left.
fn charging(cost: HostCost) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let mut table = HostFunctionTable::new();
    let f = |call: Call<'_, '_>, fuel: u64, bytes: u32, items: u32| -> Result<u64, HostError> {
        call.charge(fuel)?;
        call.charge_bytes(bytes as usize)?;
        call.charge_items(items as usize)?;
        Ok(call.fuel_left())
    };
    table.define("env", "f", Grant::Always, cost, f).unwrap();
    load(EmbeddedHost::new(), table, &forward("i64 i32 i32", "i64"), plain())
}

const FREE: HostCost = HostCost { base: 0, per_64_bytes: 0, per_item: 0 };

fn args(fuel: i64, bytes: i32, items: i32) -> [WasmValue; 3] {
    [WasmValue::I64(fuel), WasmValue::I32(bytes), WasmValue::I32(items)]
}

fn spent(plugin: &WasmPluginInstance, args: &[WasmValue]) -> u64 {
    let before = plugin.stats().total_fuel_consumed;
    plugin.call("run", args).unwrap();
    plugin.stats().total_fuel_consumed - before
}

#[test]
fn base_bytes_and_items_are_charged_to_the_unit() {
    let (_registry, free) = charging(FREE);
    let guest = spent(&free, &args(0, 0, 0));
    assert_eq!(spent(&free, &args(0, 1_000_000, 1_000_000)), guest);
    let (_registry, plugin) = charging(HostCost { base: 1_000, per_64_bytes: 7, per_item: 13 });
    let cases = [
        ((0, 0, 0), 0),
        ((5, 0, 0), 5),
        ((0, 1, 0), 7),
        ((0, 64, 0), 7),
        ((0, 65, 0), 14),
        ((0, 0, 1), 13),
        ((11, 640, 10), 11 + 70 + 130),
        // More than a slice.
        ((200_000, 0, 10_000), 200_000 + 130_000),
    ];
    for ((fuel, bytes, items), expected) in cases {
        assert_eq!(spent(&plugin, &args(fuel, bytes, items)), guest + 1_000 + expected);
    }
}

#[test]
fn fuel_left_is_what_the_whole_call_may_still_spend() {
    let (_registry, plugin) = charging(FREE);
    let limit = plugin.capabilities().fuel_limit;
    let guest = spent(&plugin, &args(0, 0, 0));
    let left = |fuel: i64, options| {
        let results = plugin.call_with("run", &args(fuel, 0, 0), options).unwrap();
        u64::try_from(results[0].as_i64().unwrap()).unwrap()
    };
    let before = left(0, CallOptions::default());
    assert!(before <= limit && limit - before <= guest);
    for fuel in [1, 1_000, 39_999, 40_001, 900_000] {
        assert_eq!(left(fuel, CallOptions::default()), before - fuel as u64);
        let narrowed = CallOptions { fuel: Some(950_000), ..CallOptions::default() };
        assert_eq!(left(fuel, narrowed), before - 50_000 - fuel as u64);
    }
}

#[test]
fn a_charge_that_does_not_fit_ends_the_call_and_charges_nothing() {
    let (_registry, plugin) = charging(FREE);
    let guest_before_the_call = {
        let results = plugin.call("run", &args(0, 0, 0)).unwrap();
        1_000_000 - u64::try_from(results[0].as_i64().unwrap()).unwrap()
    };
    for (fuel, items) in [(2_000_000, 0), (i64::MAX, 0), (-1, 0), (1_000_000, 0)] {
        let before = plugin.stats().total_fuel_consumed;
        let error = plugin.call("run", &args(fuel, 0, items)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfFuel);
        assert_eq!(plugin.stats().total_fuel_consumed - before, guest_before_the_call);
    }
}

#[test]
fn a_base_cost_that_does_not_fit_ends_the_call_before_the_function_runs() {
    let mut table = HostFunctionTable::new();
    let f = |_: Call<'_, '_>| -> Result<i32, HostError> { Err(HostError::Abort("it ran")) };
    let cost = HostCost { base: 1_000_001, ..FREE };
    table.define("env", "f", Grant::Always, cost, f).unwrap();
    let (_registry, plugin) = load(EmbeddedHost::new(), table, &forward("", "i32"), plain());
    assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::OutOfFuel);
}

#[test]
fn costs_that_overflow_are_costs_that_do_not_fit() {
    let (_registry, plugin) =
        charging(HostCost { base: 0, per_64_bytes: u64::MAX, per_item: u64::MAX });
    for (bytes, items) in [(-1, 0), (0, -1), (65, 0), (0, 2)] {
        let error = plugin.call("run", &args(0, bytes, items)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfFuel);
    }
    plugin.call("run", &args(0, 0, 0)).unwrap();
}

#[test]
fn the_default_costs_are_what_is_documented() {
    let cost = HostCost::default();
    assert_eq!(cost, HostCost { base: 40, per_64_bytes: 2, per_item: 12 });
}
