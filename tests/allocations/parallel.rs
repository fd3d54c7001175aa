//! Four threads at once, each counting for itself.

use crate::{
    heap,
    support::{CALLS, config, config_of_four, fixture, flat, load, wat},
};
use std::{
    array,
    sync::{Arc, Barrier},
    thread,
};
use wasm_runtime::{
    EmbeddedHost, Grant, HostCall, HostCost, HostError, HostFunctionTable, PluginFunction,
    WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

const THREADS: usize = 4;

/// A plugin whose `meet` waits, in the host, until four calls are there: so four sandboxes, and four
/// stacks of each plugin on the way, are in use at the same time and not one after the other.
///
/// A stack belongs to no sandbox: a call takes one that its plugin has kept, and makes it as high as
/// it needs. So `meet` goes the same way as `echo`, and leaves each of the four as high.
fn meeting() -> Vec<u8> {
    wat(r#"(module
        (import "env" "meet" (func $meet))
        (memory (export "memory") 1)
        (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
        (func $echo (export "echo") (param $ptr i32) (param $len i32) (result i64)
            (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
                (i64.extend_i32_u (local.get $len))))
        (func (export "meet") (param $ptr i32) (param $len i32) (result i64)
            (call $meet)
            (call $echo (local.get $ptr) (local.get $len))))"#)
}

/// Where the probe's arguments lie, in each of its sandboxes.
const TABLE: [i32; 2] = [1_024, 9];
const LOCKED: [i32; 2] = [1_040, 4];
const KEY: [i32; 2] = [1_056, 3];
const PLUGIN: [i32; 2] = [1_072, 12];
const MEET: [i32; 2] = [1_088, 4];
const OUT: [i32; 2] = [1_104, 64];
const PLACED: [(u64, &[u8]); 5] = [
    (1_024, b"open_rows"),
    (1_040, b"rows"),
    (1_056, b"ben"),
    (1_072, b"open_meeting"),
    (1_088, b"meet"),
];

struct Plugins {
    _registry: WasmPluginRegistry,
    probe: Arc<WasmPluginInstance>,
    /// The first of two.
    relay: Arc<WasmPluginInstance>,
    second_relay: Arc<WasmPluginInstance>,
    meeting: Arc<WasmPluginInstance>,
}

const MET: &[u8] = b"open_relay2\0relay\0open_meeting\0meet\0payload";
const RELAYED: &[u8] = b"open_relay2\0relay\0open_meeting\0echo\0payload";
const RELAYED_ONCE: &[u8] = b"open_meeting\0echo\0payload";

impl Plugins {
    fn new() -> Self {
        let barrier = Barrier::new(THREADS);
        let mut table = HostFunctionTable::<EmbeddedHost>::new();
        let meet = move |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
            barrier.wait();
            Ok(())
        };
        table.define("env", "meet", Grant::Always, HostCost::default(), meet).unwrap();
        let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
        registry.host().put("default", "open_rows", b"ben", b"41").unwrap();
        let plugins = Self {
            probe: load(&registry, "probe", &fixture("abi_probe"), config_of_four()),
            relay: load(&registry, "open_relay1", &fixture("caller"), config_of_four()),
            second_relay: load(&registry, "open_relay2", &fixture("caller"), config_of_four()),
            meeting: load(&registry, "open_meeting", &meeting(), config_of_four()),
            _registry: registry,
        };
        plugins.warm_each_sandbox();
        plugins.warm_each_stack();
        plugins
    }

    fn warm_each_sandbox(&self) {
        let mut output = [0; 16];
        let mut meeting = leases(&self.meeting);
        for lease in &mut meeting {
            lease.call_bytes_into("echo", b"payload", &mut output).unwrap();
        }
        drop(meeting);
        for lease in &mut leases(&self.second_relay) {
            lease.call_bytes_into("relay", RELAYED_ONCE, &mut output).unwrap();
        }
        for lease in &mut leases(&self.relay) {
            lease.call_bytes_into("relay", RELAYED, &mut output).unwrap();
        }
        let peek: PluginFunction<i32, i32> = self.probe.function("peek").unwrap();
        for lease in &mut leases(&self.probe) {
            for (offset, bytes) in PLACED {
                lease.write("memory", offset, bytes).unwrap();
            }
            peek.call_in(lease, 1_024).unwrap();
        }
    }

    fn warm_each_stack(&self) {
        let meet = flat(&[&PLUGIN, &MEET, &[0, 0], &OUT]);
        in_threads(|| {
            assert_eq!(*self.probe.call("call_call_plugin", &meet).unwrap(), [WasmValue::I32(0)]);
            assert_eq!(self.relay.call_bytes_into("relay", MET, &mut [0; 16]).unwrap(), 7);
        });
    }
}

/// Every sandbox of a plugin.
fn leases(plugin: &WasmPluginInstance) -> [wasm_runtime::PluginLease<'_>; THREADS] {
    array::from_fn(|_| plugin.lease().unwrap())
}

/// Runs `work` in four threads that begin together; returns what each allocated.
fn in_threads(work: impl Fn() + Sync) -> [u64; THREADS] {
    let start = Barrier::new(THREADS);
    let one = || {
        start.wait();
        heap::allocations(&work)
    };
    thread::scope(|scope| {
        array::from_fn::<_, THREADS, _>(|_| scope.spawn(one)).map(|thread| thread.join().unwrap())
    })
}

fn assert_nothing_in_four_threads(what: &str, call: impl Fn() + Sync) {
    let counts = in_threads(|| (0..CALLS).for_each(|_| call()));
    assert_eq!(counts, [0; THREADS], "allocations of {what}, by thread");
}

#[test]
fn four_threads_that_call_one_plugin_at_once_allocate_nothing() {
    let Plugins { probe, relay, meeting, .. } = &Plugins::new();
    let peek: PluginFunction<i32, i32> = probe.function("peek").unwrap();
    assert_nothing_in_four_threads("a typed call", || {
        assert_eq!(peek.call(1_024).unwrap(), i32::from(b'o'));
    });
    assert_nothing_in_four_threads("a call by name", || {
        let results = probe.call("peek", &[WasmValue::I32(1_024)]).unwrap();
        assert_eq!(*results, [WasmValue::I32(i32::from(b'o'))]);
    });
    let (read, denied) = (flat(&[&TABLE, &KEY, &OUT]), flat(&[&LOCKED, &KEY, &OUT]));
    assert_nothing_in_four_threads("a host function, granted and denied", || {
        assert_eq!(*probe.call("call_soch_read", &read).unwrap(), [WasmValue::I32(2)]);
        assert_eq!(*probe.call("call_soch_read", &denied).unwrap(), [WasmValue::I32(-1)]);
    });
    assert_nothing_in_four_threads("an exchange of bytes", || {
        let mut output = [0; 16];
        let len = meeting.call_bytes_into("echo", b"payload", &mut output).unwrap();
        assert_eq!(&output[..len], b"payload");
    });
    assert_nothing_in_four_threads("a call that goes on to two other plugins", || {
        let mut output = [0; 16];
        let len = relay.call_bytes_into("relay", RELAYED, &mut output).unwrap();
        assert_eq!(&output[..len], b"payload");
    });
    assert_nothing_in_four_threads("a lease", || {
        let mut lease = probe.lease().unwrap();
        assert_eq!(peek.call_in(&mut lease, 1_024).unwrap(), i32::from(b'o'));
    });
}

#[test]
fn threads_that_call_different_plugins_allocate_nothing() {
    let registry = WasmPluginRegistry::new();
    let names: [String; THREADS] = array::from_fn(|n| format!("plugin{n}"));
    for name in &names {
        let plugin = load(&registry, name, &fixture("counter"), config());
        plugin.call("increment", &[]).unwrap();
    }
    let start = Barrier::new(THREADS);
    let counts = thread::scope(|scope| {
        let (registry, start) = (&registry, &start);
        let one = |name: &'_ str| {
            start.wait();
            heap::allocations(|| {
                for n in 2..=CALLS {
                    let results = registry.call(name, "increment", &[]).unwrap();
                    assert_eq!(*results, [WasmValue::I32(n)]);
                }
            })
        };
        let threads = names.each_ref().map(|name| scope.spawn(move || one(name)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(counts, [0; THREADS]);
}
