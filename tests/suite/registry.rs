//! Load, find, call, unload; files, hashes, states, lifetimes.

use crate::support::{all_granted, call_i32, config, fixture, load, load_error};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use wasm_runtime::{
    EmbeddedHost, Error, ErrorKind, ModuleLimits, PluginFunction, PluginLease, WasmInstanceConfig,
    WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry, WasmPluginState, WasmValue,
};

fn counter() -> Vec<u8> {
    fixture("counter")
}

fn registry_of(names: &[&str]) -> WasmPluginRegistry {
    let registry = WasmPluginRegistry::new();
    for name in names {
        registry.load(name, &counter(), WasmInstanceConfig::default()).unwrap();
    }
    registry
}

#[test]
fn a_plugin_is_called_by_its_name_and_a_function_s() {
    let (registry, _) = load(&counter(), WasmInstanceConfig::default());
    let results = registry.call("plugin", "add", &[WasmValue::I32(40)]).unwrap();
    assert_eq!(*results, [WasmValue::I32(40)]);
}

#[test]
fn what_is_not_loaded_is_not_found_and_the_error_names_it() {
    let registry = registry_of(&["a"]);
    let errors =
        [registry.call("nobody", "add", &[]).unwrap_err(), registry.unload("nobody").unwrap_err()];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("`nobody`"), "{error}");
    }
    assert!(registry.get("nobody").is_none());
    assert_eq!(registry.count(), 1);
}

#[test]
fn plugins_are_listed_in_load_order() {
    let registry = registry_of(&["z", "a", "m"]);
    assert_eq!(registry.list(), ["z", "a", "m"]);
    registry.unload("a").unwrap();
    registry.load("a", &counter(), WasmInstanceConfig::default()).unwrap();
    assert_eq!(registry.list(), ["z", "m", "a"]);
    assert_eq!(registry.count(), 3);
    assert_eq!(registry.get("m").unwrap().name(), "m");
}

#[test]
fn a_taken_name_is_already_loaded_and_the_first_plugin_keeps_its_state() {
    let registry = registry_of(&["a"]);
    registry.call("a", "increment", &[]).unwrap();
    let error = registry.load("a", &fixture("echo"), WasmInstanceConfig::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyLoaded);
    assert_eq!(*registry.call("a", "get", &[]).unwrap(), [WasmValue::I32(1)]);
}

#[test]
fn global_stats_add_up_the_calls_and_traps_of_all_plugins() {
    let registry = registry_of(&["a", "b"]);
    registry.load("t", &fixture("misbehaving/traps"), WasmInstanceConfig::default()).unwrap();
    assert_eq!(registry.global_stats(), (0, 0));
    registry.call("a", "increment", &[]).unwrap();
    registry.call("b", "increment", &[]).unwrap();
    registry.call("b", "increment", &[]).unwrap();
    registry.call("t", "unreachable", &[]).unwrap_err();
    assert_eq!(registry.global_stats(), (4, 1));
    // A call that is refused before it runs is none.
    registry.call("a", "add", &[]).unwrap_err();
    assert_eq!(registry.global_stats(), (4, 1));
    registry.unload("b").unwrap();
    assert_eq!(registry.global_stats(), (2, 1));
}

#[test]
fn an_unloaded_plugin_refuses_calls_and_its_name_is_free_at_once() {
    let registry = registry_of(&["a"]);
    let handle = registry.get("a").unwrap();
    let function = handle.function::<(), i32>("increment").unwrap();
    registry.unload("a").unwrap();
    let errors = [
        handle.call("increment", &[]).unwrap_err(),
        function.call(()).unwrap_err(),
        handle.lease().unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unloaded);
    }
    assert_eq!(registry.unload("a").unwrap_err().kind(), ErrorKind::NotFound);
    registry.load("a", &counter(), WasmInstanceConfig::default()).unwrap();
    assert_eq!(registry.call("a", "increment", &[]).unwrap()[0], WasmValue::I32(1));
    assert_eq!(handle.call("increment", &[]).unwrap_err().kind(), ErrorKind::Unloaded);
}

#[test]
fn a_shutdown_leaves_an_empty_registry_that_works() {
    let registry = registry_of(&["a", "b"]);
    let handle = registry.get("a").unwrap();
    registry.shutdown_all();
    assert_eq!((registry.count(), registry.global_stats()), (0, (0, 0)));
    assert_eq!(handle.state(), WasmPluginState::Unloaded);
    registry.load("a", &counter(), WasmInstanceConfig::default()).unwrap();
    assert_eq!(registry.list(), ["a"]);
}

