//! What is changed in a module before it is compiled, so that all of it runs under control.
//!
//! - **A start section becomes an export.** Inside wasmi's instantiation a start function would run
//!   in one piece, whatever it does. As an export it runs as the sandbox's first call, under fuel,
//!   slices and a deadline like any other.
//! - **`table.grow` becomes a call of a function that does just that.** wasmi 2.0.0 suspends a
//!   `table.grow` that runs out of fuel without saving where it is, so that resuming goes back to the
//!   beginning of the function. In a function of its own that is the same place.
//! - **A tail call of an imported function becomes a call and a return.** If the host function is
//!   suspended, wasmi 2.0.0 puts its answer in the wrong place. The host's functions call nothing
//!   back, so the stack is as deep as it was.
//!
//! A module that has none of these is compiled as it is.

use super::{
    inspect::each_payload,
    shape::{Shape, invalid},
};
use crate::Error;
use alloc::{borrow::Cow, vec::Vec};
use wasm_encoder::{
    CodeSection, Encode, ExportKind, ExportSection, Function, Module, RawSection, SectionId,
};
use wasmparser::{ExternalKind, FunctionBody, Operator, Payload};

/// The reserved name under which a start function is exported. No module may export it itself.
pub(crate) const START_EXPORT: &str = "soch_v1:start";

/// Whether a module is compiled as something else.
pub(super) fn is_rewritten(shape: &Shape) -> bool {
    shape.start.is_some() || !shape.grown_tables.is_empty() || shape.care.tail_calls_host
}

/// Returns `wasm` as it is to be compiled.
pub(super) fn rewrite<'w>(wasm: &'w [u8], shape: &Shape) -> Result<Cow<'w, [u8]>, Error> {
    let growing = GrowingTables(&shape.grown_tables);
    if !is_rewritten(shape) {
        return Ok(Cow::Borrowed(wasm));
    }
    let mut module = Module::new();
    let mut exported = shape.start.is_none();
    let mut bodies = CodeSection::new();
    each_payload(wasm, &mut |payload| {
        if let Payload::CodeSectionEntry(body) = &payload {
            bodies.raw(&growing.replace(wasm, body, shape)?);
            if bodies.len() == shape.body_count() {
                growing.functions(&mut bodies);
                module.section(&bodies);
            }
            return Ok(());
        }
        let Some((id, range)) = payload.as_section() else {
            return Ok(());
        };
        let data = wasm.get(range).unwrap_or_default();
        if id == SectionId::Start as u8 || (id == SectionId::Export as u8 && !exported) {
            // Exports come right before the start section; a module without any gets its section
            // in the start section's place.
            if !exported {
                module.section(&exports(shape));
                exported = true;
            }
            return Ok(());
        }
        let longer = if id == SectionId::Type as u8 {
            growing.append(data, &growing.types(shape))?
        } else if id == SectionId::Function as u8 {
            growing.append(data, &growing.type_indices(shape))?
        } else if id == SectionId::Code as u8 {
            return Ok(());
        } else {
            Cow::Borrowed(data)
        };
        module.section(&RawSection { id, data: &longer });
        Ok(())
    })?;
    Ok(Cow::Owned(module.finish()))
}

/// The module's exports, and its start function.
fn exports(shape: &Shape) -> ExportSection {
    let mut section = ExportSection::new();
    for export in &shape.exports {
        let kind = match export.kind {
            ExternalKind::Func => ExportKind::Func,
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global => ExportKind::Global,
            ExternalKind::Tag => ExportKind::Tag,
        };
        section.export(&export.name, kind, export.index);
    }
    if let Some(start) = shape.start {
        section.export(START_EXPORT, ExportKind::Func, start);
    }
    section
}

/// The tables that a module's code grows, each with a function to be added for it.
struct GrowingTables<'s>(&'s [u32]);

