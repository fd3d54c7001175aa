//! A plugin in AssemblyScript, with a garbage collector of its own, counts words of real texts.

use crate::support::fixture;
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};
use wasm_runtime::{
    WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry,
};

const TEXTS: [&str; 3] = ["README.md", "LICENSE-APACHE", "src/lib.rs"];

fn text(file: &str) -> Vec<u8> {
    std::fs::read(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn load(config: WasmInstanceConfig) -> (WasmPluginRegistry, Arc<WasmPluginInstance>) {
    let registry = WasmPluginRegistry::new();
    registry.load("words", &fixture("word_frequencies"), config).unwrap();
    let plugin = registry.get("words").unwrap();
    (registry, plugin)
}

/// One sandbox with fuel for a whole document.
fn document_reader() -> WasmInstanceConfig {
    WasmInstanceConfig {
        capabilities: WasmPluginCapabilities {
            fuel_limit: 50_000_000,
            timeout_ms: 0,
            ..WasmPluginCapabilities::default()
        },
        max_instances: 1,
        ..WasmInstanceConfig::default()
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    text.split(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(<[u8]>::to_ascii_lowercase)
}

/// What the plugin must answer.
fn frequencies(text: &[u8]) -> Vec<u8> {
    let mut counts = BTreeMap::<Vec<u8>, usize>::new();
    words(text).for_each(|word| *counts.entry(word).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count)); // stable: by word where equal
    let line = |(word, count): &(Vec<u8>, usize)| [word, format!(" {count}\n").as_bytes()].concat();
    counts.iter().take(20).flat_map(line).collect()
}

#[test]
fn the_words_of_a_document_are_counted_as_a_model_counts_them() {
    let (registry, plugin) = load(document_reader());
    let mut counted = 0.0;
    for file in TEXTS {
        let text = text(file);
        let answer = plugin.call_bytes("word_frequencies", &text).unwrap();
        assert_eq!(
            String::from_utf8(answer).unwrap(),
            String::from_utf8(frequencies(&text)).unwrap()
        );
        counted += words(&text).count() as f64;
    }
    let metrics = registry.host().metrics("default");
    assert_eq!((metrics[0].name.as_str(), metrics[0].value), ("words_counted", counted));
    let calls: Vec<_> =
        plugin.host_function_stats().into_iter().filter(|function| function.calls > 0).collect();
    let calls: Vec<_> = calls.iter().map(|f| (f.name.as_str(), f.calls, f.errors)).collect();
    assert_eq!(calls, [("emit_metric", 3, 0), ("log_message", 3, 0)]);
}

#[test]
fn under_the_default_limits_a_page_of_text_is_counted() {
    let (_registry, plugin) = load(WasmInstanceConfig::default());
    let page = &text("LICENSE-APACHE")[..1_500];
    assert_eq!(plugin.call_bytes("word_frequencies", page).unwrap(), frequencies(page));
    assert_eq!(plugin.call_bytes("word_frequencies", b"").unwrap(), b"");
}

#[test]
fn a_collected_heap_stays_as_large_as_after_its_first_calls() {
    let (_registry, plugin) = load(document_reader());
    let text = text("README.md");
    let mut peaks = Vec::new();
    for _ in 0..40 {
        plugin.call_bytes("word_frequencies", &text).unwrap();
        peaks.push(plugin.stats().peak_memory_bytes);
    }
    assert_eq!(peaks[4], peaks[39]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_at_all_are_counted_as_a_model_counts_them(
        texts in prop::collection::vec("([a-cA-C0é🙂]{1,2}[ .\u{0}-]?|\\PC){0,60}", 1..4),
        raw in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (_registry, plugin) = load(document_reader());
        for text in texts.iter().map(String::as_bytes).chain([&raw[..]]) {
            prop_assert_eq!(plugin.call_bytes("word_frequencies", text).unwrap(), frequencies(text));
        }
    }
}
