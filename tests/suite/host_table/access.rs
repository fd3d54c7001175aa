//! What a function sees of its caller: names, settings, memory, time.

use super::{Call, forward, load, plain};
use crate::support::{StepClock, wat};
use std::sync::{Arc, Mutex};
use wasm_runtime::{
    CallOptions, EmbeddedHost, ErrorKind, Grant, HostCall, HostCost, HostError, HostFunctionTable,
    WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

/// A plugin whose `run` calls `f`, and its memory, which counts up from 0 in its first 256 bytes.
fn plugin_with<F>(params: &str, define: F) -> (WasmPluginRegistry, Arc<WasmPluginInstance>)
where
    F: FnOnce(&mut HostFunctionTable<EmbeddedHost>) -> Result<(), wasm_runtime::Error>,
{
    let mut table = HostFunctionTable::new();
    define(&mut table).unwrap();
    let config = WasmInstanceConfig {
        tenant: "acme".into(),
        settings: vec![("color".into(), "blue".into())],
        capabilities: WasmPluginCapabilities {
            can_read_table: vec!["AB".into()],
            ..plain().capabilities
        },
        ..plain()
    };
    let loaded = load(EmbeddedHost::new(), table, &forward(params, "i32"), config);
    let counting: Vec<u8> = (0..=255).collect();
    loaded.1.lease().unwrap().write("memory", 0, &counting).unwrap();
    loaded
}

fn run(plugin: &WasmPluginInstance, args: &[i32]) -> i32 {
    let args: Vec<_> = args.iter().copied().map(WasmValue::I32).collect();
    plugin.call("run", &args).unwrap()[0].as_i32().unwrap()
}

#[test]
fn a_function_that_decides_by_its_argument_sees_the_grants() {
    let (_registry, plugin) = plugin_with("i32 i32", |table| {
        table.define(
            "env",
            "f",
            Grant::Always,
            HostCost::default(),
            |call: Call<'_, '_>, ptr: i32, len: i32| -> Result<i32, HostError> {
                let table = str::from_utf8(call.bytes(ptr, len)?).unwrap_or_default();
                Ok(i32::from(call.capabilities().can_read(table)))
            },
        )
    });
    // The memory counts up: "AB" is at 0x41, "BC" one further.
    assert_eq!(run(&plugin, &[0x41, 2]), 1);
    assert_eq!(run(&plugin, &[0x42, 2]), 0);
}

#[test]
fn a_function_writes_where_the_guest_says_and_nowhere_else() {
    let (_registry, plugin) = plugin_with("i32 i32", |table| {
        table.define(
            "env",
            "f",
            Grant::Always,
            HostCost::default(),
            |call: Call<'_, '_>, ptr: i32, len: i32| -> Result<i32, HostError> {
                let (first, rest) = ([0xaa_u8; 2], vec![0xbb; len.unsigned_abs() as usize]);
                call.write(ptr, &first)?;
                call.write(ptr.wrapping_add(2), &rest)?;
                Ok(call.bytes(ptr, 1)?.len() as i32)
            },
        )
    });
    let memory = |from: u64| {
        let mut bytes = [0; 6];
        plugin.lease().unwrap().read("memory", from, &mut bytes).unwrap();
        bytes
    };
    assert_eq!(run(&plugin, &[0x10, 3]), 1);
    assert_eq!(memory(0x0f), [0x0f, 0xaa, 0xaa, 0xbb, 0xbb, 0xbb]);
    assert_eq!(memory(0x14)[1..], [0x15, 0x16, 0x17, 0x18, 0x19]);
    // The last bytes of the page: the second part does not fit, and is not begun.
    assert_eq!(run(&plugin, &[0xfffd, 2]), -3);
    assert_eq!(memory(0xfffa), [0, 0, 0, 0xaa, 0xaa, 0]);
    assert_eq!(run(&plugin, &[0xffff, 0]), -3);
    assert_eq!(run(&plugin, &[-1, 0]), -3);
}

#[test]
fn a_function_sees_the_plugin_its_tenant_its_settings_and_the_call_s_tag() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let (_registry, plugin) = plugin_with("", |table| {
        table.define(
            "env",
            "f",
            Grant::Always,
            HostCost::default(),
            move |call: Call<'_, '_>| -> Result<i32, HostError> {
                let names = [call.plugin(), call.tenant()].map(str::to_string);
                let settings = ["color", "colour"].map(|name| call.setting(name).map(String::from));
                record.lock().unwrap().push((names, settings, call.tag()));
                Ok(0)
            },
        )
    });
    run(&plugin, &[]);
    let options = CallOptions { tag: 0xfeed_f00d_dead_beef, ..CallOptions::default() };
    plugin.call_with("run", &[], options).unwrap();
    run(&plugin, &[]);
    let seen = seen.lock().unwrap();
    for (names, settings, _) in &*seen {
        assert_eq!(*names, ["plugin", "acme"]);
        assert_eq!(*settings, [Some("blue".to_string()), None]);
    }
    let tags: Vec<_> = seen.iter().map(|(_, _, tag)| *tag).collect();
    assert_eq!(tags, [0, 0xfeed_f00d_dead_beef, 0]);
}

