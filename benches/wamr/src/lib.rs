//! WAMR's fast interpreter for benchmarks: one module, its instance and an execution environment.
//!
//! WAMR has no fuel that outlives a call; its count of instructions is off. A module is translated
//! whole when it is loaded.

#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod ffi;
mod runtime;

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// The C compiler that built WAMR.
pub const COMPILER: &str = env!("PEER_WAMR_COMPILER");

/// Long enough for WAMR's messages, which it cuts.
const ERROR_BYTES: usize = 128;

/// A module, its instance and an execution environment of WAMR's, freed on drop.
pub struct Instance {
    id: u64,
    module: *mut ffi::Module,
    instance: *mut ffi::Instance,
    exec_env: *mut ffi::ExecEnv,
    /// WAMR writes to it while it loads, and keeps pointers into it.
    wasm: Box<[u8]>,
}

/// A function that an [`Instance`] exports, to be called on that instance alone.
pub struct Function {
    instance: u64,
    signature: Signature,
    raw: *mut ffi::Function,
}

#[derive(Clone, Copy, PartialEq)]
enum Signature {
    I32ToI64,
    I32ToI32,
    Nothing,
}

impl Instance {
    /// Loads a module and runs its start function. `("env", "next")`, an `i32` to that plus one,
    /// and `("env", "nothing")` are linked if it imports them; any other import fails when called.
    pub fn new(wasm: &[u8], stack_bytes: u32) -> Result<Self, String> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        runtime::start()?;
        let (module, instance, exec_env) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        let mut new = Self { id, module, instance, exec_env, wasm: wasm.into() };
        new.load()?;
        new.instantiate(stack_bytes)?;
        Ok(new)
    }

    fn load(&mut self) -> Result<(), String> {
        let length = u32::try_from(self.wasm.len()).map_err(|_| "module too large")?;
        let bytes = self.wasm.as_mut_ptr();
        // SAFETY: the runtime is started; the bytes live and stay where they are until `self` is
        // dropped, after the module.
        self.module = with_error(|error, size| unsafe {
            ffi::wasm_runtime_load(bytes, length, error, size)
        })?;
        Ok(())
    }

    fn instantiate(&mut self, stack_bytes: u32) -> Result<(), String> {
        // SAFETY: `module` is loaded and unloaded after its instance. No heap: no host function
        // here allocates in the instance's memory.
        self.instance = with_error(|error, size| unsafe {
            ffi::wasm_runtime_instantiate(self.module, stack_bytes, 0, error, size)
        })?;
        // SAFETY: `instance` lives until the environment is destroyed.
        self.exec_env = unsafe { ffi::wasm_runtime_create_exec_env(self.instance, stack_bytes) };
        if self.exec_env.is_null() { Err("no memory".to_owned()) } else { Ok(()) }
    }

    /// Looks up an exported function of type `i32` to `i64`, `i32` to `i32`, or nothing to nothing.
    pub fn function(&mut self, name: &str) -> Result<Function, String> {
        let c_name = CString::new(name).map_err(|e| e.to_string())?;
        // SAFETY: `instance` lives; the name ends with a zero.
        let raw = unsafe { ffi::wasm_runtime_lookup_function(self.instance, c_name.as_ptr()) };
        if raw.is_null() {
            return Err(format!("{name}: no such function"));
        }
        // SAFETY: `raw` has just been found in `instance`, which lives.
        let signature = unsafe { signature(raw, self.instance) };
        let signature = signature.ok_or_else(|| format!("{name}: its type"))?;
        Ok(Function { instance: self.id, signature, raw })
    }

    /// Calls a function of type `i32` to `i64`.
    pub fn call_i32_i64(&mut self, function: &Function, argument: i32) -> Result<i64, String> {
        let [low, high] = self.call(function, Signature::I32ToI64, 1, [argument as u32, 0])?;
        Ok((u64::from(high) << 32 | u64::from(low)) as i64)
    }

    /// Calls a function of type `i32` to `i32`.
    pub fn call_i32_i32(&mut self, function: &Function, argument: i32) -> Result<i32, String> {
        let [result, _] = self.call(function, Signature::I32ToI32, 1, [argument as u32, 0])?;
        Ok(result as i32)
    }

    /// Calls a function without parameters and results.
    pub fn call_void(&mut self, function: &Function) -> Result<(), String> {
        self.call(function, Signature::Nothing, 0, [0; 2]).map(drop)
    }

    fn call(
        &mut self,
        function: &Function,
        signature: Signature,
        count: u32,
        mut cells: [u32; 2],
    ) -> Result<[u32; 2], String> {
        if function.instance != self.id || function.signature != signature {
            return Err("a function of another instance or type".to_owned());
        }
        let cells_start = cells.as_mut_ptr();
        // SAFETY: the function is this instance's, which lives. Its signature, which has been
        // compared, takes at most one cell and gives at most two.
        let done =
            unsafe { ffi::wasm_runtime_call_wasm(self.exec_env, function.raw, count, cells_start) };
        if done { Ok(cells) } else { Err(self.take_exception()) }
    }

    #[cold]
    fn take_exception(&mut self) -> String {
        // SAFETY: `instance` lives; the text does until the exception is cleared, and is copied.
        unsafe {
            let text = ffi::wasm_runtime_get_exception(self.instance);
            let copy = if text.is_null() { c"failed" } else { CStr::from_ptr(text) }.to_owned();
            ffi::wasm_runtime_clear_exception(self.instance);
            copy.to_string_lossy().into_owned()
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: each is null or was made for `self`, and is freed here only, the later made
        // before the earlier, all before the module's bytes.
        unsafe {
            if !self.exec_env.is_null() {
                ffi::wasm_runtime_destroy_exec_env(self.exec_env);
            }
            if !self.instance.is_null() {
                ffi::wasm_runtime_deinstantiate(self.instance);
            }
            if !self.module.is_null() {
                ffi::wasm_runtime_unload(self.module);
            }
        }
    }
}

/// # Safety
/// `raw` must be a function of `instance`, which must live.
unsafe fn signature(raw: *mut ffi::Function, instance: *mut ffi::Instance) -> Option<Signature> {
    // SAFETY: the caller's promise.
    let parameters = unsafe { ffi::wasm_func_get_param_count(raw, instance) };
    // SAFETY: the caller's promise.
    let results = unsafe { ffi::wasm_func_get_result_count(raw, instance) };
    match (parameters, results) {
        (0, 0) => return Some(Signature::Nothing),
        (1, 1) => {}
        _ => return None,
    }
    let (mut parameter, mut result) = (u8::MAX, u8::MAX);
    // SAFETY: the caller's promise; there is one of each, so one kind of each is written.
    unsafe {
        ffi::wasm_func_get_param_types(raw, instance, &mut parameter);
        ffi::wasm_func_get_result_types(raw, instance, &mut result);
    }
    match (parameter, result) {
        (ffi::TYPE_I32, ffi::TYPE_I64) => Some(Signature::I32ToI64),
        (ffi::TYPE_I32, ffi::TYPE_I32) => Some(Signature::I32ToI32),
        _ => None,
    }
}

/// Runs `make`, which writes into a buffer why it gave null.
fn with_error<T>(make: impl FnOnce(*mut c_char, u32) -> *mut T) -> Result<*mut T, String> {
    let mut error = [0_u8; ERROR_BYTES];
    let made = make(error.as_mut_ptr().cast(), ERROR_BYTES as u32);
    if !made.is_null() {
        return Ok(made);
    }
    let text = CStr::from_bytes_until_nul(&error).unwrap_or(c"failed");
    Err(text.to_string_lossy().into_owned())
}
