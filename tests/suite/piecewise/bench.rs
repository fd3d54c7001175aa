//! What these tests run: a guest with every way to wait, and a host that answers later.

use crate::support::{StepClock, all_granted, config, wat};
use std::sync::{Arc, OnceLock};
use wasm_runtime::{
    EmbeddedHost, Error, Grant, HostCall, HostCost, HostError, HostFunctionTable, PluginCall,
    Progress, WasmInstanceConfig, WasmPluginInstance, WasmPluginRegistry, WasmValue, WasmValues,
};

/// A guest that waits for its host in every way.
pub const WAITER: &str = r#"(module
  (import "env" "later" (func $later (param i32 i32 i32) (result i32)))
  (import "env" "later_f64" (func $later_f64 (param i32) (result f64)))
  (import "env" "later_nothing" (func $later_nothing (param i32)))
  (import "soch_v1" "call_plugin"
    (func $call_plugin (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x100) "waiter-b") (data (i32.const 0x200) "wait_bytes")
  (data (i32.const 0x280) "spin_bytes")
  (data (i32.const 0x110) "waiter-c")
  (global $turns (export "turns") (mut i32) (i32.const 0))
  (export "direct" (func $later))
  (func (export "wait") (param $ticket i32) (result i32)
    (i32.add (i32.const 1000) (call $later (local.get $ticket) (i32.const 0x1000) (i32.const 8))))
  (func (export "wait_in_tail_call") (param $ticket i32) (result i32)
    (return_call $later (local.get $ticket) (i32.const 0x1000) (i32.const 8)))
  (func $tail (param $ticket i32) (result i32)
    (return_call $later (local.get $ticket) (i32.const 0x1000) (i32.const 8)))
  (func (export "wait_below_tail_call") (param $ticket i32) (result i32)
    (local $kept i32)
    (local.set $kept (i32.mul (local.get $ticket) (i32.const 10)))
    (i32.add (local.get $kept) (call $tail (local.get $ticket))))
  (func (export "wait_f64") (param $ticket i32) (result f64)
    (f64.mul (f64.const 2) (call $later_f64 (local.get $ticket))))
  (func (export "wait_for_nothing") (param $ticket i32) (result i32)
    (call $later_nothing (local.get $ticket)) (i32.const 5))
  (func (export "wait_often") (param $times i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum)
        (call $later (local.get $times) (i32.const 0x1000) (i32.const 8))))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $sum))
  (func (export "wait_outside") (param $ticket i32) (result i32)
    (call $later (local.get $ticket) (i32.const -8) (i32.const 8)))
  (func $spin (export "spin") (param $turns i32) (result i32)
    (local $i i32)
    (loop $again
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (global.set $turns (local.get $i))
      (br_if $again (i32.ne (local.get $i) (local.get $turns))))
    (local.get $i))
  (func (export "trap") (unreachable))
  (func (export "soch_alloc") (param $len i32) (result i32) (i32.const 0x4000))
  ;; Answers its input, after having waited for ticket 7.
  (func (export "wait_bytes") (param $ptr i32) (param $len i32) (result i64)
    (drop (call $later (i32.const 7) (i32.const 0x1000) (i32.const 8)))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
            (i64.extend_i32_u (local.get $len))))
  ;; Answers its input, after as many turns as its first word says.
  (func (export "spin_bytes") (param $ptr i32) (param $len i32) (result i64)
    (drop (call $spin (i32.load (local.get $ptr))))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
            (i64.extend_i32_u (local.get $len))))
  ;; Has `waiter-b` spin, and answers how long its answer was, and one more for each own turn.
  (func $ask (export "ask_to_spin") (param $turns i32) (result i32)
    (i32.store (i32.const 0x300) (local.get $turns))
    (i32.add (call $spin (i32.const 3))
      (call $call_plugin (i32.const 0x100) (i32.const 8) (i32.const 0x280) (i32.const 10)
        (i32.const 0x300) (i32.const 4) (i32.const 0x2000) (i32.const 64))))
  (func (export "ask_to_wait") (result i32)
    (i32.store (i32.const 0x300) (i32.const 0x01020304))
    (i32.add (i32.const 100)
      (call $call_plugin (i32.const 0x100) (i32.const 8) (i32.const 0x200) (i32.const 10)
        (i32.const 0x300) (i32.const 4) (i32.const 0x2000) (i32.const 64))))
  (func (export "ask_forever")
    (loop $again (drop (call $ask (i32.const 10))) (br $again)))
  ;; Has `waiter-c` spin for ever.
  (func (export "relay") (param $ptr i32) (param $len i32) (result i64)
    (i64.extend_i32_s
      (call $call_plugin (i32.const 0x110) (i32.const 8) (i32.const 0x280) (i32.const 10)
        (local.get $ptr) (local.get $len) (i32.const 0x2000) (i32.const 64)))))"#;

