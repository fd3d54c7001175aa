//! Extensions that take in what a program tells of itself: counts, measurements, spans, log lines.

mod plugin;
mod record;

pub use self::plugin::WasmObservabilityPlugin;

use crate::LogLevel;
use alloc::{string::String, vec::Vec};

/// What an extension does for the program it extends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExtensionCapability {
    /// Keeps data.
    Storage,
    /// Finds data.
    Index,
    /// Takes in metrics, spans and log lines.
    Observability,
    /// Makes data smaller.
    Compression,
    /// Something else, by name.
    Custom(String),
}

/// What an extension says of itself. Nobody has checked it: a plugin may call itself what it likes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionInfo {
    /// What it is called.
    pub name: String,
    /// Which version it is, in a scheme of its own.
    pub version: String,
    /// What it is for; may be empty.
    pub description: String,
    /// Who made it; may be empty.
    pub author: String,
    /// What it does.
    pub capabilities: Vec<ExtensionCapability>,
}

/// Something that extends a program.
pub trait Extension: Send + Sync {
    /// Returns what the extension says of itself.
    fn info(&self) -> ExtensionInfo;
}

/// Takes in what a program tells of itself.
///
/// Telling never fails: a program must not depend on whether anyone listens. Methods may be called
/// from several threads at once.
pub trait ObservabilityExtension: Extension {
    /// Adds `value` to a counter.
    fn counter_inc(&self, name: &str, value: u64, labels: &[(&str, &str)]);

    /// Sets a gauge to `value`, which may be any number, NaN and the infinities included.
    fn gauge_set(&self, name: &str, value: f64, labels: &[(&str, &str)]);

    /// Counts `value` in a distribution; it may be any number, NaN and the infinities included.
    fn histogram_observe(&self, name: &str, value: f64, labels: &[(&str, &str)]);

    /// Begins a span, inside of `parent` if there is one, and returns its number: never 0, and no
    /// other span of this extension has it.
    fn span_start(&self, name: &str, parent: Option<u64>) -> u64;

    /// Ends the span that [`span_start`](Self::span_start) numbered `span`.
    fn span_end(&self, span: u64);

    /// Notes that something happened in a span.
    fn span_event(&self, span: u64, name: &str, attributes: &[(&str, &str)]);

    /// Takes in a line for the log.
    fn log(&self, level: LogLevel, message: &str, fields: &[(&str, &str)]);
}

/// What became of the events given to a [`WasmObservabilityPlugin`]: each is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ObservabilityStats {
    /// The plugin took it in.
    pub delivered: u64,
    /// The plugin did not: it trapped, spent its fuel or its time, answered a status or something
    /// that is no answer, had no memory for it, or is unloaded or not initialised.
    pub failed: u64,
    /// The plugin has no such function of the byte convention.
    pub ignored: u64,
    /// All its sandboxes were busy.
    pub dropped: u64,
    /// The record would be longer than 16 KiB, so the plugin was not called.
    pub too_long: u64,
}
