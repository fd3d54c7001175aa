//! What a module's sections say, as far as the library needs to know.

use crate::{Error, ErrorKind, ValueType};
use alloc::{boxed::Box, collections::BinaryHeap, format, string::String, vec::Vec};
use wasmparser::ExternalKind;

/// What a module's sections say.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) imports: Vec<Import>,
    pub(crate) exports: Vec<Export>,
    /// The function that the start section names.
    pub(crate) start: Option<u32>,
    pub(crate) initial_memory_bytes: u64,
    pub(crate) max_memory_bytes: u64,
    pub(crate) initial_table_elements: u64,
    pub(crate) max_table_elements: u64,
    /// What of its operators wasmi 2.0.0 needs care with.
    pub(super) care: Care,
    /// Types in use that go beyond WebAssembly 1.0.
    pub(crate) type_proposals: Vec<&'static str>,
    pub(super) types: Vec<Signature>,
    /// Where in the module the section of types ends.
    pub(super) types_end: usize,
    /// The type of each function, imported ones first.
    pub(super) functions: Vec<u32>,
    pub(super) tables: Vec<Table>,
    /// Those of them that its code grows.
    pub(super) grown_tables: Vec<u32>,
    pub(super) memories: u32,
    pub(super) bodies: u32,
}

/// What of a module's operators wasmi 2.0.0 needs care with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Care {
    /// One leaves native stack behind.
    pub(super) leaks_stack: bool,
    /// One calls an imported function last.
    pub(super) tail_calls_host: bool,
    /// One calls last what only shows when it runs.
    pub(super) tail_calls_unknown: bool,
}

/// A table, as far as growing it goes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Table {
    pub(super) is_extern: bool,
    pub(super) is_64: bool,
}

/// Parameters and results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) params: Box<[ValueType]>,
    pub(crate) results: Box<[ValueType]>,
}

/// An imported function.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) type_index: u32,
}

/// An export of any kind.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) name: String,
    pub(crate) kind: ExternalKind,
    pub(crate) index: u32,
    /// What the name section calls it, if that is another name.
    pub(crate) debug_name: Option<Box<str>>,
}

impl Export {
    pub(super) fn is_function(&self) -> bool {
        self.kind == ExternalKind::Func
    }
}

impl Shape {
    pub(crate) fn type_at(&self, index: u32) -> Option<&Signature> {
        self.types.get(usize::try_from(index).ok()?)
    }

    /// The signature of a function by its index.
    pub(crate) fn signature(&self, function: u32) -> Option<&Signature> {
        self.type_at(self.type_of(function)?)
    }

    /// The type of a function by its index.
    pub(super) fn type_of(&self, function: u32) -> Option<u32> {
        self.functions.get(usize::try_from(function).ok()?).copied()
    }

    /// How many results a type has.
    pub(super) fn results(&self, ty: Option<u32>) -> usize {
        ty.and_then(|ty| self.type_at(ty)).map_or(0, |signature| signature.results.len())
    }

    pub(super) fn type_count(&self) -> usize {
        self.types.len()
    }

    pub(super) fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// How many functions have a body.
    pub(super) fn body_count(&self) -> u32 {
        self.bodies
    }

    pub(super) fn table(&self, index: u32) -> Table {
        let table = usize::try_from(index).ok().and_then(|index| self.tables.get(index));
        table.copied().unwrap_or_default()
    }

    /// Notes that the code grows a table. What is no table is left for the compiler to refuse.
    pub(super) fn grows(&mut self, table: u32) {
        self.care.leaks_stack = true;
        if (table as usize) < self.tables.len() && !self.grown_tables.contains(&table) {
            self.grown_tables.push(table);
        }
    }

    pub(super) fn uses(&mut self, proposal: &'static str) {
        if !self.type_proposals.contains(&proposal) {
            self.type_proposals.push(proposal);
        }
    }
}

/// A module that the parser or validator does not accept.
#[cold]
#[inline(never)]
pub(super) fn invalid(error: &impl core::fmt::Display) -> Error {
    Error::guest(ErrorKind::InvalidModule, format!("not a valid module: {error}"))
}

/// Names with their numbers, sorted. By a heap: `sort` is three kilobytes of code for each type that it sorts.
#[inline(never)]
pub(super) fn sorted<'n>(
    names: &mut dyn Iterator<Item = (&'n str, usize)>,
) -> Vec<(&'n str, usize)> {
    names.collect::<BinaryHeap<_>>().into_sorted_vec()
}
