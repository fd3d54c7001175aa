//! Tells the report how it was built.

use std::{env, process::Command};

fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output();
    let version = version.map_or_else(|_| Vec::new(), |output| output.stdout);
    println!("cargo::rustc-env=BENCHES_RUSTC={}", String::from_utf8_lossy(&version).trim());
    // `target/PROFILE/build/benches-HASH/out`: cargo tells a build script no custom profile's name.
    let out = env::var("OUT_DIR").unwrap_or_default();
    let profile = out.rsplit(['/', '\\']).nth(3).unwrap_or_default();
    println!("cargo::rustc-env=BENCHES_PROFILE={profile}");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default().replace('\x1f', " ");
    println!("cargo::rustc-env=BENCHES_RUSTFLAGS={flags}");
    println!("cargo::rerun-if-changed=build.rs");
}
