//! Three tenants work with their plugins over real rows while a fourth tenant's plugins misbehave in
//! every way of the gallery in `fixtures/wasm/misbehaving`. After each misbehaviour every honest
//! plugin is called and must answer right. Ends with an error if any promise is broken.
//!
//! `cargo run --release --example quickstart`

use std::{collections::BTreeMap, fs, path::Path, time::Instant};
use wasm_runtime::{
    ValueType, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry, WasmValue,
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wasm");
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// River systems: length in km, continent.
const RIVERS: [(&str, i64, &str); 7] = [
    ("Nile", 6_650, "Africa"),
    ("Amazon", 6_400, "South America"),
    ("Yangtze", 6_300, "Asia"),
    ("Yellow River", 5_464, "Asia"),
    ("Congo", 4_700, "Africa"),
    ("Volga", 3_531, "Europe"),
    ("Danube", 2_850, "Europe"),
];
/// Peaks: height in m, range.
const PEAKS: [(&str, i64, &str); 6] = [
    ("Everest", 8_849, "Himalaya"),
    ("K2", 8_611, "Karakoram"),
    ("Kangchenjunga", 8_586, "Himalaya"),
    ("Aconcagua", 6_961, "Andes"),
    ("Kilimanjaro", 5_895, "Eastern Rift"),
    ("Mont Blanc", 4_806, "Alps"),
];
/// Standards bodies: domain, year of foundation. The validator takes ages up to 150: one is too old.
const BODIES: [(&str, &str, u32); 5] = [
    ("Internet Engineering Task Force", "ietf.org", 1986),
    ("Unicode Consortium", "unicode.org", 1991),
    ("Ecma International", "ecma-international.org", 1961),
    ("International Organization for Standardization", "iso.org", 1947),
    ("International Telecommunication Union", "itu.int", 1865),
];
const YEAR: u32 = 2026;
/// What the fourth tenant has no grant for, among its own rows and among another tenant's.
const SECRET: &[u8] = b"not for plugins";

/// A byte call, and what it must answer each time.
type Promise = (&'static str, &'static str, String, String);
/// How the calls of each plugin failed: by trap code, or by kind of error.
type Failures = BTreeMap<String, BTreeMap<String, u64>>;

fn main() -> Outcome {
    let began = Instant::now();
    let registry = WasmPluginRegistry::builder().build()?;
    fill_tables(&registry)?;
    let promises = load_honest_plugins(&registry)?;
    let mut rounds = 0;
    let mut failures = Failures::new();
    let gallery = gallery()?;
    for (name, wasm) in &gallery {
        misbehave(&registry, name, wasm, &mut failures, &mut || {
            rounds += 1;
            keep_promises(&registry, &promises, rounds)
        })?;
    }
    print_table(&registry, &failures);
    check_containment(&registry, &failures)?;
    println!(
        "\n{} modules misbehaved and were contained; {} honest calls in between were all answered \
         right; {} ms",
        gallery.len(),
        rounds as usize * (promises.len() + 1),
        began.elapsed().as_millis()
    );
    Ok(())
}

fn fill_tables(registry: &WasmPluginRegistry) -> Outcome {
    let host = registry.host();
    // Two tenants use the same table name; neither sees the other's rows.
    for (tenant, rows) in [("hydrology", &RIVERS[..]), ("alpine", &PEAKS[..])] {
        for (name, measure, place) in rows {
            host.put(tenant, "measures", name.as_bytes(), format!("{measure},{place}").as_bytes())?;
        }
    }
    for (id, (name, domain, founded)) in BODIES.iter().enumerate() {
        let row = format!("{id},{name},postmaster@{domain},{}", YEAR - founded);
        host.put("standards", "bodies", domain.as_bytes(), row.as_bytes())?;
    }
    for tenant in ["standards", "stranger"] {
        host.put(tenant, "secret", b"key", SECRET)?;
    }
    Ok(())
}

fn load_honest_plugins(registry: &WasmPluginRegistry) -> Outcome<Vec<Promise>> {
    let load = |name: &str, module: &str, tables: &[&str], callees: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let config = WasmInstanceConfig {
            tenant: name.split('.').next().unwrap_or_default().into(),
            settings: vec![("column_separator".into(), ",".into())],
            capabilities: WasmPluginCapabilities {
                can_call_plugin: owned(callees),
                ..WasmPluginCapabilities::read_only(owned(tables))
            },
            max_instances: 1, // all calls share one state: the counter's needs that
            ..WasmInstanceConfig::default()
        };
        registry.load_from_file(name, format!("{FIXTURES}/{module}.wasm"), config)
    };
    load("hydrology.sum", "aggregate", &["measures"], &[])?;
    load("hydrology.counter", "counter", &[], &[])?;
    load("alpine.sum", "aggregate", &["measures"], &[])?;
    load("alpine.text", "text_transform", &[], &[])?;
    load("alpine.relay", "caller", &[], &["alpine.*"])?;
    load("standards.validator", "row_validator", &["bodies"], &[])?;
    load("standards.echo", "echo", &[], &[])?;

    let names = PEAKS.map(|(name, ..)| name).join(" ");
    let too_old = BODIES.iter().filter(|(.., founded)| YEAR - founded > 150).count();
    let validity = format!("valid={} invalid={too_old}", BODIES.len() - too_old);
    let table = || "measures".to_owned();
    Ok(vec![
        ("hydrology.sum", "sum", table(), totals(&RIVERS)),
        ("alpine.sum", "sum", table(), totals(&PEAKS)),
        ("alpine.text", "upper", names.clone(), names.to_uppercase()),
        ("alpine.relay", "relay", "alpine.sum\0sum\0measures".into(), totals(&PEAKS)),
        ("standards.validator", "validate_table", "bodies".into(), validity),
        ("standards.echo", "echo", names.clone(), names),
    ])
}

