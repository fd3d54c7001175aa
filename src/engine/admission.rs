//! Puts together what a module asks for and brings.

use super::{
    code::{Code, Source, position, refusals, refused_import},
    compiled::exported_functions,
    inspect::inspect,
    interpreter::validate,
    proposals,
    shape::Shape,
    sharing::SharedCode,
    weight::Weight,
};
use crate::{
    AdmissionReport, AdmittedFunction, AdmittedImport, WasmInstanceConfig,
    host::{Host, HostFunctions},
    ledger::Account,
    report,
    sync::Arc,
};
use alloc::{format, string::ToString, vec::Vec};

/// Says what `wasm` asks for and brings. Runs nothing of it.
pub(crate) fn admission<H: Host>(
    wasm: &[u8],
    config: &WasmInstanceConfig,
    table: &HostFunctions<H>,
    has_clock: bool,
) -> AdmissionReport {
    let mut refused = Vec::new();
    refused.extend(report::check_config(config, has_clock).err());
    refused.extend(report::check_hash(&report::hash(wasm), config).err());
    // Of nobody: what is only looked at takes nothing of a quota.
    let account = Arc::new(Account::new("", None));
    let weight = Weight::new(&account, Some(&account), config, table.len());
    let shape = weight.and_then(|mut weight| inspect(wasm, config, &mut weight));
    let shape = shape.unwrap_or_else(|error| {
        refused.push(error);
        Shape::default()
    });
    if refused.is_empty() {
        refused.extend(refusals(&shape, table));
        refused.extend(validate(wasm, config).err());
    }
    if refused.is_empty() {
        // What is valid may still be too large for the interpreter.
        let (hash, shared) = (report::hash(wasm), SharedCode::default());
        let source = Source {
            wasm,
            hash: &hash,
            config,
            table,
            audited: false,
            account: &account,
            shared: &shared,
        };
        refused.extend(Code::compile(&source).err());
    }
    let mut proposals = shape.type_proposals.clone();
    if refused.is_empty() {
        refused.extend(proposals::add_from_code(wasm, &mut proposals).err());
    }
    AdmissionReport {
        module_hash: report::hash(wasm),
        module_bytes: wasm.len() as u64,
        imports: imports(&shape, config, table),
        functions: functions(&shape),
        initial_memory_bytes: shape.initial_memory_bytes,
        max_memory_bytes: shape.max_memory_bytes,
        initial_table_elements: shape.initial_table_elements,
        max_table_elements: shape.max_table_elements,
        has_start: shape.start.is_some(),
        proposals,
        warnings: warnings(&shape, config, table),
        refusals: refused,
    }
}

fn imports<H: Host>(
    shape: &Shape,
    config: &WasmInstanceConfig,
    table: &HostFunctions<H>,
) -> Vec<AdmittedImport> {
    let import = |import: &super::shape::Import| {
        let defined = position(table, &import.module, &import.name).and_then(|at| table.get(at));
        AdmittedImport {
            module: import.module.clone(),
            name: import.name.clone(),
            is_defined: refused_import(shape, import, table).is_none(),
            is_granted: defined.is_some_and(|function| function.grant.is_possible(config)),
        }
    };
    shape.imports.iter().map(import).collect()
}

fn functions(shape: &Shape) -> Vec<AdmittedFunction> {
    let functions = exported_functions(shape).into_iter();
    functions
        .map(|function| AdmittedFunction {
            name: function.name.to_string(),
            params: function.params.into_vec(),
            results: function.results.into_vec(),
        })
        .collect()
}

fn warnings<H: Host>(
    shape: &Shape,
    config: &WasmInstanceConfig,
    table: &HostFunctions<H>,
) -> Vec<alloc::string::String> {
    let mut warnings = Vec::new();
    let has_memory = shape
        .exports
        .iter()
        .any(|export| export.name == "memory" && export.kind == wasmparser::ExternalKind::Memory);
    if !shape.imports.is_empty() && !has_memory {
        warnings.push(
            "it exports no memory `memory`: every host function that takes a pointer answers -3"
                .to_string(),
        );
    }
    for import in imports(shape, config, table).iter().filter(|i| i.is_defined && !i.is_granted) {
        let (module, name) = (&import.module, &import.name);
        warnings.push(format!("`{module}` `{name}` is denied: the configuration holds no grant"));
    }
    warnings
}
