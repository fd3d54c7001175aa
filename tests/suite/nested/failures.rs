//! Calls that fail: the status, and what `last_answer` says.

use super::asker::{Asker, LAST, granted};
use crate::support::fixture;
use wasm_runtime::{
    DenyPolicy, QuarantinePolicy, TrapCode, WasmInstanceConfig, WasmPluginCapabilities,
};

const REFUSED: u32 = 0;
const TRAPPED: u32 = 1;
const BUSY: u32 = 2;
const QUARANTINED: u32 = 3;
const BUDGET: u32 = 4;

#[test]
fn a_plugin_that_answers_a_status_refused_with_that_code() {
    let asker = Asker::new();
    for status in [-1, -2, -7, -100, -4095] {
        let answer = asker.explain("echo", "status", &i32::to_le_bytes(status));
        assert_eq!(answer, (-7, REFUSED, status));
    }
}

#[test]
fn a_plugin_that_trapped_is_told_with_its_trap_code_and_starts_afresh() {
    let asker = Asker::new();
    let code = TrapCode::UnreachableCodeReached.code();
    assert_eq!(asker.explain("echo", "trap", b"x"), (-7, TRAPPED, code));
    assert_eq!(asker.registry.get("echo").unwrap().stats().trap_count, 1);
    assert_eq!(asker.plugin.stats().trap_count, 0);
    assert_eq!(asker.ask("echo", "echo", b"hello", 64), 5);
    assert_eq!(asker.registry.get("echo").unwrap().stats().sandboxes_started, 2);
}

#[test]
fn a_plugin_that_was_stopped_for_a_denied_call_trapped_with_that_status() {
    let asker = Asker::new();
    let config = WasmInstanceConfig {
        on_denied: DenyPolicy::Trap,
        capabilities: WasmPluginCapabilities { timeout_ms: 0, ..Default::default() },
        ..WasmInstanceConfig::default()
    };
    asker.registry.load("sum", &fixture("aggregate"), config).unwrap();
    assert_eq!(asker.explain("sum", "sum", b"prices"), (-7, TRAPPED, -1));
}

#[test]
fn a_plugin_that_breaks_the_byte_convention_trapped_without_a_code() {
    let asker = Asker::new();
    for name in ["liar_alloc_zero", "liar_alloc_wild"] {
        asker.load(name, &format!("misbehaving/{name}"));
        assert_eq!(asker.explain(name, "echo", b"hello"), (-7, TRAPPED, 0), "{name}");
    }
    asker.load("liar", "misbehaving/liar_answers");
    for function in ["wild_ptr", "wild_len", "one_beyond", "empty_beyond", "wrapping", "lowest"] {
        assert_eq!(asker.explain("liar", function, b"hello"), (-7, TRAPPED, 0), "{function}");
    }
    assert_eq!(asker.explain("liar", "status4095", b"hello"), (-7, REFUSED, -4095));
}

#[test]
fn a_plugin_whose_sandboxes_are_all_in_use_is_busy() {
    let asker = Asker::new();
    let echo = asker.registry.get("echo").unwrap();
    let lease = echo.lease().unwrap();
    assert_eq!(asker.explain("echo", "echo", b"hello"), (-7, BUSY, 0));
    drop(lease);
    assert_eq!(asker.ask("echo", "echo", b"hello", 64), 5);
}

#[test]
fn a_plugin_in_quarantine_is_told_so_and_nothing_of_it_runs() {
    let quarantine = Some(QuarantinePolicy::after(2).backoff_ms(u64::MAX, u64::MAX));
    let asker = Asker::with(granted(), WasmInstanceConfig { quarantine, ..granted() });
    let echo = asker.registry.get("echo").unwrap();
    for _ in 0..2 {
        let code = TrapCode::UnreachableCodeReached.code();
        assert_eq!(asker.explain("echo", "trap", b"x"), (-7, TRAPPED, code));
    }
    let before = echo.stats();
    assert_eq!(asker.explain("echo", "echo", b"hello"), (-7, QUARANTINED, 0));
    assert_eq!(echo.stats(), before);
    assert!(echo.revive());
    assert_eq!(asker.ask("echo", "echo", b"hello", 64), 5);
}

