//! Plugins that call plugins that call plugins.

use super::asker::granted;
use crate::support::fixture;
use wasm_runtime::{ErrorKind, WasmPluginRegistry};

/// A registry with the fixture `caller` under the names `c1`, `c2` and so on.
fn callers(n: u32, max_call_depth: u32) -> WasmPluginRegistry {
    let registry = WasmPluginRegistry::new();
    for i in 1..=n {
        let mut config = granted();
        config.limits.max_call_depth = max_call_depth;
        registry.load(&format!("c{i}"), &fixture("caller"), config).unwrap();
    }
    registry.load("echo", &fixture("echo"), granted()).unwrap();
    registry
}

/// What `c1` is to be given so that the plugins relay to one another and the last explains how its
/// call of `end` went.
fn path(relays: &[&str], end: &str) -> Vec<u8> {
    let mut input: Vec<u8> = Vec::new();
    for (i, plugin) in relays.iter().enumerate() {
        let function = if i + 1 == relays.len() { "explain" } else { "relay" };
        input.extend(format!("{plugin}\0{function}\0").bytes());
    }
    input.extend(format!("{end}\0echo\0hi").bytes());
    input
}

/// Status or length, reason and code that `explain` answers.
fn explain(registry: &WasmPluginRegistry, relays: &[&str], end: &str) -> [i32; 3] {
    let answer = registry.get("c1").unwrap().call_bytes("relay", &path(relays, end)).unwrap();
    let numbers: Vec<_> =
        answer.chunks(4).map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap())).collect();
    numbers.try_into().unwrap()
}

fn names(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|i| format!("c{i}")).collect()
}

#[test]
fn eight_plugins_may_call_one_another_and_a_ninth_answers_minus_5() {
    let registry = callers(9, 8);
    for (last, expected) in [(2, 2), (6, 2), (7, 2), (8, -5)] {
        let relays = names(2..=last);
        let relays: Vec<_> = relays.iter().map(String::as_str).collect();
        assert_eq!(explain(&registry, &relays, "echo"), [expected, 0, 0], "c1 to c{last}");
    }
    // The eighth could call nobody at all.
    assert_eq!(registry.get("echo").unwrap().stats().total_calls, 3);
}

#[test]
fn the_deepest_chain_is_what_the_caller_s_configuration_says() {
    let registry = callers(3, 2);
    assert_eq!(registry.get("c1").unwrap().call_bytes("relay", b"echo\0echo\0hi").unwrap(), b"hi");
    assert_eq!(explain(&registry, &["c2"], "echo"), [-5, 0, 0]);

    let registry = callers(1, 1);
    let error = registry.get("c1").unwrap().call_bytes("relay", b"echo\0echo\0hi").unwrap_err();
    assert_eq!(error.guest_status(), Some(-5));
}

#[test]
fn the_deepest_chain_that_can_be_allowed_has_sixteen_plugins() {
    let registry = callers(16, 16);
    let relays = names(2..=15);
    let relays: Vec<_> = relays.iter().map(String::as_str).collect();
    assert_eq!(explain(&registry, &relays, "echo"), [2, 0, 0]);
    let relays = names(2..=16);
    let relays: Vec<_> = relays.iter().map(String::as_str).collect();
    assert_eq!(explain(&registry, &relays, "echo"), [-5, 0, 0]);

    let mut config = granted();
    config.limits.max_call_depth = 17;
    let error = registry.load("deeper", &fixture("caller"), config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[test]
fn a_plugin_that_is_running_already_refuses_to_be_entered_again() {
    let registry = callers(3, 8);
    // Itself, directly; then over one and over two others.
    assert_eq!(explain(&registry, &["c2"], "c2"), [-7, 0, 0]);
    assert_eq!(explain(&registry, &["c2"], "c1"), [-7, 0, 0]);
    assert_eq!(explain(&registry, &["c2", "c3"], "c1"), [-7, 0, 0]);
    assert_eq!(explain(&registry, &["c2", "c3"], "c2"), [-7, 0, 0]);
    // Also if it has sandboxes left.
    let mut config = granted();
    config.max_instances = 4;
    registry.load("many", &fixture("caller"), config).unwrap();
    assert_eq!(explain(&registry, &["many"], "many"), [-7, 0, 0]);
    assert_eq!(registry.global_stats().1, 0);
    assert_eq!(explain(&registry, &["c2", "c3"], "echo"), [2, 0, 0]);
}

#[test]
fn a_plugin_may_be_called_again_once_it_has_returned() {
    let registry = callers(2, 8);
    for _ in 0..3 {
        assert_eq!(explain(&registry, &["c2"], "echo"), [2, 0, 0]);
    }
    assert_eq!(registry.get("c2").unwrap().stats().total_calls, 3);
}

#[test]
fn a_failure_deep_in_a_chain_reaches_everyone_above_as_a_status() {
    let registry = callers(2, 8);
    // c2 relays the -7 it got of echo, which c1 sees as a refusal with that code.
    let caller = registry.get("c1").unwrap();
    let answer = caller.call_bytes("explain", b"c2\0relay\0echo\0trap\0x").unwrap();
    assert_eq!(answer, [-7_i32, 0, -7].map(i32::to_le_bytes).concat());
    assert_eq!(registry.global_stats().1, 1);
}
