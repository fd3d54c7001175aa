//! What a microsecond of guest code and of each host function costs in fuel on this machine, and
//! whether the default costs of the host functions lie within a factor of three of the guest's.
//!
//! `cargo run --release --example calibrate`
//!
//! Fails if a vector search is not clearly faster than a plain loop over the same vectors: then the
//! compiler has not used vector instructions.

use std::{hint::black_box, time::Instant};
use wasm_runtime::{
    Distance, EmbeddedHost, Error, Grant, HostCall, HostCost, HostError, HostFunctionTable,
    IndexKey, PluginLease, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry,
    WasmValue,
};

/// Every case is measured so often, in turns, so that a busy machine disturbs all alike.
const ROUNDS: usize = 15;
/// How far from the guest's median a host function may lie, either way.
const FACTOR: f64 = 3.0;
/// Host calls of one measurement.
const CALLS: i32 = 1_000;
/// Bytes that each host function reads, writes or returns.
const SIZES: [usize; 3] = [0, 64, 4_096];
/// Rows of the table that is read, so that finding one costs what it usually does.
const ROWS: u32 = 10_000;
/// Vectors that are searched, and the components of each.
const VECTORS: u32 = 10_000;
const DIMS: usize = 128;
/// Searches of one measurement.
const SEARCHES: i32 = 4;
/// How many rows the index `by_group` has under each key.
const GROUP: u32 = 64;
/// How much faster than a plain loop a search should be. Shown, not required: the machine may be busy
/// with other things, and `test.sh` looks for vector instructions, which is exact.
const VECTOR_SPEED: f64 = 1.5;

/// Kernels of the fixture `kernels`, at sizes of about a millisecond.
const KERNELS: [(&str, i32); 10] = [
    ("spin", 300_000),
    ("sieve", 50_000),
    ("fib", 20),
    ("matmul", 40),
    ("crc32", 50_000),
    ("sort", 5_000),
    ("mix", 100_000),
    ("mandelbrot", 40),
    ("dispatch", 100_000),
    ("bulk", 1_000_000),
];

/// Where arguments begin in the memory of `abi_probe`, and where answers go.
const INPUTS: i32 = 64;
const OUTPUT: i32 = 65_536;

