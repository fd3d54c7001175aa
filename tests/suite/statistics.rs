//! What is counted: how calls were stopped, how long they took, and whose they were.

use crate::support::{
    StepClock, all_granted, assert_error, call_i32, config, fixture, load_hooked, wat,
};
use std::sync::Arc;
use wasm_runtime::{
    CallOptions, Compilation, DenyPolicy, ErrorKind, HostError, LatencyHistogram, TrapCode,
    TrapStats, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry,
    WasmPluginStats, WasmValue,
};

/// The kinds that were counted, each with its count.
fn stops(plugin: &WasmPluginInstance) -> Vec<(ErrorKind, Option<TrapCode>, u64)> {
    let told = plugin.trap_stats();
    let sum: u64 = told.iter().map(|stop| stop.count).sum();
    assert_eq!(sum, plugin.stats().trap_count);
    told.into_iter().map(|TrapStats { kind, trap_code, count }| (kind, trap_code, count)).collect()
}

fn load(
    registry: &WasmPluginRegistry,
    name: &str,
    wasm: &[u8],
    config: WasmInstanceConfig,
) -> Arc<WasmPluginInstance> {
    registry.load(name, wasm, config).unwrap();
    registry.get(name).unwrap()
}

#[test]
fn each_trap_is_counted_under_the_kind_and_code_of_its_error() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "t", &fixture("misbehaving/traps"), config(all_granted()));
    assert_eq!(stops(&plugin), []);
    let functions: Vec<_> = plugin.functions().map(str::to_string).collect();
    for function in functions.iter().filter(|name| *name != "ping") {
        let before = stops(&plugin);
        let error = plugin.call(function, &[]).unwrap_err();
        let key = (error.kind(), error.trap_code());
        let count = |stops: &[(ErrorKind, Option<TrapCode>, u64)]| {
            stops.iter().find(|stop| (stop.0, stop.1) == key).map_or(0, |stop| stop.2)
        };
        assert_eq!(count(&stops(&plugin)), count(&before) + 1, "{function}");
    }
    assert_eq!(stops(&plugin).len(), 8, "the fixture has eight trap codes");
}

#[test]
fn calls_stopped_at_a_limit_are_counted_by_that_limit() {
    let registry = WasmPluginRegistry::builder().clock(StepClock::new(1_000)).build().unwrap();
    let capabilities =
        WasmPluginCapabilities { fuel_limit: 10_000_000, timeout_ms: 10, ..all_granted() };
    let wasm = fixture("misbehaving/endless_loop");
    let plugin = load(&registry, "loop", &wasm, config(capabilities));
    plugin.call("run", &[]).unwrap_err();
    let little = CallOptions { fuel: Some(1_000), ..CallOptions::default() };
    for _ in 0..2 {
        plugin.call_with("run", &[], little).unwrap_err();
    }
    let expected = [(ErrorKind::OutOfFuel, None, 2), (ErrorKind::Deadline, None, 1)];
    assert_eq!(stops(&plugin), expected);
}

#[test]
fn calls_that_a_host_function_stopped_are_counted_apart_from_denied_ones() {
    let (_registry, plugin) = load_hooked(config(all_granted()), |_, answer| match answer {
        0 => Err(HostError::Abort("enough")),
        1 => Err(HostError::OutOfFuel),
        2 => Err(HostError::Deadline),
        status => Ok(status),
    });
    for answer in 0..4 {
        assert_eq!(call_i32(&plugin, "run", &[answer]).is_ok(), answer == 3);
    }
    let expected = [ErrorKind::OutOfFuel, ErrorKind::Deadline, ErrorKind::Host];
    assert_eq!(stops(&plugin), expected.map(|kind| (kind, None, 1)));

    let registry = WasmPluginRegistry::new();
    let denying = WasmInstanceConfig {
        on_denied: DenyPolicy::Trap,
        ..config(WasmPluginCapabilities { can_read_table: Vec::new(), ..all_granted() })
    };
    let thief = load(&registry, "thief", &fixture("misbehaving/forbidden_table"), denying);
    assert_error(&thief.call("read", &[]).unwrap_err(), ErrorKind::Denied, &[]);
    assert_eq!(stops(&thief), [(ErrorKind::Denied, None, 1)]);
}

