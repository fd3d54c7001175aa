//! Plugins run in a process that can never have executable memory beyond what it was started with.
#![cfg(target_os = "linux")]
#![allow(missing_docs, unsafe_code)] // two system calls that std does not have
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, process::Command};
use wasm_runtime::{WasmInstanceConfig, WasmPluginRegistry, WasmValue};

/// Set in the process that runs the plugins.
const INNER: &str = "NO_EXEC_INNER";
const PR_SET_MDWE: libc::c_int = 65;
const PR_MDWE_REFUSE_EXEC_GAIN: libc::c_ulong = 1;

/// The prohibition holds for a whole process for ever, so a process of its own makes it.
#[test]
fn plugins_run_where_the_kernel_refuses_executable_memory() {
    if std::env::var_os(INNER).is_some() {
        return run_plugins();
    }
    let name = "plugins_run_where_the_kernel_refuses_executable_memory";
    let inner = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(INNER, "1")
        .output()
        .unwrap();
    assert!(inner.status.success(), "{}", String::from_utf8_lossy(&inner.stderr));
}

fn run_plugins() {
    // Linux has the prohibition since 6.3. Elsewhere the list of mappings has to do.
    if forbid_executable_memory() {
        assert!(!can_make_executable_memory(), "the kernel does not refuse it after all");
    }
    let before = executable_mappings();
    let registry = WasmPluginRegistry::builder().build().unwrap();
    let wasm = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wasm/kernels.wasm"));
    registry.load("kernels", &wasm.unwrap(), WasmInstanceConfig::default()).unwrap();
    let primes = registry.call("kernels", "sieve", &[WasmValue::I32(1_000)]).unwrap();
    assert_eq!(*primes, [WasmValue::I32(168)]);
    assert_eq!(executable_mappings(), before);
}

fn forbid_executable_memory() -> bool {
    // SAFETY: this `prctl` takes numbers only and touches no memory of ours.
    unsafe { libc::prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0_u64, 0_u64, 0_u64) == 0 }
}

fn can_make_executable_memory() -> bool {
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the kernel's choice, which nobody uses.
    unsafe { libc::mmap(core::ptr::null_mut(), 4096, protection, flags, -1, 0) != libc::MAP_FAILED }
}

/// The mappings of this process that can be executed, by address.
fn executable_mappings() -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let executable = |line: &&str| line.split(' ').nth(1).is_some_and(|mode| mode.contains('x'));
    maps.lines().filter(executable).map(Into::into).collect()
}
