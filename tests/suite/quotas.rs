//! What the plugins of a tenant may hold and spend together, and those of all tenants.

use crate::support::{StepClock, all_granted, assert_error, call_i32, config, fixture, wat};
use proptest::prelude::*;
use std::sync::Arc;
use wasm_runtime::{
    AuditDecision, CallOptions, ErrorKind, FuelRate, GrowthPolicy, Host, ModuleLimits, Progress,
    QuarantinePolicy, ResetPolicy, TenantQuota, TenantUsage, WasmInstanceConfig,
    WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry, WasmValue,
};

const PAGE: u64 = 1 << 16;

fn of(tenant: &str) -> WasmInstanceConfig {
    WasmInstanceConfig { tenant: tenant.into(), max_instances: 2, ..config(all_granted()) }
}

fn load(
    registry: &WasmPluginRegistry,
    name: &str,
    module: &str,
    tenant: &str,
) -> Arc<WasmPluginInstance> {
    registry.load(name, &fixture(module), of(tenant)).unwrap();
    registry.get(name).unwrap()
}

fn quotas(decisions: &WasmPluginRegistry) -> Vec<String> {
    std::iter::from_fn(|| decisions.audit().pop())
        .filter(|record| record.decision() == AuditDecision::Quota)
        .map(|record| format!("{}/{} {}", record.tenant(), record.plugin(), record.resource()))
        .collect()
}

#[test]
fn a_plugin_over_the_ceiling_is_refused_before_it_is_compiled() {
    let registry = WasmPluginRegistry::new();
    registry.tenant("a").quota(TenantQuota { max_plugins: 2, ..TenantQuota::default() }).unwrap();
    load(&registry, "first", "counter", "a");
    // What does not load holds nothing.
    for _ in 0..5 {
        registry.load("bad", b"no module", of("a")).unwrap_err();
        registry.load("bad", &fixture("misbehaving/trap_start"), of("a")).unwrap_err();
        registry.load("first", &fixture("counter"), of("a")).unwrap_err();
    }
    load(&registry, "second", "counter", "a");
    let error = registry.load("third", b"no module", of("a")).unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["`third`", "`max_plugins` is 2", "tenant"]);
    // Nobody else is concerned.
    load(&registry, "third", "counter", "b");
    // A name that is gone holds nothing, even if someone has a handle on the plugin.
    let handle = registry.get("second").unwrap();
    registry.unload("second").unwrap();
    load(&registry, "fourth", "counter", "a");
    assert_eq!(registry.tenant("a").usage().plugins, 2);
    drop(handle);
    registry.shutdown_all();
    assert_eq!(registry.usage(), TenantUsage::default());
}

#[test]
fn a_sandbox_over_the_ceiling_is_refused_and_room_comes_with_the_next_that_goes() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "counter", "counter", "a");
    registry.tenant("a").quota(TenantQuota { max_sandboxes: 1, ..TenantQuota::default() }).unwrap();
    let lease = plugin.lease().unwrap();
    let error = plugin.call("increment", &[]).unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["`counter`", "`max_sandboxes` is 1", "1 are"]);
    assert_eq!(plugin.start("increment", &[]).unwrap_err().kind(), ErrorKind::QuotaExceeded);
    drop(lease);
    call_i32(&plugin, "increment", &[]).unwrap();
    let other = registry.load("other", &fixture("counter"), of("a")).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::QuotaExceeded);
    assert_eq!((registry.count(), registry.tenant("a").usage().plugins), (1, 1));
    assert_eq!(registry.tenant("a").usage().sandboxes, 1);
    let quotas = quotas(&registry);
    assert_eq!(quotas[..2], ["a/counter max_sandboxes", "a/counter max_sandboxes"]);
    assert_eq!(quotas[2..], ["a/other max_sandboxes"]);
}

#[test]
fn memory_over_the_ceiling_does_not_grow_whichever_plugin_wants_it() {
    let registry = WasmPluginRegistry::new();
    let quota = TenantQuota { max_memory_bytes: 10 * PAGE, ..TenantQuota::default() };
    registry.tenant("a").quota(quota).unwrap();
    let first = load(&registry, "first", "misbehaving/memory_grower", "a");
    let second = load(&registry, "second", "misbehaving/memory_grower", "a");
    let elsewhere = load(&registry, "elsewhere", "misbehaving/memory_grower", "b");
    assert_eq!(call_i32(&first, "grow_by", &[6]).unwrap(), 1);
    assert_eq!(call_i32(&second, "grow_by", &[3]).unwrap(), -1);
    assert_eq!(call_i32(&second, "grow_by", &[2]).unwrap(), 1);
    assert_eq!(call_i32(&second, "grow_by", &[1]).unwrap(), -1);
    assert_eq!(call_i32(&elsewhere, "grow_by", &[50]).unwrap(), 1);
    assert_eq!(registry.tenant("a").usage().memory_bytes, 10 * PAGE);
    assert_eq!(registry.usage().memory_bytes, 61 * PAGE);
    assert_eq!(quotas(&registry), ["a/second max_memory_bytes"; 2]);
    let mut lease = second.lease().unwrap();
    let error = lease.grow("memory", 1).unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["`second`", "`max_memory_bytes` is 655360"]);
    drop(lease);
    let error = registry.load("third", &fixture("counter"), of("a")).unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["`third`", "`max_memory_bytes`"]);
    registry.unload("first").unwrap();
    assert_eq!(call_i32(&second, "grow_by", &[7]).unwrap(), 3);
    assert_eq!(registry.tenant("a").usage().memory_bytes, 10 * PAGE);
}

