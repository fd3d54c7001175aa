//! A plugin that fails again and again is left alone for a while, and tried again.

use crate::support::{
    StepClock, all_granted, assert_error, call_i32, config, fixture, load, load_hooked, wat,
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};
use wasm_runtime::{
    AuditDecision, CallOptions, DenyPolicy, EmbeddedHost, ErrorKind, Grant, HostCall, HostCost,
    HostError, HostFunctionTable, Progress, QuarantineEnd, QuarantinePolicy, ResetPolicy,
    WasmInstanceConfig, WasmPluginInstance, WasmPluginRegistry, WasmPluginState,
    WasmValue::{self, I32},
};

fn policy() -> QuarantinePolicy {
    QuarantinePolicy::after(3).backoff_ms(100, 300)
}

fn quarantined(policy: QuarantinePolicy) -> WasmInstanceConfig {
    WasmInstanceConfig { quarantine: Some(policy), ..config(all_granted()) }
}

/// `traps`, whose `ping` answers and whose other exports trap, under a clock of the test's.
fn traps() -> (WasmPluginRegistry, Arc<WasmPluginInstance>, StepClock) {
    let clock = StepClock::default();
    let registry = WasmPluginRegistry::builder().clock(clock.clone()).build().unwrap();
    registry.load("traps", &fixture("misbehaving/traps"), quarantined(policy())).unwrap();
    let plugin = registry.get("traps").unwrap();
    (registry, plugin, clock)
}

fn fail(plugin: &WasmPluginInstance, times: u32) {
    for _ in 0..times {
        let error = plugin.call("div_by_zero", &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Trap, "{error}");
    }
}

fn ping(plugin: &WasmPluginInstance) -> Result<(), ErrorKind> {
    plugin.call("ping", &[]).map(|_| ()).map_err(|error| error.kind())
}

const REFUSED: Result<(), ErrorKind> = Err(ErrorKind::Quarantined);

#[test]
fn after_so_many_failures_in_a_row_calls_fail_at_once_with_the_reason() {
    let (_registry, plugin, _) = traps();
    fail(&plugin, 2);
    assert_eq!(plugin.quarantine(), None);
    fail(&plugin, 1);
    let before = plugin.stats();
    let error = plugin.call("ping", &[]).unwrap_err();
    let parts = ["`traps`", "3 failures", "`div_by_zero`", "division by zero", "100 ms"];
    assert_error(&error, ErrorKind::Quarantined, &parts);
    assert_eq!(plugin.state(), WasmPluginState::Trapped);
    // Nothing of it ran, and no sandbox was made for it.
    assert_eq!(plugin.stats(), before);
    let quarantine = plugin.quarantine().unwrap();
    assert_eq!((quarantine.failures, quarantine.round), (3, 1));
    assert_eq!(quarantine.until, QuarantineEnd::AfterMs(100));
}

#[test]
fn every_way_into_a_plugin_is_closed() {
    let (registry, plugin, _) = traps();
    let mut lease = plugin.lease().unwrap();
    let typed = plugin.function::<(), i32>("ping").unwrap();
    fail(&plugin, 3);
    let kinds = [
        registry.call("traps", "ping", &[]).unwrap_err().kind(),
        plugin.call_with("ping", &[], CallOptions::default()).unwrap_err().kind(),
        plugin.call_bytes("ping", b"").unwrap_err().kind(),
        typed.call(()).unwrap_err().kind(),
        typed.call_with((), CallOptions::default()).unwrap_err().kind(),
        typed.call_in(&mut lease, ()).unwrap_err().kind(),
        lease.call("ping", &[]).unwrap_err().kind(),
        plugin.lease().unwrap_err().kind(),
        plugin.start("ping", &[]).unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::Quarantined; 9]);
}

#[test]
fn a_call_that_goes_well_begins_the_count_anew() {
    let (_registry, plugin, _) = traps();
    for _ in 0..5 {
        fail(&plugin, 2);
        ping(&plugin).unwrap();
    }
    assert_eq!(plugin.quarantine(), None);
}

#[test]
fn a_trial_that_goes_well_ends_the_quarantine() {
    let (_registry, plugin, clock) = traps();
    fail(&plugin, 3);
    clock.advance(99_999);
    assert_eq!(ping(&plugin), REFUSED);
    clock.advance(1);
    assert_eq!(plugin.quarantine().unwrap().until, QuarantineEnd::AfterMs(0));
    ping(&plugin).unwrap();
    assert_eq!((plugin.quarantine(), plugin.state()), (None, WasmPluginState::Ready));
    // All of it begins anew.
    fail(&plugin, 3);
    assert_eq!(plugin.quarantine().unwrap().round, 1);
}

