//! Sandboxes made ahead of calls, dropped when they are used up or idle, off the caller's path.

use crate::support::{
    StepClock, all_granted, assert_error, call_i32, config, fixture, load, load_error, load_hooked,
    wat,
};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use wasm_runtime::{
    EmbeddedHost, ErrorKind, Grant, HostCost, HostError, HostFunctionTable, Maintained,
    MaintenanceBudget, Progress, QuarantinePolicy, ResetPolicy, TenantQuota, WasmInstanceConfig,
    WasmPluginInstance, WasmPluginRegistry, WasmPluginState, WasmValue,
};

const ALL: MaintenanceBudget = MaintenanceBudget { steps: usize::MAX, max_idle_bytes: u64::MAX };

fn steps(steps: usize) -> MaintenanceBudget {
    MaintenanceBudget { steps, ..ALL }
}

/// Fresh state for every call, made ahead.
fn pooled(min_instances: u32, max_instances: u32) -> WasmInstanceConfig {
    WasmInstanceConfig {
        min_instances,
        max_instances,
        reset: ResetPolicy::AfterCall,
        ..config(all_granted())
    }
}

fn started(plugin: &WasmPluginInstance) -> u64 {
    plugin.stats().sandboxes_started
}

/// What was made, dropped, trimmed and did not start.
fn counts(done: &Maintained) -> [usize; 4] {
    [done.made, done.dropped, done.trimmed, done.failed]
}

#[test]
fn calls_get_sandboxes_that_were_made_before_they_came() {
    let (registry, plugin) = load(&fixture("counter"), pooled(3, 4));
    assert_eq!(started(&plugin), 1);
    assert_eq!(counts(&registry.maintain(&ALL)), [2, 0, 0, 0]);
    assert_eq!(started(&plugin), 3);
    // Each call sees the initial state, and none makes a sandbox.
    for _ in 0..3 {
        assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
    }
    assert_eq!(started(&plugin), 3);
    assert_eq!(counts(&registry.maintain(&ALL)), [3, 3, 0, 0]);
    assert_eq!(started(&plugin), 6);
    assert_eq!(counts(&registry.maintain(&ALL)), [0, 0, 0, 0]);
}

#[test]
fn a_call_that_finds_no_sandbox_ready_makes_one() {
    let (registry, plugin) = load(&fixture("counter"), pooled(2, 2));
    registry.maintain(&ALL);
    for calls in 1..=5_u64 {
        assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
        assert_eq!(started(&plugin), calls.max(2));
    }
}

#[test]
fn leases_and_piecewise_calls_get_them_too_and_leave_them_used_up() {
    let (registry, plugin) = load(&fixture("counter"), pooled(2, 2));
    registry.maintain(&ALL);
    let mut lease = plugin.lease().unwrap();
    for expected in 1..=3 {
        assert_eq!(lease.call("increment", &[]).unwrap()[0], WasmValue::I32(expected));
    }
    drop(lease);
    let mut call = plugin.start("increment", &[]).unwrap();
    let results = loop {
        if let Progress::Finished(results) = call.run(1_000).unwrap() {
            break results;
        }
    };
    assert_eq!(results[0], WasmValue::I32(1));
    drop(call);
    assert_eq!(started(&plugin), 2);
    assert_eq!(counts(&registry.maintain(&ALL)), [2, 2, 0, 0]);
}

#[test]
fn a_sandbox_that_trapped_is_replaced_and_others_keep_their_state() {
    let config = WasmInstanceConfig { reset: ResetPolicy::OnTrap, ..pooled(2, 2) };
    let (registry, plugin) = load(&fixture("misbehaving/traps"), config);
    registry.maintain(&ALL);
    assert!(plugin.call("unreachable", &[]).is_err());
    assert_eq!(plugin.state(), WasmPluginState::Trapped);
    assert_eq!(counts(&registry.maintain(&ALL)), [1, 1, 0, 0]);
    assert_eq!(started(&plugin), 3);
    plugin.call("ping", &[]).unwrap();
    assert_eq!(started(&plugin), 3);

    let config = WasmInstanceConfig { reset: ResetPolicy::OnTrap, ..pooled(2, 2) };
    let (registry, plugin) = load(&fixture("counter"), config);
    for expected in 1..=3 {
        assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), expected);
        registry.maintain(&ALL);
    }
}

