//! Several threads on one registry: calls, loads, unloads, leases and traps at once.
//!
//! What each thread does is decided by a seed of its own; how the threads interleave is not, so what
//! is shown holds for every interleaving.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

use std::{
    sync::{
        Arc, Barrier, Condvar, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use wasm_runtime::{
    CallOptions, EmbeddedHost, Error, ErrorKind, Grant, HostCall, HostCost, HostError,
    HostFunctionTable, PluginFunction, Progress, ResetPolicy, WasmInstanceConfig,
    WasmPluginCapabilities, WasmPluginRegistry, WasmPluginState, WasmValue,
};

const THREADS: usize = 4;

/// Runs `work` in four threads that begin together.
fn in_threads(work: impl Fn(usize) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (work, start) = (&work, &start);
            scope.spawn(move || {
                start.wait();
                work(thread);
            });
        }
    });
}

/// Where threads wait for one another; who waits alone for too long fails instead of hanging.
struct Meeting {
    expected: usize,
    arrived: Mutex<usize>,
    complete: Condvar,
}

impl Meeting {
    fn of(expected: usize) -> Self {
        Self { expected, arrived: Mutex::new(0), complete: Condvar::new() }
    }

    /// Waits until all are there. Can be used once.
    fn wait(&self) -> Result<(), HostError> {
        let mut arrived = self.arrived.lock().unwrap();
        *arrived += 1;
        self.complete.notify_all();
        let missing = |arrived: &mut usize| *arrived < self.expected;
        let waited = self.complete.wait_timeout_while(arrived, PATIENCE, missing).unwrap().1;
        if waited.timed_out() { Err(HostError::Abort("the others did not come")) } else { Ok(()) }
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

/// A plugin that multiplies by `factor`, remembers, and fails in two ways.
fn multiplier(factor: i32) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "soch_v1" "soch_read" (func $read (param i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "tablekey")
            (global $sum (mut i32) (i32.const 0))
            (func (export "times") (param i32) (result i32)
                (i32.mul (local.get 0) (i32.const {factor})))
            (func (export "add") (param i32) (result i32)
                (global.set $sum (i32.add (global.get $sum) (local.get 0)))
                (global.get $sum))
            (func (export "read") (result i32)
                (call $read (i32.const 0) (i32.const 5) (i32.const 5) (i32.const 3) (i32.const 16)
                    (i32.const 8)))
            (func (export "divide") (param i32 i32) (result i32)
                (i32.div_u (local.get 0) (local.get 1)))
            (func (export "endless") (loop $again (br $again)))
            (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "echo") (param $ptr i32) (param $len i32) (result i64)
                (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
                    (i64.extend_i32_u (local.get $len)))))"#
    ))
    .unwrap()
}

fn config(max_instances: u32) -> WasmInstanceConfig {
    WasmInstanceConfig {
        max_instances,
        capabilities: WasmPluginCapabilities {
            can_read_table: vec!["table".into()],
            fuel_limit: 20_000,
            timeout_ms: 0,
            ..WasmPluginCapabilities::default()
        },
        ..WasmInstanceConfig::default()
    }
}

/// A generator of numbers (xorshift) that are the same in each run.
struct Dice(u64);

impl Dice {
    fn new(thread: usize) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (thread as u64 + 1))
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % n
    }

    fn number(&mut self) -> i32 {
        self.below(1_000) as i32 + 1
    }
}

fn i32_of(results: Result<wasm_runtime::WasmValues, Error>) -> Result<i32, ErrorKind> {
    results.map(|results| results[0].as_i32().unwrap()).map_err(|error| error.kind())
}

/// What four threads work on.
struct Stage {
    registry: WasmPluginRegistry,
    /// Answers of the plugin that comes and goes, and its refusals: both must occur.
    answers: AtomicU64,
    refusals: AtomicU64,
}

/// More sandboxes than four threads can use, each with a lease and a call.
const WIDE: u32 = 9;
/// The factors of the plugin that comes and goes.
const FACTORS: [i32; 3] = [3, 5, 7];

