//! Random sequences of everything that can be done with started calls, against a plain model.
//!
//! `SEQUENCES` says how many: 300 by default, which take a second; `test.sh` checks
//! 100,000.

use super::bench::{Bench, args, granted};
use proptest::prelude::*;
use std::sync::Arc;
use wasm_runtime::{
    CancelToken, ErrorKind, PluginCall, Progress, WasmInstanceConfig, WasmPluginInstance,
    WasmPluginState,
};

const PLUGINS: usize = 2;
const SLOTS: usize = 3;

/// What a started call does, as far as the model knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Ends with this number.
    Spin(i32),
    /// Waits this often.
    Wait {
        left: i32,
        sum: i32,
    },
    Trap,
}

/// A call and what the model says of it.
struct Started {
    call: PluginCall,
    token: CancelToken,
    plugin: usize,
    kind: Kind,
    is_cancelled: bool,
    /// Whether some of it has run.
    has_run: bool,
    /// Whether it is known to wait, and was not answered.
    waits: bool,
}

/// What the model expects a plugin to have counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    calls: u64,
    traps: u64,
}

struct World {
    bench: Bench,
    plugins: [Option<Arc<WasmPluginInstance>>; PLUGINS],
    counts: [Counts; PLUGINS],
    calls: Vec<Started>,
    /// Of calls that have ended: none of these may do anything.
    dead: Vec<CancelToken>,
}

impl World {
    fn new() -> Self {
        let bench = Bench::new();
        Self {
            bench,
            plugins: Default::default(),
            counts: Default::default(),
            calls: Vec::new(),
            dead: Vec::new(),
        }
    }

    fn in_use(&self, plugin: usize) -> usize {
        let of_it = |call: &&Started| {
            call.plugin == plugin
                && self.plugins[plugin].as_ref().is_some_and(|p| Arc::ptr_eq(p, call.call.plugin()))
        };
        self.calls.iter().filter(of_it).count()
    }

    fn load(&mut self, plugin: usize) {
        if self.plugins[plugin].is_none() {
            let config = WasmInstanceConfig { max_instances: SLOTS as u32, ..granted() };
            self.plugins[plugin] = Some(self.bench.load(&format!("waiter-{plugin}"), config));
            self.counts[plugin] = Counts::default();
        }
    }

