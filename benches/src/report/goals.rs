//! What the library must show, and whether it does.

use super::{
    film::{BASELINE, Film, Round, Spread},
    measure::{Cell, geometric_mean},
    table::find,
};
use crate::case::{Group, Line, Runtime};
use std::fmt::{self, Write};

/// A ratio and what it should be.
struct Goal {
    measure: String,
    at_most: bool,
    goal: f64,
    measured: f64,
    /// The lowest and the highest of the processes, where it was measured in several.
    range: Option<(f64, f64)>,
    /// The most that it may take and what it takes, in nanoseconds, where that is part of the goal.
    ns: Option<(f64, f64)>,
}

impl Goal {
    fn at_most(goal: f64, measured: f64, measure: &str) -> Self {
        let measure = measure.to_owned();
        Self { measure, at_most: true, goal, measured, range: None, ns: None }
    }

    fn at_least(goal: f64, measured: f64, measure: &str) -> Self {
        Self { at_most: false, ..Self::at_most(goal, measured, measure) }
    }

    fn of_film(goal: f64, ratio: Spread, measure: &str) -> Self {
        let range = Some((ratio.lowest, ratio.highest));
        Self { range, ..Self::at_most(goal, ratio.median, measure) }
    }

    /// Whether it is met; what was not measured is not.
    fn is_met(&self) -> bool {
        let ratio = match self.at_most {
            true => self.measured <= self.goal,
            false => self.measured >= self.goal,
        };
        ratio && self.ns.is_none_or(|(most, ns)| ns < most)
    }

    fn row(&self, text: &mut String) -> fmt::Result {
        let sign = if self.at_most { "≤" } else { "≥" };
        write!(text, "| {} | {sign} {}", self.measure, self.goal)?;
        if let Some((most, _)) = self.ns {
            write!(text, " and < {most} ns")?;
        }
        write!(text, " | {:.2}", self.measured)?;
        if let Some((_, ns)) = self.ns {
            write!(text, ", {ns:.0} ns")?;
        }
        match self.range {
            Some((lowest, highest)) => write!(text, " | {lowest:.2} – {highest:.2}")?,
            None => write!(text, " | ")?,
        }
        writeln!(text, " | {} |", if self.is_met() { "met" } else { "**missed**" })
    }
}

/// Writes the table, and what the film's operations took.
pub(super) fn table(
    text: &mut String,
    film: &Film,
    cells: &[Cell],
    processes: usize,
) -> fmt::Result {
    writeln!(text, "## The film\n")?;
    writeln!(
        text,
        "What this library must show, in its default configuration unless the row says otherwise. \
         Host functions are net of the loop around them. A ratio with a lowest and a highest was \
         measured in {processes} processes, one after the other, as where memory and code lie in a \
         process moves it by some percent: it is the median over the processes, each of which gives \
         the median over its rounds of the ratio within a round.\n"
    )?;
    writeln!(text, "| measure | goal | measured | lowest – highest | |")?;
    writeln!(text, "|---|--:|--:|--:|---|")?;
    for goal in calls(film).into_iter().chain(host_functions(film)).chain(of_peers(cells)) {
        goal.row(text)?;
    }
    writeln!(text)?;
    film.table(text)
}

fn calls(film: &Film) -> Vec<Goal> {
    let goal = Goal::of_film;
    let bare = film.ratio("raw call", "raw bare");
    let untimed = film.ratio("ours lease, no timeout", "raw call");
    let lease = film.ratio("ours lease", "raw resumable");
    let pool = film.ratio("ours pool", "raw call");
    let by_name = film.ratio("ours by name", "raw by name");
    vec![
        goal(BASELINE, bare, "raw call with fuel set and read / wasmi's bare call"),
        goal(1.05, untimed, "typed call through a lease, no deadline / raw call with fuel"),
        goal(1.1, lease, "typed call through a lease / raw resumable call with fuel"),
        goal(1.25, pool, "typed call through the pool / raw call with fuel"),
        goal(1.25, by_name, "call by plugin and function name / raw call by name with fuel"),
    ]
}

fn host_functions(film: &Film) -> Vec<Goal> {
    let net = |name: &str| {
        let (ours, raw) = (format!("ours {name}"), format!("raw {name}"));
        film.spread(|round| round.net(&ours) / round.net(&raw))
    };
    let emit = |name: &str, measure| {
        let ns = film.spread(|round| round.net(&format!("ours {name}"))).median;
        Goal { ns: Some((60.0, ns)), ..Goal::of_film(1.5, net(name), measure) }
    };
    let by_hand = |round: &Round<'_>| round.ns("raw look-up") + round.net("raw nothing");
    let read = film.spread(|round| round.net("ours soch_read") / by_hand(round));
    let of_read = "`soch_read` of 64 bytes / (map look-up + empty raw host call)";
    vec![
        Goal::of_film(1.15, net("nothing"), "empty host function / raw `func_wrap`"),
        emit("emit_metric", "`emit_metric`, name of 64 bytes / by hand"),
        emit("emit_metric, labels", "`emit_metric`, name of 24 bytes and labels of 34 / by hand"),
        Goal::of_film(1.3, read, of_read),
    ]
}

fn of_peers(cells: &[Cell]) -> Vec<Goal> {
    let host_call = |runtime| {
        let ns = |task, runtime| find(cells, Group::HostCall, task, runtime, "");
        let times = |task| ns(task, runtime) / ns(task, Runtime::Ours);
        let measure = format!("host call, times as fast as {}, the worse of two", runtime.name());
        Goal::at_least(3.0, times("nothing()").min(times("next(i32)")), &measure)
    };
    let large = crate::modules::Module::workload().name;
    let load = |runtime, how| find(cells, Group::Load, &large, runtime, how);
    let times = load(Runtime::Pulley, "") / load(Runtime::Ours, "eager");
    let raw = ours_over(cells, Runtime::Raw, "fuel");
    let mut goals = vec![
        host_call(Runtime::Pulley),
        host_call(Runtime::Tinywasm),
        Goal::at_least(30.0, times, &format!("load of {large}, times as fast as wasmtime Pulley")),
        Goal::at_most(1.03, raw, "compute / raw wasmi with fuel, geometric mean"),
    ];
    goals.extend(peers(cells).into_iter().map(|(runtime, how)| {
        let measure = format!("compute / {}, geometric mean", Line { runtime, how });
        Goal::at_most(1.0, ours_over(cells, runtime, how), &measure)
    }));
    goals
}

/// The interpreters that took part in `compute`.
fn peers(cells: &[Cell]) -> Vec<(Runtime, &'static str)> {
    let mut peers: Vec<_> = cells
        .iter()
        .filter(|cell| cell.group == Group::Compute)
        .map(|cell| (cell.line.runtime, cell.line.how))
        .filter(|(runtime, _)| {
            matches!(runtime, Runtime::Pulley | Runtime::Tinywasm | Runtime::Wasm3 | Runtime::Wamr)
        })
        .collect();
    peers.sort();
    peers.dedup();
    peers
}

/// The geometric mean over all kernels of this library's time over another's.
fn ours_over(cells: &[Cell], runtime: Runtime, how: &str) -> f64 {
    let kernels = crate::kernels::all();
    geometric_mean(kernels.iter().map(|kernel| {
        let ns = |runtime, how: &str| find(cells, Group::Compute, kernel.name, runtime, how);
        ns(Runtime::Ours, "") / ns(runtime, how)
    }))
}