impl Stage {
    fn new() -> Self {
        let registry = WasmPluginRegistry::new();
        registry.host().put("default", "table", b"key", b"value").unwrap();
        registry.load("wide", &multiplier(2), config(WIDE)).unwrap();
        let after_call =
            WasmInstanceConfig { reset: ResetPolicy::AfterCall, ..config(THREADS as u32) };
        registry.load("forgetful", &multiplier(2), after_call).unwrap();
        registry.load("narrow", &multiplier(2), config(2)).unwrap();
        Self { registry, answers: AtomicU64::new(0), refusals: AtomicU64::new(0) }
    }

    fn act(&self, thread: usize, dice: &mut Dice) {
        match dice.below(9) {
            0 | 1 => self.call_wide(dice),
            2 => self.lease_wide(dice),
            3 => self.fail_wide(dice),
            4 => self.call_forgetful(dice),
            5 => self.call_narrow(dice),
            6 => self.replace_own(thread, dice),
            7 => self.call_what_comes_and_goes(dice),
            _ => self.replace_what_comes_and_goes(dice),
        }
    }

    fn call_wide(&self, dice: &mut Dice) {
        let x = dice.number();
        let plugin = self.registry.get("wide").unwrap();
        assert_eq!(i32_of(plugin.call("times", &[x.into()])), Ok(2 * x));
        let times: PluginFunction<i32, i32> = plugin.function("times").unwrap();
        assert_eq!(times.call(x).unwrap(), 2 * x);
        let mut output = [0; 4];
        assert_eq!(plugin.call_bytes_into("echo", &x.to_le_bytes(), &mut output).unwrap(), 4);
        assert_eq!(i32::from_le_bytes(output), x);
        assert_eq!(i32_of(plugin.call("read", &[])), Ok(5));
    }

    fn lease_wide(&self, dice: &mut Dice) {
        let (x, y) = (dice.number(), dice.number());
        let plugin = self.registry.get("wide").unwrap();
        let mut lease = plugin.lease().unwrap();
        let sum = i32_of(lease.call("add", &[x.into()])).unwrap();
        // Nobody else sees the sandbox meanwhile.
        assert_eq!(i32_of(plugin.call("times", &[y.into()])), Ok(2 * y));
        assert_eq!(i32_of(lease.call("add", &[y.into()])), Ok(sum.wrapping_add(y)));
        if dice.below(2) == 0 {
            let error = lease.call("divide", &[x.into(), 0.into()]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Trap);
            assert_eq!(i32_of(lease.call("add", &[y.into()])), Ok(y));
        }
    }

    fn fail_wide(&self, dice: &mut Dice) {
        let x = dice.number();
        let call = |function: &str, args: &[WasmValue]| {
            self.registry.call("wide", function, args).unwrap_err().kind()
        };
        match dice.below(3) {
            0 => assert_eq!(call("divide", &[x.into(), 0.into()]), ErrorKind::Trap),
            1 => assert_eq!(call("endless", &[]), ErrorKind::OutOfFuel),
            _ => assert_eq!(call("missing", &[]), ErrorKind::FunctionNotFound),
        }
    }

    /// A plugin whose sandboxes are new for each call.
    fn call_forgetful(&self, dice: &mut Dice) {
        let x = dice.number();
        assert_eq!(i32_of(self.registry.call("forgetful", "add", &[x.into()])), Ok(x));
    }

    /// A plugin with fewer sandboxes than there are threads.
    fn call_narrow(&self, dice: &mut Dice) {
        let x = dice.number();
        let result = i32_of(self.registry.call("narrow", "times", &[x.into()]));
        assert!([Ok(2 * x), Err(ErrorKind::Busy)].contains(&result), "{result:?}");
    }

    /// A plugin that only this thread loads and unloads.
    fn replace_own(&self, thread: usize, dice: &mut Dice) {
        let (name, x, factor) = (format!("own{thread}"), dice.number(), dice.number());
        self.registry.load(&name, &multiplier(factor), config(1)).unwrap();
        assert_eq!(i32_of(self.registry.call(&name, "times", &[x.into()])), Ok(factor * x));
        let plugin = self.registry.get(&name).unwrap();
        let mut lease = plugin.lease().unwrap();
        self.registry.unload(&name).unwrap();
        assert_eq!(i32_of(lease.call("times", &[x.into()])), Ok(factor * x));
        drop(lease);
        assert_eq!(i32_of(plugin.call("times", &[x.into()])), Err(ErrorKind::Unloaded));
        assert_eq!(plugin.state(), WasmPluginState::Unloaded);
    }