    fn unload(&mut self, plugin: usize) {
        if let Some(handle) = self.plugins[plugin].take() {
            self.bench.registry.unload(handle.name()).unwrap();
            let refused = handle.start("spin", &args(&[1])).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unloaded);
        }
    }

    fn start(&mut self, plugin: usize, kind: Kind) {
        let Some(handle) = self.plugins[plugin].clone() else {
            return;
        };
        let (function, numbers) = match kind {
            Kind::Spin(turns) => ("spin", vec![turns]),
            Kind::Wait { left, .. } => ("wait_often", vec![left]),
            Kind::Trap => ("trap", vec![]),
        };
        let started = handle.start(function, &args(&numbers));
        if self.in_use(plugin) == SLOTS {
            assert_eq!(started.unwrap_err().kind(), ErrorKind::Busy);
            return;
        }
        let call = started.unwrap();
        let token = call.cancel_token();
        let (is_cancelled, has_run, waits) = (false, false, false);
        self.calls.push(Started { call, token, plugin, kind, is_cancelled, has_run, waits });
    }

    /// A call has ended: what the model knows of its plugin is told.
    fn ended(&mut self, at: usize, is_trap: bool) {
        let started = self.calls.swap_remove(at);
        let current = &self.plugins[started.plugin];
        if current.as_ref().is_some_and(|plugin| Arc::ptr_eq(plugin, started.call.plugin())) {
            let counts = &mut self.counts[started.plugin];
            // A call that was cancelled before it began has run all the same: it was begun to end.
            counts.calls += 1;
            counts.traps += u64::from(is_trap);
        }
        self.dead.push(started.token);
    }

    fn run(&mut self, at: usize, fuel: u64) {
        let started = &mut self.calls[at];
        let result = started.call.run(fuel);
        started.has_run = true;
        match result {
            Ok(Progress::Running) => assert!(!started.is_cancelled && !started.waits),
            Ok(Progress::Suspended(ticket)) => {
                let Kind::Wait { left, .. } = started.kind else { panic!("{:?}", started.kind) };
                assert!(!started.is_cancelled);
                assert_eq!(ticket, left as u64);
                started.waits = true;
            }
            Ok(Progress::Finished(values)) => {
                assert!(!started.is_cancelled && !started.waits);
                let expected = match started.kind {
                    Kind::Spin(turns) => turns,
                    Kind::Wait { left: 0, sum } => sum,
                    kind => panic!("{kind:?} has ended"),
                };
                assert_eq!(values[0].as_i32(), Some(expected));
                self.ended(at, false);
            }
            Err(error) => {
                let expected = match (started.is_cancelled, started.kind) {
                    (true, _) => ErrorKind::Cancelled,
                    (false, Kind::Trap) => ErrorKind::Trap,
                    (false, kind) => panic!("{kind:?}: {error}"),
                };
                assert_eq!(error.kind(), expected);
                self.ended(at, true);
            }
        }
    }

    fn complete(&mut self, at: usize, answer: i32) {
        let started = &mut self.calls[at];
        let Kind::Wait { left, sum } = started.kind else {
            assert!(started.call.complete(1, |_| Ok(answer)).is_err());
            return;
        };
        let completed = started.call.complete(left as u64, |_| Ok(answer));
        assert_eq!(completed.is_ok(), started.waits);
        if started.waits {
            started.kind = Kind::Wait { left: left - 1, sum: sum + answer };
            started.waits = false;
        }
    }

    fn drop_call(&mut self, at: usize) {
        match self.calls[at].has_run {
            true => self.ended(at, true),
            false => self.dead.push(self.calls.swap_remove(at).token),
        }
    }

    fn step(&mut self, Step { what, which, number }: Step) {
        let plugin = which % PLUGINS;
        let at = which.checked_rem(self.calls.len());
        match (what, at) {
            (0, _) => self.load(plugin),
            (1, _) if number < 40 => self.unload(plugin),
            (1..=3, _) => self.start(plugin, Kind::Spin(number)),
            (4, _) => self.start(plugin, Kind::Wait { left: number % 4 + 1, sum: 0 }),
            (5, _) => self.start(plugin, Kind::Trap),
            (6, Some(at)) => {
                let started = &mut self.calls[at];
                assert_eq!(started.token.cancel(), !started.is_cancelled);
                started.is_cancelled = true;
            }
            (7, _) => {
                if let Some(handle) = self.plugins[plugin].clone() {
                    let mut cancelled = 0;
                    for started in &mut self.calls {
                        let is_hit = Arc::ptr_eq(started.call.plugin(), &handle);
                        cancelled += usize::from(is_hit && !started.is_cancelled);
                        started.is_cancelled |= is_hit;
                    }
                    assert_eq!(handle.cancel_calls(), cancelled);
                }
            }
            (8, Some(at)) => self.drop_call(at),
            (9 | 10, Some(at)) => self.complete(at, number),
            (11, _) => self.dead.iter().for_each(|token| assert!(!token.cancel())),
            (12.., Some(at)) => self.run(at, 8 * number as u64),
            _ => {}
        }
        self.check();
    }

    fn check(&self) {
        for (at, handle) in self.plugins.iter().enumerate() {
            let Some(handle) = handle else { continue };
            let stats = handle.stats();
            let told = Counts { calls: stats.total_calls, traps: stats.trap_count };
            assert_eq!(told, self.counts[at]);
            match self.in_use(at) {
                0 => assert_ne!(handle.state(), WasmPluginState::Executing),
                _ => assert_eq!(handle.state(), WasmPluginState::Executing),
            }
        }
    }

    /// Every slot of every plugin can be used at the end.
    fn finish(mut self) {
        while !self.calls.is_empty() {
            self.drop_call(0);
        }
        self.check();
        for handle in self.plugins.iter().flatten() {
            let calls: Vec<_> =
                (0..SLOTS).map(|_| handle.start("spin", &args(&[2])).unwrap()).collect();
            for mut call in calls {
                assert!(matches!(call.run(u64::MAX), Ok(Progress::Finished(_))));
            }
        }
    }
}

/// What is done, to which plugin or call, and with which number.
#[derive(Debug, Clone, Copy)]
struct Step {
    what: u8,
    which: usize,
    number: i32,
}

fn step() -> impl Strategy<Value = Step> {
    let parts = (0..18_u8, 0..12_usize, 1..200_i32);
    parts.prop_map(|(what, which, number)| Step { what, which, number })
}

fn sequences() -> u32 {
    std::env::var("SEQUENCES").map_or(300, |n| n.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(sequences()))]

    #[test]
    fn any_sequence_of_start_run_complete_cancel_drop_and_unload_is_as_the_model_says(
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut world = World::new();
        world.load(0);
        steps.into_iter().for_each(|step| world.step(step));
        world.finish();
    }
}
