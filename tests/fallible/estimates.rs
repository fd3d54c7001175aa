//! What a plugin is charged for is never less than what it takes: while it is loaded, and after.

use crate::{
    heap::{measured, unlimited},
    support::{config, fixture, fixtures, wat},
};
use proptest::prelude::*;
use std::fmt::Write;
use wasm_runtime::{
    Compilation, ErrorKind, ModuleLimits, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginRegistry,
};

/// No limit in the way of what the interpreter takes, and next to no stack, which hides the rest.
fn wide(compilation: Compilation, max_instances: u32) -> WasmInstanceConfig {
    let many = 10_000_000;
    WasmInstanceConfig {
        compilation,
        max_instances,
        capabilities: WasmPluginCapabilities {
            memory_limit_bytes: 1 << 30,
            fuel_limit: 1_000_000,
            ..config().capabilities
        },
        limits: ModuleLimits {
            max_module_bytes: u64::from(many),
            max_types: many,
            max_imports: many,
            max_functions: many,
            max_globals: many,
            max_exports: many,
            max_table_elements: u64::from(many),
            max_element_segments: many,
            max_data_segments: many,
            max_locals: many,
            max_body_bytes: many,
            max_recursion_depth: 1,
            max_stack_bytes: 1_000,
            max_answer_bytes: 0,
            ..ModuleLimits::default()
        },
        ..config()
    }
}

/// How much heap a load takes at its peak and keeps, and what it is charged for; nothing if it is refused.
fn load(wasm: &[u8], config: WasmInstanceConfig) -> Option<[i64; 3]> {
    let registry = WasmPluginRegistry::new();
    // The registry's own tables reach their size.
    registry.load("other", &wat("(module)"), wide(Compilation::Eager, 1)).unwrap();
    let before = registry.usage().heap_bytes;
    let (peak, held, loaded) = measured(|| registry.load("plugin", wasm, config));
    let charged = registry.usage().heap_bytes - before;
    loaded.is_ok().then(|| [peak, held, i64::try_from(charged).unwrap()])
}

/// Holds loads of a module against what they are charged for; returns how many times its peak one is charged
/// for that compiles it at once, in tenths.
fn check(name: &str, wasm: &[u8]) -> Option<i64> {
    let mut tenths = None;
    for (compilation, slots) in
        [(Compilation::Eager, 1), (Compilation::Lazy, 1), (Compilation::Eager, 9)]
    {
        let Some([peak, held, charged]) = load(wasm, wide(compilation, slots)) else { continue };
        assert!(
            held <= peak && peak <= charged,
            "{name}, {} bytes, {compilation:?}, {slots} slots: {peak} at its peak, {held} held, \
             {charged} charged",
            wasm.len()
        );
        tenths = tenths.or(Some(charged * 10 / peak));
    }
    tenths
}

#[test]
fn no_module_that_is_committed_takes_more_than_it_is_charged_for() {
    let mut loaded = 0;
    for name in fixtures() {
        let Some(tenths) = check(&name, &fixture(&name)) else { continue };
        loaded += 1;
        println!("{name}: charged for {}.{} times its peak", tenths / 10, tenths % 10);
        assert!(tenths <= 60, "{name}: charged for {tenths} tenths of its peak");
    }
    assert!(loaded > 35, "{loaded} modules loaded");
}

/// A module with one function that repeats `body`, between two other pieces.
fn repeated(before: &str, body: &str, n: usize, after: &str) -> Vec<u8> {
    wat(&format!(
        "(module {DECLARED} (func {LOCALS} {before} {} {after} unreachable))",
        body.repeat(n)
    ))
}

