//! What host functions are charged, to the unit.

use crate::{
    probe::{FUNCTIONS, Function, KEY, OUT, Probe, SIZE, TABLE, VALUE, ordinary},
    support::config,
};
use wasm_runtime::{WasmInstanceConfig, WasmPluginCapabilities};

fn named(name: &str) -> &'static Function {
    FUNCTIONS.iter().find(|function| function.name == name).unwrap()
}

/// Two fuel for 64 bytes or a part of them.
fn bytes(len: i32) -> u64 {
    u64::try_from(len).unwrap().div_ceil(64) * 2
}

/// The same for a key, labels, or a line that is not ASCII: one more for 2 bytes beyond the 64th.
fn long_bytes(len: i32) -> u64 {
    bytes(len) + u64::try_from(len - 64).unwrap_or(0).div_ceil(2)
}

#[test]
fn the_ordinary_call_of_every_function_is_charged_what_is_documented() {
    let probe = Probe::new();
    for function in FUNCTIONS.iter().filter(|function| function.name != "call_plugin") {
        let expected = (function.answer, function.base + function.variable);
        assert_eq!(probe.charged(function, function.pairs), expected, "{}", function.name);
    }
}

#[test]
fn the_same_call_is_charged_the_same_each_time() {
    let probe = Probe::new();
    for function in &FUNCTIONS {
        let first = probe.charged(function, function.pairs);
        for _ in 0..10 {
            assert_eq!(probe.charged(function, function.pairs), first, "{}", function.name);
        }
    }
}

#[test]
fn an_invalid_call_is_charged_its_base_only_whichever_argument_it_is() {
    let probe = Probe::new();
    for function in &FUNCTIONS {
        for index in 0..function.pairs.len() {
            for invalid in [(SIZE, 1), (-1, -1), (0, -1)] {
                let charged = probe.charged(function, &function.pairs_but(index, invalid));
                assert_eq!(charged, (-3, function.base), "{} {index}", function.name);
            }
        }
        if let Some((output, input)) = function.output.zip(function.inputs().next()) {
            let overlapping = function.pairs_but(output, function.pairs[input]);
            assert_eq!(probe.charged(function, &overlapping), (-3, function.base));
        }
    }
}

#[test]
fn a_denied_call_is_charged_its_base_only_whatever_else_it_brings() {
    let probe = Probe::with(WasmInstanceConfig {
        max_instances: 1,
        ..config(WasmPluginCapabilities::default())
    });
    let open = ["emit_metric", "log_message", "get_config", "last_answer"];
    for function in FUNCTIONS.iter().filter(|function| !open.contains(&function.name)) {
        for index in 1..function.pairs.len() {
            for pair in [function.pairs[index], (0, 4096), (SIZE, 1)] {
                let charged = probe.charged(function, &function.pairs_but(index, pair));
                assert_eq!(charged, (-1, function.base), "{}", function.name);
            }
        }
    }
}

#[test]
fn a_value_is_charged_in_full_whether_it_fits_or_not() {
    let probe = Probe::new();
    let read = named("soch_read");
    let key = probe.put(2048, b"long");
    for len in [0, 1, 63, 64, 65, 128, 1000, 40_000] {
        let value = vec![b'v'; usize::try_from(len).unwrap()];
        probe.registry.host().put("default", "users", b"long", &value).unwrap();
        for cap in [0, len - 1, len, len + 1] {
            if cap >= 0 {
                let charged = probe.charged(read, &[TABLE, key, (OUT.0, cap)]);
                assert_eq!(charged, (len, read.base + 2 + bytes(len)), "{len} bytes into {cap}");
            }
        }
    }
}

#[test]
fn a_setting_is_charged_in_full_whether_it_fits_or_not() {
    let setting = ("users".to_string(), "x".repeat(200));
    let probe = Probe::with(WasmInstanceConfig { settings: vec![setting], ..ordinary() });
    for cap in [0, 199, 200, 4096] {
        let config = named("get_config");
        let charged = probe.charged(config, &[TABLE, (OUT.0, cap)]);
        assert_eq!(charged, (200, config.base + 2 + 8));
    }
}

#[test]
fn what_is_not_found_is_charged_for_its_key() {
    let probe = Probe::new();
    for len in [0, 1, 64, 65, 4096] {
        let key = (16_384, len);
        let (read, delete) = (named("soch_read"), named("soch_delete"));
        let expected = |function: &Function| (-2, function.base + long_bytes(len));
        assert_eq!(probe.charged(read, &[TABLE, key, OUT]), expected(read));
        assert_eq!(probe.charged(delete, &[TABLE, key]), expected(delete));
    }
}