    fn call_what_comes_and_goes(&self, dice: &mut Dice) {
        let x = dice.number();
        match i32_of(self.registry.call("guest", "times", &[x.into()])) {
            Ok(result) => {
                assert!(FACTORS.iter().any(|factor| factor * x == result), "{result} of {x}");
                self.answers.fetch_add(1, Ordering::Relaxed);
            }
            Err(kind) => {
                assert!([ErrorKind::NotFound, ErrorKind::Unloaded].contains(&kind), "{kind:?}");
                self.refusals.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn replace_what_comes_and_goes(&self, dice: &mut Dice) {
        let factor = FACTORS[dice.below(3) as usize];
        let loaded = self.registry.load("guest", &multiplier(factor), config(THREADS as u32));
        if let Err(error) = loaded {
            assert_eq!(error.kind(), ErrorKind::AlreadyLoaded);
            let unloaded = self.registry.unload("guest").map_err(|error| error.kind());
            assert!([Ok(()), Err(ErrorKind::NotFound)].contains(&unloaded), "{unloaded:?}");
        }
    }
}

#[test]
fn whatever_four_threads_do_at_once_every_answer_is_right_and_every_plugin_answers_after() {
    let stage = Stage::new();
    in_threads(|thread| {
        let mut dice = Dice::new(thread);
        (0..2_000).for_each(|_| stage.act(thread, &mut dice));
    });
    let registry = &stage.registry;
    let _ = registry.unload("guest");
    assert_eq!(registry.list(), ["wide", "forgetful", "narrow"]);
    for name in registry.list() {
        let plugin = registry.get(&name).unwrap();
        let (state, stats) = (plugin.state(), plugin.stats());
        assert!([WasmPluginState::Ready, WasmPluginState::Trapped].contains(&state), "{state:?}");
        let slots: Vec<_> =
            (0..plugin.config().max_instances).map(|_| plugin.lease().unwrap()).collect();
        for mut lease in slots {
            assert_eq!(i32_of(lease.call("times", &[21.into()])), Ok(42));
        }
        assert_eq!(
            plugin.stats().total_calls,
            stats.total_calls + u64::from(plugin.config().max_instances)
        );
    }
    assert!(registry.get("wide").unwrap().stats().trap_count > 0);
    assert!(stage.answers.into_inner() > 0);
    assert!(stage.refusals.into_inner() > 0);
}

#[test]
fn no_call_is_busy_while_fewer_than_max_instances_are_in_flight() {
    const CALLS: i32 = 20_000;
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", &multiplier(2), config(THREADS as u32)).unwrap();
    let plugin = registry.get("plugin").unwrap();
    let times: PluginFunction<i32, i32> = plugin.function("times").unwrap();
    in_threads(|_| {
        for x in 0..CALLS {
            assert_eq!(times.call(x).unwrap(), 2 * x);
            drop(plugin.lease().unwrap());
        }
    });
    assert_eq!(plugin.stats().total_calls, THREADS as u64 * CALLS as u64);
}

#[test]
fn calls_of_one_plugin_run_at_the_same_time_and_one_more_is_busy() {
    // Four calls wait in the host until this thread, which makes a fifth, has come and gone.
    let meeting = Arc::new([Meeting::of(THREADS + 1), Meeting::of(THREADS + 1)]);
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let inside = Arc::clone(&meeting);
    let meet = move |call: &mut HostCall<'_, EmbeddedHost>| -> Result<i32, HostError> {
        inside[0].wait()?;
        inside[1].wait()?;
        Ok(call.tag() as i32)
    };
    table.define("env", "meet", Grant::Always, HostCost::default(), meet).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let wasm = wat::parse_str(
        r#"(module (import "env" "meet" (func $meet (result i32)))
            (func (export "meet") (result i32) (call $meet)))"#,
    )
    .unwrap();
    registry.load("plugin", &wasm, config(THREADS as u32)).unwrap();
    let plugin = registry.get("plugin").unwrap();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..THREADS as i32)
            .map(|tag| {
                let options = CallOptions { tag: tag as u64, ..CallOptions::default() };
                let plugin = &plugin;
                scope.spawn(move || (tag, i32_of(plugin.call_with("meet", &[], options))))
            })
            .collect();
        let met = meeting[0].wait();
        let fifth = i32_of(plugin.call("meet", &[]));
        let (lease, state) = (plugin.lease().err().map(|error| error.kind()), plugin.state());
        // Let the four go before anything can fail here.
        met.and(meeting[1].wait()).unwrap();
        for call in calls {
            let (tag, result) = call.join().unwrap();
            assert_eq!(result, Ok(tag));
        }
        assert_eq!(fifth, Err(ErrorKind::Busy));
        assert_eq!(lease, Some(ErrorKind::Busy));
        assert_eq!(state, WasmPluginState::Executing);
    });
    assert_eq!(plugin.state(), WasmPluginState::Ready);
}

