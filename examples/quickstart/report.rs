//! What happened, as a table and a bar chart.

use crate::gallery::{Failed, Failures, TENANT};
use std::collections::BTreeMap;
use wasm_runtime::{WasmPluginInstance, WasmPluginRegistry};

const BAR: u64 = 48;

/// Prints each plugin with what it used and how it fared, then the modules that were not loaded.
pub fn table(registry: &WasmPluginRegistry, failures: &Failures) {
    println!("  tenant     plugin              calls         fuel      memory  outcome");
    for plugin in registry.list().iter().filter_map(|name| registry.get(name)) {
        let (tenant, stats) = (plugin.tenant(), plugin.stats());
        let name = plugin.name().split('.').next_back().unwrap_or_default();
        let (calls, fuel) = (stats.total_calls, grouped(stats.total_fuel_consumed));
        let memory = grouped(stats.peak_memory_bytes >> 10);
        let outcome = outcome(&plugin, failures.get(name));
        println!("  {tenant:10} {name:18} {calls:6} {fuel:>12} {memory:>7} KiB  {outcome}");
    }
    println!("\n  not loaded");
    for (name, failed) in failures {
        if let Failed::AtLoad(error) = failed {
            let text = error.to_string();
            let reason = text.split_once(": ").map_or(&*text, |(_, reason)| reason);
            println!("  {name:21} {}", reason.trim_end_matches(" (the plugin's fault)"));
        }
    }
}

fn outcome(plugin: &WasmPluginInstance, failed: Option<&Failed>) -> String {
    if plugin.tenant() != TENANT {
        return "every answer right".into();
    }
    let stats = plugin.stats();
    let refused = plugin.host_function_stats().iter().map(|function| function.errors).sum();
    let mut parts = Vec::new();
    if let Some(Failed::InCalls(kinds)) = failed {
        match kinds.len() {
            0..=2 => parts.extend(kinds.iter().map(|(kind, n)| format!("{n} {}", words(kind)))),
            ways => {
                parts.push(format!("{} calls failed in {ways} ways", kinds.values().sum::<u64>()));
            }
        }
    }
    for (count, what) in [(stats.denied_host_calls, "denied"), (refused, "refused")] {
        if count > 0 {
            parts.push(format!("{} host calls {what}", grouped(count)));
        }
    }
    parts.join(", ")
}

/// Prints a bar for each way to fail, the most frequent first.
pub fn chart(failures: &Failures) {
    let mut kinds = BTreeMap::<String, u64>::new();
    for failed in failures.values() {
        match failed {
            Failed::AtLoad(_) => *kinds.entry("module not loaded".into()).or_default() += 1,
            Failed::InCalls(of_calls) => {
                of_calls.iter().for_each(|(kind, n)| *kinds.entry(words(kind)).or_default() += n);
            }
        }
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let most = kinds.first().map_or(1, |(_, count)| *count);
    for (kind, count) in &kinds {
        let bar = "█".repeat((count * BAR).div_ceil(most) as usize);
        println!("  {kind:26} {bar} {count}");
    }
}

/// `OutOfFuel` as "out of fuel".
fn words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

/// 1234567 as "1,234,567".
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
