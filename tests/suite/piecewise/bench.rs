//! What these tests run: a guest with every way to wait, and a host that answers later.

use crate::support::{StepClock, all_granted, config, fixture};
use std::sync::Arc;
use wasm_runtime::{
    EmbeddedHost, Error, Grant, HostCall, HostCost, HostError, HostFunctionTable, PluginCall,
    Progress, WasmInstanceConfig, WasmPluginInstance, WasmPluginRegistry, WasmValue, WasmValues,
};

/// The functions that the fixture `waiter` imports: each answers later, under the ticket that the guest gives.
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

/// A registry with plugins of the fixture `waiter`, on a clock that a test moves.
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
        self.registry.load(name, &fixture("waiter"), config).unwrap();
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
