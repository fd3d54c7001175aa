//! A guest that keeps the last event as it came.

use super::{observed, one_instance};
use crate::support::wat;
use wasm_runtime::{WasmObservabilityPlugin, WasmPluginRegistry};

pub const EXPORTS: [&str; 7] = [
    "counter_inc",
    "gauge_set",
    "histogram_observe",
    "span_start",
    "span_end",
    "span_event",
    "log_line",
];

/// Each function keeps its number among the exports, and where the record is.
fn module() -> Vec<u8> {
    let function = |(number, name): (usize, &&str)| {
        format!(
            r#"(func (export "{name}") (param $ptr i32) (param $len i32) (result i64)
                (i32.store (i32.const 0) (i32.const {number}))
                (i32.store (i32.const 4) (local.get $ptr))
                (i32.store (i32.const 8) (local.get $len))
                (i64.const 0))"#
        )
    };
    let functions: String = EXPORTS.iter().enumerate().map(function).collect();
    wat(&format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
            {functions})"#
    ))
}

pub fn recorder() -> (WasmPluginRegistry, WasmObservabilityPlugin) {
    observed(&module(), one_instance())
}

/// The export that was called last, and its input.
pub fn last(recorder: &WasmObservabilityPlugin) -> (&'static str, Vec<u8>) {
    let lease = recorder.plugin().lease().unwrap();
    let number = |offset| {
        let mut number = [0; 4];
        lease.read("memory", offset, &mut number).unwrap();
        u32::from_le_bytes(number)
    };
    let mut record = vec![0; usize::try_from(number(8)).unwrap()];
    lease.read("memory", number(4).into(), &mut record).unwrap();
    (EXPORTS[usize::try_from(number(0)).unwrap()], record)
}
