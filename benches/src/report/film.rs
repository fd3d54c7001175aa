//! What the library adds to raw wasmi: the film's own operations, all in the same rounds.

use super::measure::{self, Effort, median};
use film::rows::OPERATIONS;

/// How much slower than wasmi's bare call the raw call with fuel may be.
pub(super) const BASELINE: f64 = 1.1;

/// The medians of the film's operations.
pub(super) struct Film(Vec<(&'static str, f64)>);

/// Measures all of them.
pub(super) fn measure(effort: Effort) -> Film {
    eprintln!("film");
    let mut runs: Vec<_> = OPERATIONS.iter().map(|operation| (operation.make)()).collect();
    let samples = measure::rounds(&mut runs, effort);
    let names = OPERATIONS.iter().map(|operation| operation.name);
    Film(names.zip(samples.into_iter().map(median)).collect())
}

impl Film {
    /// Nanoseconds of an operation.
    pub(super) fn ns(&self, name: &str) -> f64 {
        let found = self.0.iter().find(|(operation, _)| *operation == name);
        found.unwrap_or_else(|| panic!("the film has no `{name}`")).1
    }

    /// How much longer one operation takes than another.
    pub(super) fn ratio(&self, ours: &str, raw: &str) -> f64 {
        self.ns(ours) / self.ns(raw)
    }

    /// Nanoseconds of an operation in a guest's loop, without the loop.
    pub(super) fn net(&self, name: &str) -> f64 {
        let side = name.split(' ').next().unwrap_or_default();
        self.ns(name) - self.ns(&format!("{side} loop"))
    }

    /// Whether the raw calls are as fast as wasmi lets them be.
    pub(super) fn check_baseline(&self) -> Result<(), String> {
        let ratio = self.ratio("raw call", "raw bare");
        if ratio <= BASELINE {
            return Ok(());
        }
        Err(format!(
            "the baseline is slow: raw wasmi with fuel takes {ratio:.2} times as long as its bare \
             call, {BASELINE} at most; nothing was written"
        ))
    }
}
