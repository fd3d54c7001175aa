//! The audit ring holds each decision, and what it was about.

use crate::{
    probe::{FUNCTIONS, KEY, OUT, PLUGIN, Probe, TABLE, ordinary},
    support::{StepClock, all_granted, assert_error, config, fixture, load_hooked, wat},
};
use std::{iter, thread};
use wasm_runtime::{
    AuditDecision::{self, Denial, Grant, Limit, Load, Trap, Unload},
    AuditLevel, AuditRecord, CallOptions, DenyPolicy, EmbeddedHost, ErrorKind, Host, HostError,
    HostQuota, TrapCode, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry,
};

fn records<H: Host>(registry: &WasmPluginRegistry<H>) -> Vec<AuditRecord> {
    iter::from_fn(|| registry.audit().pop()).collect()
}

/// Decision, function, resource, status.
type Short<'r> = (AuditDecision, &'r str, &'r str, i32);

fn short(records: &[AuditRecord]) -> Vec<Short<'_>> {
    records.iter().map(|r| (r.decision(), r.function(), r.resource(), r.status())).collect()
}

/// A probe in a registry whose ring is empty.
fn probe(level: AuditLevel, config: WasmInstanceConfig) -> Probe {
    let registry = WasmPluginRegistry::builder().audit(level).build().unwrap();
    let probe = Probe::on(registry, config);
    records(&probe.registry);
    probe
}

fn nothing_granted() -> WasmInstanceConfig {
    let capabilities = WasmPluginCapabilities { timeout_ms: 0, ..Default::default() };
    WasmInstanceConfig { max_instances: 1, ..config(capabilities) }
}

fn read(probe: &Probe) -> i32 {
    probe.call("soch_read", &[TABLE.0, TABLE.1, KEY.0, KEY.1, OUT.0, OUT.1])
}

#[test]
fn a_load_is_recorded_with_its_hash_and_what_it_was_granted() {
    let registry = WasmPluginRegistry::new();
    let capabilities = WasmPluginCapabilities::read_only(vec!["users".into()]);
    let config = WasmInstanceConfig { tenant: "acme".into(), ..config(capabilities) };
    registry.load("spy", &fixture("misbehaving/forbidden_table"), config).unwrap();
    let records = records(&registry);
    let hash = registry.get("spy").unwrap().module_hash()[..8].to_vec();
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        short(&records),
        [
            (Load, "", hash.as_str(), 0),
            (Grant, "soch_read", "can_read_table", 0),
            (Grant, "soch_scan", "can_read_table", 0),
            (Denial, "soch_write", "can_write_table", -1),
            (Denial, "soch_delete", "can_write_table", -1),
        ]
    );
    assert!(records.iter().all(|r| (r.tenant(), r.plugin()) == ("acme", "spy")));
    let numbers: Vec<_> = records.iter().map(AuditRecord::sequence).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
}

#[test]
fn a_load_that_fails_is_recorded_with_its_reason() {
    let registry = WasmPluginRegistry::new();
    let config = WasmInstanceConfig { tenant: "acme".into(), ..WasmInstanceConfig::default() };
    registry.load("bad", b"no module", config).unwrap_err();
    let records = records(&registry);
    assert_eq!(short(&records), [(Load, "", "InvalidModule", -1)]);
    assert_eq!((records[0].tenant(), records[0].plugin()), ("acme", "bad"));
}

#[test]
fn a_start_function_that_traps_is_recorded_before_the_load_that_fails() {
    let registry = WasmPluginRegistry::new();
    let wasm = fixture("misbehaving/trap_start");
    registry.load("bad", &wasm, WasmInstanceConfig::default()).unwrap_err();
    let code = TrapCode::UnreachableCodeReached;
    let expected = [(Trap, "", "`unreachable` was executed", code.code()), (Load, "", "Trap", -1)];
    assert_eq!(short(&records(&registry)), expected);
}

#[test]
fn an_unload_is_recorded() {
    let probe = probe(AuditLevel::Decisions, ordinary());
    probe.registry.unload("probe").unwrap();
    assert_eq!(short(&records(&probe.registry)), [(Unload, "", "", 0)]);
}

#[test]
fn a_denial_is_recorded_with_what_was_asked_for_and_what_it_cost() {
    let probe = probe(AuditLevel::Decisions, nothing_granted());
    assert_eq!(read(&probe), -1);
    let name = probe.put(2_048, "größe".as_bytes());
    let key = [KEY.0, KEY.1];
    assert_eq!(probe.call("soch_delete", &[&[name.0, name.1], &key[..]].concat()), -1);
    let plugin = [PLUGIN.0, PLUGIN.1];
    let args = [&plugin[..], &plugin, &[0, 0], &[OUT.0, OUT.1]].concat();
    assert_eq!(probe.call("call_plugin", &args), -1);
    let records = records(&probe.registry);
    assert_eq!(
        short(&records),
        [
            (Denial, "soch_read", "users", -1),
            (Denial, "soch_delete", "größe", -1),
            (Denial, "call_plugin", "echo", -1),
        ]
    );
    let fuel: Vec<_> = records.iter().map(AuditRecord::fuel).collect();
    assert_eq!(fuel, [200, 200, 600], "the base cost, and no more");
}

