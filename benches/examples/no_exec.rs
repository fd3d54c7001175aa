//! Who runs a plugin where executable memory is forbidden: this library, wasmtime with its compiler
//! Cranelift, wasmtime with its interpreter Pulley; each without a ban, under the kernel's and under a
//! filter that ends the process, in a process of its own. For Linux on x86-64 and AArch64.
//!
//! `cargo run --manifest-path benches/Cargo.toml --profile quick --example no_exec`
//!
//! Ends with 1 if it is not as it should be: only Cranelift fails, and only under a ban.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "../../tests/no_exec/ban.rs"]
#[allow(unsafe_code, dead_code)] // system calls; the test needs more of it
mod ban;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn main() -> std::process::ExitCode {
    eprintln!("the bans are Linux's, on x86-64 and AArch64");
    std::process::ExitCode::FAILURE
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux {
    use crate::ban::Ban;
    use std::{
        env,
        error::Error,
        os::unix::process::ExitStatusExt,
        process::{Command, ExitCode},
    };
    use wasm_runtime::{WasmInstanceConfig, WasmPluginRegistry, WasmValue};

    type Outcome = Result<(), Box<dyn Error>>;

    /// What every runtime runs: `sieve` of this plugin.
    static KERNELS: &[u8] = include_bytes!("../../fixtures/wasm/kernels.wasm");
    const UP_TO: i32 = 1_000;
    const PRIMES: i32 = 168;
    const NO_BAN: &str = "no ban";
    /// `SIGSYS`, by which the filter ends a process, and what x86-64 and AArch64 call it.
    const SIGSYS: i32 = 31;

    #[derive(Clone, Copy, PartialEq)]
    enum Runtime {
        Ours,
        Cranelift,
        Pulley,
    }

    impl Runtime {
        const ALL: [Self; 3] = [Self::Ours, Self::Cranelift, Self::Pulley];

        fn name(self) -> &'static str {
            match self {
                Self::Ours => "wasm-plugin-runtime",
                Self::Cranelift => "wasmtime, Cranelift",
                Self::Pulley => "wasmtime, Pulley",
            }
        }

        fn run(self) -> Outcome {
            let primes = match self {
                Self::Ours => ours()?,
                Self::Cranelift => wasmtime(&wasmtime::Config::new())?,
                Self::Pulley => wasmtime(wasmtime::Config::new().target("pulley64")?)?,
            };
            if primes == PRIMES { Ok(()) } else { Err(format!("{primes} primes").into()) }
        }
    }

    pub(crate) fn main() -> ExitCode {
        let given: Vec<String> = env::args().skip(1).collect();
        let result = match given.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => compare(),
            [runtime, ban] => perform(runtime, ban),
            _ => Err("usage: no_exec".into()),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    }

    /// In a process of its own.
    fn perform(runtime: &str, ban: &str) -> Outcome {
        if let Some(ban) = Ban::from_name(ban) {
            ban.impose()?;
        }
        let runtime = Runtime::ALL.into_iter().find(|known| known.name() == runtime);
        runtime.ok_or("no such runtime")?.run()?;
        println!("runs");
        Ok(())
    }

    fn compare() -> Outcome {
        let bans = [NO_BAN, Ban::Mdwe.name(), Ban::Seccomp.name()];
        let mut wrong = Vec::new();
        println!("{:<20} | {:<8} | what came of it", "runtime", "ban");
        for runtime in Runtime::ALL {
            for ban in bans {
                let (what, as_expected) = in_process(runtime, ban)?;
                println!("{:<20} | {ban:<8} | {what}", runtime.name());
                if !as_expected {
                    wrong.push(format!("{} under {ban}", runtime.name()));
                }
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("unexpected: {}", wrong.join(", ")).into())
        }
    }

    /// What came of it, and whether that is what it should be.
    fn in_process(runtime: Runtime, ban: &str) -> Result<(String, bool), Box<dyn Error>> {
        let output = Command::new(env::current_exe()?).args([runtime.name(), ban]).output()?;
        let ran = output.status.success() && output.stdout == b"runs\n";
        let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let signal = output.status.signal();
        let what = match signal {
            Some(SIGSYS) => "ended by SIGSYS".to_owned(),
            Some(number) => format!("ended by signal {number}"),
            None if ran => "runs".to_owned(),
            None => error.clone(),
        };
        let as_expected = match Ban::from_name(ban).filter(|_| runtime == Runtime::Cranelift) {
            None => ran,
            Some(Ban::Mdwe) => signal.is_none() && !ran && error.contains("executable"),
            Some(Ban::Seccomp) => signal == Some(SIGSYS),
        };
        Ok((what, as_expected))
    }

    fn ours() -> Result<i32, Box<dyn Error>> {
        let registry = WasmPluginRegistry::new();
        registry.load("kernels", KERNELS, WasmInstanceConfig::default())?;
        match *registry.call("kernels", "sieve", &[WasmValue::I32(UP_TO)])? {
            [WasmValue::I32(primes)] => Ok(primes),
            _ => Err("not one i32".into()),
        }
    }

    fn wasmtime(config: &wasmtime::Config) -> Result<i32, Box<dyn Error>> {
        let engine = wasmtime::Engine::new(config)?;
        let module = wasmtime::Module::new(&engine, KERNELS)?;
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = wasmtime::Linker::new(&engine).instantiate(&mut store, &module)?;
        let sieve = instance.get_typed_func::<i32, i32>(&mut store, "sieve")?;
        Ok(sieve.call(&mut store, UP_TO)?)
    }
}
