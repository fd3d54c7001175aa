//! Links by cortex-m-rt's script and the board's memory map.

use std::env;

fn main() {
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rustc-link-search={folder}");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    // Without it the linker would pad the vector table's segment down to a page before flash.
    println!("cargo:rustc-link-arg-bins=--nmagic");
}
