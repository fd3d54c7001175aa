//! Registries, handles, typed functions and leases, let go of in every order.

use crate::{
    heap::{kept_bytes, live_bytes},
    support::{config, config_of_four, fixture, load},
};
use std::sync::Arc;
use wasm_runtime::{
    PluginFunction, PluginLease, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

/// Everything a host can hold on to.
struct Held {
    registry: Option<WasmPluginRegistry>,
    handle: Option<Arc<WasmPluginInstance>>,
    function: Option<PluginFunction<(), i32>>,
    lease: Option<PluginLease<'static>>,
}

impl Held {
    const PARTS: usize = 4;

    fn new() -> Self {
        let registry = WasmPluginRegistry::new();
        let handle = load(&registry, "plugin", &fixture("counter"), config_of_four());
        let mut held = Self {
            function: Some(handle.function("increment").unwrap()),
            lease: Some(handle.lease_owned().unwrap()),
            registry: Some(registry),
            handle: Some(handle),
        };
        held.call_all();
        held
    }

    fn let_go_of(&mut self, part: usize) {
        match part {
            0 => drop(self.registry.take()),
            1 => drop(self.handle.take()),
            2 => drop(self.function.take()),
            _ => drop(self.lease.take()),
        }
    }

    /// What is still held still works.
    fn call_all(&mut self) {
        if let Some(registry) = &self.registry {
            registry.call("plugin", "increment", &[]).unwrap();
        }
        if let Some(handle) = &self.handle {
            handle.call("increment", &[]).unwrap();
        }
        if let Some(function) = &self.function {
            function.call(()).unwrap();
        }
        if let Some(lease) = &mut self.lease {
            lease.call("increment", &[]).unwrap();
        }
    }
}

/// Every order of the numbers below `n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let insert = |order: Vec<usize>| {
        (0..n).map(move |at| {
            let mut order = order.clone();
            order.insert(at, last);
            order
        })
    };
    orders(last).into_iter().flat_map(insert).collect()
}

#[test]
fn everything_comes_back_in_whatever_order_things_are_let_go_of() {
    drop(Held::new());
    let orders = orders(Held::PARTS);
    assert_eq!(orders.len(), 24);
    for order in orders {
        let (kept, ()) = kept_bytes(|| {
            let mut held = Held::new();
            for part in &order {
                held.let_go_of(*part);
                held.call_all();
            }
        });
        assert_eq!(kept, 0, "bytes left after the order {order:?}");
    }
}

#[test]
fn plugins_that_call_one_another_do_not_keep_one_another() {
    let round = || {
        let registry = WasmPluginRegistry::new();
        let relay = load(&registry, "open_relay", &fixture("caller"), config());
        let other = load(&registry, "open_other", &fixture("caller"), config());
        load(&registry, "open_echo", &fixture("echo"), config());
        let there_and_back = b"open_other\0relay\0open_echo\0echo\0x";
        assert_eq!(relay.call_bytes("relay", there_and_back).unwrap(), b"x");
        let there_and_back = b"open_relay\0relay\0open_echo\0echo\0x";
        assert_eq!(other.call_bytes("relay", there_and_back).unwrap(), b"x");
        drop(registry);
        // Without the registry there is nobody left to call.
        let error = relay.call_bytes("relay", there_and_back).unwrap_err();
        assert_eq!(error.guest_status(), Some(-4));
    };
    round();
    assert_eq!(kept_bytes(round).0, 0);
}

#[test]
fn a_standing_alone_plugin_gives_everything_back() {
    let round = || {
        let plugin = WasmPluginInstance::new("alone", &fixture("counter"), config()).unwrap();
        plugin.init().unwrap();
        plugin.call("increment", &[]).unwrap();
    };
    round();
    assert_eq!(kept_bytes(round).0, 0);
}

#[test]
fn a_trapped_lease_gives_everything_back() {
    let round = || {
        let registry = WasmPluginRegistry::new();
        let plugin = load(&registry, "plugin", &fixture("misbehaving/traps"), config());
        let mut lease = plugin.lease().unwrap();
        lease.call("unreachable", &[]).unwrap_err();
        lease.call("ping", &[]).unwrap();
        lease.call("unreachable", &[]).unwrap_err();
        drop(lease);
        plugin.call("ping", &[]).unwrap();
    };
    round();
    assert_eq!(kept_bytes(round).0, 0);
}

#[test]
fn shutting_down_gives_back_all_but_the_registry() {
    let registry = WasmPluginRegistry::new();
    let fill = || {
        for n in 0..20 {
            let plugin = load(&registry, &format!("p{n}"), &fixture("counter"), config());
            plugin.call("add", &[WasmValue::I32(n)]).unwrap();
        }
    };
    fill();
    registry.shutdown_all();
    let before = live_bytes();
    fill();
    assert!(live_bytes() - before > 20 * 65_536);
    registry.shutdown_all();
    assert_eq!(live_bytes() - before, 0);
}
