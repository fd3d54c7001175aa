//! Compiled code, with an engine of its own.

use super::{
    interpreter::{engine, translate, validate},
    rewrite::{is_rewritten, rewrite},
    scratch,
    shape::{Care, Shape, Signature, sorted},
    weight::{Paid, Weight},
};
use crate::{Compilation, Error, ValueType, WasmInstanceConfig, sync::Mutex};
use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::any::Any;
use wasmi::{CompilationMode, Engine, Module};

/// A compiled module: what plugins may share, since nothing of it depends on the plugin.
///
/// It has an engine of its own: wasmi's engine never frees a module, and its code is behind one
/// lock. Dropping this gives everything back.
pub(crate) struct Compiled {
    pub(super) engine: Engine,
    pub(super) module: Module,
    pub(super) has_start: bool,
    pub(super) care: Care,
    pub(super) exports: Exports,
    /// What calls its functions many times over, by their type, once there is something.
    // Behind a pointer, so that it is linked only where calls are made in batches.
    pub(super) drivers: Mutex<Option<Box<dyn Any + Send + Sync>>>,
    paid: Paid,
}

/// The functions that a plugin exports, sorted by name.
#[cfg(feature = "code-sharing")]
pub(crate) type Exports = crate::sync::Arc<[ExportedFunction]>;
#[cfg(not(feature = "code-sharing"))]
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

impl Compiled {
    /// Compiles what was read as `shape`, and paid for in `weight`.
    pub(super) fn new(
        given: &[u8],
        config: &WasmInstanceConfig,
        shape: &Shape,
        weight: &mut Weight,
    ) -> Result<Self, Error> {
        if is_rewritten(shape) {
            weight.rewrite(given.len())?;
        }
        let mode = match config.compilation {
            Compilation::Eager => CompilationMode::Eager,
            Compilation::Lazy => CompilationMode::Lazy,
        };
        let engine = engine(config, mode);
        let wasm = rewrite(given, shape)?;
        if matches!(wasm, Cow::Owned(_)) {
            // What is rewritten may be valid where the module is not.
            validate(given, config)?;
        }
        let module = translate(&engine, &wasm)?;
        // Not on devices, where three hundred bytes of flash are scarcer than a kilobyte of heap.
        if cfg!(feature = "std") && config.compilation == Compilation::Eager {
            scratch::release(&engine, given, shape);
        }
        Ok(Self {
            engine,
            module,
            has_start: shape.start.is_some(),
            care: shape.care,
            exports: exported_functions(shape).into(),
            drivers: Mutex::default(),
            paid: weight.pay_for_code(),
        })
    }

    /// What it is paid for by.
    pub(super) const fn paid(&self) -> &Paid {
        &self.paid
    }
}

pub(super) fn exported_functions(shape: &Shape) -> Vec<ExportedFunction> {
    let exports = shape.exports.iter().enumerate().filter(|(_, export)| export.is_function());
    let sorted = sorted(&mut exports.map(|(at, export)| (&*export.name, at)));
    let mut functions = Vec::with_capacity(sorted.len());
    for (name, at) in sorted {
        let export = shape.exports.get(at);
        let signature = export.and_then(|export| shape.signature(export.index));
        if let (Some(export), Some(Signature { params, results })) = (export, signature.cloned()) {
            let debug_name = export.debug_name.clone();
            functions.push(ExportedFunction { name: name.into(), params, results, debug_name });
        }
    }
    functions
}
