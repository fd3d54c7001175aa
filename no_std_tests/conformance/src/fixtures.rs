//! The committed modules of `fixtures/wasm`.

use crate::check::{Result, some};

/// A module that every target runs.
#[derive(Debug)]
pub struct Fixture {
    /// Its path below `fixtures/wasm`, without the ending.
    pub name: &'static str,
    /// Its bytes.
    pub wasm: &'static [u8],
}

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        /// All committed modules.
        pub static FIXTURES: &[Fixture] = &[$(Fixture {
            name: $name,
            wasm: include_bytes!(concat!("../../../fixtures/wasm/", $name, ".wasm")),
        }),*];
    };
}

fixtures![
    "abi_probe",
    "aggregate",
    "caller",
    "counter",
    "custom_page_size",
    "dispatch_check",
    "dispatch_check_simd",
    "echo",
    "externref",
    "import_twice",
    "kernels",
    "memory64",
    "metrics",
    "misbehaving/deep_recursion",
    "misbehaving/endless_host_loop",
    "misbehaving/endless_loop",
    "misbehaving/endless_start",
    "misbehaving/forbidden_table",
    "misbehaving/foreign_import",
    "misbehaving/foreign_import_global",
    "misbehaving/foreign_import_memory",
    "misbehaving/foreign_import_table",
    "misbehaving/liar_alloc_loop",
    "misbehaving/liar_alloc_trap",
    "misbehaving/liar_alloc_wild",
    "misbehaving/liar_alloc_zero",
    "misbehaving/liar_answers",
    "misbehaving/liar_free_loop",
    "misbehaving/liar_free_traps",
    "misbehaving/memory_grower",
    "misbehaving/metric_flood",
    "misbehaving/missing_import",
    "misbehaving/mistyped_alloc",
    "misbehaving/mistyped_exports",
    "misbehaving/mistyped_free",
    "misbehaving/mistyped_import",
    "misbehaving/reserved_export",
    "misbehaving/table_grower",
    "misbehaving/trap_start",
    "misbehaving/traps",
    "misbehaving/wild_pointers",
    "multi_value",
    "no_memory",
    "renamed_memory",
    "row_validator",
    "semantic_search",
    "rate_limiter",
    "sensor",
    "several_memories",
    "simd",
    "start",
    "tally",
    "tally_wide",
    "text_transform",
    "waiter",
    "word_frequencies",
    "workload",
];

/// The bytes of a module.
pub fn wasm(name: &str) -> Result<&'static [u8]> {
    let fixture = FIXTURES.iter().find(|fixture| fixture.name == name);
    some(name, fixture.map(|fixture| fixture.wasm))
}
