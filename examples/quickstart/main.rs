//! The library at work: a plugin searches by meaning; then three tenants work with their plugins over
//! real rows while a fourth tenant's plugins misbehave in every way of the gallery in
//! `fixtures/wasm/misbehaving`. Ends with an error if any promise is broken.
//!
//! `cargo run --release --example quickstart`, or with searches of your own behind it:
//! `-- "hot summer day" gambling`

mod gallery;
mod report;
mod search;
mod tenants;

use wasm_runtime::WasmPluginRegistry;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wasm");
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let registry = WasmPluginRegistry::builder().build()?;

    println!("A plugin, interpreted and under a fuel limit, searches emoji by meaning\n");
    search::load(&registry)?;
    search::show(&registry)?;

    println!("\nThree tenants work while a fourth misbehaves in every way we know\n");
    let mut promises = tenants::load(&registry)?;
    let failures = gallery::misbehave(&registry, || promises.keep(&registry))?;
    gallery::check_containment(&registry)?;
    report::table(&registry, &failures);

    println!("\nHow the fourth tenant's calls failed\n");
    report::chart(&failures);
    let (modules, kept) = (failures.len(), report::grouped(promises.kept()));
    println!("\n{modules} modules misbehaved and were contained. In between, {kept} calls of the");
    println!("three other tenants were all answered right.");
    Ok(())
}

fn check(holds: bool, promise: &str) -> Outcome {
    if holds { Ok(()) } else { Err(format!("promise broken: {promise}").into()) }
}
