//! One sandbox held across several calls.

use crate::support::{all_granted, assert_error, call_i32, config, fixture, load, wat};
use std::sync::Arc;
use wasm_runtime::{
    ErrorKind, ModuleLimits, PluginLease, ResetPolicy, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginInstance, WasmPluginRegistry, WasmPluginState,
    WasmValue::{self, ExternRef, F32, F64, I32, I64},
};

fn plain(name: &str) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    load(&fixture(name), WasmInstanceConfig::default())
}

fn increment(lease: &mut PluginLease<'_>) -> i32 {
    lease.call("increment", &[]).unwrap()[0].as_i32().unwrap()
}

#[test]
fn calls_through_a_lease_share_one_state_that_nobody_else_sees() {
    let (_registry, plugin) = plain("counter");
    let mut first = plugin.lease().unwrap();
    let mut second = plugin.lease().unwrap();
    assert_eq!((increment(&mut first), increment(&mut first)), (1, 2));
    assert_eq!(increment(&mut second), 1);
    assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
    assert_eq!(increment(&mut first), 3);
    assert_eq!(first.plugin().name(), "plugin");
}

#[test]
fn a_sandbox_comes_back_from_a_lease_with_its_state() {
    let config = WasmInstanceConfig { max_instances: 1, ..WasmInstanceConfig::default() };
    let (_registry, plugin) = load(&fixture("counter"), config);
    increment(&mut plugin.lease().unwrap());
    assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 2);
    assert_eq!(increment(&mut plugin.lease().unwrap()), 3);
}

#[test]
fn typed_handles_and_byte_calls_work_in_a_lease() {
    let (_registry, plugin) = plain("counter");
    let add = plugin.function::<i32, i32>("add").unwrap();
    let mut lease = plugin.lease().unwrap();
    assert_eq!(add.call_in(&mut lease, 5).unwrap(), 5);
    assert_eq!(add.call_in(&mut lease, 5).unwrap(), 10);
    assert_eq!(add.call(1).unwrap(), 1);

    let (_registry, echo) = plain("echo");
    let mut lease = echo.lease().unwrap();
    assert_eq!(lease.call_bytes("copy", b"hello").unwrap(), b"hello");
    let mut output = [0; 4];
    assert_eq!(lease.call_bytes_into("copy", b"four", &mut output).unwrap(), 4);
    let error = lease.call_bytes_into("copy", b"fiver", &mut output).unwrap_err();
    assert_error(&error, ErrorKind::LimitExceeded, &["`plugin`", "`copy`"]);
    assert_eq!(output, *b"four");
    let error = lease.call_bytes("soch_free", b"").unwrap_err();
    assert_error(&error, ErrorKind::SignatureMismatch, &["`soch_free`"]);
}

#[test]
fn a_handle_does_not_run_in_another_plugin_s_lease() {
    let (_registry, counter) = plain("counter");
    let (_other, twin) = plain("counter");
    let add = counter.function::<i32, i32>("add").unwrap();
    let error = add.call_in(&mut twin.lease().unwrap(), 1).unwrap_err();
    assert_error(&error, ErrorKind::SignatureMismatch, &["lease"]);
    assert_eq!(call_i32(&twin, "get", &[]).unwrap(), 0);
}

#[test]
fn an_owned_lease_is_static_and_keeps_the_plugin() {
    let (registry, plugin) = plain("counter");
    let gone = Arc::downgrade(&plugin);
    let mut lease: PluginLease<'static> = plugin.lease_owned().unwrap();
    drop((registry, plugin));
    let lease = std::thread::spawn(move || {
        assert_eq!(increment(&mut lease), 1);
        lease
    });
    let mut lease = lease.join().unwrap();
    assert_eq!(increment(&mut lease), 2);
    drop(lease);
    assert!(gone.upgrade().is_none());
}

#[test]
fn exported_memories_are_read_and_written_by_their_names() {
    let (_registry, plugin) = plain("several_memories");
    let mut lease = plugin.lease().unwrap();
    let mut text = [0; 15];
    lease.read("memory", 16, &mut text).unwrap();
    assert_eq!(&text, b"from the second");
    lease.read("first", 16, &mut text).unwrap();
    assert_eq!(&text, b"from the first\0");
    lease.write("first", 65_535, b"!").unwrap();
    assert_eq!(*lease.call("peek", &[I32(0), I32(65_535)]).unwrap(), [I32(i32::from(b'!'))]);
    assert_eq!(*lease.call("peek", &[I32(1), I32(65_535)]).unwrap(), [I32(0)]);
    assert_eq!(lease.memory_bytes("first"), Some(65_536));
    // What is not exported, or is no memory, is not there.
    for name in ["third", "log", ""] {
        assert_eq!(lease.memory_bytes(name), None);
        let errors = [
            lease.read(name, 0, &mut []).unwrap_err(),
            lease.write(name, 0, &[]).unwrap_err(),
            lease.grow(name, 0).unwrap_err(),
        ];
        for error in errors {
            assert_error(&error, ErrorKind::FunctionNotFound, &["`plugin`", &format!("`{name}`")]);
        }
    }
}

