//! The byte convention: bytes in, bytes or a status out, and guests that lie.

use crate::support::{StepClock, all_granted, assert_error, call_i32, config, fixture, load};
use wasm_runtime::{
    ErrorKind::{self, BadGuestAnswer, OutOfFuel, SignatureMismatch, Trap},
    WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry,
};

/// Everything allowed, and enough fuel for a table of rows.
fn roomy() -> WasmInstanceConfig {
    config(WasmPluginCapabilities { fuel_limit: 100_000_000, ..all_granted() })
}

#[test]
fn text_is_transformed_in_place_and_into_an_answer_of_its_own() {
    let (_registry, plugin) = load(&fixture("text_transform"), roomy());
    let text = "Zwölf Boxkämpfer jagen Viktor";
    assert_eq!(
        plugin.call_bytes("upper", text.as_bytes()).unwrap(),
        "ZWöLF BOXKäMPFER JAGEN VIKTOR".as_bytes()
    );
    let reversed = plugin.call_bytes("reverse_words", text.as_bytes()).unwrap();
    assert_eq!(reversed, "Viktor jagen Boxkämpfer Zwölf".as_bytes());
    assert_eq!(plugin.call_bytes("word_count", text.as_bytes()).unwrap(), b"4");
    assert_eq!(plugin.call_bytes("word_count", &b"word ".repeat(12_345)).unwrap(), b"12345");
}

#[test]
fn rows_are_validated_one_by_one_and_as_a_table() {
    let (registry, plugin) = load(&fixture("row_validator"), roomy());
    let rows: [(&str, &str); 5] = [
        ("1,Ada,ada@example.org,36", "ok"),
        ("x,Ada,ada@example.org,36", "id: not a number"),
        ("1,,ada@example.org,36", "name: not 1 to 64 bytes of text"),
        ("1,Ada,ada,36", "email: not an address"),
        ("1,Ada,ada@example.org,151", "age: not between 0 and 150"),
    ];
    for (row, verdict) in rows {
        assert_eq!(plugin.call_bytes("validate", row.as_bytes()).unwrap(), verdict.as_bytes());
    }
    for i in 0..2_000_u32 {
        let (row, _) = rows[usize::try_from(i % 5).unwrap()];
        registry.host().put("default", "people", &i.to_be_bytes(), row.as_bytes()).unwrap();
    }
    let counts = plugin.call_bytes("validate_table", b"people").unwrap();
    assert_eq!(counts, b"valid=400 invalid=1600");
    assert_eq!(plugin.call_bytes("validate_table", b"nobody").unwrap(), b"valid=0 invalid=0");
}

#[test]
fn a_table_of_numbers_is_added_up_with_a_setting_and_reported_as_metrics() {
    let config =
        WasmInstanceConfig { settings: vec![("column_separator".into(), ";".into())], ..roomy() };
    let (registry, plugin) = load(&fixture("aggregate"), config);
    for i in -500..=1_000_i32 {
        let value = format!("{i};ignored");
        registry.host().put("default", "sales", &i.to_be_bytes(), value.as_bytes()).unwrap();
    }
    let answer = plugin.call_bytes("sum", b"sales").unwrap();
    assert_eq!(answer, b"count=1501 sum=375250 min=-500 max=1000");
    let metrics = registry.host().metrics("default");
    let gauges: Vec<_> = metrics.iter().map(|m| (m.name.as_str(), m.value)).collect();
    let expected = [
        ("aggregate_count", 1501.0),
        ("aggregate_max", 1000.0),
        ("aggregate_min", -500.0),
        ("aggregate_sum", 375_250.0),
    ];
    assert_eq!(gauges, expected);
}

