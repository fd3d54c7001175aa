//! wasmi by hand. Calls are those of [`film::raw`]; here is what that has no guest for.

use super::{Bytes, COUNTER, ECHO, FUEL, Peer, exchange, must, round_robin};
use crate::{
    case::{Line, Run, Runtime},
    groups::film_run,
    kernels::{self, Kernel},
    modules::Module,
};
use std::hint::black_box;
use wasmi::{
    Caller, CompilationMode, Config, Engine, Error, Instance, Linker, Memory, Store, TypedFunc,
    WasmParams, WasmResults,
};

/// wasmi by hand, used in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raw {
    /// Typed, fuel set before each call and read after it.
    Fuel,
    /// Typed, with whatever fuel there is.
    Bare,
    /// Typed and resumable, with fuel.
    Resumable,
    /// By name and with values, with fuel.
    ByName,
    /// In an engine that meters no fuel.
    Unmetered,
    /// Loaded with each function compiled when it is first called, but validated.
    LazilyTranslated,
    /// Loaded with each function compiled and validated when it is first called.
    Lazy,
}

impl Peer for Raw {
    fn line(&self) -> Line {
        let how = match self {
            Self::Fuel => "fuel",
            Self::Bare => "fuel neither set nor read",
            Self::Resumable => "resumable, fuel",
            Self::ByName => "by name, fuel",
            Self::Unmetered => "no fuel",
            Self::LazilyTranslated => "lazily translated",
            Self::Lazy => "lazy",
        };
        Line { runtime: Runtime::Raw, how }
    }

    fn nop(&self) -> Option<Run> {
        if *self != Self::Fuel {
            return None;
        }
        let mut guest = Guest::new(&Module::pages(1).wasm, true);
        let nop = guest.function::<i32, i64>("nop");
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(guest.call(nop, black_box(7)), 7);
            }
        }))
    }

    fn add(&self) -> Option<Run> {
        Some(film_run(match self {
            Self::Fuel => "raw call",
            Self::Bare => "raw bare",
            Self::Resumable => "raw resumable",
            Self::ByName => "raw by name",
            _ => return None,
        }))
    }

    fn echo(&self, bytes: usize) -> Option<Run> {
        (*self == Self::Fuel).then(|| exchange(Echo::new(Guest::new(ECHO, true)), bytes))
    }

    fn turns(&self, loop_name: &'static str) -> Option<Run> {
        Some(film_run(match loop_name {
            "empty" => "raw loop",
            "nothing" => "raw nothing",
            _ => "raw next",
        }))
    }

    fn instantiate(&self, module: &Module) -> Option<Run> {
        let engine = engine(true, CompilationMode::Eager);
        let module = must(wasmi::Module::new(&engine, &module.wasm));
        let linker = linker(&engine);
        Some(Box::new(move |n| {
            for _ in 0..n {
                let mut guest = Guest::link(&engine, &linker, &module, true);
                let nop = guest.function::<i32, i64>("nop");
                assert_eq!(guest.call(nop, black_box(7)), 7);
            }
        }))
    }

    /// With an engine each, as an engine keeps the code of every module that it ever had.
    fn load(&self, module: &Module) -> Option<Run> {
        let mode = match self {
            Self::Lazy => CompilationMode::Lazy,
            Self::LazilyTranslated => CompilationMode::LazyTranslation,
            _ => CompilationMode::Eager,
        };
        let wasm = module.wasm.clone();
        Some(Box::new(move |n| {
            for _ in 0..n {
                let module = must(wasmi::Module::new(&engine(true, mode), &wasm[..]));
                assert!(black_box(module).exports().next().is_some());
            }
        }))
    }

    fn kernel(&self, kernel: &Kernel) -> Option<Run> {
        let mut guest = Guest::new(kernels::WASM, *self != Self::Unmetered);
        let function = guest.function::<i32, i64>(kernel.name);
        let Kernel { argument, answer, .. } = *kernel;
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(guest.call(function, black_box(argument)), answer);
            }
        }))
    }

    /// With an engine, a module, a store and an instance each.
    fn tenants(&self, count: u32) -> Option<Run> {
        let tenant = |_| {
            let mut guest = Guest::new(COUNTER, true);
            assert_eq!(guest.call(guest.function::<(), i32>("get"), ()), 0);
            let increment = guest.function::<(), i32>("increment");
            (guest, increment)
        };
        let tenants = (0..count).map(tenant).collect();
        Some(round_robin(tenants, |(guest, increment)| guest.call(*increment, ())))
    }
}

