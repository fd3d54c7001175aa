//! A plugin gets another version: all of it, or nothing.

use crate::support::{StepClock, all_granted, assert_error, call_i32, config, load, wat};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, OnceLock, Weak},
};
use wasm_runtime::{
    AuditDecision, EmbeddedHost, ErrorKind, Grant, Host, HostCall, HostCost, HostError,
    HostFunctionTable, PluginEvent, Probe, Progress, QuarantinePolicy, ReloadOptions,
    StateHandover, VersionChange, WasmInstanceConfig, WasmPluginInstance, WasmPluginRegistry,
    WasmPluginState,
    WasmValue::{self, I32},
};

/// A plugin of a version: it says which, counts, and keeps its count in a reload. `more` is code that it
/// has besides.
fn version_with(version: i32, more: &str) -> Vec<u8> {
    wat(&format!(
        r#"(module
            (memory (export "memory") 1)
            (global $count (mut i32) (i32.const 0))
            (func (export "version") (result i32) (i32.const {version}))
            (func (export "count") (result i32)
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                (global.get $count))
            (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "soch_save") (param i32 i32) (result i64)
                (i32.store (i32.const 16) (global.get $count))
                (i64.const 0x10_00000004))
            (func (export "soch_restore") (param i32 i32) (result i64)
                (if (result i64) (i32.eq (local.get 1) (i32.const 4))
                    (then
                        (global.set $count (i32.load (local.get 0)))
                        (i64.const 0))
                    (else (i64.const -2))))
            (func (export "trap") (unreachable))
            {more})"#
    ))
}

fn version(version: i32) -> Vec<u8> {
    version_with(version, "")
}

/// One state, shared by all calls.
fn one_state() -> WasmInstanceConfig {
    WasmInstanceConfig { max_instances: 1, ..config(all_granted()) }
}

fn handover(state: StateHandover) -> ReloadOptions<'static> {
    ReloadOptions { state, ..ReloadOptions::default() }
}

fn probed<'a>(probes: &'a [Probe<'a>]) -> ReloadOptions<'a> {
    ReloadOptions { probes, ..ReloadOptions::default() }
}

fn value_probe<'a>(function: &'a str, expected: &'a [WasmValue]) -> Probe<'a> {
    Probe::Values { function, args: &[], expected: Some(expected) }
}

/// Version 1 under the name `plugin`.
fn first() -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    load(&version(1), config(all_granted()))
}

fn says(plugin: &WasmPluginInstance) -> i32 {
    call_i32(plugin, "version", &[]).unwrap()
}

#[test]
fn every_handle_calls_the_version_that_the_last_reload_brought() {
    let (registry, plugin) = first();
    let function = plugin.function::<(), i32>("version").unwrap();
    let copy = function.clone();
    assert_eq!((says(&plugin), function.call(()).unwrap()), (1, 1));
    for number in 2..10 {
        registry.reload("plugin", &version(number), config(all_granted())).unwrap();
        assert_eq!(says(&plugin), number);
        assert_eq!(function.call(()).unwrap(), number);
        assert_eq!(copy.clone().call(()).unwrap(), number);
        assert_eq!(function.call_or((), -1).unwrap(), number);
        assert_eq!(registry.call("plugin", "version", &[]).unwrap()[0], I32(number));
        assert_eq!(plugin.call_or("version", &[], &[I32(0)]).unwrap()[0], I32(number));
        let mut started = plugin.start("version", &[]).unwrap();
        let Progress::Finished(results) = started.run(u64::MAX).unwrap() else {
            panic!("it ends at once");
        };
        assert_eq!(results[0], I32(number));
        let mut lease = plugin.lease().unwrap();
        assert_eq!(lease.call("version", &[]).unwrap()[0], I32(number));
        assert_eq!(function.call_in(&mut lease, ()).unwrap(), number);
        assert!(Arc::ptr_eq(&plugin, &registry.get("plugin").unwrap()));
    }
    assert_eq!(registry.list(), ["plugin"]);
}

