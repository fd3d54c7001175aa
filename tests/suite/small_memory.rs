//! A plugin built for a memory of 2 KiB: the C guest `rate_limiter`.

use crate::support::{all_granted, call_i32, config, fixture, load};
use std::sync::Arc;
use wasm_runtime::{
    ModuleLimits, WasmInstanceConfig, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

/// A stack of 256 bytes is enough for it.
fn tenant(settings: &[(&str, &str)]) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let config = WasmInstanceConfig {
        max_instances: 1,
        settings: settings.collect(),
        limits: ModuleLimits {
            min_stack_bytes: 256,
            max_stack_bytes: 256,
            max_recursion_depth: 8,
            ..ModuleLimits::default()
        },
        ..config(all_granted())
    };
    load(&fixture("rate_limiter"), config)
}

/// How many of ten calls at once may go on.
fn allowed(plugin: &WasmPluginInstance, client: i32, now_ms: i32) -> i32 {
    (0..10).map(|_| call_i32(plugin, "allow", &[client, now_ms]).unwrap()).sum()
}

#[test]
fn a_rate_limiter_in_two_kibibytes_lets_bursts_through_and_fills_with_time() {
    let (registry, plugin) = tenant(&[("rate", "2"), ("burst", "4")]);
    assert_eq!(allowed(&plugin, 7, 0), 4);
    assert_eq!(allowed(&plugin, 8, 0), 4, "another client");
    assert_eq!(allowed(&plugin, 7, 999), 1);
    assert_eq!(allowed(&plugin, 7, 1_000), 1);
    assert_eq!(allowed(&plugin, 7, 1_000_000), 4);
    // Milliseconds wrap around, as they do in a device that runs for seven weeks.
    assert_eq!(allowed(&plugin, 8, -1_500), 4);
    assert_eq!(allowed(&plugin, 8, 500), 4);
    let limited = &registry.host().metrics("default")[0];
    assert_eq!((limited.name.as_str(), limited.value), ("calls_limited", 48.0));
}

#[test]
fn settings_that_are_no_numbers_leave_the_limiter_at_its_defaults() {
    for (settings, burst) in [
        (&[][..], 5),
        (&[("burst", "many"), ("rate", "1")], 5),
        (&[("burst", "123456789"), ("rate", "")], 5),
        (&[("burst", "0")], 5),
        (&[("burst", "6")], 6),
    ] {
        let (_registry, plugin) = tenant(settings);
        assert_eq!(allowed(&plugin, 1, 0), burst, "{settings:?}");
    }
}

#[test]
fn a_hundred_clients_fit_into_two_kibibytes_and_one_more_only_in_place_of_an_idle_one() {
    let (_registry, plugin) = tenant(&[]);
    for client in 0..100 {
        assert_eq!(call_i32(&plugin, "allow", &[client, client]).unwrap(), 1);
    }
    assert_eq!(call_i32(&plugin, "allow", &[100, 59_999]).unwrap(), -1);
    assert_eq!(call_i32(&plugin, "allow", &[100, 60_000]).unwrap(), 1);
    assert_eq!(call_i32(&plugin, "allow", &[101, 60_000]).unwrap(), -1);
}

#[test]
fn its_memory_is_as_large_as_it_was_built_for_and_stays_so() {
    let (registry, plugin) = tenant(&[]);
    plugin.call("allow", &[WasmValue::I32(1), WasmValue::I32(1)]).unwrap();
    assert_eq!(plugin.stats().peak_memory_bytes, 2_048);
    assert_eq!(registry.usage().memory_bytes, 2_048);
    let mut lease = plugin.lease().unwrap();
    assert_eq!(lease.memory_bytes("memory"), Some(2_048));
    assert!(lease.grow("memory", 1).is_err());
    let report = registry.admit(&fixture("rate_limiter"), plugin.config());
    assert!(report.proposals.contains(&"custom-page-sizes"), "{report:?}");
}
