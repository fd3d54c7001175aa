//! The modules that are loaded and instantiated.

/// A module that needs no more than `env.nothing` and `env.next`, and exports `nop: (i32) -> i64`
/// unless it is only loaded.
#[derive(Clone)]
pub struct Module {
    /// What it is called in tables.
    pub name: String,
    /// Its bytes.
    pub wasm: Vec<u8>,
}

impl Module {
    /// A small module with a memory of so many pages.
    pub fn pages(pages: u32) -> Self {
        let text = format!(
            "(module
               (import \"env\" \"nothing\" (func $nothing))
               (import \"env\" \"next\" (func $next (param i32) (result i32)))
               (memory (export \"memory\") {pages})
               (func (export \"nop\") (param i32) (result i64)
                 (i64.extend_i32_s (local.get 0))))"
        );
        let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
        let plural = if pages == 1 { "" } else { "s" };
        Self { name: format!("{pages} page{plural}"), wasm }
    }

    /// The library's plugin `metrics`, in Rust without `std`.
    pub fn metrics() -> Self {
        let wasm = include_bytes!("../../fixtures/wasm/metrics.wasm");
        Self::sized("metrics", wasm)
    }

    /// The module of the compute kernels, in Rust with real libraries.
    pub fn workload() -> Self {
        Self::sized("workload", crate::kernels::WASM)
    }

    fn sized(name: &str, wasm: &[u8]) -> Self {
        Self { name: format!("{name}, {:.0} KB", kilobytes(wasm)), wasm: wasm.into() }
    }

    /// Its size in KB of 1,024 bytes.
    pub fn kilobytes(&self) -> f64 {
        kilobytes(&self.wasm)
    }
}

fn kilobytes(wasm: &[u8]) -> f64 {
    wasm.len() as f64 / 1_024.0
}