#[test]
fn table_elements_over_the_ceiling_are_refused() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "tables", "misbehaving/table_grower", "a");
    let elements = || registry.tenant("a").usage().table_elements;
    let before = elements();
    let quota = TenantQuota { max_table_elements: before + 99, ..TenantQuota::default() };
    registry.tenant("a").quota(quota).unwrap();
    assert_eq!(call_i32(&plugin, "grow_by", &[99]).unwrap(), 1);
    assert_eq!(call_i32(&plugin, "grow_by", &[1]).unwrap(), -1);
    assert_eq!(elements(), before + 99);
    assert_eq!(quotas(&registry), ["a/tables max_table_elements"]);
}

#[test]
fn a_plugin_over_the_ceiling_of_heap_is_refused_before_it_is_compiled_and_nothing_changes() {
    let registry = WasmPluginRegistry::new();
    load(&registry, "first", "row_validator", "a");
    let needs = registry.tenant("a").usage().heap_bytes;
    registry.unload("first").unwrap();
    let set = |max_heap_bytes| {
        let quota = TenantQuota { max_heap_bytes, ..TenantQuota::default() };
        registry.tenant("a").quota(quota).unwrap();
    };
    // Valid until the compiler sees it: it is not asked.
    let mut broken = fixture("row_validator");
    let code = broken.len() - 1_000;
    for short in [needs - 1, needs / 2, 1_000, 0] {
        set(short);
        let error = registry.load("first", &fixture("row_validator"), of("a")).unwrap_err();
        let named = format!("its tenant's `max_heap_bytes` is {short}");
        assert_error(&error, ErrorKind::QuotaExceeded, &["`first`", &named]);
        assert_eq!((registry.count(), registry.usage()), (0, TenantUsage::default()));
    }
    broken.truncate(code);
    assert_eq!(
        registry.load("first", &broken, of("a")).unwrap_err().kind(),
        ErrorKind::QuotaExceeded
    );
    set(needs);
    load(&registry, "first", "row_validator", "a");
    assert_eq!(registry.usage().heap_bytes, needs);
}

#[test]
fn memory_and_tables_over_the_ceiling_of_heap_do_not_grow() {
    let registry = WasmPluginRegistry::new();
    let set = |more| {
        let max_heap_bytes = registry.usage().heap_bytes + more;
        registry
            .tenant("a")
            .quota(TenantQuota { max_heap_bytes, ..TenantQuota::default() })
            .unwrap();
    };
    let memory = load(&registry, "memory", "misbehaving/memory_grower", "a");
    let table = load(&registry, "table", "misbehaving/table_grower", "a");
    // One page becomes three: a vector that grows may be twice as long as what is in it.
    set(5 * PAGE - 1);
    assert_eq!(call_i32(&memory, "grow_by", &[2]).unwrap(), -1);
    assert_eq!(registry.usage().memory_bytes, PAGE);
    set(5 * PAGE);
    assert_eq!(call_i32(&memory, "grow_by", &[2]).unwrap(), 1);
    assert_eq!(quotas(&registry), ["a/memory max_heap_bytes"]);
    let elements = registry.usage().table_elements;
    set(8 * (elements + 10) - 4 * elements - 1);
    assert_eq!(call_i32(&table, "grow_by", &[10]).unwrap(), -1);
    assert_eq!(registry.usage().table_elements, elements);
    set(8 * (elements + 10) - 4 * elements);
    assert_eq!(call_i32(&table, "grow_by", &[10]).unwrap(), 1);
    assert_eq!(quotas(&registry), ["a/table max_heap_bytes"]);
    registry.shutdown_all();
    drop((memory, table));
    assert_eq!(registry.usage(), TenantUsage::default());
}