#[test]
fn ranges_outside_of_a_memory_are_refused_and_nothing_is_touched() {
    let (_registry, plugin) = plain("counter");
    let mut lease = plugin.lease().unwrap();
    lease.write("memory", 65_532, b"last").unwrap();
    let mut into = *b"as it was";
    for offset in [65_528, 65_536, 1 << 32, u64::from(u32::MAX), 1 << 63, u64::MAX] {
        let error = lease.read("memory", offset, &mut into).unwrap_err();
        let says = ["`plugin`", "9 bytes", &offset.to_string(), "65536"];
        assert_error(&error, ErrorKind::LimitExceeded, &says);
        assert_eq!(&into, b"as it was");
        let error = lease.write("memory", offset, b"123456789").unwrap_err();
        assert_error(&error, ErrorKind::LimitExceeded, &says);
    }
    lease.read("memory", 65_527, &mut into).unwrap();
    assert_eq!(&into, b"\0\0\0\0\0last");
    // An empty range may lie at the end and no further.
    lease.read("memory", 65_536, &mut []).unwrap();
    lease.write("memory", 65_536, &[]).unwrap();
    assert_error(
        &lease.read("memory", 65_537, &mut []).unwrap_err(),
        ErrorKind::LimitExceeded,
        &[],
    );
}

#[test]
fn a_memory_is_grown_by_pages_of_its_own_size_within_its_limits() {
    let capabilities = WasmPluginCapabilities { memory_limit_bytes: 4 << 16, ..all_granted() };
    let (_registry, plugin) = load(&fixture("counter"), config(capabilities.clone()));
    let mut lease = plugin.lease().unwrap();
    assert_eq!(lease.grow("memory", 0).unwrap(), 1);
    assert_eq!(lease.grow("memory", 2).unwrap(), 1);
    assert_eq!(lease.memory_bytes("memory"), Some(3 << 16));
    for pages in [2, 1 << 16, 1 << 32, u64::MAX] {
        let error = lease.grow("memory", pages).unwrap_err();
        let says = ["`memory`", &pages.to_string(), "`memory_limit_bytes` 262144"];
        assert_error(&error, ErrorKind::LimitExceeded, &says);
    }
    assert_eq!(lease.grow("memory", 1).unwrap(), 3);
    drop(lease);

    let (_registry, plugin) = plain("custom_page_size");
    let mut lease = plugin.lease().unwrap();
    assert_eq!(lease.grow("memory", 2_048).unwrap(), 2_048);
    assert_error(&lease.grow("memory", 1).unwrap_err(), ErrorKind::LimitExceeded, &[]);
    assert_eq!(lease.memory_bytes("memory"), Some(4_096));

    let limits = ModuleLimits { max_growth_step_bytes: 1 << 16, ..ModuleLimits::default() };
    let (_registry, plugin) =
        load(&fixture("counter"), WasmInstanceConfig { limits, ..config(capabilities) });
    let mut lease = plugin.lease().unwrap();
    let error = lease.grow("memory", 2).unwrap_err();
    assert_error(&error, ErrorKind::LimitExceeded, &["`max_growth_step_bytes` 65536"]);
    assert_eq!(lease.grow("memory", 1).unwrap(), 1);
}

