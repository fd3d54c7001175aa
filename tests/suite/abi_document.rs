//! `docs/abi.md` says what is so: its tables are read and held against the library.

use crate::{
    probe::{self, FUNCTIONS, Function, OUT, Probe, TABLE, ordinary},
    support::{config, fixture, load, wat},
};
use std::collections::BTreeMap;
use wasm_runtime::{
    Distance, EmbeddedHost, HostError, HostFunctionTable, HostQuota, IndexKey, TrapCode, ValueType,
    WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry,
};

/// The rows of the table under a heading, without its head; each row as its cells.
fn table(head: &str) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/abi.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("| {head} |")));
    assert!(lines.next().is_some(), "no table begins with `{head}`");
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().trim_matches('`').to_string()).collect()
    };
    lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

#[test]
fn every_function_is_there_with_its_parameters_and_no_other() {
    let rows = table("function");
    let registry = WasmPluginRegistry::new();
    for row in &rows {
        let (name, params) = (&row[0], row[1].split(", "));
        let types: Vec<_> = params.map(|p| if p == "value: f64" { "f64" } else { "i32" }).collect();
        let module = wat(&format!(
            r#"(module (import "soch_v1" "{name}" (func (param {}) (result i32))))"#,
            types.join(" ")
        ));
        let report = registry.admit(&module, &WasmInstanceConfig::default());
        assert!(report.is_admitted(), "{name}: {:?}", report.refusals);
    }
    assert_eq!(rows.len(), HostFunctionTable::<EmbeddedHost>::new().len());
}

#[test]
fn every_function_costs_its_base_and_what_it_brings_and_finds() {
    let bases: BTreeMap<_, _> =
        table("function").iter().map(|row| (row[0].clone(), number(&row[3]))).collect();
    for function in &FUNCTIONS {
        // The suite measures that each is charged exactly this.
        assert_eq!(
            bases[function.name],
            i64::try_from(function.base).unwrap(),
            "{}",
            function.name
        );
    }
    assert_eq!(bases.len(), FUNCTIONS.len());
}

#[test]
fn every_function_needs_what_is_said_and_nothing_else() {
    for row in table("function") {
        let function = FUNCTIONS.iter().find(|function| function.name == row[0]).unwrap();
        let nothing = Probe::with(granting(&[]));
        let granted = Probe::with(granting(&[row[2].as_str(), "can_read_table"]));
        let open = row[2] == "nothing";
        let denied = nothing.run(function, function.pairs);
        assert_eq!(denied == -1, !open, "{} without any grant: {denied}", row[0]);
        assert_eq!(granted.run(function, function.pairs), function.answer, "{}", row[0]);
        let most = [
            "can_read_table",
            "can_write_table",
            "can_call_plugin",
            "can_index_search",
            "can_vector_search",
        ];
        let most: Vec<_> = most.into_iter().filter(|grant| *grant != row[2]).collect();
        let others = Probe::with(granting(&most)).run(function, function.pairs);
        assert_eq!(others == -1, !open, "{} with every other grant: {others}", row[0]);
    }
}

/// The ordinary configuration with these grants only.
fn granting(grants: &[&str]) -> WasmInstanceConfig {
    let all = |grant| if grants.contains(&grant) { vec!["*".into()] } else { Vec::new() };
    let capabilities = WasmPluginCapabilities {
        can_read_table: all("can_read_table"),
        can_write_table: all("can_write_table"),
        can_call_plugin: all("can_call_plugin"),
        can_index_search: grants.contains(&"can_index_search"),
        can_vector_search: grants.contains(&"can_vector_search"),
        timeout_ms: 0,
        ..WasmPluginCapabilities::default()
    };
    WasmInstanceConfig { settings: ordinary().settings, max_instances: 1, ..config(capabilities) }
}

