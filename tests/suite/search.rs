//! A plugin searches real rows by meaning: `fixtures/data` in a collection, read row by row.

use crate::{
    data_set::{
        cosine,
        emoji::{DIMS, Emoji, embed, emoji},
    },
    support::fixture,
};
use std::sync::Arc;
use wasm_runtime::{
    Distance, WasmInstanceConfig, WasmPluginCapabilities, WasmPluginInstance, WasmPluginRegistry,
};

const TENANT: &str = "library";

/// A registry whose tenant has all emoji, with vectors, in the table `emoji`.
fn library() -> (WasmPluginRegistry, Vec<Emoji>) {
    let registry = WasmPluginRegistry::new();
    let host = registry.host();
    host.create_collection(TENANT, "meanings", "emoji", DIMS, Distance::Cosine).unwrap();
    let rows = emoji();
    for (id, row) in (0_u64..).zip(&rows) {
        let text = format!("{} {}", row.emoji, row.name);
        host.put(TENANT, "emoji", &id.to_be_bytes(), text.as_bytes()).unwrap();
        host.insert_vector(TENANT, "meanings", id, &row.vector).unwrap();
    }
    (registry, rows)
}

fn load(
    registry: &WasmPluginRegistry,
    name: &str,
    capabilities: WasmPluginCapabilities,
) -> Arc<WasmPluginInstance> {
    let config = WasmInstanceConfig { tenant: TENANT.into(), capabilities, ..Default::default() };
    registry.load(name, &fixture("semantic_search"), config).unwrap();
    registry.get(name).unwrap()
}

fn reader() -> WasmPluginCapabilities {
    WasmPluginCapabilities::read_only(vec!["emoji".into()])
}

/// The input of `search`.
fn search(k: u32, collection: &str, table: &str, query: &[f32]) -> Vec<u8> {
    let mut input = k.to_le_bytes().to_vec();
    for name in [collection, table] {
        input.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
        input.extend(name.as_bytes());
    }
    input.extend(query.iter().flat_map(|x| x.to_le_bytes()));
    input
}

/// What `search` answers: a distance and a row for each hit.
fn hits(answer: &[u8]) -> Vec<(f64, String)> {
    let lines = std::str::from_utf8(answer).unwrap().lines();
    let hit = |line: &str| {
        let (distance, row) = line.split_once('\t').unwrap();
        (distance.parse().unwrap(), row.to_string())
    };
    lines.map(hit).collect()
}

#[test]
fn a_plugin_finds_the_rows_that_looking_at_each_of_them_finds() {
    let (registry, rows) = library();
    let plugin = load(&registry, "search", reader());
    for text in ["birthday party", "i am tired", "ocean animal", "musical instrument", "fruit"] {
        let query = embed(text);
        let answer = plugin.call_bytes("search", &search(25, "meanings", "emoji", &query)).unwrap();
        let found = hits(&answer);
        let distance = |row: &Emoji| 1.0 - cosine(&row.vector, &query);
        let mut nearest: Vec<_> = rows.iter().map(distance).collect();
        nearest.sort_by(f64::total_cmp);
        assert_eq!(found.len(), 25);
        for ((printed, row), model) in found.iter().zip(nearest) {
            let of_row = |of: &&Emoji| *row == format!("{} {}", of.emoji, of.name);
            let its_own = distance(rows.iter().find(of_row).unwrap());
            assert!((printed - its_own).abs() < 1e-4, "{text}: {row}: {printed}, {its_own}");
            assert!((printed - model).abs() < 1e-4, "{text}: {row}: {printed}, {model}");
        }
    }
}

#[test]
fn what_a_person_would_pick_is_what_the_plugin_finds() {
    let (registry, _) = library();
    let plugin = load(&registry, "search", reader());
    let input = search(3, "meanings", "emoji", &embed("birthday party"));
    let found = hits(&plugin.call_bytes("search", &input).unwrap());
    let rows: Vec<_> = found.iter().map(|(_, row)| row.as_str()).collect();
    assert_eq!(rows, ["🎁 wrapped gift", "🥳 partying face", "🎂 birthday cake"]);
}

#[test]
fn the_host_s_statuses_are_the_plugin_s() {
    let (registry, _) = library();
    let query = embed("fruit");
    let no_vectors = WasmPluginCapabilities { can_vector_search: false, ..reader() };
    let no_table = WasmPluginCapabilities { can_read_table: vec!["emo".into()], ..reader() };
    let plugins = [
        load(&registry, "reader", reader()),
        load(&registry, "no_vectors", no_vectors),
        load(&registry, "no_table", no_table),
    ];
    let [reader, no_vectors, no_table] = &plugins;
    let good = search(3, "meanings", "emoji", &query);
    let cases = [
        (no_vectors, good.clone(), -1),
        (no_table, good.clone(), -1),
        (reader, search(3, "meanings", "other", &query), -1),
        (reader, search(3, "feelings", "emoji", &query), -2),
        (reader, search(3, "", "emoji", &query), -3),
        (reader, search(3, "meanings", "emoji", &query[1..]), -3),
        (reader, search(3, "meanings", "emoji", &[0.0; DIMS]), -3),
        (reader, search(3, "meanings", "emoji", &[f32::NAN; DIMS]), -3),
        (reader, search(1_025, "meanings", "emoji", &query), -3),
        (reader, search(u32::MAX, "meanings", "emoji", &query), -3),
        (reader, good[..good.len() - 1].to_vec(), -3),
        (reader, good[..3].to_vec(), -3),
        (reader, Vec::new(), -3),
    ];
    for (plugin, input, status) in cases {
        let error = plugin.call_bytes("search", &input).unwrap_err();
        assert_eq!(error.guest_status(), Some(status), "{error}");
    }
    assert_eq!(reader.call_bytes("search", &search(0, "meanings", "emoji", &query)).unwrap(), b"");
}

#[test]
fn another_tenant_s_collection_does_not_exist() {
    let (registry, _) = library();
    let config = WasmInstanceConfig { capabilities: reader(), ..Default::default() };
    registry.load("stranger", &fixture("semantic_search"), config).unwrap();
    let input = search(3, "meanings", "emoji", &embed("fruit"));
    let error = registry.get("stranger").unwrap().call_bytes("search", &input).unwrap_err();
    assert_eq!(error.guest_status(), Some(-2), "{error}");
}

#[test]
fn a_row_that_is_deleted_is_not_found_again() {
    let (registry, rows) = library();
    let plugin = load(&registry, "search", reader());
    let input = search(1, "meanings", "emoji", &embed("scary ghost"));
    let (_, first) = hits(&plugin.call_bytes("search", &input).unwrap()).remove(0);
    assert_eq!(first, "👻 ghost");
    let id = (0_u64..).zip(&rows).find(|(_, row)| row.name == "ghost").unwrap().0;
    assert!(registry.host().delete(TENANT, "emoji", &id.to_be_bytes()));
    let (_, second) = hits(&plugin.call_bytes("search", &input).unwrap()).remove(0);
    assert_ne!(second, "👻 ghost");
}