#[test]
fn a_caller_that_leaves_too_little_fuel_does_not_put_its_callee_in_quarantine() {
    let quarantine = Some(QuarantinePolicy::after(1));
    let mut caller = granted();
    caller.capabilities.fuel_limit = 20_000;
    let asker = Asker::with(caller, granted());
    let looper = fixture("misbehaving/liar_alloc_loop");
    asker.registry.load("looper", &looper, WasmInstanceConfig { quarantine, ..granted() }).unwrap();
    assert_eq!(asker.ask("looper", "echo", b"hello", 0), -7);
    let looper = asker.registry.get("looper").unwrap();
    assert_eq!((looper.stats().trap_count, looper.quarantine()), (1, None));
}

#[test]
fn a_plugin_that_spent_its_own_fuel_is_told_as_the_budget() {
    let asker = Asker::new();
    asker.load("looper", "misbehaving/liar_alloc_loop");
    let mut config = granted();
    config.capabilities.fuel_limit = 10_000;
    asker.registry.unload("looper").unwrap();
    let wasm = fixture("misbehaving/liar_alloc_loop");
    asker.registry.load("looper", &wasm, config).unwrap();
    assert_eq!(asker.explain("looper", "echo", b"hello"), (-7, BUDGET, 0));
}

#[test]
fn a_plugin_without_a_fuel_budget_left_is_told_as_the_budget() {
    let config = WasmInstanceConfig { fuel_budget: Some(0), ..granted() };
    let asker = Asker::with(granted(), config);
    assert_eq!(asker.explain("echo", "echo", b"hello"), (-7, BUDGET, 0));
    assert_eq!(asker.registry.get("echo").unwrap().fuel_budget_left(), Some(0));
}

#[test]
fn what_does_not_exist_is_not_found() {
    let asker = Asker::new();
    let elsewhere = WasmInstanceConfig { tenant: "another".into(), ..granted() };
    asker.registry.load("foreign", &fixture("echo"), elsewhere).unwrap();
    asker.load("counter", "counter");
    asker.load("liar", "misbehaving/liar_answers");
    let nothing = [
        ("nobody", "echo"),
        ("foreign", "echo"),
        ("echo", "no_such_function"),
        ("echo", "Echo"),
        // Functions, but not of the byte convention.
        ("counter", "increment"),
        ("counter", "add"),
        ("liar", "answers_i32"),
        ("liar", "takes_one"),
    ];
    for (plugin, function) in nothing {
        assert_eq!(asker.ask(plugin, function, b"hello", 64), -2, "{plugin}.{function}");
    }
    assert_eq!(asker.registry.get("foreign").unwrap().stats().total_calls, 0);
    assert_eq!(asker.registry.get("counter").unwrap().stats().total_calls, 0);
}

#[test]
fn an_export_of_the_convention_is_denied() {
    let asker = Asker::new();
    for function in ["soch_alloc", "soch_free", "soch_nothing"] {
        assert_eq!(asker.ask("echo", function, b"hello", 64), -1, "{function}");
    }
    assert_eq!(asker.plugin.stats().denied_host_calls, 3);
    assert_eq!(asker.registry.get("echo").unwrap().stats().total_calls, 0);
}

#[test]
fn an_answer_longer_than_the_caller_keeps_is_minus_5_and_nothing_is_kept() {
    let mut config = granted();
    config.limits.max_answer_bytes = 1_000;
    let asker = Asker::with(config, granted());
    let ask =
        |len: u32| asker.ask_then(("echo", "answer_len", &len.to_le_bytes(), 64), (0, LAST, 64));
    assert_eq!(ask(1_000), (1_000, 64));
    assert_eq!(ask(1_001), (-5, 0));
    assert_eq!(asker.registry.get("echo").unwrap().stats().trap_count, 0);
    assert_eq!(ask(1_000), (1_000, 64));
}

#[test]
fn without_a_registry_there_is_nobody_to_call() {
    let Asker { registry, plugin } = Asker::new();
    let asker = Asker { registry: Default::default(), plugin };
    assert_eq!(asker.ask("echo", "echo", b"hello", 64), 5);
    drop(registry);
    assert_eq!(asker.ask("echo", "echo", b"hello", 64), -4);
    assert_eq!(asker.plugin.stats().trap_count, 0);
}
