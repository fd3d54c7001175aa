//! `soch_read`, `soch_write`, `soch_delete`.

use crate::{
    probe::{KEY, OUT, Probe, TABLE, VALUE, ordinary},
    support::{config, fixture},
};
use wasm_runtime::{EmbeddedHost, HostQuota, WasmPluginCapabilities, WasmPluginRegistry};

fn read(probe: &Probe, (key, key_len): (i32, i32), cap: i32) -> i32 {
    probe.call("soch_read", &[TABLE.0, TABLE.1, key, key_len, OUT.0, cap])
}

fn write(probe: &Probe, (key, key_len): (i32, i32), (value, value_len): (i32, i32)) -> i32 {
    probe.call("soch_write", &[TABLE.0, TABLE.1, key, key_len, value, value_len])
}

fn delete(probe: &Probe, (key, key_len): (i32, i32)) -> i32 {
    probe.call("soch_delete", &[TABLE.0, TABLE.1, key, key_len])
}

#[test]
fn reading_a_row_writes_it_and_answers_its_length() {
    let probe = Probe::new();
    probe.put_row();
    probe.put(OUT.0, &[0xaa; 64]);
    assert_eq!(read(&probe, KEY, 64), 3);
    assert_eq!(probe.bytes((OUT.0, 5)), b"row\xaa\xaa");
}

#[test]
fn a_value_that_does_not_fit_is_not_written_but_its_full_length_is_answered() {
    let probe = Probe::new();
    probe.put_row();
    probe.put(OUT.0, &[0xaa; 64]);
    for cap in [0, 1, 2] {
        assert_eq!(read(&probe, KEY, cap), 3);
        assert_eq!(probe.bytes((OUT.0, 4)), [0xaa; 4]);
    }
    assert_eq!(read(&probe, KEY, 3), 3);
    assert_eq!(probe.bytes((OUT.0, 4)), b"row\xaa");
}

#[test]
fn an_absent_row_is_not_found_and_neither_is_one_of_an_absent_table() {
    let probe = Probe::new();
    assert_eq!(read(&probe, KEY, 64), -2);
    assert_eq!(delete(&probe, KEY), -2);
    probe.put_row();
    let other = probe.put(2048, b"kez");
    assert_eq!(read(&probe, other, 64), -2);
    assert_eq!(delete(&probe, other), -2);
    assert_eq!(read(&probe, KEY, 64), 3);
}

#[test]
fn writing_answers_whether_it_replaced_a_row() {
    let probe = Probe::new();
    assert_eq!(write(&probe, KEY, VALUE), 0);
    let longer = probe.put(2048, b"another value");
    assert_eq!(write(&probe, KEY, longer), 1);
    let kept = probe.registry.host().get("default", "users", b"key");
    assert_eq!(kept.as_deref(), Some(&b"another value"[..]));
}

#[test]
fn deleting_answers_one_and_the_row_is_gone() {
    let probe = Probe::new();
    probe.put_row();
    assert_eq!(delete(&probe, KEY), 1);
    assert_eq!(delete(&probe, KEY), -2);
    assert_eq!(probe.registry.host().get("default", "users", b"key"), None);
}

#[test]
fn an_empty_key_and_an_empty_value_are_a_row_like_any_other() {
    let probe = Probe::new();
    let (empty, value) = ((KEY.0, 0), VALUE);
    assert_eq!(write(&probe, empty, value), 0);
    assert_eq!(read(&probe, empty, 64), 4);
    assert_eq!(write(&probe, empty, (VALUE.0, 0)), 1);
    assert_eq!(read(&probe, empty, 64), 0);
    assert_eq!(probe.registry.host().get("default", "users", b""), Some(vec![]));
    assert_eq!(delete(&probe, empty), 1);
}

#[test]
fn a_key_has_up_to_4_kib() {
    let probe = Probe::new();
    let longest = probe.put(16_384, &[7; 4096]);
    assert_eq!(write(&probe, longest, VALUE), 0);
    assert_eq!(read(&probe, longest, 64), 4);
    assert_eq!(
        probe.call("soch_scan", &[TABLE.0, TABLE.1, longest.0, 4096, 1, 32_768, 8_192]),
        4096 + 4 + 8
    );
    assert_eq!(delete(&probe, longest), 1);

    let longer = probe.put(16_384, &[7; 4097]);
    assert_eq!(write(&probe, longer, VALUE), -3);
    assert_eq!(read(&probe, longer, 64), -3);
    assert_eq!(probe.call("soch_scan", &[TABLE.0, TABLE.1, longer.0, 4097, 1, 32_768, 8_192]), -3);
    assert_eq!(delete(&probe, longer), -3);
    assert_eq!(probe.registry.host().scan("default", "users", b"", 9), []);
}

#[test]
fn a_write_over_a_quota_answers_minus_5_and_changes_nothing() {
    let quotas = [
        HostQuota { max_bytes: 9, ..HostQuota::default() },
        HostQuota { max_rows: 1, ..HostQuota::default() },
        HostQuota { max_tables: 1, ..HostQuota::default() },
    ];
    for (quota, table) in quotas.iter().zip(["users", "users", "other"]) {
        let host = EmbeddedHost::with_quota(*quota);
        host.put("default", table, b"a", b"b").unwrap();
        if table == "users" {
            // A row of seven bytes replaces itself within every quota.
            host.delete("default", table, b"a");
            host.put("default", table, b"key", b"row!").unwrap();
        }
        let probe = Probe::on(WasmPluginRegistry::with_host(host), ordinary());
        let before = probe.registry.host().scan("default", table, b"", 9);
        let other = probe.put(2048, b"kez");
        assert_eq!(write(&probe, other, VALUE), -5, "{quota:?}");
        assert_eq!(probe.registry.host().scan("default", table, b"", 9), before);
        assert_eq!(probe.registry.host().get("default", "users", b"kez"), None);
    }
}

#[test]
fn without_the_grant_nothing_is_read_written_or_deleted() {
    let probe = Probe::with(wasm_runtime::WasmInstanceConfig {
        max_instances: 1,
        ..config(WasmPluginCapabilities::default())
    });
    probe.put_row();
    probe.put(OUT.0, &[0xaa; 64]);
    assert_eq!(read(&probe, KEY, 64), -1);
    assert_eq!(probe.call("soch_scan", &[256, 5, 0, 0, 10, OUT.0, OUT.1]), -1);
    assert_eq!(write(&probe, KEY, VALUE), -1);
    assert_eq!(delete(&probe, KEY), -1);
    assert_eq!(probe.bytes((OUT.0, 64)), [0xaa; 64]);
    assert_eq!(probe.registry.host().get("default", "users", b"key"), Some(b"row".to_vec()));
}

#[test]
fn a_plugin_that_reads_a_table_through_the_host_computes_on_its_rows() {
    let registry = WasmPluginRegistry::new();
    registry.load("sum", &fixture("aggregate"), ordinary()).unwrap();
    for (key, value) in [("a", "15"), ("b", "2"), ("c", "-7")] {
        registry.host().put("default", "prices", key.as_bytes(), value.as_bytes()).unwrap();
    }
    let answer = registry.get("sum").unwrap().call_bytes("sum", b"prices").unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), "count=3 sum=10 min=-7 max=15");
}