#[test]
fn a_plugin_that_calls_another_calls_its_new_version() {
    // The caller hands its input on and answers what it is answered.
    let caller = r#"(module
        (import "soch_v1" "call_plugin"
            (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "plugin")
        (data (i32.const 16) "tell")
        (func (export "ask") (result i32)
            (drop (call $call (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 4)
                (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 4)))
            (i32.load (i32.const 64))))"#;
    let tell = |number: i32| {
        version_with(
            number,
            &format!(
                r#"(func (export "tell") (param i32 i32) (result i64)
                    (i32.store (i32.const 32) (i32.const {number}))
                    (i64.const 0x20_00000004))"#
            ),
        )
    };
    let (registry, _) = load(&tell(1), config(all_granted()));
    registry.load("caller", &wat(caller), config(all_granted())).unwrap();
    let caller = registry.get("caller").unwrap();
    for number in 1..4 {
        assert_eq!(call_i32(&caller, "ask", &[]).unwrap(), number);
        registry.reload("plugin", &tell(number + 1), config(all_granted())).unwrap();
    }
}

#[test]
fn a_function_is_found_where_the_new_version_has_it() {
    let (registry, plugin) = first();
    let count = plugin.function::<(), i32>("count").unwrap();
    let version_of = plugin.function::<(), i32>("version").unwrap();
    // Sorted, both come later now.
    let more = r#"(func (export "a") (result i32) (i32.const -1))
        (func (export "counter") (result i32) (i32.const -2))"#;
    registry.reload("plugin", &version_with(2, more), config(all_granted())).unwrap();
    assert_eq!((count.call(()).unwrap(), version_of.call(()).unwrap()), (1, 2));
    let without = wat(r#"(module (func (export "version") (result i64) (i64.const 3)))"#);
    registry.reload("plugin", &without, config(all_granted())).unwrap();
    let error = count.call(()).unwrap_err();
    assert_error(&error, ErrorKind::FunctionNotFound, &["`plugin`", "`count`"]);
    let error = version_of.call(()).unwrap_err();
    assert_error(&error, ErrorKind::SignatureMismatch, &["`version`", "i64", "i32"]);
    registry.rollback("plugin").unwrap();
    assert_eq!((count.call(()).unwrap(), version_of.call(()).unwrap()), (1, 2));
}

/// A module that is refused with a configuration and options, for which reason, and what the error says.
type Refused<'a> = (&'a [u8], WasmInstanceConfig, ReloadOptions<'a>, ErrorKind, &'a [&'a str]);

#[test]
fn what_fails_leaves_the_version_before_serving_and_says_why() {
    let (registry, plugin) = first();
    call_i32(&plugin, "count", &[]).unwrap();
    let before = (plugin.stats(), registry.usage(), *plugin.module_hash());
    let ours = || config(all_granted());
    let of_another = WasmInstanceConfig { tenant: "another".into(), ..ours() };
    let many = WasmInstanceConfig { max_instances: 5, ..ours() };
    let pinned = WasmInstanceConfig { expected_sha256: Some([7; 32]), ..ours() };
    let starts_badly = version_with(2, "(func $start (unreachable)) (start $start)");
    let imports = wat(r#"(module (import "env" "nothing" (func)))"#);
    let wrong = [value_probe("version", &[I32(2)]), value_probe("count", &[I32(7)])];
    let traps = [value_probe("trap", &[])];
    let mistyped = [Probe::Values { function: "version", args: &[I32(1)], expected: None }];
    let absent = [Probe::Bytes { function: "absent", input: &[], expected: None }];
    let plain = ReloadOptions::default();
    let kept = handover(StateHandover::Required);
    let cases: [Refused<'_>; 12] = [
        (b"no module", ours(), plain, ErrorKind::InvalidModule, &["`plugin`"]),
        (&version(2), of_another, plain, ErrorKind::Refused, &["`default`", "`another`"]),
        (&version(2), many, plain, ErrorKind::Refused, &["`max_instances`", "5", "4"]),
        (&version(2), pinned, plain, ErrorKind::HashMismatch, &["SHA-256"]),
        (&imports, ours(), plain, ErrorKind::Refused, &["`env` `nothing`"]),
        (&starts_badly, ours(), plain, ErrorKind::Trap, &["unreachable"]),
        (&version(2), ours(), probed(&wrong), ErrorKind::Refused, &["probe 1", "I32(1)", "I32(7)"]),
        (&version(2), ours(), probed(&traps), ErrorKind::Trap, &["`trap`"]),
        (&version(2), ours(), probed(&mistyped), ErrorKind::SignatureMismatch, &["`version`"]),
        (&version(2), ours(), probed(&absent), ErrorKind::FunctionNotFound, &["`absent`"]),
        (&version(2), ours(), kept, ErrorKind::Refused, &["`max_instances`", "4"]),
        (
            &version(2),
            WasmInstanceConfig { settings: vec![("soch.x".into(), String::new())], ..ours() },
            plain,
            ErrorKind::Refused,
            &["`soch.x`"],
        ),
    ];
    for (at, (wasm, config, options, kind, parts)) in cases.into_iter().enumerate() {
        let error = registry.reload_with("plugin", wasm, config, &options).unwrap_err();
        assert_error(&error, kind, parts);
        assert_error(&error, kind, &["`plugin`"]);
        assert_eq!((plugin.stats(), registry.usage(), *plugin.module_hash()), before, "{at}");
        let record = plugin.history().pop().unwrap();
        let (failed, why) = record.failure.unwrap();
        assert_eq!((failed, record.change), (kind, VersionChange::Reload));
        assert_eq!(why, error.to_string());
        let last = core::iter::from_fn(|| registry.audit().pop()).last().unwrap();
        assert_eq!((last.decision(), last.status()), (AuditDecision::Reload, -1));
        assert_eq!(last.resource(), format!("{kind:?}"));
    }
    assert_eq!((says(&plugin), call_i32(&plugin, "count", &[]).unwrap()), (1, 2));
    let error = registry.reload("absent", &version(2), ours()).unwrap_err();
    assert_error(&error, ErrorKind::NotFound, &["`absent`"]);
}

/// What `hook` does amid a call of `plugin`, whose versions import it.
type Hook = Box<dyn Fn() + Send + Sync>;

/// A registry where the host function `env.hook` does what is set later.
fn hooked() -> (Arc<WasmPluginRegistry>, Arc<Mutex<Option<Hook>>>) {
    let hook = Arc::new(Mutex::new(None::<Hook>));
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    let shared = Arc::clone(&hook);
    let run = move |_: &mut HostCall<'_, EmbeddedHost>| -> Result<(), HostError> {
        let taken = shared.lock().unwrap().take();
        if let Some(hook) = taken {
            hook();
        }
        Ok(())
    };
    table.define("env", "hook", Grant::Always, HostCost::default(), run).unwrap();
    let registry = WasmPluginRegistry::builder().functions(table).build().unwrap();
    (Arc::new(registry), hook)
}

/// A version whose `run` calls the hook, then says which it is, and whose `start` does if `starts`.
fn hooked_version(version: i32, starts: bool) -> Vec<u8> {
    let start = if starts { "(start $hook)" } else { "" };
    wat(&format!(
        r#"(module
            (import "env" "hook" (func $hook))
            (func (export "run") (result i32) (call $hook) (i32.const {version}))
            {start})"#
    ))
}

fn load_hooked_version(
    config: WasmInstanceConfig,
) -> (Arc<WasmPluginRegistry>, Arc<WasmPluginInstance>, Arc<Mutex<Option<Hook>>>) {
    let (registry, hook) = hooked();
    registry.load("plugin", &hooked_version(1, false), config).unwrap();
    let plugin = registry.get("plugin").unwrap();
    (registry, plugin, hook)
}

fn set(hook: &Mutex<Option<Hook>>, act: impl Fn() + Send + Sync + 'static) {
    *hook.lock().unwrap() = Some(Box::new(act));
}

#[test]
fn a_call_that_goes_on_ends_in_the_version_it_began_in() {
    for max_instances in [1, 4] {
        let config = WasmInstanceConfig { max_instances, ..config(all_granted()) };
        let (registry, plugin, hook) = load_hooked_version(config.clone());
        let reloader = Arc::clone(&registry);
        set(&hook, move || {
            reloader.reload("plugin", &hooked_version(2, false), config.clone()).unwrap();
        });
        assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 1);
        assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 2);
    }
}

