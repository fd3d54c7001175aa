//! What a registry is made with: the host, functions of the program's own, clock, audit.

use crate::{
    callback::{HostClock, Taken, UserData},
    code::{Failure, wpr_code_t},
    config::{choice, flag, no_text, nothing},
    host::{CHost, wpr_host_t},
    host_call::{Asked, ask},
    pointers::{In, Out, Struct, Text},
    quotas::{self, wpr_quota_t},
    thread::wpr_host_call_t,
    value::{WPR_MAX_VALUES, type_of, wpr_value_t},
};
use alloc::{format, string::String, vec::Vec};
use core::{ffi::c_void, mem::MaybeUninit, ptr};
use runtime::{
    AuditLevel, Grant, HostCall, HostCost, HostError, HostFunctionTable, ValueType,
    WasmPluginRegistry, WasmValue,
};

/// A callback that plugins import: gets the arguments, of the types it was defined with, and fills in `result`, which is
/// a zero of the type it was defined with. Returns a `wpr_host_status_t`, or a number from 0 on.
pub type wpr_host_callback_t = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        call: wpr_host_call_t,
        args: *const wpr_value_t,
        arg_count: usize,
        result: *mut wpr_value_t,
    ) -> i32,
>;

/// A function of the program's own that plugins may import. `wpr_host_function_init` sets the defaults.
///
/// A call of it allocates nothing if it has up to two parameters, or up to eight that are all `WPR_I32`, and otherwise
/// one buffer for the values.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_host_function_t {
    /// The size of the struct.
    pub struct_size: usize,
    /// The import module, such as `"env"`.
    pub module: Text,
    /// The import name.
    pub name: Text,
    /// The types of the parameters: `WPR_I32` to `WPR_F64`, up to 16. Default: none.
    pub params: In<u32>,
    /// How many.
    pub param_count: usize,
    /// The type of the result. Default: `WPR_NONE`.
    pub result: u32,
    /// What a plugin needs to call it: 0 nothing, 1 some table to read, 2 some table to write, 3 `can_index_search`, 4
    /// `can_vector_search`, 5 some plugin to call. Default: 0.
    pub grant: u32,
    /// The name of a custom grant that a plugin needs instead. Default: null, none.
    pub custom_grant: Text,
    /// Fuel for being called. Default: 40.
    pub base_fuel: u64,
    /// Fuel for 64 bytes: `wpr_host_call_charge_bytes`. Default: 2.
    pub fuel_per_64_bytes: u64,
    /// Fuel for a row. Default: 12.
    pub fuel_per_item: u64,
    /// What is called.
    pub callback: wpr_host_callback_t,
    /// What it gets first.
    pub user_data: *mut c_void,
    /// Called with `user_data` once nothing of the registry is left. Not called if `wpr_registry_new` fails.
    pub drop: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
}

// SAFETY: `repr(C)`, the size first, numbers, pointers and functions that are only used if they are not null.
unsafe impl Struct for wpr_host_function_t {
    const NAME: &'static str = "wpr_host_function_t";

    fn initial() -> Self {
        let cost = HostCost::default();
        Self {
            struct_size: size_of::<Self>(),
            module: no_text(),
            name: no_text(),
            params: nothing(),
            param_count: 0,
            result: 0,
            grant: 0,
            custom_grant: no_text(),
            base_fuel: cost.base,
            fuel_per_64_bytes: cost.per_64_bytes,
            fuel_per_item: cost.per_item,
            callback: None,
            user_data: ptr::null_mut(),
            drop: None,
        }
    }
}

/// What a registry has for its plugins. `wpr_registry_options_init` sets the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_registry_options_t {
    /// The size of the struct.
    pub struct_size: usize,
    /// What plugins get from the program. Default: null, everything from memory.
    pub host: In<wpr_host_t>,
    /// Pointers to the functions of the program's own; with the built-in ones 64 at most. Default: none.
    pub functions: In<In<wpr_host_function_t>>,
    /// How many.
    pub function_count: usize,
    /// 1 to leave out the built-in functions `soch_v1`. Default: 0.
    pub without_built_in_functions: u32,
    /// What goes to the audit ring: 0 nothing, 1 decisions, 2 every host call as well. Default: 1.
    pub audit_level: u32,
    /// A clock: microseconds that never go back. Default: null, the system's. Without the standard library, and on
    /// wasm32-unknown-unknown, there is none then, and `timeout_ms` has to be 0. It must not use this library.
    pub clock_us: Option<unsafe extern "C" fn(user_data: *mut c_void) -> u64>,
    /// What the clock gets.
    pub clock_user_data: *mut c_void,
    /// What all plugins of all tenants may hold together. Default: null, no ceiling.
    pub quota: In<wpr_quota_t>,
}

// SAFETY: `repr(C)`, the size first, numbers, pointers and functions that are only used if they are not null.
unsafe impl Struct for wpr_registry_options_t {
    const NAME: &'static str = "wpr_registry_options_t";

    fn initial() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            host: nothing(),
            functions: nothing(),
            function_count: 0,
            without_built_in_functions: 0,
            audit_level: 1,
            clock_us: None,
            clock_user_data: ptr::null_mut(),
            quota: nothing(),
        }
    }
}

/// Fills a host with no callbacks.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_init(host: Out<wpr_host_t>, struct_size: usize) {
    host.initialise(struct_size);
}

