//! What a host answers with, and the status that the guest sees.

use crate::{
    probe::{FUNCTIONS, Probe, ordinary},
    support::fixture,
};
use log::Level;
use std::sync::Arc;
use wasm_runtime::{
    ErrorKind, Host, HostCall, HostError, LogMessage, Metric, Nearest, Output, Query,
    WasmPluginRegistry,
};

/// A host in which everything fails in one way.
struct Failing {
    error: HostError,
    /// Whether it says to which tables its indexes and collections belong.
    has_tables: bool,
}

impl Failing {
    fn table(&self) -> Result<Arc<str>, HostError> {
        match self.has_tables {
            true => Ok("users".into()),
            false => Err(self.error),
        }
    }
}

/// Both ways a search can fail: before its grant for the table is checked, and after.
fn failing(error: HostError) -> [Failing; 2] {
    [true, false].map(|has_tables| Failing { error, has_tables })
}

impl Host for Failing {
    fn read(
        &self,
        _: &mut HostCall<'_, Self>,
        _: &str,
        _: &[u8],
        _: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        Err(self.error)
    }
    fn scan(
        &self,
        _: &mut HostCall<'_, Self>,
        _: &str,
        _: &[u8],
        _: u32,
        _: &mut Output<'_>,
    ) -> Result<(), HostError> {
        Err(self.error)
    }
    fn write(
        &self,
        _: &mut HostCall<'_, Self>,
        _: &str,
        _: &[u8],
        _: &[u8],
    ) -> Result<bool, HostError> {
        Err(self.error)
    }
    fn delete(&self, _: &mut HostCall<'_, Self>, _: &str, _: &[u8]) -> Result<(), HostError> {
        Err(self.error)
    }
    fn collection_table(&self, _: &HostCall<'_, Self>, _: &str) -> Result<Arc<str>, HostError> {
        self.table()
    }
    fn vector_search(
        &self,
        _: &mut HostCall<'_, Self>,
        _: &str,
        _: Query<'_>,
        _: &mut Nearest<'_>,
    ) -> Result<(), HostError> {
        Err(self.error)
    }
    fn index_table(&self, _: &HostCall<'_, Self>, _: &str) -> Result<Arc<str>, HostError> {
        self.table()
    }
    fn index_lookup(
        &self,
        _: &mut HostCall<'_, Self>,
        _: &str,
        _: &[u8],
        _: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        Err(self.error)
    }
    fn index_range(
        &self,
        _: &mut HostCall<'_, Self>,
        _: &str,
        _: &[u8],
        _: &[u8],
        _: u32,
        _: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        Err(self.error)
    }
    fn emit_metric(&self, _: &mut HostCall<'_, Self>, _: &Metric<'_>) -> Result<(), HostError> {
        Err(self.error)
    }
    fn log(
        &self,
        _: &mut HostCall<'_, Self>,
        _: Level,
        _: LogMessage<'_>,
    ) -> Result<(), HostError> {
        Err(self.error)
    }
    fn setting(
        &self,
        _: &mut HostCall<'_, Self>,
        _: &str,
        _: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        Err(self.error)
    }
}

/// A host that implements nothing.
struct Bare;

impl Host for Bare {}

/// The functions that a host implements, whose settings the configuration does not have.
fn asks_the_host() -> impl Iterator<Item = &'static crate::probe::Function> {
    FUNCTIONS.iter().filter(|function| !matches!(function.name, "call_plugin" | "last_answer"))
}

fn probe<H: Host>(host: H) -> Probe<H> {
    let config = wasm_runtime::WasmInstanceConfig { settings: vec![], ..ordinary() };
    Probe::on(WasmPluginRegistry::with_host(host), config)
}

#[test]
fn every_failure_of_a_host_reaches_the_guest_as_its_status() {
    let statuses = [
        (HostError::Denied, -1),
        (HostError::NotFound, -2),
        (HostError::InvalidArguments, -3),
        (HostError::Failed, -4),
        (HostError::LimitReached, -5),
        (HostError::NotSupported, -6),
        (HostError::PluginFailed, -7),
    ];
    for (error, status) in statuses {
        for host in failing(error) {
            let probe = probe(host);
            for function in asks_the_host() {
                let answer = probe.call_values(function.name, &function.args(function.pairs));
                assert_eq!(answer.unwrap(), status, "{} with {error:?}", function.name);
            }
        }
    }
}

#[test]
fn a_failure_without_a_status_ends_the_call() {
    let ends = [
        (HostError::OutOfFuel, ErrorKind::OutOfFuel),
        (HostError::Deadline, ErrorKind::Deadline),
        (HostError::Abort("the disk is on fire"), ErrorKind::Host),
    ];
    for (end, kind) in ends {
        for (function, host) in asks_the_host().flat_map(|f| failing(end).map(|host| (f, host))) {
            let probe = probe(host);
            let answer = probe.call_values(function.name, &function.args(function.pairs));
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), kind, "{}", function.name);
            if kind == ErrorKind::Host {
                let text = error.to_string();
                assert!(text.contains("the disk is on fire") && text.contains(function.name));
            }
        }
    }
}

#[test]
fn a_host_that_implements_nothing_supports_nothing_and_has_no_settings() {
    let probe = probe(Bare);
    for function in asks_the_host() {
        let answer = probe.call_values(function.name, &function.args(function.pairs)).unwrap();
        let expected = if function.name == "get_config" { -2 } else { -6 };
        assert_eq!(answer, expected, "{}", function.name);
    }
    probe.registry.load("echo", &fixture("echo"), ordinary()).unwrap();
    for function in FUNCTIONS.iter().filter(|f| matches!(f.name, "call_plugin" | "last_answer")) {
        let answer = probe.call_values(function.name, &function.args(function.pairs)).unwrap();
        assert_eq!(answer, function.answer, "{}", function.name);
    }
}

#[test]
fn the_ordinary_call_of_every_function_succeeds() {
    let probe = Probe::new();
    for function in &FUNCTIONS {
        assert_eq!(probe.run(function, function.pairs), function.answer, "{}", function.name);
    }
}
