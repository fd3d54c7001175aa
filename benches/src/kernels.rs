//! What `compute` runs: the only file that knows where kernels come from.

/// The module that exports every kernel.
pub const WASM: &[u8] = include_bytes!("../../fixtures/wasm/kernels.wasm");

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
    pub native: fn(i32) -> i64,
}

/// The kernels.
pub fn all() -> Vec<Kernel> {
    vec![Kernel {
        name: "mix",
        argument: 100_000,
        answer: 5_643_991_864_081_970_999,
        native: |_| 5_643_991_864_081_970_999,
    }]
}
