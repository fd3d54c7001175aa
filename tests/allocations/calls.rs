//! Calls that allocate nothing once they are warm.

use crate::{
    heap,
    support::{assert_allocates_nothing, config, fixture, load, one_plugin, wat},
};
use wasm_runtime::{
    CallOptions, PluginFunction, QuarantinePolicy, WasmInstanceConfig, WasmPluginRegistry,
    WasmValue,
};

#[test]
fn a_warm_typed_call_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&fixture("counter"));
    let increment: PluginFunction<(), i32> = plugin.function("increment").unwrap();
    let mut expected = 0;
    assert_allocates_nothing("typed call", || {
        expected += 1;
        assert_eq!(increment.call(()).unwrap(), expected);
    });
}

#[test]
fn a_warm_batch_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&fixture("counter"));
    let add: PluginFunction<i32, i32> = plugin.function("add").unwrap();
    let inputs = [1; 600];
    let mut outputs = [0; 600];
    let mut expected = 0;
    assert_allocates_nothing("batch of 600", || {
        expected += 600;
        add.call_many(&inputs, &mut outputs).unwrap();
        assert_eq!(outputs[599], expected);
    });
    let mut lease = plugin.lease().unwrap();
    assert_allocates_nothing("batch of 2 in a lease", || {
        add.call_many_in(&mut lease, &[1, 1], &mut outputs).unwrap();
    });
}

#[test]
fn what_a_first_batch_leaves_is_no_more_than_is_charged_for_it() {
    type Sixteen = (i32, i64, f32, f64, i32, i64, f32, f64, i32, i64, f32, f64, i32, i64, f32, f64);
    let (registry, plugin) = one_plugin(&many_values(4));
    let same: PluginFunction<Sixteen, Sixteen> = plugin.function("same").unwrap();
    let values = (1, 2, 3.0, 4.0, 5, 6, 7.0, 8.0, 9, 10, 11.0, 12.0, 13, 14, 15.0, 16.0);
    let mut outputs = [values; 3];
    // The value stack grows with the first call, whatever calls it.
    same.call(values).unwrap();
    let before = registry.usage().heap_bytes;
    let (bytes, ()) = heap::kept_bytes(|| same.call_many(&[values; 3], &mut outputs).unwrap());
    let charged = registry.usage().heap_bytes - before;
    println!("a driver of 32 values: {bytes} bytes, charged {charged}");
    assert!((1..=charged as i64).contains(&bytes), "{bytes} bytes, charged {charged}");
}

/// A module whose `same` answers its parameters: one of each type, `times` over.
fn many_values(times: usize) -> Vec<u8> {
    let types = "i32 i64 f32 f64 ".repeat(times);
    let values: String = (0..4 * times).map(|n| format!("(local.get {n})")).collect();
    wat(&format!(r#"(module (func (export "same") (param {types}) (result {types}) {values}))"#))
}

#[test]
fn a_warm_typed_call_with_many_parameters_and_results_allocates_nothing() {
    type Twelve = (i32, i64, f32, f64, i32, i64, f32, f64, i32, i64, f32, f64);
    let (_registry, plugin) = one_plugin(&many_values(3));
    let same: PluginFunction<Twelve, Twelve> = plugin.function("same").unwrap();
    let values = (1, 2, 3.0, 4.0, 5, 6, 7.0, 8.0, 9, 10, 11.0, 12.0);
    assert_allocates_nothing("typed call of twelve values", || {
        assert_eq!(same.call(values).unwrap(), values);
    });
}

#[test]
fn a_warm_call_by_name_with_sixteen_parameters_and_results_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&many_values(4));
    let values: Vec<_> = (0..4)
        .flat_map(|n| {
            [WasmValue::I32(n), WasmValue::I64(7), WasmValue::F32(0.5), WasmValue::F64(0.25)]
        })
        .collect();
    assert_allocates_nothing("call by name of sixteen values", || {
        assert_eq!(*plugin.call("same", &values).unwrap(), *values);
    });
}

