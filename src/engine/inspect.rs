//! Reads a module's sections and holds them against the limits, before wasmi sees it.

use super::{
    constants,
    names::function_names,
    operators::check_operators,
    shape::{Export, Import, Shape, Signature, Table, invalid, sorted},
    weight::{Body, Weight},
};
use crate::{Error, ErrorKind, ModuleLimits, ValueType, WasmInstanceConfig, text::prefix};
use alloc::{boxed::Box, format, vec::Vec};
use wasmparser::{
    CompositeInnerType, CustomSectionReader, FuncType, Parser, Payload, TableInit, TypeRef, ValType,
};

/// Bytes kept of what the name section calls a function.
const MAX_DEBUG_NAME_BYTES: usize = 128;

/// Reads the sections of `wasm`, each once `weight` has paid for it.
///
/// # Errors
///
/// `InvalidModule` for what is no module, `LimitExceeded` for the first count or size over its
/// limit, `QuotaExceeded` for the ceiling of heap, `Refused` for an import that is no function.
pub(super) fn inspect(
    wasm: &[u8],
    config: &WasmInstanceConfig,
    weight: &mut Weight,
) -> Result<Shape, Error> {
    let limits = &config.limits;
    limit("module bytes", wasm.len() as u64, limits.max_module_bytes, "max_module_bytes")?;
    check_header(wasm)?;
    let may_call = !config.capabilities.can_call_plugin.is_empty();
    let mut reader = Reader { shape: Shape::default(), limits, weight, may_call, has_names: false };
    each_payload(wasm, &mut |payload| reader.section(payload))?;
    let mut shape = reader.shape;
    let memory_limit = config.capabilities.memory_limit_bytes;
    let initial = shape.initial_memory_bytes;
    limit("bytes of initial memory", initial, memory_limit, "memory_limit_bytes")?;
    let elements = shape.initial_table_elements;
    limit("initial table elements", elements, limits.max_table_elements, "max_table_elements")?;
    shape.max_memory_bytes = shape.max_memory_bytes.min(memory_limit);
    shape.max_table_elements = shape.max_table_elements.min(limits.max_table_elements);
    Ok(shape)
}

/// Hands what `wasm` consists of to `take`, piece by piece.
// Once for all who read modules: the parser's iterator is large where it is inlined.
#[inline(never)]
pub(super) fn each_payload<'w>(
    wasm: &'w [u8],
    take: &mut dyn FnMut(Payload<'w>) -> Result<(), Error>,
) -> Result<(), Error> {
    for payload in Parser::new(0).parse_all(wasm) {
        take(payload.map_err(|error| invalid(&error))?)?;
    }
    Ok(())
}

/// Tells a module from everything else that people hand over.
fn check_header(wasm: &[u8]) -> Result<(), Error> {
    let what = match wasm {
        [] => "the file is empty",
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => return Ok(()),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => {
            "this is a WebAssembly component; only core modules can be loaded"
        }
        [0, b'a', b's', b'm', _, _, _, _, ..] => "the WebAssembly version is not 1",
        bytes if [0, b'a', b's', b'm', 1, 0, 0, 0].starts_with(bytes) => {
            "the file is truncated inside its header"
        }
        bytes if is_text(bytes) => {
            "this is the WebAssembly text format; compile it to a binary first"
        }
        _ => "the file does not start like a WebAssembly module",
    };
    Err(Error::guest(ErrorKind::InvalidModule, what))
}

/// Whether the first thing in `bytes`, after space and comments, is an opening parenthesis.
fn is_text(bytes: &[u8]) -> bool {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
    let text = start.and_then(|start| bytes.get(start..)).unwrap_or_default();
    text.starts_with(b"(") || text.starts_with(b";;")
}

