//! What the plugins of a registry did, for Prometheus to read.

pub(crate) mod exposition;
#[cfg(feature = "quotas")]
mod usage;
#[cfg(not(feature = "quotas"))]
#[path = "prometheus/no_usage.rs"]
mod usage;

use self::exposition::{Family, LabelSet, Seconds};
use crate::{
    LatencyHistogram, WasmPluginInstance, WasmPluginRegistry, WasmPluginStats, host::Host,
    sync::Arc,
};
use alloc::vec::Vec;
use core::fmt;

impl<H: Host> WasmPluginRegistry<H> {
    /// Writes what the loaded plugins did, and then [what the host adds](Host::render_metrics), in
    /// the text format of Prometheus, version 0.0.4: `text/plain; version=0.0.4; charset=utf-8`.
    ///
    /// Names of plugins, tenants and guests stand in labels, escaped, so the output is valid
    /// whatever they are. Families of plugins, each with the labels `tenant` and `plugin`, begin
    /// with `wasm_plugin_`; series are in load order. Times are there where there is a clock, and
    /// for metered plugins only; `wasm_plugin_quarantined` for plugins with a policy only. Families of
    /// what tenants hold, each with the label `tenant`, begin with `wasm_tenant_`.
    ///
    /// # Errors
    ///
    /// Those of `out`, at once.
    ///
    /// ```
    /// # use wasm_runtime::{WasmInstanceConfig, WasmPluginRegistry};
    /// # fn main() -> Result<(), wasm_runtime::Error> {
    /// # let wasm = include_bytes!("../fixtures/wasm/counter.wasm");
    /// let registry = WasmPluginRegistry::new();
    /// registry.load("counter", wasm, WasmInstanceConfig::default())?;
    /// registry.call("counter", "increment", &[])?;
    /// let mut text = String::new();
    /// registry.render_prometheus(&mut text).unwrap();
    /// assert!(text.contains("wasm_plugin_calls_total{tenant=\"default\",plugin=\"counter\"} 1\n"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn render_prometheus(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let plugins: Vec<_> = self.plugins().into_iter().map(Row::new).collect();
        render_numbers(out, &plugins)?;
        render_quarantines(out, &plugins)?;
        render_traps(out, &plugins)?;
        render_denials(out, &plugins)?;
        render_times(out, &plugins)?;
        usage::render(self, out)?;
        self.host().render_metrics(out)
    }
}

/// One plugin, and what it had done when it was looked at.
struct Row<H: Host> {
    plugin: Arc<WasmPluginInstance<H>>,
    stats: WasmPluginStats,
    latency: Option<LatencyHistogram>,
}

impl<H: Host> Row<H> {
    fn new(plugin: Arc<WasmPluginInstance<H>>) -> Self {
        Self { stats: plugin.stats(), latency: plugin.latency(), plugin }
    }

    fn identify(&self, labels: &mut LabelSet<'_>) -> fmt::Result {
        labels.pair("tenant", self.plugin.tenant())?;
        labels.pair("plugin", self.plugin.name())
    }
}

/// Name, kind, help and value of a family with one number for each plugin.
type NumberFamily = (&'static str, &'static str, &'static str, fn(&WasmPluginStats) -> u64);

const NUMBERS: [NumberFamily; 5] = [
    ("wasm_plugin_calls_total", "counter", "Calls that ran, however they ended.", |s| {
        s.total_calls
    }),
    ("wasm_plugin_fuel_consumed_total", "counter", "Fuel charged to guest and host work.", |s| {
        s.total_fuel_consumed
    }),
    ("wasm_plugin_host_calls_total", "counter", "Host function calls of the guest.", |s| {
        s.host_calls
    }),
    ("wasm_plugin_sandboxes_started_total", "counter", "Sandboxes made.", |s| s.sandboxes_started),
    (
        "wasm_plugin_peak_memory_bytes",
        "gauge",
        "The most linear memory that one sandbox has held.",
        |s| s.peak_memory_bytes,
    ),
];

fn render_numbers<H: Host>(out: &mut dyn fmt::Write, plugins: &[Row<H>]) -> fmt::Result {
    for (name, kind, help, value) in NUMBERS {
        let mut family = Family::new(out, name, kind, help);
        for row in plugins {
            family.number(|labels| row.identify(labels), value(&row.stats))?;
        }
    }
    Ok(())
}

fn render_quarantines<H: Host>(out: &mut dyn fmt::Write, plugins: &[Row<H>]) -> fmt::Result {
    let help = "Whether the plugin is in quarantine: 1 or 0.";
    let mut family = Family::new(out, "wasm_plugin_quarantined", "gauge", help);
    for row in plugins.iter().filter(|row| row.plugin.context().config.quarantine.is_some()) {
        let is_quarantined = row.plugin.quarantine().is_some();
        family.number(|labels| row.identify(labels), u64::from(is_quarantined))?;
    }
    Ok(())
}

fn render_traps<H: Host>(out: &mut dyn fmt::Write, plugins: &[Row<H>]) -> fmt::Result {
    let help = "Calls and starts that trapped or were stopped, by trap code or kind of error.";
    let mut family = Family::new(out, "wasm_plugin_traps_total", "counter", help);
    for row in plugins {
        for stop in row.plugin.trap_stats() {
            let identify = |labels: &mut LabelSet<'_>| {
                row.identify(labels)?;
                match stop.trap_code {
                    Some(code) => labels.pair("kind", format_args!("{code:?}")),
                    None => labels.pair("kind", format_args!("{:?}", stop.kind)),
                }
            };
            family.number(identify, stop.count)?;
        }
    }
    Ok(())
}

fn render_denials<H: Host>(out: &mut dyn fmt::Write, plugins: &[Row<H>]) -> fmt::Result {
    let help = "Host function calls denied for want of a grant, of functions called at all.";
    let mut family = Family::new(out, "wasm_plugin_host_call_denials_total", "counter", help);
    for row in plugins {
        for function in row.plugin.host_function_stats() {
            let identify = |labels: &mut LabelSet<'_>| {
                row.identify(labels)?;
                labels.pair("module", &function.module)?;
                labels.pair("function", &function.name)
            };
            family.number(identify, function.denials)?;
        }
    }
    Ok(())
}

fn render_times<H: Host>(out: &mut dyn fmt::Write, plugins: &[Row<H>]) -> fmt::Result {
    let help = "Time spent in calls and sandbox starts, partly estimated.";
    let mut family = Family::new(out, "wasm_plugin_execution_seconds_total", "counter", help);
    for row in plugins.iter().filter(|row| row.latency.is_some()) {
        family.number(|labels| row.identify(labels), Seconds(row.stats.total_execution_us))?;
    }
    let help = "How long calls took, partly estimated.";
    let mut family = Family::new(out, "wasm_plugin_call_duration_seconds", "histogram", help);
    for row in plugins {
        let Some(LatencyHistogram { sum_us, counts }) = row.latency else {
            continue;
        };
        let bounds = LatencyHistogram::BOUNDS_US.map(Seconds);
        family.histogram(|labels| row.identify(labels), bounds, &counts, Seconds(sum_us))?;
    }
    Ok(())
}