#[test]
fn stacks_are_paid_for_one_a_sandbox_as_long_as_the_plugin_is_loaded() {
    let registry = WasmPluginRegistry::new();
    let limits = ModuleLimits { max_stack_bytes: 1 << 20, ..ModuleLimits::default() };
    let config = WasmInstanceConfig { limits, ..of("a") };
    registry.load("deep", &fixture("misbehaving/deep_recursion"), config).unwrap();
    let plugin = registry.get("deep").unwrap();
    let heap = || registry.usage().heap_bytes;
    let one = heap();
    let leases = (plugin.lease().unwrap(), plugin.lease().unwrap());
    let two = heap();
    assert!(two - one > 2 << 20, "{}", two - one);
    // The interpreter keeps the stacks of sandboxes that went.
    drop(leases);
    assert_eq!(heap(), two);
    let trapped = plugin.call("endless", &[]).unwrap_err();
    assert_eq!(trapped.kind(), ErrorKind::Trap, "{trapped}");
    assert!(two - heap() < 64 << 10, "{}", two - heap());
    drop((plugin.lease().unwrap(), plugin.lease().unwrap()));
    assert_eq!(heap(), two);
    // Both trap; the next one has one of the two stacks.
    let mut leases = [plugin.lease().unwrap(), plugin.lease().unwrap()];
    leases.iter_mut().for_each(|lease| drop(lease.call("endless", &[])));
    drop(leases);
    plugin.lease().unwrap();
    registry.unload("deep").unwrap();
    assert_eq!(heap(), 0);
}

/// Takes long to say where its input goes.
const SLOW_ALLOC: &str = r#"(module
    (memory (export "memory") 2)
    (func (export "soch_alloc") (param i32) (result i32) (local $n i32)
        (local.set $n (i32.const 2000))
        (loop $again
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n)))
        (i32.const 8))
    (func (export "first") (param i32 i32) (result i64)
        (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.const 1))))"#;

#[test]
fn an_input_that_waits_for_a_called_plugin_is_paid_for_or_refused() {
    let registry = WasmPluginRegistry::new();
    let caller = load(&registry, "caller", "caller", "a");
    registry.load("slow", &wat(SLOW_ALLOC), of("a")).unwrap();
    let heap = || registry.usage().heap_bytes;
    let input = [b"slow\0first\0".as_slice(), &[7; 20_000]].concat();
    let run = || {
        let mut most = 0;
        let mut call = caller.start_bytes("relay", &input, CallOptions::default()).unwrap();
        loop {
            match call.run(200) {
                Ok(Progress::Running) => most = most.max(heap()),
                ended => return (most, ended.map(|_| call.answer().to_vec())),
            }
        }
    };
    caller.call_bytes("relay", &input).unwrap();
    // What guests allocate for the input themselves, they keep.
    run().1.unwrap();
    let idle = heap();
    let (most, answer) = run();
    assert_eq!((most - idle, answer.unwrap().as_slice()), (20_000, [7].as_slice()));
    assert_eq!(heap(), idle);
    let quota = TenantQuota { max_heap_bytes: idle + 19_999, ..TenantQuota::default() };
    registry.tenant("a").quota(quota).unwrap();
    let (most, answer) = run();
    // A status: a limit was reached.
    assert_eq!(answer.unwrap_err().guest_status(), Some(-5));
    assert!(most <= idle);
    registry.tenant("a").quota(TenantQuota::default()).unwrap();
    run().1.unwrap();
    assert_eq!(heap(), idle);
}

#[test]
fn a_sandbox_that_may_call_others_pays_for_the_answer_that_it_keeps() {
    let needs = |capabilities, max_answer_bytes| {
        let limits = ModuleLimits { max_answer_bytes, ..ModuleLimits::default() };
        let config = WasmInstanceConfig { limits, ..config(capabilities) };
        let registry = WasmPluginRegistry::new();
        registry.load("caller", &fixture("caller"), config).unwrap();
        registry.usage().heap_bytes
    };
    let none = needs(all_granted(), 0);
    assert_eq!(needs(all_granted(), 100_000), none + 100_000);
    assert_eq!(needs(WasmPluginCapabilities::default(), 100_000), none);
}

#[test]
fn a_growth_that_is_to_trap_traps_at_a_quota_too() {
    let registry = WasmPluginRegistry::new();
    let quota = TenantQuota { max_memory_bytes: 2 * PAGE, ..TenantQuota::default() };
    registry.tenant("a").quota(quota).unwrap();
    let limits = ModuleLimits { on_growth_denied: GrowthPolicy::Trap, ..ModuleLimits::default() };
    let quarantine = Some(QuarantinePolicy::after(1));
    let config = WasmInstanceConfig { limits, quarantine, ..of("a") };
    registry.load("grower", &fixture("misbehaving/memory_grower"), config).unwrap();
    let plugin = registry.get("grower").unwrap();
    assert_eq!(call_i32(&plugin, "grow_by", &[1]).unwrap(), 1);
    assert_eq!(plugin.call("grow_by", &[1.into()]).unwrap_err().kind(), ErrorKind::Trap);
    // What trapped is gone, and with it its memory. It is not the plugin's doing.
    assert_eq!(registry.usage().memory_bytes, 0);
    assert_eq!(call_i32(&plugin, "grow_by", &[1]).unwrap(), 1);
    // Over the plugin's own limit, it is.
    plugin.call("grow_by", &[60_000.into()]).unwrap_err();
    assert_eq!(plugin.quarantine().unwrap().reason, "growth over a limit");
}

