//! What `render_prometheus` writes, read back by another's parser.

use crate::{
    exposition::{Line, read},
    support::{StepClock, all_granted, call_i32, config, fixture, wat},
};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};
use wasm_runtime::{
    EmbeddedHost, Grant, Host, HostCall, HostCost, HostError, HostFunctionTable, Metric,
    MetricKind, MetricSample, QuarantinePolicy, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginInstance, WasmPluginRegistry, WasmPluginStats, WasmValue,
};

fn of(tenant: &str) -> WasmInstanceConfig {
    WasmInstanceConfig { tenant: tenant.into(), max_instances: 1, ..config(all_granted()) }
}

fn rendered<H: Host>(registry: &WasmPluginRegistry<H>) -> String {
    let mut text = String::new();
    registry.render_prometheus(&mut text).unwrap();
    text
}

/// The lines of a family, each with a label's value.
fn values<'l>(lines: &'l [Line], name: &str, label: &str) -> Vec<(&'l str, f64)> {
    let of_family = lines.iter().filter(|line| line.name == name);
    of_family.map(|line| (line.label(label), line.value)).collect()
}

#[test]
fn an_empty_registry_writes_nothing() {
    assert_eq!(rendered(&WasmPluginRegistry::new()), "");
}

#[test]
fn what_each_plugin_did_stands_in_load_order_as_its_statistics_say() {
    let registry = WasmPluginRegistry::new();
    registry.load("z", &fixture("counter"), of("b")).unwrap();
    registry.load("a", &fixture("misbehaving/traps"), of("a")).unwrap();
    let denied = WasmInstanceConfig { capabilities: WasmPluginCapabilities::default(), ..of("a") };
    registry.load("m", &fixture("misbehaving/forbidden_table"), denied).unwrap();
    for _ in 0..3 {
        registry.call("z", "increment", &[]).unwrap();
        registry.call("a", "unreachable", &[]).unwrap_err();
        registry.call("m", "read", &[]).unwrap();
    }
    registry.call("a", "div_by_zero", &[]).unwrap_err();
    let lines = read(&rendered(&registry));
    let stats = ["z", "a", "m"].map(|name| (name, registry.get(name).unwrap().stats()));
    let expect = |family: &str, value: &dyn Fn(&WasmPluginStats) -> f64| {
        let expected: Vec<_> = stats.iter().map(|(name, stats)| (*name, value(stats))).collect();
        assert_eq!(values(&lines, family, "plugin"), expected, "{family}");
        let tenants: Vec<_> =
            values(&lines, family, "tenant").into_iter().map(|(tenant, _)| tenant).collect();
        assert_eq!(tenants, ["b", "a", "a"]);
    };
    expect("wasm_plugin_calls_total", &|s| s.total_calls as f64);
    expect("wasm_plugin_fuel_consumed_total", &|s| s.total_fuel_consumed as f64);
    expect("wasm_plugin_host_calls_total", &|s| s.host_calls as f64);
    expect("wasm_plugin_sandboxes_started_total", &|s| s.sandboxes_started as f64);
    expect("wasm_plugin_peak_memory_bytes", &|s| s.peak_memory_bytes as f64);
    expect("wasm_plugin_execution_seconds_total", &|s| s.total_execution_us as f64 / 1e6);
    expect("wasm_plugin_call_duration_seconds_count", &|s| s.total_calls as f64);
    assert_eq!(
        values(&lines, "wasm_plugin_traps_total", "kind"),
        [("UnreachableCodeReached", 3.0), ("IntegerDivisionByZero", 1.0)]
    );
    let denials = values(&lines, "wasm_plugin_host_call_denials_total", "function");
    assert_eq!(denials, [("soch_read", 3.0)]);
    assert_eq!(values(&lines, "wasm_plugin_quarantined", "plugin"), []);
}

#[test]
fn whether_a_plugin_is_in_quarantine_stands_there_if_it_can_be() {
    let registry = WasmPluginRegistry::new();
    let quarantine = Some(QuarantinePolicy::after(1));
    for name in ["ill", "well"] {
        let config = WasmInstanceConfig { quarantine, ..of("a") };
        registry.load(name, &fixture("misbehaving/traps"), config).unwrap();
    }
    registry.call("ill", "unreachable", &[]).unwrap_err();
    let lines = read(&rendered(&registry));
    let quarantined = values(&lines, "wasm_plugin_quarantined", "plugin");
    assert_eq!(quarantined, [("ill", 1.0), ("well", 0.0)]);
}

