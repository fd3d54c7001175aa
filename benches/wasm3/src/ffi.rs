//! The part of `wasm3.h` (0.9.0) that is used here.

use std::ffi::{c_char, c_int, c_void};

/// `struct M3Environment`.
#[repr(C)]
pub struct Environment {
    _opaque: [u8; 0],
}

/// `struct M3Runtime`.
#[repr(C)]
pub struct Runtime {
    _opaque: [u8; 0],
}

/// `struct M3Module`.
#[repr(C)]
pub struct Module {
    _opaque: [u8; 0],
}

/// `struct M3Function`.
#[repr(C)]
pub struct Function {
    _opaque: [u8; 0],
}

/// `M3Result`: null for success, else an error's text, which is static.
pub type Result = *const c_char;

/// `M3RawCall`: the results' slots come first at `sp`, the arguments' after them.
pub type RawCall = extern "C" fn(*mut Runtime, *mut c_void, *mut u64, *mut c_void) -> *const c_void;

/// `c_m3Type_i32` of `M3ValueType`.
pub const TYPE_I32: c_int = 1;
/// `c_m3Type_i64` of `M3ValueType`.
pub const TYPE_I64: c_int = 2;

unsafe extern "C" {
    pub static m3Err_functionLookupFailed: Result;

    pub fn m3_NewEnvironment() -> *mut Environment;
    pub fn m3_FreeEnvironment(environment: *mut Environment);
    pub fn m3_NewRuntime(
        env: *mut Environment,
        stack_bytes: u32,
        user: *mut c_void,
    ) -> *mut Runtime;
    pub fn m3_FreeRuntime(runtime: *mut Runtime);
    pub fn m3_ParseModule(
        environment: *mut Environment,
        module: *mut *mut Module,
        bytes: *const u8,
        length: u32,
    ) -> Result;
    pub fn m3_FreeModule(module: *mut Module);
    pub fn m3_LoadModule(runtime: *mut Runtime, module: *mut Module) -> Result;
    pub fn m3_RunStart(module: *mut Module) -> Result;
    pub fn m3_LinkRawFunction(
        module: *mut Module,
        module_name: *const c_char,
        name: *const c_char,
        signature: *const c_char,
        function: RawCall,
    ) -> Result;
    pub fn m3_FindFunction(
        function: *mut *mut Function,
        runtime: *mut Runtime,
        name: *const c_char,
    ) -> Result;
    pub fn m3_GetArgCount(function: *mut Function) -> u32;
    pub fn m3_GetRetCount(function: *mut Function) -> u32;
    pub fn m3_GetArgType(function: *mut Function, index: u32) -> c_int;
    pub fn m3_GetRetType(function: *mut Function, index: u32) -> c_int;
    pub fn m3_Call(function: *mut Function, count: u32, arguments: *const *const c_void) -> Result;
    pub fn m3_GetResults(
        function: *mut Function,
        count: u32,
        results: *const *const c_void,
    ) -> Result;
}
