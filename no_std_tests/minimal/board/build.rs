//! Gives the linker the board's memory.

use std::{env, fs, path::Path};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = env::var("OUT_DIR")?;
    fs::copy("memory.x", Path::new(&folder).join("memory.x"))?;
    println!("cargo:rustc-link-search={folder}");
    println!("cargo:rerun-if-changed=memory.x");
    Ok(())
}
