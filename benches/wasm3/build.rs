//! Compiles wasm3's C source, which the package `wasm3x-sys` carries.

#[path = "../c_peer.rs"]
mod c_peer;

/// The interpreter without its WASI, libc and tracing host functions.
const FILES: [&str; 11] = [
    "bind", "code", "compile", "core", "env", "exec", "function", "info", "module", "parse",
    "validate",
];

/// How much of the host's stack recursion may take. wasm3's own limit is nearly 8 MiB, and a
/// thread of Rust's has 2.
const HOST_STACK_BYTES: &str = "1048576";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../c_peer.rs");
    let source = c_peer::package_folder("wasm3x-sys").join("wasm3/source");
    let mut build = cc::Build::new();
    build.include(&source).files(FILES.map(|file| source.join(format!("m3_{file}.c"))));
    // The fast build whatever cargo's profile: without optimisation gcc makes a dispatch a call
    // and not a jump, and a long function overflows the host's stack.
    build.opt_level(3).debug(false).define("NDEBUG", None).warnings(false);
    build.define("d_m3LogOutput", "0").define("d_m3MaxNativeStack", HOST_STACK_BYTES);
    println!("cargo::rustc-env=PEER_WASM3_COMPILER={}", c_peer::compiler(&build));
    build.compile("wasm3");
}
