//! The shadow stack lies below everything else, so that its overflow is a trap.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for argument in ["--stack-first", "-zstack-size=262144"] {
        println!("cargo:rustc-link-arg-cdylib={argument}");
    }
}
