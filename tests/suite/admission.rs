//! What a module asks for and brings, told before any of it runs; and what is no module.

use crate::support::{all_granted, assert_error, config, fixture, load_error, wat};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use wasm_runtime::{
    AdmissionReport, CallOptions, Compilation, EmbeddedHost, ErrorKind, Grant, HostCall, HostCost,
    HostError, HostFunctionTable, ModuleLimits, ValueType, WasmInstanceConfig,
    WasmPluginCapabilities, WasmPluginRegistry, WasmValue,
};

fn admit(wasm: &[u8]) -> AdmissionReport {
    WasmPluginRegistry::new().admit(wasm, &config(all_granted()))
}

#[test]
fn a_report_tells_size_hash_and_the_exported_functions() {
    let report = admit(&fixture("counter"));
    assert!(report.is_admitted() && report.warnings.is_empty());
    assert_eq!(report.module_bytes, fixture("counter").len() as u64);
    assert_eq!(report.module_hash[..], Sha256::digest(fixture("counter"))[..]);
    let names: Vec<_> = report.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["add", "get", "increment", "reset"]);
    assert_eq!(report.functions[0].params, [ValueType::I32]);
    assert_eq!(report.functions[0].results, [ValueType::I32]);
    assert!(report.functions[3].params.is_empty() && report.functions[3].results.is_empty());
}

#[test]
fn a_report_tells_imports_in_order_with_definition_and_grant() {
    let registry = WasmPluginRegistry::new();
    let wasm = fixture("misbehaving/forbidden_table");
    let capabilities = WasmPluginCapabilities {
        can_write_table: vec!["users".into()],
        ..WasmPluginCapabilities::default()
    };
    let report = registry.admit(&wasm, &config(capabilities));
    let imports: Vec<_> = report
        .imports
        .iter()
        .map(|i| (i.module.as_str(), i.name.as_str(), i.is_defined, i.is_granted))
        .collect();
    let expected = [
        ("soch_v1", "soch_read", true, false),
        ("soch_v1", "soch_scan", true, false),
        ("soch_v1", "soch_write", true, true),
        ("soch_v1", "soch_delete", true, true),
    ];
    assert_eq!(imports, expected);
    // Without a grant it loads, and is warned of.
    assert!(report.is_admitted());
    for (warning, name) in report.warnings.iter().zip(["soch_read", "soch_scan"]) {
        assert!(warning.contains(&format!("`{name}` is denied")), "{warning}");
    }
    assert_eq!(report.warnings.len(), 2);
    for (name, defined) in
        [("mistyped_import", "soch_read"), ("missing_import", "no_such_function")]
    {
        let report =
            registry.admit(&fixture(&format!("misbehaving/{name}")), &config(all_granted()));
        assert_eq!(report.imports[0].name, defined);
        assert!(!report.imports[0].is_defined);
    }
}

