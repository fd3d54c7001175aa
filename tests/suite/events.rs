//! What a host hears of its plugins.

use crate::support::{StepClock, all_granted, config, fixture};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use wasm_runtime::{
    AuditDecision, AuditLevel, DenyPolicy, Host, PluginEvent, QuarantinePolicy, TenantQuota,
    TenantUsage, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry, WasmValue,
};

/// A host that writes down what it hears, and unloads a plugin that is put in quarantine.
#[derive(Default)]
struct Witness {
    heard: Mutex<Vec<String>>,
    registry: OnceLock<Weak<WasmPluginRegistry<Witness>>>,
}

impl Host for Witness {
    fn event(&self, event: &PluginEvent<'_>) {
        let PluginEvent { decision, tenant, plugin, function, resource, status, .. } = event;
        let line = format!("{decision:?} {tenant}/{plugin} {function} {resource} {status}");
        self.heard.lock().unwrap().push(line);
        let registry = self.registry.get().and_then(Weak::upgrade);
        if let (Some(registry), AuditDecision::Quarantine) = (registry, decision) {
            registry.unload(plugin).unwrap();
        }
    }
}

impl Witness {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

fn registry(audit: AuditLevel) -> (WasmPluginRegistry<Witness>, StepClock) {
    let clock = StepClock::default();
    let builder = WasmPluginRegistry::builder().host(Witness::default());
    (builder.clock(clock.clone()).audit(audit).build().unwrap(), clock)
}

fn quarantined() -> WasmInstanceConfig {
    WasmInstanceConfig {
        tenant: "acme".into(),
        quarantine: Some(QuarantinePolicy::after(2)),
        ..config(all_granted())
    }
}

#[test]
fn a_host_hears_of_a_plugin_from_its_load_to_its_unload() {
    // Whether there is an audit ring or not.
    for level in [AuditLevel::Off, AuditLevel::Decisions, AuditLevel::HostCalls] {
        let (registry, clock) = registry(level);
        registry.load("traps", &fixture("misbehaving/traps"), quarantined()).unwrap();
        registry.load("traps", &[], quarantined()).unwrap_err();
        for _ in 0..2 {
            registry.call("traps", "div_by_zero", &[]).unwrap_err();
        }
        registry.call("traps", "ping", &[]).unwrap_err();
        clock.advance(1_000_000);
        registry.call("traps", "ping", &[]).unwrap();
        registry.unload("traps").unwrap();
        let heard = registry.host().take();
        let loaded = heard[0].strip_prefix("Load acme/traps  ").unwrap();
        assert!(loaded.ends_with(" 0") && loaded.len() == "0123456789abcdef 0".len(), "{loaded}");
        assert_eq!(
            heard[1..],
            [
                "Load acme/traps  AlreadyLoaded -1",
                "Trap acme/traps div_by_zero integer division by zero 5",
                "Trap acme/traps div_by_zero integer division by zero 5",
                "Quarantine acme/traps div_by_zero integer division by zero 0",
                "Revive acme/traps  a trial went well 0",
                "Unload acme/traps   0",
            ]
        );
    }
}

#[test]
fn the_audit_ring_has_the_same_events() {
    let (registry, clock) = registry(AuditLevel::Decisions);
    registry.load("traps", &fixture("misbehaving/traps"), quarantined()).unwrap();
    for _ in 0..2 {
        registry.call("traps", "unreachable", &[]).unwrap_err();
    }
    clock.advance(1_000_000);
    registry.call("traps", "ping", &[]).unwrap();
    registry.shutdown_all();
    let ring: Vec<_> = std::iter::from_fn(|| registry.audit().pop())
        .map(|record| {
            let (decision, tenant, plugin) = (record.decision(), record.tenant(), record.plugin());
            let (function, resource) = (record.function(), record.resource());
            format!("{decision:?} {tenant}/{plugin} {function} {resource} {}", record.status())
        })
        .collect();
    assert_eq!(ring, registry.host().take());
}

#[test]
fn a_limit_a_cancellation_and_a_denial_that_end_a_call_are_heard() {
    let (registry, _) = registry(AuditLevel::Decisions);
    registry.load("loop", &fixture("misbehaving/endless_loop"), config(all_granted())).unwrap();
    let denied = WasmInstanceConfig {
        on_denied: DenyPolicy::Trap,
        ..config(WasmPluginCapabilities { can_read_table: vec![], ..all_granted() })
    };
    registry.load("spy", &fixture("misbehaving/forbidden_table"), denied).unwrap();
    registry.host().take();
    registry.call("loop", "run", &[]).unwrap_err();
    let mut call = registry.get("loop").unwrap().start("run", &[]).unwrap();
    call.run(1_000).unwrap();
    drop(call);
    registry.call("spy", "read", &[]).unwrap_err();
    assert_eq!(
        registry.host().take(),
        [
            "Limit default/loop run fuel_limit 0",
            "Trap default/loop run cancelled 0",
            "Denial default/spy read a grant is missing -1",
        ]
    );
}

#[test]
fn a_host_may_unload_a_plugin_when_it_hears_of_it() {
    let (registry, _) = registry(AuditLevel::Decisions);
    let registry = Arc::new(registry);
    registry.host().registry.set(Arc::downgrade(&registry)).ok().unwrap();
    registry.load("traps", &fixture("misbehaving/traps"), quarantined()).unwrap();
    let plugin = registry.get("traps").unwrap();
    for _ in 0..2 {
        registry.call("traps", "unreachable", &[]).unwrap_err();
    }
    assert_eq!(registry.count(), 0);
    assert_eq!(plugin.state(), wasm_runtime::WasmPluginState::Unloaded);
    let heard = registry.host().take();
    let kinds: Vec<_> = heard.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(kinds, ["Load", "Trap", "Trap", "Quarantine", "Unload"]);
}

/// A host that panics when it hears that a quota was reached, or that a call trapped.
struct Excitable;

impl Host for Excitable {
    fn event(&self, event: &PluginEvent<'_>) {
        let is_calm = !matches!(event.decision, AuditDecision::Quota | AuditDecision::Trap);
        assert!(is_calm, "too much");
    }
}

fn assert_panics(what: &str, call: &mut dyn FnMut()) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"too much"), "{what}");
}