#[test]
fn code_that_turns_out_to_be_invalid_when_it_is_called_is_counted_as_that() {
    // A function () -> i32 whose body is `nop`, compiled on its first call.
    let wasm = [
        &b"\0asm\x01\0\0\0"[..],
        &[1, 5, 1, 0x60, 0, 1, 0x7f],
        &[3, 2, 1, 0],
        &[7, 5, 1, 1, b'f', 0, 0],
        &[10, 5, 1, 3, 0, 0x01, 0x0b],
    ]
    .concat();
    let registry = WasmPluginRegistry::new();
    let lazy = WasmInstanceConfig { compilation: Compilation::Lazy, ..config(all_granted()) };
    let plugin = load(&registry, "lazy", &wasm, lazy);
    assert_error(&plugin.call("f", &[]).unwrap_err(), ErrorKind::InvalidModule, &[]);
    assert_eq!(stops(&plugin), [(ErrorKind::InvalidModule, None, 1)]);
}

#[test]
fn an_answer_that_breaks_the_byte_convention_is_no_trap() {
    let registry = WasmPluginRegistry::new();
    let plugin =
        load(&registry, "liar", &fixture("misbehaving/liar_answers"), config(all_granted()));
    for function in ["wild_ptr", "status7"] {
        assert_error(
            &plugin.call_bytes(function, b"x").unwrap_err(),
            ErrorKind::BadGuestAnswer,
            &[],
        );
    }
    assert_eq!(stops(&plugin), []);
}

/// `spin` costs 6 fuel a turn.
const SPIN: &str = r#"(module (func (export "spin") (param i32) (result i32)
    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0)))"#;

/// A plugin over a clock that goes on by so much at each reading.
fn timed(step_us: u64) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let registry = WasmPluginRegistry::builder().clock(StepClock::new(step_us)).build().unwrap();
    // A call that may take for ever would not be sliced.
    let grants = WasmPluginCapabilities { timeout_ms: 3_600_000, ..all_granted() };
    let plugin = load(&registry, "plugin", &wat(SPIN), config(grants));
    (registry, plugin)
}

fn spin(plugin: &WasmPluginInstance, turns: i32, calls: u32) {
    for _ in 0..calls {
        assert_eq!(call_i32(plugin, "spin", &[turns]).unwrap(), 0);
    }
}