#[test]
fn a_guest_that_is_refused_in_a_loop_leaves_the_audit_ring_to_others() {
    let registry = WasmPluginRegistry::new();
    let quota = TenantQuota { max_memory_bytes: PAGE, ..TenantQuota::default() };
    registry.tenant("a").quota(quota).unwrap();
    registry.load("grower", &wat(GROWER), of("a")).unwrap();
    registry.call("grower", "try_often", &[WasmValue::I32(1_000)]).unwrap();
    assert_eq!(quotas(&registry).len(), 8);
    assert_eq!(registry.audit().dropped(), 992);
}

#[test]
fn the_registry_s_ceiling_holds_over_all_tenants() {
    let quota = TenantQuota { max_memory_bytes: 4 * PAGE, max_plugins: 3, ..Default::default() };
    let registry = WasmPluginRegistry::builder().quota(quota).build().unwrap();
    let plugins =
        ["a", "b", "c"].map(|name| load(&registry, name, "misbehaving/memory_grower", name));
    let error = registry.load("d", &fixture("counter"), of("d")).unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["the registry's `max_plugins` is 3"]);
    let grown = plugins.each_ref().map(|plugin| call_i32(plugin, "grow_by", &[1]).unwrap());
    assert_eq!(grown, [1, -1, -1]);
    assert_eq!(registry.usage().memory_bytes, 4 * PAGE);
    assert_eq!(registry.tenant("b").usage().memory_bytes, PAGE);
}

#[test]
fn a_ceiling_that_comes_down_takes_nothing_away() {
    let registry = WasmPluginRegistry::new();
    let plugin = load(&registry, "grower", "misbehaving/memory_grower", "a");
    call_i32(&plugin, "grow_by", &[9]).unwrap();
    let set = |pages: u64| {
        let quota = TenantQuota { max_memory_bytes: pages * PAGE, ..TenantQuota::default() };
        registry.tenant("a").quota(quota).unwrap();
    };
    set(5);
    assert_eq!(call_i32(&plugin, "pages", &[]).unwrap(), 10);
    assert_eq!(call_i32(&plugin, "grow_by", &[1]).unwrap(), -1);
    set(11);
    assert_eq!(call_i32(&plugin, "grow_by", &[1]).unwrap(), 10);
}

#[test]
fn a_quota_holds_before_the_first_plugin_and_after_the_last() {
    let registry = WasmPluginRegistry::new();
    registry.tenant("a").quota(TenantQuota { max_plugins: 0, ..TenantQuota::default() }).unwrap();
    for n in 0..100 {
        registry.tenant(&format!("passing {n}"));
    }
    let error = registry.load("plugin", &fixture("counter"), of("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
}

/// A registry whose tenant `a` has a rate of fuel, and `endless_loop` in it.
fn rated(
    rate: FuelRate,
    fuel_limit: u64,
) -> (WasmPluginRegistry, Arc<WasmPluginInstance>, StepClock) {
    let clock = StepClock::default();
    let registry = WasmPluginRegistry::builder().clock(clock.clone()).build().unwrap();
    let quota = TenantQuota { fuel_rate: Some(rate), ..TenantQuota::default() };
    registry.tenant("a").quota(quota).unwrap();
    let capabilities = WasmPluginCapabilities { fuel_limit, ..all_granted() };
    let config = WasmInstanceConfig { capabilities, ..of("a") };
    registry.load("loop", &fixture("misbehaving/endless_loop"), config).unwrap();
    let plugin = registry.get("loop").unwrap();
    (registry, plugin, clock)
}

fn fuel_left(registry: &WasmPluginRegistry) -> u64 {
    registry.tenant("a").usage().fuel_left.unwrap()
}

#[test]
fn a_call_that_finds_too_little_fuel_is_refused_before_it_runs() {
    let rate = FuelRate { per_second: 1_000, burst: 2_500 };
    let (registry, plugin, clock) = rated(rate, 1_000);
    for left in [1_500, 500] {
        assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::OutOfFuel);
        assert!(fuel_left(&registry).abs_diff(left) < 20, "{}", fuel_left(&registry));
    }
    let ran = || (plugin.stats().total_calls, plugin.stats().total_fuel_consumed);
    let before = ran();
    let error = plugin.call("ping", &[]).unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["`loop`", "`fuel_rate` is 2500", "tenant"]);
    assert_eq!(ran(), before);
    clock.advance(600_000);
    // What is not spent comes back.
    let left = fuel_left(&registry);
    call_i32(&plugin, "ping", &[]).unwrap();
    assert!((1..20).contains(&(left - fuel_left(&registry))));
    clock.advance(100_000_000);
    assert_eq!(fuel_left(&registry), 2_500);
    assert_eq!(quotas(&registry), ["a/loop fuel_rate"]);
}

