//! Slicing, which no public setting reaches.

use super::{CallLimits, Code, Exports, Failure, Sandbox, SharedCode, Source, Version};
use crate::{
    AuditLevel, AuditLog, EmbeddedHost, Error, HostFunctionTable, WasmInstanceConfig,
    WasmPluginCapabilities, WasmValue, WasmValues,
    host::{HostFunctions, PluginContext},
    ledger::Account,
    origin::{default_clock, no_directory},
    stats::SlotCounts,
    sync::{Arc, Once},
};
use alloc::{format, string::String, vec::Vec};

fn account() -> Arc<Account> {
    Arc::new(Account::new("", None))
}

fn compile(
    wasm: &[u8],
    config: &WasmInstanceConfig,
    table: &HostFunctions<EmbeddedHost>,
) -> Result<(Code<EmbeddedHost>, Exports), Error> {
    let (account, shared) = (account(), SharedCode::default());
    let (hash, account, shared) = (&[0; 32], &account, &shared);
    Code::compile(&Source { wasm, hash, config, table, audited: false, account, shared })
}

fn sandbox(wasm: &[u8], fuel_limit: u64) -> Sandbox<EmbeddedHost> {
    let config = WasmInstanceConfig {
        capabilities: WasmPluginCapabilities {
            fuel_limit,
            timeout_ms: 0,
            ..WasmPluginCapabilities::default()
        },
        ..WasmInstanceConfig::default()
    };
    let table = Arc::new(HostFunctionTable::<EmbeddedHost>::new().finish().unwrap());
    let (code, exports) = compile(wasm, &config, &table).unwrap();
    let context = Arc::new(PluginContext {
        id: 1,
        name: "plugin".into(),
        config,
        hash: [0; 32],
        exports,
        host: Arc::new(EmbeddedHost::new()),
        clock: default_clock(),
        directory: no_directory(),
        audit: Arc::new(AuditLog::new(AuditLevel::Off)),
        function_names: Arc::clone(&table) as _,
        account: account(),
        kept: Once::new(),
    });
    let counts = SlotCounts::new(table.len());
    // As after many quick looks: the slices are as long as the limits say.
    (0..10).for_each(|_| counts.stride.adapt(0, 0, u64::MAX));
    let version = Version::new(1, Arc::new(code), context);
    Sandbox::start(&Arc::new(version), &Arc::new(counts)).unwrap()
}

fn call(
    sandbox: &mut Sandbox<EmbeddedHost>,
    function: &str,
    args: &[i32],
    fuel: u64,
    slice_fuel: u64,
) -> (u64, Result<WasmValues, Failure>) {
    let index = sandbox.find(function).unwrap();
    let args: Vec<_> = args.iter().copied().map(WasmValue::I32).collect();
    let whole = slice_fuel == u64::MAX;
    let limits =
        CallLimits { fuel, timeout_us: 0, tag: 0, slice_fuel, whole, outer_deadline_us: None };
    let mut results = WasmValues::new();
    let result = sandbox.call_values(index, &args, &mut results, Some(&limits));
    (sandbox.spent(), result.map(|()| results))
}

/// Runs a function in a fresh sandbox; returns the fuel spent, and the results or the failure.
fn run(wasm: &[u8], function: &str, args: &[i32], fuel: u64, slice_fuel: u64) -> (u64, String) {
    let (spent, result) = call(&mut sandbox(wasm, fuel), function, args, fuel, slice_fuel);
    (spent, format!("{result:?}"))
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/wasm/{name}.wasm", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

const SLICES: [u64; 7] = [1, 37, 300, 1_000, 10_007, 40_000, u64::MAX];

#[test]
fn slices_change_neither_results_nor_fuel() {
    let cases: [(&str, &str, &[i32]); 12] = [
        ("kernels", "fib", &[12]),
        ("kernels", "sort", &[200]),
        ("kernels", "bulk", &[50]),
        ("kernels", "dispatch", &[500]),
        ("misbehaving/memory_grower", "grow_by", &[3]),
        ("misbehaving/memory_grower", "grow_zero", &[100]),
        ("misbehaving/memory_grower", "grow_all", &[]),
        ("misbehaving/table_grower", "grow_by", &[5_000]),
        ("misbehaving/table_grower", "grow_values_by", &[900]),
        ("misbehaving/table_grower", "grow_zero", &[100]),
        ("misbehaving/endless_loop", "run", &[]),
        ("misbehaving/endless_host_loop", "log", &[]),
    ];
    for (module, function, args) in cases {
        let wasm = fixture(module);
        let whole = run(&wasm, function, args, 300_000, u64::MAX);
        for slice in SLICES {
            let sliced = run(&wasm, function, args, 300_000, slice);
            assert_eq!(sliced, whole, "{module} {function} in slices of {slice}");
        }
    }
}

/// Grows two tables by many sizes and adds up what the instructions and the tables say. What is in
/// the accumulator across each `table.grow` would be lost if it were resumed in the wrong place.
const TABLES: &str = r#"(module
    (table $f 1 9000 funcref) (table $e 1 9000 externref)
    (global $calls (mut i32) (i32.const 0))
    (elem declare func $run)
    (func $step (param $n i32) (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.add
            (i32.mul (local.get $n) (i32.const 3))
            (i32.add
                (table.grow $f (ref.func $run) (local.get $n))
                (table.grow $e (ref.null extern) (local.get $n)))))
    (func $run (export "run") (param $turns i32) (result i32)
        (local $sum i32)
        (loop $again
            (local.set $sum (i32.add (local.get $sum) (call $step (local.get $turns))))
            (br_if $again (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))
        (i32.add
            (i32.add (local.get $sum) (i32.mul (global.get $calls) (i32.const 1000)))
            (i32.add (table.size $f) (table.size $e)))))"#;

#[test]
fn a_table_growth_at_the_end_of_a_slice_goes_on_where_it_was() {
    let wasm = wat::parse_str(TABLES).unwrap();
    // Both tables grow by 100, 99, .. 1; each growth answers the size before.
    let (mut size, mut sum) = (1, 0);
    for n in (1..=100).rev() {
        sum += 3 * n + 2 * size;
        size += n;
    }
    let expected = format!("Ok([I32({})])", sum + 100 * 1_000 + 2 * size);
    let whole = run(&wasm, "run", &[100], 1_000_000, u64::MAX);
    assert_eq!(whole.1, expected);
    // Each slice is the smallest that makes progress, so it ends in every place that it can.
    for slice in (1..600).chain([1_000, 10_007]) {
        assert_eq!(run(&wasm, "run", &[100], 1_000_000, slice), whole, "slices of {slice}");
    }
}

#[test]
fn a_call_is_stopped_at_its_limit_in_slices_of_any_size() {
    let wasm = fixture("misbehaving/endless_loop");
    for slice in SLICES {
        let (spent, result) = run(&wasm, "run_with_work", &[], 12_345, slice);
        assert_eq!(result, "Err(OutOfFuel)", "slices of {slice}");
        assert!((12_200..=12_345).contains(&spent), "spent {spent} in slices of {slice}");
    }
}

#[test]
fn a_function_too_large_for_the_interpreter_is_over_a_limit_not_invalid() {
    let body = "(i64.const 77777777777) ".repeat(70_000) + &"drop ".repeat(70_000);
    let wasm = wat::parse_str(format!("(module (func {body}))")).unwrap();
    let table = HostFunctionTable::<EmbeddedHost>::new().finish().unwrap();
    let error = compile(&wasm, &WasmInstanceConfig::default(), &table).err().unwrap();
    assert_eq!(error.kind(), crate::ErrorKind::LimitExceeded, "{error}");
}