#[test]
fn a_report_tells_whether_a_custom_grant_is_held() {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let body = |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> { Ok(()) };
    table.define("env", "launch", Grant::Custom("launch"), HostCost::default(), body).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let wasm = wat(r#"(module (import "env" "launch" (func)))"#);
    let mut config = config(all_granted());
    assert!(!registry.admit(&wasm, &config).imports[0].is_granted);
    config.custom_grants.push("launch".into());
    assert!(registry.admit(&wasm, &config).imports[0].is_granted);
}

#[test]
fn a_report_tells_memory_and_tables_at_first_and_at_worst_within_the_limits() {
    let with = |memory_limit_bytes, max_table_elements| {
        let capabilities = WasmPluginCapabilities { memory_limit_bytes, ..all_granted() };
        let limits = ModuleLimits { max_table_elements, ..ModuleLimits::default() };
        WasmInstanceConfig { limits, ..config(capabilities) }
    };
    let sizes = |name: &str, config: &WasmInstanceConfig| {
        let report = WasmPluginRegistry::new().admit(&fixture(name), config);
        (
            (report.initial_memory_bytes, report.max_memory_bytes),
            (report.initial_table_elements, report.max_table_elements),
        )
    };
    let config = with(1 << 20, 100);
    assert_eq!(sizes("no_memory", &config), ((0, 0), (0, 0)));
    assert_eq!(sizes("counter", &config), ((1 << 16, 1 << 20), (0, 0)));
    assert_eq!(sizes("several_memories", &config), ((3 << 16, 1 << 20), (0, 0)));
    assert_eq!(sizes("custom_page_size", &config), ((2_048, 4_096), (0, 0)));
    assert_eq!(sizes("misbehaving/traps", &config), ((1 << 16, 1 << 16), (4, 4)));
    assert_eq!(sizes("misbehaving/table_grower", &config), ((0, 0), (2, 100)));
    assert_eq!(sizes("misbehaving/table_grower", &with(1 << 20, 7)).1, (2, 7));
}

#[test]
fn a_report_tells_of_a_start_section() {
    assert!(admit(&fixture("start")).has_start);
    assert!(!admit(&fixture("counter")).has_start);
    // It is not run: these two would fail.
    for name in ["misbehaving/endless_start", "misbehaving/trap_start"] {
        let report = admit(&fixture(name));
        assert!(report.has_start && report.is_admitted(), "{name}");
    }
}

#[test]
fn a_report_tells_which_proposals_the_code_uses() {
    let cases: [(&str, &[&str]); 11] = [
        ("counter", &[]),
        ("echo", &["bulk-memory"]),
        ("row_validator", &["bulk-memory", "sign-extension"]),
        ("multi_value", &["multi-value"]),
        ("externref", &["multi-value", "reference-types"]),
        ("memory64", &["memory64"]),
        ("custom_page_size", &["custom-page-sizes"]),
        ("several_memories", &["multi-memory"]),
        ("misbehaving/endless_loop", &["tail-call"]),
        ("misbehaving/table_grower", &["reference-types"]),
        ("misbehaving/traps", &["bulk-memory", "reference-types", "tail-call"]),
    ];
    for (name, proposals) in cases {
        assert_eq!(admit(&fixture(name)).proposals, proposals, "{name}");
    }
    #[cfg(feature = "simd")]
    assert_eq!(admit(&fixture("simd")).proposals, ["simd"]);
}

#[test]
fn a_report_tells_which_proposals_the_types_use() {
    let cases: [(&str, &[&str]); 8] = [
        ("(module (func (param i32)) (global i64 (i64.const 1)) (table 1 funcref))", &[]),
        ("(module (table 0 externref))", &["reference-types"]),
        ("(module (table 0 funcref) (table 0 funcref))", &["reference-types"]),
        ("(module (global externref (ref.null extern)))", &["reference-types"]),
        ("(module (func (local externref)))", &["reference-types"]),
        ("(module (func (result i32 i32) (i32.const 1) (i32.const 2)))", &["multi-value"]),
        ("(module (table i64 0 funcref))", &["memory64"]),
        (
            "(module (func (param f32) (drop (i32.trunc_sat_f32_s (local.get 0)))))",
            &["saturating-float-to-int"],
        ),
    ];
    for (text, proposals) in cases {
        assert_eq!(admit(&wat(text)).proposals, proposals, "{text}");
    }
}

#[test]
fn a_module_without_the_memory_of_the_abi_is_warned_of() {
    let warnings = admit(&fixture("renamed_memory")).warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("`memory`"), "{warnings:?}");
    assert!(warnings[0].contains("-3"));
    assert!(admit(&fixture("no_memory")).warnings.is_empty());
    // An export of that name that is no memory is none.
    assert_eq!(admit(&fixture("misbehaving/mistyped_exports")).warnings.len(), 1);
}

/// What to change in a configuration.
type Change = fn(&mut WasmInstanceConfig);

