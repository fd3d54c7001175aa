//! The cases as criterion runs them.

use crate::{case::Group, groups};
use criterion::{BenchmarkId, Criterion};
use std::time::{Duration, Instant};

/// Measures the cases of these groups; with `--test` on the command line it runs each once.
///
/// Unlike the report it does not take time off for the loop in a guest.
pub fn run(wanted: &[Group]) {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for &group in wanted {
        let mut of_group = criterion.benchmark_group(group.name());
        for case in groups::cases(group) {
            let Some(mut run) = case.make() else { continue };
            let id = BenchmarkId::new(&case.task, case.line);
            of_group.bench_function(id, |bencher| {
                bencher.iter_custom(|turns| time(&mut run, turns));
            });
        }
        of_group.finish();
    }
    criterion.final_summary();
}

fn time(run: &mut crate::case::Run, turns: u64) -> Duration {
    let began = Instant::now();
    let mut left = turns;
    while left > 0 {
        let now = u32::try_from(left).unwrap_or(u32::MAX).min(1 << 20);
        run(now);
        left -= u64::from(now);
    }
    began.elapsed()
}
