//! Each function of the host ABI on the in-memory host, answering success and each status it has.

use crate::{
    heap,
    support::{
        Arguments, CALLS, assert_host_function_allocates_nothing as assert_nothing, config,
        fixture, flat, load, wat,
    },
};
use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use wasm_runtime::{
    Distance, EmbeddedHost, HostQuota, IndexKey, MetricKind, PluginFunction, WasmInstanceConfig,
    WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

/// A pointer and length far outside of the memory.
const WILD: [i32; 2] = [-16, 64];

/// A tenant with one full table, and a plugin that can call every function.
fn probe() -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let quota = HostQuota { max_rows: 3, max_series: 3, ..HostQuota::default() };
    let host = EmbeddedHost::with_quota(quota);
    for (key, value) in [("ada", "36"), ("ben", "41"), ("cyd", "29")] {
        host.put("default", "open_rows", key.as_bytes(), value.as_bytes()).unwrap();
    }
    let registry = WasmPluginRegistry::with_host(host);
    let mut config = config();
    config.limits.max_answer_bytes = 100;
    let plugin = load(&registry, "probe", &fixture("abi_probe"), config);
    (registry, plugin)
}

#[test]
fn soch_read_allocates_nothing_whatever_it_answers() {
    let (_registry, plugin) = probe();
    let mut guest = Arguments::new(&plugin);
    let (table, locked) = (guest.put(b"open_rows"), guest.put(b"rows"));
    let (key, absent, bad) = (guest.put(b"ben"), guest.put(b"dan"), guest.put(b"\xff\xfe"));
    let (out, none) = (guest.room(64), [0, 0]);
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "soch_read", &flat(parts), status);
    case(&[&table, &key, &out], 2);
    case(&[&table, &key, &none], 2);
    case(&[&locked, &key, &out], -1);
    case(&[&table, &absent, &out], -2);
    case(&[&bad, &key, &out], -3);
    case(&[&table, &WILD, &out], -3);
    case(&[&table, &key, &WILD], -3);
    case(&[&table, &key, &key], -3);
}

#[test]
fn soch_scan_allocates_nothing_whatever_it_answers() {
    let (_registry, plugin) = probe();
    let mut guest = Arguments::new(&plugin);
    let (table, locked) = (guest.put(b"open_rows"), guest.put(b"rows"));
    let (first, last, none) = (guest.put(b"a"), guest.put(b"zoe"), [0, 0]);
    let (out, small) = (guest.room(128), guest.room(4));
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "soch_scan", &flat(parts), status);
    case(&[&table, &first, &[10], &out], 3 * 13);
    case(&[&table, &none, &[2], &out], 2 * 13);
    case(&[&table, &last, &[10], &out], 0);
    case(&[&locked, &first, &[10], &out], -1);
    case(&[&table, &first, &[10], &WILD], -3);
    case(&[&table, &first, &[10], &small], -5);
}

#[test]
fn soch_write_allocates_nothing_when_it_replaces_a_row_or_answers_a_status() {
    let (registry, plugin) = probe();
    let mut guest = Arguments::new(&plugin);
    let (table, locked) = (guest.put(b"open_rows"), guest.put(b"rows"));
    let (key, other, value) = (guest.put(b"ben"), guest.put(b"eve"), guest.put(b"42"));
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "soch_write", &flat(parts), status);
    case(&[&table, &key, &value], 1);
    assert_eq!(registry.host().get("default", "open_rows", b"ben").unwrap(), b"42");
    case(&[&table, &key, &[0, 0]], 1);
    case(&[&locked, &key, &value], -1);
    case(&[&table, &key, &WILD], -3);
    // The tenant has as many rows as it may.
    case(&[&table, &other, &value], -5);
}