#[test]
fn a_warm_call_by_name_allocates_nothing() {
    let (registry, plugin) = one_plugin(&fixture("counter"));
    let mut expected = 0;
    assert_allocates_nothing("plugin.call", || {
        expected += 2;
        assert_eq!(*plugin.call("add", &[WasmValue::I32(2)]).unwrap(), [WasmValue::I32(expected)]);
    });
    assert_allocates_nothing("registry.call", || {
        expected += 3;
        let results = registry.call("plugin", "add", &[WasmValue::I32(3)]).unwrap();
        assert_eq!(*results, [WasmValue::I32(expected)]);
    });
}

#[test]
fn a_fallback_for_a_plugin_in_quarantine_allocates_nothing() {
    let quarantine = Some(QuarantinePolicy::after(1).backoff_ms(u64::MAX, u64::MAX));
    let config = WasmInstanceConfig { quarantine, ..WasmInstanceConfig::default() };
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", &fixture("misbehaving/traps"), config).unwrap();
    let plugin = registry.get("plugin").unwrap();
    let ping: PluginFunction<(), i32> = plugin.function("ping").unwrap();
    assert_allocates_nothing("call_or that need not", || {
        assert_eq!(ping.call_or((), -1).unwrap(), 1);
        assert_eq!(*plugin.call_or("ping", &[], &[(-1).into()]).unwrap(), [WasmValue::I32(1)]);
    });
    plugin.call("unreachable", &[]).unwrap_err();
    assert_allocates_nothing("call_or in quarantine", || {
        assert_eq!(ping.call_or((), -1).unwrap(), -1);
        assert_eq!(*plugin.call_or("ping", &[], &[(-1).into()]).unwrap(), [WasmValue::I32(-1)]);
    });
}

#[test]
fn a_warm_call_under_narrowed_limits_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&fixture("counter"));
    let increment: PluginFunction<(), i32> = plugin.function("increment").unwrap();
    let options = CallOptions { fuel: Some(5_000), timeout_ms: Some(60_000), tag: 7 };
    let mut expected = 0;
    assert_allocates_nothing("call_with", || {
        expected += 1;
        let results = plugin.call_with("increment", &[], options).unwrap();
        assert_eq!(*results, [WasmValue::I32(expected)]);
    });
    assert_allocates_nothing("typed call_with", || {
        expected += 1;
        assert_eq!(increment.call_with((), options).unwrap(), expected);
    });
}

#[test]
fn a_warm_call_of_a_plugin_with_a_fuel_budget_allocates_nothing() {
    let registry = WasmPluginRegistry::new();
    let config = WasmInstanceConfig { fuel_budget: Some(1 << 40), ..config() };
    let plugin = load(&registry, "plugin", &fixture("counter"), config);
    assert_allocates_nothing("call on a budget", || {
        plugin.call("increment", &[]).unwrap();
        plugin.refuel();
    });
}

#[test]
fn a_warm_call_without_fuel_allocates_nothing() {
    let registry = WasmPluginRegistry::new();
    let mut config = WasmInstanceConfig { enable_fuel: false, ..config() };
    config.capabilities.timeout_ms = 0;
    let plugin = load(&registry, "plugin", &fixture("counter"), config);
    assert_allocates_nothing("call without fuel", || {
        plugin.call("increment", &[]).unwrap();
    });
}

#[test]
fn a_warm_call_through_a_lease_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&fixture("counter"));
    let increment: PluginFunction<(), i32> = plugin.function("increment").unwrap();
    let mut expected = 0;
    let mut lease = plugin.lease().unwrap();
    assert_allocates_nothing("lease.call", || {
        expected += 1;
        assert_eq!(*lease.call("increment", &[]).unwrap(), [WasmValue::I32(expected)]);
    });
    assert_allocates_nothing("call_in", || {
        expected += 1;
        assert_eq!(increment.call_in(&mut lease, ()).unwrap(), expected);
    });
}

#[test]
fn taking_and_returning_a_lease_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&fixture("counter"));
    let mut expected = 0;
    assert_allocates_nothing("lease", || {
        expected += 1;
        let results = plugin.lease().unwrap().call("increment", &[]).unwrap();
        assert_eq!(*results, [WasmValue::I32(expected)]);
    });
    assert_allocates_nothing("lease_owned", || {
        expected += 1;
        let results = plugin.lease_owned().unwrap().call("increment", &[]).unwrap();
        assert_eq!(*results, [WasmValue::I32(expected)]);
    });
}

