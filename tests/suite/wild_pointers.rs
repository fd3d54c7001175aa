//! Nothing that a guest passes to a host function makes it panic, or touch what it should not.

use crate::{
    probe::{FUNCTIONS, Function, Probe, SIZE, ordinary},
    support::{call_i32, fixture},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::{cell::Cell, sync::Arc};
use wasm_runtime::{
    Distance, EmbeddedHost, IndexKey, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

/// The fixture's pairs that are outside of its memory.
const OUTSIDE: [i32; 10] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 11];
/// The pair that is an empty range at the memory's end.
const EMPTY: i32 = 2;
/// The pair that is the output, moved onto an input.
const OVERLAPPING: i32 = 9;
/// The length of the name, input or output that every `wild_F` passes if nothing is wild.
const ORDINARY_CASE: i32 = 15 * 16 + 15;

fn load() -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let registry = WasmPluginRegistry::new();
    registry.load("wild", &fixture("misbehaving/wild_pointers"), ordinary()).unwrap();
    registry.load("echo", &fixture("echo"), ordinary()).unwrap();
    let host = registry.host();
    host.create_collection("default", "users_vec", "users", 2, Distance::L2).unwrap();
    host.create_index("default", "users_idx", "users", IndexKey::field(0, 1)).unwrap();
    let plugin = registry.get("wild").unwrap();
    (registry, plugin)
}

fn wild(plugin: &WasmPluginInstance, function: &Function, pair: usize, case: i32) -> i32 {
    let case = i32::try_from(pair).unwrap() * 16 + case;
    call_i32(plugin, &format!("wild_{}", function.name), &[case]).unwrap()
}

/// Everything that plugins can have changed in the host.
fn kept(host: &EmbeddedHost) -> String {
    format!("{:?} {:?}", host.scan("default", "users", b"", 99), host.metrics("default"))
}

#[test]
fn every_wild_range_of_every_function_is_invalid_and_changes_nothing() {
    let (registry, plugin) = load();
    registry.host().put("default", "users", b"a", b"kept").unwrap();
    let before = kept(registry.host());
    for function in &FUNCTIONS {
        for pair in 0..function.pairs.len() {
            for case in OUTSIDE {
                let answer = wild(&plugin, function, pair, case);
                assert_eq!(answer, -3, "{}, pair {pair}, case {case}", function.name);
            }
        }
    }
    assert_eq!(kept(registry.host()), before);
    assert_eq!(plugin.stats().trap_count, 0);
}

#[test]
fn an_empty_range_at_the_end_is_invalid_as_a_name_or_a_query_only() {
    let (_registry, plugin) = load();
    for function in &FUNCTIONS {
        for pair in 0..function.pairs.len() {
            let answer = wild(&plugin, function, pair, EMPTY);
            let needs_some = pair < function.names || function.is_query(pair);
            assert_eq!(answer == -3, needs_some, "{}, pair {pair}: {answer}", function.name);
        }
    }
}

#[test]
fn an_output_on_an_input_is_invalid_and_an_ordinary_call_is_not() {
    let (_registry, plugin) = load();
    for function in &FUNCTIONS {
        for pair in 0..function.pairs.len() {
            let answer = wild(&plugin, function, pair, OVERLAPPING);
            let overlaps = function.output.is_some_and(|output| output != pair);
            assert_eq!(answer == -3, overlaps, "{}, pair {pair}: {answer}", function.name);
        }
        let answer = call_i32(&plugin, &format!("wild_{}", function.name), &[ORDINARY_CASE]);
        assert_ne!(answer.unwrap(), -3, "{}", function.name);
    }
}

/// Numbers near everything that matters to a pointer or a length.
fn number() -> impl Strategy<Value = i32> {
    prop_oneof![
        4 => prop::sample::select(vec![256, 512, 768, 1024, 1280, 8192]),
        4 => 0..16,
        2 => 0..SIZE,
        2 => (-3..4_i32).prop_map(|d| SIZE + d),
        1 => -16..0,
        1 => prop::sample::select(vec![i32::MIN, i32::MAX, 64, 128, 129, 4096, 4097]),
        1 => any::<i32>(),
    ]
}

fn range_of(args: &[WasmValue], function: &Function) -> std::ops::Range<usize> {
    let [.., ptr, len] = args else { unreachable!("every function has a pair") };
    let (ptr, len) = (ptr.as_i32().unwrap() as u32, len.as_i32().unwrap() as u32);
    match function.output {
        Some(_) => ptr as usize..ptr as usize + len as usize,
        None => 0..0,
    }
}

/// Ordinary arguments, some pairs and one parameter of which are anything.
fn arguments(function: &'static Function) -> impl Strategy<Value = Vec<WasmValue>> {
    let pairs: Vec<_> = function
        .pairs
        .iter()
        .map(|pair| prop_oneof![2 => Just(*pair), 1 => (number(), number())])
        .collect();
    (pairs, any::<prop::sample::Index>(), any::<bool>(), number(), any::<f64>()).prop_map(
        |(pairs, index, change, int, float)| {
            let mut args = function.args(&pairs);
            let arg = index.get_mut(&mut args);
            *arg = match (change, &*arg) {
                (false, arg) => *arg,
                (true, WasmValue::F64(_)) => WasmValue::F64(float),
                (true, _) => WasmValue::I32(int),
            };
            args
        },
    )
}

/// Calls `function` with `args`, checks what it did to the guest's memory, and returns its answer.
fn check(probe: &Probe, function: &Function, args: &[WasmValue]) -> Result<i32, TestCaseError> {
    probe.put_row();
    let before = probe.bytes((0, SIZE));
    let answer = probe.call_values(function.name, args);
    let answer = answer.map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert!(answer >= -7, "{answer}");
    let after = probe.bytes((0, SIZE));
    let output = if answer < 0 { 0..0 } else { range_of(args, function) };
    prop_assert!(before[..output.start] == after[..output.start], "changed before {output:?}");
    prop_assert!(before[output.end..] == after[output.end..], "changed behind {output:?}");
    if !output.is_empty() {
        probe.put(i32::try_from(output.start).unwrap(), &before[output]);
    }
    Ok(answer)
}

#[test]
fn no_arguments_of_any_function_panic_or_change_memory_outside_of_the_output() {
    let probe = Probe::new();
    let config = Config { failure_persistence: None, ..Config::default() };
    for function in &FUNCTIONS {
        let (successes, refusals) = (Cell::new(0), Cell::new(0));
        let outcome = TestRunner::new(config.clone()).run(&arguments(function), |args| {
            let count = if check(&probe, function, &args)? < 0 { &refusals } else { &successes };
            count.set(count.get() + 1);
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{}: {error}", function.name));
        // Both sides were tried.
        assert!(successes.get() > 0 && refusals.get() > 0, "{}", function.name);
    }
    assert_eq!(probe.plugin.stats().trap_count, 0);
}