#[test]
fn inputs_of_any_size_come_back_and_every_block_is_freed() {
    let config = WasmInstanceConfig { max_instances: 1, ..roomy() };
    let (_registry, plugin) = load(&fixture("echo"), config);
    for len in [1, 15, 16, 17, 4_096, 61_440, 65_536, 1_000_000] {
        let input: Vec<u8> = (0..=255).cycle().take(len).collect();
        assert_eq!(plugin.call_bytes("echo", &input).unwrap(), input);
        assert_eq!(plugin.call_bytes("copy", &input).unwrap(), input);
        let length = plugin.call_bytes("length", &input).unwrap();
        assert_eq!(length, u32::try_from(len).unwrap().to_le_bytes());
    }
    // Had a block been left, each turn would need 1 MB more, and 16 MiB is all there is.
    let large = vec![7; 1_000_000];
    for _ in 0..50 {
        assert_eq!(plugin.call_bytes("copy", &large).unwrap().len(), large.len());
    }
}

#[test]
fn empty_inputs_and_empty_answers_are_ordinary_ones() {
    let (_registry, plugin) = load(&fixture("echo"), roomy());
    for (function, input) in [("nothing", &b"in"[..]), ("nothing", b""), ("echo", b"")] {
        assert_eq!(plugin.call_bytes(function, input).unwrap(), b"", "{function}");
        assert_eq!(plugin.call_bytes_into(function, input, &mut []).unwrap(), 0);
    }
    // An empty input needs no block, so a guest without room can take it.
    let (_registry, plugin) = load(&fixture("misbehaving/liar_alloc_zero"), roomy());
    assert_eq!(plugin.call_bytes("echo", b"").unwrap(), b"");
}

#[test]
fn an_answer_goes_to_the_beginning_of_the_output() {
    let (_registry, plugin) = load(&fixture("echo"), roomy());
    let mut output = *b"________";
    assert_eq!(plugin.call_bytes_into("copy", b"hello", &mut output).unwrap(), 5);
    assert_eq!(output, *b"hello___");
    assert_eq!(plugin.call_bytes_into("copy", b"exactly8", &mut output).unwrap(), 8);
    assert_eq!(output, *b"exactly8");
}

#[test]
fn an_answer_longer_than_the_output_leaves_it_as_it_was() {
    let config = WasmInstanceConfig { max_instances: 1, ..roomy() };
    let (_registry, plugin) = load(&fixture("echo"), config);
    let mut output = *b"____";
    for function in ["echo", "copy"] {
        let error = plugin.call_bytes_into(function, b"hello", &mut output).unwrap_err();
        assert_error(&error, ErrorKind::LimitExceeded, &["`plugin`", function, "5 bytes", "4"]);
        assert_eq!(output, *b"____");
    }
    // The blocks are freed all the same: had they been left, 16 MiB would not do.
    for _ in 0..50 {
        let error = plugin.call_bytes_into("copy", &[7; 1_000_000], &mut output).unwrap_err();
        assert_error(&error, ErrorKind::LimitExceeded, &["1000000 bytes"]);
    }
    // It was no trap: the sandbox is the same.
    assert_eq!(plugin.call_bytes_into("copy", b"four", &mut output).unwrap(), 4);
    assert_eq!(plugin.stats().sandboxes_started, 1);
    assert_eq!(plugin.stats().trap_count, 0);
}

#[test]
fn a_status_is_told_and_the_sandbox_goes_on() {
    let config = WasmInstanceConfig { max_instances: 1, ..roomy() };
    let (_registry, plugin) = load(&fixture("echo"), config);
    for status in [-1, -2, -3, -7, -100, -4095] {
        let error = plugin.call_bytes("status", &i32::to_le_bytes(status)).unwrap_err();
        assert_error(&error, BadGuestAnswer, &["`status`", &status.to_string()]);
        assert_eq!(error.guest_status(), Some(status));
    }
    // One below the last status is an address far outside.
    let error = plugin.call_bytes("status", &i32::to_le_bytes(-4096)).unwrap_err();
    assert_error(&error, BadGuestAnswer, &["outside"]);
    assert_eq!(error.guest_status(), None);
    assert_eq!(plugin.call_bytes("copy", b"still here").unwrap(), b"still here");
    assert_eq!(plugin.stats().sandboxes_started, 1);
}

