//! A plugin's code: compiled, perhaps shared with others, and linked to the host functions it imports.

use super::{
    compiled::{Compiled, Exports},
    inspect::inspect,
    limits::CallLimits,
    link::HostBody,
    rewrite::START_EXPORT,
    shape::{Shape, Signature},
    sharing::{Held, SharedCode, exports},
    weight::{Shared, Weight},
};
use crate::{
    CallOptions, CodeSharing, Error, ErrorKind, WasmInstanceConfig,
    host::{FunctionSpec, Host, HostFunctions},
    ledger::Account,
    schedule::MAX_WHOLE_FUEL,
    sync::Arc,
    value::TypeList,
};
use alloc::{boxed::Box, format, vec::Vec};

/// A compiled module and what it is linked to: all that its sandboxes share.
pub(crate) struct Code<H: Host> {
    pub(super) compiled: Held,
    /// What it takes of the heap.
    pub(super) weight: Shared,
    linked: Linked<H>,
}

/// What a plugin's code is made from.
pub(crate) struct Source<'a, H: Host> {
    pub(crate) wasm: &'a [u8],
    /// The SHA-256 of that.
    pub(crate) hash: &'a [u8; 32],
    pub(crate) config: &'a WasmInstanceConfig,
    pub(crate) table: &'a HostFunctions<H>,
    /// Whether each host call goes to the audit ring.
    pub(crate) audited: bool,
    /// Pays for it as long as it is there, and before anything of it is compiled.
    pub(crate) account: &'a Arc<Account>,
    /// The code that there is to share.
    pub(crate) shared: &'a SharedCode,
}

/// What a module's imports are.
struct Linked<H: Host> {
    /// The functions, one for each import, in its order.
    functions: Vec<(HostBody<H>, FunctionSpec)>,
    /// For each function of the registry's table, whether it is imported.
    imports: Box<[bool]>,
}

impl<H: Host> Code<H> {
    /// Admits, compiles and links a module, or links code that is there to share. Returns what it exports,
    /// too.
    pub(crate) fn compile(source: &Source<'_, H>) -> Result<(Self, Exports), Error> {
        let Source { wasm, hash, config, table, audited, account, shared } = *source;
        let key = SharedCode::key(hash, config);
        let found = key.as_ref().and_then(|key| shared.find(key));
        let payer = found.is_none().then(|| payer(account, config));
        let mut weight = Weight::new(account, payer, config, table.len())?;
        let shape = inspect(wasm, config, &mut weight)?;
        let linked = link(&shape, config, table, audited)?;
        let mut compiled = match found {
            Some(compiled) => compiled,
            None => {
                let compiled = Compiled::new(wasm, config, &shape, &mut weight)?;
                shared.keep(key, compiled)
            }
        };
        let exports = exports(&mut compiled);
        let weight = weight.share(compiled.paid().clone());
        Ok((Self { compiled, weight, linked }, exports))
    }

    /// What a call that the host makes, and does not pause, may use.
    pub(crate) fn limits(&self, config: &WasmInstanceConfig, options: &CallOptions) -> CallLimits {
        let limits = CallLimits::new(config, options);
        let is_short = limits.timeout_us == 0 && limits.fuel <= MAX_WHOLE_FUEL;
        CallLimits { whole: is_short && !self.compiled.care.leaks_stack, ..limits }
    }

    /// Whether a host call in it can be suspended and gone on with.
    ///
    /// wasmi 2.0.0 puts what a host function answers in the wrong place if it was called last and has
    /// to be resumed. A direct call of that kind is rewritten; of an indirect one it is not known.
    pub(super) fn can_suspend(&self) -> bool {
        !self.compiled.care.tail_calls_unknown
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

/// Whose account pays for the code: what belongs to all is the registry's.
fn payer<'a>(account: &'a Arc<Account>, config: &WasmInstanceConfig) -> &'a Arc<Account> {
    match config.code_sharing {
        CodeSharing::Own | CodeSharing::Tenant => account,
        CodeSharing::Registry => account.above().unwrap_or(account),
    }
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
            index: index as u32,
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
