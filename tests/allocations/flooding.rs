//! A guest that emits metrics or writes rows without measure leaves the host's memory bounded.

use crate::{
    heap::live_bytes,
    support::{config, fixture, load},
};
use wasm_runtime::{
    EmbeddedHost, HostQuota, MetricSample, WasmInstanceConfig, WasmPluginInstance,
    WasmPluginRegistry, WasmValue,
};

fn of(tenant: &str) -> WasmInstanceConfig {
    WasmInstanceConfig { tenant: tenant.into(), ..config() }
}

fn emit(plugin: &WasmPluginInstance, function: &str, count: i32) -> i32 {
    plugin.call(function, &[WasmValue::I32(count)]).unwrap()[0].as_i32().unwrap()
}

/// The series without what was observed since.
fn names(samples: &[MetricSample]) -> Vec<(&str, &[(String, String)])> {
    samples.iter().map(|sample| (sample.name.as_str(), &sample.labels[..])).collect()
}

#[test]
fn a_flood_of_a_hundred_thousand_metrics_is_refused_from_the_257th_on_and_takes_no_more_memory() {
    let registry = WasmPluginRegistry::new();
    let wasm = fixture("misbehaving/metric_flood");
    let innocent = load(&registry, "innocent", &wasm, of("innocent"));
    let flooder = load(&registry, "flooder", &wasm, of("flooder"));
    assert_eq!((emit(&innocent, "flood", 3), emit(&innocent, "labels", 2)), (0, 0));
    assert_eq!(emit(&flooder, "labels", 10), 0);
    let metrics = |tenant: &str| registry.host().metrics(tenant);
    let (others, own) = (metrics("innocent"), metrics("flooder"));
    assert_eq!((others.len(), own.len()), (5, 10));

    let before = live_bytes();
    assert_eq!(emit(&flooder, "flood", 50_000), 50_000 - 246);
    let after_half = live_bytes();
    assert_eq!(emit(&flooder, "flood", 100_000), 100_000 - 246);
    let after_all = live_bytes();
    assert_eq!(emit(&flooder, "labels", 100_000), 100_000 - 10);
    assert_eq!((after_all - after_half, live_bytes() - after_all), (0, 0));
    // 246 series, a third of them with 17 buckets.
    assert!(after_half - before < 64 << 10, "{} bytes", after_half - before);

    assert_eq!(metrics("innocent"), others);
    let flooded = metrics("flooder");
    assert_eq!(flooded.len(), 256);
    let counters: Vec<_> =
        flooded.iter().filter(|sample| sample.name == "flooded").cloned().collect();
    assert_eq!(names(&counters), names(&own));
    // One of the ten was emitted twice, before and after the flood; nothing else touched them.
    assert!(counters.iter().all(|sample| (sample.value, sample.count) == (2.0, 2)));
    assert_eq!(emit(&innocent, "flood", 3), 0, "another tenant has room");
}

#[test]
fn rows_that_were_long_once_take_no_more_memory_than_the_quota_allows() {
    let quota = HostQuota { max_bytes: 1 << 20, ..HostQuota::default() };
    let host = EmbeddedHost::with_quota(quota);
    let long = vec![7; 1_000_000];
    let before = live_bytes();
    for row in 0..50_u64 {
        for value in [&long[..], &[]] {
            host.put("tenant", "table", &row.to_be_bytes(), value).unwrap();
        }
    }
    let kept = live_bytes() - before;
    assert!(kept < 64 << 10, "{kept} bytes for 50 empty rows");
}
