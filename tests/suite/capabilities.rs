//! Grants: what a plugin may name, what happens if it names something else, and tenants.

use crate::{
    probe::{FUNCTIONS, KEY, OUT, Probe, VALUE, ordinary},
    support::{all_granted, call_i32, config, fixture, load},
};
use std::sync::Arc;
use wasm_runtime::{
    DenyPolicy, ErrorKind, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry,
    WasmPluginState,
};

fn single(capabilities: WasmPluginCapabilities) -> WasmInstanceConfig {
    WasmInstanceConfig { max_instances: 1, ..config(capabilities) }
}

fn readable(grants: &[&str]) -> WasmPluginCapabilities {
    let can_read_table = grants.iter().map(ToString::to_string).collect();
    WasmPluginCapabilities { can_read_table, ..WasmPluginCapabilities::default() }
}

fn writable(grants: &[&str]) -> WasmPluginCapabilities {
    let can_write_table = grants.iter().map(ToString::to_string).collect();
    WasmPluginCapabilities { can_write_table, ..WasmPluginCapabilities::default() }
}

fn callable(grants: &[&str]) -> WasmPluginCapabilities {
    let can_call_plugin = grants.iter().map(ToString::to_string).collect();
    WasmPluginCapabilities { can_call_plugin, ..WasmPluginCapabilities::default() }
}

fn read(probe: &Probe, table: &str) -> i32 {
    let (table, len) = probe.put(2048, table.as_bytes());
    probe.call("soch_read", &[table, len, KEY.0, KEY.1, OUT.0, OUT.1])
}

fn scan(probe: &Probe, table: &str) -> i32 {
    let (table, len) = probe.put(2048, table.as_bytes());
    probe.call("soch_scan", &[table, len, 0, 0, 10, OUT.0, OUT.1])
}

fn write(probe: &Probe, table: &str) -> i32 {
    let (table, len) = probe.put(2048, table.as_bytes());
    probe.call("soch_write", &[table, len, KEY.0, KEY.1, VALUE.0, VALUE.1])
}

fn delete(probe: &Probe, table: &str) -> i32 {
    let (table, len) = probe.put(2048, table.as_bytes());
    probe.call("soch_delete", &[table, len, KEY.0, KEY.1])
}

fn call(probe: &Probe, plugin: &str) -> i32 {
    let (plugin, len) = probe.put(2048, plugin.as_bytes());
    probe.call("call_plugin", &[plugin, len, VALUE.0, VALUE.1, 0, 0, OUT.0, OUT.1])
}

const GRANTS: [(&[&str], &[&str], &[&str]); 6] = [
    // Grants, what they cover, what they do not.
    (&[], &[], &["users", "*"]),
    (&["users"], &["users"], &["user", "users2", "Users", "*", "users*"]),
    (&["users_*"], &["users_", "users_eu", "users_*"], &["users", "user_eu", "xusers_eu"]),
    (&["*"], &["users", "*", "\u{fc}", "a b"], &[]),
    (&["a", "b*"], &["a", "b", "bc"], &["ab", "c"]),
    (&["us*rs"], &["us*rs"], &["users", "us*rs2"]),
];

#[test]
fn a_grant_to_read_covers_a_name_a_prefix_or_all() {
    for (grants, covered, others) in GRANTS {
        let probe = Probe::with(single(readable(grants)));
        for table in covered {
            assert_eq!((read(&probe, table), scan(&probe, table)), (-2, 0), "{grants:?} {table}");
        }
        for table in others {
            assert_eq!((read(&probe, table), scan(&probe, table)), (-1, -1), "{grants:?} {table}");
        }
    }
}

#[test]
fn a_grant_to_write_covers_a_name_a_prefix_or_all() {
    for (grants, covered, others) in GRANTS {
        let probe = Probe::with(single(writable(grants)));
        for table in covered {
            assert_eq!((write(&probe, table), delete(&probe, table)), (0, 1), "{grants:?} {table}");
        }
        for table in others {
            let answers = (write(&probe, table), delete(&probe, table));
            assert_eq!(answers, (-1, -1), "{grants:?} {table}");
        }
    }
}

