//! The audit ring takes its memory once.

use crate::{
    heap,
    support::{Arguments, CALLS, config, fixture, flat, load},
};
use wasm_runtime::{AuditLevel, WasmPluginRegistry};

#[test]
fn recording_every_host_call_and_taking_the_records_allocates_nothing() {
    let registry = WasmPluginRegistry::builder().audit(AuditLevel::HostCalls).build().unwrap();
    let plugin = load(&registry, "probe", &fixture("abi_probe"), config());
    let mut guest = Arguments::new(&plugin);
    let (table, key, out) = (guest.put(b"open_rows"), guest.put(b"ben"), guest.room(8));
    let args = flat(&[&[CALLS], &table, &key, &out]);
    plugin.call("loop_soch_read", &args).unwrap();
    let mut taken = 0;
    let count = heap::allocations(|| {
        plugin.call("loop_soch_read", &args).unwrap();
        while let Some(record) = registry.audit().pop() {
            taken += usize::from(record.resource() == "open_rows");
        }
    });
    assert_eq!((count, taken), (0, registry.audit().capacity()));
}
