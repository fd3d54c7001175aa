//! Which pointers, lengths and names are valid, and in which order that is checked.

use crate::{
    probe::{FUNCTIONS, Function, KEY, OUT, Probe, SIZE, TABLE, VALUE, ordinary},
    support::{call_i32, config, fixture, load},
};
use wasm_runtime::{WasmInstanceConfig, WasmPluginCapabilities};

/// Pairs that no memory of `SIZE` bytes has.
const OUTSIDE: [(i32, i32); 10] = [
    (SIZE, 1),
    (SIZE - 1, 2),
    (SIZE + 1, 0),
    (0, SIZE + 1),
    (-1, 0),
    (-1, 1),
    (1, -1),
    (0, i32::MIN),
    (i32::MIN, i32::MIN),
    (16, -16),
];

fn denied() -> WasmInstanceConfig {
    WasmInstanceConfig { max_instances: 1, ..config(WasmPluginCapabilities::default()) }
}

/// Functions that need a grant.
fn granted_functions() -> impl Iterator<Item = &'static Function> {
    let open = ["emit_metric", "log_message", "get_config", "last_answer"];
    FUNCTIONS.iter().filter(move |function| !open.contains(&function.name))
}

#[test]
fn a_range_outside_of_the_memory_is_invalid_as_any_parameter_of_any_function() {
    let probe = Probe::new();
    for function in &FUNCTIONS {
        for (index, outside) in
            (0..function.pairs.len()).flat_map(|i| OUTSIDE.iter().map(move |pair| (i, *pair)))
        {
            let answer = probe.run(function, &function.pairs_but(index, outside));
            assert_eq!(answer, -3, "{} with {outside:?} as pair {index}", function.name);
        }
    }
}

#[test]
fn a_range_that_ends_with_the_memory_is_inside() {
    let probe = Probe::new();
    for function in &FUNCTIONS {
        for index in 0..function.pairs.len() {
            let (ptr, len) = function.range(index);
            let at_the_end = (SIZE - len, function.pairs[index].1);
            let bytes = probe.bytes((ptr, len));
            probe.put(at_the_end.0, &bytes);
            let answer = probe.run(function, &function.pairs_but(index, at_the_end));
            assert_eq!(answer, function.answer, "{}, pair {index}", function.name);
        }
    }
}

#[test]
fn an_empty_range_is_valid_up_to_the_end_of_the_memory() {
    let probe = Probe::new();
    for function in &FUNCTIONS {
        for index in (function.names..function.pairs.len()).filter(|i| !function.is_query(*i)) {
            for ptr in [0, 1, SIZE - 1, SIZE] {
                let answer = probe.run(function, &function.pairs_but(index, (ptr, 0)));
                assert_ne!(answer, -3, "{} with nothing at {ptr} as {index}", function.name);
            }
        }
    }
}

#[test]
fn an_empty_range_overlaps_nothing() {
    let probe = Probe::new();
    for function in FUNCTIONS.iter().filter(|function| function.output.is_some()) {
        let output = function.output.unwrap();
        for input in function.inputs() {
            let inside_an_input = (function.pairs[input].0 + 1, 0);
            let answer = probe.run(function, &function.pairs_but(output, inside_an_input));
            assert_ne!(answer, -3, "{}", function.name);
        }
        let may_be_empty = |input: &usize| *input >= function.names && !function.is_query(*input);
        for input in function.inputs().filter(may_be_empty) {
            let inside_the_output = (OUT.0 + 1, 0);
            let answer = probe.run(function, &function.pairs_but(input, inside_the_output));
            assert_ne!(answer, -3, "{}", function.name);
        }
    }
}

#[test]
fn inputs_may_overlap_one_another() {
    let probe = Probe::new();
    for function in &FUNCTIONS {
        let mut pairs = function.pairs.to_vec();
        for index in function.inputs().filter(|i| *i >= function.names) {
            // Labels and a query are not any bytes.
            if function.name != "emit_metric" && !function.is_query(index) {
                pairs[index] = pairs[0];
            }
        }
        assert_ne!(probe.run(function, &pairs), -3, "{}", function.name);
    }
    // A row whose key and value are the name of its table.
    let [write] = [&FUNCTIONS[2]];
    assert_eq!(probe.run(write, &[TABLE, TABLE, (TABLE.0 + 1, 3)]), 0);
    assert_eq!(probe.registry.host().get("default", "users", b"users"), Some(b"ser".to_vec()));
}