/// The functions of [`WAITER`]: each answers later, under the ticket that the guest gives.
pub fn table() -> HostFunctionTable<EmbeddedHost> {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let cost = HostCost::default();
    table
        .define(
            "env",
            "later",
            Grant::Always,
            cost,
            |call: &mut HostCall<'_, EmbeddedHost>,
             ticket: i32,
             out: i32,
             cap: i32|
             -> Result<i32, HostError> {
                call.split([], (out, cap))?;
                Err(pending(ticket))
            },
        )
        .unwrap();
    table
        .define(
            "env",
            "later_f64",
            Grant::Always,
            cost,
            |_call: &mut HostCall<'_, EmbeddedHost>, ticket: i32| -> Result<f64, HostError> {
                Err(pending(ticket))
            },
        )
        .unwrap();
    table
        .define(
            "env",
            "later_nothing",
            Grant::Always,
            cost,
            |_call: &mut HostCall<'_, EmbeddedHost>, ticket: i32| -> Result<(), HostError> {
                Err(pending(ticket))
            },
        )
        .unwrap();
    table
}

fn pending(ticket: i32) -> HostError {
    HostError::Pending(u64::from(ticket.cast_unsigned()))
}

/// A registry with plugins of [`WAITER`], on a clock that a test moves.
pub struct Bench {
    pub registry: WasmPluginRegistry,
    pub clock: StepClock,
}

impl Bench {
    pub fn new() -> Self {
        let clock = StepClock::default();
        let builder = WasmPluginRegistry::builder().functions(table()).clock(clock.clone());
        Self { registry: builder.build().unwrap(), clock }
    }

    pub fn load(&self, name: &str, config: WasmInstanceConfig) -> Arc<WasmPluginInstance> {
        static WASM: OnceLock<Vec<u8>> = OnceLock::new();
        self.registry.load(name, WASM.get_or_init(|| wat(WAITER)), config).unwrap();
        self.registry.get(name).unwrap()
    }

    /// One waiter with everything granted.
    pub fn waiter() -> (Self, Arc<WasmPluginInstance>) {
        let bench = Self::new();
        let plugin = bench.load("waiter", granted());
        (bench, plugin)
    }
}

/// Everything granted, no timeout, one sandbox.
pub fn granted() -> WasmInstanceConfig {
    WasmInstanceConfig { max_instances: 1, ..config(all_granted()) }
}

/// The same with a timeout of 10 ms.
pub fn timed() -> WasmInstanceConfig {
    let mut config = granted();
    config.capabilities.timeout_ms = 10;
    config
}

pub fn args(args: &[i32]) -> Vec<WasmValue> {
    args.iter().copied().map(WasmValue::I32).collect()
}

/// Runs a call to its end or to where it waits, by so much fuel at a time.
pub fn run_on(call: &mut PluginCall, fuel: u64) -> Result<Progress, Error> {
    loop {
        match call.run(fuel)? {
            Progress::Running => {}
            progress => return Ok(progress),
        }
    }
}

/// The results of a call that does not wait.
pub fn finish(call: &mut PluginCall, fuel: u64) -> Result<WasmValues, Error> {
    match run_on(call, fuel)? {
        Progress::Finished(values) => Ok(values),
        progress => panic!("{progress:?}"),
    }
}

/// The one `i32` that a call ends with.
pub fn finish_i32(call: &mut PluginCall, fuel: u64) -> i32 {
    finish(call, fuel).unwrap()[0].as_i32().unwrap()
}