#[test]
fn more_ready_than_there_may_be_is_refused() {
    let error = load_error(&fixture("counter"), pooled(3, 2));
    assert_error(&error, ErrorKind::Refused, &["`min_instances` is 3, not 0 to 2"]);
}

#[test]
fn a_budget_is_kept_to_and_what_is_left_is_done_the_next_time_plugin_by_plugin() {
    let registry = WasmPluginRegistry::new();
    let names = ["one", "two", "three"];
    for name in names {
        registry.load(name, &fixture("counter"), pooled(4, 4)).unwrap();
    }
    let none = registry.maintain(&steps(0));
    assert_eq!((counts(&none), none.is_done), ([0; 4], false));
    let mut made = 0;
    loop {
        let done = registry.maintain(&steps(2));
        made += done.made;
        assert!(done.made <= 2);
        if done.is_done {
            break;
        }
        assert_eq!(counts(&done), [2, 0, 0, 0]);
    }
    assert_eq!(made, 9);
    // Whoever always wants more does not keep the others from getting theirs.
    let plugins = names.map(|name| registry.get(name).unwrap());
    let all = || plugins.iter().map(|plugin| started(plugin)).collect::<Vec<_>>();
    let before = all();
    for _ in 0..60 {
        for plugin in &plugins {
            plugin.call("increment", &[]).unwrap();
        }
        registry.maintain(&steps(4));
    }
    let made: Vec<_> = all().iter().zip(before).map(|(now, before)| now - before).collect();
    assert!(made.iter().all(|made| (55..=65).contains(made)), "{made:?}");
}

/// A plugin that has so many pages, and may be dropped when idle.
fn pages(pages: usize) -> Vec<u8> {
    wat(&format!(
        r#"(module (memory (export "memory") {pages}) (global $n (mut i32) (i32.const 0))
            (func (export "increment") (result i32)
                (global.set $n (i32.add (global.get $n) (i32.const 1)))
                (global.get $n)))"#
    ))
}

const PAGE: u64 = 64 << 10;

fn stateful(min_instances: u32, trim_idle: bool) -> WasmInstanceConfig {
    WasmInstanceConfig { trim_idle, reset: ResetPolicy::OnTrap, ..pooled(min_instances, 4) }
}

#[test]
fn over_the_ceiling_those_go_that_were_not_called_for_longest() {
    let registry = WasmPluginRegistry::new();
    let names = ["a", "b", "c", "d"];
    for name in names {
        registry.load(name, &pages(10), stateful(0, true)).unwrap();
    }
    let all = registry.maintain(&ALL);
    assert!((40 * PAGE..50 * PAGE).contains(&all.idle_bytes), "{} bytes", all.idle_bytes);
    for name in ["c", "a", "d", "b"] {
        registry.call(name, "increment", &[]).unwrap();
        registry.maintain(&ALL);
    }
    let ceiling = MaintenanceBudget { max_idle_bytes: 25 * PAGE, ..ALL };
    let done = registry.maintain(&ceiling);
    assert_eq!(counts(&done), [0, 0, 2, 0]);
    assert!(done.is_done && done.idle_bytes <= 25 * PAGE);
    // The two that were called last have their state; the others begin anew.
    let results = names.map(|name| registry.call(name, "increment", &[]).unwrap()[0]);
    assert_eq!(results, [1, 2, 1, 2].map(WasmValue::I32));
    // A step is a step.
    let done = registry.maintain(&MaintenanceBudget { steps: 1, max_idle_bytes: 0 });
    assert_eq!((counts(&done), done.is_done), ([0, 0, 1, 0], false));
}

#[test]
fn state_is_kept_unless_the_plugin_can_do_without_and_so_is_what_has_to_be_ready() {
    let registry = WasmPluginRegistry::new();
    registry.load("keeps", &pages(1), stateful(0, false)).unwrap();
    registry.load("ready", &pages(1), stateful(1, true)).unwrap();
    registry.load("fresh", &pages(1), pooled(2, 4)).unwrap();
    registry.load("rare", &pages(1), pooled(0, 4)).unwrap();
    for name in ["keeps", "ready"] {
        registry.call(name, "increment", &[]).unwrap();
    }
    let nothing = MaintenanceBudget { max_idle_bytes: 0, ..ALL };
    let done = registry.maintain(&nothing);
    // The first one of `rare`; it has none ready then, and makes one as it needs it.
    assert_eq!(counts(&done), [1, 0, 1, 0]);
    assert!((4 * PAGE..5 * PAGE).contains(&done.idle_bytes) && done.is_done);
    let done = registry.maintain(&nothing);
    assert_eq!((counts(&done), done.is_done), ([0; 4], true));
    let results = ["keeps", "ready", "fresh", "rare"]
        .map(|name| registry.call(name, "increment", &[]).unwrap()[0]);
    assert_eq!(results, [2, 2, 1, 1].map(WasmValue::I32));
}

