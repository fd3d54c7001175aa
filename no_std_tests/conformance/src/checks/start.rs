//! Start sections run under the limits of a call.

use crate::{
    Device,
    check::{Result, checks, error, same},
    fixtures::wasm,
    setup::{alone, call_i32, granted, registry},
};
use wasm_runtime::{ErrorKind, TrapCode};

checks![
    a_start_section_runs_once_and_has_the_host,
    a_start_section_that_traps_fails_the_load_and_leaves_nothing,
    a_start_section_that_never_ends_runs_out_of_fuel,
];

fn a_start_section_runs_once_and_has_the_host(_: &mut dyn Device) -> Result {
    let (_registry, plugin) = alone("start", granted())?;
    for _ in 0..2 {
        same("value", call_i32(&plugin, "value", &[])?, 42)?;
        same("starts", call_i32(&plugin, "starts", &[])?, 1)?;
    }
    same("config", call_i32(&plugin, "config_status", &[])?, 5)?;
    same("log", call_i32(&plugin, "log_status", &[])?, 0)
}

fn a_start_section_that_traps_fails_the_load_and_leaves_nothing(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let trap = error("load", registry.load("t", wasm("misbehaving/trap_start")?, granted()))?;
    same("code", trap.trap_code(), Some(TrapCode::UnreachableCodeReached))?;
    same("plugins", registry.count(), 0)?;
    registry.load("t", wasm("counter")?, granted())?;
    Ok(())
}

fn a_start_section_that_never_ends_runs_out_of_fuel(_: &mut dyn Device) -> Result {
    let registry = registry()?;
    let end = error("load", registry.load("e", wasm("misbehaving/endless_start")?, granted()))?;
    same("kind", end.kind(), ErrorKind::OutOfFuel)?;
    same("plugins", registry.count(), 0)
}