#[test]
fn a_load_is_refused_with_the_first_reason_of_the_report() {
    let registry = WasmPluginRegistry::new();
    let changes: [Change; 6] = [
        |_| {},
        |c| c.expected_sha256 = Some([7; 32]),
        |c| c.max_instances = 0,
        |c| c.limits.max_exports = 2,
        |c| c.capabilities.memory_limit_bytes = 65_535,
        |c| c.settings.push(("soch.abi".into(), "2".into())),
    ];
    let mut refused = 0;
    for (name, wasm) in all_fixtures() {
        for change in changes {
            let mut config = config(all_granted());
            change(&mut config);
            let report = registry.admit(&wasm, &config);
            let loaded = registry.load("plugin", &wasm, config);
            let _ = registry.unload("plugin");
            let Some(reason) = report.refusals.first() else {
                let runs = report.has_start;
                assert!(runs || loaded.is_ok(), "{name}: {loaded:?}");
                continue;
            };
            let error = loaded.expect_err(&name);
            assert_eq!(error.kind(), reason.kind(), "{name}");
            assert_eq!(error.to_string(), format!("plugin `plugin`: {reason}"), "{name}");
            refused += 1;
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_report_lists_every_import_that_is_refused() {
    let text = r#"(module (import "env" "a" (func)) (import "soch_v1" "soch_read" (func))
        (import "soch_v1" "log_message" (func (param i32 i32 i32) (result i32))))"#;
    let report = admit(&wat(text));
    let says = [["`env`", "`a`"], ["`soch_read`", "() -> ()"]];
    assert_eq!(report.refusals.len(), 2);
    for (refusal, says) in report.refusals.iter().zip(says) {
        assert_error(refusal, ErrorKind::Refused, &says);
    }
}

#[test]
fn a_function_too_large_for_the_interpreter_is_refused_by_the_report_too() {
    let body = "(i64.const 77777777777) ".repeat(70_000) + &"drop ".repeat(70_000);
    let wasm = wat(&format!("(module (func {body}))"));
    assert_error(&load_error(&wasm, config(all_granted())), ErrorKind::LimitExceeded, &[]);
    let report = admit(&wasm);
    assert_eq!(report.refusals.len(), 1);
    assert_eq!(report.refusals[0].kind(), ErrorKind::LimitExceeded);
}

#[test]
fn what_is_no_module_is_told_by_what_it_looks_like() {
    let counter = fixture("counter");
    let cases: [(&[u8], &str); 13] = [
        (b"", "empty"),
        (b"\0", "truncated inside its header"),
        (b"\0asm", "truncated inside its header"),
        (b"\0asm\x01\0\0", "truncated inside its header"),
        (b"\0asm\x0d\0\x01\0", "component"),
        (b"\0asm\x02\0\0\0", "version"),
        (b"(module)", "text format"),
        (b"  \n\t(module)", "text format"),
        (b";; a comment\n(module)", "text format"),
        (b"\x7fELF\x02\x01\x01\0", "does not start like"),
        (b"PK\x03\x04", "does not start like"),
        (&[0xff; 64], "does not start like"),
        (&counter[..counter.len() - 1], "not a valid module"),
    ];
    for (bytes, says) in cases {
        let error = load_error(bytes, config(all_granted()));
        assert_error(&error, ErrorKind::InvalidModule, &["`plugin`", says]);
        let report = admit(bytes);
        assert_error(&report.refusals[0], ErrorKind::InvalidModule, &[says]);
        assert!(report.functions.is_empty() && report.imports.is_empty());
    }
}

#[test]
fn a_module_truncated_anywhere_is_refused_or_a_smaller_module() {
    let wasm = fixture("counter");
    for len in 0..wasm.len() {
        let report = admit(&wasm[..len]);
        // Cut between two sections it can be a module without functions.
        assert!(!report.is_admitted() || report.functions.is_empty(), "{len} bytes");
    }
}

#[test]
fn what_only_other_runtimes_support_is_refused_by_name() {
    let cases = [
        ("(module (memory 1 1 shared))", "shared"),
        ("(module (type (struct)))", "struct"),
        ("(module (tag))", "exceptions"),
        ("(module (func (param (ref func))))", "function references"),
        ("(module (func (param anyref)))", "any"),
        (
            "(module (func (param i64 i64) (result i64 i64)
                (i64.mul_wide_s (local.get 0) (local.get 1))))",
            "wide arithmetic",
        ),
    ];
    for (text, says) in cases {
        let error = load_error(&wat(text), config(all_granted()));
        assert!(matches!(error.kind(), ErrorKind::Refused | ErrorKind::InvalidModule), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// Every committed module, by name.
fn all_fixtures() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for folder in ["", "misbehaving/"] {
        let path = format!("{}/fixtures/wasm/{folder}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(path).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "wasm") {
                let name = format!("{folder}{}", path.file_stem().unwrap().to_str().unwrap());
                let wasm = fixture(&name);
                all.push((name, wasm));
            }
        }
    }
    all.sort();
    all
}

/// Admits and loads `wasm`; what loads, is called. Nothing of it may panic, and report and load must
/// agree.
fn try_everything(registry: &WasmPluginRegistry, wasm: &[u8], compilation: Compilation) {
    let capabilities =
        WasmPluginCapabilities { memory_limit_bytes: 1 << 20, fuel_limit: 20_000, ..all_granted() };
    let config = WasmInstanceConfig { compilation, ..config(capabilities) };
    let report = registry.admit(wasm, &config);
    let loaded = registry.load("plugin", wasm, config);
    if compilation == Compilation::Eager {
        match (report.refusals.first(), &loaded) {
            (Some(reason), loaded) => {
                assert_eq!(loaded.as_ref().unwrap_err().kind(), reason.kind(), "{report:?}");
            }
            (None, Ok(())) => {}
            // A segment that does not fit, or the start function.
            (None, Err(error)) => assert!(
                matches!(error.kind(), ErrorKind::Trap | ErrorKind::OutOfFuel),
                "{error:?} {report:?}"
            ),
        }
    }
    let Some(plugin) = registry.get("plugin") else {
        return;
    };
    for function in plugin.functions() {
        let (params, results) = plugin.signature(function).unwrap();
        let zero = |ty: &ValueType| match ty {
            ValueType::I32 => WasmValue::I32(0),
            ValueType::I64 => WasmValue::I64(0),
            ValueType::F32 => WasmValue::F32(0.0),
            ValueType::F64 => WasmValue::F64(0.0),
            _ => WasmValue::ExternRef(0),
        };
        let args: Vec<_> = params.iter().map(zero).collect();
        if let Ok(values) = plugin.call_with(function, &args, CallOptions::default()) {
            assert_eq!(values.len(), results.len());
        }
        let _ = plugin.call_bytes(function, b"some bytes");
    }
    registry.unload("plugin").unwrap();
}

fn compilation() -> impl Strategy<Value = Compilation> {
    prop_oneof![Just(Compilation::Eager), Just(Compilation::Lazy)]
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        has_header: bool,
        compilation in compilation(),
    ) {
        if has_header {
            bytes.splice(0..0, *b"\0asm\x01\0\0\0");
        }
        try_everything(&WasmPluginRegistry::new(), &bytes, compilation);
    }

    #[test]
    fn a_fixture_with_a_few_bytes_changed_never_panics(
        fixture: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
        compilation in compilation(),
    ) {
        let fixtures = all_fixtures();
        let mut wasm = fixture.get(&fixtures).1.clone();
        for (at, byte) in changes {
            // The header stays, or nothing else would ever be looked at.
            let at = 8 + at.index(wasm.len() - 8);
            wasm[at] = byte;
        }
        if let Some(cut) = cut {
            wasm.truncate(cut.index(wasm.len()));
        }
        try_everything(&WasmPluginRegistry::new(), &wasm, compilation);
    }
}