#[test]
fn only_one_reload_goes_on_at_a_time() {
    let (registry, plugin, hook) = load_hooked_version(config(all_granted()));
    let result = Arc::new(Mutex::new(Vec::new()));
    let (reloader, told) = (Arc::clone(&registry), Arc::clone(&result));
    set(&hook, move || {
        let error = reloader.reload("plugin", &hooked_version(3, false), config(all_granted()));
        told.lock().unwrap().push(error.unwrap_err().kind());
        told.lock().unwrap().push(reloader.rollback("plugin").unwrap_err().kind());
    });
    registry.reload("plugin", &hooked_version(2, true), config(all_granted())).unwrap();
    assert_eq!(*result.lock().unwrap(), [ErrorKind::Busy; 2]);
    assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 2);
}

#[test]
fn a_plugin_unloaded_amid_a_reload_stays_unloaded() {
    let (registry, plugin, hook) = load_hooked_version(config(all_granted()));
    let unloader = Arc::clone(&registry);
    set(&hook, move || unloader.unload("plugin").unwrap());
    let reloaded = registry.reload("plugin", &hooked_version(2, true), config(all_granted()));
    assert_error(&reloaded.unwrap_err(), ErrorKind::Unloaded, &["`plugin`"]);
    assert_eq!(plugin.state(), WasmPluginState::Unloaded);
    assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::Unloaded);
    let usage = registry.usage();
    assert_eq!((usage.plugins, usage.sandboxes, usage.memory_bytes), (0, 0, 0));
    // The name is free.
    registry.load("plugin", &hooked_version(3, false), config(all_granted())).unwrap();
}