#[test]
fn an_output_that_shares_a_byte_with_an_input_is_invalid() {
    let probe = Probe::new();
    for function in FUNCTIONS.iter().filter(|function| function.output.is_some()) {
        let output = function.output.unwrap();
        for input in function.inputs() {
            let (start, len) = function.range(input);
            let overlapping = [
                (start, len),
                (start - 3, 4),
                (start + len - 1, 64),
                (start - 3, len + 6),
                (start + 1, 1),
                (0, SIZE),
            ];
            for pair in overlapping {
                let answer = probe.run(function, &function.pairs_but(output, pair));
                assert_eq!(answer, -3, "{} with its output at {pair:?}", function.name);
            }
            for pair in [(start - 64, 64), (start + len, 64)] {
                let answer = probe.run(function, &function.pairs_but(output, pair));
                assert_eq!(answer, function.answer, "{} at {pair:?}", function.name);
            }
        }
    }
}

#[test]
fn a_refused_call_writes_nothing() {
    let probe = Probe::new();
    for function in FUNCTIONS.iter().filter(|function| function.output.is_some()) {
        probe.put(OUT.0, &[0xaa; 64]);
        for input in function.inputs() {
            assert_eq!(probe.run(function, &function.pairs_but(input, (SIZE, 1))), -3);
        }
        assert_eq!(probe.bytes(OUT), [0xaa; 64], "{}", function.name);
    }
}

#[test]
fn a_name_has_1_to_128_bytes_of_utf_8() {
    let probe = Probe::new();
    let bytes_as_name = |bytes: &[u8]| probe.put(4096, bytes);
    for function in FUNCTIONS.iter() {
        for index in 0..function.names {
            let answer = |bytes: &[u8]| {
                probe.run(function, &function.pairs_but(index, bytes_as_name(bytes)))
            };
            for invalid in [&b""[..], b"\xff", b"use\xc3", &[b'x'; 129], &[b'x'; 4096]] {
                assert_eq!(answer(invalid), -3, "{} {:?}", function.name, invalid);
            }
            for valid in [&b"x"[..], "ü".as_bytes(), b"\0", &[b'x'; 128]] {
                assert_ne!(answer(valid), -3, "{} {:?}", function.name, valid);
            }
        }
    }
}

#[test]
fn the_name_is_checked_before_the_grant() {
    let probe = Probe::with(denied());
    for function in granted_functions() {
        for invalid in [(SIZE, 1), (0, 129), (0, 0), (-1, -1), probe.put(2048, b"\xff")] {
            let answer = probe.run(function, &function.pairs_but(0, invalid));
            assert_eq!(answer, -3, "{} with the name {invalid:?}", function.name);
        }
    }
}

#[test]
fn the_grant_is_checked_before_everything_but_the_name() {
    let probe = Probe::with(denied());
    for function in granted_functions() {
        assert_eq!(probe.run(function, function.pairs), -1);
        for index in 1..function.pairs.len() {
            for invalid in OUTSIDE {
                let answer = probe.run(function, &function.pairs_but(index, invalid));
                assert_eq!(answer, -1, "{} with {invalid:?} as {index}", function.name);
            }
        }
        if let Some(output) = function.output {
            for overlapping in [TABLE, (0, SIZE), KEY, VALUE] {
                let answer = probe.run(function, &function.pairs_but(output, overlapping));
                assert_eq!(answer, -1, "{}", function.name);
            }
        }
    }
}

#[test]
fn an_export_of_the_convention_cannot_be_called_whoever_has_it() {
    let probe = Probe::new();
    let call_plugin = &FUNCTIONS[7];
    let (nobody, echo) = (probe.put(2048, b"nobody"), call_plugin.pairs[0]);
    for name in ["soch_alloc", "soch_free", "soch_", "soch_anything"] {
        let function = probe.put(4096, name.as_bytes());
        for plugin in [echo, nobody] {
            assert_eq!(probe.run(call_plugin, &[plugin, function, VALUE, OUT]), -1, "{name}");
        }
    }
    let like_it = probe.put(4096, b"socha");
    assert_eq!(probe.run(call_plugin, &[echo, like_it, VALUE, OUT]), -2);
}

#[test]
fn without_a_memory_of_that_name_every_pointer_is_invalid() {
    let (_registry, plugin) = load(&fixture("renamed_memory"), ordinary());
    assert_eq!(call_i32(&plugin, "log", &[]).unwrap(), -3);
    assert_eq!(call_i32(&plugin, "metric", &[]).unwrap(), -3);
    assert_eq!(call_i32(&plugin, "add", &[40, 2]).unwrap(), 42);
}

#[test]
fn the_memory_is_the_one_exported_as_memory_whatever_its_index_and_width() {
    for name in ["several_memories", "memory64"] {
        let settings = [("greeting".to_string(), "hi".to_string())];
        let config = WasmInstanceConfig { settings: settings.to_vec(), ..ordinary() };
        let (_registry, plugin) = load(&fixture(name), config);
        assert_eq!(call_i32(&plugin, "log", &[]).unwrap(), 0, "{name}");
        assert_eq!(call_i32(&plugin, "config", &[]).unwrap(), 2, "{name}");
    }
}
