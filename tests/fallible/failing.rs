//! Where the heap has none left: what answers with an error and what ends the program, by the name of the
//! function that asks. `docs/memory.md` has it as a table, and is held against what happens.

// Without debug information functions have no names.
#![cfg_attr(not(debug_assertions), allow(dead_code, unused_imports))]

use crate::{
    heap::{heap, narrowed, unlimited, watched},
    support::{child, config, fixture, wat},
};
use std::{
    backtrace::Backtrace,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    env, fs,
};
use wasm_runtime::{
    CallOptions, Error, ErrorKind, MaintenanceBudget, TrapCode, WasmPluginRegistry, WasmValue,
};

const TEST: &str = "failing::what_the_documentation_says_of_each_allocation_happens_when_it_fails";
const VARIABLE: &str = "FALLIBLE_NTH";

const MODULES: [&str; 9] = [
    "counter",
    "echo",
    "caller",
    "start",
    "text_transform",
    "misbehaving/deep_recursion",
    "misbehaving/memory_grower",
    "misbehaving/table_grower",
    "misbehaving/traps",
];

/// Loads, calls, grows, fails and unloads, whatever becomes of it.
fn scenario() {
    let registry = WasmPluginRegistry::new();
    for name in MODULES {
        let (wasm, config) = unlimited(|| (fixture(name), config()));
        let _ = registry.load(name, &wasm, config);
        unlimited(|| drop(wasm));
    }
    for _ in 0..2 {
        let _ = registry.call("counter", "add", &[WasmValue::I32(1)]);
    }
    if let (Some(echo), Some(caller)) = (registry.get("echo"), registry.get("caller")) {
        let _ = echo.call_bytes("echo", &[7; 1_000]);
        let _ = caller.call_bytes("relay", b"echo\0echo\0hello");
        if let Ok(mut call) =
            caller.start_bytes("relay", b"echo\0echo\0hello", CallOptions::default())
        {
            while let Ok(wasm_runtime::Progress::Running) = call.run(100) {}
        }
    }
    let _ = registry.call("misbehaving/memory_grower", "grow_by", &[WasmValue::I32(3)]);
    let _ = registry.call("misbehaving/table_grower", "grow_by", &[WasmValue::I32(300)]);
    let _ = registry.call("misbehaving/deep_recursion", "depth", &[WasmValue::I32(900)]);
    let _ = registry.call("misbehaving/deep_recursion", "endless", &[]);
    let _ = registry.call("misbehaving/traps", "unreachable", &[]);
    registry.maintain(&MaintenanceBudget { max_idle_bytes: 0, ..MaintenanceBudget::default() });
    registry.shutdown_all();
}

/// How an allocation that failed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Error,
    Panic,
    Abort,
}

thread_local! {
    static ASKED: RefCell<Vec<(u64, usize, Backtrace)>> = const { RefCell::new(Vec::new()) };
}

/// The function that asked: the innermost one of ours and the interpreter's, without its path.
fn site(backtrace: &Backtrace) -> String {
    const CRATES: [&str; 6] =
        ["wasmi", "wasm_runtime", "wasmparser", "wasm_encoder", "hashbrown", "sha2"];
    let text = backtrace.to_string();
    let names = text.lines().filter_map(|line| Some(line.trim().split_once(": ")?.1));
    let ours = |name: &&str| {
        let name = name.trim_start_matches('<');
        CRATES.iter().any(|one| name.starts_with(one))
    };
    short(names.into_iter().find(ours).unwrap_or("the registry"))
}

/// `<a::b::C<T> as d::E>::f` and `a::b::C<T>::f` are `C::f`.
fn short(name: &str) -> String {
    let (mut plain, mut depth) = (String::new(), 0);
    let name = match name.strip_prefix('<').and_then(|rest| rest.split_once(" as ")) {
        Some((of, rest)) => format!("{of}::{}", rest.rsplit("::").next().unwrap()),
        None => name.to_string(),
    };
    for c in name.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let parts: Vec<_> =
        plain.split("::").filter(|part| !part.is_empty() && !part.starts_with('{')).collect();
    parts[parts.len().saturating_sub(2)..].join("::")
}

/// For each function that asks, the numbers of its first and its largest block.
fn sites() -> BTreeMap<String, BTreeSet<u64>> {
    scenario();
    let before = heap().asked;
    let watch = |n, size| {
        ASKED.with_borrow_mut(|asked| asked.push((n, size, Backtrace::force_capture())));
    };
    watched(watch, scenario);
    let mut blocks = BTreeMap::<_, Vec<(u64, usize)>>::new();
    for (n, size, backtrace) in ASKED.take() {
        blocks.entry(site(&backtrace)).or_default().push((n - before, size));
    }
    let ends = |blocks: Vec<(u64, usize)>| {
        let largest = blocks.iter().max_by_key(|(_, size)| size).unwrap();
        [blocks[0].0, largest.0].into()
    };
    blocks.into_iter().map(|(site, blocks)| (site, ends(blocks))).collect()
}

/// The rows of the table that name a function, and how an allocation of its fails.
fn documented() -> BTreeMap<String, End> {
    let path = format!("{}/docs/memory.md", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let site = cells.next()?.strip_suffix('`')?.to_string();
        let end =
            cells.next_back().filter(|cell| !cell.is_empty()).or_else(|| cells.next_back())?;
        let ends = [("error", End::Error), ("panic", End::Panic), ("abort", End::Abort)];
        ends.into_iter().find(|(word, _)| end.starts_with(word)).map(|(_, end)| (site, end))
    };
    text.lines().filter_map(row).collect()
}