#[test]
fn a_host_that_panics_amid_a_reload_leaves_the_version_before_serving() {
    let (registry, plugin, hook) = load_hooked_version(config(all_granted()));
    set(&hook, || panic!("the host's"));
    let reload = || registry.reload("plugin", &hooked_version(2, true), config(all_granted()));
    let panic = catch_unwind(AssertUnwindSafe(reload)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the host's"));
    assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 1);
    reload().unwrap();
    assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 2);
}

#[test]
fn a_lease_stays_in_its_version() {
    let (registry, plugin) = first();
    let mut lease = plugin.lease().unwrap();
    let count = plugin.function::<(), i32>("count").unwrap();
    assert_eq!(count.call_in(&mut lease, ()).unwrap(), 1);
    registry.reload("plugin", &version(2), config(all_granted())).unwrap();
    assert_eq!(lease.call("version", &[]).unwrap()[0], I32(1));
    assert_eq!((count.call(()).unwrap(), count.call_in(&mut lease, ()).unwrap()), (1, 2));
    // What takes the place of a sandbox that trapped is of the version that is called.
    lease.call("trap", &[]).unwrap_err();
    assert_eq!(lease.call("version", &[]).unwrap()[0], I32(2));
    drop(lease);
    assert_eq!(registry.usage().sandboxes, 2);
    assert_eq!(says(&plugin), 2);
}