#[test]
fn a_grant_to_call_covers_a_name_a_prefix_or_all() {
    for (grants, covered, others) in GRANTS {
        let probe = Probe::with(single(callable(grants)));
        for plugin in covered {
            assert_eq!(call(&probe, plugin), -2, "{grants:?} {plugin}");
        }
        for plugin in others {
            assert_eq!(call(&probe, plugin), -1, "{grants:?} {plugin}");
        }
    }
}

#[test]
fn a_grant_to_read_is_none_to_write_and_the_other_way_round() {
    let reader = Probe::with(single(readable(&["*"])));
    reader.put_row();
    assert_eq!((read(&reader, "users"), scan(&reader, "users")), (3, 14));
    assert_eq!((write(&reader, "users"), delete(&reader, "users")), (-1, -1));
    assert_eq!(call(&reader, "echo"), -1);
    let writer = Probe::with(single(writable(&["*"])));
    assert_eq!((write(&writer, "users"), delete(&writer, "users")), (0, 1));
    assert_eq!((read(&writer, "users"), scan(&writer, "users")), (-1, -1));
    assert_eq!(call(&writer, "echo"), -1);
}

#[test]
fn metrics_log_and_settings_need_no_grant() {
    let probe = Probe::with(WasmInstanceConfig {
        capabilities: WasmPluginCapabilities::observability_only(),
        ..ordinary()
    });
    for function in &FUNCTIONS {
        let free = ["emit_metric", "log_message", "get_config", "last_answer"];
        let expected = if free.contains(&function.name) { function.answer } else { -1 };
        assert_eq!(probe.run(function, function.pairs), expected, "{}", function.name);
    }
}

#[test]
fn read_only_capabilities_read_their_tables_and_write_none() {
    let capabilities = WasmPluginCapabilities::read_only(vec!["users".into()]);
    let probe = Probe::with(single(capabilities));
    probe.put_row();
    assert_eq!((read(&probe, "users"), read(&probe, "others")), (3, -1));
    assert_eq!((write(&probe, "users"), delete(&probe, "users")), (-1, -1));
}

#[test]
fn a_plugin_that_goes_for_a_table_it_was_not_granted_gets_nothing() {
    let near_misses = WasmPluginCapabilities {
        can_read_table: vec!["secre".into(), "secret2".into(), "secret_*".into()],
        can_write_table: vec!["Secret".into(), "ecret".into()],
        ..WasmPluginCapabilities::default()
    };
    let (registry, plugin) = load(&fixture("misbehaving/forbidden_table"), single(near_misses));
    registry.host().put("default", "secret", b"key", b"treasure").unwrap();
    for function in ["read", "scan", "write", "delete"] {
        assert_eq!(call_i32(&plugin, function, &[]).unwrap(), -1, "{function}");
    }
    assert_eq!(call_i32(&plugin, "leaked", &[]).unwrap(), 0);
    assert_eq!(registry.host().get("default", "secret", b"key"), Some(b"treasure".to_vec()));
    assert_eq!(plugin.stats().denied_host_calls, 4);
    assert_eq!(plugin.stats().trap_count, 0);
    for stats in plugin.host_function_stats() {
        assert_eq!((stats.calls, stats.denials, stats.errors), (1, 1, 0), "{}", stats.name);
    }
}