/// What the code of these tests refers to: `$many` gives 32 values.
const DECLARED: &str = r#"
    (type $many (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32
            i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
        (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32
            i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (memory 1) (memory 1) (table 1 funcref) (global $g (mut i64) (i64.const 0))
    (func $nothing) (func $many (type $many) unreachable)"#;
const LOCALS: &str = "(param i32 i64 f64) (local i32 v128)";

/// Pieces of code that leave the stack as it was, and some that do so only with what goes around them.
const PIECES: &[(&str, &str, &str)] = &[
    ("", "nop ", ""),
    ("", "local.get 0 local.get 3 i32.add local.set 3 ", ""),
    ("", "local.get 1 i64.const -77777777777777 i64.mul local.set 1 ", ""),
    ("", "f64.const 1.5 local.get 2 f64.div local.set 2 ", ""),
    ("", "local.get 0 i32.load 1 offset=70000 drop ", ""),
    ("", "i32.const 100000 i64.const -77777777777777 i64.store 1 offset=70000 ", ""),
    ("", "local.get 0 i32x4.splat v128.not local.set 4 ", ""),
    (
        "",
        "local.get 4 local.get 4 i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 local.set 4 ",
        "",
    ),
    ("", "local.get 4 v128.const i32x4 1 2 3 4 i32x4.add local.set 4 ", ""),
    ("", "local.get 0 local.get 4 v128.store16_lane 1 offset=70000 3 ", ""),
    ("", "local.get 4 local.get 4 local.get 0 select (result v128) local.set 4 ", ""),
    ("", "local.get 0 local.get 3 local.get 3 select local.set 3 ", ""),
    ("", "global.get $g i64.const 1 i64.add global.set $g ", ""),
    ("", "call $nothing ", ""),
    ("", "i32.const 0 call_indirect ", ""),
    ("", "i32.const 0 memory.grow drop ", ""),
    ("", "ref.null func i32.const 0 table.grow drop ", ""),
    ("", "i32.const 0 i32.const 0 i32.const 0 memory.fill ", ""),
    ("", "i32.const 0 i32.const 0 i32.const 0 memory.copy 0 1 ", ""),
    ("", "loop end ", ""),
    ("", "block end ", ""),
    ("", "local.get 0 if else end ", ""),
    ("", "local.get 0 if local.get 3 local.set 0 else local.get 0 local.set 3 end ", ""),
    ("", "block local.get 0 br_if 0 return end ", ""),
    ("", "local.get 0 local.get 0 local.get 0 i32.const 1 local.set 0 drop drop drop ", ""),
    ("block ", "local.get 0 br_if 0 ", "end "),
    ("block ", "local.get 0 i32.const 7 i32.lt_s br_if 0 ", "end "),
    ("block (result i32) i32.const 1 ", "local.get 0 br_if 0 ", "end drop "),
    ("unreachable ", "call $many ", ""),
    ("unreachable ", "i32.add ", "drop "),
];

/// Pieces that nest, with what comes between.
const NESTS: &[(&str, &str)] = &[
    ("block ", "end "),
    ("loop ", "end "),
    ("local.get 0 if ", "end "),
    ("local.get 0 if ", "else end "),
    ("block (result i64) ", "end "),
    ("i32.const 1 ", "drop "),
    ("local.get 0 ", "drop "),
    ("local.get 4 ", "drop "),
    ("local.get 0 local.get 3 i32.add ", "i32.clz drop "),
    ("local.get 0 i32.load 1 offset=70000 ", "drop "),
    ("i32.const 0 i64.load 1 offset=70000 ", "drop "),
    ("global.get $g ", "drop "),
    ("memory.size ", "drop "),
    ("local.get 0 i32x4.splat ", "drop "),
];

/// Around the numbers at which vectors and tables of hashes double.
const SIZES: [usize; 5] = [1, 33, 513, 1_025, 4_100];

#[test]
fn no_piece_of_code_takes_more_than_it_is_charged_for_however_often_it_comes() {
    for n in SIZES {
        for (before, body, after) in PIECES {
            let checked = check(body, &repeated(before, body, n, after));
            assert!(checked.is_some(), "{n} times `{body}` does not load");
        }
        for (open, close) in NESTS {
            // What was read of a local before it is set is kept elsewhere.
            let value = match open.contains("result") {
                true => "i64.const 1 ",
                false => "i32.const 1 local.set 0 ",
            };
            let close = if open.contains("result") { "end " } else { close };
            let after = if open.contains("result") { "drop " } else { "" };
            let body = format!("{value}{}{after}", close.repeat(n));
            let checked = check(open, &repeated("", open, n, &body));
            assert!(checked.is_some(), "`{open}`, {n} deep, does not load");
        }
    }
}

/// What moves 32 values at once is what makes a module grow most.
#[test]
fn no_code_that_moves_many_values_takes_more_than_it_is_charged_for() {
    let (push, pop) = ("i32.const 5 ".repeat(32), "drop ".repeat(32));
    let (locals, wide) = ("local.get 3 ".repeat(32), "block (type $many) ");
    let mut most = 0.0_f64;
    for n in [1, 33, 450, 1_025, 1_900] {
        let block = format!("{push} {wide}");
        let of_locals = format!("{locals} {wide} {pop} {locals}");
        let targets = format!("local.get 0 br_table {} ", "0 1 ".repeat(n));
        let modules = [
            repeated(&block, "local.get 0 br_if 0 ", n, &format!("end {pop}")),
            repeated(&of_locals, "local.get 0 br_if 0 ", n, &format!("end {pop}")),
            repeated(
                &locals,
                "local.get 0 if (type $many) ",
                n,
                &format!("{} {pop}", "end ".repeat(n)),
            ),
            repeated(&push, wide, n, &format!("{} {pop}", "end ".repeat(n))),
            repeated(&push, "loop (type $many) ", n, &format!("{} {pop}", "end ".repeat(n))),
            repeated(&push, "local.get 0 if (type $many) else end ", n, &pop),
            repeated(&push, "call $many ", n, &pop),
            repeated("", &format!("{push} call $many {pop}"), n, ""),
            repeated(
                &format!("{push} {wide} i32.const 1 {wide} "),
                &targets,
                1,
                &format!("end drop end {pop}"),
            ),
        ];
        for (at, wasm) in modules.iter().enumerate() {
            check(&format!("wide {at}"), wasm);
            if let Some([peak, ..]) = load(wasm, self::wide(Compilation::Eager, 1)) {
                most = most.max(peak as f64 / wasm.len() as f64);
            }
        }
    }
    println!("the heap of a module is up to {most:.0} times its bytes");
    assert!(most > 300.0, "{most}");
}

/// Sections of `n` items each.
fn sections(n: usize) -> Vec<(&'static str, String)> {
    let all = |item: &dyn Fn(usize) -> String| (0..n).map(item).collect::<String>();
    let type_of = |at: usize| {
        let bits = (0..15).map(|bit| if at >> bit & 1 == 1 { "i32 " } else { "i64 " });
        bits.collect::<String>()
    };
    vec![
        ("types", all(&|at| format!("(type (func (param {})))", type_of(at)))),
        ("equal types", "(type (func))".repeat(n)),
        (
            "imports",
            "(import \"soch_v1\" \"log_message\" (func (param i32 i32 i32) (result i32)))"
                .repeat(n),
        ),
        ("functions", "(func)".repeat(n)),
        ("named functions", all(&|at| format!("(func $name{at} (export \"{at}\"))"))),
        ("globals", "(global i32 (i32.const 0))".repeat(n)),
        (
            "globals of sums",
            format!("(global i32 (i32.const 0) {})", "i32.const 1 i32.add ".repeat(80))
                .repeat(n / 80 + 1),
        ),
        (
            "globals of long sums",
            format!("(global i32 {} {})", "i32.const 1 ".repeat(81), "i32.add ".repeat(80))
                .repeat(n / 80 + 1),
        ),
        (
            "exports of functions",
            format!("(func $f) {}", all(&|at| format!("(export \"{at}\" (func $f))"))),
        ),
        (
            "exports of globals",
            format!(
                "(global $g i32 (i32.const 0)) {}",
                all(&|at| format!("(export \"{at}\" (global $g))"))
            ),
        ),
        ("long exports", all(&|at| format!("(func (export \"{at}{}\"))", "x".repeat(100)))),
        ("a passive element segment", format!("(func $f) (elem func {})", "$f ".repeat(n))),
        (
            "an element segment of expressions",
            format!("(elem funcref {})", "(ref.null func)".repeat(n)),
        ),
        (
            "element segments",
            format!("(func $f) (table 1 funcref) {}", "(elem (i32.const 0) $f)".repeat(n)),
        ),
        ("passive element segments", "(elem func)".repeat(n)),
        ("data", format!("(memory 30) (data (i32.const 0) \"{}\")", "x".repeat(100 * n))),
        ("passive data", format!("(memory 1) (data \"{}\")", "x".repeat(100 * n))),
        ("data segments", format!("(memory 1) {}", "(data (i32.const 0) \"abcdefgh\")".repeat(n))),
        ("passive data segments", format!("(memory 1) {}", "(data \"a\")".repeat(n))),
        ("table elements", format!("(table {} funcref) (table {n} externref)", 10 * n)),
        ("a start function", format!("(func $f) (start $f) {}", "(func nop nop)".repeat(n))),
        ("locals", format!("(func (local {}))", "i32 ".repeat(n))),
    ]
}

#[test]
fn no_section_takes_more_than_it_is_charged_for_however_much_is_in_it() {
    for n in [1, 33, 450, 1_025, 7_300, 14_400] {
        for (name, text) in sections(n) {
            let checked = check(name, &wat(&format!("(module {text})")));
            assert!(checked.is_some(), "{name}, {n} of them, does not load");
        }
    }
}

/// Sections that stand beside one another and beside what is declared.
const TOGETHER: [&str; 12] = [
    "types",
    "equal types",
    "imports",
    "functions",
    "globals",
    "globals of sums",
    "an element segment of expressions",
    "passive element segments",
    "passive data",
    "data segments",
    "table elements",
    "locals",
];

fn module() -> impl Strategy<Value = String> {
    let piece = (0..PIECES.len(), 0..60_usize);
    let nest = (0..NESTS.len(), 0..40_usize);
    let body = prop::collection::vec((piece, nest), 0..6);
    let section = prop::sample::subsequence(TOGETHER.to_vec(), 0..=3);
    (prop::collection::vec(body, 1..12), section, 1..60_usize).prop_map(
        |(bodies, together, items)| {
            let mut text = String::from("(module ");
            for (name, part) in sections(items) {
                if together.contains(&name) {
                    text.push_str(&part);
                }
            }
            text.push_str(DECLARED);
            for body in bodies {
                write!(text, "(func {LOCALS} ").unwrap();
                for ((piece, times), (nest, depth)) in body {
                    let (before, piece, after) = PIECES[piece];
                    // What cannot be reached would hide the rest.
                    if before.starts_with("unreachable") {
                        continue;
                    }
                    let (open, close) = NESTS[nest];
                    let is_plain = !open.contains("result");
                    let depth = if is_plain { depth } else { 0 };
                    write!(text, "{} {before} ", open.repeat(depth)).unwrap();
                    write!(text, "{} {after} {} ", piece.repeat(times), close.repeat(depth))
                        .unwrap();
                }
                text.push_str("unreachable)");
            }
            text.push(')');
            text
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn no_module_at_random_takes_more_than_it_is_charged_for(text in module()) {
        let wasm = wat(&text);
        prop_assert!(check("a module at random", &wasm).is_some(), "{}", text);
    }
}

/// What a module takes is known before it is compiled: refused under a ceiling, it took little.
#[test]
fn a_module_that_would_take_too_much_takes_little_until_it_is_refused() {
    let (push, pop) = ("i32.const 5 ".repeat(32), "drop ".repeat(32));
    let before = format!("{push} block (type $many) ");
    let bomb = repeated(&before, "local.get 0 br_if 0 ", 10_000, &format!("end {pop}"));
    let [taken, ..] = load(&bomb, wide(Compilation::Eager, 1)).unwrap();
    let quota = wasm_runtime::TenantQuota { max_heap_bytes: 4 << 20, ..Default::default() };
    let registry = WasmPluginRegistry::builder().quota(quota).build().unwrap();
    let config = unlimited(|| wide(Compilation::Eager, 1));
    let (peak, held, refused) = measured(|| registry.load("bomb", &bomb, config));
    assert_eq!(refused.as_ref().unwrap_err().kind(), ErrorKind::QuotaExceeded);
    println!("{} bytes take {taken} of heap; refused, {peak} of it", bomb.len());
    assert!(taken > 10 << 20 && peak < 64 << 10, "{taken}, {peak}");
    drop(refused);
    assert!(held < 16 << 10, "{held}");
}