#[test]
fn of_several_loads_of_one_name_at_once_exactly_one_wins() {
    let registry = WasmPluginRegistry::new();
    let modules: Vec<_> = (1..=THREADS).map(|factor| multiplier(factor as i32)).collect();
    for _ in 0..50 {
        let (winners, winner) = (AtomicUsize::new(0), AtomicUsize::new(0));
        in_threads(|thread| match registry.load("plugin", &modules[thread], config(1)) {
            Ok(()) => {
                winners.fetch_add(1, Ordering::Relaxed);
                winner.store(thread, Ordering::Relaxed);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyLoaded),
        });
        assert_eq!(winners.into_inner(), 1);
        assert_eq!(registry.list(), ["plugin"]);
        let factor = winner.into_inner() as i32 + 1;
        assert_eq!(i32_of(registry.call("plugin", "times", &[10.into()])), Ok(10 * factor));
        registry.unload("plugin").unwrap();
    }
}

#[test]
fn a_plugin_that_is_still_loading_cannot_be_seen_and_its_name_is_taken() {
    // The start function waits in the host until the other thread has looked.
    let meeting = Arc::new([Meeting::of(2), Meeting::of(2)]);
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let inside = Arc::clone(&meeting);
    let meet = move |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
        inside[0].wait()?;
        inside[1].wait()
    };
    table.define("env", "meet", Grant::Always, HostCost::default(), meet).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    let wasm = wat::parse_str(
        r#"(module (import "env" "meet" (func $meet)) (start $meet)
            (func (export "ping") (result i32) (i32.const 1)))"#,
    )
    .unwrap();
    thread::scope(|scope| {
        let loading = scope.spawn(|| registry.load("plugin", &wasm, config(1)));
        let met = meeting[0].wait();
        let seen = (
            registry.get("plugin").is_some(),
            registry.count(),
            i32_of(registry.call("plugin", "ping", &[])),
            registry.unload("plugin").map_err(|error| error.kind()),
            registry.load("plugin", &multiplier(2), config(1)).map_err(|error| error.kind()),
        );
        // Let the load end before anything can fail here.
        met.and(meeting[1].wait()).unwrap();
        loading.join().unwrap().unwrap();
        assert_eq!(
            seen,
            (
                false,
                0,
                Err(ErrorKind::NotFound),
                Err(ErrorKind::NotFound),
                Err(ErrorKind::AlreadyLoaded)
            )
        );
    });
    assert_eq!(i32_of(registry.call("plugin", "ping", &[])), Ok(1));
}

#[test]
fn every_call_is_counted_whichever_thread_makes_it() {
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", &multiplier(2), config(THREADS as u32)).unwrap();
    let one = {
        registry.call("plugin", "times", &[1.into()]).unwrap();
        registry.get("plugin").unwrap().stats()
    };
    in_threads(|thread| {
        for n in 0..1_000 {
            match (n + thread) % 4 {
                0 => {
                    registry.call("plugin", "divide", &[1.into(), 0.into()]).unwrap_err();
                }
                1 => {
                    registry.call("plugin", "read", &[]).unwrap();
                }
                _ => {
                    registry.call("plugin", "times", &[1.into()]).unwrap();
                }
            }
        }
    });
    let stats = registry.get("plugin").unwrap().stats();
    assert_eq!(stats.total_calls - one.total_calls, 4_000);
    assert_eq!(stats.trap_count, 1_000);
    assert_eq!(stats.host_calls, 1_000);
    assert!(stats.total_fuel_consumed >= one.total_fuel_consumed * 2_001);
    assert_eq!(registry.global_stats(), (stats.total_calls, stats.trap_count));
}

