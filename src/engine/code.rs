//! One compiled module, linked to the host functions it imports.

use super::{
    costs,
    inspect::inspect,
    limits::CallLimits,
    link::HostBody,
    rewrite::{START_EXPORT, is_rewritten, rewrite},
    shape::{Care, Shape, Signature, invalid},
    weight::{Shared, Weight},
};
use crate::{
    CallOptions, Compilation, Error, ErrorKind, ValueType, WasmInstanceConfig,
    host::{FunctionSpec, Host, HostFunctions},
    ledger::Account,
    schedule::MAX_WHOLE_FUEL,
    sync::Arc,
    value::TypeList,
};
use alloc::{borrow::Cow, boxed::Box, collections::BinaryHeap, format, vec::Vec};
use wasmi::{CompilationMode, Config, Engine, Module};

/// A compiled module and what it is linked to: all that its sandboxes share.
///
/// It has an engine of its own: wasmi's engine never frees a module, and its code is behind one
/// lock. Dropping this gives everything back.
pub(crate) struct Code<H: Host> {
    pub(super) engine: Engine,
    pub(super) module: Module,
    pub(super) has_start: bool,
    care: Care,
    /// What it takes of the heap.
    pub(super) weight: Shared,
    linked: Linked<H>,
}

/// What a module's imports are.
struct Linked<H: Host> {
    /// The functions, one for each import, in its order.
    functions: Vec<(HostBody<H>, FunctionSpec)>,
    /// For each function of the registry's table, whether it is imported.
    imports: Box<[bool]>,
}

/// The functions that a plugin exports, sorted by name.
pub(crate) type Exports = Box<[ExportedFunction]>;

/// A function that a plugin exports.
#[derive(Debug, Clone)]
pub(crate) struct ExportedFunction {
    pub(crate) name: Box<str>,
    pub(crate) params: Box<[ValueType]>,
    pub(crate) results: Box<[ValueType]>,
    /// What the name section calls it, if that is another name.
    pub(crate) debug_name: Option<Box<str>>,
}

impl<H: Host> Code<H> {
    /// Admits, compiles and links `wasm`; `audited` if each host call goes to the audit ring. The account
    /// pays for it as long as it is there, and before anything of it is compiled. Returns what it exports,
    /// too.
    pub(crate) fn compile(
        wasm: &[u8],
        config: &WasmInstanceConfig,
        table: &HostFunctions<H>,
        audited: bool,
        account: &Arc<Account>,
    ) -> Result<(Self, Exports), Error> {
        let mut weight = Weight::new(account, config, table.len())?;
        let shape = inspect(wasm, config, &mut weight)?;
        if is_rewritten(&shape) {
            weight.rewrite(wasm.len())?;
        }
        let engine = Engine::new(&engine_config(config));
        let linked = link(&shape, config, table, audited)?;
        let given = wasm;
        let wasm = rewrite(given, &shape)?;
        if matches!(wasm, Cow::Owned(_)) {
            // What is rewritten may be valid where the module is not.
            validate(given, config)?;
        }
        let module = translate(&engine, &wasm)?;
        let code = Self {
            engine,
            module,
            has_start: shape.start.is_some(),
            care: shape.care,
            weight: weight.share(),
            linked,
        };
        Ok((code, exported_functions(&shape).into()))
    }

    /// What a call that the host makes, and does not pause, may use.
    pub(crate) fn limits(&self, config: &WasmInstanceConfig, options: &CallOptions) -> CallLimits {
        let limits = CallLimits::new(config, options);
        let is_short = limits.timeout_us == 0 && limits.fuel <= MAX_WHOLE_FUEL;
        CallLimits { whole: is_short && !self.care.leaks_stack, ..limits }
    }

    /// Whether a host call in it can be suspended and gone on with.
    ///
    /// wasmi 2.0.0 puts what a host function answers in the wrong place if it was called last and has
    /// to be resumed. A direct call of that kind is rewritten; of an indirect one it is not known.
    pub(super) fn can_suspend(&self) -> bool {
        !self.care.tail_calls_unknown
    }

    /// The functions that it imports, one for each import, in its order.
    pub(super) fn linked(&self) -> &[(HostBody<H>, FunctionSpec)] {
        &self.linked.functions
    }

    /// For each function of the registry's table, whether it imports it.
    pub(crate) fn imports(&self) -> &[bool] {
        &self.linked.imports
    }
}

/// Checks every function, whatever the configuration compiles when.
pub(super) fn validate(wasm: &[u8], config: &WasmInstanceConfig) -> Result<(), Error> {
    let mut engine = engine_config(config);
    engine.compilation_mode(CompilationMode::LazyTranslation);
    // Not by `Module::validate`: it brings a validator of its own, eleven kilobytes of it.
    translate(&Engine::new(&engine), wasm).map(drop)
}

/// Everything about a module's imports and exports that makes it impossible to load.
pub(super) fn refusals<H: Host>(
    shape: &Shape,
    table: &HostFunctions<H>,
) -> impl Iterator<Item = Error> {
    let imports = shape.imports.iter().filter_map(|import| refused_import(shape, import, table));
    imports.chain(reserved_export(shape))
}