/// Named are those that answer or panic, and some of the many that end the program.
#[cfg(debug_assertions)]
#[test]
fn what_the_documentation_says_of_each_allocation_happens_when_it_fails() {
    if let Ok(nth) = env::var(VARIABLE) {
        scenario();
        let nth = heap().asked + nth.parse::<u64>().unwrap();
        narrowed(|heap| heap.refuse_nth = nth, scenario);
        assert_eq!(heap().refused, 1);
        return;
    }
    let mut found = BTreeMap::new();
    for (site, numbers) in sites() {
        for nth in numbers {
            let output = child(TEST, VARIABLE, &nth.to_string());
            let end = match (output.status.success(), output.status.code()) {
                (true, _) => End::Error,
                (_, Some(101)) => End::Panic,
                _ => End::Abort,
            };
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(end == End::Abort, text.contains("memory allocation of"), "{site}: {text}");
            assert_eq!(*found.entry(site.clone()).or_insert(end), end, "{site}");
        }
    }
    let documented = documented();
    for (site, end) in &documented {
        assert_eq!(found.get(site), Some(end), "`{site}` of docs/memory.md");
    }
    let unsaid: Vec<_> = found
        .iter()
        .filter(|(site, end)| **end != End::Abort && !documented.contains_key(*site))
        .collect();
    assert!(unsaid.is_empty(), "not in docs/memory.md: {unsaid:?}");
    let count = |wanted| found.values().filter(|end| **end == wanted).count();
    let (errors, panics, aborts) = (count(End::Error), count(End::Panic), count(End::Abort));
    println!("{errors} functions answer an error, {panics} panic, {aborts} end the program");
}

#[test]
fn functions_are_told_apart_by_short_names() {
    for (name, expected) in [
        ("wasmi_core::memory::buffer::ByteBuffer::grow_vec", "ByteBuffer::grow_vec"),
        (
            "<wasmi::func::EncodedOps as wasmi_ir::encode::Encoder>::write_bytes",
            "EncodedOps::write_bytes",
        ),
        ("wasm_runtime::engine::code::Code<H>::compile::{{closure}}", "Code::compile"),
        ("wasm_runtime::report::copy", "report::copy"),
    ] {
        assert_eq!(short(name), expected);
    }
}

/// What a guest makes large, and what it hands over, can fail; then nothing has changed, and it works once
/// there is room.
#[test]
fn what_a_guest_makes_large_answers_an_error_where_the_heap_has_no_room_for_it() {
    const LARGE: usize = 16 << 10;
    let registry = WasmPluginRegistry::new();
    let large = r#"(module
        (memory (export "memory") 1)
        (table $t 1 externref)
        (func $deep (param i32) (result i32) (local i64 i64 i64 i64 i64 i64 i64 i64)
            (if (result i32) (local.get 0)
                (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
                (else (i32.const 7))))
        (func (export "memory_grow") (result i32) (memory.grow (i32.const 2)))
        (func (export "table_grow") (result i32)
            (table.grow $t (ref.null extern) (i32.const 6000)))
        (func (export "deep") (result i32) (call $deep (i32.const 400)))
        (func (export "soch_alloc") (param i32) (result i32) (i32.const 8))
        (func (export "answer") (param i32 i32) (result i64) (i64.const 0x800005000)))"#;
    let large = wat(large);
    registry.load("large", &large, config()).unwrap();
    let plugin = registry.get("large").unwrap();
    plugin.call("memory_grow", &[]).unwrap();
    let usage = registry.usage();
    let without = |work: &mut dyn FnMut() -> Result<i32, Error>| {
        let ended = narrowed(|heap| heap.refuse_from = LARGE, &mut *work);
        assert_eq!(registry.usage(), usage, "as it was");
        let ended = ended.map_err(|error| (error.kind(), error.trap_code()));
        (ended, work().unwrap())
    };
    let call = |function: &str| Ok(plugin.call(function, &[])?[0].as_i32().unwrap());
    let none = |error| (error, None);
    let mut load = || registry.load("other", &large, config()).map(|()| 0);
    assert_eq!(without(&mut load), (Err(none(ErrorKind::LimitExceeded)), 0));
    registry.unload("other").unwrap();
    let mut bytes = || Ok(i32::try_from(plugin.call_bytes("answer", b"")?.len()).unwrap());
    assert_eq!(without(&mut bytes), (Err(none(ErrorKind::LimitExceeded)), 0x5000));
    let input = [7; 20_000];
    let mut start = || plugin.start_bytes("answer", &input, CallOptions::default()).map(|_| 0);
    assert_eq!(without(&mut start), (Err(none(ErrorKind::LimitExceeded)), 0));
    assert_eq!(without(&mut || call("table_grow")), (Ok(-1), 1));
    let usage = registry.usage();
    assert_eq!(narrowed(|heap| heap.refuse_from = LARGE, || call("memory_grow").unwrap()), -1);
    assert_eq!(registry.usage(), usage);
    assert_eq!(call("memory_grow").unwrap(), 3);
    let deep = narrowed(|heap| heap.refuse_from = LARGE, || call("deep").unwrap_err());
    assert_eq!(deep.trap_code(), Some(TrapCode::OutOfSystemMemory), "{deep}");
    assert_eq!(call("deep").unwrap(), 7);
}
