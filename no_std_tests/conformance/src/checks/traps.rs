//! Every way to trap is told by its code, and the next call answers.

use crate::{
    Device,
    check::{Result, checks, error, same, some, that},
    setup::{alone, call_i32, clocked_registry, granted, load, registry, try_call},
};
use alloc::{string::ToString, vec};
use wasm_runtime::{
    DenyPolicy, ErrorKind, Fault, QuarantineEnd, QuarantinePolicy, TrapCode, WasmInstanceConfig,
    WasmPluginState,
};

checks![
    every_trap_is_told_by_its_code,
    a_trap_is_reported_with_what_led_to_it,
    a_denial_is_a_trap_by_choice,
    an_answer_that_is_a_lie_is_an_error,
    ten_thousand_traps_are_ten_thousand_errors,
    a_plugin_that_fails_again_and_again_is_left_alone_and_tried_again,
];

fn every_trap_is_told_by_its_code(_: &mut dyn Device) -> Result {
    let cases = [
        ("unreachable", TrapCode::UnreachableCodeReached),
        ("div_by_zero", TrapCode::IntegerDivisionByZero),
        ("rem_by_zero", TrapCode::IntegerDivisionByZero),
        ("div_overflow", TrapCode::IntegerOverflow),
        ("bad_conversion", TrapCode::BadConversionToInteger),
        ("conversion_overflow", TrapCode::IntegerOverflow),
        ("load_out_of_bounds", TrapCode::MemoryOutOfBounds),
        ("load_across_the_end", TrapCode::MemoryOutOfBounds),
        ("load_wrapping_offset", TrapCode::MemoryOutOfBounds),
        ("load_constant_address", TrapCode::MemoryOutOfBounds),
        ("store_out_of_bounds", TrapCode::MemoryOutOfBounds),
        ("store_across_the_end", TrapCode::MemoryOutOfBounds),
        ("fill_out_of_bounds", TrapCode::MemoryOutOfBounds),
        ("copy_out_of_bounds", TrapCode::MemoryOutOfBounds),
        ("init_out_of_bounds", TrapCode::MemoryOutOfBounds),
        ("call_null", TrapCode::IndirectCallToNull),
        ("call_wrong_signature", TrapCode::BadSignature),
        ("call_out_of_bounds", TrapCode::TableOutOfBounds),
        ("tail_call_null", TrapCode::IndirectCallToNull),
        ("table_get_out_of_bounds", TrapCode::TableOutOfBounds),
        ("table_set_out_of_bounds", TrapCode::TableOutOfBounds),
        ("table_init_out_of_bounds", TrapCode::TableOutOfBounds),
    ];
    let (_registry, plugin) = alone("misbehaving/traps", granted())?;
    same("cases", plugin.functions().count(), cases.len() + 1)?;
    for (count, (function, code)) in (1..).zip(cases) {
        let trap = error(function, try_call(&plugin, function, &[]))?;
        let text = trap.to_string();
        that(&text, text.contains(function) && text.contains(&code.to_string()))?;
        same(function, (trap.kind(), trap.trap_code()), (ErrorKind::Trap, Some(code)))?;
        same(function, trap.fault(), Fault::Guest)?;
        same(function, call_i32(&plugin, "ping", &[])?, 1)?;
        same(function, plugin.state(), WasmPluginState::Ready)?;
        let stats = plugin.stats();
        same(function, (stats.trap_count, stats.sandboxes_started), (count, count + 1))?;
    }
    Ok(())
}

fn a_trap_is_reported_with_what_led_to_it(_: &mut dyn Device) -> Result {
    let (_registry, plugin) = alone("misbehaving/endless_host_loop", granted())?;
    let end = error("log", try_call(&plugin, "log", &[]))?;
    same("last log", end.last_log(), "still here")?;
    let report = some("a report", end.trap_report())?;
    same("kind", report.kind, ErrorKind::OutOfFuel)?;
    same("host calls", report.host_calls.len(), 8)?;
    same("memory", report.memory_bytes, 1 << 16)?;
    same("limit", report.fuel_limit, 1_000_000)?;
    that("the fuel is spent", report.fuel_limit - report.fuel_spent < 200)
}

fn a_denial_is_a_trap_by_choice(_: &mut dyn Device) -> Result {
    let mut config = WasmInstanceConfig { on_denied: DenyPolicy::Trap, ..granted() };
    config.capabilities.can_read_table.clear();
    let (_registry, plugin) = alone("misbehaving/forbidden_table", config)?;
    let denied = error("read", try_call(&plugin, "read", &[]))?;
    same("kind", denied.kind(), ErrorKind::Denied)?;
    same("leaked", call_i32(&plugin, "leaked", &[])?, 0)
}

fn an_answer_that_is_a_lie_is_an_error(_: &mut dyn Device) -> Result {
    let (_registry, plugin) = alone("misbehaving/liar_answers", granted())?;
    for function in ["wild_ptr", "wild_len", "one_beyond", "wrapping", "not_a_status", "lowest"] {
        let lie = error(function, plugin.call_bytes(function, b"x"))?;
        same(function, lie.kind(), ErrorKind::BadGuestAnswer)?;
    }
    plugin.call_bytes("ok", b"x")?;
    Ok(())
}

fn ten_thousand_traps_are_ten_thousand_errors(device: &mut dyn Device) -> Result {
    let (_registry, plugin) = alone("misbehaving/traps", granted())?;
    error("first", try_call(&plugin, "unreachable", &[]))?;
    let before = device.heap();
    for _ in 1..10_000 {
        error("next", try_call(&plugin, "unreachable", &[]))?;
    }
    let live = |heap: crate::HeapUse| heap.live_bytes;
    same("heap", device.heap().map(live), before.map(live))?;
    same("traps", plugin.stats().trap_count, 10_000)
}

fn a_plugin_that_fails_again_and_again_is_left_alone_and_tried_again(
    device: &mut dyn Device,
) -> Result {
    // Without a clock, then with the device's, if it has one.
    let mut registries = vec![registry()?];
    registries.extend(clocked_registry(device).ok());
    for registry in registries {
        let policy = QuarantinePolicy::after(3).backoff_ms(0, 0).backoff_calls(2, 3);
        let config = WasmInstanceConfig { quarantine: Some(policy), ..granted() };
        let plugin = load(&registry, "misbehaving/traps", config)?;
        let fail = || error("div_by_zero", try_call(&plugin, "div_by_zero", &[]));
        for _ in 0..3 {
            same("kind", fail()?.kind(), ErrorKind::Trap)?;
        }
        same("state", plugin.state(), WasmPluginState::Trapped)?;
        for round in 1..=3 {
            let quarantine = some("quarantine", plugin.quarantine())?;
            same("round", (quarantine.round, quarantine.failures), (round, round + 2))?;
            let refused = match quarantine.until {
                QuarantineEnd::AfterCalls(calls) => calls,
                _ => 0,
            };
            for _ in 0..refused {
                let end = error("ping", try_call(&plugin, "ping", &[]))?;
                same("kind", end.kind(), ErrorKind::Quarantined)?;
            }
            if round < 3 {
                same("the trial", fail()?.kind(), ErrorKind::Trap)?;
            }
        }
        same("the trial", call_i32(&plugin, "ping", &[])?, 1)?;
        same("quarantine", plugin.quarantine(), None)?;
    }
    Ok(())
}
