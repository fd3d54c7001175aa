//! wasmtime, as an interpreter (Pulley) and as a JIT (Cranelift). Instances are allocated on demand.

use super::{Bytes, COUNTER, ECHO, Peer, exchange, must, round_robin};
use crate::{
    case::{Line, Run, Runtime},
    kernels::{self, Kernel},
    modules::Module,
};
use std::hint::black_box;
use wasmtime::{
    Caller, Config, Engine, Instance, InstancePre, Linker, Memory, Store, TypedFunc, WasmParams,
    WasmResults,
};

/// Fuel of a call: as much as no call here needs.
const FUEL: u64 = 1 << 50;

/// What wasmtime compiles for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Its own byte code, which it interprets.
    Pulley,
    /// This machine.
    Cranelift,
}

/// wasmtime, used in one way.
pub struct Wasmtime {
    target: Target,
    metered: bool,
    engine: Engine,
}

impl Wasmtime {
    /// An engine that compiles for `target` and meters fuel or not.
    pub fn new(target: Target, metered: bool) -> Self {
        let mut config = Config::new();
        config.consume_fuel(metered);
        if target == Target::Pulley {
            must(config.target("pulley64"));
        }
        Self { target, metered, engine: must(Engine::new(&config)) }
    }

    fn guest(&self, wasm: &[u8]) -> Guest {
        Guest::link(&self.prepare(wasm), self.metered)
    }

    fn prepare(&self, wasm: &[u8]) -> InstancePre<()> {
        let module = must(wasmtime::Module::new(&self.engine, wasm));
        let mut linker = Linker::new(&self.engine);
        must(linker.func_wrap("env", "nothing", |_: Caller<'_, ()>| {}));
        must(linker.func_wrap("env", "next", |_: Caller<'_, ()>, n: i32| n + 1));
        must(linker.instantiate_pre(&module))
    }
}

impl Peer for Wasmtime {
    fn line(&self) -> Line {
        let runtime = match self.target {
            Target::Pulley => Runtime::Pulley,
            Target::Cranelift => Runtime::Cranelift,
        };
        Line { runtime, how: if self.metered { "fuel" } else { "no fuel" } }
    }

    fn nop(&self) -> Option<Run> {
        let mut guest = self.guest(&Module::pages(1).wasm);
        let nop = guest.function::<i32, i64>("nop");
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(guest.call(&nop, black_box(7)), 7);
            }
        }))
    }

    fn add(&self) -> Option<Run> {
        let mut guest = self.guest(&film::guests::calls());
        let add = guest.function::<(i32, i32), i32>("add");
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(guest.call(&add, black_box((40, 2))), 42);
            }
        }))
    }

    fn echo(&self, bytes: usize) -> Option<Run> {
        Some(exchange(Echo::new(self.guest(ECHO)), bytes))
    }

    fn turns(&self, loop_name: &'static str) -> Option<Run> {
        let mut guest = self.guest(&film::guests::calls());
        let function = guest.function::<i32, i32>(loop_name);
        Some(Box::new(move |n| assert_eq!(guest.call(&function, n as i32), n as i32)))
    }

    fn instantiate(&self, module: &Module) -> Option<Run> {
        let prepared = self.prepare(&module.wasm);
        let metered = self.metered;
        Some(Box::new(move |n| {
            for _ in 0..n {
                let mut guest = Guest::link(&prepared, metered);
                let nop = guest.function::<i32, i64>("nop");
                assert_eq!(guest.call(&nop, black_box(7)), 7);
            }
        }))
    }

    /// With one engine for all, which gives the code of a module back when that is dropped.
    fn load(&self, module: &Module) -> Option<Run> {
        let (engine, wasm) = (self.engine.clone(), module.wasm.clone());
        Some(Box::new(move |n| {
            for _ in 0..n {
                let module = must(wasmtime::Module::new(&engine, &wasm[..]));
                assert!(black_box(module).exports().next().is_some());
            }
        }))
    }

    fn kernel(&self, kernel: &Kernel) -> Option<Run> {
        let mut guest = self.guest(kernels::WASM);
        let function = guest.function::<i32, i64>(kernel.name);
        let Kernel { argument, answer, .. } = *kernel;
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(guest.call(&function, black_box(argument)), answer);
            }
        }))
    }

    /// With one engine for all, and a module, a store and an instance each.
    fn tenants(&self, count: u32) -> Option<Run> {
        let tenant = |_| {
            let mut guest = self.guest(COUNTER);
            let get = guest.function::<(), i32>("get");
            assert_eq!(guest.call(&get, ()), 0);
            let increment = guest.function::<(), i32>("increment");
            (guest, increment)
        };
        let tenants = (0..count).map(tenant).collect();
        Some(round_robin(tenants, |(guest, increment)| guest.call(increment, ())))
    }
}

struct Guest {
    store: Store<()>,
    instance: Instance,
    metered: bool,
}

impl Guest {
    fn link(prepared: &InstancePre<()>, metered: bool) -> Self {
        let mut store = Store::new(prepared.module().engine(), ());
        if metered {
            must(store.set_fuel(FUEL));
        }
        let instance = must(prepared.instantiate(&mut store));
        Self { store, instance, metered }
    }

    fn function<P: WasmParams, R: WasmResults>(&mut self, name: &str) -> TypedFunc<P, R> {
        must(self.instance.get_typed_func(&mut self.store, name))
    }

    /// A call; with fuel set before it and read after it if the engine meters any.
    #[inline]
    fn call<P: WasmParams, R: WasmResults>(&mut self, function: &TypedFunc<P, R>, params: P) -> R {
        if !self.metered {
            return must(function.call(&mut self.store, params));
        }
        must(self.store.set_fuel(FUEL));
        let results = must(function.call(&mut self.store, params));
        black_box(FUEL - must(self.store.get_fuel()));
        results
    }
}

struct Echo {
    guest: Guest,
    memory: Memory,
    alloc: TypedFunc<i32, i32>,
    free: TypedFunc<(i32, i32), ()>,
    echo: TypedFunc<(i32, i32), i64>,
}

impl Echo {
    fn new(mut guest: Guest) -> Self {
        let memory = guest.instance.get_memory(&mut guest.store, "memory");
        let memory = must(memory.ok_or("no memory"));
        let (alloc, free) = (guest.function("soch_alloc"), guest.function("soch_free"));
        let echo = guest.function("echo");
        Self { guest, memory, alloc, free, echo }
    }
}

impl Bytes for Echo {
    fn alloc(&mut self, size: i32) -> i32 {
        self.guest.call(&self.alloc, size)
    }

    fn free(&mut self, ptr: i32, size: i32) {
        self.guest.call(&self.free, (ptr, size));
    }

    fn echo(&mut self, ptr: i32, len: i32) -> i64 {
        self.guest.call(&self.echo, (ptr, len))
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        must(self.memory.write(&mut self.guest.store, at, bytes));
    }

    fn read(&self, at: usize, bytes: &mut [u8]) {
        must(self.memory.read(&self.guest.store, at, bytes));
    }
}
