//! Plugins that call plugins.

use crate::support::{assert_allocates_nothing, config, fixture, load, one_plugin};
use wasm_runtime::WasmPluginRegistry;

/// `echo` and as many relays as asked for, each of which may call the others.
fn chain(relays: usize) -> WasmPluginRegistry {
    let registry = WasmPluginRegistry::new();
    load(&registry, "open_echo", &fixture("echo"), config());
    for n in 1..=relays {
        load(&registry, &format!("open_relay{n}"), &fixture("caller"), config());
    }
    registry
}

/// What `relay1` is given so that the payload goes through all relays to `echo`, and back.
fn relayed(relays: usize, payload: &[u8]) -> Vec<u8> {
    let mut input = Vec::new();
    for n in 2..=relays {
        input.extend_from_slice(format!("open_relay{n}\0relay\0").as_bytes());
    }
    input.extend_from_slice(b"open_echo\0copy\0");
    input.extend_from_slice(payload);
    input
}

#[test]
fn a_warm_call_that_goes_on_to_other_plugins_allocates_nothing_at_any_depth() {
    for relays in 1..=3 {
        let registry = chain(relays);
        let input = relayed(relays, b"payload");
        let first = registry.get("open_relay1").unwrap();
        let mut output = [0; 16];
        assert_allocates_nothing(&format!("{relays} relays and an echo"), || {
            let len = first.call_bytes_into("relay", &input, &mut output).unwrap();
            assert_eq!(&output[..len], b"payload");
        });
        for name in registry.list() {
            let calls = registry.get(&name).unwrap().stats().total_calls;
            assert_eq!(calls, 10_001, "{name}");
        }
    }
}

#[test]
fn a_callee_that_refuses_allocates_nothing() {
    let (registry, echo) = one_plugin(&fixture("echo"));
    drop(echo);
    let caller = load(&registry, "open_caller", &fixture("caller"), config());
    let mut output = [0; 16];
    // Not granted: `plugin` does not begin with `open`.
    assert_allocates_nothing("a callee that is not granted", || {
        let len = caller.call_bytes_into("explain", b"plugin\0echo\0", &mut output).unwrap();
        assert_eq!(explained(&output[..len]), (-1, 0, 0));
    });
    load(&registry, "open_echo", &fixture("echo"), config());
    let mut input = b"open_echo\0status\0".to_vec();
    input.extend_from_slice(&(-77_i32).to_le_bytes());
    assert_allocates_nothing("a callee that answers a status", || {
        let len = caller.call_bytes_into("explain", &input, &mut output).unwrap();
        assert_eq!(explained(&output[..len]), (-7, 0, -77));
    });
}

#[test]
fn a_callee_that_is_busy_allocates_nothing() {
    let registry = chain(1);
    let caller = registry.get("open_relay1").unwrap();
    let echo = registry.get("open_echo").unwrap();
    let _all_of_it = echo.lease().unwrap();
    let mut output = [0; 16];
    assert_allocates_nothing("a busy callee", || {
        let len = caller.call_bytes_into("explain", b"open_echo\0echo\0x", &mut output).unwrap();
        assert_eq!(explained(&output[..len]), (-7, 2, 0));
    });
}

#[test]
fn a_call_that_would_come_back_allocates_nothing() {
    let registry = chain(2);
    let caller = registry.get("open_relay1").unwrap();
    let mut input = b"open_relay2\0explain\0".to_vec();
    input.extend_from_slice(b"open_relay1\0relay\0");
    let mut output = [0; 16];
    assert_allocates_nothing("a cycle", || {
        let len = caller.call_bytes_into("relay", &input, &mut output).unwrap();
        assert_eq!(explained(&output[..len]), (-7, 0, 0));
    });
}

/// The status, reason and code that `explain` answers.
fn explained(answer: &[u8]) -> (i32, u32, i32) {
    let word = |at: usize| answer[at..at + 4].try_into().unwrap();
    (i32::from_le_bytes(word(0)), u32::from_le_bytes(word(4)), i32::from_le_bytes(word(8)))
}
