//! A guest that passes any arguments on to any host function, and the ordinary call of each.

use std::sync::Arc;
use wasm_runtime::{
    Distance, EmbeddedHost, Error, Host, HostCall, HostCost, HostError, HostFunctionTable,
    IndexKey, WasmInstanceConfig, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

use crate::support::{all_granted, config, fixture};

/// The size of the guest's memory.
pub const SIZE: i32 = 2 << 16;
/// Where the ordinary calls have their arguments, and room for answers.
pub const TABLE: (i32, i32) = (256, 5);
pub const KEY: (i32, i32) = (512, 3);
pub const VALUE: (i32, i32) = (768, 4);
pub const PLUGIN: (i32, i32) = (1024, 4);
pub const LABELS: (i32, i32) = (1280, 10);
/// A query, in components.
pub const QUERY: (i32, i32) = (1536, 2);
pub const LOW: (i32, i32) = (1792, 3);
pub const HIGH: (i32, i32) = (1920, 3);
pub const OUT: (i32, i32) = (8192, 64);

/// The id of the row that the ordinary searches find.
pub const ROW_ID: u64 = 7;

/// One host function and a call of it that succeeds.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    /// Pointers and lengths, in the order of the parameters.
    pub pairs: &'static [(i32, i32)],
    /// How many of the pairs, from the first on, are names.
    pub names: usize,
    /// Which of the pairs is the output.
    pub output: Option<usize>,
    /// What the ordinary call answers.
    pub answer: i32,
    /// What it is charged: base, and everything after the checks.
    pub base: u64,
    pub variable: u64,
}

const fn function(
    name: &'static str,
    pairs: &'static [(i32, i32)],
    (names, output): (usize, Option<usize>),
    answer: i32,
    (base, variable): (u64, u64),
) -> Function {
    Function { name, pairs, names, output, answer, base, variable }
}

/// Every host function that an `EmbeddedHost` has storage for.
pub static FUNCTIONS: [Function; 12] = [
    // Key, value.
    function("soch_read", &[TABLE, KEY, OUT], (1, Some(2)), 3, (200, 4)),
    // Key, one row, its bytes.
    function("soch_scan", &[TABLE, KEY, OUT], (1, Some(2)), 14, (200, 16)),
    function("soch_write", &[TABLE, KEY, VALUE], (1, None), 1, (300, 4)),
    function("soch_delete", &[TABLE, KEY], (1, None), 1, (200, 2)),
    // Name, labels.
    function("emit_metric", &[TABLE, LABELS], (1, None), 0, (200, 4)),
    function("log_message", &[VALUE], (0, None), 0, (120, 2)),
    // Name, value.
    function("get_config", &[TABLE, OUT], (1, Some(1)), 4, (50, 4)),
    // Input, answer; and what the callee spends.
    function("call_plugin", &[PLUGIN, PLUGIN, VALUE, OUT], (2, Some(3)), 4, (600, 4)),
    // An empty answer.
    function("last_answer", &[OUT], (0, Some(0)), 0, (50, 0)),
    // Query, one row of two components, ranked among ten, one hit.
    function("vector_search", &[TABLE, QUERY, OUT], (1, Some(2)), 1, (400, 2 + 18 + 24 + 2)),
    // Key, one row, its id.
    function("index_lookup", &[TABLE, KEY, OUT], (1, Some(2)), 1, (400, 2 + 20 + 2)),
    // Both ends, one row, its id.
    function("index_range", &[TABLE, LOW, HIGH, OUT], (1, Some(3)), 1, (400, 4 + 20 + 2)),
];

