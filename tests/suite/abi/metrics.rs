//! `emit_metric`.

use crate::probe::{LABELS, Probe, TABLE, ordinary};
use std::sync::Arc;
use wasm_runtime::{
    EmbeddedHost, HostQuota, MetricKind, MetricSample, WasmInstanceConfig, WasmPluginRegistry,
    WasmValue,
};

const NO_LABELS: (i32, i32) = (0, 0);

fn emit(
    probe: &Probe,
    kind: i32,
    (name, name_len): (i32, i32),
    value: f64,
    (labels, labels_len): (i32, i32),
) -> i32 {
    let [kind, name, name_len, labels, labels_len] =
        [kind, name, name_len, labels, labels_len].map(WasmValue::I32);
    let args = [kind, name, name_len, WasmValue::F64(value), labels, labels_len];
    probe.call_values("emit_metric", &args).unwrap()
}

fn samples(probe: &Probe) -> Vec<MetricSample> {
    probe.registry.host().metrics("default")
}

#[test]
fn each_kind_of_metric_is_taken_in_as_its_kind() {
    let probe = Probe::new();
    for kind in [0, 1, 2] {
        for value in [1.5, 2.0] {
            assert_eq!(emit(&probe, kind, TABLE, value, LABELS), 0);
        }
    }
    let found = samples(&probe);
    let values: Vec<_> = found.iter().map(|s| (s.kind, s.value, s.count)).collect();
    assert_eq!(
        values,
        [
            (MetricKind::Counter, 3.5, 2),
            (MetricKind::Gauge, 2.0, 2),
            (MetricKind::Histogram, 3.5, 2)
        ]
    );
    for sample in found {
        assert_eq!(sample.name, "users");
        assert_eq!(sample.labels, [("a".to_string(), "b".to_string())]);
    }
}

#[test]
fn a_kind_that_does_not_exist_is_invalid() {
    let probe = Probe::new();
    for kind in [3, 4, -1, i32::MIN, i32::MAX] {
        assert_eq!(emit(&probe, kind, TABLE, 1.0, NO_LABELS), -3);
    }
    assert_eq!(samples(&probe), []);
}

#[test]
fn a_value_is_any_number_but_not_nan() {
    let probe = Probe::new();
    for kind in [0, 1, 2] {
        assert_eq!(emit(&probe, kind, TABLE, f64::NAN, NO_LABELS), -3);
        assert_eq!(emit(&probe, kind, TABLE, -f64::NAN, NO_LABELS), -3);
    }
    assert_eq!(samples(&probe), []);
    for value in [0.0, -1.0, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(emit(&probe, 1, TABLE, value, NO_LABELS), 0);
        assert_eq!(samples(&probe)[0].value, value);
    }
}

#[test]
fn labels_are_whole_pairs_of_utf_8_fields() {
    let probe = Probe::new();
    let malformed: [&[u8]; 8] = [
        b"\x01",
        b"\x01\0\0\0",
        b"\x01\0\0\0a",
        b"\x01\0\0\0a\x01\0\0",
        b"\x01\0\0\0a\x01\0\0\0",
        b"\x01\0\0\0a\x01\0\0\0bc",
        b"\x01\0\0\0\xff\x01\0\0\0b",
        b"\xff\xff\xff\xffa\x01\0\0\0b",
    ];
    for labels in malformed {
        assert_eq!(emit(&probe, 0, TABLE, 1.0, probe.put(2048, labels)), -3, "{labels:?}");
    }
    assert_eq!(samples(&probe), []);
    let two = probe.put(2048, b"\x01\0\0\0a\x01\0\0\0b\0\0\0\0\x02\0\0\0\xc3\xbc");
    assert_eq!(emit(&probe, 0, TABLE, 1.0, two), 0);
    let expected = [("a".to_string(), "b".to_string()), (String::new(), "ü".to_string())];
    assert_eq!(samples(&probe)[0].labels, expected);
}

#[test]
fn a_tenant_has_256_series_and_one_more_answers_minus_5() {
    let probe = Probe::new();
    let name = |i: i32| probe.put(2048, format!("m{i}").as_bytes());
    for i in 0..256 {
        assert_eq!(emit(&probe, 0, name(i), 1.0, NO_LABELS), 0);
    }
    assert_eq!(emit(&probe, 0, name(256), 1.0, NO_LABELS), -5);
    // The same name with labels, or of another kind, would be a further series.
    assert_eq!(emit(&probe, 0, name(0), 1.0, LABELS), -5);
    assert_eq!(emit(&probe, 1, name(0), 1.0, NO_LABELS), -5);
    assert_eq!(emit(&probe, 0, name(0), 1.0, NO_LABELS), 0);
    assert_eq!(samples(&probe).len(), 256);
}

#[test]
fn series_are_counted_for_each_tenant_apart() {
    let quota = HostQuota { max_series: 1, ..HostQuota::default() };
    let registry = Arc::new(WasmPluginRegistry::with_host(EmbeddedHost::with_quota(quota)));
    let of = |tenant: &str| WasmInstanceConfig { tenant: tenant.into(), ..ordinary() };
    let probe = Probe::beside(&registry, "first", of("one"));
    let two = Probe::beside(&registry, "second", of("two"));
    let other_name = two.put(2048, b"b");
    assert_eq!(emit(&probe, 0, TABLE, 1.0, NO_LABELS), 0);
    assert_eq!(emit(&two, 0, other_name, 1.0, NO_LABELS), 0);
    assert_eq!(emit(&two, 0, two.put(2048, b"c"), 1.0, NO_LABELS), -5);
    let names = |tenant: &str| {
        let samples = registry.host().metrics(tenant);
        samples.into_iter().map(|sample| sample.name).collect::<Vec<_>>()
    };
    assert_eq!((names("one"), names("two")), (vec!["users".into()], vec!["b".into()]));
}