#[test]
fn what_idle_sandboxes_hold_is_what_the_tenant_gets_back() {
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", &pages(3), stateful(0, true)).unwrap();
    let before = registry.usage();
    let held = registry.maintain(&ALL).idle_bytes;
    let done = registry.maintain(&MaintenanceBudget { max_idle_bytes: 0, ..ALL });
    assert_eq!((done.trimmed, done.idle_bytes), (1, 0));
    let after = registry.usage();
    assert_eq!(before.heap_bytes - after.heap_bytes, held);
    assert_eq!((after.sandboxes, after.memory_bytes), (0, 0));
}

/// A guest whose start function calls `env.hook`.
const STARTED: &str = r#"(module
    (import "env" "hook" (func $hook (param i32) (result i32)))
    (func $start (drop (call $hook (i32.const 5))))
    (start $start)
    (func (export "run") (result i32) (i32.const 1)))"#;

/// A plugin of whose start functions those fail that the host says, and how many have run.
fn load_failing(
    config: WasmInstanceConfig,
    fails: impl Fn(u64) -> bool + Send + Sync + 'static,
) -> (WasmPluginRegistry, Arc<WasmPluginInstance>, Arc<AtomicU64>) {
    let starts = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&starts);
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let hook = move |_: &mut wasm_runtime::HostCall<'_, EmbeddedHost>, x: i32| match fails(
        counted.fetch_add(1, Ordering::SeqCst),
    ) {
        true => Err(HostError::Abort("not today")),
        false => Ok(x),
    };
    table.define("env", "hook", Grant::Always, HostCost::default(), hook).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    registry.load("plugin", &wat(STARTED), config).unwrap();
    let plugin = registry.get("plugin").unwrap();
    (registry, plugin, starts)
}

#[test]
fn a_start_that_fails_is_counted_and_not_tried_again_before_a_call_succeeds() {
    let (registry, plugin, starts) = load_failing(pooled(3, 3), |start| (2..=3).contains(&start));
    let done = registry.maintain(&ALL);
    assert_eq!((counts(&done), done.is_done), ([1, 0, 0, 1], true));
    let stats = plugin.stats();
    assert_eq!((stats.sandboxes_started, stats.trap_count, stats.host_calls), (3, 1, 3));
    for _ in 0..3 {
        assert_eq!(counts(&registry.maintain(&ALL)), [0; 4]);
    }
    assert_eq!(starts.load(Ordering::SeqCst), 3);
    // Two are ready; the third call makes its own, which fails, and says so.
    for _ in 0..2 {
        assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 1);
    }
    let error = plugin.call("run", &[]).unwrap_err();
    assert_error(&error, ErrorKind::Host, &["`plugin`", "not today"]);
    assert_eq!(registry.maintain(&ALL).made, 0);
    assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 1);
    assert_eq!(registry.maintain(&ALL).made, 3);
}

#[test]
fn a_reload_ends_what_kept_sandboxes_from_being_made() {
    let (registry, _plugin, _) = load_failing(pooled(2, 2), |start| start == 1);
    assert_eq!(registry.maintain(&ALL).failed, 1);
    registry.reload("plugin", &wat(STARTED), pooled(2, 2)).unwrap();
    assert_eq!(counts(&registry.maintain(&ALL)), [1, 0, 0, 0]);
}

#[test]
fn a_panic_of_the_hosts_comes_once() {
    let (registry, plugin, starts) = load_failing(pooled(3, 3), |start| match start {
        1 => panic!("host panic in a start function"),
        _ => false,
    });
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| registry.maintain(&ALL)));
    assert!(panic.is_err());
    assert_eq!(counts(&registry.maintain(&ALL)), [0; 4]);
    assert_eq!(starts.load(Ordering::SeqCst), 2);
    assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 1);
    assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 1);
    assert_eq!(registry.maintain(&ALL).made, 3);
}