impl Function {
    /// The arguments with these pointers and lengths.
    pub fn args(&self, pairs: &[(i32, i32)]) -> Vec<WasmValue> {
        let mut args: Vec<_> =
            pairs.iter().flat_map(|&(ptr, len)| [ptr, len]).map(WasmValue::I32).collect();
        match self.name {
            "soch_scan" | "vector_search" => args.insert(4, WasmValue::I32(10)),
            "index_range" => args.insert(6, WasmValue::I32(10)),
            "emit_metric" => {
                args.insert(2, WasmValue::F64(1.0));
                args.insert(0, WasmValue::I32(1));
            }
            "log_message" => args.insert(0, WasmValue::I32(1)),
            "last_answer" => args.insert(0, WasmValue::I32(0)),
            _ => {}
        }
        args
    }

    /// The ordinary pointers and lengths, but for one.
    pub fn pairs_but(&self, index: usize, pair: (i32, i32)) -> Vec<(i32, i32)> {
        let mut pairs = self.pairs.to_vec();
        pairs[index] = pair;
        pairs
    }

    /// The ordinary pointer of a pair, and its length in bytes.
    pub fn range(&self, index: usize) -> (i32, i32) {
        let (ptr, len) = self.pairs[index];
        (ptr, if self.is_query(index) { len * 4 } else { len })
    }

    /// Whether a pair is a query, whose length is in components and which may not be empty.
    pub fn is_query(&self, index: usize) -> bool {
        self.pairs[index] == QUERY
    }

    /// The indices of the pairs that are inputs.
    pub fn inputs(&self) -> impl Iterator<Item = usize> {
        (0..self.pairs.len()).filter(|&index| Some(index) != self.output)
    }
}

/// The ordinary configuration: everything granted, one sandbox, one setting.
pub fn ordinary() -> WasmInstanceConfig {
    WasmInstanceConfig {
        max_instances: 1,
        settings: vec![("users".into(), "blue".into())],
        ..config(all_granted())
    }
}

/// The fixture `abi_probe` in a registry, with one sandbox, so that its memory stays.
#[derive(Debug)]
pub struct Probe<H: Host = EmbeddedHost> {
    pub registry: Arc<WasmPluginRegistry<H>>,
    pub plugin: Arc<WasmPluginInstance<H>>,
}

impl Probe {
    /// Everything granted, and what the ordinary calls find.
    pub fn new() -> Self {
        Self::with(ordinary())
    }

    pub fn with(config: WasmInstanceConfig) -> Self {
        let probe = Self::on(WasmPluginRegistry::new(), config);
        probe.registry.load("echo", &fixture("echo"), WasmInstanceConfig::default()).unwrap();
        Self::put_searchable(probe.registry.host());
        probe
    }

    /// The row that the ordinary calls are about.
    pub fn put_row(&self) {
        self.registry.host().put("default", "users", b"key", b"row").unwrap();
    }

    /// What the ordinary searches find: an index and a collection that cover one row.
    pub fn put_searchable(host: &EmbeddedHost) {
        host.create_index("default", "users", "places", IndexKey::field(0, 3)).unwrap();
        host.create_collection("default", "users", "places", 2, Distance::L2).unwrap();
        host.insert_vector("default", "users", ROW_ID, &[1.0, 2.0]).unwrap();
        host.put("default", "places", &ROW_ID.to_be_bytes(), b"key").unwrap();
    }

    /// Puts the row back and runs a call of the function.
    pub fn run(&self, function: &Function, pairs: &[(i32, i32)]) -> i32 {
        self.put_row();
        self.call_values(function.name, &function.args(pairs)).unwrap()
    }

    /// As `run`, and the fuel that the host function was charged.
    pub fn charged(&self, function: &Function, pairs: &[(i32, i32)]) -> (i32, u64) {
        let before = self.fuel();
        let status = self.run(function, pairs);
        (status, self.fuel() - before - guest_share(function))
    }
}

impl<H: Host> Probe<H> {
    pub fn on(registry: WasmPluginRegistry<H>, config: WasmInstanceConfig) -> Self {
        Self::beside(&Arc::new(registry), "probe", config)
    }