/// A module that says which version it is, in one of several places.
fn version(number: usize) -> Vec<u8> {
    let others: String =
        (0..number % 3).map(|k| format!("(func (export \"a{k}\") (nop))")).collect();
    wat::parse_str(format!(
        r#"(module (memory 1) {others} (func (export "version") (result i32) (i32.const {number})))"#
    ))
    .unwrap()
}

/// A call of `version`, one way or another.
fn ask(
    way: u64,
    registry: &WasmPluginRegistry,
    function: &PluginFunction<(), i32>,
) -> Result<usize, Error> {
    let plugin = function.plugin();
    let number = match way % 5 {
        0 | 1 => function.call(())?,
        2 => registry.call("plugin", "version", &[])?[0].as_i32().unwrap(),
        3 => {
            let mut call = plugin.start("version", &[])?;
            loop {
                if let Progress::Finished(results) = call.run(1)? {
                    break results[0].as_i32().unwrap();
                }
            }
        }
        _ => plugin.lease()?.call("version", &[])?[0].as_i32().unwrap(),
    };
    Ok(usize::try_from(number).unwrap())
}

#[test]
fn a_thousand_reloads_under_load_lose_no_call_and_none_answers_of_an_older_version() {
    const RELOADS: usize = 1_000;
    let registry = WasmPluginRegistry::new();
    // No timeout: on a busy machine a call that is run piece by piece can be left for long.
    let config = || WasmInstanceConfig {
        max_instances: u32::try_from(THREADS).unwrap(),
        capabilities: WasmPluginCapabilities { timeout_ms: 0, ..Default::default() },
        ..WasmInstanceConfig::default()
    };
    registry.load("plugin", &version(1), config()).unwrap();
    let function = registry.get("plugin").unwrap().function::<(), i32>("version").unwrap();
    let (latest, seen) = (AtomicUsize::new(1), Mutex::new(std::collections::BTreeSet::new()));
    let (calls, newest) = (AtomicU64::new(0), AtomicUsize::new(1));
    thread::scope(|scope| {
        let mut callers = Vec::new();
        for thread in 0..THREADS {
            let (registry, latest, seen) = (&registry, &latest, &seen);
            let (calls, newest) = (&calls, &newest);
            let function = function.clone();
            callers.push(scope.spawn(move || {
                let mut way = thread as u64;
                let mut answers = std::collections::BTreeSet::new();
                loop {
                    let oldest = latest.load(Ordering::Acquire);
                    way += 1;
                    // As many calls as slots: none is refused, whatever is going on.
                    let number = ask(way, registry, &function).unwrap();
                    assert!(number >= oldest, "{number} after the reload to {oldest}");
                    answers.insert(number);
                    newest.fetch_max(number, Ordering::Relaxed);
                    calls.fetch_add(1, Ordering::Relaxed);
                    if oldest == RELOADS + 1 {
                        break;
                    }
                }
                seen.lock().unwrap().extend(answers);
            }));
        }
        let one_has_failed = || callers.iter().any(|caller| caller.is_finished());
        for number in 2..=RELOADS + 1 {
            registry.reload("plugin", &version(number), config()).unwrap();
            latest.store(number, Ordering::Release);
            // However busy the machine is, some versions are called before they are replaced.
            let is_called = || newest.load(Ordering::Relaxed) == number;
            while number % 8 == 0 && !is_called() && !one_has_failed() {
                thread::yield_now();
            }
        }
    });
    let (seen, calls) = (seen.lock().unwrap().len(), calls.load(Ordering::Relaxed));
    println!("{RELOADS} reloads, {calls} calls, answers of {seen} versions");
    assert!(seen > RELOADS / 10, "answers of {seen} versions");
    let stats = registry.get("plugin").unwrap().stats();
    assert_eq!((stats.total_calls, stats.trap_count), (calls, 0));
    // Each slot has one now, and nobody has another.
    let plugin = registry.get("plugin").unwrap();
    let leases: Vec<_> = (0..THREADS).map(|_| plugin.lease().unwrap()).collect();
    assert_eq!(registry.usage().sandboxes, leases.len() as u64, "none of an old version is left");
}
