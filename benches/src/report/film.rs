//! What the library adds to raw wasmi: the film's own operations, all in the same rounds.

use super::measure::{self, Effort, median};
use film::rows::OPERATIONS;

/// How much slower than wasmi's bare call the raw call with fuel may be.
pub(super) const BASELINE: f64 = 1.1;

/// What each of the film's operations took, in nanoseconds, in each round.
pub(super) struct Film(Vec<(&'static str, Vec<f64>)>);

/// Measures all of them, in as many rounds as there is time for: these ratios are close to 1.
pub(super) fn measure(effort: Effort) -> Film {
    eprintln!("film");
    let mut runs: Vec<_> = OPERATIONS.iter().map(|operation| (operation.make)()).collect();
    let (least, _) = effort.rounds;
    let samples = measure::rounds(&mut runs, Effort { rounds: (least, 1_001), ..effort });
    let names = OPERATIONS.iter().map(|operation| operation.name);
    Film(names.zip(samples).collect())
}

impl Film {
    fn samples(&self, name: &str) -> &[f64] {
        let found = self.0.iter().find(|(operation, _)| *operation == name);
        &found.unwrap_or_else(|| panic!("the film has no `{name}`")).1
    }

    /// Nanoseconds of an operation.
    pub(super) fn ns(&self, name: &str) -> f64 {
        median(self.samples(name).to_vec())
    }

    /// How much longer one operation takes than another in the same round.
    pub(super) fn ratio(&self, ours: &str, raw: &str) -> f64 {
        let rounds = self.samples(ours).iter().zip(self.samples(raw));
        median(rounds.map(|(ours, raw)| ours / raw).collect())
    }

    /// Nanoseconds of an operation in a guest's loop, without the loop.
    pub(super) fn net(&self, name: &str) -> f64 {
        let side = name.split(' ').next().unwrap_or_default();
        let rounds = self.samples(name).iter().zip(self.samples(&format!("{side} loop")));
        median(rounds.map(|(ns, of_loop)| ns - of_loop).collect())
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
