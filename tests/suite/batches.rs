//! `call_many`: the same as calls one by one, in one entry into the interpreter.

use crate::support::{
    StepClock, all_granted, assert_error, config, fixture, load, load_hooked_on_itself, wat,
};
use proptest::prelude::*;
use std::{error::Error as _, sync::Arc};
use wasm_runtime::{
    CallOptions, ErrorKind, ResetPolicy, TenantQuota, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

fn fueled(fuel_limit: u64) -> WasmInstanceConfig {
    config(WasmPluginCapabilities { fuel_limit, ..all_granted() })
}

fn tally() -> Arc<WasmPluginInstance> {
    load(&fixture("counter"), fueled(1_000)).1
}

/// A function `f` that returns its argument, traps at -1 and spins at -2, for about 9 fuel a turn.
const PICKY: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "f") (param i32) (result i32)
        (if (i32.eq (local.get 0) (i32.const -1)) (then (unreachable)))
        (if (i32.eq (local.get 0) (i32.const -2)) (then (loop (br 0))))
        (local.get 0)))"#;

fn fuel_of(plugin: &WasmPluginInstance) -> u64 {
    plugin.stats().total_fuel_consumed
}

#[test]
fn a_batch_gives_what_as_many_calls_give_in_their_order() {
    let (batched, single) = (tally(), tally());
    let inputs: Vec<i32> = (0..1_000).map(|n| n * 7 - 3_000).collect();
    let mut outputs = vec![0; inputs.len()];
    batched.function::<i32, i32>("add").unwrap().call_many(&inputs, &mut outputs).unwrap();
    let add = single.function::<i32, i32>("add").unwrap();
    let expected: Vec<i32> = inputs.iter().map(|input| add.call(*input).unwrap()).collect();
    assert_eq!(outputs, expected);
    assert_eq!(fuel_of(&batched), fuel_of(&single));
    assert_eq!(batched.stats().total_calls, 1_000);
    assert_eq!(batched.latency().unwrap().count(), 1_000);
}

/// For a signature: a function `f` that turns its arguments into results, called in batches and one by one.
macro_rules! check_signature {
    ($text:literal, $params:ty => $results:ty, $make:expr) => {{
        let wasm = wat(concat!("(module (func (export \"f\") ", $text, "))"));
        let (batched, single) = (load(&wasm, fueled(1_000)).1, load(&wasm, fueled(1_000)).1);
        let make: fn(u32) -> $params = $make;
        for items in [1, 2, 3, 255, 256, 257, 700] {
            let inputs: Vec<$params> = (0..items).map(make).collect();
            let mut outputs: Vec<$results> = vec![Default::default(); inputs.len()];
            batched
                .function::<$params, $results>("f")
                .unwrap()
                .call_many(&inputs, &mut outputs)
                .unwrap();
            let f = single.function::<$params, $results>("f").unwrap();
            let expected: Vec<$results> =
                inputs.iter().map(|input| f.call(*input).unwrap()).collect();
            assert_eq!(format!("{outputs:?}"), format!("{expected:?}"), "{} of {}", items, $text);
            assert_eq!(fuel_of(&batched), fuel_of(&single), "fuel of {} of {}", items, $text);
        }
    }};
}

