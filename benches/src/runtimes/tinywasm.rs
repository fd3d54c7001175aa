//! tinywasm, without fuel: its only metered calls are its resumable ones.

use super::{Bytes, COUNTER, ECHO, Peer, exchange, must, round_robin};
use crate::{
    case::{Line, Run, Runtime},
    kernels::{self, Kernel},
    modules::Module,
};
use std::hint::black_box;
use tinywasm::{
    FuncContext, FunctionTyped, HostFunction, Imports, Memory, ModuleInstance, Store, parse_bytes,
};

/// tinywasm.
pub struct Tinywasm;

impl Peer for Tinywasm {
    fn line(&self) -> Line {
        Line { runtime: Runtime::Tinywasm, how: "no fuel" }
    }

    fn nop(&self) -> Option<Run> {
        let mut guest = Guest::new(&Module::pages(1).wasm);
        let nop = must(guest.instance.func::<i32, i64>(&guest.store, "nop"));
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(must(nop.call(&mut guest.store, black_box(7))), 7);
            }
        }))
    }

    fn add(&self) -> Option<Run> {
        let mut guest = Guest::new(&film::guests::calls());
        let add = must(guest.instance.func::<(i32, i32), i32>(&guest.store, "add"));
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(must(add.call(&mut guest.store, black_box((40, 2)))), 42);
            }
        }))
    }

    fn echo(&self, bytes: usize) -> Option<Run> {
        Some(exchange(Echo::new(Guest::new(ECHO)), bytes))
    }

    fn turns(&self, loop_name: &'static str) -> Option<Run> {
        let mut guest = Guest::new(&film::guests::calls());
        let function = must(guest.instance.func::<i32, i32>(&guest.store, loop_name));
        Some(Box::new(move |n| {
            assert_eq!(must(function.call(&mut guest.store, n as i32)), n as i32);
        }))
    }

    fn instantiate(&self, module: &Module) -> Option<Run> {
        let module = must(parse_bytes(&module.wasm));
        Some(Box::new(move |n| {
            for _ in 0..n {
                let mut guest = Guest::link(&module);
                let nop = must(guest.instance.func::<i32, i64>(&guest.store, "nop"));
                assert_eq!(must(nop.call(&mut guest.store, black_box(7))), 7);
            }
        }))
    }

    fn load(&self, module: &Module) -> Option<Run> {
        let wasm = module.wasm.clone();
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert!(!black_box(must(parse_bytes(&wasm))).exports.is_empty());
            }
        }))
    }

    fn kernel(&self, kernel: &Kernel) -> Option<Run> {
        let mut guest = Guest::new(kernels::WASM);
        let function = must(guest.instance.func::<i32, i64>(&guest.store, kernel.name));
        let Kernel { argument, answer, .. } = *kernel;
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(must(function.call(&mut guest.store, black_box(argument))), answer);
            }
        }))
    }

    /// With a module, a store and an instance each.
    fn tenants(&self, count: u32) -> Option<Run> {
        let tenant = |_| {
            let mut guest = Guest::new(COUNTER);
            let get = must(guest.instance.func::<(), i32>(&guest.store, "get"));
            assert_eq!(must(get.call(&mut guest.store, ())), 0);
            let increment = must(guest.instance.func::<(), i32>(&guest.store, "increment"));
            (guest, increment)
        };
        let tenants = (0..count).map(tenant).collect();
        Some(round_robin(tenants, |(guest, increment): &mut (Guest, FunctionTyped<(), i32>)| {
            must(increment.call(&mut guest.store, ()))
        }))
    }
}

struct Guest {
    store: Store,
    instance: ModuleInstance,
}

impl Guest {
    fn new(wasm: &[u8]) -> Self {
        Self::link(&must(parse_bytes(wasm)))
    }

    /// Host functions belong to a store: they are made anew for each.
    fn link(module: &tinywasm::Module) -> Self {
        let mut store = Store::default();
        let nothing = HostFunction::from(&mut store, |_: FuncContext<'_>, (): ()| Ok(()));
        let next = HostFunction::from(&mut store, |_: FuncContext<'_>, n: i32| Ok(n + 1));
        let mut imports = Imports::new();
        imports.define("env", "nothing", nothing).define("env", "next", next);
        let instance = must(ModuleInstance::instantiate(&mut store, module, Some(imports)));
        Self { store, instance }
    }
}

struct Echo {
    guest: Guest,
    memory: Memory,
    alloc: FunctionTyped<i32, i32>,
    free: FunctionTyped<(i32, i32), ()>,
    echo: FunctionTyped<(i32, i32), i64>,
}

impl Echo {
    fn new(guest: Guest) -> Self {
        let (store, instance) = (&guest.store, &guest.instance);
        let memory = must(instance.memory("memory"));
        let alloc = must(instance.func(store, "soch_alloc"));
        let free = must(instance.func(store, "soch_free"));
        let echo = must(instance.func(store, "echo"));
        Self { guest, memory, alloc, free, echo }
    }
}

impl Bytes for Echo {
    fn alloc(&mut self, size: i32) -> i32 {
        must(self.alloc.call(&mut self.guest.store, size))
    }

    fn free(&mut self, ptr: i32, size: i32) {
        must(self.free.call(&mut self.guest.store, (ptr, size)));
    }

    fn echo(&mut self, ptr: i32, len: i32) -> i64 {
        must(self.echo.call(&mut self.guest.store, (ptr, len)))
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        must(self.memory.copy_from_slice(&mut self.guest.store, at, bytes));
    }

    fn read(&self, at: usize, bytes: &mut [u8]) {
        must(self.memory.read_exact(&self.guest.store, at, bytes));
    }
}
