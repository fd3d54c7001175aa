//! A heap of the size that `docs/memory.md` asks for, and plugins that want more of it.

use crate::{
    heap::{heap, narrowed, unlimited},
    support::{Random, bomb, child, config, fixture, fixtures, wat},
};
use std::{env, sync::Arc};
use wasm_runtime::{
    CallOptions, Compilation, Error, ErrorKind, ModuleLimits, Progress, TenantQuota,
    WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

const TEST: &str =
    "hostile::a_heap_as_large_as_the_documentation_says_is_enough_for_hostile_plugins";
const VARIABLE: &str = "FALLIBLE_HOSTILE";

/// The ceiling of all tenants together.
const MAX_HEAP_BYTES: u64 = 6 << 20;
/// Beyond it: errors and reports, and what the host keeps (`docs/memory.md`, "The size of the heap").
const RESERVE_BYTES: u64 = 64 << 10;

const NAMES: [&str; 8] = ["echo", "caller", "a", "b", "c", "d", "e", "f"];

/// Modules that a host may be handed.
fn modules() -> Vec<Vec<u8>> {
    let mut modules: Vec<_> = fixtures().iter().map(|name| fixture(name)).collect();
    for n in [10, 300, 9_000] {
        modules.push(bomb(n));
    }
    for text in [
        format!("(func {})", "i32.const 1 drop ".repeat(50_000)),
        format!("(memory 1) (data \"{}\")", "x".repeat(400_000)),
        "(func)".repeat(5_000),
        "(table 20000 funcref)".to_string(),
        "(memory 40) (func (export \"size\") (result i32) memory.size)".to_string(),
        format!("(func $f) (elem func {})", "$f ".repeat(30_000)),
        // Each call of itself takes two kilobytes of stack.
        format!("(func $f (export \"deep\") (local {}) call $f)", "i64 ".repeat(250)),
    ] {
        modules.push(wat(&format!("(module {text})")));
    }
    modules
}

fn random_config(random: &mut Random) -> WasmInstanceConfig {
    let limits = ModuleLimits {
        max_stack_bytes: [1_000, 40_000, 400_000][random.below(3)],
        max_recursion_depth: [100, 1_000, 5_000][random.below(3)],
        max_answer_bytes: 64 << 10,
        ..ModuleLimits::default()
    };
    let capabilities = WasmPluginCapabilities {
        fuel_limit: 100_000,
        memory_limit_bytes: [1 << 20, 3 << 20, 64 << 20][random.below(3)],
        ..config().capabilities
    };
    let compilation = [Compilation::Eager, Compilation::Lazy][random.below(2)];
    let max_instances = [1, 2, 4][random.below(3)];
    WasmInstanceConfig { limits, capabilities, compilation, max_instances, ..config() }
}

struct Attack {
    registry: WasmPluginRegistry,
    modules: Vec<Vec<u8>>,
    random: Random,
    /// How often each kind of error came; the first is no error.
    ended: Vec<(Option<ErrorKind>, u32)>,
}

impl Attack {
    fn step(&mut self) {
        let name = NAMES[self.random.below(NAMES.len())];
        match self.random.below(10) {
            0 | 1 => self.load(name),
            2 => {
                let _ = self.registry.unload(name);
            }
            what => {
                let Some(plugin) = self.registry.get(name) else { return };
                match what {
                    3..=5 => self.call(&plugin),
                    6 => self.bytes(&plugin),
                    7 => self.grow(&plugin),
                    8 => self.run_a_little(&plugin),
                    _ => self.fill_the_pool(&plugin),
                }
            }
        }
    }

    fn note<T>(&mut self, result: Result<T, Error>) {
        let kind = result.err().map(|error| error.kind());
        unlimited(|| match self.ended.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, times)) => *times += 1,
            None => self.ended.push((kind, 1)),
        });
    }

    fn load(&mut self, name: &str) {
        let random = &mut self.random;
        // The program's own bytes are not the plugin's.
        let (wasm, config) = unlimited(|| {
            let wasm = match name {
                "echo" | "caller" => fixture(name),
                _ => self.modules[random.below(self.modules.len())].clone(),
            };
            (wasm, random_config(random))
        });
        let result = self.registry.load(name, &wasm, config);
        self.note(result);
    }

    fn call(&mut self, plugin: &WasmPluginInstance) {
        let Some((function, args)) = unlimited(|| arguments(plugin, &mut self.random)) else {
            return;
        };
        let result = plugin.call(&function, &args);
        self.note(result);
        unlimited(|| drop((function, args)));
    }

    fn bytes(&mut self, plugin: &WasmPluginInstance) {
        let (function, input) = unlimited(|| match plugin.name() {
            "caller" => ("relay", b"echo\0echo\0hello".to_vec()),
            _ => ("echo", vec![7; [10, 1_000, 300_000][self.random.below(3)]]),
        });
        let result = plugin.call_bytes(function, &input);
        self.note(result);
        unlimited(|| drop(input));
    }

    fn grow(&mut self, plugin: &WasmPluginInstance) {
        let pages = [0, 1, 5, 30, 100][self.random.below(5)];
        let result = plugin.lease().and_then(|mut lease| lease.grow("memory", pages));
        self.note(result);
    }

    /// A call in pieces, which is dropped in the middle, or paused inside of another.
    fn run_a_little(&mut self, plugin: &Arc<WasmPluginInstance>) {
        let started = match plugin.name() {
            "caller" => plugin.start_bytes("relay", b"echo\0echo\0hello", CallOptions::default()),
            _ => match unlimited(|| arguments(plugin, &mut self.random)) {
                Some((function, args)) => plugin.start(&function, &args),
                None => return,
            },
        };
        let Ok(mut call) = started else { return self.note(started) };
        for _ in 0..self.random.below(20) {
            match call.run(500) {
                Ok(Progress::Running) => {}
                ended => return self.note(ended),
            }
        }
    }

    fn fill_the_pool(&mut self, plugin: &WasmPluginInstance) {
        let leases = [plugin.lease(), plugin.lease(), plugin.lease()];
        leases.into_iter().for_each(|lease| self.note(lease));
    }
}

