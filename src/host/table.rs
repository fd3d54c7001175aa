//! The fixed-size table of the functions that plugins may import.

use super::{FunctionNames, Host, HostCall, HostCost, HostError};
use crate::{
    Error, ErrorKind, Grant, ValueType, WasmValue,
    engine::{HostBody, IntoHostFunction, untyped_body},
    value::{MAX_VALUES, TypeList},
};
use alloc::{boxed::Box, format, vec::Vec};

/// The import module of the host ABI, version 1.
const MODULE: &str = "soch_v1";

/// The functions that plugins may import: the built-in ones and the embedder's own, `N` at most.
///
/// It is filled before the registry is built and never changes after that. Every call of a function
/// is counted, costs its base fuel and is checked against its grant before the function sees it.
///
/// ```
/// use wasm_runtime::{EmbeddedHost, Grant, HostCall, HostCost, HostError, HostFunctionTable};
///
/// let mut table = HostFunctionTable::<EmbeddedHost>::new();
/// table.define(
///     "env",
///     "next",
///     Grant::Always,
///     HostCost::default(),
///     |_call: &mut HostCall<'_, EmbeddedHost>, x: i32| -> Result<i32, HostError> { Ok(x + 1) },
/// )?;
/// # Ok::<(), wasm_runtime::Error>(())
/// ```
pub struct HostFunctionTable<H: Host, const N: usize = 64> {
    functions: heapless::Vec<HostFunction<H>, N>,
    /// The first definition that failed in [`new`](Self::new), which cannot return it.
    pub(super) overflow: Option<Error>,
}

/// One function of the table.
pub(crate) struct HostFunction<H: Host> {
    pub(crate) module: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) grant: Grant,
    /// Whether the function checks its grant itself, after the name that the grant is for.
    pub(crate) checks_grant: bool,
    pub(crate) cost: HostCost,
    pub(crate) body: HostBody<H>,
}

/// The finished table of a registry.
pub(crate) type HostFunctions<H> = Box<[HostFunction<H>]>;

impl<H: Host> FunctionNames for HostFunctions<H> {
    fn name(&self, index: usize) -> &str {
        self.get(index).map_or("", |function| &function.name)
    }
}

impl<H: Host, const N: usize> HostFunctionTable<H, N> {
    /// Returns a table with no function at all.
    pub fn empty() -> Self {
        Self { functions: heapless::Vec::new(), overflow: None }
    }

    /// Adds a function that plugins import as `module`, `name`.
    ///
    /// `function` is a closure over `&mut HostCall<'_, H>` and up to 12 parameters of the types
    /// `i32`, `u32`, `i64`, `u64`, `f32` and `f64`, that returns a `Result` of one of these, or of
    /// `()`, and [`HostError`](super::HostError). Its signature is that of the import.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TableFull`] if the table holds `N` functions or one of that name; it is then as
    /// it was.
    pub fn define<P, R>(
        &mut self,
        module: &str,
        name: &str,
        grant: Grant,
        cost: HostCost,
        function: impl IntoHostFunction<H, P, R>,
    ) -> Result<(), Error> {
        let (module, name, body) = (module.into(), name.into(), function.into_body());
        self.push(HostFunction { module, name, grant, checks_grant: false, cost, body })
    }

    /// Adds a function of a signature that is known only when the program runs: numbers of the types
    /// `params`, at most 16, and one number of the type `result` or nothing.
    ///
    /// `function` gets the arguments in order and answers a value of the type `result`, or `None` if there
    /// is none; with anything else it ends the guest's call, with [`ErrorKind::Host`]. A call allocates
    /// nothing if there are up to two parameters, or up to eight that are all `i32`, and otherwise one
    /// buffer for the values.
    ///
    /// # Errors
    ///
    /// As [`define`](Self::define); [`ErrorKind::SignatureMismatch`] for more parameters, and for a type
    /// that is none of `I32`, `I64`, `F32` and `F64`.
    pub fn define_untyped(
        &mut self,
        module: &str,
        name: &str,
        grant: Grant,
        cost: HostCost,
        (params, result): (&[ValueType], Option<ValueType>),
        function: impl for<'a, 'b> Fn(
            &'a mut HostCall<'b, H>,
            &[WasmValue],
        ) -> Result<Option<WasmValue>, HostError>
        + Send
        + Sync
        + 'static,
    ) -> Result<(), Error> {
        let Some(body) = untyped_body(params, result, function) else {
            let results = result.as_slice();
            let (params, results) = (TypeList(params), TypeList(results));
            let what = format!(
                "the host function `{module}` `{name}` cannot be of the type {params} -> {results}: up to \
                 {MAX_VALUES} numbers, and one or none"
            );
            return Err(Error::host(ErrorKind::SignatureMismatch, what));
        };
        let (module, name) = (module.into(), name.into());
        self.push(HostFunction { module, name, grant, checks_grant: false, cost, body })
    }

    /// Adds a function of the host ABI. It checks its grant itself, after the name that the grant is
    /// for.
    pub(super) fn define_built_in<P, R>(
        &mut self,
        name: &str,
        grant: Grant,
        cost: HostCost,
        function: impl IntoHostFunction<H, P, R>,
    ) -> Result<(), Error> {
        let (module, name, body) = (MODULE.into(), name.into(), function.into_body());
        self.push(HostFunction { module, name, grant, checks_grant: true, cost, body })
    }

    fn push(&mut self, function: HostFunction<H>) -> Result<(), Error> {
        let HostFunction { module, name, .. } = &function;
        if self.functions.iter().any(|f| f.module == *module && f.name == *name) {
            return Err(full(format!("the table of host functions has a `{module}` `{name}`")));
        }
        self.functions.push(function).map_err(|HostFunction { module, name, .. }| {
            full(format!(
                "the table of host functions is full at {N}: no room for `{module}` `{name}`"
            ))
        })
    }

    /// Returns how many functions the table holds.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Returns whether the table holds no function.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Returns how many functions the table can hold.
    pub const fn capacity(&self) -> usize {
        N
    }

    pub(crate) fn finish(self) -> Result<HostFunctions<H>, Error> {
        match self.overflow {
            Some(error) => Err(error),
            None => Ok(self.functions.into_iter().collect::<Vec<_>>().into_boxed_slice()),
        }
    }
}

fn full(message: alloc::string::String) -> Error {
    Error::host(ErrorKind::TableFull, message)
}

impl<H: Host, const N: usize> core::fmt::Debug for HostFunctionTable<H, N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let names = self.functions.iter().map(|function| (&function.module, &function.name));
        f.debug_list().entries(names).finish()
    }
}