fn limit(
    what: impl core::fmt::Display,
    value: impl Into<u64>,
    max: impl Into<u64>,
    name: &str,
) -> Result<(), Error> {
    let (value, max) = (value.into(), max.into());
    match value <= max {
        true => Ok(()),
        false => Err(over_limit(&what, value, max, name)),
    }
}

/// In words, once for all types of numbers and texts.
#[cold]
#[inline(never)]
fn over_limit(what: &dyn core::fmt::Display, value: u64, max: u64, name: &str) -> Error {
    let what = format!("the module has {value} {what}; `{name}` is {max}");
    Error::configuration(ErrorKind::LimitExceeded, what)
}

/// Reads section after section, checking counts as they come.
struct Reader<'l> {
    shape: Shape,
    limits: &'l ModuleLimits,
    weight: &'l mut Weight,
    /// Whether it may call other plugins.
    may_call: bool,
    /// Whether there was a name section.
    has_names: bool,
}

impl Reader<'_> {
    fn section(&mut self, payload: Payload<'_>) -> Result<(), Error> {
        let limits = self.limits;
        self.weight.pay(&payload)?;
        match payload {
            Payload::TypeSection(types) => {
                self.shape.types_end = types.range().end;
                limit("types", types.count(), limits.max_types, "max_types")?;
                types.into_iter().try_for_each(|group| self.types(group))
            }
            Payload::ImportSection(imports) => {
                limit("imports", imports.count(), limits.max_imports, "max_imports")?;
                imports.into_iter().try_for_each(|import| self.import(import))
            }
            Payload::FunctionSection(functions) => {
                let count = u64::from(functions.count()) + self.shape.functions.len() as u64;
                limit("functions", count, limits.max_functions, "max_functions")?;
                functions.into_iter().try_for_each(|ty| self.function(ty))
            }
            Payload::TableSection(tables) => {
                limit("tables", tables.count(), limits.max_tables, "max_tables")?;
                tables.into_iter().try_for_each(|table| self.table(table))
            }
            Payload::MemorySection(memories) => {
                limit("memories", memories.count(), limits.max_memories, "max_memories")?;
                memories.into_iter().try_for_each(|memory| self.memory(memory))
            }
            Payload::GlobalSection(globals) => {
                limit("globals", globals.count(), limits.max_globals, "max_globals")?;
                globals.into_iter().try_for_each(|global| {
                    let global = global.map_err(|error| invalid(&error))?;
                    constants::check(&global.init_expr)?;
                    self.value_type(global.ty.content_type).map(|_| ())
                })
            }
            Payload::ExportSection(exports) => {
                limit("exports", exports.count(), limits.max_exports, "max_exports")?;
                exports.into_iter().try_for_each(|export| self.export(export))
            }
            Payload::StartSection { func, .. } => {
                self.shape.start = Some(func);
                Ok(())
            }
            Payload::ElementSection(elements) => {
                let max = limits.max_element_segments;
                limit("element segments", elements.count(), max, "max_element_segments")?;
                elements.into_iter().try_for_each(constants::check_element)
            }
            Payload::DataSection(data) => {
                let max = limits.max_data_segments;
                limit("data segments", data.count(), max, "max_data_segments")?;
                data.into_iter().try_for_each(constants::check_data)
            }
            Payload::CodeSectionEntry(body) => self.body(&body),
            Payload::CustomSection(section) => self.debug_names(&section),
            _ => Ok(()),
        }
    }

    /// Takes over what the name section calls exported functions. A module has one such section that
    /// names each function once; what is more than that is passed over, since it may be a million
    /// times more.
    fn debug_names(&mut self, section: &CustomSectionReader<'_>) -> Result<(), Error> {
        if section.name() != "name" || core::mem::replace(&mut self.has_names, true) {
            return Ok(());
        }
        let functions = || self.shape.exports.iter().filter(|export| export.is_function());
        let longest = functions().count().saturating_mul(MAX_DEBUG_NAME_BYTES);
        self.weight.names(longest.min(section.data().len()))?;
        // Each without a name: what sorts numbers alone is code of its own.
        let indices = sorted(&mut functions().map(|export| ("", export.index as usize)));
        let position =
            |index: u32| indices.binary_search_by(|(_, other)| other.cmp(&(index as usize))).ok();
        let mut names = alloc::vec![None; indices.len()];
        function_names(section, |index, name| {
            if let Some(first @ None) = position(index).and_then(|at| names.get_mut(at)) {
                *first = Some(prefix(name, MAX_DEBUG_NAME_BYTES));
            }
        });
        for export in self.shape.exports.iter_mut().filter(|export| export.is_function()) {
            let name = position(export.index).and_then(|at| names.get(at).copied().flatten());
            export.debug_name = name.filter(|name| *name != export.name).map(Into::into);
        }
        Ok(())
    }

    fn function(&mut self, ty: wasmparser::Result<u32>) -> Result<(), Error> {
        self.shape.functions.push(ty.map_err(|error| invalid(&error))?);
        Ok(())
    }

    fn export(&mut self, export: wasmparser::Result<wasmparser::Export<'_>>) -> Result<(), Error> {
        let wasmparser::Export { name, kind, index } = export.map_err(|error| invalid(&error))?;
        self.shape.exports.push(Export { name: name.into(), kind, index, debug_name: None });
        Ok(())
    }

    fn types(&mut self, group: wasmparser::Result<wasmparser::RecGroup>) -> Result<(), Error> {
        for ty in group.map_err(|error| invalid(&error))?.types() {
            let CompositeInnerType::Func(function) = &ty.composite_type.inner else {
                let what =
                    "it defines struct, array or continuation types, which are not supported";
                return Err(Error::guest(ErrorKind::Refused, what));
            };
            let params = function.params().len() as u64;
            limit("parameters of one type", params, self.limits.max_params, "max_params")?;
            let results = function.results().len() as u64;
            limit("results of one type", results, self.limits.max_results, "max_results")?;
            let signature = self.signature(function)?;
            self.shape.types.push(signature);
        }
        Ok(())
    }

    fn signature(&mut self, function: &FuncType) -> Result<Signature, Error> {
        if function.results().len() > 1 {
            self.shape.uses("multi-value");
        }
        Ok(Signature {
            params: self.value_types(function.params())?,
            results: self.value_types(function.results())?,
        })
    }

    #[inline(never)]
    fn value_types(&mut self, types: &[ValType]) -> Result<Box<[ValueType]>, Error> {
        let mut converted = Vec::with_capacity(types.len());
        for ty in types {
            converted.push(self.value_type(*ty)?);
        }
        Ok(converted.into_boxed_slice())
    }

    fn value_type(&mut self, ty: ValType) -> Result<ValueType, Error> {
        Ok(match ty {
            ValType::I32 => ValueType::I32,
            ValType::I64 => ValueType::I64,
            ValType::F32 => ValueType::F32,
            ValType::F64 => ValueType::F64,
            ValType::V128 => {
                self.shape.uses("simd");
                ValueType::V128
            }
            ValType::Ref(ty) => {
                self.shape.uses("reference-types");
                match ty {
                    _ if ty.is_func_ref() => ValueType::FuncRef,
                    _ if ty.is_extern_ref() => ValueType::ExternRef,
                    other => {
                        let what = format!("the reference type {other} is not supported");
                        return Err(Error::guest(ErrorKind::Refused, what));
                    }
                }
            }
        })
    }

    fn import(&mut self, import: wasmparser::Result<wasmparser::Import<'_>>) -> Result<(), Error> {
        let import = import.map_err(|error| invalid(&error))?;
        let (module, name) = (import.module, import.name);
        let kind = match import.ty {
            TypeRef::Func(type_index) => {
                if self.may_call && (module, name) == ("soch_v1", "call_plugin") {
                    self.weight.answer(self.limits.max_answer_bytes);
                }
                self.shape.functions.push(type_index);
                self.shape.imports.push(Import {
                    module: module.into(),
                    name: name.into(),
                    type_index,
                });
                return Ok(());
            }
            TypeRef::Memory(_) => "memory",
            TypeRef::Table(_) => "table",
            TypeRef::Global(_) => "global",
            TypeRef::Tag(_) => "tag",
        };
        let what = format!(
            "it imports the {kind} `{module}` `{name}`; only functions of the host's table can be \
             imported"
        );
        Err(Error::guest(ErrorKind::Refused, what))
    }

    fn table(&mut self, table: wasmparser::Result<wasmparser::Table<'_>>) -> Result<(), Error> {
        let table = table.map_err(|error| invalid(&error))?;
        if let TableInit::Expr(value) = &table.init {
            constants::check(value)?;
        }
        let ty = table.ty;
        let shape = &mut self.shape;
        let is_extern = ty.element_type.is_extern_ref();
        shape.tables.push(Table { is_extern, is_64: ty.table64 });
        shape.initial_table_elements = shape.initial_table_elements.saturating_add(ty.initial);
        let max = ty.maximum.unwrap_or(u64::MAX);
        shape.max_table_elements = shape.max_table_elements.saturating_add(max);
        if ty.table64 {
            shape.uses("memory64");
        }
        if is_extern || shape.tables.len() > 1 {
            shape.uses("reference-types");
        }
        Ok(())
    }

    fn memory(&mut self, memory: wasmparser::Result<wasmparser::MemoryType>) -> Result<(), Error> {
        let ty = memory.map_err(|error| invalid(&error))?;
        let page = 1_u64.checked_shl(ty.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
        let shape = &mut self.shape;
        shape.memories += 1;
        let initial = ty.initial.saturating_mul(page);
        shape.initial_memory_bytes = shape.initial_memory_bytes.saturating_add(initial);
        // wasmi 2.0.0 panics in `memory.grow` where the declared maximum in bytes overflows.
        let Some(max) = ty.maximum.unwrap_or(0).checked_mul(page) else {
            let pages = ty.maximum.unwrap_or(0);
            let what = format!("a memory declares a maximum of {pages} pages of {page} bytes");
            return Err(Error::guest(ErrorKind::Refused, what));
        };
        let max = ty.maximum.map_or(u64::MAX, |_| max);
        shape.max_memory_bytes = shape.max_memory_bytes.saturating_add(max);
        if ty.shared {
            return Err(Error::guest(ErrorKind::Refused, "a memory is shared between threads"));
        }
        if ty.memory64 {
            shape.uses("memory64");
        }
        if ty.page_size_log2.is_some() {
            shape.uses("custom-page-sizes");
        }
        if shape.memories > 1 {
            shape.uses("multi-memory");
        }
        Ok(())
    }

    fn body(&mut self, body: &wasmparser::FunctionBody<'_>) -> Result<(), Error> {
        let index = self.shape.imports.len() as u64 + u64::from(self.shape.bodies);
        self.shape.bodies += 1;
        let size = body.range().len() as u64;
        let max = self.limits.max_body_bytes;
        limit(format_args!("bytes in the body of function {index}"), size, max, "max_body_bytes")?;
        let mut locals = 0_u64;
        for group in body.get_locals_reader().map_err(|error| invalid(&error))? {
            let (count, ty) = group.map_err(|error| invalid(&error))?;
            self.value_type(ty)?;
            locals = locals.saturating_add(count.into());
        }
        let max = self.limits.max_locals;
        limit(format_args!("locals in function {index}"), locals, max, "max_locals")?;
        let ty = u32::try_from(index).ok().and_then(|index| self.shape.type_of(index));
        let mut weight = Body::new(self.shape.results(ty), locals);
        check_operators(body, index, &mut self.shape, &mut weight)?;
        self.weight.body(&weight, body.range().len())
    }
}