#[test]
fn calls_of_the_old_version_that_outlast_the_drain_are_cancelled_and_no_others() {
    for drain_ms in [0, 5] {
        let clock = StepClock::new(100);
        let registry = WasmPluginRegistry::builder().clock(clock).build().unwrap();
        registry.load("plugin", &version(1), config(all_granted())).unwrap();
        let plugin = registry.get("plugin").unwrap();
        let mut old = plugin.start("version", &[]).unwrap();
        let mut lease = plugin.lease().unwrap();
        let options = ReloadOptions { drain_ms: Some(drain_ms), ..ReloadOptions::default() };
        registry.reload_with("plugin", &version(2), config(all_granted()), &options).unwrap();
        assert_eq!(plugin.history().pop().unwrap().cancelled_calls, 1);
        assert_eq!(old.run(u64::MAX).unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(lease.call("version", &[]).unwrap()[0], I32(1), "no call of it was going on");
        let mut new = plugin.start("version", &[]).unwrap();
        let one_more = ReloadOptions { drain_ms: Some(drain_ms), ..ReloadOptions::default() };
        drop(lease);
        registry.reload_with("plugin", &version(3), config(all_granted()), &one_more).unwrap();
        assert_eq!(new.run(u64::MAX).unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(says(&plugin), 3);
    }
}

#[test]
fn a_reload_that_drains_returns_when_the_last_old_call_has_ended() {
    let (registry, plugin, hook) = load_hooked_version(config(all_granted()));
    let (begun, has_begun) = std::sync::mpsc::channel::<()>();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    set(&hook, move || {
        begun.send(()).unwrap();
        may_go_on.lock().unwrap().recv().unwrap();
    });
    std::thread::scope(|scope| {
        let call = scope.spawn(|| call_i32(&plugin, "run", &[]).unwrap());
        has_begun.recv().unwrap();
        let reload = scope.spawn(|| {
            let options = ReloadOptions { drain_ms: Some(60_000), ..ReloadOptions::default() };
            registry.reload_with(
                "plugin",
                &hooked_version(2, false),
                config(all_granted()),
                &options,
            )
        });
        // The new version serves while the old call goes on.
        while call_i32(&plugin, "run", &[]).unwrap() != 2 {
            std::thread::yield_now();
        }
        assert!(!reload.is_finished());
        go_on.send(()).unwrap();
        assert_eq!(call.join().unwrap(), 1);
        reload.join().unwrap().unwrap();
    });
    assert_eq!(plugin.history().pop().unwrap().cancelled_calls, 0);
}

#[test]
fn without_a_clock_nobody_waits_for_calls_to_end() {
    let registry = WasmPluginRegistry::new();
    registry.load("plugin", &version(1), one_state()).unwrap();
    let plugin = registry.get("plugin").unwrap();
    let _call = plugin.start("count", &[]).unwrap();
    let options = handover(StateHandover::Required);
    let busy = registry.reload_with("plugin", &version(2), one_state(), &options).unwrap_err();
    assert_error(&busy, ErrorKind::Busy, &["`plugin`"]);
    assert_eq!(plugin.history().len(), 2);
}

#[test]
fn state_is_handed_over_to_the_bit() {
    for state in [StateHandover::Required, StateHandover::IfExported] {
        let (registry, plugin) = load(&version(1), one_state());
        for n in 1..=41 {
            assert_eq!(call_i32(&plugin, "count", &[]).unwrap(), n);
        }
        registry.reload_with("plugin", &version(2), one_state(), &handover(state)).unwrap();
        assert_eq!(call_i32(&plugin, "count", &[]).unwrap(), 42);
        assert_eq!(says(&plugin), 2);
        // A rollback brings back what was handed over.
        registry.rollback("plugin").unwrap();
        assert_eq!((says(&plugin), call_i32(&plugin, "count", &[]).unwrap()), (1, 42));
    }
    let (registry, plugin) = load(&version(1), one_state());
    call_i32(&plugin, "count", &[]).unwrap();
    registry.reload("plugin", &version(2), one_state()).unwrap();
    assert_eq!(call_i32(&plugin, "count", &[]).unwrap(), 1, "by default it begins anew");
}

#[test]
fn a_version_that_does_not_hand_over_begins_anew_or_is_refused() {
    let plain = wat(r#"(module (memory (export "memory") 1)
        (func (export "version") (result i32) (i32.const 9))
        (func (export "count") (result i32) (i32.const 1)))"#);
    for (old, new, missing) in
        [(version(1), plain.clone(), "soch_restore"), (plain, version(2), "soch_save")]
    {
        let (registry, plugin) = load(&old, one_state());
        let before = says(&plugin);
        let required = handover(StateHandover::Required);
        let error = registry.reload_with("plugin", &new, one_state(), &required).unwrap_err();
        assert_error(&error, ErrorKind::Refused, &[missing, "`plugin`"]);
        assert_eq!(says(&plugin), before);
        let by_choice = handover(StateHandover::IfExported);
        registry.reload_with("plugin", &new, one_state(), &by_choice).unwrap();
        assert_eq!(call_i32(&plugin, "count", &[]).unwrap(), 1);
    }
}

#[test]
fn a_state_that_the_new_version_does_not_take_stays_with_the_old_one() {
    let (registry, plugin) = load(&version(1), one_state());
    call_i32(&plugin, "count", &[]).unwrap();
    let refuses = |answer: &str| {
        wat(&format!(
            r#"(module (memory (export "memory") 1)
                (func (export "soch_alloc") (param i32) (result i32) (i32.const 8))
                (func (export "soch_restore") (param i32 i32) (result i64) {answer}))"#
        ))
    };
    let options = handover(StateHandover::Required);
    for (answer, kind) in [
        ("(i64.const -7)", ErrorKind::BadGuestAnswer),
        ("(unreachable)", ErrorKind::Trap),
        ("(loop (br 0)) (i64.const 0)", ErrorKind::OutOfFuel),
    ] {
        let error =
            registry.reload_with("plugin", &refuses(answer), one_state(), &options).unwrap_err();
        assert_error(&error, kind, &["`soch_restore`", "`plugin`"]);
    }
    assert_eq!(call_i32(&plugin, "count", &[]).unwrap(), 2);
}

#[test]
fn probes_leave_nothing_in_the_version_that_is_called() {
    let (registry, plugin) = load(&version(1), one_state());
    call_i32(&plugin, "count", &[]).unwrap();
    let probes = [
        value_probe("count", &[I32(2)]),
        value_probe("count", &[I32(3)]),
        Probe::Bytes { function: "soch_save", input: &[], expected: Some(&[3, 0, 0, 0]) },
    ];
    let options = ReloadOptions { state: StateHandover::Required, ..probed(&probes) };
    registry.reload_with("plugin", &version(2), one_state(), &options).unwrap();
    assert_eq!((says(&plugin), call_i32(&plugin, "count", &[]).unwrap()), (2, 2));
    let wrong = [Probe::Bytes { function: "soch_save", input: &[], expected: Some(&[2, 1]) }];
    let options = ReloadOptions { state: StateHandover::Required, ..probed(&wrong) };
    let error = registry.reload_with("plugin", &version(3), one_state(), &options).unwrap_err();
    assert_error(&error, ErrorKind::Refused, &["probe 0", "4 bytes", "expected are 2", "byte 1"]);
}

#[test]
fn a_reload_ends_a_quarantine_and_what_is_left_of_the_old_version_begins_none() {
    let quarantined = || WasmInstanceConfig {
        quarantine: Some(QuarantinePolicy::after(1)),
        ..config(all_granted())
    };
    let (registry, plugin) = load(&version(1), quarantined());
    let mut lease = plugin.lease().unwrap();
    let started = plugin.start("trap", &[]).unwrap();
    plugin.call("trap", &[]).unwrap_err();
    assert!(plugin.quarantine().is_some());
    registry.reload("plugin", &version(2), quarantined()).unwrap();
    assert_eq!(plugin.quarantine(), None);
    assert_eq!((plugin.state(), says(&plugin)), (WasmPluginState::Executing, 2));
    let mut started = started;
    assert_eq!(started.run(u64::MAX).unwrap_err().kind(), ErrorKind::Trap);
    lease.call("trap", &[]).unwrap_err();
    assert_eq!(plugin.quarantine(), None, "these were calls of version 1");
    assert_eq!(says(&plugin), 2);
    plugin.call("trap", &[]).unwrap_err();
    assert!(plugin.quarantine().is_some(), "this was one of version 2");
    registry.rollback("plugin").unwrap();
    assert_eq!((plugin.quarantine(), says(&plugin)), (None, 1));
}

#[test]
fn the_new_configuration_holds_and_what_was_told_of_the_old_one_stays() {
    let (registry, plugin) = first();
    let (old, old_hash) = (plugin.config(), plugin.module_hash());
    let mut capabilities = all_granted();
    capabilities.fuel_limit = 10;
    let fewer = WasmInstanceConfig { max_instances: 1, ..config(capabilities) };
    registry.reload("plugin", &version(2), fewer.clone()).unwrap();
    assert_eq!((old.max_instances, plugin.config()), (4, &fewer));
    assert_eq!(plugin.capabilities().fuel_limit, 10);
    assert_ne!(old_hash, plugin.module_hash());
    assert!(plugin.functions().any(|name| name == "soch_save"));
    let _call = plugin.lease().unwrap();
    let busy = plugin.call("version", &[]).unwrap_err();
    assert_error(&busy, ErrorKind::Busy, &["1"]);
    drop(_call);
    registry.reload("plugin", &version(2), config(all_granted())).unwrap();
    let _leases: Vec<_> = (0..4).map(|_| plugin.lease().unwrap()).collect();
    assert!(plugin.lease().is_err());
}

#[test]
fn a_reload_fills_the_fuel_budget_as_a_load_does() {
    let budget = |fuel| WasmInstanceConfig { fuel_budget: fuel, ..config(all_granted()) };
    let (registry, plugin) = load(&version(1), budget(Some(1_000)));
    says(&plugin);
    assert!(plugin.fuel_budget_left().unwrap() < 1_000);
    registry.reload("plugin", &version(2), budget(Some(500))).unwrap();
    assert_eq!(plugin.fuel_budget_left(), Some(500));
    registry.reload("plugin", &version(2), budget(None)).unwrap();
    assert_eq!(plugin.fuel_budget_left(), None);
    says(&plugin);
    registry.rollback("plugin").unwrap();
    assert_eq!(plugin.fuel_budget_left(), Some(500));
    says(&plugin);
    assert!(plugin.fuel_budget_left().unwrap() < 500);
}

#[test]
fn history_tells_of_each_change_and_a_rollback_undoes_one_reload() {
    let clock = StepClock::new(1);
    let registry = WasmPluginRegistry::builder().clock(clock).build().unwrap();
    registry.load("plugin", &version(1), config(all_granted())).unwrap();
    let plugin = registry.get("plugin").unwrap();
    let first = *plugin.module_hash();
    assert_error(&registry.rollback("plugin").unwrap_err(), ErrorKind::NotFound, &["`plugin`"]);
    registry.reload("plugin", &version(2), config(all_granted())).unwrap();
    let second = *plugin.module_hash();
    registry.reload("plugin", b"", config(all_granted())).unwrap_err();
    registry.rollback("plugin").unwrap();
    assert_eq!((says(&plugin), *plugin.module_hash()), (1, first));
    assert_error(&registry.rollback("plugin").unwrap_err(), ErrorKind::NotFound, &["`plugin`"]);
    let history = plugin.history();
    let told: Vec<_> =
        history.iter().map(|record| (record.change, record.failure.is_some())).collect();
    let expected = [
        (VersionChange::Load, false),
        (VersionChange::Reload, false),
        (VersionChange::Reload, true),
        (VersionChange::Rollback, false),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        [history[0].module_hash, history[1].module_hash, history[3].module_hash],
        [first, second, first]
    );
    assert!(history[1..].is_sorted_by_key(|record| record.at_us.unwrap()));
    for number in 0..20 {
        registry.reload("plugin", &version(number), config(all_granted())).unwrap();
    }
    assert_eq!(plugin.history().len(), 16);
    let dropped = ReloadOptions { keep_previous: false, ..ReloadOptions::default() };
    registry.reload_with("plugin", &version(5), config(all_granted()), &dropped).unwrap();
    assert_eq!(registry.rollback("plugin").unwrap_err().kind(), ErrorKind::NotFound);
    let error = registry.rollback("absent").unwrap_err();
    assert_error(&error, ErrorKind::NotFound, &["`absent`"]);
}

#[test]
fn a_rollback_that_fails_leaves_the_newer_version_serving_and_can_be_tried_again() {
    let (registry, hook) = hooked();
    registry.load("plugin", &hooked_version(1, true), config(all_granted())).unwrap();
    let plugin = registry.get("plugin").unwrap();
    registry.reload("plugin", &hooked_version(2, false), config(all_granted())).unwrap();
    // Its start function finds a quota in its way.
    let quota = wasm_runtime::TenantQuota { max_sandboxes: 1, ..Default::default() };
    registry.tenant("default").quota(quota).unwrap();
    let error = registry.rollback("plugin").unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["`max_sandboxes`"]);
    assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 2);
    registry.tenant("default").quota(wasm_runtime::TenantQuota::default()).unwrap();
    registry.rollback("plugin").unwrap();
    assert_eq!(call_i32(&plugin, "run", &[]).unwrap(), 1);
    let _ = hook;
}