#[test]
fn all_plugins_of_a_tenant_and_all_ways_to_call_them_spend_one_rate() {
    let (registry, plugin, _) = rated(FuelRate { per_second: 0, burst: 10_000 }, 1_000);
    let spent = || 10_000 - fuel_left(&registry);
    let (mut before, mut calls) = (0, 0);
    let mut costs = |what: &str, call: &mut dyn FnMut()| {
        call();
        calls += 1;
        assert!((990..=1_000).contains(&(spent() - before)), "{what}: {}", spent() - before);
        before = spent();
    };
    costs("call", &mut || drop(plugin.call("run", &[])));
    let typed = plugin.function::<(), ()>("run").unwrap();
    costs("typed", &mut || drop(typed.call(())));
    costs("lease", &mut || drop(plugin.lease().unwrap().call("run", &[])));
    costs("with", &mut || drop(plugin.call_with("run", &[], CallOptions::default())));
    costs("started", &mut || {
        let mut call = plugin.start("run", &[]).unwrap();
        while let Ok(Progress::Running) = call.run(100) {}
    });
    let capabilities = WasmPluginCapabilities { fuel_limit: 1_000, ..all_granted() };
    let config = WasmInstanceConfig { capabilities, ..of("a") };
    registry.load("second", &fixture("misbehaving/endless_loop"), config).unwrap();
    costs("second", &mut || drop(registry.call("second", "run", &[])));
    // A call has all that it may use while it runs, and pays for what it ran when it is dropped.
    let before = spent();
    let mut call = plugin.start("run", &[]).unwrap();
    call.run(300).unwrap();
    assert_eq!(spent() - before, 1_000);
    drop(call);
    assert!((200..400).contains(&(spent() - before)), "{}", spent() - before);
}

#[test]
fn a_call_may_use_a_full_bucket_at_most() {
    let (_registry, plugin, _) = rated(FuelRate { per_second: 1, burst: 5_000 }, 1_000_000);
    assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::OutOfFuel);
    assert!((4_900..=5_000).contains(&plugin.stats().total_fuel_consumed));
}

#[test]
fn a_plugin_that_is_called_runs_on_the_fuel_that_its_caller_took() {
    let clock = StepClock::default();
    let registry = WasmPluginRegistry::builder().clock(clock).build().unwrap();
    let rate = FuelRate { per_second: 0, burst: 1_000_000 };
    let quota = TenantQuota { fuel_rate: Some(rate), ..TenantQuota::default() };
    registry.tenant("a").quota(quota).unwrap();
    load(&registry, "caller", "caller", "a");
    load(&registry, "echo", "echo", "a");
    // The caller takes the whole bucket.
    let caller = registry.get("caller").unwrap();
    assert_eq!(caller.call_bytes("relay", b"echo\0echo\0hello").unwrap(), b"hello");
    // What the called plugin spends is part of it.
    assert_eq!(1_000_000 - fuel_left(&registry), caller.stats().total_fuel_consumed);
}

#[test]
fn a_start_function_is_paid_for_and_does_not_run_where_nothing_is_left() {
    let spin = wat(r#"(module
        (func $start (local $i i32)
            (loop $again
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 500)))))
        (func (export "run"))
        (start $start))"#);
    let clock = StepClock::default();
    let registry = WasmPluginRegistry::builder().clock(clock.clone()).build().unwrap();
    let rate = FuelRate { per_second: 1_000, burst: 20_000 };
    let quota = TenantQuota { fuel_rate: Some(rate), ..TenantQuota::default() };
    registry.tenant("a").quota(quota).unwrap();
    let capabilities = WasmPluginCapabilities { fuel_limit: 10_000, ..all_granted() };
    let config = WasmInstanceConfig { capabilities, reset: ResetPolicy::AfterCall, ..of("a") };
    registry.load("starter", &spin, config).unwrap();
    let plugin = registry.get("starter").unwrap();
    let start = 20_000 - fuel_left(&registry);
    assert!((3_000..7_000).contains(&start), "{start}");
    plugin.call("run", &[]).unwrap();
    let spent = plugin.stats().total_fuel_consumed;
    assert_eq!(20_000 - fuel_left(&registry), spent);
    // Each of these starts a sandbox, for a call that finds too little, until there is nothing.
    while fuel_left(&registry) > 0 {
        plugin.call("run", &[]).map_or_else(drop, drop);
    }
    let before = plugin.stats();
    for _ in 0..10 {
        assert_eq!(plugin.call("run", &[]).unwrap_err().kind(), ErrorKind::QuotaExceeded);
        let mut call = plugin.start("run", &[]).unwrap();
        assert_eq!(call.run(u64::MAX).unwrap_err().kind(), ErrorKind::QuotaExceeded);
    }
    let after = plugin.stats();
    assert_eq!(after.total_fuel_consumed, before.total_fuel_consumed);
    // What was spent beyond the last of it is owed.
    clock.advance(1_000_000);
    assert!(fuel_left(&registry) < 1_000);
    clock.advance(20_000_000);
    let left = fuel_left(&registry);
    let mut call = plugin.start("run", &[]).unwrap();
    assert!(matches!(call.run(u64::MAX), Ok(Progress::Finished(_))));
    let spent = plugin.stats().total_fuel_consumed - after.total_fuel_consumed;
    assert_eq!(left - fuel_left(&registry), spent);
}

