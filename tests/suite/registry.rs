//! Load, find, call, unload.

use crate::support::{fixture, load};
use wasm_runtime::{ErrorKind, WasmInstanceConfig, WasmValue};

#[test]
fn a_plugin_is_called_by_its_name_and_a_function_s() {
    let (registry, _) = load(&fixture("counter"), WasmInstanceConfig::default());
    let results = registry.call("plugin", "add", &[WasmValue::I32(40)]).unwrap();
    assert_eq!(*results, [WasmValue::I32(40)]);
    let error = registry.call("nobody", "add", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