#[test]
fn a_reload_is_told_with_the_grants_of_the_new_version() {
    let writes = wat(r#"(module
        (import "soch_v1" "soch_write" (func (param i32 i32 i32 i32 i32 i32) (result i32))))"#);
    let (registry, plugin) = first();
    while registry.audit().pop().is_some() {}
    let denied = WasmInstanceConfig::default();
    registry.reload("plugin", &writes, denied).unwrap();
    registry.rollback("plugin").unwrap();
    let told: Vec<_> = core::iter::from_fn(|| registry.audit().pop())
        .map(|record| (record.decision(), record.status(), record.resource().to_string()))
        .collect();
    let hash = |wasm: &[u8]| -> String {
        let (_, other) = load(wasm, config(all_granted()));
        other.module_hash()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let expected = [
        (AuditDecision::Reload, 0, hash(&writes)),
        (AuditDecision::Denial, -1, "can_write_table".to_string()),
        (AuditDecision::Rollback, 0, hash(&version(1))),
    ];
    assert_eq!(told, expected);
    assert_eq!(says(&plugin), 1);
}

#[test]
fn statistics_go_on_and_count_the_start_of_the_new_version() {
    let (registry, plugin) = first();
    says(&plugin);
    let before = plugin.stats();
    let probes = [value_probe("version", &[I32(2)])];
    registry.reload_with("plugin", &version(2), config(all_granted()), &probed(&probes)).unwrap();
    let after = plugin.stats();
    assert_eq!(after.total_calls, before.total_calls, "a probe is no call of the plugin's");
    assert_eq!(after.sandboxes_started, before.sandboxes_started + 1);
    says(&plugin);
    assert_eq!(plugin.stats().total_calls, before.total_calls + 1);
    assert_eq!(plugin.stats().sandboxes_started, before.sandboxes_started + 1, "it was warm");
}

#[test]
fn a_handle_reloads_with_its_plugin_after_the_registry_is_gone() {
    let itself: Arc<OnceLock<Weak<WasmPluginInstance>>> = Arc::default();
    let (registry, plugin) = first();
    itself.set(Arc::downgrade(&plugin)).unwrap();
    registry.reload("plugin", &version(2), config(all_granted())).unwrap();
    drop(registry);
    assert_eq!(says(&plugin), 2);
    drop(plugin);
    assert!(itself.get().unwrap().upgrade().is_none(), "no version keeps the plugin");
}

#[test]
fn a_new_version_counts_for_the_quota_and_the_old_one_no_more() {
    let (registry, plugin) = first();
    let bytes = registry.usage().memory_bytes;
    for number in 2..6 {
        registry.reload("plugin", &version(number), config(all_granted())).unwrap();
        says(&plugin);
        let usage = registry.usage();
        assert_eq!((usage.plugins, usage.sandboxes, usage.memory_bytes), (1, 1, bytes));
    }
    let quota = wasm_runtime::TenantQuota { max_memory_bytes: bytes, ..Default::default() };
    registry.tenant("default").quota(quota).unwrap();
    let error = registry.reload("plugin", &version(9), config(all_granted())).unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["`max_memory_bytes`"]);
    assert_eq!(says(&plugin), 5);
}