/// Memory that grows on demand, and a trap.
const GROWER: &str = r#"(module
    (memory (export "memory") 1)
    (table 3 funcref)
    (func (export "try_often") (param $n i32)
        (loop $again
            (drop (memory.grow (i32.const 1)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "trap") unreachable))"#;

#[derive(Debug, Clone, Copy)]
enum Step {
    Load(usize),
    Unload(usize),
    Grow(usize, i32),
    Trap(usize),
    Ceiling(usize, u64, u64),
}

/// The memory of a plugin that is loaded, in pages.
#[derive(Debug, Clone, Copy)]
struct Pages {
    count: u64,
    grown: bool,
}

impl Pages {
    const FIRST: Self = Self { count: 1, grown: false };
}

/// What a tenant may hold, in bytes.
#[derive(Debug, Clone, Copy)]
struct Ceiling {
    memory: u64,
    heap: u64,
}

impl Ceiling {
    const NONE: Self = Self { memory: u64::MAX, heap: u64::MAX };
}

struct Model {
    plugins: [Option<Pages>; 6],
    ceilings: [Ceiling; 3],
    /// Heap of a plugin but for its memory.
    idle: u64,
}

impl Model {
    fn usage(&self, counts: impl Fn(usize) -> bool) -> TenantUsage {
        let plugins = (0..6).filter(|at| counts(*at)).filter_map(|at| self.plugins[at]);
        plugins.fold(TenantUsage::default(), |all, Pages { count, grown }| TenantUsage {
            plugins: all.plugins + 1,
            sandboxes: all.sandboxes + 1,
            memory_bytes: all.memory_bytes + count * PAGE,
            table_elements: all.table_elements + 3,
            // What has grown may lie in twice the space.
            heap_bytes: all.heap_bytes + self.idle + count * PAGE * if grown { 2 } else { 1 },
            ..all
        })
    }

    /// Gives a plugin so much memory if it may have it.
    fn becomes(&mut self, at: usize, pages: Pages) -> bool {
        let before = self.plugins[at].replace(pages);
        let (here, all) = (self.usage(|other| other % 3 == at % 3), self.usage(|_| true));
        let own = self.ceilings[at % 3];
        let had = before.map_or(0, |pages| pages.count);
        // A ceiling that is not asked for more forbids nothing, however low it came down.
        let may = pages.count == had
            || (here.memory_bytes <= own.memory
                && here.heap_bytes <= own.heap
                && all.memory_bytes <= 20 * PAGE
                && all.heap_bytes <= 30 * PAGE + 6 * self.idle);
        if !may {
            self.plugins[at] = before;
        }
        may
    }
}

fn heap_of_an_idle_plugin(wasm: &[u8]) -> u64 {
    let registry = WasmPluginRegistry::new();
    let config = WasmInstanceConfig { max_instances: 1, ..of("a") };
    registry.load("plugin", wasm, config).unwrap();
    registry.usage().heap_bytes - registry.usage().memory_bytes
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0_usize..6).prop_map(Step::Load),
        1 => (0_usize..6).prop_map(Step::Unload),
        4 => (0_usize..6, 0..8).prop_map(|(plugin, pages)| Step::Grow(plugin, pages)),
        1 => (0_usize..6).prop_map(Step::Trap),
        1 => (0_usize..4, 0_u64..30, 0_u64..30)
            .prop_map(|(whose, pages, heap)| Step::Ceiling(whose, pages, heap)),
    ]
}

