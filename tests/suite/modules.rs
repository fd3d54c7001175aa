//! Modules of every shape: each works, or is refused by name and reason.

use crate::support::{all_granted, assert_error, call_i32, config, fixture, load, load_error, wat};
use std::{fmt::Write, sync::Arc};
use wasm_runtime::{
    Compilation, ErrorKind, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance,
    WasmPluginRegistry,
    WasmValue::{F32, I32, I64},
};

/// A module of the fixtures with everything granted, a setting, and one state.
fn shape(name: &str) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let config = WasmInstanceConfig {
        settings: vec![("greeting".into(), "good morning".into())],
        max_instances: 1,
        ..config(all_granted())
    };
    load(&fixture(name), config)
}

/// How often the plugin called a host function, and how often that failed.
fn host_calls(plugin: &WasmPluginInstance, name: &str) -> (u64, u64) {
    let stats = plugin.host_function_stats();
    let found = stats.iter().find(|stats| stats.name == name);
    found.map_or((0, 0), |stats| (stats.calls, stats.errors))
}

/// A NUL-terminated text in a memory of a plugin.
fn text(plugin: &WasmPluginInstance, memory: &str, at: u64) -> String {
    let mut bytes = [0; 64];
    plugin.lease().unwrap().read(memory, at, &mut bytes).unwrap();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap();
    String::from_utf8(bytes[..end].to_vec()).unwrap()
}

#[test]
fn a_module_without_memory_computes() {
    let (_registry, plugin) = shape("no_memory");
    assert_eq!(call_i32(&plugin, "add", &[40, 2]).unwrap(), 42);
    assert!(plugin.lease().unwrap().memory_bytes("memory").is_none());
    assert_eq!(plugin.stats().peak_memory_bytes, 0);
}

#[test]
fn with_the_memory_under_another_name_functions_with_pointers_answer_minus_3() {
    let (_registry, plugin) = shape("renamed_memory");
    assert_eq!(call_i32(&plugin, "log", &[]).unwrap(), -3);
    assert_eq!(call_i32(&plugin, "metric", &[]).unwrap(), -3);
    assert_eq!(call_i32(&plugin, "add", &[1, 2]).unwrap(), 3);
    assert_eq!(host_calls(&plugin, "log_message"), (1, 1));
    assert_eq!(text(&plugin, "mem", 16), "hello");
}

#[test]
fn of_several_memories_the_host_uses_the_one_exported_as_memory() {
    let (_registry, plugin) = shape("several_memories");
    assert_eq!(call_i32(&plugin, "log", &[]).unwrap(), 0);
    assert_eq!(call_i32(&plugin, "config", &[]).unwrap(), 12);
    assert_eq!(text(&plugin, "memory", 128), "good morning");
    for memory in [0, 2] {
        assert_eq!(call_i32(&plugin, "peek", &[memory, 128]).unwrap(), 0);
    }
    assert_eq!(plugin.stats().peak_memory_bytes, 3 << 16);
}

#[test]
fn a_64_bit_memory_serves_host_functions_and_the_byte_convention() {
    let (_registry, plugin) = shape("memory64");
    assert_eq!(call_i32(&plugin, "log", &[]).unwrap(), 0);
    assert_eq!(call_i32(&plugin, "config", &[]).unwrap(), 12);
    assert_eq!(text(&plugin, "memory", 256), "good morning");
    let input: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    assert_eq!(plugin.call_bytes("echo", &input).unwrap(), input);
    let sum: u64 = input[..1_000].iter().copied().map(u64::from).sum();
    assert_eq!(plugin.call_bytes("sum", &input[..1_000]).unwrap(), sum.to_le_bytes());
    assert_eq!(*plugin.call("peek", &[I64(16)]).unwrap(), [I32(i32::from(b'f'))]);
    for wild in [1 << 32, i64::MAX, -1] {
        let error = plugin.call("peek", &[I64(wild)]).unwrap_err();
        assert_error(&error, ErrorKind::Trap, &["`peek`", "out of bounds"]);
    }
    assert_eq!(*plugin.call("grow", &[I64(1)]).unwrap(), [I64(2)]);
    assert_eq!(*plugin.call("grow", &[I64(1 << 40)]).unwrap(), [I64(-1)]);
}

