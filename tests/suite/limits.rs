//! What a module may contain, and how much memory, table and stack it may use.

use crate::support::{all_granted, assert_error, call_i32, config, fixture, load, load_error, wat};
use std::sync::Arc;
use wasm_runtime::{
    ErrorKind, GrowthPolicy, ModuleLimits, TrapCode, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginInstance, WasmPluginRegistry, WasmValue::I64,
};

fn with_limits(limits: ModuleLimits) -> WasmInstanceConfig {
    let capabilities = WasmPluginCapabilities { fuel_limit: 50_000_000, ..all_granted() };
    WasmInstanceConfig { limits, ..config(capabilities) }
}

fn with_memory_limit(memory_limit_bytes: u64) -> WasmInstanceConfig {
    config(WasmPluginCapabilities { memory_limit_bytes, fuel_limit: 50_000_000, ..all_granted() })
}

/// A plugin that shares one state, so that what it grows stays grown.
fn load_one(
    name: &str,
    config: WasmInstanceConfig,
) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    load(&fixture(name), WasmInstanceConfig { max_instances: 1, ..config })
}

/// A limit, a value for it, and a module of exactly that size made from a number.
struct Case {
    limit: &'static str,
    value: u64,
    set: fn(&mut ModuleLimits, u64),
    module: fn(u64) -> String,
}

/// `n` times `item`, in which `#` is the number of the turn.
fn repeat(item: &str, n: u64) -> String {
    (0..n).map(|i| item.replace('#', &i.to_string())).collect()
}