/// A function of a plugin, and arguments.
fn arguments(plugin: &WasmPluginInstance, random: &mut Random) -> Option<(String, Vec<WasmValue>)> {
    let functions: Vec<_> = plugin.functions().collect();
    let function = *functions.get(random.below(functions.len().max(1)))?;
    let (params, _) = plugin.signature(function)?;
    let numbers = [0, 1, 3, 17, 200, 5_000, 70_000, -1];
    let args = params.iter().map(|ty| {
        let number = numbers[random.below(numbers.len())];
        match ty {
            wasm_runtime::ValueType::I32 => WasmValue::I32(number),
            wasm_runtime::ValueType::I64 => WasmValue::I64(number.into()),
            wasm_runtime::ValueType::F32 => WasmValue::F32(1.5),
            wasm_runtime::ValueType::F64 => WasmValue::F64(1.5),
            _ => WasmValue::ExternRef(number.unsigned_abs().into()),
        }
    });
    Some((function.to_string(), args.collect()))
}

/// Runs an attack on a heap of `heap_bytes`, of which plugins may have `max_heap_bytes`.
fn attack(seed: u64, steps: u32, heap_bytes: u64, max_heap_bytes: u64) {
    let quota = TenantQuota {
        max_heap_bytes,
        max_stored_rows: 50,
        max_stored_bytes: 64 << 10,
        ..TenantQuota::default()
    };
    let registry = WasmPluginRegistry::builder().quota(quota).build().unwrap();
    let (modules, random) = (modules(), Random::new(seed));
    let mut attack = Attack { registry, modules, random, ended: Vec::new() };
    let before = heap().live;
    let mut most_besides = 0;
    let limit = before + i64::try_from(heap_bytes).unwrap();
    narrowed(
        |heap| heap.bytes = limit,
        || {
            for _ in 0..steps {
                attack.step();
                let charged = i64::try_from(attack.registry.usage().heap_bytes).unwrap();
                most_besides = most_besides.max(heap().live - before - charged);
            }
        },
    );
    println!("besides what plugins are charged for: {most_besides} bytes at most");
    println!("ended: {:?}", attack.ended);
    println!("blocks refused: {}", heap().refused);
    let times = |kind| attack.ended.iter().find(|(k, _)| *k == kind).map_or(0, |(_, times)| *times);
    assert!(most_besides < i64::try_from(RESERVE_BYTES).unwrap(), "{most_besides}");
    assert!(times(None) > steps / 8, "calls and loads that go well");
    assert!(times(Some(ErrorKind::QuotaExceeded)) > steps / 100, "the ceiling is reached");
    assert!(times(Some(ErrorKind::Trap)) > steps / 100, "stacks overflow");
    let Attack { registry, .. } = attack;
    registry.shutdown_all();
    assert_eq!(registry.usage().heap_bytes, 0);
}

#[test]
fn a_heap_as_large_as_the_documentation_says_is_enough_for_hostile_plugins() {
    const STEPS: u32 = 12_000;
    if let Ok(child) = env::var(VARIABLE) {
        let (seed, ceiling) = child.split_once(' ').unwrap();
        let heap_bytes = MAX_HEAP_BYTES + RESERVE_BYTES;
        return attack(seed.parse().unwrap(), STEPS, heap_bytes, ceiling.parse().unwrap());
    }
    for seed in 1..=2 {
        let output = child(TEST, VARIABLE, &format!("{seed} {MAX_HEAP_BYTES}"));
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        println!("seed {seed}:\n{text}");
        assert!(output.status.success(), "seed {seed}: {}", output.status);
    }
    // Without the ceiling, they end the program: the check can fail.
    let output = child(TEST, VARIABLE, &format!("1 {}", u64::MAX));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("memory allocation of"), "{}: {text}", output.status);
    assert!(!output.status.success());
}
