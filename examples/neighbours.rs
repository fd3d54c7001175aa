//! Sixty-four tenants on two cores, one of them hostile in every way of the gallery: what the others
//! notice of it, and what it gets hold of.
//!
//! `cargo run --release --example neighbours`, for a second each; `-- 60` for a minute.

use std::{
    collections::HashMap,
    env, fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use wasm_runtime::{
    CallId, FuelRate, PluginCall, QuarantinePolicy, Scheduler, TenantQuota, TenantUsage, Turn,
    ValueType, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry,
    WasmValue,
};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const CORES: usize = 2;
const TENANTS: usize = 64;
/// What each tenant may spend in a round.
const QUANTUM: u64 = 20_000;
const HOSTILE: &str = "hostile";
/// What the hostile tenant may hold and spend.
const QUOTA: TenantQuota = TenantQuota {
    max_plugins: 2,
    max_sandboxes: 4,
    max_memory_bytes: 8 << 20,
    max_table_elements: 10_000,
    max_heap_bytes: 32 << 20,
    max_stored_rows: 100,
    max_stored_bytes: 64 << 10,
    fuel_rate: Some(FuelRate { per_second: 50_000_000, burst: 10_000_000 }),
};

fn main() -> Outcome<()> {
    let seconds = env::args().nth(1).map_or(Ok(1), |seconds| seconds.parse())?;
    let duration = Duration::from_secs(seconds);
    // Once to warm up.
    run(Duration::from_millis(200), true)?;
    let alone = run(duration, false)?;
    let beside = run(duration, true)?;
    for (what, seen) in [("without it", &alone), ("beside it", &beside)] {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|part| seen.latency_us(part));
        println!(
            "{what:10}: {} calls of {} tenants, all answered right; p50 {p50} us, p99 {p99} us, most {most} us",
            seen.calls(),
            TENANTS - 1,
        );
    }
    let ratio = beside.latency_us(0.99) as f64 / alone.latency_us(0.99).max(1) as f64;
    println!("p99 beside it is {ratio:.2} times p99 without it");
    println!(
        "the hostile tenant: {} loads and {} calls that were refused or failed; of {} samples none over its quota; \
         at most {:?}",
        beside.refused_loads, beside.failed_calls, beside.samples, beside.most
    );
    if let [first, .., last] = *beside.resident {
        println!("resident memory: {first} KiB after a quarter of the time, {last} KiB at the end");
    }
    Ok(())
}

struct Seen {
    /// How many calls took so many microseconds, the last one: or more.
    latencies_us: Vec<u32>,
    refused_loads: u64,
    failed_calls: u64,
    samples: u64,
    most: TenantUsage,
    /// KiB, from time to time.
    resident: Vec<u64>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            latencies_us: vec![0; 100_000],
            refused_loads: 0,
            failed_calls: 0,
            samples: 0,
            most: TenantUsage::default(),
            resident: Vec::new(),
        }
    }
}

impl Seen {
    fn calls(&self) -> u64 {
        self.latencies_us.iter().copied().map(u64::from).sum()
    }

    /// What such a part of the calls took at most.
    fn latency_us(&self, part: f64) -> usize {
        let mut left = (self.calls() as f64 * part) as u64;
        let took = self.latencies_us.iter().position(|count| {
            left = left.saturating_sub(u64::from(*count));
            left == 0
        });
        took.unwrap_or(0)
    }

    fn took(&mut self, us: usize) {
        let last = self.latencies_us.len().saturating_sub(1);
        if let Some(count) = self.latencies_us.get_mut(us.min(last)) {
            *count += 1;
        }
    }

    fn add(mut self, other: Self) -> Self {
        for (count, more) in self.latencies_us.iter_mut().zip(other.latencies_us) {
            *count += more;
        }
        self.refused_loads += other.refused_loads;
        self.failed_calls += other.failed_calls;
        self.samples += other.samples;
        self.most = if other.samples > 0 { other.most } else { self.most };
        self.resident.extend(other.resident);
        self
    }
}

