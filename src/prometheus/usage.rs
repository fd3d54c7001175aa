//! What tenants hold.

use super::exposition::{Family, LabelSet};
use crate::{TenantUsage, WasmPluginRegistry, host::Host};
use alloc::{string::String, vec::Vec};
use core::fmt;

/// Name, help and value of a family with one gauge for each tenant; nothing where there is none.
type Gauge = (&'static str, &'static str, fn(&TenantUsage) -> Option<u64>);

const GAUGES: [Gauge; 8] = [
    ("wasm_tenant_plugins", "Plugins that are loaded.", |usage| Some(usage.plugins)),
    ("wasm_tenant_sandboxes", "Sandboxes, idle ones included.", |usage| Some(usage.sandboxes)),
    ("wasm_tenant_memory_bytes", "Linear memories.", |usage| Some(usage.memory_bytes)),
    ("wasm_tenant_table_elements", "Elements of tables.", |usage| Some(usage.table_elements)),
    ("wasm_tenant_heap_bytes", "Heap, by an upper estimate.", |usage| Some(usage.heap_bytes)),
    ("wasm_tenant_stored_rows", "Rows stored with the host.", |usage| Some(usage.stored_rows)),
    ("wasm_tenant_stored_bytes", "Bytes stored with the host.", |usage| Some(usage.stored_bytes)),
    ("wasm_tenant_fuel_left", "Fuel that may be spent at once, where it has a rate.", |usage| {
        usage.fuel_left
    }),
];

/// Writes what each tenant with a plugin holds.
pub(super) fn render<H: Host>(
    registry: &WasmPluginRegistry<H>,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let of = |tenant: String| (registry.tenant(&tenant).usage(), tenant);
    let tenants: Vec<_> = registry.tenants().into_iter().map(of).collect();
    for (name, help, value) in GAUGES {
        let mut family = Family::new(out, name, "gauge", help);
        for (usage, tenant) in &tenants {
            if let Some(value) = value(usage) {
                family.number(|labels: &mut LabelSet<'_>| labels.pair("tenant", tenant), value)?;
            }
        }
    }
    Ok(())
}