#[test]
fn exported_globals_are_read_as_they_stand() {
    let wasm = wat(r#"(module
            (global $count (export "count") (mut i32) (i32.const 7))
            (global (export "long") i64 (i64.const -8))
            (global (export "single") f32 (f32.const 0.5))
            (global (export "double") f64 (f64.const -0.25))
            (global $kept (export "kept") (mut externref) (ref.null extern))
            (global (export "function") funcref (ref.null func))
            (func (export "set") (param i32 externref)
                (global.set $count (local.get 0)) (global.set $kept (local.get 1))))"#);
    let (_registry, plugin) = load(&wasm, WasmInstanceConfig::default());
    let mut lease = plugin.lease().unwrap();
    let expected: [(&str, Option<WasmValue>); 8] = [
        ("count", Some(I32(7))),
        ("long", Some(I64(-8))),
        ("single", Some(F32(0.5))),
        ("double", Some(F64(-0.25))),
        ("kept", Some(ExternRef(0))),
        ("function", None),
        ("set", None),
        ("no such global", None),
    ];
    for (name, value) in expected {
        assert_eq!(lease.global(name), value, "{name}");
    }
    lease.call("set", &[I32(9), ExternRef(4)]).unwrap();
    assert_eq!((lease.global("count"), lease.global("kept")), (Some(I32(9)), Some(ExternRef(4))));
}

#[test]
fn after_a_trap_a_lease_goes_on_with_a_fresh_sandbox() {
    let wasm = wat(r#"(module (memory (export "memory") 1)
            (func (export "trap") (i32.store (i32.const 0) (i32.const 1)) (unreachable))
            (func (export "load") (result i32) (i32.load (i32.const 0))))"#);
    let (_registry, plugin) = load(&wasm, WasmInstanceConfig::default());
    let mut lease = plugin.lease().unwrap();
    lease.write("memory", 0, &[5]).unwrap();
    assert_eq!(*lease.call("load", &[]).unwrap(), [I32(5)]);
    assert_error(&lease.call("trap", &[]).unwrap_err(), ErrorKind::Trap, &["`trap`"]);
    assert_eq!(*lease.call("load", &[]).unwrap(), [I32(0)]);
    assert_eq!(plugin.stats().sandboxes_started, 2);
    lease.call("trap", &[]).unwrap_err();
    drop(lease);
    // A sandbox that trapped does not come back.
    assert_eq!(plugin.state(), WasmPluginState::Trapped);
    assert_eq!(call_i32(&plugin, "load", &[]).unwrap(), 0);
    assert_eq!(plugin.stats().sandboxes_started, 3);
}

#[test]
fn after_a_trap_a_lease_shows_what_the_guest_left_until_it_is_used_again() {
    let wasm = wat(r#"(module (memory (export "memory") 1 3)
            (global $count (export "count") (mut i32) (i32.const 7))
            (func (export "trap") (i32.store (i32.const 0) (i32.const 1)) (global.set $count (i32.const 8))
                (drop (memory.grow (i32.const 1))) (unreachable))
            (func (export "load") (result i32) (i32.load (i32.const 0))))"#);
    let (registry, plugin) = load(&wasm, WasmInstanceConfig::default());
    let mut lease = plugin.lease().unwrap();
    let mut byte = [0];
    for round in 1..=2 {
        lease.call("trap", &[]).unwrap_err();
        lease.read("memory", 0, &mut byte).unwrap();
        assert_eq!((byte, lease.global("count")), ([1], Some(I32(8))));
        assert_eq!(lease.memory_bytes("memory"), Some(2 << 16));
        // What is written or grown is there for the next call.
        match round {
            1 => lease.write("memory", 1, &[5]).unwrap(),
            _ => assert_eq!(lease.grow("memory", 2).unwrap(), 1),
        }
        assert_eq!(lease.global("count"), Some(I32(7)));
        assert_eq!(plugin.stats().sandboxes_started, 1 + round);
        let expected = if round == 1 { 0x500 } else { 0 };
        assert_eq!(*lease.call("load", &[]).unwrap(), [I32(expected)]);
        assert_eq!(plugin.stats().sandboxes_started, 1 + round);
    }
    assert_eq!(lease.memory_bytes("memory"), Some(3 << 16));
    // A plugin that is unloaded gets no fresh one.
    lease.call("trap", &[]).unwrap_err();
    registry.unload("plugin").unwrap();
    assert_error(&lease.write("memory", 0, &[]).unwrap_err(), ErrorKind::Unloaded, &["`plugin`"]);
}

#[test]
fn a_lease_keeps_its_state_under_reset_after_call_and_leaves_none_behind() {
    let config = WasmInstanceConfig {
        reset: ResetPolicy::AfterCall,
        max_instances: 1,
        ..WasmInstanceConfig::default()
    };
    let (_registry, plugin) = load(&fixture("counter"), config);
    let mut lease = plugin.lease().unwrap();
    assert_eq!((increment(&mut lease), increment(&mut lease)), (1, 2));
    drop(lease);
    assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
    assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
    assert_eq!(plugin.stats().trap_count, 0);
    assert_eq!(plugin.state(), WasmPluginState::Ready);
}
