//! Something to be timed.

use std::fmt;

pub use film::rows::Run;

/// What belongs into one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The host calls a guest.
    GuestCall,
    /// A guest calls the host.
    HostCall,
    /// A guest calls each of this library's own host functions.
    HostFunctions,
    /// A compiled module becomes an instance, which is called once.
    Instantiate,
    /// Bytes become a compiled module.
    Load,
    /// A guest computes.
    Compute,
    /// A guest computes, and is left and gone on with.
    Slicing,
    /// Calls go round many idle plugins.
    Tenants,
    /// Threads call at the same time.
    Threads,
}

impl Group {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 9] = [
        Self::GuestCall,
        Self::HostCall,
        Self::HostFunctions,
        Self::Instantiate,
        Self::Load,
        Self::Compute,
        Self::Slicing,
        Self::Tenants,
        Self::Threads,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GuestCall => "guest_call",
            Self::HostCall => "host_call",
            Self::HostFunctions => "host_functions",
            Self::Instantiate => "instantiate",
            Self::Load => "load",
            Self::Compute => "compute",
            Self::Slicing => "slicing",
            Self::Tenants => "tenants",
            Self::Threads => "threads",
        }
    }
}

/// What runs a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runtime {
    /// wasmi, as an experienced embedder writes it by hand.
    Raw,
    /// This library.
    Ours,
    /// wasmtime's interpreter.
    Pulley,
    /// tinywasm.
    Tinywasm,
    /// wasm3.
    Wasm3,
    /// WAMR's fast interpreter.
    Wamr,
    /// wasmtime's JIT.
    Cranelift,
    /// The same source, compiled for this machine.
    Native,
}

impl Runtime {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw wasmi",
            Self::Ours => "this library",
            Self::Pulley => "wasmtime Pulley",
            Self::Tinywasm => "tinywasm",
            Self::Wasm3 => "wasm3",
            Self::Wamr => "WAMR",
            Self::Cranelift => "wasmtime Cranelift",
            Self::Native => "native",
        }
    }
}

/// Who does it and in which way: a line of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The runtime.
    pub runtime: Runtime,
    /// The way, with whether fuel is metered; may be empty.
    pub how: &'static str,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.runtime.name())?;
        if self.how.is_empty() { Ok(()) } else { write!(f, ", {}", self.how) }
    }
}

/// Something to be timed: one cell of a table.
pub struct Case {
    /// The table.
    pub group: Group,
    /// What is done: a column of the table.
    pub task: String,
    /// Who does it: a line of the table.
    pub line: Line,
    /// A task of the same line whose time is part of this one's and is taken off.
    pub less: Option<&'static str>,
    /// In how many units of work the time is divided: 1, or the module's KB.
    pub units: f64,
    make: Box<dyn Fn() -> Option<Run>>,
}

impl Case {
    /// A case of one unit that takes nothing off.
    pub fn new(
        group: Group,
        task: impl Into<String>,
        line: Line,
        make: impl Fn() -> Option<Run> + 'static,
    ) -> Self {
        Self { group, task: task.into(), line, less: None, units: 1.0, make: Box::new(make) }
    }

    /// Makes it ready: what comes back does it as often as it is told, and checks each result.
    /// `None` where the runtime does not take part.
    pub fn make(&self) -> Option<Run> {
        (self.make)()
    }
}

/// One of the film's operations, made ready.
pub fn film_run(name: &str) -> Run {
    let operation = film::rows::OPERATIONS.into_iter().find(|operation| operation.name == name);
    (operation.unwrap_or_else(|| panic!("the film has no `{name}`")).make)()
}