#[test]
fn soch_delete_allocates_nothing_when_it_removes_a_row() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "sweeper", &sweeper(), config());
    let keys: Vec<[u8; 4]> = (0..CALLS).map(i32::to_be_bytes).collect();
    plugin.lease().unwrap().write("memory", 0, b"open_rows").unwrap();
    plugin.lease().unwrap().write("memory", 1_024, &keys.concat()).unwrap();
    let sweep: PluginFunction<(i32, i32), i32> = plugin.function("sweep").unwrap();
    let fill = || {
        for key in &keys {
            registry.host().put("default", "open_rows", key, b"value").unwrap();
        }
    };
    fill();
    assert_eq!(sweep.call((1_024, 1)).unwrap(), 1);
    let (mut at, mut deleted) = (1_024, 1);
    let count = heap::allocations(|| {
        for _ in 1..CALLS {
            at += 4;
            deleted += sweep.call((at, 1)).unwrap();
        }
    });
    assert_eq!((count, deleted), (0, CALLS), "one host call in each call");
    fill();
    let count = heap::allocations(|| deleted = sweep.call((1_024, CALLS)).unwrap());
    assert_eq!((count, deleted), (0, CALLS), "all host calls in one call");
    assert!(registry.host().scan("default", "open_rows", b"", 1).is_empty());
}

/// Deletes `n` rows whose keys are the four-byte words from `key` on; answers how many there were.
fn sweeper() -> Vec<u8> {
    wat(r#"(module
        (import "soch_v1" "soch_delete" (func $delete (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "sweep") (param $key i32) (param $n i32) (result i32)
            (local $deleted i32)
            (loop $next
                (local.set $deleted (i32.add (local.get $deleted)
                    (call $delete (i32.const 0) (i32.const 9) (local.get $key) (i32.const 4))))
                (local.set $key (i32.add (local.get $key) (i32.const 4)))
                (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $deleted)))"#)
}

#[test]
fn soch_delete_allocates_nothing_when_it_answers_a_status() {
    let (_registry, plugin) = probe();
    let mut guest = Arguments::new(&plugin);
    let (table, locked) = (guest.put(b"open_rows"), guest.put(b"rows"));
    let (key, absent) = (guest.put(b"ben"), guest.put(b"dan"));
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "soch_delete", &flat(parts), status);
    case(&[&locked, &key], -1);
    case(&[&table, &absent], -2);
    case(&[&table, &WILD], -3);
}

/// A plugin that may search `open_rows` by an index and a collection of that name, and not `locked`.
fn searching_probe() -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let registry = WasmPluginRegistry::new();
    let host = registry.host();
    for name in ["open_rows", "locked"] {
        host.create_index("default", name, name, IndexKey::field(0, 1)).unwrap();
        host.create_collection("default", name, name, 2, Distance::Cosine).unwrap();
    }
    for row in 0..40_u64 {
        host.put("default", "open_rows", &row.to_be_bytes(), b"abc").unwrap();
        host.insert_vector("default", "open_rows", row, &[1.0, row as f32]).unwrap();
    }
    let plugin = load(&registry, "probe", &fixture("abi_probe"), config());
    (registry, plugin)
}

#[test]
fn vector_search_allocates_nothing_whatever_it_answers() {
    let (_registry, plugin) = searching_probe();
    let mut guest = Arguments::new(&plugin);
    let (rows, locked, absent) = (guest.put(b"open_rows"), guest.put(b"locked"), guest.put(b"no"));
    let [query, _] = guest.put(&[2.0_f32, 0.5].map(f32::to_le_bytes).concat());
    let [not_a_number, _] = guest.put(&[2.0_f32, f32::NAN].map(f32::to_le_bytes).concat());
    let (out, small) = (guest.room(40 * 12), guest.room(11));
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "vector_search", &flat(parts), status);
    case(&[&rows, &[query, 2, 10], &out], 10);
    case(&[&rows, &[query, 2, 1_024], &out], 40);
    case(&[&rows, &[query, 2, 0], &out], 0);
    case(&[&locked, &[query, 2, 10], &out], -1);
    case(&[&absent, &[query, 2, 10], &out], -2);
    case(&[&rows, &[query, 1, 10], &out], -3);
    case(&[&rows, &[not_a_number, 2, 10], &out], -3);
    case(&[&rows, &[query, 2, 10], &small], -5);
}

#[test]
fn index_lookup_allocates_nothing_whatever_it_answers() {
    let (_registry, plugin) = searching_probe();
    let mut guest = Arguments::new(&plugin);
    let (rows, locked, absent) = (guest.put(b"open_rows"), guest.put(b"locked"), guest.put(b"no"));
    let (key, out, small) = (guest.put(b"a"), guest.room(40 * 8), guest.room(8));
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "index_lookup", &flat(parts), status);
    case(&[&rows, &key, &out], 40);
    case(&[&rows, &key, &small], 40);
    case(&[&rows, &absent, &out], 0);
    case(&[&locked, &key, &out], -1);
    case(&[&absent, &key, &out], -2);
    case(&[&rows, &WILD, &out], -3);
}

