//! Plugins and tenants do not notice one another.

use crate::{
    Device,
    check::{Result, checks, error, same, some, that},
    fixtures::FIXTURES,
    setup::{bare, call_i32, granted, i32s, load_as, registry, try_call},
};
use alloc::{string::ToString, vec::Vec};
use core::num::NonZeroU32;
use wasm_runtime::{ErrorKind, Scheduler, TenantQuota, TenantUsage, Turn, WasmInstanceConfig};

checks![
    identical_plugins_share_no_state,
    tenants_see_each_their_own_rows,
    what_misbehaves_is_an_error_and_another_tenant_goes_on,
    a_plugin_calls_another_on_its_own_budget,
    tenants_on_one_core_get_their_shares,
    an_unloaded_plugin_is_gone,
    a_tenant_cannot_exceed_its_quota,
];

fn of_tenant(tenant: &str) -> WasmInstanceConfig {
    WasmInstanceConfig { tenant: tenant.to_string(), ..granted() }
}

fn identical_plugins_share_no_state(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let [left, right] = ["left", "right"].map(|name| load_as(&registry, name, "counter", bare()));
    let (left, right) = (left?, right?);
    for count in 1..=5 {
        same("left", call_i32(&left, "increment", &[])?, count)?;
        same("right", call_i32(&right, "get", &[])?, 0)?;
    }
    Ok(())
}

fn tenants_see_each_their_own_rows(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let mine = load_as(&registry, "mine", "aggregate", of_tenant("default"))?;
    let other = load_as(&registry, "other", "aggregate", of_tenant("other"))?;
    registry.host().put("other", "rivers", b"Inn", b"517")?;
    same(
        "mine",
        mine.call_bytes("sum", b"rivers")?,
        b"count=3 sum=10733 min=1233 max=6650".to_vec(),
    )?;
    same("other", other.call_bytes("sum", b"rivers")?, b"count=1 sum=517 min=517 max=517".to_vec())
}

fn what_misbehaves_is_an_error_and_another_tenant_goes_on(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let innocent = load_as(&registry, "innocent", "counter", of_tenant("innocent"))?;
    let (mut count, mut failed) = (0, 0);
    for fixture in FIXTURES.iter().filter(|fixture| fixture.name.starts_with("misbehaving/")) {
        let mut config = of_tenant("hostile");
        config.capabilities.fuel_limit = 100_000;
        let loaded = registry.load(fixture.name, fixture.wasm, config);
        failed += u32::from(loaded.is_err());
        if let Some(plugin) = registry.get(fixture.name) {
            for function in plugin.functions() {
                let params = plugin.signature(function).map_or(0, |(params, _)| params.len());
                let zeros: Vec<_> = (0..params).map(|_| 0).collect();
                failed += u32::from(plugin.call(function, &i32s(&zeros)).is_err());
                count += 1;
                same(function, call_i32(&innocent, "increment", &[])?, count)?;
            }
            drop(plugin);
            registry.unload(fixture.name)?;
        }
    }
    that("most of that failed", failed > 40)?;
    same("the innocent's traps", innocent.stats().trap_count, 0)
}

fn a_plugin_calls_another_on_its_own_budget(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    load_as(&registry, "echo", "echo", granted())?;
    let caller = load_as(&registry, "caller", "caller", granted())?;
    let answer = caller.call_bytes("relay", b"echo\0copy\0all is well")?;
    same("answer", answer.as_slice(), b"all is well")?;
    let echo = some("echo", registry.get("echo"))?;
    let (callee, all) = (echo.stats().total_fuel_consumed, caller.stats().total_fuel_consumed);
    that("the caller pays", callee > 0 && all > callee)?;
    let stranger = load_as(&registry, "stranger", "caller", of_tenant("stranger"))?;
    let refused = error("stranger", stranger.call_bytes("relay", b"echo\0copy\0x"))?;
    same("status", refused.guest_status(), Some(-2))
}

/// Two tenants with weights 1 and 3 run for 40 rounds.
fn tenants_on_one_core_get_their_shares(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let mut scheduler = Scheduler::new(5_000);
    let weight = some("weight", NonZeroU32::new(3))?;
    scheduler.set_weight("heavy", weight);
    let mut plugins = Vec::new();
    for tenant in ["light", "heavy"] {
        let mut config = of_tenant(tenant);
        config.capabilities.fuel_limit = u64::MAX;
        let plugin = load_as(&registry, tenant, "misbehaving/endless_loop", config)?;
        scheduler.spawn(plugin.start("run_with_work", &[])?);
        plugins.push(plugin);
    }
    while scheduler.rounds() < 40 {
        match scheduler.turn() {
            Turn::Ran(_) => {}
            other => return Err(alloc::format!("{other:?}").into()),
        }
    }
    registry.cancel_tenant("light");
    registry.cancel_tenant("heavy");
    while !scheduler.is_empty() {
        if let Turn::Ended { result, .. } = scheduler.turn() {
            same("end", error("end", result)?.kind(), ErrorKind::Cancelled)?;
        }
    }
    let spent: Vec<_> = plugins.iter().map(|p| p.stats().total_fuel_consumed).collect();
    let &[light, heavy] = some("two tenants", spent.first_chunk())?;
    that(format_args!("{heavy} is three times {light}"), heavy.abs_diff(3 * light) * 20 < heavy)
}

fn an_unloaded_plugin_is_gone(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let plugin = load_as(&registry, "counter", "counter", bare())?;
    registry.unload("counter")?;
    let gone = error("call", try_call(&plugin, "get", &[]))?;
    same("kind", gone.kind(), ErrorKind::Unloaded)?;
    let gone = error("name", registry.call("counter", "get", &[]))?;
    same("kind", gone.kind(), ErrorKind::NotFound)
}

fn a_tenant_cannot_exceed_its_quota(_: &mut dyn Device) -> Result {
    const PAGE: u64 = 1 << 16;
    let registry = registry()?;
    let quota = TenantQuota {
        max_plugins: 2,
        max_memory_bytes: 5 * PAGE,
        max_stored_rows: 1,
        ..TenantQuota::default()
    };
    registry.tenant("tenant").quota(quota)?;
    let grower = "misbehaving/memory_grower";
    let first = load_as(&registry, "first", grower, of_tenant("tenant"))?;
    let second = load_as(&registry, "second", grower, of_tenant("tenant"))?;
    let other = load_as(&registry, "other", grower, of_tenant("other"))?;
    let third = registry.load("third", crate::fixtures::wasm(grower)?, of_tenant("tenant"));
    same("a third plugin", error("load", third)?.kind(), ErrorKind::QuotaExceeded)?;
    same("first", call_i32(&first, "grow_by", &[3])?, 1)?;
    same("second", call_i32(&second, "grow_by", &[1])?, -1)?;
    same("other", call_i32(&other, "grow_by", &[3])?, 1)?;
    registry.host().put("tenant", "rows", b"first", b"row")?;
    let row = registry.host().put("tenant", "rows", b"second", b"row");
    same("a second row", error("put", row)?.kind(), ErrorKind::QuotaExceeded)?;
    let usage = registry.tenant("tenant").usage();
    same("pages", (usage.memory_bytes / PAGE, usage.stored_rows), (5, 1))?;
    registry.unload("first")?;
    same("second", call_i32(&second, "grow_by", &[3])?, 1)?;
    registry.shutdown_all();
    registry.host().delete("tenant", "rows", b"first");
    same("nothing", registry.tenant("tenant").usage(), TenantUsage::default())
}
