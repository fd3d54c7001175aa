//! One plugin with one host function through the registry: SHA-256, fuel, limits, no clock.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicI32, Ordering::Relaxed};
use minimal_board::{Board, entry, fail, hprintln};
use wasm_runtime::{
    AuditLevel, Error, ErrorKind, Grant, Host, HostCall, HostCost, HostError, HostFunctionTable,
    ModuleLimits, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry, WasmValue,
};

const PLUGIN: &[u8] = include_bytes!("../../../../fixtures/wasm/sensor.wasm");
const SHA_256: [u8; 32] = [
    0x03, 0xf7, 0x74, 0x4f, 0xab, 0x59, 0x48, 0xaf, 0x68, 0xb8, 0x68, 0x5b, 0xaa, 0x2a, 0xc4, 0xca,
    0x92, 0xb7, 0xf2, 0x55, 0x61, 0xb9, 0xf7, 0x19, 0x84, 0x33, 0xfe, 0xcb, 0x65, 0x8c, 0x4c, 0x42,
];
const FUEL: u64 = 20_000;

/// What the host function works on.
struct Sensors {
    readings: AtomicI32,
}

impl Host for Sensors {}

#[entry]
fn main() -> ! {
    let board = Board::start();
    match run(&board) {
        Ok(true) => board.finish(),
        Ok(false) => fail(),
        Err(error) => {
            hprintln!("{}", error);
            fail()
        }
    }
}

fn run(board: &Board) -> Result<bool, Error> {
    let registry = registry()?;
    board.heap("registry");
    let wrong = WasmInstanceConfig { expected_sha256: Some([0; 32]), ..config() };
    let refused = registry.load("sensor", PLUGIN, wrong).err().map(|error| error.kind());
    registry.load("sensor", PLUGIN, config())?;
    board.heap("plugin");
    let args = [WasmValue::I32(7), WasmValue::I32(16)];
    let mean = registry.call("sensor", "average", &args)?;
    board.heap("call");
    let grown = registry.call("sensor", "grow", &[WasmValue::I32(1)])?;
    let endless = registry.call("sensor", "forever", &[]);
    let stop = endless.err().map(|error| error.kind());
    Ok(check(refused == Some(ErrorKind::HashMismatch), "another SHA-256 is refused")
        & check(mean.first() == Some(&WasmValue::I32(707)), "the mean is right")
        & check(grown.first() == Some(&WasmValue::I32(-1)), "memory does not grow")
        & check(stop == Some(ErrorKind::OutOfFuel), "an endless loop runs out of fuel"))
}

fn registry() -> Result<WasmPluginRegistry<Sensors>, Error> {
    let mut functions = HostFunctionTable::<Sensors, 1>::empty();
    functions.define("env", "read", Grant::Always, HostCost::default(), read)?;
    WasmPluginRegistry::builder()
        .host(Sensors { readings: AtomicI32::new(0) })
        .functions(functions)
        .audit(AuditLevel::Off)
        .build()
}

/// The host function: a reading of a sensor.
fn read(call: &mut HostCall<'_, Sensors>, channel: i32) -> Result<i32, HostError> {
    let readings = call.host().readings.fetch_add(1, Relaxed).wrapping_add(1);
    Ok(channel.wrapping_mul(100).wrapping_add(readings % 16))
}

fn config() -> WasmInstanceConfig {
    WasmInstanceConfig {
        capabilities: WasmPluginCapabilities {
            memory_limit_bytes: 2 << 10,
            fuel_limit: FUEL,
            timeout_ms: 0,
            ..WasmPluginCapabilities::default()
        },
        max_instances: 1,
        expected_sha256: Some(SHA_256),
        limits: ModuleLimits {
            min_stack_bytes: 256,
            max_stack_bytes: 4 << 10,
            max_recursion_depth: 32,
            ..ModuleLimits::default()
        },
        ..WasmInstanceConfig::default()
    }
}

fn check(holds: bool, what: &str) -> bool {
    hprintln!("{} {}", if holds { "ok" } else { "FAILED" }, what);
    holds
}