#[test]
fn a_failed_load_leaves_everything_as_it_was() {
    let registry = registry_of(&["first"]);
    let plain = WasmInstanceConfig::default;
    let cases = [
        (b"".to_vec(), plain(), ErrorKind::InvalidModule),
        (fixture("misbehaving/missing_import"), plain(), ErrorKind::Refused),
        (fixture("misbehaving/trap_start"), plain(), ErrorKind::Trap),
        (fixture("misbehaving/endless_start"), plain(), ErrorKind::OutOfFuel),
        (
            counter(),
            WasmInstanceConfig { expected_sha256: Some([7; 32]), ..plain() },
            ErrorKind::HashMismatch,
        ),
        (
            counter(),
            config(WasmPluginCapabilities { memory_limit_bytes: 1, ..all_granted() }),
            ErrorKind::LimitExceeded,
        ),
        (counter(), WasmInstanceConfig { max_instances: 0, ..plain() }, ErrorKind::Refused),
    ];
    for (wasm, config, kind) in cases {
        let error = registry.load("second", &wasm, config).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.plugin(), "second");
        assert_eq!(registry.list(), ["first"]);
        assert_eq!(registry.count(), 1);
        assert!(registry.get("second").is_none());
        assert_eq!(registry.unload("second").unwrap_err().kind(), ErrorKind::NotFound);
    }
    registry.load("second", &counter(), plain()).unwrap();
    assert_eq!(registry.list(), ["first", "second"]);
}

/// Where the committed modules are, as files.
fn path(name: &str) -> String {
    format!("{}/fixtures/wasm/{name}.wasm", env!("CARGO_MANIFEST_DIR"))
}

type LoadFile = fn(&WasmPluginRegistry, &str, &str, WasmInstanceConfig) -> Result<(), Error>;

fn loads_from_files(load: LoadFile) {
    let registry = WasmPluginRegistry::new();
    load(&registry, "plugin", &path("counter"), WasmInstanceConfig::default()).unwrap();
    assert_eq!(*registry.call("plugin", "increment", &[]).unwrap(), [WasmValue::I32(1)]);

    let error = load(&registry, "absent", &path("no such file"), WasmInstanceConfig::default());
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("no such file"), "{error}");
    assert!(std::error::Error::source(&error).is_some());

    let size = counter().len() as u64;
    let with_limit = |max_module_bytes| WasmInstanceConfig {
        limits: ModuleLimits { max_module_bytes, ..ModuleLimits::default() },
        ..WasmInstanceConfig::default()
    };
    let error = load(&registry, "long", &path("counter"), with_limit(size - 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    let text = error.to_string();
    assert!(
        text.contains("`max_module_bytes`") && text.contains(&format!("{}", size - 1)),
        "{text}"
    );
    load(&registry, "long", &path("counter"), with_limit(size)).unwrap();

    let empty = std::env::temp_dir().join(format!("wasm-runtime-empty-{}", std::process::id()));
    std::fs::write(&empty, []).unwrap();
    let error = load(&registry, "empty", empty.to_str().unwrap(), WasmInstanceConfig::default());
    std::fs::remove_file(&empty).unwrap();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidModule);
    assert!(error.to_string().contains("empty"), "{error}");
    assert_eq!(registry.list(), ["plugin", "long"]);
}

#[test]
fn a_module_is_loaded_from_a_file_or_the_error_says_why_not() {
    loads_from_files(|registry, name, path, config| registry.load_from_file(name, path, config));
}

#[cfg(feature = "mmap")]
#[test]
fn a_module_is_loaded_from_a_mapped_file_or_the_error_says_why_not() {
    loads_from_files(|registry, name, path, config| {
        registry.load_from_mapped_file(name, path, config)
    });
}

#[test]
fn the_module_hash_is_the_sha_256_of_the_bytes_as_given() {
    // Of an empty module, as `sha256sum` says.
    let (_, plugin) = load(b"\0asm\x01\0\0\0", WasmInstanceConfig::default());
    assert_eq!(plugin.module_hash()[..4], [0x93, 0xa4, 0x4b, 0xbb]);
    assert_eq!(plugin.module_hash()[30..], [0x94, 0x76]);
    // Also of modules that are rewritten at load.
    for name in ["start", "misbehaving/table_grower", "counter"] {
        let (_, plugin) = load(&fixture(name), WasmInstanceConfig::default());
        assert_eq!(plugin.module_hash()[..], Sha256::digest(fixture(name))[..], "{name}");
    }
}