/// Each core works for its part of the tenants.
fn run(duration: Duration, with_hostile: bool) -> Outcome<Seen> {
    let registry = WasmPluginRegistry::new();
    registry.tenant(HOSTILE).quota(QUOTA)?;
    let registry = &registry;
    thread::scope(|scope| {
        let core = |core: usize| {
            scope.spawn(move || {
                let attacker = (core == 0 && with_hostile).then(Attacker::new).transpose()?;
                Core::new(registry, core, attacker)?.work(Instant::now(), duration)
            })
        };
        let cores: Vec<_> = (0..CORES).map(core).collect();
        cores.into_iter().try_fold(Seen::default(), |seen, core| {
            Ok(seen.add(core.join().map_err(|_| "a core panicked")??))
        })
    })
}

struct Core<'r> {
    registry: &'r WasmPluginRegistry,
    scheduler: Scheduler,
    /// The calls of the well-behaved, and when they began.
    began: HashMap<CallId, Instant>,
    attacker: Option<Attacker>,
    is_attacked: bool,
    seen: Seen,
}

impl<'r> Core<'r> {
    fn new(
        registry: &'r WasmPluginRegistry,
        core: usize,
        attacker: Option<Attacker>,
    ) -> Outcome<Self> {
        let (scheduler, began) = (Scheduler::new(QUANTUM), HashMap::new());
        let (is_attacked, seen) = (false, Seen::default());
        let mut made = Self { registry, scheduler, began, attacker, is_attacked, seen };
        for tenant in (1..TENANTS).filter(|tenant| tenant % CORES == core) {
            let name = format!("tenant {tenant}");
            let capabilities = WasmPluginCapabilities {
                fuel_limit: 10_000_000,
                timeout_ms: 0,
                ..WasmPluginCapabilities::default()
            };
            let config =
                WasmInstanceConfig { tenant: name.clone(), capabilities, ..Default::default() };
            registry.load(&name, include_bytes!("../fixtures/wasm/kernels.wasm"), config)?;
            made.start(&registry.get(&name).ok_or("not loaded")?)?;
        }
        Ok(made)
    }

    /// A well-behaved call.
    fn start(&mut self, plugin: &Arc<WasmPluginInstance>) -> Outcome<()> {
        let id = self.scheduler.spawn(plugin.start("fib", &[WasmValue::I32(15)])?);
        self.began.insert(id, Instant::now());
        Ok(())
    }

    fn work(mut self, begun: Instant, duration: Duration) -> Outcome<Seen> {
        let mut next_look = duration / 4;
        while begun.elapsed() < duration {
            if !self.is_attacked {
                self.attack();
            }
            if let Turn::Ended { id, call, result } = self.scheduler.turn() {
                match self.began.remove(&id) {
                    Some(began) => {
                        if result? != [WasmValue::I32(610)] {
                            return Err("a wrong answer".into());
                        }
                        let us = began.elapsed().as_micros();
                        self.seen.took(usize::try_from(us).unwrap_or(usize::MAX));
                        self.start(call.plugin())?;
                    }
                    None => {
                        self.seen.failed_calls += u64::from(result.is_err());
                        self.is_attacked = false;
                    }
                }
            }
            if self.attacker.is_some() {
                self.look()?;
                if begun.elapsed() >= next_look {
                    next_look += duration / 4;
                    self.seen.resident.extend(resident_kib());
                }
            }
        }
        Ok(self.seen)
    }

    /// Whatever the hostile tenant can start next.
    fn attack(&mut self) {
        let attacker = self.attacker.as_mut();
        if let Some(call) = attacker.and_then(|a| a.next(self.registry, &mut self.seen)) {
            self.scheduler.spawn(call);
            self.is_attacked = true;
        }
    }

