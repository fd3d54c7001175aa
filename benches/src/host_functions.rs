//! Each of this library's own host functions, with arguments as plugins give them.
//!
//! The fixture `abi_probe` calls each in a loop. The tables have 10,000 rows, and each collection
//! 10,000 vectors of 128 components.

use crate::case::{Case, Group, Line, Run, Runtime};
use wasm_runtime::{
    Distance, EmbeddedHost, Error, IndexKey, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginRegistry, WasmValue,
};

/// The task whose time is taken off every other one.
pub const LOOP: &str = "turn of an empty loop";

/// How many rows a table has, and a collection vectors.
const ROWS: u32 = 10_000;
/// How many components a vector has.
const DIMS: usize = 128;
/// How many rows have the same key in the index `by_group`.
const GROUP: u32 = 64;
/// Where arguments begin in the memory of `abi_probe`, and where answers go: its second page.
const INPUTS: i32 = 64;
const OUTPUT: i32 = 65_536;

/// An argument of a host function.
#[derive(Clone)]
enum Arg {
    /// A pointer and a length.
    Bytes(Vec<u8>),
    /// A pointer and how many components there are.
    Query(Vec<f32>),
    /// Room for an answer: a pointer and a length.
    Output,
    /// A number as it is.
    Value(WasmValue),
}

use Arg::Output;

/// The cases.
pub fn cases() -> Vec<Case> {
    let mut cases = vec![case(LOOP, "empty", Vec::new(), None)];
    let calls = tables().into_iter().chain(searches()).chain(others());
    cases.extend(calls.map(|(task, args, status)| {
        let function = task.split([' ', ',']).next().unwrap_or_default();
        let mut case = case(task, function, args, Some(status));
        case.less = Some(LOOP);
        case
    }));
    cases
}