proptest! {
    /// Six plugins of three tenants, each with one sandbox; the model counts pages and heap.
    #[test]
    fn what_tenants_hold_is_what_a_model_says_whatever_happens(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let wasm = wat(GROWER);
        let idle = heap_of_an_idle_plugin(&wasm);
        let quota = TenantQuota {
            max_memory_bytes: 20 * PAGE,
            max_heap_bytes: 30 * PAGE + 6 * idle,
            ..TenantQuota::default()
        };
        let registry = WasmPluginRegistry::builder().quota(quota).build().unwrap();
        let mut model = Model { plugins: [None; 6], ceilings: [Ceiling::NONE; 3], idle };
        for step in steps {
            match step {
                Step::Load(at) => {
                    let tenant = format!("{}", at % 3);
                    let config = WasmInstanceConfig { max_instances: 1, ..of(&tenant) };
                    let loaded = registry.load(&format!("{at}"), &wasm, config);
                    let may = model.plugins[at].is_none() && model.becomes(at, Pages::FIRST);
                    prop_assert_eq!(loaded.is_ok(), may, "{:?}", loaded);
                }
                Step::Unload(at) => {
                    let unloaded = registry.unload(&format!("{at}"));
                    prop_assert_eq!(unloaded.is_ok(), model.plugins[at].take().is_some());
                }
                Step::Grow(at, more) => {
                    let Some(plugin) = registry.get(&format!("{at}")) else { continue };
                    let before = model.plugins[at].unwrap().count;
                    let pages = Pages { count: before + u64::try_from(more).unwrap(), grown: true };
                    let may = more == 0 || model.becomes(at, pages);
                    let grown = call_i32(&plugin, "grow", &[more]).unwrap();
                    let expected = if may { i32::try_from(before).unwrap() } else { -1 };
                    prop_assert_eq!(grown, expected);
                }
                Step::Trap(at) => {
                    let Some(plugin) = registry.get(&format!("{at}")) else { continue };
                    plugin.call("trap", &[]).unwrap_err();
                    // The next sandbox is made at once, to keep the model simple.
                    model.plugins[at] = None;
                    let may = model.becomes(at, Pages::FIRST);
                    let made = plugin.lease().map(|_| ());
                    prop_assert_eq!(made.is_ok(), may, "{:?}", made);
                    if !may {
                        registry.unload(&format!("{at}")).unwrap();
                    }
                }
                Step::Ceiling(whose, pages, heap_pages) => {
                    if let Some(ceiling) = model.ceilings.get_mut(whose) {
                        *ceiling = Ceiling { memory: pages * PAGE, heap: heap_pages * PAGE + 2 * idle };
                        let quota = TenantQuota {
                            max_memory_bytes: ceiling.memory,
                            max_heap_bytes: ceiling.heap,
                            ..TenantQuota::default()
                        };
                        registry.tenant(&format!("{whose}")).quota(quota).unwrap();
                    }
                }
            }
            for tenant in 0..3 {
                let usage = registry.tenant(&format!("{tenant}")).usage();
                prop_assert_eq!(usage, model.usage(|at| at % 3 == tenant));
            }
            prop_assert_eq!(registry.usage(), model.usage(|_| true));
        }
        registry.shutdown_all();
        prop_assert_eq!(registry.usage(), TenantUsage::default());
    }
}

