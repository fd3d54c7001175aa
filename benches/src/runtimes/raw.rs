//! wasmi by hand, all of which is in [`film::raw`].

use super::{Bytes, COUNTER, ECHO, Peer, exchange, round_robin};
use crate::{
    case::{Line, Run, Runtime, film_run},
    kernels::{self, Kernel},
    modules::Module,
};
use film::raw::{CompilationMode, Fuel, Prepared, TypedFunc};
use std::hint::black_box;

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
        let mut guest = metered(&Module::pages(1).wasm);
        let nop = guest.function::<i32, i64>("nop");
        Some(Box::new(move |n| {
            for _ in 0..n {
                assert_eq!(guest.call(nop, black_box(7)).0, 7);
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
        (*self == Self::Fuel).then(|| exchange(Echo::new(metered(ECHO)), bytes))
    }

    fn turns(&self, loop_name: &'static str) -> Option<Run> {
        Some(film_run(match loop_name {
            "empty" => "raw loop",
            "nothing" => "raw nothing",
            _ => "raw next",
        }))
    }

    fn instantiate(&self, module: &Module) -> Option<Run> {
        let prepared = Prepared::new(&module.wasm, Fuel::Metered);
        Some(Box::new(move |n| {
            for _ in 0..n {
                let mut guest = prepared.instantiate();
                let nop = guest.function::<i32, i64>("nop");
                assert_eq!(guest.call(nop, black_box(7)).0, 7);
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
                let module = film::raw::compile(&wasm, Fuel::Metered, mode);
                assert!(black_box(module).exports().next().is_some());
            }
        }))
    }

    fn kernel(&self, kernel: &Kernel) -> Option<Run> {
        let fuel = if *self == Self::Unmetered { Fuel::Unmetered } else { Fuel::Metered };
        let mut guest = film::raw::Raw::new(kernels::WASM, fuel);
        let function = guest.function::<i32, i64>(kernel.name);
        let Kernel { argument, answer, .. } = *kernel;
        Some(match fuel {
            Fuel::Metered => Box::new(move |n| {
                for _ in 0..n {
                    assert_eq!(guest.call(function, black_box(argument)).0, answer);
                }
            }),
            Fuel::Unmetered => Box::new(move |n| {
                for _ in 0..n {
                    assert_eq!(guest.bare(function, black_box(argument)), answer);
                }
            }),
        })
    }

    /// With an engine, a module, a store and an instance each.
    fn tenants(&self, count: u32) -> Option<Run> {
        let tenant = |_| {
            let mut guest = metered(COUNTER);
            assert_eq!(guest.call(guest.function::<(), i32>("get"), ()).0, 0);
            let increment = guest.function::<(), i32>("increment");
            (guest, increment)
        };
        let tenants = (0..count).map(tenant).collect();
        Some(round_robin(tenants, |(guest, increment)| guest.call(*increment, ()).0))
    }
}

fn metered(wasm: &[u8]) -> film::raw::Raw {
    film::raw::Raw::new(wasm, Fuel::Metered)
}

struct Echo {
    guest: film::raw::Raw,
    alloc: TypedFunc<i32, i32>,
    free: TypedFunc<(i32, i32), ()>,
    echo: TypedFunc<(i32, i32), i64>,
}

impl Echo {
    fn new(guest: film::raw::Raw) -> Self {
        let (alloc, free) = (guest.function("soch_alloc"), guest.function("soch_free"));
        let echo = guest.function("echo");
        Self { guest, alloc, free, echo }
    }
}

/// With fuel for all three calls together, as this library counts it.
impl Bytes for Echo {
    fn begin(&mut self) {
        self.guest.refuel();
    }

    fn end(&mut self) {
        black_box(self.guest.spent());
    }

    fn alloc(&mut self, size: i32) -> i32 {
        self.guest.bare(self.alloc, size)
    }

    fn free(&mut self, ptr: i32, size: i32) {
        self.guest.bare(self.free, (ptr, size));
    }

    fn echo(&mut self, ptr: i32, len: i32) -> i64 {
        self.guest.bare(self.echo, (ptr, len))
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.guest.write(at, bytes);
    }

    fn read(&self, at: usize, bytes: &mut [u8]) {
        self.guest.read(at, bytes);
    }
}