#[test]
fn index_range_allocates_nothing_whatever_it_answers() {
    let (_registry, plugin) = searching_probe();
    let mut guest = Arguments::new(&plugin);
    let (rows, locked, absent) = (guest.put(b"open_rows"), guest.put(b"locked"), guest.put(b"no"));
    let (low, high) = (guest.put(b"a"), guest.put(b"b"));
    let (out, small) = (guest.room(40 * 8), guest.room(8));
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "index_range", &flat(parts), status);
    case(&[&rows, &low, &high, &[-1], &out], 40);
    case(&[&rows, &low, &high, &[7], &out], 7);
    case(&[&rows, &low, &high, &[7], &small], 7);
    case(&[&rows, &high, &low, &[7], &out], 0);
    case(&[&locked, &low, &high, &[7], &out], -1);
    case(&[&absent, &low, &high, &[7], &out], -2);
    case(&[&rows, &low, &WILD, &[7], &out], -3);
}

#[test]
fn soch_write_of_the_same_indexed_bytes_allocates_nothing() {
    let (registry, plugin) = searching_probe();
    let mut guest = Arguments::new(&plugin);
    let (table, row) = (guest.put(b"open_rows"), guest.put(&7_u64.to_be_bytes()));
    for value in [guest.put(b"axy"), guest.put(b"a")] {
        assert_nothing(&plugin, "soch_write", &flat(&[&table, &row, &value]), 1);
    }
    assert_eq!(registry.host().get("default", "open_rows", &7_u64.to_be_bytes()).unwrap(), b"a");
}