const CASES: [Case; 14] = [
    Case {
        limit: "max_types",
        value: 3,
        set: |limits, n| limits.max_types = n as u32,
        module: |n| format!("(module {})", repeat("(type (func (param i32) (result i32)))", n)),
    },
    Case {
        limit: "max_imports",
        value: 3,
        set: |limits, n| limits.max_imports = n as u32,
        module: |n| {
            let import =
                r#"(import "soch_v1" "log_message" (func (param i32 i32 i32) (result i32)))"#;
            format!("(module {})", repeat(import, n))
        },
    },
    Case {
        limit: "max_functions",
        value: 3,
        set: |limits, n| limits.max_functions = n as u32,
        module: |n| {
            // One of them is imported.
            let import =
                r#"(import "soch_v1" "log_message" (func (param i32 i32 i32) (result i32)))"#;
            format!("(module {import} {})", repeat("(func)", n - 1))
        },
    },
    Case {
        limit: "max_globals",
        value: 3,
        set: |limits, n| limits.max_globals = n as u32,
        module: |n| format!("(module {})", repeat("(global i32 (i32.const 1))", n)),
    },
    Case {
        limit: "max_exports",
        value: 3,
        set: |limits, n| limits.max_exports = n as u32,
        module: |n| format!("(module (func $f) {})", repeat(r#"(export "f#" (func $f))"#, n)),
    },
    Case {
        limit: "max_memories",
        value: 3,
        set: |limits, n| limits.max_memories = n as u32,
        module: |n| format!("(module {})", repeat("(memory 0)", n)),
    },
    Case {
        limit: "max_tables",
        value: 3,
        set: |limits, n| limits.max_tables = n as u32,
        module: |n| format!("(module {})", repeat("(table 0 funcref)", n)),
    },
    Case {
        limit: "max_table_elements",
        value: 30,
        set: |limits, n| limits.max_table_elements = n,
        module: |n| format!("(module (table 10 funcref) (table {} externref))", n - 10),
    },
    Case {
        limit: "max_element_segments",
        value: 3,
        set: |limits, n| limits.max_element_segments = n as u32,
        module: |n| format!("(module (func $f) {})", repeat("(elem func $f)", n)),
    },
    Case {
        limit: "max_data_segments",
        value: 3,
        set: |limits, n| limits.max_data_segments = n as u32,
        module: |n| format!("(module (memory 1) {})", repeat(r#"(data "x")"#, n)),
    },
    Case {
        limit: "max_locals",
        value: 5,
        set: |limits, n| limits.max_locals = n as u32,
        // Of several types, which the format counts apart; parameters are no locals.
        module: |n| {
            let locals = "i32 ".repeat(n as usize - 2);
            format!("(module (func) (func (param i32 i32) (local i64 f64 {locals})))")
        },
    },
    Case {
        limit: "max_body_bytes",
        value: 40,
        set: |limits, n| limits.max_body_bytes = n as u32,
        // One byte says that there are no locals, one ends the function.
        module: |n| format!("(module (func {}))", "nop ".repeat(n as usize - 2)),
    },
    Case {
        limit: "max_params",
        value: 5,
        set: |limits, n| limits.max_params = n as u32,
        module: |n| format!("(module (func (param {})))", "i32 ".repeat(n as usize)),
    },
    Case {
        limit: "max_results",
        value: 5,
        set: |limits, n| limits.max_results = n as u32,
        module: |n| {
            let (types, values) = ("i32 ".repeat(n as usize), "(i32.const 1)".repeat(n as usize));
            format!("(module (func (result {types}) {values}))")
        },
    },
];

#[test]
fn a_module_at_a_limit_loads_and_one_over_it_is_refused_by_limit_and_value() {
    for Case { limit, value, set, module } in CASES {
        let mut limits = ModuleLimits::default();
        set(&mut limits, value);
        load(&wat(&module(value)), with_limits(limits));
        let error = load_error(&wat(&module(value + 1)), with_limits(limits));
        let says = [format!("`{limit}` is {value}"), format!(" {} ", value + 1)];
        assert_error(&error, ErrorKind::LimitExceeded, &["`plugin`", &says[0], &says[1]]);
    }
}

#[test]
fn a_module_at_a_default_limit_loads_and_one_over_it_does_not() {
    let default = ModuleLimits::default();
    let defaults: [u64; 14] = [
        default.max_types.into(),
        default.max_imports.into(),
        default.max_functions.into(),
        default.max_globals.into(),
        default.max_exports.into(),
        default.max_memories.into(),
        default.max_tables.into(),
        default.max_table_elements,
        default.max_element_segments.into(),
        default.max_data_segments.into(),
        default.max_locals.into(),
        default.max_body_bytes.into(),
        default.max_params.into(),
        default.max_results.into(),
    ];
    for (Case { limit, module, .. }, max) in CASES.iter().zip(defaults) {
        // A thousand locals want more stack than there is by default when they run, not to load.
        load(&wat(&module(max)), with_limits(default));
        let error = load_error(&wat(&module(max + 1)), with_limits(default));
        assert_error(&error, ErrorKind::LimitExceeded, &[&format!("`{limit}` is {max}")]);
    }
}

#[test]
fn the_size_of_the_module_is_limited() {
    let wasm = fixture("counter");
    let size = wasm.len() as u64;
    let limit = |max_module_bytes| {
        with_limits(ModuleLimits { max_module_bytes, ..ModuleLimits::default() })
    };
    load(&wasm, limit(size));
    let error = load_error(&wasm, limit(size - 1));
    let says = [format!("{size} module bytes"), format!("`max_module_bytes` is {}", size - 1)];
    assert_error(&error, ErrorKind::LimitExceeded, &[&says[0], &says[1]]);
}

#[test]
fn the_initial_memories_are_summed() {
    let wasm = fixture("several_memories");
    load(&wasm, with_memory_limit(3 << 16));
    let error = load_error(&wasm, with_memory_limit((3 << 16) - 1));
    assert_error(&error, ErrorKind::LimitExceeded, &["196608", "`memory_limit_bytes` is 196607"]);
}

#[test]
fn the_growth_of_all_memories_is_summed() {
    let (_registry, plugin) = load_one("several_memories", with_memory_limit(6 << 16));
    let grow = |memory, pages| call_i32(&plugin, "grow", &[memory, pages]).unwrap();
    assert_eq!((grow(0, 1), grow(2, 1)), (1, 1));
    assert_eq!(grow(1, 2), -1);
    assert_eq!(grow(1, 1), 1);
    for memory in 0..3 {
        assert_eq!(grow(memory, 1), -1);
        assert_eq!(grow(memory, 0), 2);
    }
    assert_eq!(plugin.stats().peak_memory_bytes, 6 << 16);
}

#[test]
fn a_memory_grows_to_its_limit_and_a_refused_growth_changes_nothing() {
    let (_registry, plugin) = load_one("misbehaving/memory_grower", with_memory_limit(10 << 16));
    for _ in 0..3 {
        assert_eq!(call_i32(&plugin, "grow_all", &[]).unwrap(), 10);
    }
    assert_eq!(call_i32(&plugin, "grow_by", &[-1]).unwrap(), -1);
    assert_eq!(call_i32(&plugin, "grow_refused", &[1_000]).unwrap(), 10);
    assert_eq!(call_i32(&plugin, "touch", &[]).unwrap(), 10 << 16);
    assert_eq!(plugin.stats().peak_memory_bytes, 10 << 16);
}

#[test]
fn a_memory_limit_that_is_no_multiple_of_a_page_is_not_rounded_up() {
    let (_registry, plugin) =
        load_one("misbehaving/memory_grower", with_memory_limit((2 << 16) - 1));
    assert_eq!(call_i32(&plugin, "grow_by", &[1]).unwrap(), -1);
    assert_eq!(call_i32(&plugin, "pages", &[]).unwrap(), 1);
}

#[test]
fn a_growth_over_a_limit_is_a_trap_by_choice() {
    let limits = ModuleLimits {
        on_growth_denied: GrowthPolicy::Trap,
        max_table_elements: 100,
        ..ModuleLimits::default()
    };
    let config = || WasmInstanceConfig { limits, ..with_memory_limit(4 << 16) };
    let (_registry, memory) = load_one("misbehaving/memory_grower", config());
    let (_registry, table) = load_one("misbehaving/table_grower", config());
    assert_eq!(call_i32(&memory, "grow_by", &[3]).unwrap(), 1);
    assert_eq!(call_i32(&table, "grow_by", &[98]).unwrap(), 1);
    for (plugin, function, amount) in
        [(&memory, "grow_by", 1), (&table, "grow_by", 1), (&table, "grow_values_by", 99)]
    {
        let error = call_i32(plugin, function, &[amount]).unwrap_err();
        assert_error(&error, ErrorKind::Trap, &[function, "growth over a limit"]);
        assert_eq!(error.trap_code(), Some(TrapCode::GrowthOperationLimited));
    }
    // The sandbox after a trap begins where the module does.
    assert_eq!(call_i32(&memory, "pages", &[]).unwrap(), 1);
    assert_eq!(call_i32(&table, "elements", &[]).unwrap(), 1);
    // The module's own maximum is no limit of the host's: growing past it answers -1.
    let wasm = wat(r#"(module (memory 1 2)
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#);
    let (_registry, plugin) = load(&wasm, config());
    assert_eq!(call_i32(&plugin, "grow", &[2]).unwrap(), -1);
}

#[test]
fn one_growth_adds_no_more_than_a_step() {
    let limits = ModuleLimits { max_growth_step_bytes: 2 << 16, ..ModuleLimits::default() };
    let (_registry, plugin) = load_one(
        "misbehaving/memory_grower",
        WasmInstanceConfig { limits, ..with_memory_limit(16 << 20) },
    );
    let grow = |pages| call_i32(&plugin, "grow_by", &[pages]).unwrap();
    assert_eq!((grow(3), grow(2), grow(3), grow(2)), (-1, 1, -1, 3));
    // By default 16 MiB.
    let (_registry, plugin) = load_one("misbehaving/memory_grower", with_memory_limit(64 << 20));
    let grow = |pages| call_i32(&plugin, "grow_by", &[pages]).unwrap();
    assert_eq!((grow(257), grow(256)), (-1, 1));
    // The initial size is no growth.
    let wasm = wat(r#"(module (memory (export "memory") 400))"#);
    load(&wasm, with_memory_limit(64 << 20));
}

#[test]
fn the_elements_of_all_tables_are_summed() {
    let limits = ModuleLimits { max_table_elements: 5_000, ..ModuleLimits::default() };
    let (_registry, plugin) = load_one("misbehaving/table_grower", with_limits(limits));
    assert_eq!(call_i32(&plugin, "grow_values_by", &[1_000]).unwrap(), 1);
    // One element each at first, so 3,998 are left.
    assert_eq!(call_i32(&plugin, "grow_by", &[3_999]).unwrap(), -1);
    assert_eq!(call_i32(&plugin, "grow_by", &[3_998]).unwrap(), 1);
    assert_eq!(call_i32(&plugin, "grow_by", &[1]).unwrap(), -1);
    assert_eq!(call_i32(&plugin, "grow_values_by", &[1]).unwrap(), -1);
    assert_eq!(call_i32(&plugin, "elements", &[]).unwrap(), 3_999);

    let (_registry, plugin) =
        load_one("misbehaving/table_grower", with_limits(ModuleLimits::default()));
    // By 1,024 at a time to 20,000 with the other table's one.
    assert_eq!(call_i32(&plugin, "grow_all", &[]).unwrap(), 1 + 19 * 1_024);
}

#[test]
fn growths_of_64_bit_memories_and_tables_by_anything_at_all_are_refused() {
    let wasm = wat(r#"(module (memory (export "memory") i64 1) (table $t i64 1 funcref)
            (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
            (func (export "grow_table") (param i64) (result i64)
                (table.grow $t (ref.null func) (local.get 0)))
            (func (export "size") (result i64) (memory.size)))"#);
    let (_registry, plugin) =
        load(&wasm, WasmInstanceConfig { max_instances: 1, ..with_memory_limit(4 << 16) });
    let edges = [4, 1 << 16, 1 << 32, 1 << 47, 1 << 48, i64::MAX, i64::MIN, -2, -1];
    for pages in edges {
        assert_eq!(*plugin.call("grow", &[I64(pages)]).unwrap(), [I64(-1)], "{pages} pages");
        let elements = pages.wrapping_mul(100_000) | 1 << 20;
        assert_eq!(*plugin.call("grow_table", &[I64(elements)]).unwrap(), [I64(-1)]);
    }
    assert_eq!(*plugin.call("grow", &[I64(3)]).unwrap(), [I64(1)]);
    assert_eq!(*plugin.call("size", &[]).unwrap(), [I64(4)]);
    assert_eq!(plugin.stats().trap_count, 0);
}

#[test]
fn a_declared_maximum_that_overflows_is_refused_and_never_a_panic() {
    let memory = |limits: &str| {
        wat(&format!(
            r#"(module (memory i64 {limits})
                (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0))))"#
        ))
    };
    // 2^48 pages are 2^64 bytes.
    for max in [1_u64 << 48, (1 << 48) + 1, u64::MAX] {
        let error = load_error(&memory(&format!("1 {max}")), with_memory_limit(1 << 20));
        let kinds = [ErrorKind::Refused, ErrorKind::InvalidModule];
        assert!(kinds.contains(&error.kind()), "{error:?}");
    }
    for min in [1_u64 << 48, u64::MAX] {
        let error = load_error(&memory(&min.to_string()), with_memory_limit(1 << 20));
        assert_error(&error, ErrorKind::LimitExceeded, &["`memory_limit_bytes`"]);
    }
    let largest = memory(&format!("1 {}", (1_u64 << 48) - 1));
    let (_registry, plugin) = load(&largest, with_memory_limit(1 << 20));
    for pages in [(1 << 48) - 2, i64::MAX, -1] {
        assert_eq!(*plugin.call("grow", &[I64(pages)]).unwrap(), [I64(-1)]);
    }
    assert_eq!(*plugin.call("grow", &[I64(1)]).unwrap(), [I64(1)]);

    let table = |max: u64| {
        wat(&format!(
            r#"(module (table $t i64 1 {max} funcref)
                (func (export "grow") (param i64) (result i64)
                    (table.grow $t (ref.null func) (local.get 0))))"#
        ))
    };
    let (_registry, plugin) = load(&table(u64::MAX), with_limits(ModuleLimits::default()));
    for elements in [1 << 40, i64::MAX, -1, -2] {
        assert_eq!(*plugin.call("grow", &[I64(elements)]).unwrap(), [I64(-1)]);
    }
}

fn depth(limits: ModuleLimits, n: i32) -> Result<i32, ErrorKind> {
    let (_registry, plugin) = load(&fixture("misbehaving/deep_recursion"), with_limits(limits));
    call_i32(&plugin, "depth", &[n]).map_err(|error| {
        assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow), "{error}");
        error.kind()
    })
}

#[test]
fn guests_recurse_to_their_configured_depth_and_no_deeper() {
    for max_recursion_depth in [10, 1_000, 5_000] {
        let limits = ModuleLimits { max_recursion_depth, ..ModuleLimits::default() };
        let max = i32::try_from(max_recursion_depth).unwrap();
        // `depth(n)` calls itself n times; the interpreter counts the outermost call or not.
        assert_eq!(depth(limits, max - 2), Ok(max - 2));
        assert_eq!(depth(limits, max + 1), Err(ErrorKind::Trap));
    }
}

#[test]
fn guests_use_their_configured_stack_and_no_more() {
    let deepest = |max_stack_bytes| {
        let limits = ModuleLimits {
            max_recursion_depth: 100_000,
            max_stack_bytes,
            ..ModuleLimits::default()
        };
        let fits = |n: &i32| depth(limits, *n).is_ok();
        (0..18).map(|bit| 1 << bit).take_while(fits).last().unwrap()
    };
    // Four times the stack is four times the depth.
    let (small, large) = (deepest(16_000), deepest(64_000));
    assert_eq!(large, 4 * small);
    // A frame has at least a parameter and a return address, and not much more.
    assert!((16..4_000).contains(&small), "{small} frames in 16 KB");
}

#[test]
fn endless_recursion_of_every_kind_is_a_stack_overflow_and_the_next_call_answers() {
    let (_registry, plugin) =
        load(&fixture("misbehaving/deep_recursion"), with_limits(ModuleLimits::default()));
    for function in ["endless", "endless_large_frames", "endless_indirect"] {
        let arg: &[_] = match function {
            "endless" => &[],
            "endless_indirect" => &[0.into()],
            _ => &[0_i64.into()],
        };
        let error = plugin.call(function, arg).unwrap_err();
        assert_error(&error, ErrorKind::Trap, &[function, "stack exhausted"]);
        assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
        assert_eq!(call_i32(&plugin, "depth", &[500]).unwrap(), 500);
    }
}
