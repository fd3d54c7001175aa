//! wasmi as an experienced embedder writes it by hand: the baseline of every ratio.
//!
//! Functions and the memory are looked up once and kept; fuel is set before each call and read after
//! it; host functions are made with `func_wrap` and find what they need in the store's data.

use crate::guests;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::{collections::BTreeMap, hash::BuildHasher};
use wasmi::{
    Caller, Config, Engine, Error, Func, Instance, Linker, Memory, Store, TypedResumableCall, Val,
    WasmParams, WasmResults,
};

pub use wasmi::{CompilationMode, Module, TypedFunc};

/// Fuel of a call: as much as no call here needs.
const FUEL: u64 = 1 << 40;

/// Whether an engine counts what its guests spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fuel {
    /// It does, and stops them.
    Metered,
    /// It does not: they are called with [`Raw::bare`].
    Unmetered,
}

/// Compiles a module in an engine of its own.
pub fn compile(wasm: &[u8], fuel: Fuel, mode: CompilationMode) -> Module {
    let mut config = Config::default();
    config.consume_fuel(fuel == Fuel::Metered);
    config.compilation_mode(mode);
    must(Module::new(&Engine::new(&config), wasm))
}

/// A module and its linker, to be instantiated any number of times.
pub struct Prepared {
    module: Module,
    linker: Linker<Data>,
    fuel: Fuel,
}

impl Prepared {
    /// Compiles eagerly, in an engine of its own.
    pub fn new(wasm: &[u8], fuel: Fuel) -> Self {
        let module = compile(wasm, fuel, CompilationMode::Eager);
        let linker = linker(module.engine());
        Self { module, linker, fuel }
    }

    /// An instance in a store of its own.
    pub fn instantiate(&self) -> Raw {
        let mut store = Store::new(self.module.engine(), Data::default());
        if self.fuel == Fuel::Metered {
            must(store.set_fuel(FUEL));
        }
        let instance = must(self.linker.instantiate_and_start(&mut store, &self.module));
        store.data_mut().memory = instance.get_memory(&store, "memory");
        Raw { store, instance }
    }
}

/// An instance, and the functions of it that are called.
pub struct Raw {
    store: Store<Data>,
    instance: Instance,
}

impl Raw {
    /// An instance of [`guests::calls`].
    pub fn calls() -> Self {
        Self::new(&guests::calls(), Fuel::Metered)
    }

    /// An instance of [`guests::metrics`].
    pub fn metrics() -> Self {
        Self::new(&guests::metrics(), Fuel::Metered)
    }

    /// Compiles eagerly in an engine of its own, links and instantiates.
    pub fn new(wasm: &[u8], fuel: Fuel) -> Self {
        Prepared::new(wasm, fuel).instantiate()
    }

    /// Looks a function up.
    pub fn function<P: WasmParams, R: WasmResults>(&self, name: &str) -> TypedFunc<P, R> {
        must(self.instance.get_typed_func(&self.store, name))
    }

    /// Sets the fuel of what is called next.
    #[inline]
    pub fn refuel(&mut self) {
        must(self.store.set_fuel(FUEL));
    }

    /// What was spent since the fuel was set.
    #[inline]
    pub fn spent(&self) -> u64 {
        FUEL - must(self.store.get_fuel())
    }

    /// wasmi's bare call: whatever fuel is left, nothing set, nothing read.
    #[inline]
    pub fn bare<P: WasmParams, R: WasmResults>(
        &mut self,
        function: TypedFunc<P, R>,
        params: P,
    ) -> R {
        must(function.call(&mut self.store, params))
    }