#[test]
fn a_denial_that_ends_the_call_is_recorded_once() {
    let strict = WasmInstanceConfig { on_denied: DenyPolicy::Trap, ..nothing_granted() };
    let probe = probe(AuditLevel::Decisions, strict);
    let args = [TABLE.0, TABLE.1, KEY.0, KEY.1, OUT.0, OUT.1].map(wasm_runtime::WasmValue::I32);
    let error = probe.call_values("soch_read", &args).unwrap_err();
    assert_error(&error, ErrorKind::Denied, &[]);
    assert_eq!(short(&records(&probe.registry)), [(Denial, "soch_read", "users", -1)]);
}

#[test]
fn what_a_name_out_of_bounds_was_about_stays_empty() {
    let probe = probe(AuditLevel::HostCalls, ordinary());
    assert_eq!(probe.call("soch_read", &[-1, 5, KEY.0, KEY.1, OUT.0, OUT.1]), -3);
    let bad = probe.put(2_048, b"\xff\xff");
    assert_eq!(probe.call("soch_read", &[bad.0, bad.1, KEY.0, KEY.1, OUT.0, OUT.1]), -3);
    let expected = (Grant, "soch_read", "", -3);
    assert_eq!(short(&records(&probe.registry)), [expected; 2]);
}

#[test]
fn a_quota_that_is_reached_is_recorded() {
    let quota = HostQuota { max_rows: 0, ..HostQuota::default() };
    let probe =
        Probe::on(WasmPluginRegistry::with_host(EmbeddedHost::with_quota(quota)), ordinary());
    records(&probe.registry);
    let write = [TABLE.0, TABLE.1, KEY.0, KEY.1, KEY.0, KEY.1];
    assert_eq!(probe.call("soch_write", &write), -5);
    assert_eq!(short(&records(&probe.registry)), [(Limit, "soch_write", "users", -5)]);
}

#[test]
fn a_call_that_traps_or_reaches_a_limit_is_recorded() {
    let clock = StepClock::new(1_000);
    let registry = WasmPluginRegistry::builder().clock(clock).build().unwrap();
    let load = |name: &str, timeout_ms| {
        let capabilities = WasmPluginCapabilities { timeout_ms, ..Default::default() };
        registry
            .load(name, &fixture(&format!("misbehaving/{name}")), config(capabilities))
            .unwrap();
        records(&registry);
        registry.get(name).unwrap()
    };
    let traps = load("traps", 0);
    traps.call("div_by_zero", &[]).unwrap_err();
    let endless = load("endless_loop", 3);
    endless.call("run", &[]).unwrap_err();
    let options = CallOptions { fuel: Some(1_000), ..CallOptions::default() };
    endless.call_with("run", &[], options).unwrap_err();
    endless.call("ping", &[]).unwrap();
    let records = records(&registry);
    assert_eq!(
        short(&records),
        [(Limit, "run", "timeout_ms", 0), (Limit, "run", "fuel_limit", 0)],
        "what the first call left was taken by the second load"
    );
    assert!((900..=1_000).contains(&records[1].fuel()), "{}", records[1].fuel());
    assert!(records[0].time_us() < records[1].time_us());
    traps.call("div_by_zero", &[]).unwrap_err();
    let code = TrapCode::IntegerDivisionByZero;
    let expected = [(Trap, "div_by_zero", "integer division by zero", code.code())];
    assert_eq!(short(&self::records(&registry)), expected);
}

#[test]
fn a_called_plugin_that_traps_is_recorded_as_its_own() {
    let probe = probe(AuditLevel::Decisions, ordinary());
    probe.registry.load("echo", &fixture("echo"), config(all_granted())).unwrap();
    records(&probe.registry);
    let function = probe.put(2_048, b"trap");
    let args = [PLUGIN, function, (0, 0), OUT].map(|(ptr, len)| [ptr, len]).concat();
    assert_eq!(probe.call("call_plugin", &args), -7);
    let records = records(&probe.registry);
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].plugin(), records[0].function()), ("echo", "trap"));
    assert_eq!(records[0].decision(), Trap);
}

#[test]
fn a_host_function_that_stops_the_guest_is_recorded() {
    let (registry, plugin) =
        load_hooked(config(all_granted()), |_, _| Err(HostError::Abort("enough")));
    records(&registry);
    plugin.call("run", &[wasm_runtime::WasmValue::I32(1)]).unwrap_err();
    let expected = [(Trap, "run", "stopped by a host function", 0)];
    assert_eq!(short(&records(&registry)), expected);
}

