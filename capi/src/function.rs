//! Functions that are looked up once: the hot path.

use crate::{
    code::{Failure, wpr_code_t},
    config::wpr_call_options_t,
    error::{boundary, wpr_error_t},
    handle::{give, handle, release, take},
    plugin::{Plugin, wpr_plugin_t},
    pointers::{In, Out, Text},
    thread::may_run_plugins,
    typed::{Typed, typed},
    value::{Arguments, put_result, put_results, wpr_value_t},
};
use alloc::{boxed::Box, format, sync::Arc};
use runtime::{CallOptions, Error, ErrorKind, WasmValue, WasmValues};

/// What a function handle stands for.
pub(crate) struct Function {
    plugin: Plugin,
    name: Box<str>,
    /// The faster way to call it, if it has one of the usual signatures.
    typed: Option<Box<dyn Typed>>,
}

impl Function {
    /// Calls it the faster way; nothing if there is none, for these arguments.
    #[inline]
    fn call_typed(&self, args: &[wpr_value_t]) -> Option<Result<Option<wpr_value_t>, Error>> {
        let ended = self.typed.as_ref()?.call(args)?;
        match &ended {
            // After a reload it may have another signature, which its name leads to.
            Err(error) if error.kind() == ErrorKind::SignatureMismatch => None,
            _ => Some(ended),
        }
    }

    fn call_named(
        &self,
        args: &[WasmValue],
        options: Option<CallOptions>,
    ) -> Result<WasmValues, Error> {
        match options {
            None => self.plugin.call(&self.name, args),
            Some(options) => self.plugin.call_with(&self.name, args, options),
        }
    }
}

/// A function of a plugin, looked up once: the fastest way to call one.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct wpr_function_t {
    /// The handle's number; 0 is none.
    pub id: u64,
}

handle!(wpr_function_t, "function", 3, Function);

/// Looks up an exported function. The handle outlives the plugin handle, and follows the plugin to other versions.
/// `WPR_FUNCTION_NOT_FOUND` if there is none of that name.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_plugin_function(
    plugin: wpr_plugin_t,
    name: Text,
    function: Out<wpr_function_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        function.require("function")?;
        let plugin = take(plugin)?;
        let name = name.get("name")?;
        let signature = plugin.signature(name).ok_or_else(|| {
            let what = format!("plugin `{}` exports no function `{name}`", plugin.name());
            Failure::misuse(wpr_code_t::WPR_FUNCTION_NOT_FOUND, what)
        })?;
        let typed = typed(&plugin, name, signature);
        function.set(give(Function { plugin: Arc::clone(&plugin), name: name.into(), typed })?);
        Ok(())
    })
}

/// Calls a function, as `wpr_plugin_call` does.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_function_call(
    function: wpr_function_t,
    args: In<wpr_value_t>,
    arg_count: usize,
    options: In<wpr_call_options_t>,
    results: Out<wpr_value_t>,
    result_capacity: usize,
    result_count: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        let function = take(function)?;
        let values = args.slice(arg_count, "args")?;
        if options.get().is_none()
            && let Some(ended) = function.call_typed(values)
        {
            return put_result(&results, result_capacity, &result_count, ended);
        }
        let mut arguments = Arguments::new();
        let args = arguments.read(&args, arg_count)?;
        let ended = function.call_named(args, options.options()?);
        put_results(&results, result_capacity, &result_count, ended)
    })
}

/// Releases a function handle.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_function_release(
    function: wpr_function_t,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || release(function))
}