#[test]
fn a_write_is_charged_for_its_key_and_its_value() {
    let probe = Probe::new();
    for (key_len, value_len) in [(0, 0), (1, 64), (65, 65), (4096, 60_000)] {
        let pairs = [TABLE, (16_384, key_len), (32_768, value_len)];
        let write = named("soch_write");
        let (_, fuel) = probe.charged(write, &pairs);
        assert_eq!(fuel, write.base + long_bytes(key_len) + bytes(value_len));
    }
}

#[test]
fn a_scan_is_charged_for_each_row_it_reads_and_its_bytes() {
    let probe = Probe::new();
    let value = [b'v'; 100];
    for key in [b"a", b"b", b"c"] {
        probe.registry.host().put("default", "users", key, &value).unwrap();
    }
    let scan = |from: &[u8], cap| {
        let from = probe.put(2048, from);
        probe.charged(named("soch_scan"), &[TABLE, from, (OUT.0, cap)])
    };
    let (base, row) = (named("soch_scan").base, 12 + bytes(101));
    // The last of them is the ordinary row: 3 bytes of key and 3 of value.
    assert_eq!(scan(b"a", 4096), (3 * 109 + 14, base + 2 + 3 * row + 12 + 2));
    assert_eq!(scan(b"c", 109), (109, base + 2 + row + 12 + 2));
    // The first that does not fit was found and read.
    assert_eq!(scan(b"a", 109), (109, base + 2 + 2 * row));
    assert_eq!(scan(b"a", 108), (-5, base + 2 + row));
    assert_eq!(scan(b"z", 4096), (0, base + 2));
}

#[test]
fn a_log_line_and_a_metric_are_charged_for_their_bytes() {
    let probe = Probe::new();
    for len in [0, 1, 64, 65, 1024] {
        let line = probe.put(OUT.0, &vec![b'x'; usize::try_from(len).unwrap()]);
        let log = named("log_message");
        assert_eq!(probe.charged(log, &[line]), (0, log.base + bytes(len)));
    }
    let line = probe.put(OUT.0, "ü".repeat(100).as_bytes());
    assert_eq!(probe.charged(named("log_message"), &[line]), (0, 120 + long_bytes(200)));
    let name = probe.put(OUT.0, &[b'x'; 65]);
    let metric = named("emit_metric");
    assert_eq!(probe.charged(metric, &[name, (0, 0)]), (0, metric.base + bytes(65)));
    let pair = [[1, 0, 0, 0, b'n'].as_slice(), &[0xeb, 3, 0, 0], &[b'v'; 1_003]].concat();
    let labels = probe.put(OUT.0 + 128, &pair);
    assert_eq!(probe.charged(metric, &[TABLE, labels]), (0, metric.base + 2 + long_bytes(1_012)));
    // Over the number of series there is the same price.
    for i in 0..300 {
        let name = probe.put(OUT.0, format!("m{i}").as_bytes());
        let (status, fuel) = probe.charged(metric, &[name, (0, 0)]);
        assert_eq!(fuel, metric.base + 2);
        assert_eq!(status, if i < 254 { 0 } else { -5 });
    }
}

#[test]
fn a_call_of_a_plugin_is_charged_what_the_callee_spends_and_both_copies() {
    let probe = Probe::new();
    let callee = probe.registry.get("echo").unwrap();
    let call = named("call_plugin");
    for len in [0, 4, 64, 65, 1000] {
        let before = callee.stats().total_fuel_consumed;
        let pairs = [call.pairs[0], call.pairs[1], (16_384, len), (32_768, 4096)];
        let (answer, fuel) = probe.charged(call, &pairs);
        let spent = callee.stats().total_fuel_consumed - before;
        assert!(spent > 0);
        assert_eq!((answer, fuel), (len, call.base + bytes(len) + spent + bytes(len)));
    }
}

#[test]
fn a_call_of_nobody_is_charged_its_base_and_its_input() {
    let probe = Probe::new();
    let nobody = probe.put(2048, b"nobody");
    let pairs = [nobody, TABLE, VALUE, OUT];
    assert_eq!(probe.charged(named("call_plugin"), &pairs), (-2, named("call_plugin").base + 2));
    let pairs = [named("call_plugin").pairs[0], KEY, VALUE, OUT];
    assert_eq!(probe.charged(named("call_plugin"), &pairs), (-2, named("call_plugin").base + 2));
}