#[test]
fn a_host_that_panics_at_an_event_panics_around_the_interpreter() {
    const PAGE: u64 = 1 << 16;
    let registry = WasmPluginRegistry::with_host(Excitable);
    let limit = |pages: u64| {
        let max_memory_bytes = pages * PAGE;
        let quota = TenantQuota { max_memory_bytes, ..TenantQuota::default() };
        registry.tenant("default").quota(quota).unwrap();
    };
    let wasm = fixture("misbehaving/memory_grower");
    let config = || config(all_granted());
    limit(1);
    registry.load("grower", &wasm, config()).unwrap();
    let plugin = registry.get("grower").unwrap();
    assert_panics("call", &mut || drop(plugin.call("grow_by", &[WasmValue::I32(1)])));
    assert_eq!(plugin.call("pages", &[]).unwrap().as_slice(), [WasmValue::I32(1)]);
    assert_panics("started", &mut || {
        drop(plugin.start("grow_by", &[WasmValue::I32(1)]).unwrap().run(1_000));
    });
    assert_panics("lease", &mut || drop(plugin.lease().unwrap().grow("memory", 1)));
    assert_panics("load", &mut || drop(registry.load("second", &wasm, config())));
    assert_eq!(registry.count(), 1);
    limit(10);
    registry.load("second", &wasm, config()).unwrap();
    for name in ["grower", "second"] {
        let grown = registry.call(name, "grow_by", &[WasmValue::I32(2)]).unwrap();
        assert_eq!(grown.as_slice(), [WasmValue::I32(1)]);
    }
    registry.shutdown_all();
    assert_eq!(registry.usage(), TenantUsage::default());
}

#[test]
fn a_host_that_panics_at_an_event_loses_nothing_by_it() {
    let registry = WasmPluginRegistry::with_host(Excitable);
    let config = WasmInstanceConfig {
        max_instances: 1,
        quarantine: Some(QuarantinePolicy::after(100)),
        ..config(all_granted())
    };
    registry.load("traps", &fixture("misbehaving/traps"), config.clone()).unwrap();
    registry.load("echo", &fixture("echo"), config.clone()).unwrap();
    registry.load("caller", &fixture("caller"), config).unwrap();
    let plugin = registry.get("traps").unwrap();
    let caller = registry.get("caller").unwrap();
    for _ in 0..5 {
        assert_panics("call", &mut || drop(plugin.call("unreachable", &[])));
        assert_panics("lease", &mut || drop(plugin.lease().unwrap().call("unreachable", &[])));
        assert_panics("started", &mut || {
            drop(plugin.start("unreachable", &[]).unwrap().run(1_000));
        });
        assert_panics("called by another", &mut || {
            drop(caller.call_bytes("relay", b"echo\0trap\0x"));
        });
    }
    // Its one sandbox is free, as that of the others.
    plugin.call("ping", &[]).unwrap();
    assert_eq!(caller.call_bytes("relay", b"echo\0echo\0hello").unwrap(), b"hello");
    // A panic for want of a sandbox.
    registry
        .tenant("default")
        .quota(TenantQuota { max_sandboxes: 0, ..Default::default() })
        .unwrap();
    assert_panics("trap", &mut || drop(plugin.call("unreachable", &[])));
    for _ in 0..3 {
        assert_panics("call", &mut || drop(plugin.call("ping", &[])));
        assert_panics("lease", &mut || drop(plugin.lease()));
        assert_panics("started", &mut || drop(plugin.start("ping", &[])));
    }
    registry.tenant("default").quota(TenantQuota::default()).unwrap();
    plugin.call("ping", &[]).unwrap();
    registry.shutdown_all();
    assert_eq!(registry.usage(), TenantUsage::default());
}