#[test]
fn a_function_reaches_the_host() {
    let (registry, plugin) = plugin_with("", |table| {
        table.define(
            "env",
            "f",
            Grant::Always,
            HostCost::default(),
            |call: Call<'_, '_>| -> Result<i32, HostError> {
                let row = call.host().get(call.tenant(), "users", b"key");
                row.map_or(Err(HostError::NotFound), |row| Ok(row.len() as i32))
            },
        )
    });
    assert_eq!(run(&plugin, &[]), -2);
    registry.host().put("acme", "users", b"key", b"row").unwrap();
    assert_eq!(run(&plugin, &[]), 3);
}

#[test]
fn bytes_are_the_guest_s_memory_within_its_bounds() {
    let (_registry, plugin) = plugin_with("i32 i32", |table| {
        table.define(
            "env",
            "f",
            Grant::Always,
            HostCost::default(),
            |call: Call<'_, '_>, ptr: i32, len: i32| -> Result<i32, HostError> {
                // As often as one likes.
                assert_eq!(call.bytes(ptr, len)?, call.bytes(ptr, len)?);
                Ok(call.bytes(ptr, len)?.iter().map(|byte| i32::from(*byte)).sum())
            },
        )
    });
    assert_eq!(run(&plugin, &[3, 4]), 3 + 4 + 5 + 6);
    assert_eq!(run(&plugin, &[65_536, 0]), 0);
    for (ptr, len) in [(65_536, 1), (65_537, 0), (-1, 1), (0, -1), (65_535, 2)] {
        assert_eq!(run(&plugin, &[ptr, len]), -3, "{ptr} {len}");
    }
}

/// Copies the first input and then the second to the output; answers how much it wrote.
fn concatenate(
    call: &mut HostCall<'_, EmbeddedHost>,
    first: (i32, i32),
    second: (i32, i32),
    output: (i32, i32),
) -> Result<i32, HostError> {
    let ([first, second], mut output) = call.split([first, second], output)?;
    let both = [first, second].concat();
    output.write_value(call, &both)?;
    Ok(output.len() as i32)
}

