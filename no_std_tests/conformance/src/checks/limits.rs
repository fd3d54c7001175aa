//! Every limit holds, to the unit.

use crate::{
    Device,
    check::{Result, checks, error, same, that},
    fixtures::wasm,
    setup::{alone, bare, call_i32, granted, i32s, load, registry, try_call, with_fuel},
};
use wasm_runtime::{
    CallOptions, EmbeddedHost, ErrorKind, GrowthPolicy, HostQuota, ModuleLimits, TrapCode,
    WasmInstanceConfig, WasmPluginRegistry,
};

checks![
    a_call_with_just_enough_fuel_ends_and_with_one_less_does_not,
    a_budget_over_all_calls_ends_and_is_filled_again,
    memory_grows_to_its_limit_and_not_beyond,
    tables_grow_to_their_limit_and_not_beyond,
    recursion_ends_at_its_depth,
    a_module_over_a_limit_is_refused_before_anything_runs,
    a_growth_over_the_limit_is_a_trap_by_choice,
    a_hash_that_differs_is_refused,
    a_tenant_s_rows_are_counted,
    without_a_clock_a_timeout_is_refused_and_not_ignored,
];

fn a_call_with_just_enough_fuel_ends_and_with_one_less_does_not(_: &mut dyn Device) -> Result {
    let (_registry, plugin) = alone("kernels", granted())?;
    for (function, n) in [("fib", 10), ("sieve", 300), ("bulk", 5), ("dispatch", 50)] {
        let before = plugin.stats().total_fuel_consumed;
        try_call(&plugin, function, &[n])?;
        let fuel = plugin.stats().total_fuel_consumed - before;
        let with = |fuel| CallOptions { fuel: Some(fuel), ..CallOptions::default() };
        plugin.call_with(function, &i32s(&[n]), with(fuel))?;
        let short = error(function, plugin.call_with(function, &i32s(&[n]), with(fuel - 1)))?;
        same(function, short.kind(), ErrorKind::OutOfFuel)?;
    }
    Ok(())
}

fn a_budget_over_all_calls_ends_and_is_filled_again(_: &mut dyn Device) -> Result {
    let config = WasmInstanceConfig { fuel_budget: Some(5_000), ..granted() };
    let (_registry, plugin) = alone("kernels", config)?;
    let mut turns = 0;
    let end = loop {
        match try_call(&plugin, "spin", &[100]) {
            Ok(_) => turns += 1,
            Err(error) => break error,
        }
    };
    same("end", end.kind(), ErrorKind::OutOfFuel)?;
    that("some calls ran", turns > 0)?;
    plugin.refuel();
    try_call(&plugin, "spin", &[100])?;
    Ok(())
}

fn memory_grows_to_its_limit_and_not_beyond(_: &mut dyn Device) -> Result {
    let mut config = with_fuel(30_000_000);
    config.capabilities.memory_limit_bytes = 5 << 16;
    let (_registry, plugin) = alone("misbehaving/memory_grower", config)?;
    same("pages", call_i32(&plugin, "grow_all", &[])?, 5)?;
    same("one more", call_i32(&plugin, "grow_by", &[1])?, -1)?;
    same("pages", call_i32(&plugin, "pages", &[])?, 5)?;
    same("peak", plugin.stats().peak_memory_bytes, 5 << 16)
}

fn tables_grow_to_their_limit_and_not_beyond(_: &mut dyn Device) -> Result {
    let limits = ModuleLimits { max_table_elements: 5_000, ..ModuleLimits::default() };
    let config = WasmInstanceConfig { limits, ..with_fuel(30_000_000) };
    let (_registry, plugin) = alone("misbehaving/table_grower", config)?;
    call_i32(&plugin, "grow_all", &[])?;
    let elements = call_i32(&plugin, "elements", &[])?;
    that(elements, elements > 3_900 && elements <= 5_000)?;
    same("a thousand more", call_i32(&plugin, "grow_by", &[1_100])?, -1)
}

