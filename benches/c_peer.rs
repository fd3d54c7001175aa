//! For the build scripts of the peers written in C: where cargo keeps the source of a package that
//! is locked and downloaded but never built, and which compiler there is.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The folder of the package `name`, which the crate being built depends on for no platform.
pub fn package_folder(name: &str) -> PathBuf {
    // Without the network first: a locked package that is here needs none.
    let text =
        metadata(&["--offline"]).or_else(|_| metadata(&[])).unwrap_or_else(|e| panic!("{e}"));
    let metadata: Value = serde_json::from_str(&text).expect("cargo metadata writes JSON");
    let manifest = manifest_of(&metadata, name).unwrap_or_else(|| panic!("{name} is not locked"));
    Path::new(manifest).parent().expect("a manifest is in a folder").to_owned()
}

fn metadata(more: &[&str]) -> Result<String, String> {
    let cargo = env::var_os("CARGO").expect("cargo sets CARGO");
    let manifest = env::var_os("CARGO_MANIFEST_PATH").expect("cargo sets CARGO_MANIFEST_PATH");
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked", "--manifest-path"]);
    let output = command.arg(manifest).args(more).output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8(output.stdout).map_err(|e| e.to_string())
}

fn manifest_of<'a>(metadata: &'a Value, name: &str) -> Option<&'a str> {
    let packages = metadata["packages"].as_array()?;
    packages.iter().find(|package| package["name"] == name)?["manifest_path"].as_str()
}

/// The first line that the compiler says of its version.
pub fn compiler(build: &cc::Build) -> String {
    let output = build.get_compiler().to_command().arg("--version").output();
    let text = output.expect("a C compiler").stdout;
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}