#[test]
fn deleting_an_indexed_row_and_its_vector_allocates_nothing() {
    let (registry, _plugin) = searching_probe();
    let count = heap::allocations(|| {
        for row in 0..40_u64 {
            assert!(registry.host().delete("default", "open_rows", &row.to_be_bytes()));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn emit_metric_allocates_nothing_for_a_known_series_and_for_every_status() {
    let (registry, plugin) = probe();
    let mut guest = Arguments::new(&plugin);
    let (name, other, wild) = (guest.put(b"rows_seen"), guest.put(b"rows_lost"), WILD);
    let labels = guest.put(b"\x06\0\0\0region\x02\0\0\0eu");
    let case = |kind: i32, name: [i32; 2], value: f64, labels: [i32; 2], status| {
        let mut args = flat(&[&[kind], &name]);
        args.push(WasmValue::F64(value));
        args.extend(flat(&[&labels]));
        assert_nothing(&plugin, "emit_metric", &args, status);
    };
    for kind in 0..3 {
        case(kind, name, 0.5, labels, 0);
    }
    case(0, name, f64::NAN, labels, -3);
    case(3, name, 0.5, labels, -3);
    case(0, wild, 0.5, labels, -3);
    case(0, name, 0.5, [labels[0], labels[1] - 1], -3);
    // The tenant has as many series as it may.
    case(0, other, 0.5, labels, -5);
    let sums: Vec<_> =
        registry.host().metrics("default").iter().map(|s| (s.kind, s.count, s.value)).collect();
    let observed = 2 * CALLS as u64 + 1;
    let sum = observed as f64 / 2.0;
    assert_eq!(
        sums,
        [
            (MetricKind::Counter, observed, sum),
            (MetricKind::Gauge, observed, 0.5),
            (MetricKind::Histogram, observed, sum)
        ]
    );
}

#[test]
fn get_config_allocates_nothing_whatever_it_answers() {
    let (_registry, plugin) = probe();
    let mut guest = Arguments::new(&plugin);
    let (own, abi, absent) = (guest.put(b"region"), guest.put(b"soch.abi"), guest.put(b"colour"));
    let out = guest.room(64);
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "get_config", &flat(parts), status);
    case(&[&own, &out], 10);
    case(&[&own, &[0, 0]], 10);
    case(&[&abi, &out], 1);
    case(&[&absent, &out], -2);
    case(&[&WILD, &out], -3);
}

#[test]
fn call_plugin_allocates_nothing_whatever_it_answers() {
    let (registry, plugin) = probe();
    load(&registry, "open_echo", &fixture("echo"), config());
    load(&registry, "open_probe", &fixture("abi_probe"), config());
    let elsewhere = WasmInstanceConfig { tenant: "elsewhere".into(), ..config() };
    load(&registry, "open_elsewhere", &fixture("echo"), elsewhere);
    let mut guest = Arguments::new(&plugin);
    let (echo, locked) = (guest.put(b"open_echo"), guest.put(b"echo"));
    let (absent, elsewhere) = (guest.put(b"open_absent"), guest.put(b"open_elsewhere"));
    let (function, reserved) = (guest.put(b"copy"), guest.put(b"soch_alloc"));
    let (status, no_function) = (guest.put(b"status"), guest.put(b"missing"));
    let (input, minus_one) = (guest.put(&[7; 100]), guest.put(&[0xff; 4]));
    let one_more = guest.put(&[7; 101]);
    let (out, small) = (guest.room(128), guest.room(8));
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "call_plugin", &flat(parts), status);
    case(&[&echo, &function, &input, &out], 100);
    case(&[&echo, &function, &input, &small], 100);
    case(&[&locked, &function, &input, &out], -1);
    case(&[&echo, &reserved, &input, &out], -1);
    case(&[&absent, &function, &input, &out], -2);
    case(&[&elsewhere, &function, &input, &out], -2);
    case(&[&echo, &no_function, &input, &out], -2);
    case(&[&echo, &function, &WILD, &out], -3);
    // One byte longer than what is kept of an answer.
    case(&[&echo, &function, &one_more, &out], -5);
    case(&[&echo, &status, &minus_one, &out], -7);
}

#[test]
fn call_plugin_allocates_nothing_where_no_further_plugin_can_be_called() {
    let registry = WasmPluginRegistry::new();
    let mut shallow = config();
    shallow.limits.max_call_depth = 1;
    let plugin = load(&registry, "probe", &fixture("abi_probe"), shallow);
    load(&registry, "open_echo", &fixture("echo"), config());
    let mut guest = Arguments::new(&plugin);
    let (echo, function, out) = (guest.put(b"open_echo"), guest.put(b"copy"), guest.room(8));
    let args = flat(&[&echo, &function, &[0, 0], &out]);
    assert_nothing(&plugin, "call_plugin", &args, -5);
    // With its registry a plugin loses those it could call.
    drop(registry);
    assert_nothing(&plugin, "call_plugin", &args, -4);
}

#[test]
fn last_answer_allocates_nothing_whatever_it_answers() {
    let (_registry, plugin) = probe();
    let out = Arguments::new(&plugin).room(64);
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "last_answer", &flat(parts), status);
    case(&[&[0], &out], 0);
    case(&[&[1], &out], -3);
    case(&[&[0], &WILD], -3);
}

#[test]
fn log_message_allocates_nothing_with_a_logger_and_without() {
    let (_registry, plugin) = probe();
    let mut guest = Arguments::new(&plugin);
    let (line, bad) = (guest.put("a\tline \u{1b}[31m".as_bytes()), guest.put(b"\xff"));
    let long = guest.put(&[b'x'; 1_025]);
    let case =
        |parts: &[&[i32]], status| assert_nothing(&plugin, "log_message", &flat(parts), status);
    let every_answer = || {
        for level in 0..4 {
            case(&[&[level], &line], 0);
        }
        case(&[&[4], &line], -3);
        case(&[&[0], &bad], -3);
        case(&[&[0], &long], -3);
        case(&[&[0], &WILD], -3);
    };
    assert_eq!(log::max_level(), log::LevelFilter::Off);
    every_answer();
    assert_eq!(LINES.load(Ordering::Relaxed), 0);
    log::set_logger(&PrintsToNowhere).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    every_answer();
    log::set_max_level(log::LevelFilter::Off);
    assert_eq!(LINES.load(Ordering::Relaxed), 4 * (2 * CALLS as u64 + 1));
}

/// Writes each line of a plugin out in full, and drops it.
struct PrintsToNowhere;

static LINES: AtomicU64 = AtomicU64::new(0);

impl log::Log for PrintsToNowhere {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "wasm_plugin" {
            write!(Expected("default/probe: a\\tline \\u{1b}[31m"), "{}", record.args()).unwrap();
            LINES.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

/// Fails unless exactly this is written to it.
struct Expected(&'static str);

impl Write for Expected {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        self.0 = self.0.strip_prefix(part).ok_or(std::fmt::Error)?;
        Ok(())
    }
}
