//! A deadline ends a call.

use crate::{
    Device,
    check::{Result, checks, error, same, some, that},
    setup::{call_i32, clocked_registry, granted, i32s, load, try_call},
};
use wasm_runtime::ErrorKind;

checks![
    an_endless_guest_is_stopped_at_its_deadline_and_not_before,
    an_endless_host_loop_is_stopped_at_its_deadline,
    a_call_in_pieces_is_stopped_at_its_deadline,
];

const TIMEOUT_MS: u64 = 20;

fn config() -> wasm_runtime::WasmInstanceConfig {
    let mut config = granted();
    config.capabilities.fuel_limit = u64::MAX;
    config.capabilities.timeout_ms = TIMEOUT_MS;
    config
}

fn an_endless_guest_is_stopped_at_its_deadline_and_not_before(device: &mut dyn Device) -> Result {
    let registry = clocked_registry(device)?;
    let now = some("a clock", device.clock())?;
    let plugin = load(&registry, "misbehaving/endless_loop", config())?;
    for function in ["run", "run_with_work", "run_with_calls", "run_with_tail_calls"] {
        let began = now();
        let end = error(function, try_call(&plugin, function, &[]))?;
        same(function, end.kind(), ErrorKind::Deadline)?;
        let took = now() - began;
        that(format_args!("{function} ran for {took} us"), took >= TIMEOUT_MS * 1_000)?;
        same(function, call_i32(&plugin, "ping", &[])?, 1)?;
    }
    Ok(())
}

fn an_endless_host_loop_is_stopped_at_its_deadline(device: &mut dyn Device) -> Result {
    let registry = clocked_registry(device)?;
    let plugin = load(&registry, "misbehaving/endless_host_loop", config())?;
    for function in ["log", "config", "refused"] {
        let end = error(function, try_call(&plugin, function, &[]))?;
        same(function, end.kind(), ErrorKind::Deadline)?;
    }
    Ok(())
}

fn a_call_in_pieces_is_stopped_at_its_deadline(device: &mut dyn Device) -> Result {
    let registry = clocked_registry(device)?;
    let plugin = load(&registry, "kernels", config())?;
    let mut call = plugin.start("spin", &i32s(&[i32::MAX]))?;
    let end = loop {
        if let Err(error) = call.run(10_000) {
            break error;
        }
    };
    same("kind", end.kind(), ErrorKind::Deadline)
}
