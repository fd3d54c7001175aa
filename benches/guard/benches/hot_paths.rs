//! The hot paths under Callgrind: instructions of a thousand turns each, which are the same on a busy
//! machine as on an idle one. `cargo run --release -p guard` holds them against what was recorded.

#![allow(missing_docs, reason = "the macros make public items")]

use film::{
    ours::STEADY,
    rows::{OPERATIONS, Run},
};
use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use std::hint::black_box;

/// How often each is done: so often that one timed call in 256 is in it as often as it should be.
const TIMES: u32 = 1_024;

/// An operation that has been done before, so that what is counted allocates and resolves nothing,
/// and knows how often to look at the clock.
fn warm(name: &str) -> Run {
    STEADY.get_or_init(|| ());
    let operation = OPERATIONS.iter().find(|operation| operation.name == name);
    let mut run = (operation.unwrap_or_else(|| panic!("no operation `{name}`")).make)();
    run(TIMES);
    run(3);
    run
}

// Handed back, so that dropping it is not counted.
#[library_benchmark(setup = warm)]
#[bench::raw_call("raw call")]
#[bench::raw_resumable("raw resumable")]
#[bench::raw_by_name("raw by name")]
#[bench::raw_loop("raw loop")]
#[bench::raw_nothing("raw nothing")]
#[bench::raw_next("raw next")]
#[bench::raw_emit_metric("raw emit_metric")]
#[bench::raw_emit_metric_labels("raw emit_metric, labels")]
#[bench::raw_look_up("raw look-up")]
#[bench::ours_lease_no_timeout("ours lease, no timeout")]
#[bench::ours_lease("ours lease")]
#[bench::ours_pool("ours pool")]
#[bench::ours_by_name("ours by name")]
#[bench::ours_loop("ours loop")]
#[bench::ours_nothing("ours nothing")]
#[bench::ours_next("ours next")]
#[bench::ours_denied("ours denied")]
#[bench::ours_emit_metric("ours emit_metric")]
#[bench::ours_emit_metric_labels("ours emit_metric, labels")]
#[bench::ours_soch_read("ours soch_read")]
fn hot_path(mut run: Run) -> Run {
    run(black_box(TIMES));
    run
}

library_benchmark_group!(name = hot_paths, benchmarks = hot_path);
main!(
    // Instructions only: caches are not simulated.
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = hot_paths
);
