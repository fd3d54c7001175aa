//! wasm3 for benchmarks: one module in an environment and a runtime of its own.
//!
//! wasm3 has no fuel, and nothing stops a loop: it asks a hook of the host's at calls only. It
//! compiles a function when it is first called or looked up, so a first call is not one to measure.

#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod ffi;

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// The C compiler that built wasm3. clang, and gcc from 15, promise that a dispatch is a jump and
/// not a call (`musttail`); an older gcc makes it one with `-O3`, which the tests see.
pub const COMPILER: &str = env!("PEER_WASM3_COMPILER");

/// An environment, a runtime and a module of wasm3's, freed on drop.
pub struct Instance {
    id: u64,
    environment: *mut ffi::Environment,
    runtime: *mut ffi::Runtime,
    /// wasm3 keeps pointers into it.
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
        // SAFETY: it takes nothing; null means that there was no memory.
        let environment = non_null(unsafe { ffi::m3_NewEnvironment() })?;
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        let runtime = ptr::null_mut();
        let mut instance = Self { id, environment, runtime, wasm: wasm.into() };
        // SAFETY: `environment` is not null and lives until `instance` is dropped.
        let runtime = unsafe { ffi::m3_NewRuntime(environment, stack_bytes, ptr::null_mut()) };
        instance.runtime = non_null(runtime)?;
        instance.load()?;
        Ok(instance)
    }

    fn load(&mut self) -> Result<(), String> {
        let module = self.parse()?;
        // SAFETY: `module` has just been parsed, for an environment that is `runtime`'s too.
        let loaded = check(unsafe { ffi::m3_LoadModule(self.runtime, module) });
        if loaded.is_err() {
            // SAFETY: a module whose loading failed is still the caller's to free.
            unsafe { ffi::m3_FreeModule(module) };
        }
        loaded?;
        // SAFETY: `module` is loaded; the runtime owns it until `self` is dropped.
        unsafe { link(module) }?;
        // SAFETY: as above.
        check(unsafe { ffi::m3_RunStart(module) })
    }

    fn parse(&self) -> Result<*mut ffi::Module, String> {
        let length = u32::try_from(self.wasm.len()).map_err(|_| "module too large")?;
        let mut module = ptr::null_mut();
        let bytes = self.wasm.as_ptr();
        // SAFETY: `environment` is not null; the bytes live and stay where they are until `self`
        // is dropped, after the module.
        check(unsafe { ffi::m3_ParseModule(self.environment, &mut module, bytes, length) })?;
        Ok(module)
    }

    /// Looks up an exported function of type `i32` to `i64`, `i32` to `i32`, or nothing to nothing.
    pub fn function(&mut self, name: &str) -> Result<Function, String> {
        let c_name = CString::new(name).map_err(|e| e.to_string())?;
        let mut raw = ptr::null_mut();
        // SAFETY: `runtime` is not null and has a module; the name ends with a zero.
        check(unsafe { ffi::m3_FindFunction(&mut raw, self.runtime, c_name.as_ptr()) })?;
        // SAFETY: `raw` has just been found in `runtime`, which lives.
        let signature = unsafe { signature(raw) }.ok_or_else(|| format!("{name}: its type"))?;
        Ok(Function { instance: self.id, signature, raw })
    }

    /// Calls a function of type `i32` to `i64`.
    pub fn call_i32_i64(&mut self, function: &Function, argument: i32) -> Result<i64, String> {
        self.check_call(function, Signature::I32ToI64)?;
        let mut result = 0_i64;
        // SAFETY: the function is this instance's and of the type that the arguments say.
        unsafe { call(function.raw, &argument, &mut result) }?;
        Ok(result)
    }

    /// Calls a function of type `i32` to `i32`.
    pub fn call_i32_i32(&mut self, function: &Function, argument: i32) -> Result<i32, String> {
        self.check_call(function, Signature::I32ToI32)?;
        let mut result = 0_i32;
        // SAFETY: the function is this instance's and of the type that the arguments say.
        unsafe { call(function.raw, &argument, &mut result) }?;
        Ok(result)
    }

    /// Calls a function without parameters and results.
    pub fn call_void(&mut self, function: &Function) -> Result<(), String> {
        self.check_call(function, Signature::Nothing)?;
        // SAFETY: the function is this instance's, which lives, and has no parameters.
        check(unsafe { ffi::m3_Call(function.raw, 0, ptr::null()) })
    }

    fn check_call(&self, function: &Function, signature: Signature) -> Result<(), String> {
        if function.instance == self.id && function.signature == signature {
            return Ok(());
        }
        Err("a function of another instance or type".to_owned())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if !self.runtime.is_null() {
            // SAFETY: made by `m3_NewRuntime`, freed here only; the module's bytes still live.
            unsafe { ffi::m3_FreeRuntime(self.runtime) };
        }
        // SAFETY: made by `m3_NewEnvironment`, freed here only, after its runtime.
        unsafe { ffi::m3_FreeEnvironment(self.environment) };
    }
}

