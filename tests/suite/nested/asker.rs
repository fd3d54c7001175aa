//! A guest that calls a plugin and asks for the answer again, all within one call.

use crate::support::{all_granted, config, fixture, wat};
use std::sync::Arc;
use wasm_runtime::{
    CallOptions, Error, WasmInstanceConfig, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

const ASKER: &str = r#"(module
  (import "soch_v1" "call_plugin"
    (func $call_plugin (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "soch_v1" "last_answer" (func $last_answer (param i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  ;; The status of the last `ask`.
  (global $status (export "status") (mut i32) (i32.const 0))
  (func $ask (export "ask")
    (param $plugin_len i32) (param $function_len i32) (param $input_len i32) (param $cap i32)
    (global.set $status
      (call $call_plugin
        (i32.const 0x100) (local.get $plugin_len) (i32.const 0x200) (local.get $function_len)
        (i32.const 0x4000) (local.get $input_len) (i32.const 0x10000) (local.get $cap))))
  (func (export "ask_then")
    (param $plugin_len i32) (param $function_len i32) (param $input_len i32) (param $cap i32)
    (param $offset i32) (param $out i32) (param $out_cap i32) (result i32)
    (call $ask
      (local.get $plugin_len) (local.get $function_len) (local.get $input_len) (local.get $cap))
    (call $last_answer (local.get $offset) (local.get $out) (local.get $out_cap)))
  (func (export "last") (result i32)
    (call $last_answer (i32.const 0) (i32.const 0x18000) (i32.const 64))))"#;

/// Where the answer of `call_plugin` goes, and that of `last_answer`.
pub const ANSWER: u64 = 0x10000;
pub const LAST: i32 = 0x18000;

/// A status or length.
pub type Status = i32;

pub struct Asker {
    pub registry: Arc<WasmPluginRegistry>,
    pub plugin: Arc<WasmPluginInstance>,
}

/// Everything granted, one sandbox.
pub fn granted() -> WasmInstanceConfig {
    WasmInstanceConfig { max_instances: 1, ..config(all_granted()) }
}

impl Asker {
    /// An asker beside the fixture `echo`.
    pub fn new() -> Self {
        Self::with(granted(), granted())
    }

    pub fn with(asker: WasmInstanceConfig, echo: WasmInstanceConfig) -> Self {
        let registry = Arc::new(WasmPluginRegistry::new());
        registry.load("asker", &wat(ASKER), asker).unwrap();
        registry.load("echo", &fixture("echo"), echo).unwrap();
        let plugin = registry.get("asker").unwrap();
        Self { registry, plugin }
    }

    pub fn load(&self, name: &str, module: &str) {
        self.registry.load(name, &fixture(module), granted()).unwrap();
    }

    fn place(&self, plugin: &str, function: &str, input: &[u8]) -> [i32; 3] {
        let mut lease = self.plugin.lease().unwrap();
        for (at, bytes) in
            [(0x100, plugin.as_bytes()), (0x200, function.as_bytes()), (0x4000, input)]
        {
            lease.write("memory", at, bytes).unwrap();
        }
        [plugin.len(), function.len(), input.len()].map(|len| i32::try_from(len).unwrap())
    }

    /// Calls `plugin` with room for `cap` bytes.
    pub fn ask(&self, plugin: &str, function: &str, input: &[u8], cap: i32) -> Status {
        self.try_ask((plugin, function, input, cap), CallOptions::default()).unwrap()
    }

    pub fn try_ask(
        &self,
        (plugin, function, input, cap): (&str, &str, &[u8], i32),
        options: CallOptions,
    ) -> Result<Status, Error> {
        let [a, b, c] = self.place(plugin, function, input);
        self.plugin.call_with("ask", &[a, b, c, cap].map(WasmValue::I32), options)?;
        Ok(self.status())
    }

    /// The status of the last `ask`.
    pub fn status(&self) -> Status {
        self.plugin.lease().unwrap().global("status").unwrap().as_i32().unwrap()
    }

    /// Calls `plugin`, then `last_answer` with `(offset, out, out_cap)`; answers both statuses.
    pub fn ask_then(
        &self,
        (plugin, function, input, cap): (&str, &str, &[u8], i32),
        (offset, out, out_cap): (i32, i32, i32),
    ) -> (Status, Status) {
        let [a, b, c] = self.place(plugin, function, input);
        let args = [a, b, c, cap, offset, out, out_cap].map(WasmValue::I32);
        let last = self.plugin.call("ask_then", &args).unwrap()[0].as_i32().unwrap();
        (self.status(), last)
    }

    /// Calls `plugin`; answers the status and, after -7, the reason and the code.
    pub fn explain(&self, plugin: &str, function: &str, input: &[u8]) -> (Status, u32, i32) {
        let (status, last) = self.ask_then((plugin, function, input, 64), (0, LAST, 8));
        if status != -7 {
            return (status, 0, 0);
        }
        assert_eq!(last, 8);
        let bytes = self.bytes(u64::try_from(LAST).unwrap(), 8);
        let (reason, code) = bytes.split_at(4);
        (
            status,
            u32::from_le_bytes(reason.try_into().unwrap()),
            i32::from_le_bytes(code.try_into().unwrap()),
        )
    }

    pub fn bytes(&self, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.plugin.lease().unwrap().read("memory", at, &mut bytes).unwrap();
        bytes
    }

    pub fn clear(&self) {
        self.plugin.lease().unwrap().write("memory", ANSWER, &[0xaa; 0x10000]).unwrap();
    }
}
