//! Says whether plugins may run in this build. `test.sh` builds it with release and debug assertions,
//! where wasmi's tail calls grow the native stack: there it must refuse, not overflow.
//!
//! `dispatch_check refuses` succeeds if loading is refused with `UnsoundDispatch` everywhere;
//! `dispatch_check runs` if a plugin loads and a million turns of a loop leave the stack alone.

use wasm_runtime::{
    Error, ErrorKind, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance,
    WasmPluginRegistry, WasmValue,
};

static KERNELS: &[u8] = include_bytes!("../../fixtures/wasm/kernels.wasm");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("refuses") => refuses(),
        Some("runs") => runs(),
        _ => Err("usage: dispatch_check refuses|runs".into()),
    }
}

fn refuses() -> Result<(), Box<dyn std::error::Error>> {
    let built = WasmPluginRegistry::builder().build().map(|_| ());
    let loaded = WasmPluginRegistry::new().load("kernels", KERNELS, config());
    let alone = WasmPluginInstance::new("kernels", KERNELS, config()).map(|_| ());
    for (what, result) in [("build", built), ("load", loaded), ("new", alone)] {
        let kind = result.as_ref().err().map(Error::kind);
        println!("{what}: {}", result.map_or_else(|error| error.to_string(), |()| "works".into()));
        if kind != Some(ErrorKind::UnsoundDispatch) {
            return Err(format!("{what}: expected UnsoundDispatch, found {kind:?}").into());
        }
    }
    Ok(())
}

fn runs() -> Result<(), Box<dyn std::error::Error>> {
    let registry = WasmPluginRegistry::builder().build()?;
    registry.load("kernels", KERNELS, config())?;
    registry.call("kernels", "spin", &[WasmValue::I32(1_000_000)])?;
    let primes = registry.call("kernels", "sieve", &[WasmValue::I32(1_000_000)])?;
    println!("there are {primes:?} primes below a million");
    match *primes == [WasmValue::I32(78_498)] {
        true => Ok(()),
        false => Err("a wrong number of primes".into()),
    }
}

fn config() -> WasmInstanceConfig {
    let capabilities = WasmPluginCapabilities {
        fuel_limit: 1_000_000_000,
        timeout_ms: 0,
        ..WasmPluginCapabilities::default()
    };
    WasmInstanceConfig { capabilities, ..WasmInstanceConfig::default() }
}
