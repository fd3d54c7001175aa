//! What it takes to call a hook for every row, to give every call fresh state, and to have ten thousand tenants:
//! `cargo bench -p scale`.
//!
//! What is compared takes turns within one run, so that a busy machine is busy for both; what is told is the median of
//! many turns. What things take of the heap is counted exactly, in `tests/allocations` of the library.

use std::time::Instant;

/// What is measured once a turn: nanoseconds an item.
pub type Measured<'m> = Box<dyn FnMut() -> f64 + 'm>;

/// Runs `work`, which does `items` of something, and says how many nanoseconds one took.
pub fn time(items: usize, work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1e9 / items as f64
}

/// Measures all in turns; returns the median of each.
pub fn in_turns(turns: usize, measured: &mut [Measured<'_>]) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(turns); measured.len()];
    for _ in 0..turns {
        for (measure, times) in measured.iter_mut().zip(&mut times) {
            times.push(measure());
        }
    }
    times.into_iter().map(median).collect()
}

/// The one in the middle.
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