#[test]
fn every_kind_of_number_goes_through_in_any_number_and_costs_the_same() {
    check_signature!("", () => (), |_| ());
    check_signature!("(result i32) i32.const 7", () => i32, |_| ());
    check_signature!("(param i32)", i32 => (), |n| n as i32);
    check_signature!("(param i32) (result i32) local.get 0", u32 => u32, |n| !n);
    check_signature!("(param i64) (result i64) local.get 0", i64 => i64, |n| i64::MIN + i64::from(n));
    check_signature!("(param f32) (result f32) local.get 0", f32 => f32, |n| 1.0 / n as f32);
    check_signature!("(param f64) (result f64) local.get 0", f64 => f64, |n| -1.0 / f64::from(n));
    check_signature!(
        "(param i32 i64 f32 f64) (result f64 f32 i64 i32) local.get 3 local.get 2 local.get 1 local.get 0",
        (i32, u64, f32, f64) => (f64, f32, u64, i32),
        |n| (n as i32, u64::MAX - u64::from(n), n as f32 / 3.0, f64::from(n).sqrt())
    );
    check_signature!("(param i32) (result i64 i64) i64.const -1 i64.const 5", i32 => (i64, u64), |n| n as i32);
    check_signature!(
        "(param i64 i64 i64 i64 i64 i64 i64 i64 f64 f64 f64 f64 f64 f64 f64 i32) \
         (result i64 i64 i64 i64 i64 i64 i64 i64 f64 f64 f64 f64) \
         local.get 7 local.get 6 local.get 5 local.get 4 local.get 3 local.get 2 local.get 1 local.get 0 \
         local.get 14 local.get 13 local.get 12 local.get 9",
        (i64, i64, i64, i64, i64, i64, i64, i64, f64, f64, f64, f64, f64, f64, f64, i32) =>
        (i64, i64, i64, i64, i64, i64, i64, i64, f64, f64, f64, f64),
        |n| {
            let (a, b) = (i64::from(n), f64::from(n));
            (a, a + 1, a + 2, a + 3, a + 4, a + 5, a + 6, a + 7, b, b, b / 2.0, b, b, -b, b, 3)
        }
    );
}

#[test]
fn the_bits_of_a_nan_go_through() {
    let wasm = wat("(module (func (export \"f\") (param f32) (result f32) local.get 0))");
    let (_registry, plugin) = load(&wasm, fueled(1_000));
    let inputs = [f32::from_bits(0x7fa0_1234), f32::from_bits(0xffc0_0001)];
    let mut outputs = [0.0; 2];
    plugin.function::<f32, f32>("f").unwrap().call_many(&inputs, &mut outputs).unwrap();
    assert_eq!(outputs.map(f32::to_bits), inputs.map(f32::to_bits));
}

#[test]
fn a_failure_leaves_the_finished_results_and_says_which_item_failed() {
    for failing in [0, 1, 255, 256, 600, 999] {
        let (_registry, plugin) = load(&wat(PICKY), fueled(1_000));
        let mut inputs: Vec<i32> = (1..=1_000).collect();
        inputs[failing] = -1;
        let mut outputs = vec![-7; 1_200];
        let error =
            plugin.function::<i32, i32>("f").unwrap().call_many(&inputs, &mut outputs).unwrap_err();
        assert_eq!((error.index(), error.error().kind()), (failing, ErrorKind::Trap));
        assert_eq!(outputs[..failing], inputs[..failing]);
        assert!(outputs[failing..].iter().all(|output| *output == -7));
        assert_eq!(plugin.stats().total_calls, failing as u64 + 1);
        assert_eq!(plugin.stats().trap_count, 1);
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("item {failing} of 1000: ")) && text.contains("`f`"),
            "{text}"
        );
        assert!(error.source().is_some());
        // The next batch has a fresh sandbox.
        plugin.function::<i32, i32>("f").unwrap().call_many(&[3], &mut outputs).unwrap();
        assert_eq!((outputs[0], plugin.stats().sandboxes_started), (3, 2));
    }
}

#[test]
fn what_failed_calls_spend_is_what_single_calls_spend() {
    for failing in [0, 1, 300] {
        let mut inputs: Vec<i32> = (1..=500).collect();
        inputs[failing] = -1;
        let (_registry, batched) = load(&wat(PICKY), fueled(1_000));
        let function = batched.function::<i32, i32>("f").unwrap();
        function.call_many(&inputs, &mut vec![0; 500]).unwrap_err();
        let (_registry, single) = load(&wat(PICKY), fueled(1_000));
        let function = single.function::<i32, i32>("f").unwrap();
        inputs.iter().try_for_each(|input| function.call(*input).map(|_| ())).unwrap_err();
        assert_eq!(fuel_of(&batched), fuel_of(&single));
    }
}