#[test]
fn every_host_call_is_recorded_only_if_that_is_asked_for() {
    for (level, expected) in
        [(AuditLevel::Off, 0), (AuditLevel::Decisions, 0), (AuditLevel::HostCalls, FUNCTIONS.len())]
    {
        let probe = probe(level, ordinary());
        probe.registry.load("echo", &fixture("echo"), WasmInstanceConfig::default()).unwrap();
        records(&probe.registry);
        let functions: Vec<_> = FUNCTIONS.iter().collect();
        let statuses: Vec<_> = functions.iter().map(|f| probe.run(f, f.pairs)).collect();
        let records = records(&probe.registry);
        assert_eq!(records.len(), expected, "{level:?}");
        for ((record, function), status) in records.iter().zip(functions).zip(statuses) {
            assert_eq!((record.function(), record.status()), (function.name, status));
            assert_eq!(record.decision(), Grant);
            let named = function.names > 0;
            assert_eq!(!record.resource().is_empty(), named, "{record}");
        }
    }
}

#[test]
fn a_guest_that_is_denied_in_a_loop_leaves_the_records_of_others() {
    let probe = probe(AuditLevel::Decisions, nothing_granted());
    let load = |name: &str| {
        let tenant = WasmInstanceConfig { tenant: name.into(), ..nothing_granted() };
        Probe::beside(&probe.registry, name, tenant)
    };
    let other = load("other");
    records(&probe.registry);
    assert_eq!(read(&other), -1);
    let dropped = probe.registry.audit().dropped();
    let args = [10_000, TABLE.0, TABLE.1, KEY.0, KEY.1, OUT.0, OUT.1];
    let args = args.map(wasm_runtime::WasmValue::I32);
    let options = CallOptions::default();
    let result = probe.plugin.call_with("loop_soch_read", &args, options);
    assert!(result.is_err(), "it spends all of its fuel on denials");
    let denied = probe.plugin.stats().denied_host_calls;
    let records = records(&probe.registry);
    assert_eq!(records[0].tenant(), "other");
    assert_eq!(records.len(), 1 + 8 + 1, "eight denials, and how the call ended");
    assert_eq!(records[9].decision(), Limit);
    assert_eq!(probe.registry.audit().dropped() - dropped, denied - 8);
    assert_eq!(records[9].sequence() - records[0].sequence(), denied + 1, "the gap shows");
}

#[test]
fn a_guest_that_has_others_denied_or_trapped_in_a_loop_leaves_the_records_of_others() {
    let probe = probe(AuditLevel::Decisions, ordinary());
    let echo = fixture("echo");
    probe.registry.load("echo", &echo, config(all_granted())).unwrap();
    let denied = wat(
        r#"(module (import "soch_v1" "soch_read" (func $read (param i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (data (i32.const 0) "users")
            (func (export "soch_alloc") (param i32) (result i32) (i32.const 64))
            (func (export "trap") (param i32 i32) (result i64)
                (drop (call $read (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)))
                (i64.const 0)))"#,
    );
    probe.registry.load("deny", &denied, nothing_granted()).unwrap();
    for (callee, status) in [(b"echo", -7), (b"deny", 0)] {
        records(&probe.registry);
        let dropped = probe.registry.audit().dropped();
        let (name, function) = (probe.put(3_072, callee), probe.put(2_048, b"trap"));
        let args = [name, function, (0, 0), OUT].map(|(ptr, len)| [ptr, len]).concat();
        let args = [&[100][..], &args].concat();
        let args: Vec<_> = args.into_iter().map(wasm_runtime::WasmValue::I32).collect();
        let answer = probe.plugin.call("loop_call_plugin", &args).unwrap();
        assert_eq!(answer[0].as_i32(), Some(status));
        assert_eq!(records(&probe.registry).len(), 8, "{status}");
        assert_eq!(probe.registry.audit().dropped() - dropped, 100 - 8);
    }
}

#[test]
fn records_of_several_threads_are_each_there_once_or_counted_as_dropped() {
    const CALLS: u64 = 2_000;
    let registry = WasmPluginRegistry::builder().audit(AuditLevel::HostCalls).build().unwrap();
    let probe = Probe::on(registry, WasmInstanceConfig { max_instances: 4, ..ordinary() });
    records(&probe.registry);
    let before = probe.registry.audit().dropped();
    let mut seen = Vec::new();
    thread::scope(|scope| {
        let call = || {
            for _ in 0..CALLS {
                assert_eq!(probe.call("last_answer", &[0, 0, 0]), 0);
            }
        };
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(call)).collect();
        while callers.iter().any(|caller| !caller.is_finished()) {
            seen.extend(records(&probe.registry));
        }
    });
    seen.extend(records(&probe.registry));
    let dropped = probe.registry.audit().dropped();
    assert_eq!(seen.len() as u64 + dropped - before, 4 * CALLS);
    assert!(seen.windows(2).all(|pair| pair[0].sequence() < pair[1].sequence()));
}