#[test]
fn the_durations_of_calls_are_cumulative_in_seconds() {
    let registry = WasmPluginRegistry::builder().clock(StepClock::new(50)).build().unwrap();
    registry.load("p", &fixture("counter"), of("t")).unwrap();
    for _ in 0..257 {
        registry.call("p", "increment", &[]).unwrap();
    }
    let lines = read(&rendered(&registry));
    let family = "wasm_plugin_call_duration_seconds";
    let buckets = values(&lines, &format!("{family}_bucket"), "le");
    let bounds: Vec<_> = buckets.iter().map(|(le, _)| *le).collect();
    assert_eq!(bounds[..4], ["0.000001", "0.000004", "0.000016", "0.000064"]);
    assert_eq!(bounds[9..], ["0.262144", "1.048576", "+Inf"]);
    let counts: Vec<_> = buckets.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts[2..5], [255.0, 257.0, 257.0]);
    assert_eq!(values(&lines, &format!("{family}_sum"), "plugin"), [("p", 0.01285)]);
}

#[test]
fn a_plugin_that_is_not_metered_has_no_times() {
    let registry = WasmPluginRegistry::new();
    let unmetered = WasmInstanceConfig { enable_fuel: false, ..of("t") };
    registry.load("p", &fixture("counter"), unmetered).unwrap();
    let lines = read(&rendered(&registry));
    assert!(lines.iter().any(|line| line.name == "wasm_plugin_calls_total"));
    assert!(!lines.iter().any(|line| line.name.contains("seconds")), "{lines:?}");
}

/// Takes in so many bytes and then fails.
struct Full(usize);

impl fmt::Write for Full {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_ends_it_at_once_wherever_that_is() {
    let registry = WasmPluginRegistry::new();
    registry.load("p\n", &fixture("misbehaving/metric_flood"), of("t")).unwrap();
    registry.call("p\n", "flood", &[WasmValue::I32(6)]).unwrap();
    registry.call("p\n", "labels", &[WasmValue::I32(2)]).unwrap();
    let len = rendered(&registry).len();
    for room in 0..len {
        assert_eq!(registry.render_prometheus(&mut Full(room)), Err(fmt::Error), "{room}");
    }
    assert_eq!(registry.render_prometheus(&mut Full(len)), Ok(()));
}

/// A host with a family of its own.
struct Own;

impl Host for Own {
    fn render_metrics(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("# HELP own_rows Rows.\n# TYPE own_rows gauge\nown_rows 7\n")
    }
}

/// A host without any.
struct Silent;

impl Host for Silent {
    fn emit_metric(
        &self,
        _call: &mut HostCall<'_, Self>,
        _metric: &Metric<'_>,
    ) -> Result<(), HostError> {
        Ok(())
    }
}

#[test]
fn a_host_of_one_s_own_adds_families_after_those_of_plugins() {
    let registry = WasmPluginRegistry::with_host(Own);
    registry.load("p", &fixture("counter"), of("t")).unwrap();
    let lines = read(&rendered(&registry));
    assert_eq!(lines.last().unwrap().name, "own_rows");
    let registry = WasmPluginRegistry::with_host(Silent);
    assert_eq!(rendered(&registry), "");
}

/// What a plugin observes: kind, name, labels, value.
type Observation = (i32, String, Vec<(String, String)>, f64);

fn wire(pairs: &[(String, String)]) -> Vec<u8> {
    let fields = pairs.iter().flat_map(|(name, value)| [name, value]);
    fields
        .flat_map(|field| {
            let len = u32::try_from(field.len()).unwrap().to_le_bytes();
            len.into_iter().chain(field.bytes()).collect::<Vec<_>>()
        })
        .collect()
}

fn emit(plugin: &Arc<WasmPluginInstance>, (kind, name, labels, value): &Observation) {
    let mut lease = plugin.lease().unwrap();
    let labels = wire(labels);
    lease.write("memory", 1_024, name.as_bytes()).unwrap();
    lease.write("memory", 4_096, &labels).unwrap();
    let len = |bytes: &[u8]| WasmValue::I32(i32::try_from(bytes.len()).unwrap());
    let args = [
        WasmValue::I32(*kind),
        WasmValue::I32(1_024),
        len(name.as_bytes()),
        WasmValue::F64(*value),
        WasmValue::I32(4_096),
        len(&labels),
    ];
    assert_eq!(*lease.call("call_emit_metric", &args).unwrap(), [WasmValue::I32(0)]);
}

/// A plugin that emits, over an `EmbeddedHost`.
fn emitter(registry: &WasmPluginRegistry, name: &str, tenant: &str) -> Arc<WasmPluginInstance> {
    registry.load(name, &fixture("abi_probe"), of(tenant)).unwrap();
    registry.get(name).unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The guest's lines as written, without the descriptions of families.
fn guest_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("wasm_guest_")).collect()
}