#[test]
fn the_fuel_of_a_batch_is_pooled() {
    let (_registry, plugin) = load(&fixture("kernels"), fueled(20_000));
    let spin = plugin.function::<i32, ()>("spin").unwrap();
    // What is too much for one call, and not for the batch.
    assert_eq!(spin.call(5_000).unwrap_err().kind(), ErrorKind::OutOfFuel);
    let mut outputs = [(); 10];
    spin.call_many(&[1, 1, 5_000, 1, 1, 1, 1, 1, 1, 1], &mut outputs).unwrap();
    // What is too much for the batch.
    let before = fuel_of(&plugin);
    let error =
        spin.call_many(&[1, 1, 5_000, 1_000_000, 1, 1, 1, 1, 1, 1], &mut outputs).unwrap_err();
    assert_eq!((error.index(), error.error().kind()), (3, ErrorKind::OutOfFuel));
    let spent = fuel_of(&plugin) - before;
    assert!((199_000..=200_200).contains(&spent), "{spent}");
}

#[test]
fn a_fuel_budget_over_all_calls_holds() {
    let budgeted = WasmInstanceConfig { fuel_budget: Some(5_000), ..fueled(1_000_000) };
    let (_registry, plugin) = load(&fixture("kernels"), budgeted);
    let spin = plugin.function::<i32, ()>("spin").unwrap();
    let error = spin.call_many(&[1, 1, 100_000], &mut [(); 3]).unwrap_err();
    assert_eq!((error.index(), error.error().kind()), (2, ErrorKind::OutOfFuel));
    assert!(plugin.fuel_budget_left().unwrap() < 20);
    plugin.refuel();
    spin.call_many(&[1, 1], &mut [(); 2]).unwrap();
    assert_eq!(plugin.fuel_budget_left(), Some(5_000 - 2 * fuel_of_spin(1)));
}

fn fuel_of_spin(n: i32) -> u64 {
    let (_registry, plugin) = load(&fixture("kernels"), fueled(1_000_000));
    plugin.call("spin", &[WasmValue::I32(n)]).unwrap();
    fuel_of(&plugin)
}

#[test]
fn a_deadline_holds_inside_of_a_batch() {
    let registry = WasmPluginRegistry::builder().clock(StepClock::new(1_000)).build().unwrap();
    let limits = WasmPluginCapabilities { timeout_ms: 20, fuel_limit: 1 << 40, ..all_granted() };
    registry.load("plugin", &wat(PICKY), config(limits)).unwrap();
    let plugin = registry.get("plugin").unwrap();
    let function = plugin.function::<i32, i32>("f").unwrap();
    let mut outputs = [0; 5];
    let error = function.call_many(&[1, 2, 3, -2, 5], &mut outputs).unwrap_err();
    assert_eq!((error.index(), error.error().kind()), (3, ErrorKind::Deadline));
    assert_eq!(outputs, [1, 2, 3, 0, 0]);
}

#[test]
fn a_deadline_is_for_the_whole_of_a_batch_and_wherever_it_comes_the_results_before_it_are_there() {
    let registry = WasmPluginRegistry::builder().clock(StepClock::new(1_000)).build().unwrap();
    let limits = WasmPluginCapabilities { fuel_limit: 1 << 40, timeout_ms: 400, ..all_granted() };
    // So wide that there are thirty items in an entry, and calls often stop between two entries.
    let wasm = wat(&format!(
        "(module (func (export \"f\") (param {}) (result i64) local.get 0))",
        "i64 ".repeat(16)
    ));
    registry.load("plugin", &wasm, config(limits)).unwrap();
    type Wide = (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);
    let function = registry.get("plugin").unwrap().function::<Wide, i64>("f").unwrap();
    let inputs: Vec<Wide> =
        (0..40_000).map(|n| (n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)).collect();
    let mut indices = std::collections::BTreeSet::new();
    for timeout_ms in 1..200 {
        let mut outputs = vec![-7; inputs.len()];
        let options = CallOptions { timeout_ms: Some(timeout_ms), ..CallOptions::default() };
        let error = function.call_many_with(&inputs, &mut outputs, options).unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Deadline);
        let index = error.index();
        assert!((0..index).all(|at| outputs[at] == at as i64), "{index}");
        assert!(outputs[index..].iter().all(|output| *output == -7), "{index}");
        indices.insert(index % 30);
    }
    // Between two entries, too.
    assert!(indices.contains(&0), "{indices:?}");
}

