//! A call that was stopped leaves a report of what is known of it.

use crate::{
    probe::{KEY, OUT, Probe, TABLE, ordinary},
    support::{all_granted, assert_error, config, fixture, load, load_error, wat},
};
use wasm_runtime::{
    CallOptions, DenyPolicy, ErrorKind, TrapCode, WasmInstanceConfig, WasmPluginCapabilities,
    WasmValue,
};

/// Reads a setting, logs, and traps in a function that no export names.
const TALKATIVE: &str = r#"(module $talkative
    (import "soch_v1" "get_config" (func $config (param i32 i32 i32 i32) (result i32)))
    (import "soch_v1" "log_message" (func $log (param i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 0) "colourabout to fail")
    (func $divide (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
    (func $shop::price_of (export "price") (export "cost") (param i32) (result i32)
        (drop (call $config (i32.const 0) (i32.const 6) (i32.const 64) (i32.const 8)))
        (drop (call $log (i32.const 7) (i32.const 0) (i32.const 6)))
        (drop (call $log (i32.const 1) (i32.const 6) (i32.const 13)))
        (call $divide (local.get 0)))
    (func $same (export "same") unreachable))"#;

#[test]
fn a_trap_tells_all_that_is_known_of_it() {
    let (_registry, plugin) = load(&wat(TALKATIVE), config(all_granted()));
    assert_eq!(*plugin.call("price", &[WasmValue::I32(1)]).unwrap(), [WasmValue::I32(1)]);
    let before = plugin.stats().total_fuel_consumed;
    let options = CallOptions { fuel: Some(50_000), ..CallOptions::default() };
    let error = plugin.call_with("cost", &[WasmValue::I32(0)], options).unwrap_err();
    let report = error.trap_report().unwrap();
    assert_eq!(report.kind, ErrorKind::Trap);
    assert_eq!(report.trap_code, Some(TrapCode::IntegerDivisionByZero));
    assert_eq!(report.function, "cost");
    assert_eq!(report.debug_name.as_deref(), Some("shop::price_of"));
    assert_eq!(report.fuel_spent, plugin.stats().total_fuel_consumed - before);
    assert_eq!(report.fuel_limit, 50_000);
    assert_eq!(report.memory_bytes, 2 << 16);
    assert_eq!(report.last_log, "about to fail");
    let calls: Vec<_> = report.host_calls.iter().map(|c| (&*c.function, c.status)).collect();
    let expected = [("get_config", Some(-2)), ("log_message", Some(-3)), ("log_message", Some(0))];
    assert_eq!(calls, expected);
    let fuel = report.fuel_spent;
    assert_eq!(
        report.to_string(),
        format!(
            "trap: integer division by zero\n  \
             in \"cost\", in the source \"shop::price_of\"\n  \
             fuel {fuel} of 50000\n  \
             memory 131072 bytes\n  \
             last host calls: get_config = -2; log_message = -3; log_message = 0;\n  \
             last log line: \"about to fail\""
        )
    );
}

#[test]
fn a_name_that_says_no_more_than_the_export_is_left_out() {
    let (_registry, plugin) = load(&wat(TALKATIVE), config(all_granted()));
    let error = plugin.call("same", &[]).unwrap_err();
    assert_eq!(error.trap_report().unwrap().debug_name, None);
}

#[test]
fn each_call_s_report_begins_anew() {
    let (_registry, plugin) = load(&wat(TALKATIVE), config(all_granted()));
    plugin.call("price", &[WasmValue::I32(0)]).unwrap_err();
    plugin.call("price", &[WasmValue::I32(1)]).unwrap();
    let error = plugin.call("same", &[]).unwrap_err();
    let report = error.trap_report().unwrap();
    assert_eq!((report.host_calls.len(), report.last_log.as_str()), (0, ""));
}

#[test]
fn the_last_eight_host_calls_are_kept_the_latest_last() {
    let strict = WasmPluginCapabilities { timeout_ms: 0, ..Default::default() };
    let strict =
        WasmInstanceConfig { on_denied: DenyPolicy::Trap, max_instances: 1, ..config(strict) };
    let probe = Probe::with(strict);
    let args = [TABLE.0, TABLE.1, KEY.0, KEY.1, OUT.0, OUT.1].map(WasmValue::I32);
    let error = probe.call_values("soch_read", &args).unwrap_err();
    assert_error(&error, ErrorKind::Denied, &["soch_read"]);
    let report = error.trap_report().unwrap();
    assert_eq!((report.kind, report.trap_code), (ErrorKind::Denied, None));
    let calls: Vec<_> = report.host_calls.iter().map(|c| (&*c.function, c.status)).collect();
    assert_eq!(calls, [("soch_read", Some(-1))]);

    let probe = Probe::with(ordinary());
    let args = [i32::MAX, TABLE.0, TABLE.1, KEY.0, KEY.1, OUT.0, OUT.1].map(WasmValue::I32);
    let error = probe.plugin.call("loop_soch_read", &args).unwrap_err();
    let report = error.trap_report().unwrap();
    assert_eq!(report.kind, ErrorKind::OutOfFuel);
    assert_eq!(report.host_calls.len(), 8);
    // The last one may be the one that could not pay.
    assert!(report.host_calls.iter().take(7).all(|call| call.status == Some(-2)));
}

#[test]
fn a_start_function_that_traps_is_reported_too() {
    let text = r#"(module
        (import "soch_v1" "log_message" (func $log (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "starting")
        (func $start (drop (call $log (i32.const 1) (i32.const 0) (i32.const 8))) unreachable)
        (start $start))"#;
    let error = load_error(&wat(text), WasmInstanceConfig::default());
    let report = error.trap_report().unwrap();
    assert_eq!(report.trap_code, Some(TrapCode::UnreachableCodeReached));
    assert_eq!((report.function.as_str(), report.last_log.as_str()), ("", "starting"));
    assert_eq!(report.host_calls.len(), 1);
    assert!(report.fuel_spent >= 120 && report.memory_bytes == 1 << 16, "{report}");
    assert!(report.to_string().contains("in the start function"), "{report}");
    assert_eq!(error.last_log(), "starting");
}

#[test]
fn an_error_of_a_call_that_was_not_stopped_has_no_report() {
    let (_registry, plugin) = load(&fixture("echo"), config(all_granted()));
    let minus_one = (-1_i32).to_le_bytes();
    let errors = [
        plugin.call("no_such_function", &[]).unwrap_err(),
        plugin.call("echo", &[]).unwrap_err(),
        plugin.call_bytes("status", &minus_one).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.trap_report().is_none()));
    assert!(plugin.call_bytes("trap", b"x").unwrap_err().trap_report().is_some());
}

#[test]
fn a_name_section_of_any_shape_never_stops_a_load() {
    let wasm = wat(r#"(module (func (export "run") unreachable))"#);
    // Subsection 1 of two functions: `run` by another name, and one that the module has not.
    let good = b"\x01\x0c\x02\x00\x02ab\x09\x05ghost";
    for end in 0..=good.len() {
        let mut named = wasm.clone();
        named.extend([0, u8::try_from(5 + end).unwrap(), 4]);
        named.extend(b"name");
        named.extend(&good[..end]);
        let (_registry, plugin) = load(&named, config(all_granted()));
        let error = plugin.call("run", &[]).unwrap_err();
        let name = error.trap_report().unwrap().debug_name.clone();
        assert_eq!(name.is_some(), end == good.len(), "{end}: {name:?}");
    }
}

#[test]
fn of_a_flood_of_names_for_one_function_the_first_counts() {
    let exports: String = (0..1_000).map(|n| format!(r#"(export "run{n}")"#)).collect();
    let mut wasm = wat(&format!("(module (func {exports} unreachable))"));
    // Each says: function 0 is called by this one character.
    let names: Vec<u8> =
        (0..1_000_000).flat_map(|n| [0, 1, if n == 0 { b'a' } else { b'b' }]).collect();
    let (count, size) = (leb128(1_000_000), leb128(3_000_000 + 3));
    let section = [&b"\x04name\x01"[..], &size, &count, &names].concat();
    wasm.push(0);
    wasm.extend(leb128(u32::try_from(section.len()).unwrap()));
    wasm.extend(section);
    let (_registry, plugin) = load(&wasm, config(all_granted()));
    for function in ["run0", "run999"] {
        let error = plugin.call(function, &[]).unwrap_err();
        assert_eq!(error.trap_report().unwrap().debug_name.as_deref(), Some("a"));
    }
}

/// A number as modules have it.
fn leb128(mut n: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(n & 0x7f).unwrap();
        n >>= 7;
        if n == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
