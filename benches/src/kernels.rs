//! What `compute` runs: the only file that knows where kernels come from.

/// The module that exports every kernel, and `nop: (i32) -> i64`.
pub const WASM: &[u8] = include_bytes!("../../fixtures/wasm/workload.wasm");

/// A function `(i32) -> i64`, an argument and the answer it must give.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// The name of the export.
    pub name: &'static str,
    /// The argument.
    pub argument: i32,
    /// The answer.
    pub answer: i64,
    /// The same function, compiled for this machine.
    pub native: extern "C" fn(i32) -> i64,
}

/// The kernels.
pub fn all() -> Vec<Kernel> {
    let kernel = |(name, argument, answer)| {
        let native = workload::kernel(name).unwrap_or_else(|| panic!("no kernel `{name}`"));
        Kernel { name, argument, answer, native }
    };
    workload::CASES.into_iter().map(kernel).collect()
}
