//! A hundred plugins of three tenants on one core: each tenant has its share, and nobody waits long.
//!
//! `cargo run --release --example scheduler`

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU32,
    sync::Arc,
    time::Instant,
};
use wasm_runtime::{
    CallId, EmbeddedHost, ErrorKind, Grant, HostCall, HostCost, HostError, HostFunctionTable,
    Scheduler, Turn, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance,
    WasmPluginRegistry, WasmValue,
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
type Plugin = Arc<WasmPluginInstance>;

/// Each tenant's weight, and how many plugins it has.
const TENANTS: [(&str, u32, usize); 3] = [("gold", 5, 25), ("silver", 2, 35), ("bronze", 1, 40)];
/// A round credits eight times as much: 7,500 fuel for one of the forty plugins of `bronze`.
const QUANTUM: u64 = 300_000;
/// How much fuel is shared out.
const FUEL: u64 = 60_000_000;
/// After so many turns the host has what a plugin waits for.
const ANSWER_AFTER: usize = 50;

/// Asks the host for a reading, and sums up the readings, again and again.
const ASKS: &str = r#"(module
    (import "sensor" "read" (func $read (param i32) (result i32)))
    (func (export "sum") (param $n i32) (result i32)
        (local $i i32) (local $sum i32)
        (loop $next
            (local.set $sum (i32.add (local.get $sum) (call $read (local.get $i))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
        (local.get $sum)))"#;

/// What a plugin is called for, over and over.
#[derive(Clone, Copy)]
enum Work {
    /// Some thousand fuel.
    Short,
    /// Many million.
    Long,
    /// Ten readings, each of which is there some turns later.
    Asks,
    /// A loop that its fuel limit ends.
    Endless,
}

impl Work {
    /// One in ten asks the host, and one in five is short; one of all is endless.
    fn of(number: usize) -> Self {
        match number % 10 {
            _ if number == 0 => Self::Endless,
            1 => Self::Asks,
            2 | 3 => Self::Short,
            _ => Self::Long,
        }
    }

    fn module(self) -> Outcome<Vec<u8>> {
        Ok(match self {
            Self::Short | Self::Long => include_bytes!("../fixtures/wasm/kernels.wasm").to_vec(),
            Self::Asks => wat::parse_str(ASKS)?,
            Self::Endless => {
                include_bytes!("../fixtures/wasm/misbehaving/endless_loop.wasm").to_vec()
            }
        })
    }

    fn start(self, plugin: &Plugin) -> Result<wasm_runtime::PluginCall, wasm_runtime::Error> {
        match self {
            Self::Short => plugin.start("fib", &[WasmValue::I32(9)]),
            Self::Long => plugin.start("fib", &[WasmValue::I32(40)]),
            Self::Asks => plugin.start("sum", &[WasmValue::I32(10)]),
            Self::Endless => plugin.start("run", &[]),
        }
    }
}

/// What is known of a call that is in the scheduler.
struct Known {
    tenant: usize,
    work: Work,
    spent: u64,
    /// Since when it could run.
    waits_since: Instant,
}

#[derive(Default)]
struct Seen {
    spent: [u64; TENANTS.len()],
    /// How many waits took 2^n microseconds or more, and less than twice that.
    waits: [u64; 24],
    turns: usize,
    ended: usize,
    out_of_fuel: usize,
    answered: usize,
}

fn main() -> Outcome<()> {
    let registry = registry()?;
    let mut scheduler = Scheduler::new(QUANTUM);
    let mut plugins = Vec::new();
    for (tenant, (name, weight, count)) in TENANTS.into_iter().enumerate() {
        scheduler.set_weight(name, NonZeroU32::new(weight).ok_or("no weight")?);
        for number in 0..count {
            let work = Work::of(number + usize::from(tenant > 0) * 10);
            plugins.push((load(&registry, name, number, work)?, tenant, work));
        }
    }
    let mut calls = HashMap::new();
    for (plugin, tenant, work) in &plugins {
        start(&mut scheduler, &mut calls, plugin, *tenant, *work)?;
    }
    assert_eq!((registry.count(), scheduler.len()), (100, 100));
    let begun = Instant::now();
    let seen = run(&mut scheduler, &mut calls)?;
    println!(
        "100 plugins took {} turns in {} rounds and {} ms: {} calls ended, {} answers were awaited",
        seen.turns,
        scheduler.rounds(),
        begun.elapsed().as_millis(),
        seen.ended,
        seen.answered
    );
    print_waits(&seen.waits);
    print_shares(&seen.spent)?;
    assert_eq!(seen.out_of_fuel, 1, "the endless loop has ended");
    assert!(seen.ended > 100 && seen.answered > 100);
    Ok(())
}

/// A registry whose plugins may read a sensor that takes its time.
fn registry() -> Outcome<WasmPluginRegistry> {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let read = |_: &mut HostCall<'_, EmbeddedHost>, which: u32| -> Result<i32, HostError> {
        Err(HostError::Pending(u64::from(which)))
    };
    table.define("sensor", "read", Grant::Always, HostCost::default(), read)?;
    Ok(WasmPluginRegistry::builder().functions(table).build()?)
}

fn load(registry: &WasmPluginRegistry, tenant: &str, number: usize, work: Work) -> Outcome<Plugin> {
    let fuel_limit = match work {
        Work::Endless => 1_000_000,
        _ => 1_000_000_000_000,
    };
    let capabilities =
        WasmPluginCapabilities { fuel_limit, timeout_ms: 0, ..WasmPluginCapabilities::default() };
    let config = WasmInstanceConfig { tenant: tenant.into(), capabilities, ..Default::default() };
    let name = format!("{tenant} {number}");
    registry.load(&name, &work.module()?, config)?;
    Ok(registry.get(&name).ok_or("not loaded")?)
}

fn start(
    scheduler: &mut Scheduler,
    calls: &mut HashMap<CallId, Known>,
    plugin: &Plugin,
    tenant: usize,
    work: Work,
) -> Outcome<()> {
    let id = scheduler.spawn(work.start(plugin)?);
    calls.insert(id, Known { tenant, work, spent: 0, waits_since: Instant::now() });
    Ok(())
}

/// The host's loop: a turn, then whatever else it has to do.
fn run(scheduler: &mut Scheduler, calls: &mut HashMap<CallId, Known>) -> Outcome<Seen> {
    let mut seen = Seen::default();
    let mut awaited = VecDeque::new();
    while seen.spent.iter().sum::<u64>() < FUEL {
        seen.turns += 1;
        let begun = Instant::now();
        match scheduler.turn() {
            Turn::Ran(id) => {
                let spent = scheduler.get(id).ok_or("gone")?.fuel_spent();
                seen.book(calls.get_mut(&id).ok_or("unknown")?, spent, begun);
            }
            Turn::Suspended(id, ticket) => {
                let spent = scheduler.get(id).ok_or("gone")?.fuel_spent();
                seen.book(calls.get_mut(&id).ok_or("unknown")?, spent, begun);
                awaited.push_back((seen.turns + ANSWER_AFTER, id, ticket));
            }
            Turn::Ended { id, call, result } => {
                let mut known = calls.remove(&id).ok_or("unknown")?;
                seen.book(&mut known, call.fuel_spent(), begun);
                seen.ended += 1;
                let work = match (known.work, result) {
                    (Work::Endless, Err(error)) => {
                        assert_eq!(error.kind(), ErrorKind::OutOfFuel);
                        seen.out_of_fuel += 1;
                        None
                    }
                    (work, result) => result.map(|_| Some(work))?,
                };
                // The plugin's next call; the endless loop is left at that.
                if let Some(work) = work {
                    start(scheduler, calls, call.plugin(), known.tenant, work)?;
                }
            }
            Turn::Idle => return Err("nothing runs".into()),
        }
        while let Some((due, id, ticket)) = awaited.front().copied() {
            if due > seen.turns {
                break;
            }
            awaited.pop_front();
            scheduler.complete(id, ticket, |_| Ok(21_i32))?;
            calls.get_mut(&id).ok_or("unknown")?.waits_since = Instant::now();
            seen.answered += 1;
        }
    }
    Ok(seen)
}

impl Seen {
    /// Books a turn that a call had, from `begun` until now.
    fn book(&mut self, known: &mut Known, spent: u64, begun: Instant) {
        if let Some(of_tenant) = self.spent.get_mut(known.tenant) {
            *of_tenant += spent - known.spent;
        }
        known.spent = spent;
        let waited_us = begun.duration_since(known.waits_since).as_micros().max(1);
        let bucket = waited_us.ilog2() as usize;
        if let Some(count) = self.waits.get_mut(bucket) {
            *count += 1;
        }
        known.waits_since = Instant::now();
    }
}

fn print_waits(waits: &[u64]) {
    println!("How long a call that could run waited for its turn, in microseconds:");
    let most = waits.iter().copied().max().unwrap_or(0).max(1);
    let first = waits.iter().position(|count| *count > 0).unwrap_or(0);
    let last = waits.iter().rposition(|count| *count > 0).unwrap_or(0);
    for (bucket, count) in waits.iter().enumerate().take(last + 1).skip(first) {
        let bar = "#".repeat(usize::try_from((count * 40).div_ceil(most)).unwrap_or(0));
        println!("  {:>8} to {:>8} {count:>6} {bar}", 1_u64 << bucket, 2_u64 << bucket);
    }
}

fn print_shares(spent: &[u64]) -> Outcome<()> {
    println!("Each tenant's share of the fuel, and what its weight says:");
    let all = spent.iter().sum::<u64>() as f64;
    let weights = f64::from(TENANTS.iter().map(|(_, weight, _)| weight).sum::<u32>());
    for ((tenant, weight, count), spent) in TENANTS.into_iter().zip(spent) {
        let (share, expected) = (*spent as f64 / all, f64::from(weight) / weights);
        println!(
            "  {tenant:7} {count} plugins {spent:>9} fuel {:>6.2}%, by weight {:>6.2}%",
            share * 100.0,
            expected * 100.0
        );
        if (share - expected).abs() > 0.05 * expected {
            return Err(format!("{tenant} has not its share").into());
        }
    }
    Ok(())
}