fn recursion_ends_at_its_depth(_: &mut dyn Device) -> Result {
    let limits = ModuleLimits { max_recursion_depth: 100, ..ModuleLimits::default() };
    let config = WasmInstanceConfig { limits, ..granted() };
    let (_registry, plugin) = alone("misbehaving/deep_recursion", config)?;
    same("depth", call_i32(&plugin, "depth", &[90])?, 90)?;
    let deep = error("depth", try_call(&plugin, "depth", &[110]))?;
    same("code", deep.trap_code(), Some(TrapCode::StackOverflow))?;
    same("after it", call_i32(&plugin, "depth", &[90])?, 90)
}

fn a_module_over_a_limit_is_refused_before_anything_runs(_: &mut dyn Device) -> Result {
    let default = ModuleLimits::default();
    let cases = [
        ("max_module_bytes", ModuleLimits { max_module_bytes: 100, ..default }),
        ("max_functions", ModuleLimits { max_functions: 3, ..default }),
        ("max_exports", ModuleLimits { max_exports: 3, ..default }),
        ("max_types", ModuleLimits { max_types: 1, ..default }),
        ("max_body_bytes", ModuleLimits { max_body_bytes: 10, ..default }),
    ];
    let registry = registry()?;
    for (limit, limits) in cases {
        let config = WasmInstanceConfig { limits, ..granted() };
        let refused = error(limit, registry.load("k", wasm("kernels")?, config))?;
        same(limit, refused.kind(), ErrorKind::LimitExceeded)?;
        that(format_args!("{refused} names {limit}"), contains(&refused, limit))?;
    }
    let mut config = granted();
    config.capabilities.memory_limit_bytes = 1 << 16;
    let refused = error("memory", registry.load("k", wasm("abi_probe")?, config))?;
    same("memory", refused.kind(), ErrorKind::LimitExceeded)?;
    same("plugins", registry.count(), 0)
}

fn a_growth_over_the_limit_is_a_trap_by_choice(_: &mut dyn Device) -> Result {
    let limits = ModuleLimits { on_growth_denied: GrowthPolicy::Trap, ..ModuleLimits::default() };
    let mut config = WasmInstanceConfig { limits, ..with_fuel(30_000_000) };
    config.capabilities.memory_limit_bytes = 3 << 16;
    let (_registry, plugin) = alone("misbehaving/memory_grower", config)?;
    let trap = error("grow_all", try_call(&plugin, "grow_all", &[]))?;
    same("code", trap.trap_code(), Some(TrapCode::GrowthOperationLimited))?;
    same("fresh after it", call_i32(&plugin, "pages", &[])?, 1)
}

fn a_hash_that_differs_is_refused(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let hash = *load(&registry, "counter", bare())?.module_hash();
    let with = |expected| WasmInstanceConfig { expected_sha256: Some(expected), ..bare() };
    registry.load("same", wasm("counter")?, with(hash))?;
    let mut other = hash;
    other[31] ^= 1;
    let refused = error("other", registry.load("other", wasm("counter")?, with(other)))?;
    same("other", refused.kind(), ErrorKind::HashMismatch)
}

fn a_tenant_s_rows_are_counted(_: &mut dyn Device) -> Result {
    let host = EmbeddedHost::with_quota(HostQuota { max_rows: 2, ..HostQuota::default() });
    let registry = WasmPluginRegistry::with_host(host);
    let put = |key: &[u8]| registry.host().put("t", "table", key, b"row");
    that("two rows", put(b"1").is_ok() && put(b"2").is_ok())?;
    let full = error("a third", put(b"3"))?;
    same("a third", full.kind(), ErrorKind::QuotaExceeded)?;
    same("kept", registry.host().scan("t", "table", b"", 10).len(), 2)
}

/// With the feature `std` there is always a clock, and the same configuration is taken.
fn without_a_clock_a_timeout_is_refused_and_not_ignored(device: &mut dyn Device) -> Result {
    let loaded = registry()?.load("c", wasm("counter")?, WasmInstanceConfig::default());
    let refused = loaded.err().map(|refused| refused.kind());
    same("refused", refused, (!device.has_std()).then_some(ErrorKind::ClockMissing))
}

fn contains(error: &wasm_runtime::Error, word: &str) -> bool {
    alloc::string::ToString::to_string(error).contains(word)
}
