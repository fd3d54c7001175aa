//! What is told in JSON.

use crate::host::CHost;
use alloc::{format, string::String, string::ToString, vec::Vec};
use core::fmt::Write;
use runtime::{
    AdmissionReport, AdmittedFunction, AdmittedImport, Error, HostFunctionStats, Quarantine,
    QuarantineEnd, TrapStats, ValueType, VersionRecord, WasmPluginInstance,
};
use serde_json::{Value, json};

/// What a module would bring.
pub(crate) fn admission(report: &AdmissionReport) -> Vec<u8> {
    let json = json!({
        "admitted": report.is_admitted(),
        "sha256": hex(&report.module_hash),
        "bytes": report.module_bytes,
        "imports": report.imports.iter().map(import).collect::<Vec<_>>(),
        "functions": report.functions.iter().map(function).collect::<Vec<_>>(),
        "initial_memory_bytes": report.initial_memory_bytes,
        "max_memory_bytes": report.max_memory_bytes,
        "initial_table_elements": report.initial_table_elements,
        "max_table_elements": report.max_table_elements,
        "has_start": report.has_start,
        "proposals": report.proposals,
        "refusals": report.refusals.iter().map(refusal).collect::<Vec<_>>(),
        "warnings": report.warnings,
    });
    json.to_string().into_bytes()
}

/// What a plugin has done, and what has happened to it.
pub(crate) fn plugin(plugin: &WasmPluginInstance<CHost>) -> Vec<u8> {
    let latency = plugin.latency().map(|latency| {
        json!({ "sum_us": latency.sum_us, "count": latency.count(), "counts": latency.counts })
    });
    let json = json!({
        "name": plugin.name(),
        "tenant": plugin.tenant(),
        "sha256": hex(plugin.module_hash()),
        "state": format!("{:?}", plugin.state()),
        "fuel_budget_left": plugin.fuel_budget_left(),
        "traps": plugin.trap_stats().iter().map(traps).collect::<Vec<_>>(),
        "latency": latency,
        "host_functions": plugin.host_function_stats().iter().map(calls).collect::<Vec<_>>(),
        "quarantine": plugin.quarantine().as_ref().map(quarantine),
        "history": plugin.history().iter().map(change).collect::<Vec<_>>(),
    });
    json.to_string().into_bytes()
}

fn traps(traps: &TrapStats) -> Value {
    json!({
        "kind": traps.kind.name(),
        "trap_code": traps.trap_code.map(|trap| trap.code()),
        "trap": traps.trap_code.map(|trap| trap.to_string()),
        "count": traps.count,
    })
}

fn calls(function: &HostFunctionStats) -> Value {
    json!({
        "module": function.module,
        "name": function.name,
        "calls": function.calls,
        "denials": function.denials,
        "errors": function.errors,
    })
}

fn quarantine(quarantine: &Quarantine) -> Value {
    let (left_ms, left_calls) = match quarantine.until {
        QuarantineEnd::AfterMs(ms) => (Some(ms), None),
        QuarantineEnd::AfterCalls(calls) => (None, Some(calls)),
        _ => (None, None),
    };
    json!({
        "reason": quarantine.reason,
        "function": quarantine.function,
        "failures": quarantine.failures,
        "round": quarantine.round,
        "left_ms": left_ms,
        "left_calls": left_calls,
    })
}

fn change(record: &VersionRecord) -> Value {
    let failure = record.failure.as_ref();
    json!({
        "change": format!("{:?}", record.change),
        "sha256": hex(&record.module_hash),
        "at_us": record.at_us,
        "cancelled_calls": record.cancelled_calls,
        "failure": failure.map(|(kind, message)| json!({ "kind": kind.name(), "message": message })),
    })
}

fn import(import: &AdmittedImport) -> Value {
    json!({
        "module": import.module,
        "name": import.name,
        "defined": import.is_defined,
        "granted": import.is_granted,
    })
}

fn function(function: &AdmittedFunction) -> Value {
    json!({
        "name": function.name,
        "params": types(&function.params),
        "results": types(&function.results),
    })
}

fn refusal(error: &Error) -> Value {
    json!({ "kind": error.kind().name(), "message": error.to_string() })
}

fn types(types: &[ValueType]) -> Vec<String> {
    types.iter().map(ToString::to_string).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