    /// A call with fuel: set before, read after. Returns the results and what was spent.
    #[inline]
    pub fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        function: TypedFunc<P, R>,
        params: P,
    ) -> (R, u64) {
        self.refuel();
        let results = self.bare(function, params);
        (results, self.spent())
    }

    /// The same through `call_resumable`, for a call that can be stopped and go on.
    #[inline]
    pub fn call_resumable<P: WasmParams, R: WasmResults>(
        &mut self,
        function: TypedFunc<P, R>,
        params: P,
    ) -> (R, u64) {
        self.refuel();
        match must(function.call_resumable(&mut self.store, params)) {
            TypedResumableCall::Finished(results) => (results, self.spent()),
            _ => panic!("it was stopped"),
        }
    }

    /// A call with fuel by the function's name, with values.
    #[inline]
    pub fn call_by_name(&mut self, name: &str, args: &[Val], results: &mut [Val]) -> u64 {
        self.refuel();
        let function: Func = must(self.instance.get_func(&self.store, name).ok_or("no function"));
        must(function.call(&mut self.store, args, results));
        self.spent()
    }

    /// Copies bytes into the memory.
    #[inline]
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        must(self.memory().write(&mut self.store, at, bytes));
    }

    /// Copies bytes out of the memory.
    #[inline]
    pub fn read(&self, at: usize, bytes: &mut [u8]) {
        must(self.memory().read(&self.store, at, bytes));
    }

    #[inline]
    fn memory(&self) -> Memory {
        must(self.store.data().memory.ok_or("no memory"))
    }
}

/// What the host functions work on.
#[derive(Default)]
pub struct Data {
    memory: Option<Memory>,
    counters: HashTable<Counter>,
    hasher: DefaultHashBuilder,
}

/// A metric that was counted up.
struct Counter {
    /// The name and behind it the labels, in one allocation.
    key: Box<[u8]>,
    name_len: usize,
    value: f64,
}

impl Counter {
    #[inline]
    fn parts(&self) -> (&[u8], &[u8]) {
        self.key.split_at(self.name_len)
    }
}

/// The functions of the embedder, and the one of the library's that is compared.
fn linker(engine: &Engine) -> Linker<Data> {
    let mut linker = Linker::new(engine);
    must(linker.func_wrap("env", "nothing", |_: Caller<'_, Data>| Ok::<_, Error>(())));
    must(linker.func_wrap("env", "next", |_: Caller<'_, Data>, n: i32| Ok::<_, Error>(n + 1)));
    must(linker.func_wrap("soch_v1", "emit_metric", emit_metric));
    linker
}

/// Bounds checked, name hashed, counter counted up: what an embedder writes who needs no more.
fn emit_metric(
    mut caller: Caller<'_, Data>,
    _kind: i32,
    name: i32,
    name_len: i32,
    value: f64,
    labels: i32,
    labels_len: i32,
) -> Result<i32, Error> {
    let memory = caller.data().memory.ok_or_else(|| Error::new("no memory"))?;
    let (memory, data) = memory.data_and_store_mut(&mut caller);
    let name = bytes(memory, name, name_len)?;
    let labels = bytes(memory, labels, labels_len)?;
    let hash = data.hasher.hash_one((name, labels));
    match data.counters.find_mut(hash, |known| known.parts() == (name, labels)) {
        Some(known) => known.value += value,
        None => {
            let key = [name, labels].concat().into();
            let new = Counter { key, name_len: name.len(), value };
            let hasher = &data.hasher;
            data.counters.insert_unique(hash, new, |known| hasher.hash_one(known.parts()));
        }
    }
    Ok(0)
}

/// The bytes that a guest points at.
#[inline]
fn bytes(memory: &[u8], ptr: i32, len: i32) -> Result<&[u8], Error> {
    memory
        .get(ptr as u32 as usize..)
        .and_then(|rest| rest.get(..len as u32 as usize))
        .ok_or_else(|| Error::new("out of bounds"))
}

/// The rows that a host keeps, in the plainest ordered map.
pub struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

impl Rows {
    /// `count` rows with keys from 0 on.
    pub fn new(count: u64) -> Self {
        Self((0..count).map(|row| (row.to_be_bytes().into(), crate::row())).collect())
    }

    /// A direct look-up, and nothing else.
    #[inline(never)]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice)
    }
}

/// A baseline that fails has nothing to say.
#[track_caller]
fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