/// An instance of any of the modules here.
pub(crate) struct Guest {
    store: Store<()>,
    instance: Instance,
    metered: bool,
}

impl Guest {
    pub(crate) fn new(wasm: &[u8], metered: bool) -> Self {
        let engine = engine(metered, CompilationMode::Eager);
        let module = must(wasmi::Module::new(&engine, wasm));
        Self::link(&engine, &linker(&engine), &module, metered)
    }

    pub(crate) fn link(
        engine: &Engine,
        linker: &Linker<()>,
        module: &wasmi::Module,
        metered: bool,
    ) -> Self {
        let mut store = Store::new(engine, ());
        if metered {
            must(store.set_fuel(FUEL));
        }
        let instance = must(linker.instantiate_and_start(&mut store, module));
        Self { store, instance, metered }
    }

    pub(crate) fn function<P: WasmParams, R: WasmResults>(&self, name: &str) -> TypedFunc<P, R> {
        must(self.instance.get_typed_func(&self.store, name))
    }

    /// A call; with fuel set before it and read after it if the engine meters any.
    #[inline]
    pub(crate) fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        function: TypedFunc<P, R>,
        params: P,
    ) -> R {
        if !self.metered {
            return must(function.call(&mut self.store, params));
        }
        must(self.store.set_fuel(FUEL));
        let results = must(function.call(&mut self.store, params));
        black_box(FUEL - must(self.store.get_fuel()));
        results
    }
}

pub(crate) fn engine(metered: bool, mode: CompilationMode) -> Engine {
    let mut config = Config::default();
    config.consume_fuel(metered);
    config.compilation_mode(mode);
    Engine::new(&config)
}

pub(crate) fn linker(engine: &Engine) -> Linker<()> {
    let mut linker = Linker::new(engine);
    must(linker.func_wrap("env", "nothing", |_: Caller<'_, ()>| Ok::<_, Error>(())));
    must(linker.func_wrap("env", "next", |_: Caller<'_, ()>, n: i32| Ok::<_, Error>(n + 1)));
    linker
}

struct Echo {
    guest: Guest,
    memory: Memory,
    alloc: TypedFunc<i32, i32>,
    free: TypedFunc<(i32, i32), ()>,
    echo: TypedFunc<(i32, i32), i64>,
}

impl Echo {
    fn new(guest: Guest) -> Self {
        let memory = must(guest.instance.get_memory(&guest.store, "memory").ok_or("no memory"));
        let (alloc, free) = (guest.function("soch_alloc"), guest.function("soch_free"));
        let echo = guest.function("echo");
        Self { guest, memory, alloc, free, echo }
    }
}

impl Bytes for Echo {
    fn alloc(&mut self, size: i32) -> i32 {
        must(self.guest.store.set_fuel(FUEL));
        must(self.alloc.call(&mut self.guest.store, size))
    }

    fn free(&mut self, ptr: i32, size: i32) {
        must(self.free.call(&mut self.guest.store, (ptr, size)));
        black_box(must(self.guest.store.get_fuel()));
    }

    fn echo(&mut self, ptr: i32, len: i32) -> i64 {
        must(self.echo.call(&mut self.guest.store, (ptr, len)))
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        must(self.memory.write(&mut self.guest.store, at, bytes));
    }

    fn read(&self, at: usize, bytes: &mut [u8]) {
        must(self.memory.read(&self.guest.store, at, bytes));
    }
}