#[test]
fn a_memory_with_pages_of_one_byte_ends_where_it_ends() {
    let (_registry, plugin) = shape("custom_page_size");
    assert_eq!(call_i32(&plugin, "size", &[]).unwrap(), 2_048);
    assert_eq!(call_i32(&plugin, "log", &[]).unwrap(), 0);
    assert_eq!(call_i32(&plugin, "log_beyond", &[]).unwrap(), -3);
    assert_eq!(call_i32(&plugin, "peek", &[2_047]).unwrap(), i32::from(b'd'));
    assert_eq!(plugin.call("peek", &[I32(2_048)]).unwrap_err().kind(), ErrorKind::Trap);
    assert_eq!(call_i32(&plugin, "grow", &[1]).unwrap(), 2_048);
    assert_eq!(call_i32(&plugin, "log_beyond", &[]).unwrap(), 0);
    assert_eq!(call_i32(&plugin, "grow", &[2_048]).unwrap(), -1);
    assert_eq!(plugin.call_bytes("echo", &[7; 1_024]).unwrap(), [7; 1_024]);
}

#[test]
fn an_import_listed_twice_is_linked_twice() {
    let (_registry, plugin) = shape("import_twice");
    assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 0);
    assert_eq!(host_calls(&plugin, "log_message"), (2, 0));
}

#[cfg(feature = "simd")]
#[test]
fn vector_instructions_run() {
    let (_registry, plugin) = shape("simd");
    let n = 1_000;
    let dot = (0..n).fold(0_i32, |sum, i| sum.wrapping_add(i * 2 * i));
    assert_eq!(call_i32(&plugin, "dot_i32", &[n]).unwrap(), dot);
    assert_eq!(*plugin.call("dot_f32", &[I32(100)]).unwrap(), [F32(4_950.0 / 2.0)]);
}

#[cfg(not(feature = "simd"))]
#[test]
fn vector_instructions_are_refused_without_the_feature() {
    let error = load_error(&fixture("simd"), config(all_granted()));
    assert_error(&error, ErrorKind::InvalidModule, &["SIMD"]);
}

#[test]
fn a_start_section_runs_once_a_sandbox_and_has_the_host_s_functions() {
    let (_registry, plugin) = shape("start");
    assert_eq!(host_calls(&plugin, "log_message"), (1, 0));
    for (function, answer) in
        [("value", 42), ("starts", 1), ("config_status", 12), ("log_status", 0)]
    {
        assert_eq!(call_i32(&plugin, function, &[]).unwrap(), answer, "{function}");
    }
    assert_eq!(text(&plugin, "memory", 128), "good morning");
    let functions: Vec<_> = plugin.functions().collect();
    assert_eq!(functions, ["config_status", "log_status", "starts", "value"]);
    // It is no call of the host's.
    assert_eq!(plugin.stats().total_calls, 4);
}

#[test]
fn a_start_function_is_an_export_or_an_import_too() {
    let wasm = wat(r#"(module (global $g (mut i32) (i32.const 0)) (start $bump)
            (func $bump (export "bump") (global.set $g (i32.add (global.get $g) (i32.const 1))))
            (func (export "get") (result i32) (global.get $g)))"#);
    let (_registry, plugin) = load(&wasm, config(all_granted()));
    plugin.call("bump", &[]).unwrap();
    assert_eq!(call_i32(&plugin, "get", &[]).unwrap(), 2);
    // A module that exports nothing, and only starts.
    let wasm = wat("(module (func $nothing) (start $nothing))");
    let (_registry, plugin) = load(&wasm, config(all_granted()));
    assert_eq!(plugin.functions().count(), 0);
}

