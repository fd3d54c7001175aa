//! A plugin that takes in what its host tells of itself.

use super::{
    Extension, ExtensionCapability, ExtensionInfo, ObservabilityExtension, ObservabilityStats,
    record::Record,
};
use crate::{
    CallOptions, EmbeddedHost, ErrorKind, LogLevel, WasmPluginInstance,
    engine::{ExportedFunction, Failure, Input, Sandbox},
    host::{Host, take_field},
    plugin::Visit,
    report,
    sync::{Arc, AtomicU64, Ordering},
};
use alloc::{string::String, vec};

/// The longest record, in bytes.
const MAX_RECORD_BYTES: usize = 16 << 10;
/// The longest text of what a plugin says of itself, in bytes.
const MAX_INFO_BYTES: usize = 128;
/// How often a free sandbox is looked for.
const MAX_TRIES: u32 = 1_000;

/// An [`ObservabilityExtension`] that hands each event to a plugin.
///
/// An event is a call of the plugin like any other: it has the plugin's fuel, timeout and
/// statistics, and a plugin that misbehaves is cut off without the program noticing. Events never
/// fail and never wait for a lock; [`stats`](Self::stats) says what became of them. Delivering one to
/// a plugin that takes it in allocates nothing once the sandbox is warm, and neither does ignoring
/// one.
///
/// **Load the plugin with [`max_instances: 1`](crate::WasmInstanceConfig::max_instances)**, so that
/// one state sees all events. With more, each sandbox adds up what came to it. While the sandbox is
/// busy with another thread's event, it is tried 1,000 times, which takes some tens of microseconds;
/// then the event is dropped. So is what happens inside of the plugin's own call, when a host
/// function or a logger tells of it: with one sandbox, events cannot go round in circles; with more,
/// as deep as there are sandboxes, on the native stack. A trap, or
/// [`ResetPolicy::AfterCall`](crate::ResetPolicy::AfterCall), costs the plugin its state.
///
/// [`WasmPluginCapabilities::observability_only`](crate::WasmPluginCapabilities::observability_only)
/// are limits that fit.
///
/// ```
/// use std::sync::Arc;
/// use wasm_runtime::{
///     ObservabilityExtension, WasmInstanceConfig, WasmObservabilityPlugin,
///     WasmPluginCapabilities, WasmPluginRegistry,
/// };
///
/// let registry = WasmPluginRegistry::new();
/// let config = WasmInstanceConfig {
///     capabilities: WasmPluginCapabilities::observability_only(),
///     max_instances: 1,
///     ..WasmInstanceConfig::default()
/// };
/// registry.load_from_file("metrics", "fixtures/wasm/metrics.wasm", config)?;
/// let plugin = registry.get("metrics").ok_or("not loaded")?;
///
/// let metrics = WasmObservabilityPlugin::new(Arc::clone(&plugin));
/// metrics.counter_inc("requests", 42, &[("method", "GET")]);
/// assert_eq!(metrics.stats().delivered, 1);
/// assert_eq!(plugin.call_bytes("snapshot", b"requests")?, b"counter requests{method=GET} 42\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What the plugin exports
///
/// Functions of the byte convention, `(ptr: i32, len: i32) -> i64`, named like the methods (but for
/// `log`, which is a function of C's library), and `soch_alloc` and `memory` as for any such function. It has those it wants: an event without a
/// function is ignored. The input is one record, little-endian; a field is a `u32` length and so
/// many bytes of UTF-8; labels, attributes and fields of a log line are a name field and a value
/// field, repeated to the end of the record. A record has at most 16 KiB; nothing is ever cut.
///
/// | export | record |
/// |---|---|
/// | `counter_inc` | `u64` value, name field, labels |
/// | `gauge_set` | `f64` value, name field, labels |
/// | `histogram_observe` | `f64` value, name field, labels |
/// | `span_start` | `u64` span, `u64` parent or 0, name field |
/// | `span_end` | `u64` span |
/// | `span_event` | `u64` span, name field, attributes |
/// | `log_line` | `u32` level (0 debug and trace, 1 info, 2 warning, 3 error), message field, fields |
/// | `info` | nothing; answers four fields of at most 128 bytes: name, version, description, author |
///
/// Values are as the program gave them: a number may be NaN, a name empty. Spans are numbered by the
/// host, 1, 2, 3 and so on; since events can be dropped, a span may end that never began. The answer
/// to an event is not looked at, except that a status, -4095 to -1, counts as a failure; 0 is the
/// shortest good answer.
pub struct WasmObservabilityPlugin<H: Host = EmbeddedHost> {
    plugin: Arc<WasmPluginInstance<H>>,
    last_span: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    ignored: AtomicU64,
    dropped: AtomicU64,
    too_long: AtomicU64,
}