#[test]
fn a_state_that_cannot_be_saved_costs_the_sandbox_that_has_it_and_no_more() {
    let failing = wat(r#"(module (memory (export "memory") 1)
        (func (export "soch_alloc") (param i32) (result i32) (i32.const 8))
        (func (export "version") (result i32) (i32.const 1))
        (func (export "soch_save") (param i32 i32) (result i64) (unreachable)))"#);
    let (registry, plugin) = load(&failing, one_state());
    let options = handover(StateHandover::Required);
    let error = registry.reload_with("plugin", &version(2), one_state(), &options).unwrap_err();
    assert_error(&error, ErrorKind::Trap, &["`soch_save`", "`plugin`"]);
    assert_eq!((plugin.state(), registry.usage().sandboxes), (WasmPluginState::Trapped, 0));
    assert_eq!((says(&plugin), plugin.history().len()), (1, 2));
}

#[test]
fn a_state_that_is_kept_counts_as_heap_of_the_tenant() {
    let heap = |state: StateHandover| {
        let (registry, _) = load(&version(1), one_state());
        registry.reload_with("plugin", &version(1), one_state(), &handover(state)).unwrap();
        registry.usage().heap_bytes
    };
    assert_eq!(heap(StateHandover::Required) - heap(StateHandover::Fresh), 4);
    let (registry, _) = load(&version(1), one_state());
    let quota = wasm_runtime::TenantQuota {
        max_heap_bytes: registry.usage().heap_bytes,
        ..Default::default()
    };
    registry.tenant("default").quota(quota).unwrap();
    let error = registry.reload("plugin", &version(2), one_state()).unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["`max_heap_bytes`"]);
}

/// Rolls a plugin back as soon as it hears that it was reloaded.
#[derive(Default)]
struct Cautious {
    registry: OnceLock<Weak<WasmPluginRegistry<Cautious>>>,
}

impl Host for Cautious {
    fn event(&self, event: &PluginEvent<'_>) {
        if (event.decision, event.status) == (AuditDecision::Reload, 0) {
            let registry = self.registry.get().and_then(Weak::upgrade).unwrap();
            registry.rollback(event.plugin).unwrap();
        }
    }
}

#[test]
fn a_host_that_hears_of_a_reload_may_roll_it_back_at_once() {
    let registry = Arc::new(WasmPluginRegistry::with_host(Cautious::default()));
    registry.host().registry.set(Arc::downgrade(&registry)).unwrap();
    registry.load("plugin", &version(1), config(all_granted())).unwrap();
    registry.reload("plugin", &version(2), config(all_granted())).unwrap();
    assert_eq!(registry.call("plugin", "version", &[]).unwrap()[0], I32(1));
    assert_eq!(registry.get("plugin").unwrap().history().len(), 3);
}