#[test]
fn only_functions_of_the_convention_are_called_with_bytes() {
    let (_registry, plugin) = load(&fixture("misbehaving/liar_answers"), roomy());
    for (function, signature) in
        [("answers_i32", "(i32 i32) -> (i32)"), ("takes_one", "(i32) -> (i64)")]
    {
        let error = plugin.call_bytes(function, b"x").unwrap_err();
        assert_error(&error, SignatureMismatch, &[function, signature, "(i32 i32) -> (i64)"]);
    }
    assert_eq!(plugin.stats().total_calls, 0);
}

#[test]
fn right_answers_at_the_edges_of_the_memory_are_read() {
    let (_registry, plugin) = load(&fixture("misbehaving/liar_answers"), roomy());
    let cases: [(&str, &[u8]); 4] = [
        ("ok", b"fine"),
        ("ok_at_the_end", b"last"),
        ("ok_empty", b""),
        ("ok_empty_at_the_end", b""),
    ];
    for (function, answer) in cases {
        assert_eq!(plugin.call_bytes(function, b"in").unwrap(), answer, "{function}");
    }
}

/// A liar: the module, the function, the input, and what comes of it.
type Lie = (&'static str, &'static str, &'static [u8], ErrorKind, &'static str);

const LIES: [Lie; 22] = [
    ("liar_answers", "wild_ptr", b"x", BadGuestAnswer, "4 bytes at 2147483647"),
    ("liar_answers", "wild_len", b"x", BadGuestAnswer, "4294967295 bytes at 64"),
    ("liar_answers", "one_beyond", b"x", BadGuestAnswer, "4 bytes at 65533"),
    ("liar_answers", "empty_beyond", b"x", BadGuestAnswer, "0 bytes at 65537"),
    ("liar_answers", "wrapping", b"x", BadGuestAnswer, "32 bytes at 4294967280"),
    ("liar_answers", "not_a_status", b"x", BadGuestAnswer, "outside"),
    ("liar_answers", "lowest", b"x", BadGuestAnswer, "at 2147483648"),
    ("liar_answers", "status1", b"x", BadGuestAnswer, "status -1"),
    ("liar_answers", "status4095", b"x", BadGuestAnswer, "status -4095"),
    ("liar_alloc_zero", "echo", b"x", BadGuestAnswer, "`soch_alloc` refused 1 bytes"),
    ("liar_alloc_wild", "echo", b"1", BadGuestAnswer, "1 bytes at 65536"),
    ("liar_alloc_wild", "echo", b"22", BadGuestAnswer, "2 bytes at 65535"),
    ("liar_alloc_wild", "echo", b"333", BadGuestAnswer, "3 bytes at 4294967295"),
    ("liar_alloc_wild", "echo", b"4444", BadGuestAnswer, "4 bytes at 2147483648"),
    ("liar_alloc_wild", "echo", b"55555", BadGuestAnswer, "5 bytes at 4294967280"),
    ("liar_alloc_loop", "echo", b"x", OutOfFuel, "limit is 1000000"),
    ("liar_alloc_trap", "echo", b"x", Trap, "`unreachable`"),
    ("liar_free_traps", "echo", b"x", Trap, "`unreachable`"),
    ("liar_free_loop", "echo", b"x", OutOfFuel, "limit is 1000000"),
    ("mistyped_exports", "echo", b"x", BadGuestAnswer, "`soch_alloc` (i32) -> (i32)"),
    ("mistyped_alloc", "echo", b"x", BadGuestAnswer, "`soch_alloc` (i32) -> (i32)"),
    ("mistyped_alloc", "echo", b"", BadGuestAnswer, "`soch_alloc` (i32) -> (i32)"),
];

#[test]
fn every_lie_is_found_out_and_nothing_of_the_output_is_written() {
    for (module, function, input, kind, says) in LIES {
        let (_registry, plugin) =
            load(&fixture(&format!("misbehaving/{module}")), config(all_granted()));
        let mut output = [0xaa; 64];
        for _ in 0..3 {
            let error = plugin.call_bytes_into(function, input, &mut output).unwrap_err();
            assert_error(&error, kind, &["`plugin`", function, says]);
        }
        // The answers of `liar_free_*` were right and read; freeing them failed.
        assert!(output[2..].iter().all(|byte| *byte == 0xaa), "{module} {function}");
        assert_eq!(plugin.stats().total_calls, 3, "{module} {function}");
    }
}