    /// One more probe in a registry.
    pub fn beside(
        registry: &Arc<WasmPluginRegistry<H>>,
        name: &str,
        config: WasmInstanceConfig,
    ) -> Self {
        registry.load(name, &fixture("abi_probe"), config).unwrap();
        let plugin = registry.get(name).unwrap();
        let probe = Self { registry: Arc::clone(registry), plugin };
        probe.put(TABLE.0, b"users");
        probe.put(KEY.0, b"key");
        probe.put(VALUE.0, b"row!");
        probe.put(PLUGIN.0, b"echo");
        probe.put(QUERY.0, &[1.0_f32, 2.0].map(f32::to_le_bytes).concat());
        probe.put(LOW.0, b"kex");
        probe.put(HIGH.0, b"kez");
        probe.put(LABELS.0, b"\x01\0\0\0a\x01\0\0\0b");
        probe
    }

    /// Writes guest memory and returns the pointer and length of what was written.
    pub fn put(&self, at: i32, bytes: &[u8]) -> (i32, i32) {
        let mut lease = self.plugin.lease().unwrap();
        lease.write("memory", at.cast_unsigned().into(), bytes).unwrap();
        (at, i32::try_from(bytes.len()).unwrap())
    }

    /// Reads guest memory.
    pub fn bytes(&self, (at, len): (i32, i32)) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(len).unwrap()];
        let lease = self.plugin.lease().unwrap();
        lease.read("memory", at.cast_unsigned().into(), &mut bytes).unwrap();
        bytes
    }

    /// Calls a host function with `i32` arguments and returns its answer.
    pub fn call(&self, function: &str, args: &[i32]) -> i32 {
        let args: Vec<_> = args.iter().copied().map(WasmValue::I32).collect();
        self.call_values(function, &args).unwrap()
    }

    pub fn call_values(&self, function: &str, args: &[WasmValue]) -> Result<i32, Error> {
        let results = self.plugin.call(&format!("call_{function}"), args)?;
        Ok(results[0].as_i32().unwrap())
    }

    pub fn fuel(&self) -> u64 {
        self.plugin.stats().total_fuel_consumed
    }
}

/// What the guest itself spends on passing a call on: the fuel of the same call where the host
/// function is free.
pub fn guest_share(function: &Function) -> u64 {
    let registry = WasmPluginRegistry::builder().functions(free_functions()).build().unwrap();
    let probe = Probe::on(registry, ordinary());
    probe.call_values(function.name, &function.args(function.pairs)).unwrap();
    probe.fuel()
}

/// Functions of the same signatures that do nothing and cost nothing.
fn free_functions() -> HostFunctionTable<EmbeddedHost> {
    let mut table = HostFunctionTable::empty();
    macro_rules! free {
        ($($name:literal: $($param:ty)*;)*) => { $(
            table.define(
                "soch_v1",
                $name,
                wasm_runtime::Grant::Always,
                HostCost { base: 0, per_64_bytes: 0, per_item: 0 },
                |_call: &mut HostCall<'_, EmbeddedHost>, $(_: $param),*| -> Result<i32, HostError> {
                    Ok(0)
                },
            ).unwrap();
        )* };
    }
    free! {
        "soch_read": i32 i32 i32 i32 i32 i32;
        "soch_scan": i32 i32 i32 i32 i32 i32 i32;
        "soch_write": i32 i32 i32 i32 i32 i32;
        "soch_delete": i32 i32 i32 i32;
        "vector_search": i32 i32 i32 i32 i32 i32 i32;
        "index_lookup": i32 i32 i32 i32 i32 i32;
        "index_range": i32 i32 i32 i32 i32 i32 i32 i32 i32;
        "emit_metric": i32 i32 i32 f64 i32 i32;
        "log_message": i32 i32 i32;
        "get_config": i32 i32 i32 i32;
        "call_plugin": i32 i32 i32 i32 i32 i32 i32 i32;
        "last_answer": i32 i32 i32;
    }
    table
}