#[test]
fn imports_that_the_host_has_not_are_refused_by_name_and_reason() {
    let cases: [(&str, &[&str]); 6] = [
        ("missing_import", &["`soch_v1`", "`no_such_function`"]),
        (
            "mistyped_import",
            &["`soch_read`", "(i32 i32 i32 i32 i32) ", "(i32 i32 i32 i32 i32 i32)"],
        ),
        ("foreign_import", &["`env`", "`print`"]),
        ("foreign_import_memory", &["memory", "`env`"]),
        ("foreign_import_global", &["global", "`soch_v1`", "`soch_read`"]),
        ("foreign_import_table", &["table", "`env`"]),
    ];
    for (name, says) in cases {
        let error = load_error(&fixture(&format!("misbehaving/{name}")), config(all_granted()));
        assert_error(&error, ErrorKind::Refused, says);
    }
}

#[test]
fn a_module_that_exports_the_reserved_name_is_refused() {
    let error = load_error(&fixture("misbehaving/reserved_export"), config(all_granted()));
    assert_error(&error, ErrorKind::Refused, &["`soch_v1:start`", "reserved"]);
    let global = wat(r#"(module (global (export "soch_v1:start") i32 (i32.const 1)))"#);
    assert_error(&load_error(&global, config(all_granted())), ErrorKind::Refused, &["reserved"]);
}

#[test]
fn exports_of_the_convention_s_names_and_other_types_are_ordinary_exports() {
    let (_registry, plugin) = shape("misbehaving/mistyped_exports");
    assert_eq!(call_i32(&plugin, "memory", &[]).unwrap(), 1);
    assert_eq!(*plugin.call("soch_alloc", &[I64(1)]).unwrap(), [I64(16)]);
    assert_eq!(call_i32(&plugin, "log", &[]).unwrap(), -3);
}

#[test]
fn a_start_function_of_the_wrong_type_makes_the_module_invalid() {
    let texts = [
        "(module (func $f (param i32)) (start $f))",
        "(module (func $f (result i32) (i32.const 1)) (start $f))",
        "(module (func $f) (start 7))",
    ];
    for text in texts {
        let error = load_error(&wat(text), config(all_granted()));
        assert_error(&error, ErrorKind::InvalidModule, &["`plugin`"]);
    }
}

#[test]
fn what_is_invalid_stays_invalid_when_it_is_rewritten() {
    // A module with `table.grow` gets a function more. Whoever calls one that is not there must not
    // reach it.
    let text = r#"(module (table $t 1 funcref)
        (func (export "grow") (result i32) (table.grow $t (ref.null func) (i32.const 1)))
        (func (export "run") (result i32) (call 2 (ref.null func) (i32.const 1))))"#;
    let error = load_error(&wat(text), config(all_granted()));
    assert_error(&error, ErrorKind::InvalidModule, &["`plugin`"]);
    // Sections out of order: the start section before the exports.
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    wasm.extend(b"\x01\x04\x01\x60\0\0"); // one type: () -> ()
    wasm.extend(b"\x03\x02\x01\0"); // one function of it
    wasm.extend(b"\x08\x01\0"); // which is the start function
    wasm.extend(b"\x07\x05\x01\x01f\0\0"); // and exported as `f`
    wasm.extend(b"\x0a\x04\x01\x02\0\x0b"); // and empty
    let error = load_error(&wasm, config(all_granted()));
    assert_error(&error, ErrorKind::InvalidModule, &["`plugin`"]);
}

#[test]
fn code_that_is_invalid_is_found_at_load_or_on_the_first_call() {
    let wasm = wat(r#"(module (func (export "good") (result i32) (i32.const 1))
        (func (export "bad") (result i32) (i64.const 1)))"#);
    let error = load_error(&wasm, config(all_granted()));
    assert_error(&error, ErrorKind::InvalidModule, &["`plugin`"]);
    let lazy = WasmInstanceConfig { compilation: Compilation::Lazy, ..config(all_granted()) };
    let (_registry, plugin) = load(&wasm, lazy);
    assert_eq!(call_i32(&plugin, "good", &[]).unwrap(), 1);
    for _ in 0..2 {
        let error = plugin.call("bad", &[]).unwrap_err();
        assert_error(&error, ErrorKind::InvalidModule, &["`plugin`", "`bad`"]);
    }
    assert_eq!(call_i32(&plugin, "good", &[]).unwrap(), 1);
}

