//! This library.

use super::{COUNTER, ECHO, Peer, message, must, round_robin};
use crate::{
    case::{Line, Run, Runtime, film_run},
    kernels::{self, Kernel},
    modules::Module,
};
use film::ours::{default_config, long_config};
use std::hint::black_box;
use wasm_runtime::{
    Compilation, Progress, ResetPolicy, WasmInstanceConfig, WasmPluginRegistry, WasmValue,
};

/// This library, used in one way. Fuel, limits and statistics are on in all of them, and the
/// deadline of 100 ms in all that do not say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ours {
    /// Typed, through a lease.
    Lease,
    /// The same without a deadline.
    LeaseUntimed,
    /// Typed, in a sandbox of the pool.
    Pool,
    /// The same without a deadline.
    PoolUntimed,
    /// By the function's name.
    ByName,
    /// By the plugin's and the function's name.
    ByNames,
    /// Each call in a sandbox of its own.
    Fresh,
    /// Loaded with all functions compiled.
    Eager,
    /// Loaded with no function compiled.
    Lazy,
    /// With as much fuel and time as there is.
    Long,
    /// With as much fuel as there is, and no deadline.
    LongUntimed,
    /// The same as `Long`, left each time so much fuel is spent, and gone on with.
    Pieces(u64),
    /// As it comes.
    Default,
}

impl Peer for Ours {
    fn line(&self) -> Line {
        let how = match self {
            Self::Lease => "lease",
            Self::LeaseUntimed => "lease, no deadline",
            Self::Pool => "pool",
            Self::PoolUntimed => "pool, no deadline",
            Self::ByName => "by function name",
            Self::ByNames => "by plugin and function name",
            Self::Fresh => "fresh sandbox",
            Self::Eager => "eager",
            Self::Lazy => "lazy",
            Self::Long => "fuel, slices, deadline",
            Self::LongUntimed => "fuel, slices",
            Self::Pieces(100_000) => "`run(100_000)`",
            Self::Pieces(10_007) => "`run(10_007)`",
            Self::Pieces(_) => "`run`",
            Self::Default => "",
        };
        Line { runtime: Runtime::Ours, how }
    }

    fn nop(&self) -> Option<Run> {
        if *self != Self::Lease {
            return None;
        }
        let ours = film::ours::Ours::new(&Module::pages(1).wasm, default_config());
        let nop = must(ours.plugin.function::<i32, i64>("nop"));
        let mut lease = must(ours.plugin.lease_owned());
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(must(nop.call_in(&mut lease, black_box(7))), 7);
            }
        }))
    }

    fn add(&self) -> Option<Run> {
        Some(film_run(match self {
            Self::Lease => "ours lease",
            Self::LeaseUntimed => "ours lease, no timeout",
            Self::Pool => "ours pool",
            Self::PoolUntimed => "ours pool, no timeout",
            Self::ByName => "ours plugin by name",
            Self::ByNames => "ours by name",
            _ => return None,
        }))
    }

    fn echo(&self, bytes: usize) -> Option<Run> {
        if *self != Self::Lease {
            return None;
        }
        let ours = film::ours::Ours::new(ECHO, default_config());
        let mut lease = must(ours.plugin.lease_owned());
        let (input, mut output) = (message(bytes), message(bytes));
        Some(Box::new(move |n| {
            for _ in 0..n {
                output.fill(0);
                let answered = must(lease.call_bytes_into("echo", &input, &mut output));
                assert_eq!((answered, &output), (input.len(), &input));
            }
        }))
    }

    fn turns(&self, loop_name: &'static str) -> Option<Run> {
        Some(film_run(match loop_name {
            "empty" => "ours loop",
            "nothing" => "ours nothing",
            _ => "ours next",
        }))
    }

    fn instantiate(&self, module: &Module) -> Option<Run> {
        let config = WasmInstanceConfig { reset: ResetPolicy::AfterCall, ..default_config() };
        let ours = film::ours::Ours::new(&module.wasm, config);
        let nop = must(ours.plugin.function::<i32, i64>("nop"));
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(must(nop.call(black_box(7))), 7);
            }
        }))
    }

    /// Loads and unloads.
    fn load(&self, module: &Module) -> Option<Run> {
        let compilation = match self {
            Self::Lazy => Compilation::Lazy,
            _ => Compilation::Eager,
        };
        let config = WasmInstanceConfig { compilation, ..default_config() };
        let ours = film::ours::Ours::new(ECHO, default_config());
        let wasm = module.wasm.clone();
        Some(Box::new(move |n| {
            for _ in 0..n {
                must(ours.registry.load("loaded", &wasm, config.clone()));
                assert_eq!(ours.registry.count(), 2);
                must(ours.registry.unload("loaded"));
            }
        }))
    }

    fn kernel(&self, kernel: &Kernel) -> Option<Run> {
        let mut config = long_config();
        config.capabilities.timeout_ms = match self {
            Self::LongUntimed => 0,
            _ => 3_600_000,
        };
        let ours = film::ours::Ours::new(kernels::WASM, config);
        let Kernel { name, argument, answer, .. } = *kernel;
        if let Self::Pieces(fuel) = *self {
            return Some(Box::new(move |n| {
                for _ in 0..n {
                    let args = [WasmValue::I32(black_box(argument))];
                    let mut call = must(ours.plugin.start(name, &args));
                    let results = loop {
                        match must(call.run(fuel)) {
                            Progress::Finished(results) => break results,
                            Progress::Running => {}
                            Progress::Suspended(_) => panic!("it waits for nobody"),
                        }
                    };
                    assert_eq!(*results, [WasmValue::I64(answer)]);
                }
            }));
        }
        let function = must(ours.plugin.function::<i32, i64>(name));
        let mut lease = must(ours.plugin.lease_owned());
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(must(function.call_in(&mut lease, black_box(argument))), answer);
            }
        }))
    }

    /// In one registry, each of a tenant of its own, with the sandbox that its first call makes.
    fn tenants(&self, count: u32) -> Option<Run> {
        let registry = WasmPluginRegistry::new();
        let tenant = |number: u32| {
            let name = format!("counter{number}");
            let tenant = format!("tenant{number}");
            let config = WasmInstanceConfig { tenant, ..WasmInstanceConfig::default() };
            must(registry.load(&name, COUNTER, config));
            let plugin = must(registry.get(&name).ok_or("not loaded"));
            let get = must(plugin.function::<(), i32>("get"));
            assert_eq!(must(get.call(())), 0);
            must(plugin.function::<(), i32>("increment"))
        };
        let tenants: Vec<_> = (0..count).map(tenant).collect();
        let mut calls = round_robin(tenants, |increment| must(increment.call(())));
        Some(Box::new(move |n| {
            assert_eq!(registry.count(), count as usize);
            calls(n);
        }))
    }
}