fn reserved_export(shape: &Shape) -> Option<Error> {
    shape.exports.iter().find(|export| export.name == START_EXPORT)?;
    let what = format!("it exports `{START_EXPORT}`, a name that is reserved");
    Some(Error::guest(ErrorKind::Refused, what))
}

pub(super) fn refused_import<H: Host>(
    shape: &Shape,
    import: &super::shape::Import,
    table: &HostFunctions<H>,
) -> Option<Error> {
    let (module, name) = (&import.module, &import.name);
    let Some(index) = position(table, module, name) else {
        let what = format!("it imports `{module}` `{name}`, which this host does not have");
        return Some(Error::guest(ErrorKind::Refused, what));
    };
    let body = &table.get(index)?.body;
    let Signature { params, results } = shape.type_at(import.type_index)?;
    if **params == *body.params() && **results == *body.results() {
        return None;
    }
    let what = format!(
        "it imports `{module}` `{name}` as {} -> {}; the host's is {} -> {}",
        TypeList(params),
        TypeList(results),
        TypeList(body.params()),
        TypeList(body.results()),
    );
    Some(Error::guest(ErrorKind::Refused, what))
}

/// Where in the table a function is.
pub(super) fn position<H: Host>(
    table: &HostFunctions<H>,
    module: &str,
    name: &str,
) -> Option<usize> {
    table.iter().position(|function| &*function.module == module && &*function.name == name)
}

fn link<H: Host>(
    shape: &Shape,
    config: &WasmInstanceConfig,
    table: &HostFunctions<H>,
    audited: bool,
) -> Result<Linked<H>, Error> {
    let mut functions = Vec::with_capacity(shape.imports.len());
    let mut imports: Box<[bool]> = table.iter().map(|_| false).collect();
    for import in &shape.imports {
        if let Some(refusal) = refused_import(shape, import, table) {
            return Err(refusal);
        }
        let index = position(table, &import.module, &import.name);
        let found = index.and_then(|at| Some((at, table.get(at)?, imports.get_mut(at)?)));
        let Some((index, function, is_imported)) = found else {
            continue;
        };
        *is_imported = true;
        let spec = FunctionSpec {
            index,
            cost: function.cost,
            metered: config.enable_fuel,
            granted: function.checks_grant || function.grant.is_possible(config),
            audited,
        };
        functions.push((Arc::clone(&function.body), spec));
    }
    match reserved_export(shape) {
        Some(refusal) => Err(refusal),
        None => Ok(Linked { functions, imports }),
    }
}

pub(super) fn exported_functions(shape: &Shape) -> Vec<ExportedFunction> {
    let exports = shape.exports.iter().enumerate().filter(|(_, export)| export.is_function());
    // By a heap: `sort` is three kilobytes of code for each type that it sorts.
    let sorted: BinaryHeap<_> = exports.map(|(at, export)| (&*export.name, at)).collect();
    let mut functions = Vec::with_capacity(sorted.len());
    for (name, at) in sorted.into_sorted_vec() {
        let export = shape.exports.get(at);
        let signature = export.and_then(|export| shape.signature(export.index));
        if let (Some(export), Some(Signature { params, results })) = (export, signature.cloned()) {
            let debug_name = export.debug_name.clone();
            functions.push(ExportedFunction { name: name.into(), params, results, debug_name });
        }
    }
    functions
}

/// Compiles a module. What fails is invalid, or too large for the interpreter's code.
fn translate(engine: &Engine, wasm: &[u8]) -> Result<Module, Error> {
    use wasmi::errors::ErrorKind as Kind;
    Module::new(engine, wasm).map_err(|error| match error.kind() {
        Kind::Translation(_) | Kind::ImplementationLimits(_) | Kind::Ir(_) => {
            let what = format!("the interpreter cannot compile it: {error}");
            Error::guest(ErrorKind::LimitExceeded, what)
        }
        _ => invalid(&error),
    })
}

/// How the interpreter is set up for one plugin.
pub(super) fn engine_config(config: &WasmInstanceConfig) -> Config {
    let limits = &config.limits;
    let mut engine = Config::default();
    engine.consume_fuel(config.enable_fuel);
    engine.operator_cost(costs::operators());
    engine.fuel_cost(costs::bytes());
    engine.compilation_mode(match config.compilation {
        Compilation::Eager => CompilationMode::Eager,
        Compilation::Lazy => CompilationMode::Lazy,
    });
    // Each setter panics where minimum and maximum cross, so the minimum steps aside first.
    engine.set_min_stack_height(0);
    engine.set_max_stack_height(limits.max_stack_bytes);
    engine.set_min_stack_height(limits.min_stack_bytes.min(limits.max_stack_bytes));
    engine.set_max_recursion_depth(limits.max_recursion_depth);
    // One live stack a sandbox; with fewer cached, further ones would be allocated call by call.
    engine.set_max_cached_stacks(usize::try_from(config.max_instances).unwrap_or(usize::MAX));
    engine.wasm_custom_page_sizes(true);
    engine.ignore_custom_sections(true);
    engine
}