#[test]
fn a_split_gives_inputs_and_an_output_that_overlaps_none() {
    let (_registry, plugin) = plugin_with("i32 i32 i32 i32 i32 i32", |table| {
        table.define(
            "env",
            "f",
            Grant::Always,
            HostCost::default(),
            |call: Call<'_, '_>, a: i32, b: i32, c: i32, d: i32, e: i32, f: i32| {
                concatenate(call, (a, b), (c, d), (e, f))
            },
        )
    });
    assert_eq!(run(&plugin, &[1, 2, 10, 3, 1024, 64]), 5);
    let mut bytes = [0; 6];
    plugin.lease().unwrap().read("memory", 1024, &mut bytes).unwrap();
    assert_eq!(bytes, [1, 2, 10, 11, 12, 0]);
    // The output between the inputs; inputs that overlap; an output without room.
    assert_eq!(run(&plugin, &[1, 2, 100, 3, 50, 5]), 5);
    assert_eq!(run(&plugin, &[1, 9, 1, 9, 1024, 64]), 18);
    assert_eq!(run(&plugin, &[1, 2, 10, 3, 1024, 4]), 0);
    assert_eq!(run(&plugin, &[1, 2, 10, 3, 1, 0]), 0);
    for output in [(1, 1), (0, 2), (2, 64), (12, 1), (65_536, 1), (-1, 1)] {
        assert_eq!(run(&plugin, &[1, 2, 10, 3, output.0, output.1]), -3, "{output:?}");
    }
}

#[test]
fn the_memory_can_be_split_once_a_call() {
    let (_registry, plugin) = plugin_with("", |table| {
        table.define(
            "env",
            "f",
            Grant::Always,
            HostCost::default(),
            |call: Call<'_, '_>| -> Result<i32, HostError> {
                call.split([(0, 1)], (8, 8))?;
                assert_eq!(call.bytes(0, 1), Err(HostError::InvalidArguments));
                assert_eq!(call.split([], (8, 8)).unwrap_err(), HostError::InvalidArguments);
                Ok(9)
            },
        )
    });
    assert_eq!(run(&plugin, &[]), 9);
    assert_eq!(run(&plugin, &[]), 9);
}

#[test]
fn a_guest_without_a_memory_has_no_bytes() {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let f = |call: Call<'_, '_>| -> Result<i32, HostError> { Ok(call.bytes(0, 0)?.len() as i32) };
    table.define("env", "f", Grant::Always, HostCost::default(), f).unwrap();
    let text = r#"(module (import "env" "f" (func $f (result i32)))
      (func (export "run") (result i32) (call $f)))"#;
    let (_registry, plugin) = load(EmbeddedHost::new(), table, text, plain());
    assert_eq!(run(&plugin, &[]), -3);
}

#[test]
fn a_long_loop_in_the_host_ends_at_its_checkpoint_after_the_deadline() {
    let rounds = Arc::new(Mutex::new(0_u64));
    let count = Arc::clone(&rounds);
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let f = move |call: Call<'_, '_>| -> Result<i32, HostError> {
        loop {
            *count.lock().unwrap() += 1;
            call.checkpoint()?;
        }
    };
    table.define("env", "f", Grant::Always, HostCost::default(), f).unwrap();
    let registry = WasmPluginRegistry::builder()
        .functions(table)
        .clock(StepClock::new(1_000))
        .build()
        .unwrap();
    let mut config = plain();
    config.capabilities.timeout_ms = 50;
    registry.load("plugin", &wat(&forward("", "i32")), config).unwrap();
    for timeout_ms in [None, Some(20)] {
        *rounds.lock().unwrap() = 0;
        let plugin = registry.get("plugin").unwrap();
        let options = CallOptions { timeout_ms, ..CallOptions::default() };
        let error = plugin.call_with("run", &[], options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadline);
        // Each checkpoint reads the clock once, a millisecond later.
        let expected = timeout_ms.unwrap_or(50);
        let rounds = *rounds.lock().unwrap();
        assert!(rounds.abs_diff(expected) <= 2, "{rounds} rounds in {expected} ms");
    }
}

#[test]
fn a_checkpoint_of_a_call_without_a_timeout_always_goes_on() {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let f = |call: Call<'_, '_>| -> Result<i32, HostError> {
        (0..10_000).try_for_each(|_| call.checkpoint())?;
        Ok(1)
    };
    table.define("env", "f", Grant::Always, HostCost::default(), f).unwrap();
    let (_registry, plugin) = load(EmbeddedHost::new(), table, &forward("", "i32"), plain());
    assert_eq!(run(&plugin, &[]), 1);
}
