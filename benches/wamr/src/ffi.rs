//! The part of `wasm_export.h` (2.4.3) that is used here.

use std::ffi::{c_char, c_int, c_void};

/// `struct WASMModuleCommon`.
#[repr(C)]
pub struct Module {
    _opaque: [u8; 0],
}

/// `struct WASMModuleInstanceCommon`.
#[repr(C)]
pub struct Instance {
    _opaque: [u8; 0],
}

/// `WASMFunctionInstanceCommon`.
#[repr(C)]
pub struct Function {
    _opaque: [u8; 0],
}

/// `struct WASMExecEnv`.
#[repr(C)]
pub struct ExecEnv {
    _opaque: [u8; 0],
}

/// `NativeSymbol`.
#[repr(C)]
pub struct NativeSymbol {
    pub symbol: *const c_char,
    pub function: RawCall,
    pub signature: *const c_char,
    pub attachment: *mut c_void,
}

/// A raw host function: a slot for each argument, and the result goes into the first.
pub type RawCall = extern "C" fn(*mut ExecEnv, *mut u64);

/// `WASM_LOG_LEVEL_FATAL`.
pub const LOG_FATAL: c_int = 0;
/// `WASM_I32` of `wasm_valkind_enum`.
pub const TYPE_I32: u8 = 0;
/// `WASM_I64` of `wasm_valkind_enum`.
pub const TYPE_I64: u8 = 1;

unsafe extern "C" {
    pub fn wasm_runtime_init() -> bool;
    pub fn wasm_runtime_set_log_level(level: c_int);
    pub fn wasm_runtime_register_natives_raw(
        module_name: *const c_char,
        symbols: *mut NativeSymbol,
        count: u32,
    ) -> bool;
    pub fn wasm_runtime_load(
        bytes: *mut u8,
        size: u32,
        error: *mut c_char,
        error_size: u32,
    ) -> *mut Module;
    pub fn wasm_runtime_unload(module: *mut Module);
    pub fn wasm_runtime_instantiate(
        module: *mut Module,
        stack_bytes: u32,
        heap_bytes: u32,
        error: *mut c_char,
        error_size: u32,
    ) -> *mut Instance;
    pub fn wasm_runtime_deinstantiate(instance: *mut Instance);
    pub fn wasm_runtime_create_exec_env(instance: *mut Instance, stack_bytes: u32) -> *mut ExecEnv;
    pub fn wasm_runtime_destroy_exec_env(exec_env: *mut ExecEnv);
    pub fn wasm_runtime_lookup_function(
        instance: *mut Instance,
        name: *const c_char,
    ) -> *mut Function;
    pub fn wasm_func_get_param_count(function: *mut Function, instance: *mut Instance) -> u32;
    pub fn wasm_func_get_result_count(function: *mut Function, instance: *mut Instance) -> u32;
    pub fn wasm_func_get_param_types(f: *mut Function, instance: *mut Instance, kinds: *mut u8);
    pub fn wasm_func_get_result_types(f: *mut Function, instance: *mut Instance, kinds: *mut u8);
    pub fn wasm_runtime_call_wasm(
        exec_env: *mut ExecEnv,
        function: *mut Function,
        count: u32,
        cells: *mut u32,
    ) -> bool;
    pub fn wasm_runtime_get_exception(instance: *mut Instance) -> *const c_char;
    pub fn wasm_runtime_clear_exception(instance: *mut Instance);
}