#[test]
fn segments_that_do_not_fit_fail_the_load() {
    let texts = [
        r#"(module (memory 1) (data (i32.const 65535) "ab"))"#,
        r#"(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))"#,
    ];
    for text in texts {
        let error = load_error(&wat(text), config(all_granted()));
        assert_error(&error, ErrorKind::Trap, &["`plugin`"]);
    }
}

#[test]
fn code_after_the_end_of_a_function_makes_the_module_invalid_at_load() {
    // `local.get 0`, `nop`, `end`, `unreachable`, an empty block, one with a branch out of it, `return`.
    let beyond: [&[u8]; 7] =
        [b"\x20\0", b"\x01", b"\x0b", b"\0", b"\x02\x40\x0b", b"\x03\x40\x0c\0\x0b", b"\x0f"];
    for compilation in [Compilation::Eager, Compilation::Lazy] {
        for code in beyond {
            // One type, (i32) -> (); one function of it; exported as `f`; no locals.
            let mut wasm = b"\0asm\x01\0\0\0\x01\x05\x01\x60\x01\x7f\0\x03\x02\x01\0".to_vec();
            wasm.extend(b"\x07\x05\x01\x01f\0\0");
            let body = [b"\0\x0b", code, b"\x0b"].concat();
            let len = u8::try_from(body.len()).unwrap();
            wasm.extend([0x0a, len + 2, 1, len]);
            wasm.extend(body);
            let error =
                load_error(&wasm, WasmInstanceConfig { compilation, ..config(all_granted()) });
            assert_error(&error, ErrorKind::InvalidModule, &["function 0", "after its end"]);
        }
    }
}

/// A module of about a megabyte: functions in a binary tree, each of which `run` calls once.
fn large(functions: usize) -> Vec<u8> {
    let mut text = String::from("(module ");
    for i in 0..functions {
        let name = if i == 0 { r#"(export "run")"# } else { "" };
        write!(text, "(func $f{i} {name} (param $x i32) (result i32) ").unwrap();
        for step in 0..60 {
            let constant = 0x1234_5678 + i * 64 + step;
            write!(
                text,
                "(local.set $x (i32.add (i32.mul (local.get $x) (i32.const 3)) (i32.const {constant}))) "
            )
            .unwrap();
        }
        for child in [2 * i + 1, 2 * i + 2] {
            if child < functions {
                write!(text, "(local.set $x (call $f{child} (local.get $x))) ").unwrap();
            }
        }
        text.push_str("(local.get $x))");
    }
    text.push(')');
    wat(&text)
}

/// What `run` of such a module answers.
fn run_large(i: u32, functions: u32, mut x: u32) -> u32 {
    for step in 0..60 {
        x = x.wrapping_mul(3).wrapping_add(0x1234_5678 + i * 64 + step);
    }
    for child in [2 * i + 1, 2 * i + 2] {
        if child < functions {
            x = run_large(child, functions, x);
        }
    }
    x
}

#[test]
fn a_module_of_a_megabyte_loads_and_runs() {
    let wasm = large(1_200);
    assert!(wasm.len() > 1_000_000, "{}", wasm.len());
    for compilation in [Compilation::Eager, Compilation::Lazy] {
        let capabilities = WasmPluginCapabilities { fuel_limit: 50_000_000, ..all_granted() };
        let config = WasmInstanceConfig { compilation, ..config(capabilities) };
        let (_registry, plugin) = load(&wasm, config);
        let run = plugin.function::<u32, u32>("run").unwrap();
        for x in [0, 7, u32::MAX] {
            assert_eq!(run.call(x).unwrap(), run_large(0, 1_200, x));
        }
    }
}