#[test]
fn a_pinned_module_loads_and_any_other_is_refused_by_both_hashes() {
    let hash: [u8; 32] = Sha256::digest(counter()).into();
    let pinned =
        || WasmInstanceConfig { expected_sha256: Some(hash), ..WasmInstanceConfig::default() };
    load(&counter(), pinned());
    let error = load_error(&fixture("echo"), pinned());
    assert_eq!(error.kind(), ErrorKind::HashMismatch);
    for bytes in [counter(), fixture("echo")] {
        let hex: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert!(error.to_string().contains(&hex), "{error}");
    }
}

#[test]
fn a_plugin_of_its_own_is_loading_until_it_is_initialised() {
    let plugin =
        WasmPluginInstance::new("alone", &fixture("start"), WasmInstanceConfig::default()).unwrap();
    assert_eq!(plugin.state(), WasmPluginState::Loading);
    let error = plugin.call("value", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    assert!(error.to_string().contains("`alone`"), "{error}");
    assert_eq!(plugin.stats().sandboxes_started, 0);
    plugin.init().unwrap();
    assert_eq!(plugin.state(), WasmPluginState::Ready);
    plugin.init().unwrap();
    assert_eq!(plugin.stats().sandboxes_started, 1);
    assert_eq!(call_i32(&plugin, "value", &[]).unwrap(), 42);
}

#[test]
fn a_plugin_whose_start_fails_stays_loading() {
    let wasm = fixture("misbehaving/trap_start");
    let plugin = WasmPluginInstance::new("alone", &wasm, WasmInstanceConfig::default()).unwrap();
    for _ in 0..2 {
        assert_eq!(plugin.init().unwrap_err().kind(), ErrorKind::Trap);
        assert_eq!(plugin.state(), WasmPluginState::Loading);
        assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::NotReady);
    }
}

#[test]
fn a_plugin_goes_through_its_states() {
    let (registry, plugin) = load(&fixture("misbehaving/traps"), WasmInstanceConfig::default());
    assert_eq!(plugin.state(), WasmPluginState::Ready);
    plugin.call("unreachable", &[]).unwrap_err();
    assert_eq!(plugin.state(), WasmPluginState::Trapped);
    plugin.call("ping", &[]).unwrap();
    assert_eq!(plugin.state(), WasmPluginState::Ready);
    let lease = plugin.lease().unwrap();
    assert_eq!(plugin.state(), WasmPluginState::Executing);
    registry.unload("plugin").unwrap();
    assert_eq!(plugin.state(), WasmPluginState::Unloading);
    drop(lease);
    assert_eq!(plugin.state(), WasmPluginState::Unloaded);
}

#[test]
fn a_call_that_succeeds_in_another_sandbox_ends_the_trapped_state() {
    let (_registry, plugin) = load(&fixture("misbehaving/traps"), WasmInstanceConfig::default());
    let lease = plugin.lease().unwrap();
    plugin.call("unreachable", &[]).unwrap_err();
    drop(lease);
    assert_eq!(plugin.state(), WasmPluginState::Trapped);
    plugin.call("ping", &[]).unwrap();
    assert_eq!(plugin.state(), WasmPluginState::Ready);
}

#[test]
fn a_lease_of_an_unloaded_plugin_goes_on_to_its_end() {
    let (registry, plugin) = load(&counter(), WasmInstanceConfig::default());
    let mut lease = plugin.lease().unwrap();
    registry.unload("plugin").unwrap();
    assert_eq!(*lease.call("increment", &[]).unwrap(), [WasmValue::I32(1)]);
    assert_eq!(plugin.call("get", &[]).unwrap_err().kind(), ErrorKind::Unloaded);
}

#[test]
fn a_handle_outlives_its_registry_and_still_works() {
    let (registry, plugin) = load(&counter(), WasmInstanceConfig::default());
    let function = plugin.function::<(), i32>("increment").unwrap();
    drop(registry);
    assert_eq!(function.call(()).unwrap(), 1);
    assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 2);
}