/// Stores rows of a key and a length of its caller's.
const WRITER: &str = r#"(module
    (import "soch_v1" "soch_write"
        (func $write (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "soch_v1" "soch_delete" (func $delete (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "rows")
    (func (export "write") (param $key i32) (param $len i32) (result i32)
        (i32.store (i32.const 16) (local.get $key))
        (call $write
            (i32.const 0) (i32.const 4) (i32.const 16) (i32.const 4) (i32.const 32) (local.get $len)))
    (func (export "delete") (param $key i32) (result i32)
        (i32.store (i32.const 16) (local.get $key))
        (call $delete (i32.const 0) (i32.const 4) (i32.const 16) (i32.const 4))))"#;

fn writer(registry: &WasmPluginRegistry, tenant: &str) -> Arc<WasmPluginInstance> {
    registry.load(tenant, &wat(WRITER), of(tenant)).unwrap();
    registry.get(tenant).unwrap()
}

fn stored(usage: TenantUsage) -> (u64, u64) {
    (usage.stored_rows, usage.stored_bytes)
}

#[test]
fn rows_and_bytes_over_a_tenant_s_ceiling_are_not_stored() {
    let registry = WasmPluginRegistry::new();
    let (a, b) = (writer(&registry, "a"), writer(&registry, "b"));
    let quota = TenantQuota { max_stored_rows: 2, max_stored_bytes: 50, ..TenantQuota::default() };
    registry.tenant("a").quota(quota).unwrap();
    let write =
        |plugin: &WasmPluginInstance, key, len| call_i32(plugin, "write", &[key, len]).unwrap();
    assert_eq!([write(&a, 1, 10), write(&a, 2, 10), write(&a, 3, 10)], [0, 0, -5]);
    assert_eq!([write(&a, 2, 32), write(&a, 2, 33)], [1, -5]);
    assert_eq!([write(&b, 1, 1_000), write(&b, 2, 1_000), write(&b, 3, 1_000)], [0; 3]);
    assert_eq!(stored(registry.tenant("a").usage()), (2, 50));
    assert_eq!(stored(registry.usage()), (5, 50 + 3_012));
    // The program's own rows count, and are refused too.
    assert_eq!(write(&a, 2, 1), 1);
    let error = registry.host().put("a", "rows", b"4", b"").unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["tenant `a`", "`max_stored_rows`"]);
    assert_eq!(write(&a, 2, 32), 1);
    // What makes nothing larger is never refused.
    let lower = TenantQuota { max_stored_rows: 1, max_stored_bytes: 10, ..TenantQuota::default() };
    registry.tenant("a").quota(lower).unwrap();
    assert_eq!([write(&a, 2, 31), write(&a, 1, 11)], [1, -5]);
    assert_eq!(call_i32(&a, "delete", &[1]).unwrap(), 1);
    assert_eq!(stored(registry.tenant("a").usage()), (1, 35));
}

#[test]
fn rows_over_the_registry_s_ceiling_are_not_stored_whoever_wants_to() {
    let quota = TenantQuota { max_stored_rows: 3, ..TenantQuota::default() };
    let registry = WasmPluginRegistry::builder().quota(quota).build().unwrap();
    let plugins = ["a", "b", "c", "d"].map(|tenant| writer(&registry, tenant));
    let written = plugins.each_ref().map(|plugin| call_i32(plugin, "write", &[1, 8]).unwrap());
    assert_eq!(written, [0, 0, 0, -5]);
    let error = registry.host().put("d", "rows", b"4", b"").unwrap_err();
    assert_error(&error, ErrorKind::QuotaExceeded, &["the registry's `max_stored_rows`"]);
    assert_eq!(call_i32(&plugins[1], "delete", &[1]).unwrap(), 1);
    assert_eq!(call_i32(&plugins[3], "write", &[1, 8]).unwrap(), 0);
    assert_eq!(stored(registry.usage()), (3, 36));
}

#[test]
fn tenants_that_write_at_once_never_store_more_than_the_registry_s_ceiling() {
    let quota =
        TenantQuota { max_stored_rows: 10, max_stored_bytes: 150, ..TenantQuota::default() };
    let registry = WasmPluginRegistry::builder().quota(quota).build().unwrap();
    let plugins = ["a", "b", "c"].map(|tenant| writer(&registry, tenant));
    std::thread::scope(|scope| {
        for plugin in &plugins {
            scope.spawn(|| {
                for n in 0..3_000 {
                    let (key, len) = (n % 7, n % 13);
                    let function = if n % 3 == 0 { "delete" } else { "write" };
                    let args = [key, len].map(WasmValue::I32);
                    let args = if n % 3 == 0 { &args[..1] } else { &args[..] };
                    plugin.call(function, args).unwrap();
                    let (rows, bytes) = stored(registry.usage());
                    assert!(rows <= 10 && bytes <= 150, "{rows} {bytes}");
                }
            });
        }
    });
    let (mut rows, mut bytes) = (0, 0);
    for tenant in ["a", "b", "c"] {
        for (key, value) in registry.host().scan(tenant, "rows", b"", 100) {
            rows += 1;
            bytes += (key.len() + value.len()) as u64;
        }
    }
    assert_eq!(stored(registry.usage()), (rows, bytes));
}

#[test]
fn a_host_that_counts_nothing_takes_no_such_quota() {
    struct Nothing;
    impl Host for Nothing {}
    let registry = WasmPluginRegistry::with_host(Nothing);
    let quota = TenantQuota { max_stored_rows: 2, max_plugins: 0, ..TenantQuota::default() };
    let error = registry.tenant("a").quota(quota).unwrap_err();
    assert_error(&error, ErrorKind::Host, &["max_stored_rows", "the host does not have it"]);
    // Nothing is set then.
    registry.load("counter", &fixture("counter"), of("a")).unwrap();
    registry.tenant("a").quota(TenantQuota { max_plugins: 1, ..TenantQuota::default() }).unwrap();
    assert_eq!(stored(registry.tenant("a").usage()), (0, 0));
}

#[test]
fn quotas_set_by_several_threads_at_once_leave_a_rate_that_holds_or_none() {
    let clock = StepClock::default();
    let registry = WasmPluginRegistry::builder().clock(clock).build().unwrap();
    registry.load("counter", &fixture("counter"), of("a")).unwrap();
    let rate = Some(FuelRate { per_second: 0, burst: 1 << 40 });
    for _ in 0..200 {
        std::thread::scope(|scope| {
            for fuel_rate in [rate, None, rate, None] {
                let registry = &registry;
                scope.spawn(move || {
                    let quota = TenantQuota { fuel_rate, ..TenantQuota::default() };
                    registry.tenant("a").quota(quota).unwrap();
                });
            }
        });
        let before = registry.tenant("a").usage().fuel_left;
        registry.call("counter", "increment", &[]).unwrap();
        let after = registry.tenant("a").usage().fuel_left;
        assert_eq!(before.is_some(), after < before, "{before:?} {after:?}");
    }
}