#[test]
fn a_denied_call_ends_the_guest_s_call_if_the_configuration_says_so() {
    let trapping = WasmInstanceConfig {
        on_denied: DenyPolicy::Trap,
        ..single(WasmPluginCapabilities::default())
    };
    let grants = [
        ("soch_read", "can_read_table"),
        ("soch_scan", "can_read_table"),
        ("soch_write", "can_write_table"),
        ("soch_delete", "can_write_table"),
        ("call_plugin", "can_call_plugin"),
    ];
    for (name, grant) in grants {
        let probe = Probe::with(trapping.clone());
        let function = FUNCTIONS.iter().find(|function| function.name == name).unwrap();
        let error = probe.call_values(name, &function.args(function.pairs)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        let text = error.to_string();
        for named in [name, grant, "soch_v1", "probe", &format!("call_{name}")] {
            assert!(text.contains(named), "{text} does not name {named}");
        }
        assert_eq!(probe.plugin.stats().trap_count, 1);
        assert_eq!(probe.plugin.stats().denied_host_calls, 1);
        assert_eq!(probe.plugin.state(), WasmPluginState::Trapped);
        // The next call runs, in a fresh sandbox.
        assert_eq!(probe.call("log_message", &[1, VALUE.0, 0]), 0);
        assert_eq!(probe.bytes((VALUE.0, 4)), [0; 4]);
    }
}

#[test]
fn a_policy_that_traps_leaves_granted_and_invalid_calls_alone() {
    let config = WasmInstanceConfig { on_denied: DenyPolicy::Trap, ..single(all_granted()) };
    let probe = Probe::with(config);
    probe.put_row();
    assert_eq!(read(&probe, "users"), 3);
    assert_eq!(read(&probe, "nobody"), -2);
    assert_eq!(read(&probe, ""), -3);
    assert_eq!(probe.plugin.stats().trap_count, 0);
}

fn two_tenants() -> (Arc<WasmPluginRegistry>, Probe, Probe) {
    let registry = Arc::new(WasmPluginRegistry::new());
    let of = |tenant: &str| WasmInstanceConfig {
        tenant: tenant.into(),
        settings: vec![(format!("only_{tenant}"), "yes".into()), ("both".into(), tenant.into())],
        ..ordinary()
    };
    let one = Probe::beside(&registry, "probe_one", of("one"));
    let two = Probe::beside(&registry, "probe_two", of("two"));
    (registry, one, two)
}

#[test]
fn a_tenant_sees_its_own_tables_only() {
    let (registry, one, two) = two_tenants();
    assert_eq!(write(&one, "users"), 0);
    assert_eq!((read(&one, "users"), read(&two, "users")), (4, -2));
    assert_eq!((scan(&one, "users"), scan(&two, "users")), (15, 0));
    assert_eq!(delete(&two, "users"), -2);
    assert_eq!(write(&two, "users"), 0);
    assert_eq!(delete(&two, "users"), 1);
    assert_eq!(registry.host().get("one", "users", b"key"), Some(b"row!".to_vec()));
    assert_eq!(registry.host().get("two", "users", b"key"), None);
    assert_eq!(registry.host().get("default", "users", b"key"), None);
}

#[test]
fn a_plugin_sees_its_own_settings_only() {
    let (_registry, one, two) = two_tenants();
    let setting = |probe: &Probe, name: &str| {
        let (name, len) = probe.put(2048, name.as_bytes());
        let len = probe.call("get_config", &[name, len, OUT.0, OUT.1]);
        (len >= 0).then(|| String::from_utf8(probe.bytes((OUT.0, len))).unwrap())
    };
    assert_eq!(setting(&one, "both").as_deref(), Some("one"));
    assert_eq!(setting(&two, "both").as_deref(), Some("two"));
    assert_eq!(setting(&one, "only_one").as_deref(), Some("yes"));
    assert_eq!(setting(&one, "only_two"), None);
    assert_eq!(setting(&two, "only_one"), None);
}

#[test]
fn a_plugin_of_another_tenant_does_not_exist() {
    let (registry, one, two) = two_tenants();
    let echo = |tenant: &str| WasmInstanceConfig { tenant: tenant.into(), ..ordinary() };
    registry.load("echo", &fixture("echo"), echo("one")).unwrap();
    let call_echo = |probe: &Probe| {
        let (echo, len) = probe.put(2048, b"echo");
        probe.call("call_plugin", &[echo, len, echo, len, VALUE.0, VALUE.1, OUT.0, OUT.1])
    };
    assert_eq!(call_echo(&one), 4);
    assert_eq!(call_echo(&two), -2);
    assert_eq!(registry.get("echo").unwrap().stats().total_calls, 1);
    assert_eq!(call(&two, "probe_one"), call(&two, "no_such_plugin"));
}

#[test]
fn identical_plugins_of_two_tenants_share_no_memory() {
    let (_registry, one, two) = two_tenants();
    one.put(OUT.0, b"secret of one");
    assert_eq!(two.bytes((OUT.0, 13)), [0; 13]);
    assert_eq!(one.bytes((OUT.0, 13)), b"secret of one");
}
