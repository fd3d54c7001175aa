//! `get_config`.

use crate::{
    probe::{OUT, Probe, ordinary},
    support::{config, fixture},
};
use wasm_runtime::{
    ErrorKind, Host, HostCall, HostError, Output, WasmInstanceConfig, WasmPluginCapabilities,
    WasmPluginRegistry,
};

fn get<H: Host>(probe: &Probe<H>, key: &str, cap: i32) -> i32 {
    let (key, len) = probe.put(2048, key.as_bytes());
    probe.call("get_config", &[key, len, OUT.0, cap])
}

fn with_settings(settings: &[(&str, &str)]) -> WasmInstanceConfig {
    let settings = settings.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    WasmInstanceConfig { settings, ..ordinary() }
}

#[test]
fn the_minor_version_of_the_abi_is_always_there() {
    let nothing_granted =
        WasmInstanceConfig { max_instances: 1, ..config(WasmPluginCapabilities::default()) };
    let probe = Probe::with(nothing_granted);
    assert_eq!(get(&probe, "soch.abi", 64), 1);
    assert!(probe.bytes((OUT.0, 1))[0].is_ascii_digit());
}

#[test]
fn a_setting_answers_its_full_length_and_is_written_only_if_it_fits() {
    let probe = Probe::with(with_settings(&[("color", "blue"), ("empty", "")]));
    probe.put(OUT.0, &[0xaa; 64]);
    for cap in [0, 3] {
        assert_eq!(get(&probe, "color", cap), 4);
        assert_eq!(probe.bytes((OUT.0, 5)), [0xaa; 5]);
    }
    assert_eq!(get(&probe, "color", 4), 4);
    assert_eq!(probe.bytes((OUT.0, 5)), b"blue\xaa");
    assert_eq!(get(&probe, "empty", 64), 0);
}

#[test]
fn an_unknown_setting_is_not_found_and_neither_is_one_of_ours() {
    let probe = Probe::with(with_settings(&[("color", "blue")]));
    for key in ["colour", "colo", "COLOR", "soch.", "soch.other", "soch.abi2"] {
        assert_eq!(get(&probe, key, 64), -2, "{key}");
    }
}

#[test]
fn a_setting_that_begins_like_ours_is_refused_at_load() {
    let registry = WasmPluginRegistry::new();
    let error = registry.load("p", &fixture("abi_probe"), with_settings(&[("soch.abi", "9")]));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Refused);
}

struct Defaults;

impl Host for Defaults {
    fn setting(
        &self,
        call: &mut HostCall<'_, Self>,
        name: &str,
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        match name {
            "color" => out.write_value(call, b"host's"),
            "size" => out.write_value(call, call.tenant().to_string().as_bytes()),
            "soch.abi" | "soch.size" => Err(HostError::Abort("these are the library's")),
            _ => Err(HostError::NotFound),
        }
    }
}

#[test]
fn a_setting_is_looked_for_in_the_library_then_the_configuration_then_the_host() {
    let registry = WasmPluginRegistry::with_host(Defaults);
    let probe = Probe::on(registry, with_settings(&[("color", "blue")]));
    assert_eq!(get(&probe, "color", 64), 4);
    assert_eq!(get(&probe, "size", 64), 7);
    assert_eq!(probe.bytes((OUT.0, 7)), b"default");
    assert_eq!(get(&probe, "other", 64), -2);
    assert_eq!(get(&probe, "soch.abi", 64), 1);
    assert_eq!(get(&probe, "soch.size", 64), -2);
}