/// A loop around a function of the embedder's own, which shows what `HostCost::default()` buys.
const OWN: &str = r#"
(module
  (import "own" "next" (func $next (param i32) (result i32)))
  (func (export "loop_own") (param $n i32) (result i32) (local $value i32)
    (loop $again
      (local.set $value (call $next (local.get $value)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $value))
  (memory (export "memory") 1))"#;

/// An exported function and how it is called.
struct Case {
    label: String,
    function: String,
    /// What goes to `INPUTS` before the call.
    memory: Vec<u8>,
    args: Vec<WasmValue>,
    /// What the call must return, where that is known.
    status: Option<i32>,
    /// How often the host function is called.
    calls: i32,
    samples_us: Vec<f64>,
    fuel: u64,
}

/// An argument of a host function.
enum Arg<'a> {
    /// Bytes in guest memory: a pointer and a length.
    Bytes(&'a [u8]),
    /// Components in guest memory: a pointer and how many there are.
    Query(&'a [u8]),
    /// Room for an answer: a pointer and a length.
    Output,
    Value(WasmValue),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut functions = HostFunctionTable::<EmbeddedHost>::new();
    let next = |_: &mut HostCall<'_, EmbeddedHost>, n: i32| -> Result<i32, HostError> { Ok(n + 1) };
    functions.define("own", "next", Grant::Always, HostCost::default(), next)?;
    let registry = WasmPluginRegistry::builder().functions(functions).build()?;
    load(&registry)?;
    let kernels = registry.get("kernels").ok_or("not loaded")?;
    let probe = registry.get("probe").ok_or("not loaded")?;
    let mut guest: Vec<_> =
        KERNELS.into_iter().map(|(name, size)| Case::new(name, name, size, &[], None)).collect();
    let mut host = host_cases();
    let mut own = Case::new("own function", "loop_own", CALLS, &[], Some(CALLS));
    let mut plain = PlainSearch::new();
    let (mut in_kernels, mut in_probe, mut in_own) =
        (kernels.lease()?, probe.lease()?, registry.get("own").ok_or("not loaded")?.lease_owned()?);
    for _ in 0..ROUNDS {
        guest.iter_mut().try_for_each(|case| case.measure(&mut in_kernels))?;
        host.iter_mut().try_for_each(|case| case.measure(&mut in_probe))?;
        own.measure(&mut in_own)?;
        plain.measure();
    }
    host.push(own);

    println!("guest code           fuel/us");
    let mut speeds: Vec<f64> =
        guest.iter().map(|case| case.fuel as f64 / case.median_us()).collect();
    for (case, speed) in guest.iter().zip(&speeds) {
        println!("{:20} {speed:7.0}", case.label);
    }
    let guest_speed = median(&mut speeds);
    println!("{:20} {guest_speed:7.0}\n", "median");

    println!("host function          fuel    ns/call  fuel/us  of the guest's median");
    let (empty, host) = host.split_first().ok_or("no cases")?;
    let mut outside = Vec::new();
    for case in host {
        // The loop itself, measured without a host call in it.
        let (calls, share) = (f64::from(case.calls), f64::from(case.calls) / f64::from(CALLS));
        let fuel = (case.fuel as f64 - empty.fuel as f64 * share) / calls;
        let us = (case.median_us() - empty.median_us() * share) / calls;
        let ratio = fuel / us / guest_speed;
        let verdict = if (1.0 / FACTOR..=FACTOR).contains(&ratio) { "within" } else { "OUTSIDE" };
        if verdict == "OUTSIDE" {
            outside.push(case.label.as_str());
        }
        let (ns, speed) = (us * 1_000.0, fuel / us);
        println!("{:20} {fuel:7.0} {ns:9.0} {speed:8.0} {ratio:7.2}  {verdict}", case.label);
    }
    match outside.is_empty() {
        true => println!("\nAll lie within a factor of {FACTOR} of the guest's median."),
        false => println!("\nOutside of a factor of {FACTOR}: {}", outside.join(", ")),
    }
    let search = host.iter().find(|case| case.label == SEARCH).ok_or("no search")?;
    plain.compare(least(&search.samples_us) / f64::from(search.calls));
    Ok(())
}

/// The case that the plain loop is compared with.
const SEARCH: &str = "vector_search 10000";

/// A search by a plain loop over the same vectors, one addition after the other.
struct PlainSearch {
    components: Vec<f32>,
    query: Vec<f32>,
    samples_us: Vec<f64>,
}

impl PlainSearch {
    fn new() -> Self {
        let components = (0..VECTORS).flat_map(vector).collect();
        Self { components, query: vector(0), samples_us: Vec::new() }
    }

    fn measure(&mut self) {
        let began = Instant::now();
        for _ in 0..SEARCHES {
            let query = black_box(&self.query);
            let distance = |vector: &[f32]| -> f32 {
                vector.iter().zip(query).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
            };
            let nearest = self.components.chunks(DIMS).map(distance).min_by(f32::total_cmp);
            assert_eq!(black_box(nearest), Some(0.0));
        }
        self.samples_us.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(SEARCHES));
    }

    fn compare(&self, search_us: f64) {
        let components = f64::from(VECTORS) * DIMS as f64;
        let [plain, search] =
            [least(&self.samples_us), search_us].map(|us| us * 1_000.0 / components);
        println!("\nns a component: {search:.3} in a search, {plain:.3} in a plain loop");
        let (ratio, verdict) = match plain / search {
            ratio if ratio >= VECTOR_SPEED => (ratio, "as it should be"),
            ratio => (ratio, "TOO SLOW"),
        };
        println!("A search is {ratio:.1} times as fast: {verdict}, {VECTOR_SPEED} times or more.");
    }
}

/// The vector of a row: small whole numbers, none of them all zero.
fn vector(row: u32) -> Vec<f32> {
    let component = |at: u32| (row.wrapping_mul(31).wrapping_add(at * at * 7) % 17) as f32 - 8.0;
    (0..DIMS as u32).map(component).collect()
}

/// The kernels, the probe for host functions, and what it reads and calls.
fn load(registry: &WasmPluginRegistry) -> Result<(), Box<dyn std::error::Error>> {
    let config = WasmInstanceConfig {
        capabilities: WasmPluginCapabilities {
            can_read_table: vec!["rows".into(), "people".into()],
            can_write_table: vec!["rows".into(), "people".into()],
            can_call_plugin: vec!["echo".into()],
            can_index_search: true,
            can_vector_search: true,
            fuel_limit: u64::MAX,
            timeout_ms: 0,
            ..WasmPluginCapabilities::default()
        },
        settings: SIZES.map(|size| (format!("setting{size}"), "x".repeat(size))).into(),
        ..WasmInstanceConfig::default()
    };
    let kernels = include_bytes!("../fixtures/wasm/kernels.wasm");
    registry.load("kernels", kernels, config.clone())?;
    registry.load("echo", include_bytes!("../fixtures/wasm/echo.wasm"), config.clone())?;
    let probe = include_bytes!("../fixtures/wasm/abi_probe.wasm");
    registry.load("probe", probe, config.clone())?;
    registry.load("own", &wat::parse_str(OWN)?, config)?;
    for row in 0..ROWS {
        registry.host().put("default", "rows", &row.to_be_bytes(), &[b'x'; 56])?;
    }
    load_searchable(registry.host())?;
    for size in SIZES {
        registry.host().put(
            "default",
            "rows",
            format!("row{size}").as_bytes(),
            &vec![b'x'; size],
        )?;
    }
    Ok(())
}

/// Two indexes of a table of 10,000 rows, a collection of 10,000 vectors, and one of a single vector.
fn load_searchable(host: &EmbeddedHost) -> Result<(), Error> {
    host.create_index("default", "by_number", "people", IndexKey::field(0, 4))?;
    host.create_index("default", "by_group", "people", IndexKey::field(4, 4))?;
    for row in 0..ROWS {
        let value = [row.to_be_bytes(), (row / GROUP).to_be_bytes()].concat();
        host.put("default", "people", &u64::from(row).to_be_bytes(), &value)?;
    }
    host.create_collection("default", "vectors", "people", DIMS, Distance::L2)?;
    for row in 0..VECTORS {
        host.insert_vector("default", "vectors", row.into(), &vector(row))?;
    }
    host.create_collection("default", "single", "people", 1, Distance::L2)?;
    host.insert_vector("default", "single", 0, &[1.0])?;
    Ok(())
}

fn host_cases() -> Vec<Case> {
    use Arg::{Bytes, Output, Query, Value};
    let number = |value: i32| Value(WasmValue::I32(value));
    let rows = || Bytes(b"rows");
    let mut cases = vec![Case::new("empty loop", "loop_empty", CALLS, &[], None)];
    let mut case = |label: String, args: &[Arg<'_>], status: i32| {
        let function = format!("loop_{}", label.split(' ').next().unwrap_or_default());
        cases.push(Case::new(&label, &function, CALLS, args, Some(status)));
    };
    for (size, length) in SIZES.map(|size| (size, size as i32)) {
        let (row, setting) = (format!("row{size}"), format!("setting{size}"));
        let (row, setting, bytes) = (row.as_bytes(), setting.as_bytes(), vec![b'x'; size]);
        let read = [rows(), Bytes(row), Output];
        case(format!("soch_read {size}"), &read, length);
        case(format!("soch_write {size}"), &[rows(), Bytes(row), Bytes(&bytes)], 1);
        case(format!("get_config {size}"), &[Bytes(setting), Output], length);
        let call = [Bytes(b"echo"), Bytes(b"echo"), Bytes(&bytes), Output];
        case(format!("call_plugin {size}"), &call, length);
        // Log lines and labels are 1 KiB at most.
        let line = bytes.get(..1_024).unwrap_or(&bytes);
        case(format!("log_message {}", line.len()), &[number(1), Bytes(line)], 0);
        let labels = labels(line.len());
        let metric = [number(1), Bytes(b"metric"), Value(WasmValue::F64(1.0)), Bytes(&labels)];
        case(format!("emit_metric {}", labels.len()), &metric, 0);
        // Rows of 60 bytes, which take 68 as a record.
        let count = length / 64;
        let scan = [rows(), Bytes(&[0, 0, 16, 0]), number(count), Output];
        if count > 0 {
            case(format!("soch_scan {size}"), &scan, 68 * count);
        }
    }
    case("soch_read absent".into(), &[rows(), Bytes(b"absent"), Output], -2);
    case("soch_read denied".into(), &[Bytes(b"others"), Bytes(b"key"), Output], -1);
    case("soch_scan end".into(), &[rows(), Bytes(b"zzz"), number(10), Output], 0);
    case("soch_delete absent".into(), &[rows(), Bytes(b"absent")], -2);
    case("last_answer 0".into(), &[number(0), Output], 0);
    let key = |number: u32| number.to_be_bytes();
    case("index_lookup 1".into(), &[Bytes(b"by_number"), Bytes(&key(500)), Output], 1);
    case("index_lookup 64".into(), &[Bytes(b"by_group"), Bytes(&key(50)), Output], GROUP as i32);
    case("index_lookup absent".into(), &[Bytes(b"by_group"), Bytes(b"none"), Output], 0);
    for length in [1, 64] {
        let (low, high) = (key(500), key(500 + length));
        let range = [Bytes(b"by_number"), Bytes(&low), Bytes(&high), number(1_000), Output];
        case(format!("index_range {length}"), &range, length as i32);
    }
    let one = 1.0_f32.to_le_bytes();
    let single = [Bytes(b"single"), Query(&one), number(1), Output];
    case("vector_search 1".into(), &single, 1);
    let value = [key(500), key(500 / GROUP)].concat();
    let row = 500_u64.to_be_bytes();
    case("soch_write indexed".into(), &[Bytes(b"people"), Bytes(&row), Bytes(&value)], 1);
    let query: Vec<u8> = vector(0).into_iter().flat_map(f32::to_le_bytes).collect();
    let search = [Bytes(b"vectors"), Query(&query), number(10), Output];
    cases.push(Case::new(SEARCH, "loop_vector_search", SEARCHES, &search, Some(10)));
    cases
}

/// One label that takes `size` bytes on the wire, or none.
fn labels(size: usize) -> Vec<u8> {
    let Some(length) = size.checked_sub(9) else {
        return Vec::new();
    };
    let mut labels = b"\x01\0\0\0n".to_vec();
    labels.extend((length as u32).to_le_bytes());
    labels.resize(size, b'v');
    labels
}

impl Case {
    fn new(label: &str, function: &str, n: i32, args: &[Arg<'_>], status: Option<i32>) -> Self {
        let (mut memory, mut values) = (Vec::new(), vec![WasmValue::I32(n)]);
        for arg in args {
            match arg {
                Arg::Bytes(bytes) | Arg::Query(bytes) => {
                    let unit = if matches!(arg, Arg::Query(_)) { size_of::<f32>() } else { 1 };
                    values.push(WasmValue::I32(INPUTS + memory.len() as i32));
                    values.push(WasmValue::I32((bytes.len() / unit) as i32));
                    memory.extend_from_slice(bytes);
                }
                // The second page of two, all of it.
                Arg::Output => values.extend([OUTPUT, OUTPUT].map(WasmValue::I32)),
                Arg::Value(value) => values.push(*value),
            }
        }
        let (label, function) = (label.into(), function.into());
        let samples_us = Vec::new();
        Self { label, function, memory, args: values, status, calls: n, samples_us, fuel: 0 }
    }

    fn measure(&mut self, lease: &mut PluginLease<'_>) -> Result<(), Error> {
        lease.write("memory", INPUTS as u64, &self.memory)?;
        let before = lease.plugin().stats().total_fuel_consumed;
        let began = Instant::now();
        let results = lease.call(&self.function, &self.args)?;
        self.samples_us.push(began.elapsed().as_secs_f64() * 1e6);
        self.fuel = lease.plugin().stats().total_fuel_consumed - before;
        let status = results.first().and_then(WasmValue::as_i32);
        assert!(self.status.is_none() || self.status == status, "{}: {status:?}", self.label);
        Ok(())
    }

    fn median_us(&self) -> f64 {
        median(&mut self.samples_us.clone())
    }
}

/// What is left when nothing else disturbs.
fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