#[test]
fn what_a_tenant_may_hold_holds_for_sandboxes_made_ahead() {
    let registry = WasmPluginRegistry::new();
    let quota = TenantQuota { max_sandboxes: 3, ..TenantQuota::default() };
    registry.tenant("default").quota(quota).unwrap();
    registry.load("plugin", &fixture("counter"), pooled(4, 4)).unwrap();
    let done = registry.maintain(&ALL);
    assert_eq!(counts(&done), [2, 0, 0, 1]);
    assert_eq!(registry.tenant("default").usage().sandboxes, 3);
    assert_eq!(counts(&registry.maintain(&ALL)), [0; 4]);
}

#[test]
fn a_start_is_paid_for_by_the_tenants_rate_of_fuel_and_counted_as_fuel() {
    let (registry, plugin, _) = load_failing(pooled(2, 2), |_| false);
    let one = plugin.stats().total_fuel_consumed;
    assert!(one > 0);
    registry.maintain(&ALL);
    assert_eq!(plugin.stats().total_fuel_consumed, 2 * one);
}

#[test]
fn what_is_ready_goes_with_its_version_and_with_the_plugin() {
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", &pages(2), pooled(4, 4)).unwrap();
    let plugin = registry.get("plugin").unwrap();
    registry.maintain(&ALL);
    registry.call("plugin", "increment", &[]).unwrap();
    assert_eq!(registry.usage().sandboxes, 4);
    registry.reload("plugin", &fixture("counter"), pooled(2, 3)).unwrap();
    assert_eq!(registry.usage().sandboxes, 1);
    assert_eq!(counts(&registry.maintain(&ALL)), [1, 0, 0, 0]);
    assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
    // Without a minimum, what is used up goes at once.
    registry.reload("plugin", &fixture("counter"), pooled(0, 3)).unwrap();
    assert_eq!(counts(&registry.maintain(&ALL)), [0; 4]);
    assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
    assert_eq!(registry.usage().sandboxes, 0);
    registry.reload("plugin", &fixture("counter"), pooled(3, 3)).unwrap();
    registry.maintain(&ALL);
    assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
    registry.unload("plugin").unwrap();
    assert_eq!((registry.usage().sandboxes, registry.usage().heap_bytes), (0, 0));
    assert_eq!(counts(&registry.maintain(&ALL)), [0; 4]);
}

#[test]
fn a_plugin_in_quarantine_gets_none() {
    let policy = QuarantinePolicy::after(1);
    let config = WasmInstanceConfig { quarantine: Some(policy), ..pooled(2, 2) };
    let clock = StepClock::default();
    let registry = WasmPluginRegistry::builder().clock(clock.clone()).build().unwrap();
    registry.load("plugin", &fixture("misbehaving/traps"), config).unwrap();
    registry.maintain(&ALL);
    let plugin = registry.get("plugin").unwrap();
    assert!(plugin.call("unreachable", &[]).is_err());
    assert_eq!(plugin.call("ping", &[]).unwrap_err().kind(), ErrorKind::Quarantined);
    let done = registry.maintain(&ALL);
    assert_eq!((counts(&done), done.is_done), ([0, 1, 0, 0], true));
    assert!(plugin.revive());
    assert_eq!(counts(&registry.maintain(&ALL)), [1, 0, 0, 0]);
    plugin.call("ping", &[]).unwrap();
}

