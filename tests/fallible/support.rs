//! What the tests share: modules, configurations, and this program once more, as a child.

use std::{
    env, fs,
    process::{Command, Output},
};
use wasm_runtime::{ModuleLimits, WasmInstanceConfig, WasmPluginCapabilities};

/// A committed module of `fixtures/wasm`, such as `counter` or `misbehaving/traps`.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/wasm/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of all committed modules.
pub fn fixtures() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["", "misbehaving/"] {
        let path = format!("{}/fixtures/wasm/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(path).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            names.extend(file.strip_suffix(".wasm").map(|name| format!("{folder}{name}")));
        }
    }
    names.sort();
    names
}

/// A module written in place.
pub fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Everything granted, one sandbox, no deadline.
pub fn config() -> WasmInstanceConfig {
    let everything = || vec!["*".to_string()];
    WasmInstanceConfig {
        max_instances: 1,
        trim_idle: true,
        capabilities: WasmPluginCapabilities {
            can_read_table: everything(),
            can_write_table: everything(),
            can_call_plugin: everything(),
            timeout_ms: 0,
            ..WasmPluginCapabilities::default()
        },
        limits: ModuleLimits { max_stack_bytes: 64 << 10, ..ModuleLimits::default() },
        ..WasmInstanceConfig::default()
    }
}

/// Runs one test of this program in a process of its own, with a variable that tells it to.
pub fn child(test: &str, variable: &str, value: &str) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(variable, value).env("RUST_BACKTRACE", "0").output().unwrap()
}

/// A module whose code takes some hundred times its bytes: `n` branches, each with 32 values.
pub fn bomb(n: usize) -> Vec<u8> {
    let values = "i32 ".repeat(32);
    let (push, pop) = ("i32.const 5 ".repeat(32), "drop ".repeat(32));
    let branches = "local.get 0 br_if 0 ".repeat(n);
    wat(&format!("(module (func (param i32) block (result {values}) {push} {branches} end {pop}))"))
}

/// Numbers that are the same each time.
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