#[test]
fn after_a_lie_the_next_call_is_answered() {
    let (_registry, plugin) = load(&fixture("misbehaving/liar_answers"), config(all_granted()));
    for (module, function, input, ..) in LIES {
        if module == "liar_answers" {
            plugin.call_bytes(function, input).unwrap_err();
            assert_eq!(plugin.call_bytes("ok", b"x").unwrap(), b"fine", "{function}");
        }
    }
    for module in ["liar_alloc_zero", "liar_alloc_wild", "liar_alloc_loop", "liar_alloc_trap"] {
        let (_registry, plugin) =
            load(&fixture(&format!("misbehaving/{module}")), config(all_granted()));
        for _ in 0..3 {
            plugin.call_bytes("echo", b"x").unwrap_err();
            assert_eq!(plugin.call_bytes("echo", b"").unwrap(), b"", "{module}");
        }
    }
}

#[test]
fn a_free_of_another_type_is_not_the_convention_s_and_is_not_called() {
    let (_registry, plugin) = load(&fixture("misbehaving/mistyped_free"), config(all_granted()));
    assert_eq!(plugin.call_bytes("echo", b"hello").unwrap(), b"hello");
}

#[test]
fn allocating_and_freeing_run_on_the_call_s_deadline() {
    for module in ["liar_alloc_loop", "liar_free_loop"] {
        let registry = WasmPluginRegistry::builder().clock(StepClock::new(1_000)).build().unwrap();
        let capabilities =
            WasmPluginCapabilities { fuel_limit: 200_000_000, timeout_ms: 20, ..all_granted() };
        let wasm = fixture(&format!("misbehaving/{module}"));
        registry.load("plugin", &wasm, config(capabilities)).unwrap();
        let plugin = registry.get("plugin").unwrap();
        let error = plugin.call_bytes("echo", b"x").unwrap_err();
        assert_error(&error, ErrorKind::Deadline, &["`echo`", "20 ms"]);
    }
}

#[test]
fn a_plugin_without_the_convention_is_told_so() {
    let wasm = crate::support::wat(
        r#"(module (func (export "run") (param i32 i32) (result i64) (i64.const 0))
            (func (export "ping") (result i32) (i32.const 1)))"#,
    );
    let (_registry, plugin) = load(&wasm, config(all_granted()));
    let error = plugin.call_bytes("run", b"").unwrap_err();
    assert_error(&error, BadGuestAnswer, &["byte convention", "`memory`", "`soch_alloc`"]);
    assert_eq!(call_i32(&plugin, "ping", &[]).unwrap(), 1);
}

#[test]
fn every_pointer_the_guest_gave_is_freed_once_and_null_never() {
    let wasm = crate::support::wat(
        r#"(module (memory (export "memory") 1) (global $frees (mut i32) (i32.const 0))
            (func (export "soch_alloc") (param i32) (result i32) (i32.const 64))
            (func (export "soch_free") (param i32 i32)
                (global.set $frees (i32.add (global.get $frees) (i32.const 1))))
            (func (export "elsewhere") (param i32 i32) (result i64) (i64.const 0x8000000004))
            (func (export "in_place") (param i32 i32) (result i64) (i64.const 0x4000000002))
            (func (export "empty") (param i32 i32) (result i64) (i64.const 0x8000000000))
            (func (export "null") (param i32 i32) (result i64) (i64.const 0))
            (func (export "frees") (result i32) (global.get $frees)))"#,
    );
    for (function, input, frees) in [
        ("elsewhere", "in", 2),
        ("elsewhere", "", 1),
        ("in_place", "in", 1),
        ("empty", "in", 2),
        ("null", "in", 1),
        ("null", "", 0),
    ] {
        let config = WasmInstanceConfig { max_instances: 1, ..config(all_granted()) };
        let (_registry, plugin) = load(&wasm, config);
        plugin.call_bytes(function, input.as_bytes()).unwrap();
        assert_eq!(call_i32(&plugin, "frees", &[]).unwrap(), frees, "{function} {input:?}");
    }
}
