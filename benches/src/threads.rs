//! Threads that call at the same time.

use crate::{
    case::{Case, Group, Line, Run, Runtime},
    runtimes::COUNTER,
};
use film::raw::{Fuel, Prepared};
use std::{sync::Arc, thread};
use wasm_runtime::{PluginFunction, WasmInstanceConfig, WasmPluginInstance, WasmPluginRegistry};

/// How many threads there are.
const THREADS: [usize; 2] = [1, 2];
/// How many calls each thread makes at least, so that starting it does not count.
const CALLS: u32 = 20_000;

/// The cases. The time is that of one call in one thread: with threads that do not disturb one
/// another it is the same however many there are.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for threads in THREADS {
        let mut add = |runtime, how, make: fn(usize) -> Run| {
            let task = format!("{threads} thread{}", if threads == 1 { "" } else { "s" });
            let line = Line { runtime, how };
            let mut case = Case::new(Group::Threads, task, line, move || Some(make(threads)));
            case.units = f64::from(CALLS);
            cases.push(case);
        };
        add(Runtime::Raw, "an engine each, fuel", |threads| raw(threads, false));
        add(Runtime::Raw, "one engine for all, fuel", |threads| raw(threads, true));
        add(Runtime::Ours, "a plugin each", |threads| ours(threads, false));
        add(Runtime::Ours, "one plugin for all", |threads| ours(threads, true));
    }
    cases
}

fn raw(threads: usize, shared: bool) -> Run {
    let prepare = || Prepared::new(COUNTER, Fuel::Metered);
    let of_all = prepare();
    let guest = |_| {
        let guest = if shared { of_all.instantiate() } else { prepare().instantiate() };
        let get = guest.function::<(), i32>("get");
        (guest, get)
    };
    let guests = (0..threads).map(guest).collect();
    in_threads(guests, |(guest, get)| guest.call(*get, ()).0)
}

fn ours(threads: usize, shared: bool) -> Run {
    let registry = WasmPluginRegistry::new();
    let load = |number: usize| -> Arc<WasmPluginInstance> {
        let name = format!("counter{number}");
        let loaded = registry.load(&name, COUNTER, WasmInstanceConfig::default());
        loaded.unwrap_or_else(|error| panic!("{error}"));
        registry.get(&name).unwrap_or_else(|| panic!("it was just loaded"))
    };
    let plugins = (0..threads).map(load).collect::<Vec<_>>();
    let get = |number: usize| -> PluginFunction<(), i32> {
        let plugin = &plugins[if shared { 0 } else { number }];
        plugin.function("get").unwrap_or_else(|error| panic!("{error}"))
    };
    in_threads((0..threads).map(get).collect(), |get| {
        get.call(()).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Each thread calls [`CALLS`] times as often as it is told; the time is that of the slowest.
fn in_threads<T: Send + 'static>(mut of_threads: Vec<T>, call: fn(&mut T) -> i32) -> Run {
    Box::new(move |n| {
        thread::scope(|scope| {
            for of_thread in &mut of_threads {
                scope.spawn(move || {
                    for _ in 0..n * CALLS {
                        assert_eq!(call(of_thread), 0);
                    }
                });
            }
        });
    })
}
