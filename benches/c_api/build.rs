//! Compiles the loops in C.

fn main() {
    println!("cargo::rerun-if-changed=src/loops.c");
    println!("cargo::rerun-if-changed=../../capi/include/wasm_runtime.h");
    cc::Build::new()
        .file("src/loops.c")
        .include("../../capi/include")
        .std("c11")
        .opt_level(2)
        .warnings_into_errors(true)
        .extra_warnings(true)
        .compile("loops");
}