#[test]
fn looking_into_a_leased_sandbox_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&wat(r#"(module
            (memory (export "memory") 1)
            (global (export "answer") i32 (i32.const 42)))"#));
    let mut lease = plugin.lease().unwrap();
    assert_allocates_nothing("read, write, memory_bytes, grow by nothing, global", || {
        let mut read = [0; 4];
        lease.write("memory", 65_532, &[1, 2, 3, 4]).unwrap();
        lease.read("memory", 65_532, &mut read).unwrap();
        assert_eq!(read, [1, 2, 3, 4]);
        assert_eq!(lease.memory_bytes("memory"), Some(65_536));
        assert_eq!(lease.grow("memory", 0).unwrap(), 1);
        assert_eq!(lease.global("answer"), Some(WasmValue::I32(42)));
    });
}

#[test]
fn a_warm_exchange_of_bytes_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&fixture("echo"));
    let input = [7; 1_000];
    let mut output = [0; 1_000];
    for function in ["echo", "copy"] {
        assert_allocates_nothing("call_bytes_into", || {
            output.fill(0);
            assert_eq!(plugin.call_bytes_into(function, &input, &mut output).unwrap(), 1_000);
            assert_eq!(output, input);
        });
    }
    let mut lease = plugin.lease().unwrap();
    assert_allocates_nothing("lease.call_bytes_into", || {
        assert_eq!(lease.call_bytes_into("length", &input, &mut output).unwrap(), 4);
        assert_eq!(output[..4], 1_000_u32.to_le_bytes());
    });
}

#[test]
fn a_plugin_in_rust_with_an_allocator_of_its_own_exchanges_bytes_without_the_host_s_heap() {
    let (_registry, plugin) = one_plugin(&fixture("text_transform"));
    let mut output = [0; 64];
    assert_allocates_nothing("text_transform.upper", || {
        let len = plugin.call_bytes_into("upper", b"quietly", &mut output).unwrap();
        assert_eq!(&output[..len], b"QUIETLY");
    });
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "validator", &fixture("row_validator"), config());
    assert_allocates_nothing("row_validator.validate", || {
        let row = b"7,Ada,ada@example.org,36";
        let len = plugin.call_bytes_into("validate", row, &mut output).unwrap();
        assert_eq!(&output[..len], b"ok");
    });
}

#[test]
fn an_answer_in_a_vector_costs_that_vector_and_nothing_else() {
    let (_registry, plugin) = one_plugin(&fixture("echo"));
    let mut lease = plugin.lease().unwrap();
    lease.call_bytes("echo", &[7; 100]).unwrap();
    let count = heap::allocations(|| {
        (0..1_000).for_each(|_| assert_eq!(lease.call_bytes("echo", &[7; 100]).unwrap(), [7; 100]));
    });
    assert_eq!(count, 1_000);
}

#[test]
fn handing_over_a_reference_the_sandbox_knows_allocates_nothing() {
    let (_registry, plugin) = one_plugin(&fixture("externref"));
    let numbers = || (1..=64).chain([0]).cycle();
    for number in numbers().take(65) {
        plugin.call("identity", &[WasmValue::ExternRef(number)]).unwrap();
    }
    let mut references = numbers().map(WasmValue::ExternRef);
    assert_allocates_nothing("references", || {
        let reference = references.next().unwrap();
        assert_eq!(*plugin.call("identity", &[reference]).unwrap(), [reference]);
    });
}

#[test]
fn looking_a_plugin_and_its_state_up_allocates_nothing() {
    let (registry, _plugin) = one_plugin(&fixture("counter"));
    assert_allocates_nothing("get, state, stats, signature, count", || {
        let plugin = registry.get("plugin").unwrap();
        assert_eq!(plugin.state(), wasm_runtime::WasmPluginState::Ready);
        assert_eq!(plugin.stats().trap_count, 0);
        assert!(plugin.signature("add").is_some());
        assert_eq!(plugin.functions().count(), 4);
        assert_eq!(registry.count(), 1);
    });
}