#[test]
fn leases_handles_and_the_registry_are_dropped_in_any_order() {
    for order in 0..24_usize {
        let (registry, plugin) = load(&counter(), WasmInstanceConfig::default());
        let gone = Arc::downgrade(&plugin);
        let mut lease = plugin.lease_owned().unwrap();
        lease.call("increment", &[]).unwrap();
        let function = plugin.function::<(), i32>("get").unwrap();
        function.call_in(&mut lease, ()).unwrap();
        let mut left: Vec<Box<dyn std::any::Any>> =
            vec![Box::new(registry), Box::new(plugin), Box::new(lease), Box::new(function)];
        let mut order = order;
        for choices in (1..=4).rev() {
            assert!(gone.upgrade().is_some());
            drop(left.remove(order % choices));
            order /= choices;
        }
        assert!(gone.upgrade().is_none(), "something still holds the plugin");
    }
}

#[test]
fn what_a_host_shares_between_threads_is_send_and_sync() {
    fn shared<T: Send + Sync + 'static>() {}
    fn moved<T: Send + 'static>() {}
    shared::<WasmPluginRegistry>();
    shared::<WasmPluginInstance>();
    shared::<PluginFunction<(i32, f64), i64>>();
    shared::<Error>();
    shared::<EmbeddedHost>();
    moved::<PluginLease<'static>>();
}

/// What makes a configuration invalid, and what the error says of it.
type Spoil = (fn(&mut WasmInstanceConfig), &'static [&'static str]);

const SPOILT: [Spoil; 11] = [
    (|c| c.tenant.clear(), &["tenant", "0 bytes"]),
    (|c| c.tenant = "t".repeat(129), &["tenant", "129 bytes", "1 to 128"]),
    (|c| c.settings.push(("soch.abi".into(), "9".into())), &["`soch.abi`", "`soch.`"]),
    (|c| c.settings.push((String::new(), "9".into())), &["setting", "0 bytes"]),
    (|c| c.settings.push(("s".repeat(129), "9".into())), &["setting", "129 bytes"]),
    (|c| c.max_instances = 0, &["`max_instances` is 0"]),
    (|c| c.max_instances = 1_025, &["`max_instances` is 1025", "1 to 1024"]),
    (
        |c| (c.limits.min_stack_bytes, c.limits.max_stack_bytes) = (2_000, 1_999),
        &["`min_stack_bytes` 2000", "`max_stack_bytes` 1999"],
    ),
    (
        |c| (c.limits.min_stack_bytes, c.limits.max_stack_bytes) = ((16 << 20) + 1, usize::MAX),
        &["`min_stack_bytes` 16777217", "or 16777216"],
    ),
    (|c| c.limits.max_call_depth = 17, &["`max_call_depth` is 17"]),
    (|c| c.enable_fuel = false, &["`timeout_ms` is 100", "`enable_fuel`"]),
];

#[test]
fn an_invalid_configuration_is_refused_by_what_is_wrong_with_it() {
    for (spoil, says) in SPOILT {
        let mut config = WasmInstanceConfig::default();
        spoil(&mut config);
        let error = load_error(&counter(), config.clone());
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        for part in says {
            assert!(error.to_string().contains(part), "{error} should say {part}");
        }
        let alone = WasmPluginInstance::new("plugin", &counter(), config).unwrap_err();
        assert_eq!(alone.to_string(), error.to_string());
    }
}

#[test]
fn a_plugin_s_name_has_1_to_128_bytes() {
    let registry = WasmPluginRegistry::new();
    for name in ["", &"n".repeat(129)] {
        let error = registry.load(name, &counter(), WasmInstanceConfig::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
    for name in ["n", &"n".repeat(128)] {
        registry.load(name, &counter(), WasmInstanceConfig::default()).unwrap();
    }
}

#[test]
fn the_edges_of_a_valid_configuration_load() {
    let edges: [fn(&mut WasmInstanceConfig); 6] = [
        |c| c.max_instances = 1,
        |c| c.max_instances = 1_024,
        |c| c.limits.min_stack_bytes = c.limits.max_stack_bytes,
        |c| c.limits.min_stack_bytes = 0,
        |c| (c.limits.min_stack_bytes, c.limits.max_stack_bytes) = (16 << 20, 16 << 20),
        |c| (c.enable_fuel, c.capabilities.timeout_ms) = (false, 0),
    ];
    for edge in edges {
        let mut config = WasmInstanceConfig::default();
        edge(&mut config);
        let (_registry, plugin) = load(&counter(), config);
        assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
    }
}