/// # Safety
/// `raw` must be of a living instance, and take one `A` and give one `R`.
unsafe fn call<A, R>(raw: *mut ffi::Function, argument: &A, result: &mut R) -> Result<(), String> {
    let arguments = [ptr::from_ref(argument).cast::<c_void>()];
    // SAFETY: the caller's promise; wasm3 reads one value of the function's own parameter type.
    check(unsafe { ffi::m3_Call(raw, 1, arguments.as_ptr()) })?;
    let results = [ptr::from_mut(result).cast_const().cast::<c_void>()];
    // SAFETY: the caller's promise; wasm3 writes one value of the function's own result type.
    check(unsafe { ffi::m3_GetResults(raw, 1, results.as_ptr()) })
}

/// # Safety
/// `module` must be loaded in a living runtime.
unsafe fn link(module: *mut ffi::Module) -> Result<(), String> {
    let functions: [(&CStr, &CStr, ffi::RawCall); 2] =
        [(c"next", c"i(i)", next), (c"nothing", c"v()", nothing)];
    for (name, signature, function) in functions {
        let (name, signature) = (name.as_ptr(), signature.as_ptr());
        // SAFETY: the caller's promise; the texts end with a zero, and the function reads and
        // writes the slots that its signature says.
        let result =
            unsafe { ffi::m3_LinkRawFunction(module, c"env".as_ptr(), name, signature, function) };
        // SAFETY: a constant of wasm3's, never written to.
        if result != unsafe { ffi::m3Err_functionLookupFailed } {
            check(result)?;
        }
    }
    Ok(())
}

/// # Safety
/// `raw` must be of a living instance.
unsafe fn signature(raw: *mut ffi::Function) -> Option<Signature> {
    // SAFETY: the caller's promise.
    let counts = unsafe { (ffi::m3_GetArgCount(raw), ffi::m3_GetRetCount(raw)) };
    if counts == (0, 0) {
        return Some(Signature::Nothing);
    }
    // SAFETY: the caller's promise; an index out of range gives the type "none".
    let types: (c_int, c_int) = unsafe { (ffi::m3_GetArgType(raw, 0), ffi::m3_GetRetType(raw, 0)) };
    match (counts, types) {
        ((1, 1), (ffi::TYPE_I32, ffi::TYPE_I64)) => Some(Signature::I32ToI64),
        ((1, 1), (ffi::TYPE_I32, ffi::TYPE_I32)) => Some(Signature::I32ToI32),
        _ => None,
    }
}

extern "C" fn next(
    _: *mut ffi::Runtime,
    _: *mut c_void,
    slots: *mut u64,
    _: *mut c_void,
) -> *const c_void {
    // SAFETY: linked as `i(i)`: wasm3 gives a slot for the result, and one with the argument.
    unsafe { slots.cast::<i32>().write(slots.add(1).cast::<i32>().read().wrapping_add(1)) };
    ptr::null()
}

extern "C" fn nothing(
    _: *mut ffi::Runtime,
    _: *mut c_void,
    _: *mut u64,
    _: *mut c_void,
) -> *const c_void {
    ptr::null()
}

fn non_null<T>(pointer: *mut T) -> Result<*mut T, String> {
    if pointer.is_null() { Err("no memory".to_owned()) } else { Ok(pointer) }
}

fn check(result: ffi::Result) -> Result<(), String> {
    if result.is_null() {
        return Ok(());
    }
    // SAFETY: not null, so it is the static text of an error.
    let text = unsafe { CStr::from_ptr(result) };
    Err(text.to_string_lossy().into_owned())
}
