//! The suite that every device runs, on this machine: `no_std_tests/conformance`.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)] // part of what it offers
#[path = "../allocations/heap.rs"]
mod heap;
mod here;

use conformance::FIXTURES;
use here::Here;
use std::{collections::BTreeSet, fs};

#[test]
fn the_suite_of_the_devices_passes_here() {
    assert!(conformance::run(&mut Here).is_pass());
}

#[test]
fn every_committed_module_is_in_the_suite() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wasm");
    let names = |folder: &str, prefix: &str| -> Vec<String> {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let names = files.filter_map(|file| Some(file.to_str()?.strip_suffix(".wasm")?.to_owned()));
        names.map(|name| format!("{prefix}{name}")).collect()
    };
    let mut committed = BTreeSet::from_iter(names(folder, ""));
    committed.extend(names(&format!("{folder}/misbehaving"), "misbehaving/"));
    let run = FIXTURES.iter().map(|fixture| fixture.name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(committed, run);
    assert_eq!(FIXTURES.len(), run.len(), "one is there twice");
}
