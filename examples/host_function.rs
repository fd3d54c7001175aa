//! A function of the embedder's own: plugins read a thermometer, if they are granted it, for a price.
//!
//! `cargo run --release --example host_function`

use wasm_runtime::{
    CallOptions, EmbeddedHost, ErrorKind, Grant, HostCall, HostCost, HostError, HostFunctionTable,
    WasmInstanceConfig, WasmPluginRegistry, WasmValue,
};

/// Degrees Celsius in each room.
const ROOMS: [f64; 4] = [21.5, 19.0, 23.5, 18.0];

/// Averages the temperatures of the first `rooms` rooms.
const PLUGIN: &str = r#"(module
    (import "house" "celsius" (func $celsius (param i32) (result f64)))
    (func (export "average") (param $rooms i32) (result f64)
        (local $room i32) (local $sum f64)
        (loop $next
            (local.set $sum (f64.add (local.get $sum) (call $celsius (local.get $room))))
            (local.set $room (i32.add (local.get $room) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $room) (local.get $rooms))))
        (f64.div (local.get $sum) (f64.convert_i32_u (local.get $rooms)))))"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut table = HostFunctionTable::<EmbeddedHost>::new();
    // Each reading costs the plugin 5,000 fuel, because a real sensor is slow.
    let cost = HostCost { base: 5_000, ..HostCost::default() };
    table.define(
        "house",
        "celsius",
        Grant::Custom("thermometer"),
        cost,
        |call: &mut HostCall<'_, EmbeddedHost>, room: u32| -> Result<f64, HostError> {
            println!("  {} reads room {room}", call.plugin());
            ROOMS.get(room as usize).copied().ok_or(HostError::Abort("there is no such room"))
        },
    )?;
    let registry = WasmPluginRegistry::builder().functions(table).build()?;
    let wasm = wat::parse_str(PLUGIN)?;

    println!("granted:");
    let granted =
        WasmInstanceConfig { custom_grants: vec!["thermometer".into()], ..Default::default() };
    registry.load("climate", &wasm, granted)?;
    let plugin = registry.get("climate").ok_or("not loaded")?;
    let average = plugin.call("average", &[WasmValue::I32(4)])?;
    let fuel = plugin.stats().total_fuel_consumed;
    println!("  average {average:?}, for {fuel} fuel");
    assert_eq!(*average, [WasmValue::F64(20.5)]);
    assert!((20_000..21_000).contains(&fuel));

    println!("the host stops what makes no sense:");
    let error = plugin.call("average", &[WasmValue::I32(5)]).err().ok_or("a fifth room")?;
    println!("  {error}");
    assert_eq!(error.kind(), ErrorKind::Host);

    println!("readings end with the fuel:");
    let options = CallOptions { fuel: Some(12_000), ..CallOptions::default() };
    let error = plugin.call_with("average", &[WasmValue::I32(4)], options);
    let error = error.err().ok_or("for nothing")?;
    println!("  {error}");
    assert_eq!(error.kind(), ErrorKind::OutOfFuel);

    println!("not granted:");
    registry.load("denied", &wasm, WasmInstanceConfig::default())?;
    let error = registry.call("denied", "average", &[WasmValue::I32(4)]);
    let error = error.err().ok_or("not denied")?;
    println!("  {error}");
    assert_eq!(error.kind(), ErrorKind::Denied);
    Ok(())
}