/// Fills a host function with defaults.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_function_init(function: Out<wpr_host_function_t>, struct_size: usize) {
    function.initialise(struct_size);
}

/// Fills options with defaults.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_options_init(
    options: Out<wpr_registry_options_t>,
    struct_size: usize,
) {
    options.initialise(struct_size);
}

/// Makes the registry. What belongs to the program is not dropped before `taken` is set.
pub(crate) fn build(
    options: &wpr_registry_options_t,
    taken: &Taken,
) -> Result<WasmPluginRegistry<CHost>, Failure> {
    let callbacks = options.host.read()?;
    let user = UserData::new(callbacks.user_data, callbacks.drop, taken);
    let mut builder = WasmPluginRegistry::builder()
        .host(CHost::new(callbacks, user))
        .functions(table(options, taken)?)
        .audit(choice(
            options.audit_level,
            "audit_level",
            [AuditLevel::Off, AuditLevel::Decisions, AuditLevel::HostCalls],
        )?);
    if let Some(now_us) = options.clock_us {
        let user = UserData::new(options.clock_user_data, None, taken);
        builder = builder.clock(HostClock { now_us, user });
    }
    if options.quota.get().is_some() {
        builder = quotas::limit_registry(builder, &options.quota)?;
    }
    Ok(builder.build()?)
}

fn table(
    options: &wpr_registry_options_t,
    taken: &Taken,
) -> Result<HostFunctionTable<CHost>, Failure> {
    let mut table = match flag(options.without_built_in_functions, "without_built_in_functions")? {
        true => HostFunctionTable::empty(),
        false => HostFunctionTable::new(),
    };
    for function in options.functions.slice(options.function_count, "functions")? {
        if function.get().is_none() {
            return Err(Failure::misuse(
                wpr_code_t::WPR_NULL_POINTER,
                "one of `functions` is null",
            ));
        }
        define(&mut table, &function.read()?, taken)?;
    }
    Ok(table)
}

fn define(
    table: &mut HostFunctionTable<CHost>,
    function: &wpr_host_function_t,
    taken: &Taken,
) -> Result<(), Failure> {
    let (module, name) = (function.module.get("module")?, function.name.get("name")?);
    let params = function.params.slice(function.param_count, "params")?;
    let params: Result<Vec<_>, _> = params.iter().map(|&ty| type_of(ty, "params")).collect();
    let params: Option<Vec<ValueType>> = params?.into_iter().collect();
    let params = params.ok_or_else(|| Failure::argument("`params` has a `WPR_NONE`"))?;
    let result = type_of(function.result, "result")?;
    let callback = function.callback.ok_or_else(|| {
        Failure::misuse(
            wpr_code_t::WPR_NULL_POINTER,
            format!("`callback` of `{module}` `{name}` is null"),
        )
    })?;
    let cost = HostCost {
        base: function.base_fuel,
        per_64_bytes: function.fuel_per_64_bytes,
        per_item: function.fuel_per_item,
    };
    let user = UserData::new(function.user_data, function.drop, taken);
    let body = move |call: &mut HostCall<'_, CHost>,
                     args: &[WasmValue]|
          -> Result<Option<WasmValue>, HostError> {
        run_callback(call, args, result, |call, args, count, result| {
            // SAFETY: the program says that its callback may be called so.
            unsafe { callback(user.get(), call, args, count, result) }
        })
    };
    Ok(table.define_untyped(module, name, grant(function)?, cost, (&params, result), body)?)
}

/// Hands values to a callback, and takes its result.
fn run_callback(
    call: &mut HostCall<'_, CHost>,
    args: &[WasmValue],
    result: Option<ValueType>,
    callback: impl FnOnce(wpr_host_call_t, *const wpr_value_t, usize, *mut wpr_value_t) -> i32,
) -> Result<Option<WasmValue>, HostError> {
    let mut values = [const { MaybeUninit::uninit() }; WPR_MAX_VALUES];
    for (to, value) in values.iter_mut().zip(args) {
        to.write(wpr_value_t::new(value));
    }
    let mut answer = wpr_value_t::zero(result);
    ask(call, Asked::default(), |call| {
        callback(call, values.as_ptr().cast(), args.len(), &raw mut answer)
    })?;
    Ok(result.map(|ty| answer.as_type(ty)))
}

fn grant(function: &wpr_host_function_t) -> Result<Grant, Failure> {
    match function.custom_grant.optional("custom_grant")? {
        Some(name) => Ok(Grant::Custom(kept_for_good(name))),
        None => choice(
            function.grant,
            "grant",
            [
                Grant::Always,
                Grant::ReadTable,
                Grant::WriteTable,
                Grant::IndexSearch,
                Grant::VectorSearch,
                Grant::CallPlugin,
            ],
        ),
    }
}

/// The name of a custom grant, of which each is kept once and as long as the program runs.
fn kept_for_good(name: &str) -> &'static str {
    static NAMES: crate::sync::Mutex<Vec<&'static str>> = crate::sync::Mutex::new(Vec::new());
    let mut names = NAMES.lock();
    match names.iter().find(|kept| **kept == name) {
        Some(kept) => kept,
        None => {
            let kept = String::from(name).leak();
            names.push(kept);
            kept
        }
    }
}