impl GrowingTables<'_> {
    /// The body with each `table.grow`, and each tail call of an imported function, replaced by a
    /// call.
    fn replace<'w>(
        &self,
        wasm: &'w [u8],
        body: &FunctionBody<'_>,
        shape: &Shape,
    ) -> Result<Cow<'w, [u8]>, Error> {
        let range = body.range();
        let bytes = wasm.get(range.clone()).unwrap_or_default();
        if self.0.is_empty() && !shape.care.tail_calls_host {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut replaced = Vec::new();
        let mut copied = range.start;
        let mut operators = body.get_operators_reader().map_err(|error| invalid(&error))?;
        while !operators.eof() {
            let (operator, start) =
                operators.read_with_offset().map_err(|error| invalid(&error))?;
            let (called, returns) = match operator {
                Operator::TableGrow { table } => (self.function_index(table, shape), false),
                Operator::ReturnCall { function_index }
                    if (function_index as usize) < shape.imports.len() =>
                {
                    (function_index, true)
                }
                _ => continue,
            };
            replaced.extend_from_slice(wasm.get(copied..start).unwrap_or_default());
            replaced.push(CALL);
            called.encode(&mut replaced);
            if returns {
                replaced.push(RETURN);
            }
            copied = operators.original_position();
        }
        replaced.extend_from_slice(wasm.get(copied..range.end).unwrap_or_default());
        Ok(Cow::Owned(replaced))
    }

    /// The index of the function that grows a table. The added functions come last, so that no
    /// other index changes.
    fn function_index(&self, table: u32, shape: &Shape) -> u32 {
        let position = self.0.iter().position(|grown| *grown == table).unwrap_or(0);
        u32::try_from(shape.function_count() + position).unwrap_or(u32::MAX)
    }

    /// A section's content with an item for each table at its end. Content that cannot be read is
    /// left for the compiler to refuse.
    fn append<'c>(&self, content: &'c [u8], items: &[u8]) -> Result<Cow<'c, [u8]>, Error> {
        if self.0.is_empty() {
            return Ok(Cow::Borrowed(content));
        }
        let mut reader = wasmparser::BinaryReader::new(content, 0);
        let count = reader.read_var_u32().map_err(|error| invalid(&error))?;
        let added = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let mut longer = Vec::new();
        count.saturating_add(added).encode(&mut longer);
        longer.extend_from_slice(content.get(reader.original_position()..).unwrap_or_default());
        longer.extend_from_slice(items);
        Ok(Cow::Owned(longer))
    }

    /// For each table the type `(reference, index) -> index`.
    fn types(&self, shape: &Shape) -> Vec<u8> {
        let mut types = Vec::new();
        for table in self.0 {
            let kind = shape.table(*table);
            let index = if kind.is_64 { I64 } else { I32 };
            let element = if kind.is_extern { EXTERNREF } else { FUNCREF };
            types.extend_from_slice(&[FUNC_TYPE, 2, element, index, 1, index]);
        }
        types
    }

    /// For each function the index of its type.
    fn type_indices(&self, shape: &Shape) -> Vec<u8> {
        let mut indices = Vec::new();
        for (index, _) in (shape.type_count()..).zip(self.0) {
            u32::try_from(index).unwrap_or(u32::MAX).encode(&mut indices);
        }
        indices
    }

    /// Adds the functions themselves.
    fn functions(&self, bodies: &mut CodeSection) {
        for table in self.0 {
            let mut function = Function::new([]);
            let mut instructions = function.instructions();
            instructions.local_get(0).local_get(1).table_grow(*table).end();
            bodies.function(&function);
        }
    }
}

/// Opcodes and types of the binary format.
const CALL: u8 = 0x10;
const RETURN: u8 = 0x0f;
const FUNC_TYPE: u8 = 0x60;
const I32: u8 = 0x7f;
const I64: u8 = 0x7e;
const FUNCREF: u8 = 0x70;
const EXTERNREF: u8 = 0x6f;