/// What the plugin `aggregate` must answer for these rows.
fn totals(rows: &[(&str, i64, &str)]) -> String {
    let measures = || rows.iter().map(|row| row.1);
    let (low, high) = (measures().min().unwrap_or(0), measures().max().unwrap_or(0));
    format!("count={} sum={} min={low} max={high}", rows.len(), measures().sum::<i64>())
}

fn keep_promises(registry: &WasmPluginRegistry, promises: &[Promise], round: i32) -> Outcome {
    for (plugin, function, input, expected) in promises {
        let found = registry.get(plugin).ok_or("an honest plugin is gone")?;
        let answer = found.call_bytes(function, input.as_bytes())?;
        check(answer == expected.as_bytes(), plugin)?;
    }
    let count = registry.call("hydrology.counter", "increment", &[])?;
    check(*count == [WasmValue::I32(round)], "the counter keeps its state")
}

fn check(holds: bool, promise: &str) -> Outcome {
    if holds { Ok(()) } else { Err(format!("promise broken: {promise}").into()) }
}

/// Every misbehaving module, and the one that hands any arguments to the host functions.
fn gallery() -> Outcome<Vec<(String, Vec<u8>)>> {
    let mut paths = vec![Path::new(FIXTURES).join("abi_probe.wasm")];
    for entry in fs::read_dir(Path::new(FIXTURES).join("misbehaving"))? {
        paths.push(entry?.path());
    }
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| Ok((name(path), fs::read(path)?))).collect()
}

/// Loads a module of the gallery and calls all its exports with all sorts of arguments.
fn misbehave(
    registry: &WasmPluginRegistry,
    name: &str,
    wasm: &[u8],
    failures: &mut Failures,
    after_each: &mut impl FnMut() -> Outcome,
) -> Outcome {
    let config = WasmInstanceConfig { tenant: "stranger".into(), ..WasmInstanceConfig::default() };
    let failed = failures.entry(name.into()).or_default();
    if let Err(error) = registry.load(name, wasm, config) {
        failed.insert(error.to_string(), 1);
        return after_each();
    }
    let mut note = |error: &wasm_runtime::Error| {
        let kind = error.trap_code().map_or(format!("{:?}", error.kind()), |c| format!("{c:?}"));
        *failed.entry(kind).or_default() += 1;
    };
    let plugin = registry.get(name).ok_or("a loaded plugin cannot be found")?;
    for function in plugin.functions() {
        let (params, _) = plugin.signature(function).unwrap_or_default();
        // A lone parameter may choose a case, as in `wild_pointers`: try them all.
        let cases = if params.len() == 1 { 0..64 } else { 0..2 };
        for value in cases.chain([-1, i32::MIN, i32::MAX]) {
            let args: Vec<_> = params.iter().map(|param| argument(*param, value)).collect();
            plugin.call(function, &args).err().iter().for_each(&mut note);
        }
        if params.len() == 2 {
            plugin.call_bytes(function, b"input").err().iter().for_each(&mut note);
        }
        after_each()?;
    }
    Ok(())
}

fn argument(param: ValueType, value: i32) -> WasmValue {
    match param {
        ValueType::I64 => WasmValue::I64(value.into()),
        ValueType::F32 => WasmValue::F32(f32::NAN),
        ValueType::F64 => WasmValue::F64(f64::NAN),
        _ => WasmValue::I32(value),
    }
}

fn check_containment(registry: &WasmPluginRegistry, failures: &Failures) -> Outcome {
    for tenant in ["standards", "stranger"] {
        let kept = registry.host().get(tenant, "secret", b"key");
        check(kept.as_deref() == Some(SECRET), "the secret is as it was")?;
    }
    let leaked = registry.call("forbidden_table", "leaked", &[])?;
    check(*leaked == [WasmValue::I32(0)], "the secret was not read")?;
    for plugin in registry.list().iter().filter_map(|name| registry.get(name)) {
        let stats = plugin.stats();
        let stopped = plugin.tenant() == "stranger" || stats.trap_count == 0;
        check(stopped, "honest plugins never trap")?;
        let within = stats.peak_memory_bytes <= plugin.capabilities().memory_limit_bytes;
        check(within, "the memory limit holds")?;
    }
    check(!failures.is_empty(), "the gallery was tried")
}

fn print_table(registry: &WasmPluginRegistry, failures: &Failures) {
    println!("plugin                 tenant      calls       fuel     memory  calls that failed");
    for plugin in registry.list().iter().filter_map(|name| registry.get(name)) {
        let (name, stats) = (plugin.name(), plugin.stats());
        let (calls, fuel) = (stats.total_calls, stats.total_fuel_consumed);
        let (tenant, kib) = (plugin.tenant(), stats.peak_memory_bytes >> 10);
        let failed = failures.get(name).into_iter().flatten();
        let failed: Vec<_> = failed.map(|(kind, count)| format!("{count} {kind}")).collect();
        println!("{name:22} {tenant:10} {calls:6} {fuel:10} {kib:6} KiB  {}", failed.join(", "));
    }
    println!("\nnot loaded");
    for (_, errors) in failures.iter().filter(|(name, _)| registry.get(name).is_none()) {
        errors.keys().for_each(|error| println!("{error}"));
    }
}
