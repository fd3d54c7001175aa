//! The operations that the film is measured by.

use crate::{
    guests,
    ours::{self, Ours, PLUGIN},
    raw::{Raw, Rows},
};
use std::hint::black_box;
use wasm_runtime::{WasmInstanceConfig, WasmValue};
use wasmi::Val;

/// How many rows there are to read from.
pub const ROWS: u64 = 10_000;

/// An operation, made ready only when it is wanted.
pub struct Operation {
    /// What it is called.
    pub name: &'static str,
    /// Makes it ready: what comes back does it as often as it is told, and checks each result.
    pub make: fn() -> Run,
}

/// Does something n times.
pub type Run = Box<dyn FnMut(u32)>;

/// Every operation, by hand (`raw`) and through the library (`ours`).
pub const OPERATIONS: [Operation; 23] = [
    operation("raw bare", raw_bare),
    operation("raw call", raw_call),
    operation("raw resumable", raw_resumable),
    operation("raw by name", raw_by_name),
    operation("raw loop", || raw_loop(Raw::calls(), "empty")),
    operation("raw nothing", || raw_loop(Raw::calls(), "nothing")),
    operation("raw next", || raw_loop(Raw::calls(), "next")),
    operation("raw emit_metric", || raw_loop(Raw::metrics(), "emit")),
    operation("raw emit_metric, labels", || raw_loop(Raw::metrics(), "emit_labels")),
    operation("raw look-up", look_up),
    operation("ours lease, no timeout", || our_lease(ours::untimed_config())),
    operation("ours lease", || our_lease(ours::default_config())),
    operation("ours pool, no timeout", || our_pool(ours::untimed_config())),
    operation("ours pool", || our_pool(ours::default_config())),
    operation("ours by name", our_by_name),
    operation("ours plugin by name", our_plugin_by_name),
    operation("ours loop", || our_loop(Ours::calls(ours::long_config()), "empty")),
    operation("ours nothing", || our_loop(Ours::calls(ours::long_config()), "nothing")),
    operation("ours next", || our_loop(Ours::calls(ours::long_config()), "next")),
    operation("ours denied", || our_loop(Ours::reads(ours::long_config(), 0), "read_denied")),
    operation("ours emit_metric", || our_loop(Ours::metrics(ours::long_config()), "emit")),
    operation("ours emit_metric, labels", || {
        our_loop(Ours::metrics(ours::long_config()), "emit_labels")
    }),
    operation("ours soch_read", || our_loop(Ours::reads(ours::long_config(), ROWS), "read")),
];

const fn operation(name: &'static str, make: fn() -> Run) -> Operation {
    Operation { name, make }
}

fn raw_bare() -> Run {
    let mut raw = Raw::calls();
    let add = raw.function::<(i32, i32), i32>("add");
    Box::new(move |n| {
        for _ in 0..n {
            assert_eq!(raw.bare(add, black_box((40, 2))), 42);
        }
    })
}

fn raw_call() -> Run {
    let mut raw = Raw::calls();
    let add = raw.function::<(i32, i32), i32>("add");
    Box::new(move |n| {
        for _ in 0..n {
            assert_eq!(raw.call(add, black_box((40, 2))).0, 42);
        }
    })
}

fn raw_resumable() -> Run {
    let mut raw = Raw::calls();
    let add = raw.function::<(i32, i32), i32>("add");
    Box::new(move |n| {
        for _ in 0..n {
            assert_eq!(raw.call_resumable(add, black_box((40, 2))).0, 42);
        }
    })
}

fn raw_by_name() -> Run {
    let mut raw = Raw::calls();
    Box::new(move |n| {
        let mut results = [Val::I32(0)];
        for _ in 0..n {
            raw.call_by_name(black_box("add"), &[Val::I32(40), Val::I32(2)], &mut results);
            assert_eq!(results[0].i32(), Some(42));
        }
    })
}

fn raw_loop(mut raw: Raw, function: &str) -> Run {
    let function = raw.function::<i32, i32>(function);
    Box::new(move |n| {
        assert_eq!(raw.call(function, n as i32).0, n as i32);
    })
}

fn look_up() -> Run {
    let rows = Rows::new(ROWS);
    Box::new(move |n| {
        for _ in 0..n {
            let found = rows.get(black_box(&guests::KEY));
            assert_eq!(black_box(found).map(<[u8]>::len), Some(guests::ROW_BYTES));
        }
    })
}

fn our_lease(config: WasmInstanceConfig) -> Run {
    let ours = Ours::calls(config);
    let add = ours.plugin.function::<(i32, i32), i32>("add").unwrap();
    let mut lease = ours.plugin.lease_owned().unwrap();
    Box::new(move |n| {
        for _ in 0..n {
            assert_eq!(add.call_in(&mut lease, black_box((40, 2))).unwrap(), 42);
        }
    })
}

fn our_pool(config: WasmInstanceConfig) -> Run {
    let ours = Ours::calls(config);
    let add = ours.plugin.function::<(i32, i32), i32>("add").unwrap();
    Box::new(move |n| {
        for _ in 0..n {
            assert_eq!(add.call(black_box((40, 2))).unwrap(), 42);
        }
    })
}

fn our_by_name() -> Run {
    let ours = Ours::calls(ours::default_config());
    Box::new(move |n| {
        for _ in 0..n {
            let args = [WasmValue::I32(40), WasmValue::I32(2)];
            let results = ours.registry.call(black_box(PLUGIN), black_box("add"), &args).unwrap();
            assert_eq!(results[0].as_i32(), Some(42));
        }
    })
}

fn our_plugin_by_name() -> Run {
    let ours = Ours::calls(ours::default_config());
    Box::new(move |n| {
        for _ in 0..n {
            let args = [WasmValue::I32(40), WasmValue::I32(2)];
            let results = ours.plugin.call(black_box("add"), &args).unwrap();
            assert_eq!(results[0].as_i32(), Some(42));
        }
    })
}

fn our_loop(ours: Ours, function: &str) -> Run {
    let function = ours.plugin.function::<i32, i32>(function).unwrap();
    let mut lease = ours.plugin.lease_owned().unwrap();
    Box::new(move |n| {
        assert_eq!(function.call_in(&mut lease, n as i32).unwrap(), n as i32);
    })
}
