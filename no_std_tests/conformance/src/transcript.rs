//! What came of every call in every fixture: results, traps and fuel, the same on every target.
//!
//! `transcript.txt` is the record. Not-a-numbers stand there as `nan`: which of them an operator
//! gives is the processor's choice, as the WebAssembly specification allows.

use crate::{
    calls::{Call, calls},
    check::{Result, same, some},
    fixtures::{FIXTURES, Fixture},
    setup::{self, Plugin},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write;
use wasm_runtime::{
    CallOptions, Error, ValueType, WasmInstanceConfig, WasmPluginInstance, WasmPluginRegistry,
    WasmValue,
};

static RECORD: &str = include_str!("transcript.txt");

/// Fuel for a call with zeros or small numbers: some of them never end.
const SHORT_FUEL: u64 = 50_000;
/// Fuel for a call with arguments that mean something.
const LONG_FUEL: u64 = 20_000_000;

/// The whole transcript as this target makes it: what `transcript.txt` is to be.
pub fn transcript() -> String {
    let mut text = String::new();
    for fixture in FIXTURES {
        let _ = writeln!(text, "# {}", fixture.name);
        match lines(fixture) {
            Ok(lines) => lines.iter().for_each(|line| text.extend([line, "\n"])),
            Err(failure) => text.push_str(&format!("{failure}\n")),
        }
    }
    text
}

/// Runs a fixture and compares what comes of it with the record, line by line.
pub fn check(fixture: &Fixture) -> Result {
    let section = RECORD.split("# ").find_map(|section| {
        section.strip_prefix(fixture.name).and_then(|rest| rest.strip_prefix('\n'))
    });
    let recorded: Vec<&str> = some("a section of the record", section)?.lines().collect();
    let found = lines(fixture)?;
    for (found, recorded) in found.iter().zip(&recorded) {
        same("recorded otherwise", found.as_str(), recorded)?;
    }
    same("lines", found.len(), recorded.len())
}

fn lines(fixture: &Fixture) -> Result<Vec<String>> {
    let registry = setup::registry()?;
    if fixture.name != "echo" {
        setup::load(&registry, "echo", setup::granted())?;
    }
    let mut lines = Vec::new();
    let Some(plugin) = load(&registry, fixture, &mut lines)? else {
        return Ok(lines);
    };
    for function in plugin.functions() {
        for first in [0, 1] {
            lines.push(numbered_call(&plugin, function, first));
        }
    }
    for call in calls(fixture.name) {
        lines.push(chosen_call(&plugin, call));
    }
    let stats = plugin.stats();
    lines.push(format!(
        "calls {}, traps {}, host calls {}, denied {}, sandboxes {}, memory {}",
        stats.total_calls,
        stats.trap_count,
        stats.host_calls,
        stats.denied_host_calls,
        stats.sandboxes_started,
        stats.peak_memory_bytes,
    ));
    Ok(lines)
}

/// Loads the fixture and adds a line about it; nothing if it is refused.
fn load(
    registry: &WasmPluginRegistry,
    fixture: &Fixture,
    lines: &mut Vec<String>,
) -> Result<Option<Plugin>> {
    let config: WasmInstanceConfig = setup::with_fuel(LONG_FUEL);
    if let Err(error) = registry.load(fixture.name, fixture.wasm, config) {
        lines.push(format!("load ! {}", outcome(&error)));
        return Ok(None);
    }
    let plugin = some("the plugin", registry.get(fixture.name))?;
    let [a, b, c, d, ..] = plugin.module_hash();
    lines.push(format!("load {a:02x}{b:02x}{c:02x}{d:02x}"));
    Ok(Some(plugin))
}

/// Calls a function with `first`, and numbers counting up from it.
fn numbered_call(plugin: &WasmPluginInstance, function: &str, first: u8) -> String {
    let params = plugin.signature(function).map_or(&[][..], |(params, _)| params);
    let args: Vec<_> =
        (first..).zip(params).map(|(number, ty)| value(*ty, number * first)).collect();
    let options = CallOptions { fuel: Some(SHORT_FUEL), ..CallOptions::default() };
    let before = plugin.stats().total_fuel_consumed;
    let result = plugin.call_with(function, &args, options);
    line(plugin, function, &args, result.as_deref(), before)
}

fn value(ty: ValueType, number: u8) -> WasmValue {
    match ty {
        ValueType::I64 => WasmValue::I64(number.into()),
        ValueType::F32 => WasmValue::F32(number.into()),
        ValueType::F64 => WasmValue::F64(number.into()),
        ValueType::ExternRef => WasmValue::ExternRef(number.into()),
        _ => WasmValue::I32(number.into()),
    }
}

fn chosen_call(plugin: &WasmPluginInstance, call: &Call) -> String {
    let before = plugin.stats().total_fuel_consumed;
    match call {
        Call::Values(function, args) => {
            line(plugin, function, args, plugin.call(function, args).as_deref(), before)
        }
        Call::Bytes(function, input) => {
            let answer = plugin.call_bytes(function, input);
            let fuel = plugin.stats().total_fuel_consumed - before;
            let input = input.escape_ascii();
            match answer {
                Ok(answer) => {
                    format!("{function} \"{input}\" = \"{}\", fuel {fuel}", answer.escape_ascii())
                }
                Err(error) => format!("{function} \"{input}\" ! {}, fuel {fuel}", outcome(&error)),
            }
        }
    }
}

fn line(
    plugin: &WasmPluginInstance,
    function: &str,
    args: &[WasmValue],
    result: core::result::Result<&[WasmValue], &Error>,
    fuel_before: u64,
) -> String {
    let mut line = String::from(function);
    let _ = write!(line, "({})", values(args));
    let _ = match result {
        Ok(results) => write!(line, " = {}", values(results)),
        Err(error) => write!(line, " ! {}", outcome(error)),
    };
    let _ = write!(line, ", fuel {}", plugin.stats().total_fuel_consumed - fuel_before);
    line
}

fn outcome(error: &Error) -> String {
    match (error.trap_code(), error.guest_status()) {
        (Some(code), _) => format!("{:?} {code:?}", error.kind()),
        (_, Some(status)) => format!("{:?} {status}", error.kind()),
        _ => format!("{:?}", error.kind()),
    }
}

/// Values with their types; floats by their bits, which no printing rounds.
fn values(values: &[WasmValue]) -> String {
    let text = |value: &WasmValue| match *value {
        WasmValue::I32(x) => format!("i32 {x}"),
        WasmValue::I64(x) => format!("i64 {x}"),
        WasmValue::F32(x) if x.is_nan() => "f32 nan".to_string(),
        WasmValue::F64(x) if x.is_nan() => "f64 nan".to_string(),
        WasmValue::F32(x) => format!("f32 {:#010x}", x.to_bits()),
        WasmValue::F64(x) => format!("f64 {:#018x}", x.to_bits()),
        WasmValue::ExternRef(x) => format!("externref {x}"),
    };
    values.iter().map(text).collect::<Vec<_>>().join(", ")
}
