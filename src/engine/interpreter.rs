//! The interpreter as it is set up for one plugin.

use super::{costs, shape::invalid};
use crate::{CodeSharing, Error, ErrorKind, WasmInstanceConfig};
use alloc::format;
use wasmi::{CompilationMode, Config, Engine, Module};

/// Checks every function, whatever the configuration compiles when.
pub(super) fn validate(wasm: &[u8], config: &WasmInstanceConfig) -> Result<(), Error> {
    let engine = engine(config, CompilationMode::LazyTranslation);
    // Not by `Module::validate`: it brings a validator of its own, eleven kilobytes of it.
    translate(&engine, wasm).map(drop)
}

/// Compiles a module. What fails is invalid, or too large for the interpreter's code.
pub(super) fn translate(engine: &Engine, wasm: &[u8]) -> Result<Module, Error> {
    use wasmi::errors::ErrorKind as Kind;
    Module::new(engine, wasm).map_err(|error| match error.kind() {
        Kind::Translation(_) | Kind::ImplementationLimits(_) | Kind::Ir(_) => {
            let what = format!("the interpreter cannot compile it: {error}");
            Error::guest(ErrorKind::LimitExceeded, what)
        }
        _ => invalid(&error),
    })
}

/// The most stacks of shared code that are kept for the next call.
const MAX_SHARED_STACKS: usize = 1_024;

/// The interpreter as it is set up for one plugin.
pub(super) fn engine(config: &WasmInstanceConfig, mode: CompilationMode) -> Engine {
    let limits = &config.limits;
    let mut setup = Config::default();
    setup.consume_fuel(config.enable_fuel);
    setup.operator_cost(costs::operators());
    setup.fuel_cost(costs::bytes());
    setup.compilation_mode(mode);
    // Each setter panics where minimum and maximum cross, so the minimum steps aside first.
    setup.set_min_stack_height(0);
    setup.set_max_stack_height(limits.max_stack_bytes);
    setup.set_min_stack_height(limits.min_stack_bytes.min(limits.max_stack_bytes));
    setup.set_max_recursion_depth(limits.max_recursion_depth);
    // One live stack a sandbox; with fewer cached, further ones would be allocated call by call.
    setup.set_max_cached_stacks(match config.code_sharing {
        CodeSharing::Tenant | CodeSharing::Registry if CodeSharing::IS_POSSIBLE => {
            MAX_SHARED_STACKS
        }
        _ => usize::try_from(config.max_instances).unwrap_or(usize::MAX),
    });
    setup.wasm_custom_page_sizes(true);
    setup.ignore_custom_sections(true);
    Engine::new(&setup)
}