#[test]
fn each_trial_that_fails_doubles_the_backoff_up_to_the_longest() {
    let (_registry, plugin, clock) = traps();
    fail(&plugin, 3);
    for (round, ms) in [(1, 100), (2, 200), (3, 300), (4, 300)] {
        let quarantine = plugin.quarantine().unwrap();
        assert_eq!((quarantine.round, quarantine.until), (round, QuarantineEnd::AfterMs(ms)));
        assert_eq!(quarantine.failures, round + 2);
        clock.advance(ms * 1_000 - 1);
        assert_eq!(ping(&plugin), REFUSED);
        clock.advance(1);
        fail(&plugin, 1);
    }
}

#[test]
fn while_a_call_is_on_trial_every_other_is_refused() {
    let inner = Arc::new(Mutex::new(None::<Arc<WasmPluginInstance>>));
    let (seen, fails) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(true)));
    let (hook_inner, hook_seen, hook_fails) = (inner.clone(), seen.clone(), fails.clone());
    let policy = QuarantinePolicy::after(1).backoff_ms(0, 0);
    let (_registry, plugin) = load_hooked(quarantined(policy), move |_, x| {
        if hook_fails.load(Relaxed) {
            // As if the call had spent all of its fuel.
            return Err(HostError::OutOfFuel);
        }
        if let Some(plugin) = hook_inner.lock().unwrap().clone() {
            let other = plugin.call("runs", &[]).map_err(|error| error.kind());
            hook_seen.lock().unwrap().push((plugin.quarantine().unwrap().until, other));
        }
        Ok(x)
    });
    call_i32(&plugin, "run", &[1]).unwrap_err();
    assert_eq!(plugin.state(), WasmPluginState::Trapped);
    *inner.lock().unwrap() = Some(Arc::clone(&plugin));
    fails.store(false, Relaxed);
    assert_eq!(call_i32(&plugin, "run", &[7]).unwrap(), 7);
    let refused = (QuarantineEnd::OnTrial, Err(ErrorKind::Quarantined));
    assert_eq!(*seen.lock().unwrap(), [refused]);
    assert_eq!(plugin.quarantine(), None);
    *inner.lock().unwrap() = None;
}

