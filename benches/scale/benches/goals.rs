//! The goals of scale, each beside what it is measured against: `cargo bench -p scale`; with `-- --test` each once.

use film::raw::{Fuel, Prepared};
use scale::{Measured, in_turns, time};
use std::{cell::RefCell, hint::black_box, sync::Barrier, thread, time::Instant};
use wasm_runtime::{
    CodeSharing, MaintenanceBudget, ModuleLimits, PluginFunction, ResetPolicy, WasmInstanceConfig,
    WasmPluginCapabilities, WasmPluginRegistry,
};

fn main() {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let turns = |turns| if is_test { 1 } else { turns };
    batches(turns(201));
    fresh_state(turns(201));
    threads(turns(15));
    round_robin(turns(11));
}

/// `same` answers its argument.
const GUEST: &str = r#"(module (func (export "same") (param i32) (result i32) (local.get 0)))"#;

/// A hook for every row: one call after the other, and in batches.
fn batches(turns: usize) {
    const ITEMS: usize = 10_000;
    let wasm = wat::parse_str(GUEST).unwrap();
    let registry = WasmPluginRegistry::new();
    let same = load(&registry, "plugin", &wasm, WasmInstanceConfig::default());
    let mut raw = Prepared::new(&wasm, Fuel::Metered).instantiate();
    let function = raw.function::<i32, i32>("same");
    let inputs: Vec<i32> = (0..ITEMS as i32).collect();
    let mut outputs = vec![0; ITEMS];
    let mut measured: [Measured<'_>; 3] = [
        Box::new(|| {
            time(ITEMS, || {
                for input in &inputs {
                    assert_eq!(raw.call(function, black_box(*input)).0, *input);
                }
            })
        }),
        Box::new(|| {
            time(ITEMS, || {
                for input in &inputs {
                    assert_eq!(same.call(black_box(*input)).unwrap(), *input);
                }
            })
        }),
        Box::new(|| {
            time(ITEMS, || {
                same.call_many(black_box(&inputs), &mut outputs).unwrap();
                assert_eq!(outputs, inputs);
            })
        }),
    ];
    let times = in_turns(turns, &mut measured);
    println!(
        "a call, in ns: raw with fuel {:.1}, ours {:.1}, of a batch {:.1}",
        times[0], times[1], times[2]
    );
    goal("call_many, an item, over raw TypedFunc::call with fuel", times[2] / times[0], "<= 0.5");
}

/// What a compiler makes of a small plugin by default: a stack of a mebibyte, some data behind it.
const SEVENTEEN_PAGES: &str = r#"(module (memory (export "memory") 17)
    (data (i32.const 1048576) "some data of the plugin's")
    (func (export "same") (param i32) (result i32)
        (i32.store (i32.const 1048000) (local.get 0))
        (i32.load (i32.const 1048000))))"#;

/// Fresh state for every call: made ahead, made by the call, and by hand.
fn fresh_state(turns: usize) {
    const CALLS: u32 = 16;
    let wasm = wat::parse_str(SEVENTEEN_PAGES).unwrap();
    let registry = WasmPluginRegistry::new();
    let config = |min_instances| WasmInstanceConfig {
        reset: ResetPolicy::AfterCall,
        min_instances,
        max_instances: CALLS,
        ..WasmInstanceConfig::default()
    };
    let pooled = load(&registry, "pooled", &wasm, config(CALLS));
    let made = load(&registry, "made", &wasm, config(0));
    let prepared = Prepared::new(&wasm, Fuel::Metered);
    let call = |function: &PluginFunction<i32, i32>| {
        time(CALLS as usize, || {
            for n in 0..CALLS as i32 {
                assert_eq!(function.call(black_box(n)).unwrap(), n);
            }
        })
    };
    let mut measured: [Measured<'_>; 4] = [
        Box::new(|| {
            time(CALLS as usize, || {
                for n in 0..CALLS as i32 {
                    let mut raw = prepared.instantiate();
                    let function = raw.function::<i32, i32>("same");
                    assert_eq!(raw.call(function, black_box(n)).0, n);
                }
            })
        }),
        Box::new(|| call(&made)),
        Box::new(|| {
            registry.maintain(&MaintenanceBudget::default());
            call(&pooled)
        }),
        Box::new(|| {
            call(&pooled);
            time(CALLS as usize, || {
                registry.maintain(&MaintenanceBudget::default());
            })
        }),
    ];
    let times = in_turns(turns, &mut measured);
    println!(
        "a call with fresh state, 17 pages, in ns: by hand {:.0}, made by the call {:.0}, made ahead {:.0}, and that {:.0}",
        times[0], times[1], times[2], times[3]
    );
    goal("instantiate and call over a call made ahead", times[0] / times[2], ">= 10");
    goal("the same over a call that makes its sandbox", times[1] / times[2], ">= 10");
}

/// The same after a loop of two thousand turns.
const LONGER: &str = r#"(module (func (export "same") (param i32) (result i32) (local i32)
    (local.set 1 (i32.const 2000))
    (loop (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
    (local.get 0)))"#;

