//! The fourth tenant: every misbehaving module of the fixtures, called with all sorts of arguments.

use crate::{FIXTURES, Outcome, check, tenants::SECRET};
use std::{collections::BTreeMap, fs, path::Path};
use wasm_runtime::{Error, ValueType, WasmInstanceConfig, WasmPluginRegistry, WasmValue};

pub const TENANT: &str = "stranger";

/// How each module failed, by its name.
pub type Failures = BTreeMap<String, Failed>;

/// How a module failed.
pub enum Failed {
    /// It was not loaded.
    AtLoad(Error),
    /// So many of its calls failed in these ways: trap codes, or kinds of error.
    InCalls(BTreeMap<String, u64>),
}

/// Loads and calls the modules one after the other, and runs `after_each` after each of their functions.
pub fn misbehave(
    registry: &WasmPluginRegistry,
    mut after_each: impl FnMut() -> Outcome,
) -> Outcome<Failures> {
    let mut failures = Failures::new();
    for (name, wasm) in modules()? {
        let config = WasmInstanceConfig { tenant: TENANT.into(), ..WasmInstanceConfig::default() };
        let failed = match registry.load(&name, &wasm, config) {
            Ok(()) => Failed::InCalls(call_everything(registry, &name, &mut after_each)?),
            Err(error) => Failed::AtLoad(error),
        };
        after_each()?;
        failures.insert(name, failed);
    }
    check(!failures.is_empty(), "the gallery was tried")?;
    Ok(failures)
}

/// Every misbehaving module, and the one that hands any arguments to the host functions.
fn modules() -> Outcome<Vec<(String, Vec<u8>)>> {
    let mut paths = vec![Path::new(FIXTURES).join("abi_probe.wasm")];
    for entry in fs::read_dir(Path::new(FIXTURES).join("misbehaving"))? {
        paths.push(entry?.path());
    }
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| Ok((name(path), fs::read(path)?))).collect()
}

fn call_everything(
    registry: &WasmPluginRegistry,
    name: &str,
    after_each: &mut impl FnMut() -> Outcome,
) -> Outcome<BTreeMap<String, u64>> {
    let mut failed = BTreeMap::new();
    let mut note = |error: Error| {
        let kind = error.trap_code().map_or(format!("{:?}", error.kind()), |c| format!("{c:?}"));
        *failed.entry(kind).or_default() += 1;
    };
    let plugin = registry.get(name).ok_or("a loaded plugin cannot be found")?;
    for function in plugin.functions() {
        let (params, _) = plugin.signature(function).unwrap_or_default();
        // A lone parameter may choose a case, as in `wild_pointers`: try them all.
        let cases = if params.len() == 1 { 0..64 } else { 0..2 };
        for value in cases.chain([-1, i32::MIN, i32::MAX]) {
            let args: Vec<_> = params.iter().map(|param| argument(*param, value)).collect();
            plugin.call(function, &args).err().into_iter().for_each(&mut note);
        }
        if params.len() == 2 {
            plugin.call_bytes(function, b"input").err().into_iter().for_each(&mut note);
        }
        after_each()?;
    }
    Ok(failed)
}

fn argument(param: ValueType, value: i32) -> WasmValue {
    match param {
        ValueType::I64 => WasmValue::I64(value.into()),
        ValueType::F32 => WasmValue::F32(f32::NAN),
        ValueType::F64 => WasmValue::F64(f64::NAN),
        _ => WasmValue::I32(value),
    }
}

/// Checks that nothing leaked, and that nobody went over a limit or disturbed another.
pub fn check_containment(registry: &WasmPluginRegistry) -> Outcome {
    for tenant in ["hydrology", TENANT] {
        let kept = registry.host().get(tenant, "secret", b"key");
        check(kept.as_deref() == Some(SECRET), "the secret is as it was")?;
    }
    let leaked = registry.call("forbidden_table", "leaked", &[])?;
    check(*leaked == [WasmValue::I32(0)], "the secret was not read")?;
    for plugin in registry.list().iter().filter_map(|name| registry.get(name)) {
        let stats = plugin.stats();
        let honest = plugin.tenant() != TENANT;
        check(!honest || stats.trap_count == 0, "honest plugins never trap")?;
        let within = stats.peak_memory_bytes <= plugin.capabilities().memory_limit_bytes;
        check(within, "the memory limit holds")?;
    }
    Ok(())
}
