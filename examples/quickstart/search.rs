//! A tenant with 1,715 emoji, and a plugin that finds them by what a text means.

#[path = "../../fixtures/data/emoji.rs"]
mod emoji;

use self::emoji::{DIMS, Emoji, embed};
use crate::{FIXTURES, Outcome, check, report::grouped};
use std::time::Instant;
use wasm_runtime::{Distance, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry};

const QUERIES: [&str; 8] = [
    "birthday party",
    "ocean animal",
    "pay the bills",
    "going to sleep",
    "bad weather",
    "make music",
    "scary monster",
    "tasty dessert",
];
const HITS: u32 = 4;

/// Stores the emoji as rows with vectors, and loads the plugin that may read and search them.
pub fn load(registry: &WasmPluginRegistry) -> Outcome {
    let host = registry.host();
    host.create_collection("emoji", "meanings", "emoji", DIMS, Distance::Cosine)?;
    for (id, row) in (0_u64..).zip(emoji::emoji()) {
        host.put("emoji", "emoji", &id.to_be_bytes(), label(&row).as_bytes())?;
        host.insert_vector("emoji", "meanings", id, &row.vector)?;
    }
    let config = WasmInstanceConfig {
        tenant: "emoji".into(),
        capabilities: WasmPluginCapabilities::read_only(vec!["emoji".into()]),
        ..WasmInstanceConfig::default()
    };
    registry.load_from_file("emoji.search", format!("{FIXTURES}/semantic_search.wasm"), config)?;
    Ok(())
}

/// Asks the plugin, prints what it finds, and checks that against a search of our own.
pub fn show(registry: &WasmPluginRegistry) -> Outcome {
    let plugin = registry.get("emoji.search").ok_or("the search is not loaded")?;
    let rows = emoji::emoji();
    let mut longest_us = 0;
    for query in queries() {
        if embed(&query) == [0.0; DIMS] {
            println!("  {query:20} none of these words is known");
            continue;
        }
        let input = request(&query)?;
        let began = Instant::now();
        let answer = plugin.call_bytes("search", &input)?;
        longest_us = longest_us.max(began.elapsed().as_micros());
        let answer = String::from_utf8(answer)?;
        let found: Vec<_> = answer.lines().filter_map(|line| line.split('\t').nth(1)).collect();
        println!("  {query:20} {}", found.join(", "));
        check(are_nearest(&found, &rows, &query), "the plugin finds the nearest rows")?;
    }
    let stats = plugin.stats();
    println!(
        "\n  {} vectors of {DIMS} numbers compared each time, for {} fuel of the {} allowed, in {} ms",
        grouped(rows.len() as u64),
        grouped(stats.total_fuel_consumed / stats.total_calls.max(1)),
        grouped(plugin.capabilities().fuel_limit),
        longest_us as f64 / 1e3
    );
    Ok(())
}

/// Those on the command line, or some of ours.
fn queries() -> Vec<String> {
    let given: Vec<_> = std::env::args().skip(1).collect();
    if given.is_empty() { QUERIES.map(String::from).into() } else { given }
}

/// The input of the plugin's function `search`.
pub fn request(query: &str) -> Outcome<Vec<u8>> {
    let mut input = HITS.to_le_bytes().to_vec();
    for name in ["meanings", "emoji"] {
        input.extend(u32::try_from(name.len())?.to_le_bytes());
        input.extend(name.as_bytes());
    }
    input.extend(embed(query).iter().flat_map(|component| component.to_le_bytes()));
    Ok(input)
}

/// Whether no row is nearer than these, but for rounding.
fn are_nearest(found: &[&str], rows: &[Emoji], query: &str) -> bool {
    let query = embed(query);
    let cosine = |row: &Emoji| row.vector.iter().zip(&query).map(|(x, y)| x * y).sum::<f32>();
    let found = found.iter().filter_map(|text| rows.iter().find(|row| label(row) == *text));
    let found: Vec<_> = found.map(cosine).collect();
    let mut all: Vec<_> = rows.iter().map(cosine).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    found.len() == HITS as usize && found.iter().zip(all).all(|(x, y)| (x - y).abs() < 1e-4)
}

fn label(row: &Emoji) -> String {
    format!("{} {}", row.emoji, row.name)
}