#[test]
fn a_batch_is_cancelled_amid_an_item() {
    let (_registry, plugin) = load_hooked_on_itself(fueled(1_000_000), |plugin, x| {
        if x == 2 {
            assert_eq!(plugin.cancel_calls(), 1);
        }
        x
    });
    let run = plugin.function::<i32, i32>("run").unwrap();
    let mut outputs = [-1; 5];
    let error = run.call_many(&[0, 1, 2, 3, 4], &mut outputs).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Cancelled);
    // Noticed at the end of the slice, at the next host call: item 3 at the latest.
    assert!((2..=3).contains(&error.index()), "{}", error.index());
    assert_eq!(outputs[..2], [0, 1]);
    run.call_many(&[5], &mut outputs).unwrap();
}

#[test]
fn host_functions_find_the_memory_of_the_plugin() {
    let (registry, plugin) = load(&fixture("abi_probe"), fueled(1_000_000));
    registry.host().put("default", "users", b"key", b"row").unwrap();
    drop(plugin);
    let wasm = wat(r#"(module
            (import "soch_v1" "soch_read" (func $read (param i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "userskey")
            (func (export "f") (param i32) (result i32)
                (drop (call $read (i32.const 0) (i32.const 5) (i32.const 5) (i32.const 3) (local.get 0) (i32.const 9)))
                (i32.load (local.get 0))))"#);
    registry.load("reader", &wasm, fueled(1_000_000)).unwrap();
    let f = registry.get("reader").unwrap().function::<i32, i32>("f").unwrap();
    let mut outputs = [0; 3];
    f.call_many(&[64, 1_000, 65_000], &mut outputs).unwrap();
    assert_eq!(outputs, [i32::from_le_bytes(*b"row\0"); 3]);
    assert_eq!(f.plugin().stats().host_calls, 3);
}

#[test]
fn nothing_of_the_driver_is_in_the_memory_of_the_plugin_or_counts_as_it() {
    // All the memory that it may have, filled with a pattern.
    let wasm = wat(r#"(module (memory (export "memory") 1)
            (func (export "fill") (memory.fill (i32.const 0) (i32.const 0x5a) (i32.const 65536)))
            (func (export "f") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1))))"#);
    let limits = WasmPluginCapabilities { memory_limit_bytes: 65_536, ..all_granted() };
    let (_registry, plugin) = load(&wasm, config(limits));
    let f = plugin.function::<(i64, i64), i64>("f").unwrap();
    let mut lease = plugin.lease().unwrap();
    lease.call("fill", &[]).unwrap();
    let inputs: Vec<_> = (0..1_000).map(|n| (n, n)).collect();
    let mut outputs = vec![0; 1_000];
    f.call_many_in(&mut lease, &inputs, &mut outputs).unwrap();
    assert_eq!(outputs[999], 1_998);
    let mut memory = vec![0; 65_536];
    lease.read("memory", 0, &mut memory).unwrap();
    assert!(memory.iter().all(|byte| *byte == 0x5a));
    assert_eq!(plugin.stats().peak_memory_bytes, 65_536);
}

#[test]
fn a_batch_without_items_runs_nothing_and_one_without_room_neither() {
    let plugin = tally();
    let add = plugin.function::<i32, i32>("add").unwrap();
    add.call_many(&[], &mut []).unwrap();
    let error = add.call_many(&[1, 2, 3], &mut [0; 2]).unwrap_err();
    assert_eq!(error.index(), 0);
    let parts = ["`plugin`", "`add`", "3 inputs", "2 outputs"];
    assert_error(error.error(), ErrorKind::LimitExceeded, &parts);
    assert_eq!(plugin.stats().total_calls, 0);
}

#[test]
fn with_a_reset_after_each_call_each_item_has_a_fresh_sandbox() {
    let config = WasmInstanceConfig { reset: ResetPolicy::AfterCall, ..fueled(1_000) };
    let (_registry, plugin) = load(&fixture("counter"), config);
    let add = plugin.function::<i32, i32>("add").unwrap();
    let mut outputs = [0; 4];
    add.call_many(&[1, 2, 3, 4], &mut outputs).unwrap();
    assert_eq!(outputs, [1, 2, 3, 4]);
    assert_eq!(plugin.stats().total_calls, 4);
    let mut lease = plugin.lease().unwrap();
    add.call_many_in(&mut lease, &[1, 2, 3, 4], &mut outputs).unwrap();
    assert_eq!(outputs, [1, 3, 6, 10]);
}