type Call = (&'static str, Vec<Arg>, i32);

fn tables() -> Vec<Call> {
    let rows = || text("rows");
    let row = |size| text(&format!("row{size}"));
    vec![
        ("soch_read, 64 bytes", vec![rows(), row(64), Output], 64),
        ("soch_read, 4 KiB", vec![rows(), row(4_096), Output], 4_096),
        ("soch_read, no such row", vec![rows(), text("absent"), Output], -2),
        ("soch_read, denied", vec![text("others"), row(64), Output], -1),
        ("soch_scan, 1 row", vec![rows(), key(4_096), number(1), Output], 68),
        ("soch_scan, 64 rows", vec![rows(), key(4_096), number(64), Output], 64 * 68),
        ("soch_write, 64 bytes over 64", vec![rows(), row(64), Arg::Bytes(vec![b'x'; 64])], 1),
        ("soch_delete, no such row", vec![rows(), text("absent")], -2),
    ]
}

fn searches() -> Vec<Call> {
    let range = |to| vec![text("by_number"), key(500), key(to), number(1_000), Output];
    let search = |collection, query| vec![text(collection), Arg::Query(query), number(10), Output];
    vec![
        ("index_lookup, 1 row", vec![text("by_number"), key(500), Output], 1),
        ("index_lookup, 64 rows", vec![text("by_group"), key(50), Output], 64),
        ("index_range, 1 row", range(501), 1),
        ("index_range, 64 rows", range(564), 64),
        ("vector_search, 10 of 64 × 16", search("few", few(0)), 10),
        ("vector_search, 10 of 10,000 × 128", search("vectors", vector(0)), 10),
    ]
}

fn others() -> Vec<Call> {
    let one = Arg::Value(WasmValue::F64(1.0));
    let labels = Arg::Bytes(field("method").into_iter().chain(field("GET")).collect());
    let line = Arg::Bytes(vec![b'x'; 64]);
    let echo = |bytes| vec![text("echo"), text("echo"), Arg::Bytes(vec![b'x'; bytes]), Output];
    vec![
        ("emit_metric", vec![number(0), text("requests"), one.clone(), number(0), number(0)], 0),
        ("emit_metric, a label", vec![number(0), text("requests"), one, labels], 0),
        ("log_message, 64 bytes, no logger", vec![number(1), line], 0),
        ("get_config, 64 bytes", vec![text("setting"), Output], 64),
        ("call_plugin, echo of 64 bytes", echo(64), 64),
        ("call_plugin, echo of 4 KiB", echo(4_096), 4_096),
        ("last_answer, none", vec![number(0), Output], 0),
    ]
}

fn case(task: &str, function: &str, args: Vec<Arg>, status: Option<i32>) -> Case {
    let export = format!("loop_{function}");
    let line = Line { runtime: Runtime::Ours, how: "" };
    Case::new(Group::HostFunctions, task, line, move || Some(run(&export, &args, status)))
}

/// Calls the host function as often as it is told, in one call of the guest.
fn run(export: &str, args: &[Arg], status: Option<i32>) -> Run {
    let registry = registry().unwrap_or_else(|error| panic!("{error}"));
    let plugin = registry.get("probe").unwrap_or_else(|| panic!("it was just loaded"));
    let mut lease = plugin.lease_owned().unwrap_or_else(|error| panic!("{error}"));
    let (memory, mut values) = lay_out(args);
    lease.write("memory", INPUTS as u64, &memory).unwrap_or_else(|error| panic!("{error}"));
    let export = export.to_owned();
    Box::new(move |n| {
        // What a guest calls lives in the registry.
        assert_eq!(registry.count(), 2);
        values[0] = WasmValue::I32(n as i32);
        let results = lease.call(&export, &values).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(results.first().and_then(WasmValue::as_i32), status, "{export}");
    })
}

/// What goes into the guest's memory, and the arguments: how many turns first.
fn lay_out(args: &[Arg]) -> (Vec<u8>, Vec<WasmValue>) {
    let (mut memory, mut values) = (Vec::new(), vec![WasmValue::I32(0)]);
    for arg in args {
        let at = WasmValue::I32(INPUTS + memory.len() as i32);
        match arg {
            Arg::Bytes(bytes) => {
                values.extend([at, WasmValue::I32(bytes.len() as i32)]);
                memory.extend_from_slice(bytes);
            }
            Arg::Query(query) => {
                values.extend([at, WasmValue::I32(query.len() as i32)]);
                memory.extend(query.iter().flat_map(|component| component.to_le_bytes()));
            }
            Arg::Output => values.extend([OUTPUT, OUTPUT].map(WasmValue::I32)),
            Arg::Value(value) => values.push(*value),
        }
    }
    (memory, values)
}

fn registry() -> Result<WasmPluginRegistry, Error> {
    let registry = WasmPluginRegistry::new();
    let config = WasmInstanceConfig {
        capabilities: WasmPluginCapabilities {
            can_read_table: vec!["rows".into(), "people".into()],
            can_write_table: vec!["rows".into()],
            can_call_plugin: vec!["echo".into()],
            can_index_search: true,
            can_vector_search: true,
            fuel_limit: u64::MAX,
            timeout_ms: 3_600_000,
            ..WasmPluginCapabilities::default()
        },
        settings: vec![("setting".into(), "x".repeat(64))],
        ..WasmInstanceConfig::default()
    };
    registry.load("echo", crate::runtimes::ECHO, config.clone())?;
    let probe = include_bytes!("../../fixtures/wasm/abi_probe.wasm");
    registry.load("probe", probe, config)?;
    fill(registry.host())?;
    Ok(registry)
}

fn fill(host: &EmbeddedHost) -> Result<(), Error> {
    let tenant = "default";
    host.create_index(tenant, "by_number", "people", IndexKey::field(0, 4))?;
    host.create_index(tenant, "by_group", "people", IndexKey::field(4, 4))?;
    host.create_collection(tenant, "vectors", "people", DIMS, Distance::L2)?;
    host.create_collection(tenant, "few", "people", 16, Distance::L2)?;
    for row in 0..ROWS {
        // A row of 60 bytes with its key, 68 as a record.
        host.put(tenant, "rows", &row.to_be_bytes(), &[b'x'; 56])?;
        let person = [row.to_be_bytes(), (row / GROUP).to_be_bytes()].concat();
        host.put(tenant, "people", &u64::from(row).to_be_bytes(), &person)?;
        host.insert_vector(tenant, "vectors", row.into(), &vector(row))?;
    }
    for row in 0..64 {
        host.insert_vector(tenant, "few", row.into(), &few(row))?;
    }
    for size in [64, 4_096] {
        host.put(tenant, "rows", format!("row{size}").as_bytes(), &vec![b'x'; size])?;
    }
    Ok(())
}

/// The vector of a row: small whole numbers, none of them all zero.
fn vector(row: u32) -> Vec<f32> {
    let component = |at: u32| (row.wrapping_mul(31).wrapping_add(at * at * 7) % 17) as f32 - 8.0;
    (0..DIMS as u32).map(component).collect()
}

fn few(row: u32) -> Vec<f32> {
    vector(row).into_iter().take(16).collect()
}

fn text(text: &str) -> Arg {
    Arg::Bytes(text.into())
}

fn key(number: u32) -> Arg {
    Arg::Bytes(number.to_be_bytes().into())
}

fn number(number: i32) -> Arg {
    Arg::Value(WasmValue::I32(number))
}

fn field(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}