/// One thread and two, each with a plugin of its own, which have code of their own or share it; and by hand, to show
/// what two threads get of this machine.
fn threads(turns: usize) {
    let wasm = wat::parse_str(GUEST).unwrap();
    let by_hand = [(); 2].map(|()| {
        let mut raw = Prepared::new(&wasm, Fuel::Metered).instantiate();
        let function = raw.function::<i32, i32>("same");
        let mut apart = Apart(move |n| raw.call(function, n).0);
        move |n| apart.call(n)
    });
    on_two("2 stores by hand, 2 threads over 1", turns, by_hand, 1_000_000, "(stated)");
    for (what, sharing, guest, calls, goal_text) in [
        ("2 threads on 2 plugins over 1 thread", CodeSharing::Own, GUEST, 1_000_000, ">= 1.9"),
        ("where the plugins share their code", CodeSharing::Registry, GUEST, 1_000_000, "(stated)"),
        ("the same, of longer calls", CodeSharing::Registry, LONGER, 20_000, "(stated)"),
    ] {
        let wasm = wat::parse_str(guest).unwrap();
        let registry = WasmPluginRegistry::new();
        let config =
            || WasmInstanceConfig { code_sharing: sharing, ..WasmInstanceConfig::default() };
        let callers = ["a", "b"].map(|name| {
            let function = load(&registry, name, &wasm, config());
            move |n| function.call(n).unwrap()
        });
        on_two(what, turns, callers, calls, goal_text);
    }
}

/// In cache lines of its own, as plugins are.
#[repr(align(128))]
struct Apart<F>(F);

impl<F: FnMut(i32) -> i32> Apart<F> {
    fn call(&mut self, n: i32) -> i32 {
        (self.0)(n)
    }
}

/// Compares how much one thread and two get done.
fn on_two(
    what: &str,
    turns: usize,
    callers: [impl FnMut(i32) -> i32 + Send; 2],
    calls: i32,
    goal_text: &str,
) {
    let callers = RefCell::new(callers);
    let mut measured: [Measured<'_>; 2] = [
        Box::new(|| in_threads(&mut callers.borrow_mut()[..1], calls)),
        Box::new(|| in_threads(&mut callers.borrow_mut()[..], calls)),
    ];
    let times = in_turns(turns, &mut measured);
    println!(
        "calls a second in thousands: 1 thread {:.0}, 2 threads {:.0}",
        times[0] / 1e3,
        times[1] / 1e3
    );
    goal(what, times[1] / times[0], goal_text);
}

/// Calls a second of as many threads as there are callers.
fn in_threads(callers: &mut [impl FnMut(i32) -> i32 + Send], calls: i32) -> f64 {
    let threads = callers.len();
    let barrier = Barrier::new(threads + 1);
    let mut began = Instant::now();
    thread::scope(|scope| {
        for call in callers {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                for n in 0..calls {
                    assert_eq!(call(black_box(n)), n);
                }
            });
        }
        barrier.wait();
        began = Instant::now();
    });
    f64::from(calls) * threads as f64 / began.elapsed().as_secs_f64()
}

/// Ten thousand idle tenants, called one after the other.
fn round_robin(turns: usize) {
    const TENANTS: usize = 10_000;
    const SOME: usize = 1_000;
    let wasm = wat::parse_str(
        r#"(module (memory (export "memory") 2048 (pagesize 1))
            (global $calls (mut i32) (i32.const 0))
            (func (export "same") (param i32) (result i32)
                (i32.store (i32.const 64) (local.get 0))
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (i32.load (i32.const 64))))"#,
    )
    .unwrap();
    let registry = WasmPluginRegistry::new();
    let functions: Vec<_> = (0..TENANTS)
        .map(|n| load(&registry, &format!("plugin {n}"), &wasm, small(&format!("tenant {n}"))))
        .collect();
    let round = |functions: &[PluginFunction<i32, i32>]| {
        time(functions.len(), || {
            for (n, function) in functions.iter().enumerate() {
                assert_eq!(function.call(n as i32).unwrap(), n as i32);
            }
        })
    };
    let by_name = |tenants: core::ops::Range<usize>| {
        let names: Vec<_> = tenants.map(|n| format!("plugin {n}")).collect();
        time(names.len(), || {
            for name in &names {
                let results = registry.call(name, "same", &[7.into()]).unwrap();
                assert_eq!(results[0].as_i32(), Some(7));
            }
        })
    };
    for function in &functions {
        function.call(0).unwrap();
    }
    // In rounds over all of them: the first thousand, the next eight, the last.
    let mut times = vec![Vec::new(); 4];
    for _ in 0..turns {
        times[0].push(round(&functions[..SOME]));
        round(&functions[SOME..TENANTS - SOME]);
        times[1].push(round(&functions[TENANTS - SOME..]));
        times[2].push(by_name(0..SOME));
        by_name(SOME..TENANTS - SOME);
        times[3].push(by_name(TENANTS - SOME..TENANTS));
    }
    let times: Vec<f64> = times.into_iter().map(scale::median).collect();
    println!(
        "a call in rounds over {TENANTS} tenants, in ns: the first {SOME} {:.0}, the last {:.0}; by name {:.0}, {:.0}",
        times[0], times[1], times[2], times[3]
    );
    goal("10,000 tenants, the last 1,000 over the first", times[1] / times[0], "<= 1.5");
    goal("the same by name", times[3] / times[2], "<= 1.5");
}

/// What suits a small tenant.
fn small(tenant: &str) -> WasmInstanceConfig {
    WasmInstanceConfig {
        tenant: tenant.into(),
        max_instances: 1,
        limits: ModuleLimits {
            min_stack_bytes: 256,
            max_stack_bytes: 4_096,
            max_recursion_depth: 32,
            ..ModuleLimits::default()
        },
        capabilities: WasmPluginCapabilities { timeout_ms: 10, ..Default::default() },
        ..WasmInstanceConfig::default()
    }
}

fn load(
    registry: &WasmPluginRegistry,
    name: &str,
    wasm: &[u8],
    config: WasmInstanceConfig,
) -> PluginFunction<i32, i32> {
    registry.load(name, wasm, config).unwrap();
    registry.get(name).unwrap().function("same").unwrap()
}

fn goal(what: &str, measured: f64, goal: &str) {
    println!("{what:56} {measured:6.2}   {goal}");
}
