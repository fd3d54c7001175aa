//! How much native stack one plugin calling another takes.

use super::asker::granted;
use crate::support::wat;
use std::sync::{Arc, Mutex};
use wasm_runtime::{
    EmbeddedHost, Grant, HostCall, HostCost, HostError, HostFunctionTable, WasmPluginRegistry,
};

/// Marks, then calls `run` of the plugin that the first byte of its input names, with the rest of
/// it; `start` begins with `bc`.
pub const LINK: &str = r#"(module
  (import "env" "mark" (func $mark))
  (import "soch_v1" "call_plugin"
    (func $call_plugin (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "run")
  (data (i32.const 32) "bc")
  (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
  (func $run (export "run") (param $ptr i32) (param $len i32) (result i64)
    (call $mark)
    (if (result i64) (local.get $len)
      (then
        (i64.extend_i32_s
          (call $call_plugin
            (local.get $ptr) (i32.const 1) (i32.const 16) (i32.const 3)
            (i32.add (local.get $ptr) (i32.const 1)) (i32.sub (local.get $len) (i32.const 1))
            (i32.const 0) (i32.const 0))))
      (else (i64.const 0))))
  (func (export "start") (result i64) (call $run (i32.const 32) (i32.const 2))))"#;

/// Native stack of one level at most, as `ModuleLimits::max_call_depth` documents it. A build
/// without optimisation takes several times as much.
const MAX_LEVEL_BYTES: usize = if cfg!(debug_assertions) { 32 << 10 } else { 8 << 10 };

#[test]
fn one_level_of_nesting_takes_a_few_kilobytes_of_native_stack() {
    let addresses = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&addresses);
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    table
        .define(
            "env",
            "mark",
            Grant::Always,
            HostCost::default(),
            move |_call: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
                let local = 0_u8;
                record
                    .lock()
                    .unwrap()
                    .push(std::ptr::from_ref(std::hint::black_box(&local)).addr());
                Ok(())
            },
        )
        .unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    for name in ["a", "b", "c", "d", "e", "f"] {
        registry.load(name, &wat(LINK), granted()).unwrap();
    }
    // Once to warm the sandboxes up.
    for _ in 0..2 {
        addresses.lock().unwrap().clear();
        registry.get("a").unwrap().call_bytes("run", b"bcdef").unwrap();
    }
    let addresses = addresses.lock().unwrap();
    assert_eq!(addresses.len(), 6);
    let levels: Vec<_> = addresses.windows(2).map(|pair| pair[0].abs_diff(pair[1])).collect();
    println!("native stack of each level of `call_plugin`, in bytes: {levels:?}");
    for level in &levels {
        assert!(*level > 0 && *level <= MAX_LEVEL_BYTES, "{levels:?}");
        assert_eq!(*level, levels[0], "{levels:?}");
    }
}
