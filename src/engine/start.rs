//! Turns a start section into an export.
//!
//! Inside wasmi's instantiation a start function would run in one piece, whatever it does. As an
//! export it runs as the sandbox's first call, under fuel, slices and a deadline like any other.

use super::admit::{Shape, invalid};
use crate::Error;
use alloc::vec::Vec;
use wasm_encoder::{ExportKind, ExportSection, Module, RawSection, SectionId};
use wasmparser::{ExternalKind, Parser};

/// The reserved name under which a start function is exported. No module may export it itself.
pub(crate) const START_EXPORT: &str = "soch_v1:start";

/// Returns `wasm` with `function` exported as [`START_EXPORT`] and without its start section.
pub(super) fn export_start(wasm: &[u8], shape: &Shape, function: u32) -> Result<Vec<u8>, Error> {
    let mut module = Module::new();
    let mut exported = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| invalid(&error))?;
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        let is_start = id == SectionId::Start as u8;
        if is_start || id == SectionId::Export as u8 {
            // Exports come right before the start section; a module without any gets its section
            // in the start section's place.
            if !exported {
                module.section(&exports(shape, function));
                exported = true;
            }
            continue;
        }
        let data = wasm.get(range).unwrap_or_default();
        module.section(&RawSection { id, data });
    }
    Ok(module.finish())
}

fn exports(shape: &Shape, start: u32) -> ExportSection {
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
    section.export(START_EXPORT, ExportKind::Func, start);
    section
}