#[test]
fn a_guest_s_metrics_are_told_by_kind_with_their_labels() {
    let registry = WasmPluginRegistry::new();
    let plugin = emitter(&registry, "p", "t");
    let observed = [
        (0, "x", 1.5),
        (0, "y", 2.0),
        (0, "y", 1.0),
        (1, "z", -7.0),
        (1, "z", 1e300),
        (0, "i", f64::INFINITY),
    ];
    for (kind, name, value) in observed {
        let labels = pairs(&[("a", "1"), ("b", "x\"y")]);
        emit(&plugin, &(kind, name.into(), labels, value));
    }
    let text = rendered(&registry);
    read(&text);
    let expected = [
        r#"wasm_guest_counter_total{tenant="t",metric="i",label_a="1",label_b="x\"y"} +Inf"#,
        r#"wasm_guest_counter_total{tenant="t",metric="x",label_a="1",label_b="x\"y"} 1.5"#,
        r#"wasm_guest_counter_total{tenant="t",metric="y",label_a="1",label_b="x\"y"} 3.0"#,
        r#"wasm_guest_gauge{tenant="t",metric="z",label_a="1",label_b="x\"y"} 1e300"#,
    ];
    assert_eq!(guest_lines(&text), expected);
}

#[test]
fn the_buckets_of_a_guest_s_histogram_are_powers_of_ten() {
    let registry = WasmPluginRegistry::new();
    let plugin = emitter(&registry, "p", "t");
    for value in [-5.0, 0.0, 1e-6, 2e-6, 1.0, 10.0, 11.0, 1e9, 1e10, f64::INFINITY] {
        emit(&plugin, &(2, "h".into(), Vec::new(), value));
    }
    let [sample] = &registry.host().metrics("t")[..] else { panic!() };
    assert_eq!(sample.buckets, [3, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(sample.buckets.len(), MetricSample::BUCKET_BOUNDS.len() + 1);
    assert_eq!((sample.value, sample.count), (f64::INFINITY, 10));
    let lines = read(&rendered(&registry));
    let buckets = values(&lines, "wasm_guest_histogram_bucket", "le");
    let told = |at: usize| (buckets[at].0, buckets[at].1);
    assert_eq!([told(0), told(7), told(16)], [("1e-6", 3.0), ("10.0", 6.0), ("+Inf", 10.0)]);
}

#[test]
fn counters_and_gauges_have_no_buckets() {
    let registry = WasmPluginRegistry::new();
    let plugin = emitter(&registry, "p", "t");
    for kind in [0, 1] {
        emit(&plugin, &(kind, "m".into(), Vec::new(), 1.0));
    }
    assert!(registry.host().metrics("t").iter().all(|sample| sample.buckets.is_empty()));
}

#[test]
fn labels_that_prometheus_could_not_tell_apart_are_told_in_one() {
    let registry = WasmPluginRegistry::new();
    let plugin = emitter(&registry, "p", "t");
    let lists: [&[(&str, &str)]; 11] = [
        &[],
        &[("a", "1"), ("b", "2")],
        &[("b", "2"), ("a", "1")],
        &[("a", "1"), ("a", "1")],
        &[("a", "")],
        &[("", "")],
        &[("le", "1")],
        &[("no-name", "1,2=3\\")],
        &[("no-name", "1"), ("2", "3\\")],
        &[("__name__", "x")],
        &[("labels", "a=")],
    ];
    for list in lists {
        emit(&plugin, &(1, "m".into(), pairs(list), 1.0));
    }
    let text = rendered(&registry);
    assert_eq!(read(&text).iter().filter(|line| line.label("metric") == "m").count(), 11);
    let mut told: Vec<_> = guest_lines(&text)
        .into_iter()
        .map(|line| {
            let labels = line.strip_prefix("wasm_guest_gauge{tenant=\"t\",metric=\"m\"").unwrap();
            labels.strip_suffix("} 1.0").unwrap()
        })
        .collect();
    told.sort_unstable();
    let expected = [
        "",
        ",label___name__=\"x\"",
        ",label_a=\"1\",label_b=\"2\"",
        ",label_b=\"2\",label_a=\"1\",order=\"b,a\"",
        ",label_labels=\"a=\"",
        ",label_le=\"1\"",
        ",labels=\"=\"",
        ",labels=\"a=\"",
        ",labels=\"a=1,a=1\"",
        ",labels=\"no-name=1,2=3\\\\\\\\\"",
        ",labels=\"no-name=1\\\\,2\\\\=3\\\\\\\\\"",
    ];
    assert_eq!(told, expected);
}

/// Takes `name=value` pairs apart again, and the backslashes out.
fn split_joined(text: &str) -> Vec<(String, String)> {
    let mut pairs = vec![(String::new(), String::new())];
    let (mut in_value, mut chars) = (false, text.chars());
    while let Some(c) = chars.next() {
        let pair = pairs.last_mut().unwrap();
        let field = if in_value { &mut pair.1 } else { &mut pair.0 };
        match c {
            '\\' => field.push(chars.next().unwrap()),
            '=' if !in_value => in_value = true,
            ',' if in_value => {
                in_value = false;
                pairs.push(Default::default());
            }
            _ => field.push(c),
        }
    }
    pairs
}

/// The guest's labels that a line tells.
fn told_labels(line: &Line) -> Vec<(String, String)> {
    if let Some(joined) = line.labels.get("labels") {
        return split_joined(joined);
    }
    let told = |name: &str, value: &String| {
        name.strip_prefix("label_").map(|name| (name.to_string(), value.clone()))
    };
    let mut pairs: Vec<_> =
        line.labels.iter().filter_map(|(name, value)| told(name, value)).collect();
    if let Some(order) = line.labels.get("order") {
        let place = |name: &str| order.split(',').position(|other| other == name);
        pairs.sort_by_key(|(name, _)| place(name));
    }
    pairs
}

/// Text with everything that means something somewhere.
fn text(len: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let c = prop_oneof![
        4 => prop::sample::select("ab_0\\\"\n,={}# \r\0\t\u{85}\u{2028}é".chars().collect::<Vec<_>>()),
        1 => any::<char>(),
    ];
    prop::collection::vec(c, len).prop_map(|chars| chars.into_iter().collect())
}

fn label_pair() -> impl Strategy<Value = (String, String)> {
    (prop_oneof!["[a-c]", "[a-c]", text(0..3)], prop_oneof!["[12]", text(0..3)])
}

fn value() -> impl Strategy<Value = f64> {
    let special = [f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::MAX, 5e-324, 1e-6, 10.0];
    let any = any::<f64>().prop_filter("a number", |value| !value.is_nan());
    prop_oneof![prop::sample::select(special.to_vec()), any, -100.0..100.0]
}

fn observation() -> impl Strategy<Value = Observation> {
    let name = prop_oneof!["[mn]", text(1..4)];
    (0..3, name, prop::collection::vec(label_pair(), 0..4), value())
}

type Model = BTreeMap<(String, i32, String, Vec<(String, String)>), Vec<f64>>;

/// The value of a line, which `NaN` does not equal.
fn same(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan()
}

/// What a guest's line should say, of the observations of its series.
fn expected_value(line: &Line, values: &[f64]) -> f64 {
    match line.name.as_str() {
        "wasm_guest_gauge" => *values.last().unwrap(),
        "wasm_guest_counter_total" | "wasm_guest_histogram_sum" => {
            values.iter().fold(0.0, |sum, value| sum + value)
        }
        "wasm_guest_histogram_count" => values.len() as f64,
        "wasm_guest_histogram_bucket" => {
            let bound: f64 = line.label("le").parse().unwrap();
            values.iter().filter(|value| **value <= bound).count() as f64
        }
        other => panic!("{other}"),
    }
}

fn check_guests(lines: &[Line], model: &Model) {
    let mut told = BTreeSet::new();
    for line in lines {
        let kind = match line.name.strip_prefix("wasm_guest_").map(|name| &name[..5]) {
            Some("count") => MetricKind::Counter,
            Some("gauge") => MetricKind::Gauge,
            Some(_) => MetricKind::Histogram,
            None => continue,
        } as i32;
        let (tenant, name) = (line.label("tenant").to_string(), line.label("metric").to_string());
        let key = (tenant, kind, name, told_labels(line));
        let values = model.get(&key).unwrap_or_else(|| panic!("{line:?} of {model:?}"));
        assert!(same(line.value, expected_value(line, values)), "{line:?}: {values:?}");
        told.insert(key);
    }
    assert_eq!(told.len(), model.len(), "every series is there");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_tenants_plugins_and_guests_are_called_reads_back_as_it_was_put_in(
        plugins in prop::collection::btree_map(text(1..5), text(1..3), 1..4),
        observations in prop::collection::vec((any::<prop::sample::Index>(), observation()), 0..20),
    ) {
        let registry = WasmPluginRegistry::new();
        let plugins: Vec<_> =
            plugins.iter().map(|(name, tenant)| emitter(&registry, name, tenant)).collect();
        let mut model = Model::new();
        for (index, observation) in observations {
            let plugin = index.get(&plugins);
            emit(plugin, &observation);
            let (kind, name, labels, value) = observation;
            model.entry((plugin.tenant().into(), kind, name, labels)).or_default().push(value);
        }
        let text = rendered(&registry);
        let lines = read(&text);
        check_guests(&lines, &model);
        let calls = lines.iter().filter(|line| line.name == "wasm_plugin_calls_total");
        let told: Vec<_> =
            calls.map(|line| (line.label("tenant"), line.label("plugin"), line.value)).collect();
        let expected: Vec<_> = plugins
            .iter()
            .map(|plugin| (plugin.tenant(), plugin.name(), plugin.stats().total_calls as f64))
            .collect();
        prop_assert_eq!(told, expected);
        prop_assert_eq!(rendered(&registry), text, "the same each time");
    }
}

#[test]
fn a_module_and_function_of_any_name_stand_in_labels() {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    for module in ["a\"b", "a\\b"] {
        let cost = HostCost::default();
        let ok = |_call: &mut HostCall<'_, EmbeddedHost>| Ok(1_i32);
        table.define(module, "f\n", Grant::Always, cost, ok).unwrap();
    }
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let wasm = wat(r#"(module (import "a\"b" "f\n" (func $f (result i32)))
        (import "a\\b" "f\n" (func $g (result i32)))
        (func (export "run") (result i32) (i32.add (call $f) (call $g))))"#);
    registry.load("p", &wasm, of("t")).unwrap();
    assert_eq!(call_i32(&registry.get("p").unwrap(), "run", &[]).unwrap(), 2);
    let lines = read(&rendered(&registry));
    let denials = values(&lines, "wasm_plugin_host_call_denials_total", "module");
    assert_eq!(denials, [("a\"b", 0.0), ("a\\b", 0.0)]);
}

#[test]
fn what_each_tenant_holds_stands_there_as_its_usage_says() {
    let registry = WasmPluginRegistry::new();
    for (name, tenant) in [("one", "acme"), ("two", "acme"), ("three", "zenith")] {
        registry.load(name, &fixture("counter"), of(tenant)).unwrap();
    }
    let rate = wasm_runtime::FuelRate { per_second: 1, burst: 5_000 };
    let quota = wasm_runtime::TenantQuota { fuel_rate: Some(rate), ..Default::default() };
    registry.tenant("zenith").quota(quota).unwrap();
    let lines = read(&rendered(&registry));
    let usage = ["acme", "zenith"].map(|tenant| registry.tenant(tenant).usage());
    let expected = |value: fn(&wasm_runtime::TenantUsage) -> u64| {
        [("acme", value(&usage[0]) as f64), ("zenith", value(&usage[1]) as f64)]
    };
    let told = |name: &str| values(&lines, name, "tenant");
    assert_eq!(told("wasm_tenant_plugins"), [("acme", 2.0), ("zenith", 1.0)]);
    assert_eq!(told("wasm_tenant_sandboxes"), expected(|usage| usage.sandboxes));
    assert_eq!(told("wasm_tenant_memory_bytes"), expected(|usage| usage.memory_bytes));
    assert_eq!(told("wasm_tenant_table_elements"), expected(|usage| usage.table_elements));
    assert_eq!(told("wasm_tenant_heap_bytes"), expected(|usage| usage.heap_bytes));
    assert_eq!(told("wasm_tenant_stored_rows"), expected(|usage| usage.stored_rows));
    assert_eq!(told("wasm_tenant_stored_bytes"), expected(|usage| usage.stored_bytes));
    assert_eq!(told("wasm_tenant_fuel_left"), [("zenith", 5_000.0)]);
}