#[test]
fn a_trial_that_says_nothing_leaves_the_next_call_to_be_it() {
    let plugin = endless(|config| {
        config.quarantine = Some(QuarantinePolicy::after(1).backoff_ms(0, 0));
        // More than is run without a look at the cancellation.
        config.capabilities.fuel_limit = 5_000_000;
    });
    plugin.call("run", &[]).unwrap_err();
    let until = || plugin.quarantine().unwrap().until;
    let due = || assert_eq!(until(), QuarantineEnd::AfterMs(0));
    // It never ran.
    assert_eq!(plugin.call("nothing", &[]).unwrap_err().kind(), ErrorKind::FunctionNotFound);
    due();
    drop(plugin.start("run", &[]).unwrap());
    due();
    // It was cancelled.
    let mut call = plugin.start("run", &[]).unwrap();
    assert_eq!((call.run(100).unwrap(), until()), (Progress::Running, QuarantineEnd::OnTrial));
    drop(call);
    due();
    let mut lease = plugin.lease().unwrap();
    lease.cancel_token().cancel();
    assert_eq!(lease.call("run", &[]).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(until(), QuarantineEnd::OnTrial);
    drop(lease);
    due();
    ping(&plugin).unwrap();
    assert_eq!(plugin.quarantine(), None);
}

#[test]
fn a_lease_taken_on_trial_is_decided_by_its_first_call() {
    let (_registry, plugin, clock) = traps();
    fail(&plugin, 3);
    clock.advance(100_000);
    let mut lease = plugin.lease().unwrap();
    assert_eq!(ping(&plugin), REFUSED);
    assert_eq!(lease.call("unreachable", &[]).unwrap_err().kind(), ErrorKind::Trap);
    assert_eq!(lease.call("ping", &[]).unwrap_err().kind(), ErrorKind::Quarantined);
    clock.advance(200_000);
    // Only a call can be the trial.
    assert_eq!(lease.write("memory", 0, &[]).unwrap_err().kind(), ErrorKind::Quarantined);
    assert_eq!(plugin.stats().sandboxes_started, 4);
    // A lease that was there before can be the trial too.
    lease.call("ping", &[]).unwrap();
    assert_eq!(plugin.quarantine(), None);
    ping(&plugin).unwrap();
}

#[test]
fn a_started_call_can_be_the_trial() {
    let (_registry, plugin, clock) = traps();
    fail(&plugin, 3);
    clock.advance(100_000);
    let mut call = plugin.start("unreachable", &[]).unwrap();
    assert_eq!(ping(&plugin), REFUSED);
    assert_eq!(call.run(1_000).unwrap_err().kind(), ErrorKind::Trap);
    assert_eq!(plugin.quarantine().unwrap().round, 2);
    clock.advance(200_000);
    let mut call = plugin.start("ping", &[]).unwrap();
    assert!(matches!(call.run(1_000), Ok(Progress::Finished(_))));
    assert_eq!(plugin.quarantine(), None);
}

#[test]
fn a_caller_that_names_a_fallback_gets_it_instead_of_the_error() {
    let (_registry, plugin, _) = traps();
    let typed = plugin.function::<(), i32>("ping").unwrap();
    let answer = typed.call(()).unwrap();
    let or = |function: &str, value: WasmValue| plugin.call_or(function, &[], &[value]);
    // It is for quarantine only.
    assert_eq!(typed.call_or((), -1).unwrap(), answer);
    assert_eq!(or("ping", I32(-1)).unwrap().as_slice(), [I32(answer)]);
    for _ in 0..3 {
        assert_eq!(or("div_by_zero", I32(-1)).unwrap_err().kind(), ErrorKind::Trap);
    }
    assert_eq!(typed.call_or((), -1).unwrap(), -1);
    assert_eq!(or("ping", I32(-1)).unwrap().as_slice(), [I32(-1)]);
    // A wrong one is refused before it is needed.
    for wrong in [&[][..], &[WasmValue::I64(1)], &[I32(1), I32(2)]] {
        let error = plugin.call_or("ping", &[], wrong).unwrap_err();
        assert_error(&error, ErrorKind::SignatureMismatch, &["ping", "(i32)", "fallback"]);
    }
}

#[test]
fn a_plugin_is_revived_by_hand() {
    let (registry, plugin, _) = traps();
    assert!(!plugin.revive());
    fail(&plugin, 2);
    assert!(!plugin.revive());
    fail(&plugin, 3);
    assert_eq!(ping(&plugin), REFUSED);
    assert!(plugin.revive());
    ping(&plugin).unwrap();
    let decisions: Vec<_> = std::iter::from_fn(|| registry.audit().pop())
        .filter(|record| {
            matches!(record.decision(), AuditDecision::Quarantine | AuditDecision::Revive)
        })
        .map(|record| (record.decision(), record.function().to_string()))
        .collect();
    let quarantine = (AuditDecision::Quarantine, "div_by_zero".to_string());
    assert_eq!(decisions, [quarantine, (AuditDecision::Revive, String::new())]);
}

#[test]
fn by_default_there_is_no_quarantine() {
    let (_registry, plugin) = load(&fixture("misbehaving/traps"), config(all_granted()));
    assert!(plugin.config().quarantine.is_none());
    fail(&plugin, 1_000);
    ping(&plugin).unwrap();
}

/// `endless_loop` in a quarantine after its first failure.
fn endless(config: impl FnOnce(&mut WasmInstanceConfig)) -> Arc<WasmPluginInstance> {
    let mut endless = quarantined(QuarantinePolicy::after(1));
    config(&mut endless);
    load(&fixture("misbehaving/endless_loop"), endless).1
}

#[test]
fn running_out_of_all_the_fuel_or_time_there_is_counts() {
    let plugin = endless(|_| {});
    plugin.call("run", &[]).unwrap_err();
    assert_eq!(plugin.quarantine().unwrap().reason, "out of fuel");
    let plugin = endless(|config| {
        config.capabilities.fuel_limit = u64::MAX;
        config.capabilities.timeout_ms = 1;
    });
    plugin.call("run", &[]).unwrap_err();
    assert_eq!(plugin.quarantine().unwrap().reason, "past its deadline");
}

#[test]
fn running_out_of_what_the_caller_left_does_not_count() {
    let narrow = |plugin: &WasmPluginInstance, options, kind| {
        let error = plugin.call_with("run", &[], options).unwrap_err();
        assert_eq!((error.kind(), plugin.quarantine()), (kind, None));
    };
    let fuel = CallOptions { fuel: Some(999_999), ..CallOptions::default() };
    narrow(&endless(|_| {}), fuel, ErrorKind::OutOfFuel);
    let plugin = endless(|config| {
        config.capabilities.fuel_limit = u64::MAX;
        config.capabilities.timeout_ms = 1_000;
    });
    let time = CallOptions { timeout_ms: Some(1), ..CallOptions::default() };
    narrow(&plugin, time, ErrorKind::Deadline);
    let budget = endless(|config| config.fuel_budget = Some(500_000));
    narrow(&budget, CallOptions::default(), ErrorKind::OutOfFuel);
    // A call that the host runs piece by piece is as slow as the host.
    let mut call = plugin.start_with("run", &[], time).unwrap();
    while let Ok(progress) = call.run(1_000_000) {
        assert_eq!(progress, Progress::Running);
    }
    assert_eq!(plugin.quarantine(), None);
}

#[test]
fn a_call_that_the_host_ends_does_not_count_and_a_denied_one_does() {
    let (_registry, plugin) =
        load_hooked(quarantined(QuarantinePolicy::after(1)), |_, x| match x {
            0 => Err(HostError::Abort("the host is tired")),
            1 => Err(HostError::Cancelled),
            _ => Err(HostError::Denied),
        });
    call_i32(&plugin, "run", &[0]).unwrap_err();
    call_i32(&plugin, "run", &[1]).unwrap_err();
    // By default, a denial is a status.
    assert_eq!(call_i32(&plugin, "run", &[2]).unwrap(), -1);
    assert_eq!(plugin.quarantine(), None);
    let config = WasmInstanceConfig {
        on_denied: DenyPolicy::Trap,
        ..quarantined(QuarantinePolicy::after(1))
    };
    let (_registry, plugin) = load_hooked(config, |_, _| Err(HostError::Denied));
    call_i32(&plugin, "run", &[2]).unwrap_err();
    assert_eq!(plugin.quarantine().unwrap().reason, "a grant is missing");
}

#[test]
fn a_plugin_that_answers_a_status_works() {
    let wasm = wat(r#"(module
        (memory (export "memory") 1)
        (func (export "soch_alloc") (param i32) (result i32) (i32.const 8))
        (func (export "refuse") (param i32 i32) (result i64) (i64.const -7))
        (func (export "trap") (param i32 i32) (result i64) unreachable))"#);
    let (_registry, plugin) = load(&wasm, quarantined(QuarantinePolicy::after(2)));
    for function in ["trap", "refuse", "trap", "refuse"] {
        plugin.call_bytes(function, b"input").unwrap_err();
        assert_eq!(plugin.quarantine(), None);
    }
}

#[test]
fn a_start_function_that_fails_again_and_again_counts() {
    let wasm = wat(r#"(module
        (import "env" "hook" (func $hook (param i32) (result i32)))
        (func $start (if (i32.eqz (call $hook (i32.const 0))) (then unreachable)))
        (func (export "run"))
        (start $start))"#);
    let works = Arc::new(AtomicBool::new(true));
    let hook = Arc::clone(&works);
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let hook = move |_: &mut HostCall<'_, EmbeddedHost>, _: i32| -> Result<i32, HostError> {
        Ok(i32::from(hook.load(Relaxed)))
    };
    table.define("env", "hook", Grant::Always, HostCost::default(), hook).unwrap();
    let clock = StepClock::default();
    let registry =
        WasmPluginRegistry::builder().functions(table).clock(clock.clone()).build().unwrap();
    let config = WasmInstanceConfig { reset: ResetPolicy::AfterCall, ..quarantined(policy()) };
    registry.load("starter", &wasm, config).unwrap();
    let run = || registry.call("starter", "run", &[]).map(|_| ()).map_err(|error| error.kind());
    run().unwrap();
    works.store(false, Relaxed);
    assert_eq!([run(), run(), run(), run()].map(Result::unwrap_err), {
        use ErrorKind::{Quarantined, Trap};
        [Trap, Trap, Trap, Quarantined]
    });
    let plugin = registry.get("starter").unwrap();
    assert_eq!(plugin.quarantine().unwrap().function, "");
    works.store(true, Relaxed);
    clock.advance(100_000);
    run().unwrap();
    assert_eq!(plugin.quarantine(), None);
}

#[test]
fn of_many_threads_one_call_is_the_trial() {
    let (running, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (hook_running, hook_most) = (Arc::clone(&running), Arc::clone(&most));
    let policy = QuarantinePolicy::after(1).backoff_ms(0, 0);
    let (_registry, plugin) = load_hooked(quarantined(policy), move |_, _| {
        hook_most.fetch_max(hook_running.fetch_add(1, Relaxed) + 1, Relaxed);
        std::thread::yield_now();
        hook_running.fetch_sub(1, Relaxed);
        Err(HostError::OutOfFuel)
    });
    call_i32(&plugin, "run", &[0]).unwrap_err();
    most.store(0, Relaxed);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| drop(call_i32(&plugin, "run", &[0]))));
        }
    });
    assert_eq!((most.load(Relaxed), running.load(Relaxed)), (1, 0));
    let failures = u64::from(plugin.quarantine().unwrap().failures);
    assert_eq!(failures, plugin.stats().trap_count);
}