    /// Whether the hostile tenant holds no more than it may.
    fn look(&mut self) -> Outcome<()> {
        let usage = self.registry.tenant(HOSTILE).usage();
        let held = [
            (usage.plugins, QUOTA.max_plugins),
            (usage.sandboxes, QUOTA.max_sandboxes),
            (usage.memory_bytes, QUOTA.max_memory_bytes),
            (usage.table_elements, QUOTA.max_table_elements),
            (usage.heap_bytes, QUOTA.max_heap_bytes),
            (usage.stored_rows, QUOTA.max_stored_rows),
            (usage.stored_bytes, QUOTA.max_stored_bytes),
        ];
        if held.iter().any(|(used, limit)| used > limit) {
            return Err(format!("over its quota: {usage:?}").into());
        }
        let most = &mut self.seen.most;
        *most = TenantUsage {
            plugins: most.plugins.max(usage.plugins),
            sandboxes: most.sandboxes.max(usage.sandboxes),
            memory_bytes: most.memory_bytes.max(usage.memory_bytes),
            table_elements: most.table_elements.max(usage.table_elements),
            heap_bytes: most.heap_bytes.max(usage.heap_bytes),
            stored_rows: most.stored_rows.max(usage.stored_rows),
            stored_bytes: most.stored_bytes.max(usage.stored_bytes),
            fuel_left: None,
        };
        self.seen.samples += 1;
        Ok(())
    }
}

/// Loads every misbehaving module there is, and calls everything in it, again and again.
struct Attacker {
    modules: Vec<(String, Vec<u8>)>,
    at: usize,
    plugin: Option<Arc<WasmPluginInstance>>,
    /// Functions and arguments to come.
    calls: Vec<(String, Vec<WasmValue>)>,
}

impl Attacker {
    fn new() -> Outcome<Self> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/wasm");
        let mut modules = vec![("probe".into(), fs::read(fixtures.join("abi_probe.wasm"))?)];
        for entry in fs::read_dir(fixtures.join("misbehaving"))? {
            let entry = entry?;
            modules.push((entry.file_name().to_string_lossy().into(), fs::read(entry.path())?));
        }
        modules.sort();
        Ok(Self { modules, at: 0, plugin: None, calls: Vec::new() })
    }

    /// The next call that begins.
    fn next(&mut self, registry: &WasmPluginRegistry, seen: &mut Seen) -> Option<PluginCall> {
        // It is well-behaved in one thing: it tries a bounded number of times, and then again later.
        for _ in 0..8 {
            if let (Some(plugin), Some((function, args))) = (&self.plugin, self.calls.pop()) {
                match plugin.start(&function, &args) {
                    Ok(call) => return Some(call),
                    Err(_) => seen.failed_calls += 1,
                }
            } else {
                seen.refused_loads += u64::from(!self.load(registry));
            }
        }
        None
    }

    /// Goes on to the next module; returns whether it was loaded.
    fn load(&mut self, registry: &WasmPluginRegistry) -> bool {
        if let Some(plugin) = self.plugin.take() {
            // Its name is loaded: nobody else unloads it.
            let _ = registry.unload(plugin.name());
        }
        let Some((name, wasm)) = self.modules.get(self.at % self.modules.len().max(1)) else {
            return false;
        };
        self.at += 1;
        let config = WasmInstanceConfig {
            tenant: HOSTILE.into(),
            quarantine: Some(QuarantinePolicy::after(20).backoff_ms(1, 10)),
            ..WasmInstanceConfig::default()
        };
        let loaded = registry.load(name, wasm, config).is_ok();
        self.plugin = registry.get(name);
        if let Some(plugin) = &self.plugin {
            for function in plugin.functions() {
                let (params, _) = plugin.signature(function).unwrap_or_default();
                for value in [0, 1, 7, 1_000, -1, i32::MIN, i32::MAX] {
                    let args = params.iter().map(|param| argument(*param, value)).collect();
                    self.calls.push((function.into(), args));
                }
            }
        }
        loaded
    }
}

fn argument(param: ValueType, value: i32) -> WasmValue {
    match param {
        ValueType::I64 => WasmValue::I64(value.into()),
        ValueType::F32 => WasmValue::F32(f32::NAN),
        ValueType::F64 => WasmValue::F64(value.into()),
        _ => WasmValue::I32(value),
    }
}

/// What the process has in memory, where the system tells.
fn resident_kib() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4)
}