#[test]
fn every_status_is_the_error_s_of_that_name() {
    let errors = [
        HostError::Denied,
        HostError::NotFound,
        HostError::InvalidArguments,
        HostError::Failed,
        HostError::LimitReached,
        HostError::NotSupported,
        HostError::PluginFailed,
    ];
    let expected: Vec<_> = errors
        .iter()
        .map(|error| (i64::from(error.status().unwrap()), format!("{error:?}")))
        .collect();
    let found: Vec<_> =
        table("status").into_iter().map(|row| (number(&row[0]), row[1].clone())).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_trap_has_its_code() {
    let codes = [
        TrapCode::UnreachableCodeReached,
        TrapCode::MemoryOutOfBounds,
        TrapCode::TableOutOfBounds,
        TrapCode::IndirectCallToNull,
        TrapCode::IntegerDivisionByZero,
        TrapCode::IntegerOverflow,
        TrapCode::BadConversionToInteger,
        TrapCode::StackOverflow,
        TrapCode::BadSignature,
        TrapCode::GrowthOperationLimited,
        TrapCode::OutOfSystemMemory,
    ];
    let expected: Vec<_> =
        codes.iter().map(|code| (i64::from(code.code()), code.to_string())).collect();
    let found = table("code").into_iter();
    // The cell of `unreachable` begins with a mark of code, which `table` takes off.
    let found: Vec<_> = found
        .map(|row| (number(&row[0]), row[1].replace("unreachable`", "`unreachable`")))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_limit_holds_to_the_unit() {
    let limits: Vec<_> = table("limit");
    let probe = Probe::new();
    let mut seen = 0;
    for row in &limits {
        let max = i32::try_from(number(&row[1])).unwrap();
        let at = |len: i32| (4_096, len);
        probe.put(4_096, &vec![b'a'; 5_000]);
        let mut accepts: Box<dyn FnMut(i32) -> bool> = match row[0].split(',').next().unwrap() {
            "bytes of a name (table" => Box::new(|len| {
                let function = named("soch_read");
                let empty = probe.run(function, &function.pairs_but(0, at(0)));
                assert_eq!(empty, -3, "a name has at least one byte");
                probe.run(function, &function.pairs_but(0, at(len))) == -2
            }),
            "bytes of a key" => Box::new(|len| {
                let function = named("soch_read");
                probe.run(function, &function.pairs_but(1, at(len))) == -2
            }),
            "bytes of a log line" => {
                Box::new(|len| probe.run(named("log_message"), &[at(len)]) == 0)
            }
            "bytes of the labels of one observation" => Box::new(|len| {
                probe.put(4_096, &labels(len));
                probe.run(named("emit_metric"), &[TABLE, at(len)]) == 0
            }),
            "components of a vector" => Box::new(|dims| accepts_dims(&probe, dims)),
            "hits of one search" => Box::new(|k| accepts_k(&probe, k)),
            "metric series of a tenant" => Box::new(|series| {
                HostQuota::default().max_series >= usize::try_from(series).unwrap()
            }),
            "bytes of an answer to `call_plugin`" => {
                Box::new(|len| ordinary().limits.max_answer_bytes >= u32::try_from(len).unwrap())
            }
            other => panic!("no check for the limit `{other}`"),
        };
        assert!(accepts(max), "{}: {max} is within it", row[0]);
        assert!(!accepts(max + 1), "{}: {} is over it", row[0], max + 1);
        seen += 1;
    }
    assert_eq!(seen, 8);
}

fn named(name: &str) -> &'static Function {
    FUNCTIONS.iter().find(|function| function.name == name).unwrap()
}

/// One pair of labels of `len` bytes in all.
fn labels(len: i32) -> Vec<u8> {
    let value = usize::try_from(len).unwrap() - 9;
    let mut labels = b"\x01\0\0\0a".to_vec();
    labels.extend(u32::try_from(value).unwrap().to_le_bytes());
    labels.resize(labels.len() + value, b'b');
    labels
}

/// Whether a collection of so many components can be made, and searched.
fn accepts_dims(probe: &Probe, dims: i32) -> bool {
    let components = usize::try_from(dims).unwrap();
    let host = probe.registry.host();
    let name = format!("c{dims}");
    if host.create_collection("default", &name, "users", components, Distance::L2).is_err() {
        return false;
    }
    let name = probe.put(2_048, name.as_bytes());
    let query = probe.put(1 << 16, &1_f32.to_le_bytes().repeat(components));
    let args = [name.0, name.1, query.0, dims, 1, OUT.0, OUT.1];
    probe.call("vector_search", &args) == 0
}

fn accepts_k(probe: &Probe, k: i32) -> bool {
    let name = probe.put(2_048, b"c4096");
    let query = probe.put(1 << 16, &1_f32.to_le_bytes().repeat(4_096));
    probe.call("vector_search", &[name.0, name.1, query.0, 4_096, k, OUT.0, OUT.1]) == 0
}

#[test]
fn what_a_call_costs_beside_its_base_is_what_is_said() {
    let prices: BTreeMap<_, _> =
        table("what | fuel").into_iter().map(|row| (row[0].clone(), number(&row[1]))).collect();
    let price = |what: &str| {
        let found: Vec<_> = prices.iter().filter(|(row, _)| row.starts_with(what)).collect();
        assert_eq!(found.len(), 1, "{what}");
        u64::try_from(*found[0].1).unwrap()
    };
    let (part, record, matched) = (price("64 bytes"), price("a record"), price("a match"));
    let (component, row) = (price("a component"), price("a row"));
    let doubling = price("such a row");
    let (follower, entry) = (price("an index or a collection"), price("an entry"));
    let variable = |name: &str| named(name).variable;
    // Every key, value, name and answer of the ordinary calls is shorter than 64 bytes.
    assert_eq!(variable("soch_read"), 2 * part);
    assert_eq!(variable("soch_scan"), 2 * part + record);
    assert_eq!(variable("index_lookup"), 2 * part + matched);
    assert_eq!(variable("index_range"), 3 * part + matched);
    assert_eq!(variable("vector_search"), 2 * part + 2 * component + row + 3 * doubling);

    let probe = Probe::new();
    let host = probe.registry.host();
    host.create_index("default", "by_value", "fresh", IndexKey::field(0, 1)).unwrap();
    host.create_collection("default", "vectors", "fresh", 1, Distance::L2).unwrap();
    let (table, key) = (probe.put(2_048, b"fresh"), probe.put(4_096, &7_u64.to_be_bytes()));
    let write = |value: &[u8]| {
        let value = probe.put(6_144, value);
        let args = [table, key, value].map(|(ptr, len)| [ptr, len]).concat();
        let before = probe.fuel();
        assert!(probe.call("soch_write", &args) >= 0);
        probe.fuel() - before
    };
    let (enters, stays) = (write(b"a"), write(b"a"));
    let moves = write(b"b");
    assert_eq!((enters - stays, moves - stays), (entry, 2 * entry));
    let plain = named("soch_write");
    let ordinary = plain.base + plain.variable;
    assert_eq!(stays - probe::guest_share(plain), ordinary + 2 * follower);
}

#[test]
fn the_exports_of_a_plugin_that_observes_are_there() {
    let wasm = fixture("metrics");
    let (_registry, plugin) = load(&wasm, config(WasmPluginCapabilities::observability_only()));
    let rows = table("export");
    for row in &rows {
        let bytes: (&[_], &[_]) = (&[ValueType::I32; 2], &[ValueType::I64]);
        assert_eq!(plugin.signature(&row[0]), Some(bytes), "{}", row[0]);
    }
    assert_eq!(rows.len(), 8);
}
