//! What the library must show, and whether it does.

use super::{
    film::{BASELINE, Film},
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
    /// The most that it may take and what it takes, in nanoseconds, where that is part of the goal.
    ns: Option<(f64, f64)>,
}

impl Goal {
    fn at_most(goal: f64, measured: f64, measure: &str) -> Self {
        Self { measure: measure.to_owned(), at_most: true, goal, measured, ns: None }
    }

    fn at_least(goal: f64, measured: f64, measure: &str) -> Self {
        Self { at_most: false, ..Self::at_most(goal, measured, measure) }
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
        writeln!(text, " | {} |", if self.is_met() { "met" } else { "**missed**" })
    }
}

/// Writes the table.
pub(super) fn table(text: &mut String, film: &Film, cells: &[Cell]) -> fmt::Result {
    writeln!(text, "## The film\n")?;
    writeln!(
        text,
        "What this library must show, in its default configuration unless the row says otherwise. \
         Host functions are net of the loop around them.\n"
    )?;
    writeln!(text, "| measure | goal | measured | |")?;
    writeln!(text, "|---|--:|--:|---|")?;
    for goal in of_film(film).into_iter().chain(of_peers(cells)) {
        goal.row(text)?;
    }
    writeln!(text)
}

fn of_film(film: &Film) -> Vec<Goal> {
    let at_most = Goal::at_most;
    let bare = film.ratio("raw call", "raw bare");
    let untimed = film.ratio("ours lease, no timeout", "raw call");
    let lease = film.ratio("ours lease", "raw resumable");
    let pool = film.ratio("ours pool", "raw call");
    let by_name = film.ratio("ours by name", "raw by name");
    let nothing = film.net("ours nothing") / film.net("raw nothing");
    let emit_ns = film.net("ours emit_metric");
    let emit = emit_ns / film.net("raw emit_metric");
    let by_hand = film.ns("raw look-up") + film.net("raw nothing");
    let read = film.net("ours soch_read") / by_hand;
    vec![
        at_most(BASELINE, bare, "raw call with fuel set and read / wasmi's bare call"),
        at_most(1.05, untimed, "typed call through a lease, no deadline / raw call with fuel"),
        at_most(1.1, lease, "typed call through a lease / raw resumable call with fuel"),
        at_most(1.25, pool, "typed call through the pool / raw call with fuel"),
        at_most(1.25, by_name, "call by plugin and function name / raw call by name with fuel"),
        at_most(1.15, nothing, "empty host function / raw `func_wrap`"),
        Goal { ns: Some((60.0, emit_ns)), ..at_most(1.5, emit, "`emit_metric` / by hand") },
        at_most(1.3, read, "`soch_read` of 64 bytes / (map look-up + empty raw host call)"),
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