#[test]
fn a_batch_in_the_lease_of_another_plugin_is_refused() {
    let (one, other) = (tally(), tally());
    let add = one.function::<i32, i32>("add").unwrap();
    let error = add.call_many_in(&mut other.lease().unwrap(), &[1], &mut [0]).unwrap_err();
    assert_eq!((error.index(), error.error().kind()), (0, ErrorKind::SignatureMismatch));
}

#[test]
fn batches_follow_the_plugin_to_another_version() {
    let registry = WasmPluginRegistry::new();
    let version = |n| {
        wat(&format!(
            "(module (func (export \"f\") (param i32) (result i32) (i32.add (local.get 0) (i32.const {n}))))"
        ))
    };
    registry.load("plugin", &version(1), fueled(1_000)).unwrap();
    let f = registry.get("plugin").unwrap().function::<i32, i32>("f").unwrap();
    let mut outputs = [0; 2];
    f.call_many(&[10, 20], &mut outputs).unwrap();
    assert_eq!(outputs, [11, 21]);
    registry.reload("plugin", &version(5), fueled(1_000)).unwrap();
    f.call_many(&[10, 20], &mut outputs).unwrap();
    assert_eq!(outputs, [15, 25]);
}

#[test]
fn what_a_batch_takes_of_the_heap_is_charged_and_given_back() {
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", &fixture("counter"), fueled(1_000)).unwrap();
    let before = registry.usage().heap_bytes;
    let tight = TenantQuota { max_heap_bytes: before + 1_000, ..TenantQuota::default() };
    registry.tenant("default").quota(tight).unwrap();
    let add = registry.get("plugin").unwrap().function::<i32, i32>("add").unwrap();
    let error = add.call_many(&[1], &mut [0]).unwrap_err();
    assert_error(error.error(), ErrorKind::QuotaExceeded, &["max_heap_bytes"]);
    // Calls one by one go on.
    assert_eq!(add.call(1).unwrap(), 1);
    registry.tenant("default").quota(TenantQuota::default()).unwrap();
    let mut output = [0];
    add.call_many(&[1], &mut output).unwrap();
    assert_eq!(output, [2]);
    assert!(registry.usage().heap_bytes > before);
    drop(add);
    registry.unload("plugin").unwrap();
    assert_eq!(registry.usage().heap_bytes, 0);
}

#[test]
fn a_plugin_that_is_not_metered_is_called_in_batches_too() {
    let unmetered = WasmInstanceConfig { enable_fuel: false, ..fueled(1_000) };
    let (_registry, plugin) = load(&fixture("counter"), unmetered);
    let mut outputs = [0; 300];
    plugin.function::<i32, i32>("add").unwrap().call_many(&[1; 300], &mut outputs).unwrap();
    assert_eq!(outputs[299], 300);
    assert_eq!(fuel_of(&plugin), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Against the naive model: call after call in a lease of a plugin that is alike.
    #[test]
    fn any_batches_are_as_calls_one_by_one(
        batches in prop::collection::vec(prop::collection::vec(-1..6_000_i32, 0..400), 1..5),
        fuel_limit in 500..100_000_u64,
    ) {
        let (_registry, batched) = load(&wat(PICKY), fueled(fuel_limit));
        let (_registry, single) = load(&wat(PICKY), fueled(fuel_limit));
        let many = batched.function::<i32, i32>("f").unwrap();
        let one = single.function::<i32, i32>("f").unwrap();
        for inputs in batches {
            let mut outputs = vec![-5; inputs.len()];
            let result = many.call_many(&inputs, &mut outputs);
            let mut expected = vec![-5; inputs.len()];
            let failed = inputs.iter().enumerate().find_map(|(at, input)| match one.call(*input) {
                Ok(output) => { expected[at] = output; None }
                Err(error) => Some((at, error)),
            });
            prop_assert_eq!(&outputs, &expected);
            let of = |at, error: &wasm_runtime::Error| (at, error.kind(), error.to_string());
            prop_assert_eq!(
                result.err().map(|error| of(error.index(), error.error())),
                failed.map(|(at, error)| of(at, &error))
            );
            prop_assert_eq!(batched.stats().total_calls, single.stats().total_calls);
            prop_assert_eq!(fuel_of(&batched), fuel_of(&single));
        }
    }
}