/// Why an event did not arrive.
enum Loss {
    Failed,
    Ignored,
    Dropped,
    TooLong,
}

impl<H: Host> WasmObservabilityPlugin<H> {
    /// Returns an extension that hands events to `plugin`. Nothing is called yet.
    pub fn new(plugin: Arc<WasmPluginInstance<H>>) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            plugin,
            last_span: zero(),
            delivered: zero(),
            failed: zero(),
            ignored: zero(),
            dropped: zero(),
            too_long: zero(),
        }
    }

    /// Returns the plugin.
    pub fn plugin(&self) -> &Arc<WasmPluginInstance<H>> {
        &self.plugin
    }

    /// Returns what became of the events so far. An event that is being delivered is not in it yet.
    pub fn stats(&self) -> ObservabilityStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ObservabilityStats {
            delivered: read(&self.delivered),
            failed: read(&self.failed),
            ignored: read(&self.ignored),
            dropped: read(&self.dropped),
            too_long: read(&self.too_long),
        }
    }

    /// Hands an event to the plugin, and counts what becomes of it.
    fn deliver(&self, function: &str, record: &Record<'_>) {
        let count = match self.exchange(function, record, |_| Ok(())) {
            Ok(()) => &self.delivered,
            Err(Loss::Failed) => &self.failed,
            Err(Loss::Ignored) => &self.ignored,
            Err(Loss::Dropped) => &self.dropped,
            Err(Loss::TooLong) => &self.too_long,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Hands `input` to one of the plugin's functions and its answer to `take`.
    fn exchange<T>(
        &self,
        function: &str,
        input: &(impl Input + ?Sized),
        take: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Loss> {
        let plugin = &*self.plugin;
        let mut visit = visit(plugin).map_err(|loss| {
            let context = plugin.context();
            match is_byte_function(context.export(function).map(|(_, function)| function)) {
                true => loss,
                false => Loss::Ignored,
            }
        })?;
        let sandbox = visit.sandbox().map_err(|_| Loss::Failed)?;
        let index = sandbox.find(function).ok_or(Loss::Ignored)?;
        if !is_byte_function(sandbox.export(index)) {
            return Err(Loss::Ignored);
        }
        if input.len() > MAX_RECORD_BYTES {
            return Err(Loss::TooLong);
        }
        let result = plugin.spend_limits(function, None, sandbox, |sandbox, limits| {
            sandbox.call_bytes(index, input, limits, take)
        });
        result.map_err(|failure| lost(plugin, sandbox, function, failure))
    }

    fn metric(&self, function: &str, value: [u8; 8], name: &str, labels: &[(&str, &str)]) {
        self.deliver(function, &Record { numbers: &value, text: Some(name), pairs: labels });
    }
}

fn is_byte_function(function: Option<&ExportedFunction>) -> bool {
    function.is_some_and(|function| report::is_byte_function(&function.params, &function.results))
}

/// Holds a free sandbox, which is looked for a bounded number of times.
fn visit<H: Host>(plugin: &WasmPluginInstance<H>) -> Result<Visit<'_, H>, Loss> {
    for _ in 0..MAX_TRIES {
        match plugin.try_visit() {
            Ok(visit) => return Ok(visit),
            Err(ErrorKind::Busy) => core::hint::spin_loop(),
            Err(_) => return Err(Loss::Failed),
        }
    }
    Err(Loss::Dropped)
}

/// A failure is put in words for the log only: nobody else hears of it.
#[cold]
fn lost<H: Host>(
    plugin: &WasmPluginInstance<H>,
    sandbox: &Sandbox<H>,
    function: &str,
    failure: Failure,
) -> Loss {
    let context = &sandbox.version().context;
    if context.config.debug_mode {
        let evidence = sandbox.evidence();
        plugin.failed(function, failure, &CallOptions::default(), &evidence, context);
    }
    Loss::Failed
}

impl<H: Host> Extension for WasmObservabilityPlugin<H> {
    /// Returns what the plugin's function `info` answers. If there is none, or it is not as it
    /// should be, the name is the plugin's, and the version the first 12 hex digits of
    /// [`module_hash`](WasmPluginInstance::module_hash).
    fn info(&self) -> ExtensionInfo {
        let told = self.exchange("info", &[][..], |answer| Ok(read_info(answer)));
        let [name, version, description, author] =
            told.ok().flatten().unwrap_or_else(|| self.known());
        let capabilities = vec![ExtensionCapability::Observability];
        ExtensionInfo { name, version, description, author, capabilities }
    }
}

impl<H: Host> WasmObservabilityPlugin<H> {
    /// What the host knows of the plugin.
    fn known(&self) -> [String; 4] {
        let hash = self.plugin.context().hash;
        let version = report::hex(hash.first_chunk::<6>().unwrap_or(&[0; 6]));
        [self.plugin.name().into(), version, String::new(), String::new()]
    }
}

/// Exactly four texts.
fn read_info(answer: &[u8]) -> Option<[String; 4]> {
    let mut rest = answer;
    let mut text = || {
        let (field, tail) = take_field(rest).ok()?;
        rest = tail;
        let text = core::str::from_utf8(field).ok()?;
        (text.len() <= MAX_INFO_BYTES).then(|| String::from(text))
    };
    let texts = [text()?, text()?, text()?, text()?];
    rest.is_empty().then_some(texts)
}

impl<H: Host> ObservabilityExtension for WasmObservabilityPlugin<H> {
    fn counter_inc(&self, name: &str, value: u64, labels: &[(&str, &str)]) {
        self.metric("counter_inc", value.to_le_bytes(), name, labels);
    }

    fn gauge_set(&self, name: &str, value: f64, labels: &[(&str, &str)]) {
        self.metric("gauge_set", value.to_le_bytes(), name, labels);
    }

    fn histogram_observe(&self, name: &str, value: f64, labels: &[(&str, &str)]) {
        self.metric("histogram_observe", value.to_le_bytes(), name, labels);
    }

    fn span_start(&self, name: &str, parent: Option<u64>) -> u64 {
        let span = self.last_span.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let numbers = [span.to_le_bytes(), parent.unwrap_or(0).to_le_bytes()];
        let record = Record { numbers: numbers.as_flattened(), text: Some(name), pairs: &[] };
        self.deliver("span_start", &record);
        span
    }

    fn span_end(&self, span: u64) {
        let record = Record { numbers: &span.to_le_bytes(), text: None, pairs: &[] };
        self.deliver("span_end", &record);
    }

    fn span_event(&self, span: u64, name: &str, attributes: &[(&str, &str)]) {
        let numbers = &span.to_le_bytes();
        self.deliver("span_event", &Record { numbers, text: Some(name), pairs: attributes });
    }

    fn log(&self, level: LogLevel, message: &str, fields: &[(&str, &str)]) {
        let level: u32 = match level {
            LogLevel::Trace | LogLevel::Debug => 0,
            LogLevel::Info => 1,
            LogLevel::Warn => 2,
            LogLevel::Error => 3,
        };
        let numbers = &level.to_le_bytes();
        self.deliver("log_line", &Record { numbers, text: Some(message), pairs: fields });
    }
}

impl<H: Host> core::fmt::Debug for WasmObservabilityPlugin<H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WasmObservabilityPlugin")
            .field("plugin", &self.plugin.name())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
