//! Rounds in which everything that is compared has its turn, so that a busy machine hits all alike.

use crate::case::{Case, Group, Line, Run};
use std::time::{Duration, Instant};

/// How long to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// How long one measurement of an operation takes at least.
    pub sample: Duration,
    /// How long the rounds of one comparison take together, more or less.
    pub budget: Duration,
    /// The least and the greatest number of rounds.
    pub rounds: (usize, usize),
    /// In how many processes the film is measured.
    pub processes: usize,
}

impl Effort {
    /// For a report to keep.
    pub const FULL: Self = Self {
        sample: Duration::from_micros(500),
        budget: Duration::from_secs(6),
        rounds: (9, 151),
        processes: 9,
    };
    /// To see whether all works.
    pub const QUICK: Self = Self {
        sample: Duration::from_micros(200),
        budget: Duration::from_millis(200),
        rounds: (3, 15),
        processes: 3,
    };
}

/// A case and what it took.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The table.
    pub group: Group,
    /// The column.
    pub task: String,
    /// The line.
    pub line: Line,
    /// Nanoseconds for a unit of work: the median of all rounds.
    pub ns: f64,
}

/// Measures cases, one comparison after the other.
pub fn cells(cases: Vec<Case>, effort: Effort) -> Vec<Cell> {
    let mut comparisons: Vec<Vec<Case>> = Vec::new();
    for case in cases {
        // What is taken off is measured in the same rounds.
        let together = |first: &Case| {
            first.task == case.task || matches!(case.group, Group::HostCall | Group::HostFunctions)
        };
        match comparisons.last_mut().filter(|cases| cases.first().is_some_and(together)) {
            Some(comparison) => comparison.push(case),
            None => comparisons.push(vec![case]),
        }
    }
    comparisons.into_iter().flat_map(|cases| compare(&cases, effort)).collect()
}

fn compare(cases: &[Case], effort: Effort) -> Vec<Cell> {
    let ready = cases.iter().filter_map(|case| Some((case, case.make()?)));
    let (cases, mut runs): (Vec<_>, Vec<_>) = ready.unzip();
    let samples = rounds(&mut runs, effort);
    let cell = |(at, case): (usize, &&Case)| {
        let loop_of = |other: &&Case| other.line == case.line && case.less == Some(&other.task);
        let less = cases.iter().position(loop_of);
        let net = samples[at].iter().enumerate().map(|(round, ns)| {
            let less = less.map_or(0.0, |at| samples[at][round]);
            (ns - less) / case.units
        });
        let (task, line) = (case.task.clone(), case.line);
        Cell { group: case.group, task, line, ns: median(net.collect()) }
    };
    cases.iter().enumerate().map(cell).collect()
}

/// Nanoseconds of each operation in each round.
pub(super) fn rounds(runs: &mut [Run], effort: Effort) -> Vec<Vec<f64>> {
    let turns: Vec<u32> = runs.iter_mut().map(|run| turns(run, effort.sample)).collect();
    let mut samples = vec![Vec::new(); runs.len()];
    let (least, most) = effort.rounds;
    let began = Instant::now();
    for round in 0..most {
        if round >= least && began.elapsed() > effort.budget {
            break;
        }
        for ((run, samples), turns) in runs.iter_mut().zip(&mut samples).zip(&turns) {
            let ns = time(run, *turns).as_secs_f64() * 1e9;
            samples.push(ns / f64::from(*turns));
        }
    }
    samples
}

/// How often an operation is done in one measurement; warms it up.
fn turns(run: &mut Run, sample: Duration) -> u32 {
    let mut turns = 1;
    loop {
        let took = time(run, turns);
        if took >= sample || turns > 1 << 24 {
            return turns;
        }
        // By the time it took, but not too far at once: the first turns are slow.
        let factor = sample.as_secs_f64() / took.as_secs_f64().max(1e-9);
        turns = (f64::from(turns) * factor.clamp(1.2, 10.0)).ceil() as u32;
    }
}

fn time(run: &mut Run, turns: u32) -> Duration {
    let began = Instant::now();
    run(turns);
    began.elapsed()
}

/// The middle one.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The mean of ratios.
pub(super) fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.fold((0.0, 0.0), |(sum, count), value| (sum + value.ln(), count + 1.0));
    (sum / count).exp()
}