/// The buckets that have calls, by their bounds.
fn buckets(latency: &LatencyHistogram) -> Vec<(u64, u64)> {
    let bounds = LatencyHistogram::BOUNDS_US.into_iter().chain([u64::MAX]);
    bounds.zip(latency.counts).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_short_call_is_taken_to_be_as_fast_as_those_that_were_timed() {
    let (_registry, plugin) = timed(50);
    // The first call is timed and tells nothing of the others; the 257th is the first sample.
    spin(&plugin, 1, 256);
    assert_eq!(buckets(&plugin.latency().unwrap()), [(1, 255), (64, 1)]);
    spin(&plugin, 1, 2_560);
    let latency = plugin.latency().unwrap();
    assert_eq!(buckets(&latency), [(1, 255), (64, 2_561)]);
    assert_eq!(latency.sum_us, 2_816 * 50);
    assert_eq!(latency.count(), 2_816);
}

#[test]
fn a_call_that_is_timed_in_part_has_its_first_slice_added() {
    let (_registry, plugin) = timed(2_048);
    spin(&plugin, 1, 1);
    // Read at the end of the first slice, at that of the second, and at the end of the call: that is
    // two steps, just at the bound; the first slice of 1,000 fuel lifts it over.
    spin(&plugin, 370, 1);
    let fuel = plugin.stats().total_fuel_consumed;
    assert!((2_001..2_600).contains(&fuel), "{fuel}");
    let latency = plugin.latency().unwrap();
    assert_eq!(buckets(&latency), [(4_096, 1), (16_384, 1)]);
    // The sum is estimated anew each time: by now those 1,000 are known to have been slow.
    let speed = 2 * 2_048 * 1_000 / (fuel - 1_000);
    assert!(latency.sum_us.abs_diff(3 * 2_048 + speed) < 100, "{latency:?}");
}

#[test]
fn counts_add_up_to_the_calls_however_they_ended_and_start_functions_are_none() {
    let registry = WasmPluginRegistry::builder().clock(StepClock::new(7)).build().unwrap();
    let wasm = wat(r#"(module (start $start) (func $start) (func (export "trap") (unreachable))
        (func (export "nothing")))"#);
    let plugin = load(&registry, "plugin", &wasm, config(all_granted()));
    assert_eq!(plugin.latency().unwrap(), LatencyHistogram::default());
    assert_eq!(plugin.stats().total_execution_us, 7, "a start function takes time");
    for _ in 0..100 {
        plugin.call("nothing", &[]).unwrap();
        plugin.call("trap", &[]).unwrap_err();
    }
    let stats = plugin.stats();
    assert_eq!((stats.total_calls, stats.sandboxes_started), (200, 100));
    assert_eq!(plugin.latency().unwrap().count(), 200);
    // Each start is timed, and no call: the 256th never comes.
    assert_eq!(plugin.latency().unwrap().sum_us, 0);
    assert_eq!(stats.total_execution_us, 100 * 7);
}

#[test]
fn an_estimate_of_time_is_never_taken_back() {
    let (_registry, plugin) = timed(1_000_000);
    spin(&plugin, 1, 1_000);
    let (slow, slow_stats) = (plugin.latency().unwrap(), plugin.stats());
    assert!(slow.sum_us > 900_000_000, "{slow:?}");
    // So much fuel for the same reading that the calls before seem to have been fast after all.
    for _ in 0..3 {
        spin(&plugin, 50_000, 256);
        let (latency, stats) = (plugin.latency().unwrap(), plugin.stats());
        assert!(latency.sum_us >= slow.sum_us, "{latency:?}");
        assert!(stats.total_execution_us >= slow_stats.total_execution_us, "{stats:?}");
    }
}

#[test]
fn without_a_clock_or_without_fuel_there_is_no_latency() {
    let registry = WasmPluginRegistry::new();
    let unmetered = WasmInstanceConfig { enable_fuel: false, ..config(all_granted()) };
    let plugin = load(&registry, "unmetered", &wat(SPIN), unmetered);
    spin(&plugin, 1, 3);
    assert_eq!(plugin.latency(), None);
    assert_eq!(plugin.stats().total_calls, 3);
    let plugin = load(&registry, "metered", &wat(SPIN), config(all_granted()));
    assert_eq!(plugin.latency().unwrap().count(), 0);
}

#[test]
fn a_tenant_s_statistics_are_the_sum_over_its_plugins_and_nobody_else_s() {
    let registry = WasmPluginRegistry::new();
    let of = |tenant: &str| WasmInstanceConfig { tenant: tenant.into(), ..config(all_granted()) };
    assert_eq!((registry.tenants(), registry.tenant_stats("b")), (vec![], Default::default()));
    let counter = load(&registry, "counter", &fixture("counter"), of("b"));
    let traps = load(&registry, "traps", &fixture("misbehaving/traps"), of("b"));
    let grower = load(&registry, "grower", &fixture("misbehaving/memory_grower"), of("a"));
    for _ in 0..3 {
        call_i32(&counter, "increment", &[]).unwrap();
    }
    traps.call("unreachable", &[]).unwrap_err();
    let second = load(&registry, "second", &fixture("misbehaving/traps"), of("a"));
    second.call("unreachable", &[]).unwrap_err();
    second.call("div_by_zero", &[]).unwrap_err();
    call_i32(&grower, "grow_by", &[5]).unwrap();
    assert_eq!(registry.tenants(), ["a", "b"]);
    let (one, other) = (counter.stats(), traps.stats());
    let sum = WasmPluginStats {
        total_calls: 4,
        total_fuel_consumed: one.total_fuel_consumed + other.total_fuel_consumed,
        total_execution_us: one.total_execution_us + other.total_execution_us,
        trap_count: 1,
        peak_memory_bytes: one.peak_memory_bytes.max(other.peak_memory_bytes),
        host_calls: 0,
        denied_host_calls: 0,
        sandboxes_started: 2,
    };
    assert_eq!(registry.tenant_stats("b"), sum);
    assert_eq!(registry.global_stats(), (7, 3));
    let (of_a, of_b) = (registry.tenant_trap_stats("a"), registry.tenant_trap_stats("b"));
    assert_eq!((of_a, of_b), (second.trap_stats(), traps.trap_stats()));
    let calls = |tenant: &str| registry.tenant_latency(tenant).map(|latency| latency.count());
    assert_eq!((calls("a"), calls("b"), calls("c")), (Some(3), Some(4), None));
    let sums = [&counter, &traps].map(|plugin| plugin.latency().unwrap().sum_us);
    assert_eq!(registry.tenant_latency("b").unwrap().sum_us, sums[0] + sums[1]);
    registry.unload("second").unwrap();
    assert_eq!(registry.tenant_stats("a"), grower.stats());
    registry.unload("traps").unwrap();
    assert_eq!(registry.tenant_stats("b"), counter.stats());
    registry.unload("counter").unwrap();
    assert_eq!(registry.tenants(), ["a"]);
    assert_eq!(registry.call("grower", "pages", &[]).unwrap()[0], WasmValue::I32(6));
}