/// A guest that changes all that it can, and tells it in its result.
const STIRRED: &str = r#"(module
    (memory (export "memory") 1 8)
    (data (i32.const 16) "what is there at first")
    (data $passive "passive!")
    (table $table 4 funcref)
    (elem $functions funcref (ref.func $one) (ref.func $two))
    (elem (i32.const 0) func $one)
    (elem declare func $one $two)
    (global $hash (export "hash") (mut i64) (i64.const 7))
    (func $one (result i32) (i32.const 1))
    (func $two (result i32) (i32.const 2))
    (func $start (i32.store (i32.const 100) (i32.const 12345)))
    (start $start)
    (func $mix (param i64)
        (global.set $hash
            (i64.add (i64.mul (global.get $hash) (i64.const 31)) (local.get 0))))
    (func (export "stir") (param $seed i32) (result i64)
        (call $mix (i64.load (i32.and (local.get $seed) (i32.const 0x7f))))
        (call $mix (i64.extend_i32_u (memory.size)))
        (call $mix (i64.extend_i32_u (table.size $table)))
        (call $mix (i64.extend_i32_u (ref.is_null (table.get $table (i32.const 3)))))
        (call $mix (i64.extend_i32_u (call_indirect $table (result i32) (i32.const 0))))
        (i64.store (i32.and (local.get $seed) (i32.const 0xff8)) (global.get $hash))
        (drop (memory.grow (i32.and (local.get $seed) (i32.const 1))))
        (drop (table.grow $table (ref.null func) (i32.and (local.get $seed) (i32.const 3))))
        (table.set $table (i32.const 0) (ref.func $two))
        (table.set $table (i32.const 3) (ref.func $one))
        (if (i32.eqz (i32.rem_u (local.get $seed) (i32.const 3)))
            (then (memory.init $passive (i32.const 40) (i32.const 0) (i32.const 8))))
        (if (i32.eqz (i32.rem_u (local.get $seed) (i32.const 5)))
            (then (data.drop $passive) (elem.drop $functions)))
        (if (i32.eqz (i32.rem_u (local.get $seed) (i32.const 7)))
            (then (unreachable)))
        (global.get $hash)))"#;

#[derive(Debug, Clone)]
enum Step {
    Call(i32),
    /// Several calls in one lease.
    Lease(Vec<i32>),
    Maintain {
        steps: usize,
        max_idle_bytes: u64,
    },
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    let ceiling = prop_oneof![any::<u64>(), 0..400_000_u64];
    prop_oneof![
        any::<i32>().prop_map(Step::Call),
        any::<i32>().prop_map(Step::Call),
        proptest::collection::vec(any::<i32>(), 1..4).prop_map(Step::Lease),
        (0..6_usize, ceiling)
            .prop_map(|(steps, max_idle_bytes)| Step::Maintain { steps, max_idle_bytes }),
        proptest::strategy::Just(Step::Reload),
    ]
}

/// What there is to see of calls that run one after another in one sandbox: what each returns, and what
/// the memory and the exported global are after it, to the byte.
fn seen(plugin: &WasmPluginInstance, seeds: &[i32]) -> Vec<(String, Vec<u8>, Option<WasmValue>)> {
    let mut lease = plugin.lease().unwrap();
    let see = |seed: &i32| {
        let result = lease.call("stir", &[WasmValue::I32(*seed)]);
        let mut memory = vec![0; usize::try_from(lease.memory_bytes("memory").unwrap()).unwrap()];
        lease.read("memory", 0, &mut memory).unwrap();
        (format!("{result:?}"), memory, lease.global("hash"))
    };
    seeds.iter().map(see).collect()
}

proptest! {
    #[test]
    fn pooled_sandboxes_are_as_fresh_as_those_of_a_plugin_just_loaded(
        min in 1..4_u32,
        steps in proptest::collection::vec(step(), 1..25),
    ) {
        let wasm = wat(STIRRED);
        let (registry, plugin) = load(&wasm, pooled(min, 4));
        for step in steps {
            let (_registry, fresh) = load(&wasm, pooled(0, 4));
            match step {
                Step::Call(seed) => {
                    let args = [WasmValue::I32(seed)];
                    let fuel = |plugin: &WasmPluginInstance| plugin.stats().total_fuel_consumed;
                    let starts = |plugin: &WasmPluginInstance| plugin.stats().sandboxes_started;
                    let start = fuel(&fresh);
                    let before = fuel(&plugin) - start * starts(&plugin);
                    let expected = format!("{:?}", fresh.call("stir", &args));
                    assert_eq!(format!("{:?}", plugin.call("stir", &args)), expected);
                    let spent = fuel(&plugin) - start * starts(&plugin) - before;
                    assert_eq!(spent, fuel(&fresh) - start);
                }
                Step::Lease(seeds) => assert_eq!(seen(&plugin, &seeds), seen(&fresh, &seeds)),
                Step::Maintain { steps, max_idle_bytes } => {
                    registry.maintain(&MaintenanceBudget { steps, max_idle_bytes });
                }
                Step::Reload => registry.reload("plugin", &wasm, pooled(min, 4)).unwrap(),
            }
            assert!(registry.usage().sandboxes <= 4);
        }
        registry.unload("plugin").unwrap();
        assert_eq!(registry.usage().heap_bytes, 0);
    }
}

