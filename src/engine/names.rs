//! What a module's name section calls the functions it exports.

use super::inspect::Export;
use crate::text::prefix;
use alloc::vec::Vec;
use wasmparser::{CustomSectionReader, ExternalKind, KnownCustom, Name};

/// Bytes kept of a name.
const MAX_NAME_BYTES: usize = 128;

/// Takes over the names of exported functions from a custom section, if it is the name section. As
/// with every custom section, what is malformed is passed over.
pub(super) fn name_exports(section: &CustomSectionReader<'_>, exports: &mut [Export]) {
    let KnownCustom::Name(subsections) = section.as_known() else {
        return;
    };
    let mut functions = exported_functions(exports);
    for names in subsections.into_iter().map_while(Result::ok) {
        if let Name::Function(names) = names {
            for naming in names.into_iter().map_while(Result::ok) {
                let first = functions.partition_point(|export| export.index < naming.index);
                let same = functions.iter_mut().skip(first);
                for export in same.take_while(|export| export.index == naming.index) {
                    let name = prefix(naming.name, MAX_NAME_BYTES);
                    export.debug_name = (name != export.name).then(|| name.into());
                }
            }
        }
    }
}

/// The exports that are functions, by index: a module may name a million functions.
fn exported_functions(exports: &mut [Export]) -> Vec<&mut Export> {
    let mut functions: Vec<_> =
        exports.iter_mut().filter(|export| export.kind == ExternalKind::Func).collect();
    functions.sort_by_key(|export| export.index);
    functions
}
