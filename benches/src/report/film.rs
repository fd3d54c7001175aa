//! What the library adds to raw wasmi: the film's own operations, all in the same rounds, in several
//! processes, as where memory and code lie in a process moves ratios that are close to 1.

use super::{
    child,
    measure::{self, Effort, median},
    table::{head, time},
};
use film::rows::OPERATIONS;
use std::{
    error::Error,
    fmt::{self, Write},
};

/// How much slower than wasmi's bare call the raw call with fuel may be.
pub(super) const BASELINE: f64 = 1.1;
/// What such a process is asked for, with [`QUICK`] or nothing.
pub(super) const TASK: &str = "film";
const QUICK: &str = "quick";

/// What the operations took in each process.
pub(super) struct Film(Vec<Process>);

/// Nanoseconds of each operation in each round, in the order of [`OPERATIONS`].
struct Process(Vec<Vec<f64>>);

/// A round of a process.
pub(super) struct Round<'a> {
    process: &'a Process,
    number: usize,
}

/// A number that each process has: the median over them, the lowest and the highest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) lowest: f64,
    pub(super) highest: f64,
}

/// Starts this program again so many times, one after the other.
pub(super) fn measure(effort: Effort) -> Result<Film, Box<dyn Error>> {
    let args: &[String] = if effort == Effort::QUICK { &[QUICK.to_owned()] } else { &[] };
    let process = |number| {
        eprintln!("film, process {number} of {}", effort.processes);
        let text = child::start(TASK, args)?;
        Process::read(&text).ok_or_else(|| format!("not what the film took: {text}").into())
    };
    (1..=effort.processes).map(process).collect::<Result<_, _>>().map(Film)
}

/// What all operations take in this process, a line each; nothing if it is asked for in another way.
pub(super) fn show_one(args: &[String]) -> Option<String> {
    let effort = match args {
        [] => Effort::FULL,
        [quick] if quick == QUICK => Effort::QUICK,
        _ => return None,
    };
    let mut runs: Vec<_> = OPERATIONS.iter().map(|operation| (operation.make)()).collect();
    // As many rounds as there is time for.
    let (rounds, budget) = ((effort.rounds.0, 1_001), effort.budget / 2);
    let samples = measure::rounds(&mut runs, Effort { rounds, budget, ..effort });
    let line =
        |samples: &Vec<f64>| samples.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    Some(samples.iter().map(line).collect::<Vec<_>>().join("\n"))
}

impl Film {
    /// A number of a round: its median in each process, and how far that is apart.
    pub(super) fn spread(&self, number: impl Fn(&Round<'_>) -> f64) -> Spread {
        let of_process =
            |process: &Process| median(process.rounds().map(|round| number(&round)).collect());
        let mut all: Vec<f64> = self.0.iter().map(of_process).collect();
        all.sort_by(f64::total_cmp);
        let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        let (lowest, highest) = (end(all.first()), end(all.last()));
        Spread { median: median(all), lowest, highest }
    }

    /// How much longer one operation takes than another.
    pub(super) fn ratio(&self, ours: &str, raw: &str) -> Spread {
        self.spread(|round| round.ns(ours) / round.ns(raw))
    }

    /// Whether the raw calls are as fast as wasmi lets them be.
    pub(super) fn check_baseline(&self) -> Result<(), String> {
        let ratio = self.ratio("raw call", "raw bare").median;
        if ratio <= BASELINE {
            return Ok(());
        }
        Err(format!(
            "the baseline is slow: raw wasmi with fuel takes {ratio:.2} times as long as its bare \
             call, {BASELINE} at most; nothing was written"
        ))
    }

    /// Writes what each operation took.
    pub(super) fn table(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "What these ratios are made of: `raw` is wasmi by hand, `ours` this library. What a \
             guest calls is here with the turn of the loop around it, which `loop` has alone.\n"
        )?;
        head(text, "operation", ["time", "lowest – highest"].into_iter())?;
        for operation in &OPERATIONS {
            let Spread { median, lowest, highest } = self.spread(|round| round.ns(operation.name));
            let (lowest, highest) = (time(lowest), time(highest));
            writeln!(text, "| {} | {} | {lowest} – {highest} |", operation.name, time(median))?;
        }
        writeln!(text)
    }
}

impl Process {
    /// Reads what [`show_one`] writes.
    fn read(text: &str) -> Option<Self> {
        let line = |line: &str| line.split(' ').map(|ns| ns.parse().ok()).collect();
        let all: Vec<Vec<f64>> = text.lines().map(line).collect::<Option<_>>()?;
        let rounds = all.first()?.len();
        let whole = all.len() == OPERATIONS.len() && all.iter().all(|one| one.len() == rounds);
        whole.then_some(Self(all))
    }

    fn rounds(&self) -> impl Iterator<Item = Round<'_>> {
        let rounds = self.0.first().map_or(0, Vec::len);
        (0..rounds).map(|number| Round { process: self, number })
    }
}

impl Round<'_> {
    /// Nanoseconds of an operation.
    pub(super) fn ns(&self, name: &str) -> f64 {
        let found = OPERATIONS.iter().position(|operation| operation.name == name);
        let operation = found.unwrap_or_else(|| panic!("the film has no `{name}`"));
        self.process.0[operation][self.number]
    }

    /// Nanoseconds of an operation in a guest's loop, without the loop.
    pub(super) fn net(&self, name: &str) -> f64 {
        let side = name.split(' ').next().unwrap_or_default();
        self.ns(name) - self.ns(&format!("{side} loop"))
    }
}

#[test]
fn a_ratio_is_the_median_over_processes_of_medians_over_rounds() {
    let process = |factor: f64| {
        let rounds = |at: usize| format!("1 {} 3", if at == 0 { factor } else { 2.0 });
        (0..OPERATIONS.len()).map(rounds).collect::<Vec<_>>().join("\n")
    };
    let film = Film([2.0, 8.0, 4.0].iter().flat_map(|of| Process::read(&process(*of))).collect());
    let number = |round: &Round<'_>| round.ns("raw bare") * 100.0;
    let Spread { median, lowest, highest } = film.spread(number);
    assert_eq!((lowest, median, highest), (200.0, 300.0, 300.0));
    assert!(Process::read("1 2 3").is_none());
}
