//! Calls that succeed, and their answers.

use super::asker::{ANSWER, Asker, LAST};
use crate::support::{all_granted, call_i32, config, fixture};
use wasm_runtime::{CallOptions, ErrorKind, WasmInstanceConfig, WasmPluginRegistry};

#[test]
fn the_answer_of_the_called_plugin_arrives() {
    let asker = Asker::new();
    for function in ["echo", "copy"] {
        asker.clear();
        assert_eq!(asker.ask("echo", function, b"hello", 64), 5);
        assert_eq!(asker.bytes(ANSWER, 6), b"hello\xaa");
    }
    assert_eq!(asker.ask("echo", "length", &[7; 300], 64), 4);
    assert_eq!(asker.bytes(ANSWER, 4), 300_u32.to_le_bytes());
    assert_eq!(asker.ask("echo", "nothing", b"hello", 64), 0);
    assert_eq!(asker.ask("echo", "echo", b"", 64), 0);
}

#[test]
fn an_answer_that_does_not_fit_tells_its_full_length_and_is_not_written() {
    let asker = Asker::new();
    for cap in [0, 1, 4] {
        asker.clear();
        assert_eq!(asker.ask("echo", "echo", b"hello", cap), 5);
        assert_eq!(asker.bytes(ANSWER, 8), [0xaa; 8]);
    }
    assert_eq!(asker.ask("echo", "echo", b"hello", 5), 5);
    assert_eq!(asker.bytes(ANSWER, 6), b"hello\xaa");
}

#[test]
fn last_answer_gives_the_answer_from_any_offset_whether_it_fitted_or_not() {
    let asker = Asker::new();
    let answer = b"0123456789";
    for cap in [0, 9, 10, 64] {
        for (offset, out_cap, expected) in
            [(0, 64, &answer[..]), (0, 4, b"0123"), (4, 3, b"456"), (9, 64, b"9"), (3, 0, b"")]
        {
            asker.clear();
            let (status, last) =
                asker.ask_then(("echo", "echo", answer, cap), (offset, LAST, out_cap));
            assert_eq!((status, last), (10, i32::try_from(expected.len()).unwrap()));
            let written = asker.bytes(u64::try_from(LAST).unwrap(), 64);
            assert_eq!(&written[..expected.len()], expected);
            assert!(written[expected.len()..].iter().all(|byte| *byte == 0xaa));
        }
    }
}

#[test]
fn last_answer_is_empty_at_its_end_and_invalid_behind_it() {
    let asker = Asker::new();
    let ask = |offset| asker.ask_then(("echo", "echo", b"0123456789", 64), (offset, LAST, 64));
    assert_eq!(ask(10), (10, 0));
    for behind in [11, i32::MAX, i32::MIN, -1] {
        assert_eq!(ask(behind), (10, -3));
    }
    let wild = |pair: (i32, i32)| {
        asker.ask_then(("echo", "echo", b"0123456789", 64), (0, pair.0, pair.1)).1
    };
    for outside in [(0x20000, 1), (-1, 1), (0, -1), (0x20001, 0)] {
        assert_eq!(wild(outside), -3);
    }
    assert_eq!(wild((0x20000, 0)), 0);
}

#[test]
fn an_answer_is_gone_when_the_call_that_asked_for_it_ends() {
    let asker = Asker::new();
    assert_eq!(asker.ask("echo", "echo", b"secret", 0), 6);
    assert_eq!(call_i32(&asker.plugin, "last", &[]).unwrap(), 0);
    // Nor does a call that finds nobody show it.
    assert_eq!(asker.ask_then(("nobody", "echo", b"", 64), (0, LAST, 64)), (-2, 0));
}

#[test]
fn a_plugin_written_in_rust_fetches_answers_of_any_length() {
    let registry = WasmPluginRegistry::new();
    registry.load("caller", &fixture("caller"), config(all_granted())).unwrap();
    registry.load("echo", &fixture("echo"), WasmInstanceConfig::default()).unwrap();
    let caller = registry.get("caller").unwrap();
    for len in [0_usize, 1, 255, 256, 257, 1000, 50_000] {
        let input = [&b"echo\0echo\0"[..], &vec![b'z'; len]].concat();
        assert_eq!(caller.call_bytes("relay", &input).unwrap(), vec![b'z'; len]);
    }
}

#[test]
fn the_called_plugin_is_the_one_loaded_under_the_name_now() {
    let asker = Asker::new();
    asker.registry.unload("echo").unwrap();
    assert_eq!(asker.ask("echo", "echo", b"hello", 64), -2);
    asker.load("echo", "text_transform");
    assert_eq!(asker.ask("echo", "upper", b"hello", 64), 5);
    assert_eq!(asker.bytes(ANSWER, 5), b"HELLO");
}

#[test]
fn a_called_plugin_uses_its_own_grants_and_settings() {
    let ours = WasmInstanceConfig {
        settings: vec![("column_separator".into(), ";".into())],
        ..super::asker::granted()
    };
    let asker = Asker::with(super::asker::granted(), ours);
    asker.registry.host().put("default", "prices", b"a", b"15;unit").unwrap();
    asker.registry.host().put("default", "prices", b"b", b"2;unit").unwrap();
    for (name, can_read, separator) in
        [("reader", "prices", ";"), ("blind", "other", ";"), ("strict", "prices", "|")]
    {
        let mut config = super::asker::granted();
        config.capabilities.can_read_table = vec![can_read.into()];
        config.settings = vec![("column_separator".into(), separator.into())];
        asker.registry.load(name, &fixture("aggregate"), config).unwrap();
    }
    let answer = asker.ask("reader", "sum", b"prices", 64);
    let text = asker.bytes(ANSWER, usize::try_from(answer).unwrap());
    assert_eq!(text, b"count=2 sum=17 min=2 max=15");
    // The host denied it the table, and it answered that status.
    assert_eq!(asker.explain("blind", "sum", b"prices"), (-7, 0, -1));
    // With another separator no row is a number.
    let answer = asker.ask("strict", "sum", b"prices", 64);
    let text = asker.bytes(ANSWER, usize::try_from(answer).unwrap());
    assert_eq!(text, b"count=0 sum=0 min=0 max=0");
}

#[test]
fn call_options_narrow_the_whole_of_a_nested_call() {
    let asker = Asker::new();
    let options = CallOptions { fuel: Some(100_000), ..CallOptions::default() };
    assert_eq!(asker.try_ask(("echo", "echo", b"hi", 64), options).unwrap(), 2);
    // Enough to ask, but not for an answer; then not even that.
    let options = CallOptions { fuel: Some(630), ..CallOptions::default() };
    assert_eq!(asker.try_ask(("echo", "echo", b"hi", 64), options).unwrap(), -7);
    let options = CallOptions { fuel: Some(590), ..CallOptions::default() };
    let error = asker.try_ask(("echo", "echo", b"hi", 64), options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfFuel);
}