#[test]
fn as_many_callers_as_slots_are_never_refused_while_it_is_maintained() {
    let (registry, plugin) = load(&fixture("counter"), pooled(2, 3));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let maintainer = scope.spawn(|| {
            let mut made = 0;
            while !is_over.load(Ordering::Acquire) {
                made += registry.maintain(&steps(2)).made;
            }
            made
        });
        let increment = plugin.function::<(), i32>("increment").unwrap();
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let increment = increment.clone();
                scope.spawn(move || {
                    (0..2_000).for_each(|_| assert_eq!(increment.call(()).unwrap(), 1))
                })
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        is_over.store(true, Ordering::Release);
        assert!(maintainer.join().unwrap() > 0);
    });
    assert_eq!(plugin.stats().total_calls, 6_000);
    registry.maintain(&ALL);
    assert!((2..=3).contains(&registry.usage().sandboxes));
}

/// Waits until something is so, for half a minute at most.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

const INTERVAL: Duration = Duration::from_millis(1);

#[test]
fn a_thread_keeps_sandboxes_ready_until_it_is_not_wanted_any_more() {
    let (registry, plugin) = load(&fixture("counter"), pooled(2, 4));
    let maintainer = registry.maintain_in_background(steps(1), INTERVAL).unwrap();
    for calls in 0..20 {
        // Two that are ready, and one for each call before.
        wait_until("two are ready", || started(&plugin) == 2 + calls);
        assert_eq!(call_i32(&plugin, "increment", &[]).unwrap(), 1);
    }
    wait_until("the last is replaced", || started(&plugin) == 22);
    drop(maintainer);
    call_i32(&plugin, "increment", &[]).unwrap();
    thread::sleep(20 * INTERVAL);
    assert_eq!(started(&plugin), 22);
}

#[test]
fn the_thread_outlives_panics_of_the_host_but_not_the_registry() {
    let (registry, plugin, starts) = load_failing(pooled(3, 3), |start| match start {
        1 => panic!("host panic in a start function"),
        _ => false,
    });
    let maintainer = registry.maintain_in_background(ALL, INTERVAL).unwrap();
    wait_until("a start panics", || starts.load(Ordering::SeqCst) == 2);
    // The first is ready; the second call makes one, and from then on they are made ahead again.
    call_i32(&plugin, "run", &[]).unwrap();
    call_i32(&plugin, "run", &[]).unwrap();
    wait_until("three are ready", || starts.load(Ordering::SeqCst) == 6);
    drop(registry);
    drop(plugin);
    drop(maintainer);
}

#[test]
fn a_function_of_the_hosts_may_drop_the_maintainer_that_it_runs_on() {
    let held = Arc::new(std::sync::Mutex::new(None));
    let dropped = Arc::new(Barrier::new(2));
    let (holder, meeting) = (Arc::clone(&held), Arc::clone(&dropped));
    let (registry, _plugin, starts) = load_failing(pooled(2, 2), move |start| {
        if start > 0 {
            meeting.wait();
            drop(holder.lock().unwrap().take());
        }
        false
    });
    *held.lock().unwrap() = Some(registry.maintain_in_background(ALL, INTERVAL).unwrap());
    dropped.wait();
    wait_until("it is dropped", || held.lock().unwrap().is_none());
    assert_eq!(starts.load(Ordering::SeqCst), 2);
}

#[test]
fn a_function_of_the_hosts_may_maintain_the_registry_that_calls_it() {
    let registry = Arc::new(std::sync::OnceLock::<WasmPluginRegistry>::new());
    let itself = Arc::clone(&registry);
    let (loaded, plugin) = load_hooked(pooled(2, 2), move |_, _| {
        let done = itself.get().map(|registry| registry.maintain(&ALL));
        Ok(done.map_or(-1, |done| i32::try_from(done.made).unwrap()))
    });
    assert!(registry.set(loaded).is_ok());
    // The slot of the call is not one to be filled.
    assert_eq!(call_i32(&plugin, "run", &[0]).unwrap(), 1);
    assert_eq!(call_i32(&plugin, "run", &[0]).unwrap(), 1);
}
