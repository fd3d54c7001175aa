//! What the library must show, and whether it does.

use super::{
    film::{BASELINE, Film},
    measure::{Cell, geometric_mean},
    table::find,
};
use crate::case::{Group, Runtime};
use std::fmt::{self, Write};

/// A ratio and what it should be.
struct Goal {
    measure: String,
    at_most: bool,
    goal: f64,
    measured: f64,
    /// Nanoseconds, where they are part of the goal.
    ns: Option<(f64, f64)>,
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
        let met = match goal.at_most {
            true => goal.measured <= goal.goal,
            false => goal.measured >= goal.goal,
        };
        let sign = if goal.at_most { "≤" } else { "≥" };
        let (mut wanted, mut measured) =
            (format!("{sign} {}", goal.goal), format!("{:.3}", goal.measured));
        let mut met = met && goal.measured.is_finite();
        if let Some((limit, ns)) = goal.ns {
            write!(wanted, " and < {limit} ns")?;
            write!(measured, ", {ns:.1} ns")?;
            met &= ns < limit;
        }
        let verdict = if met { "met" } else { "**missed**" };
        writeln!(text, "| {} | {wanted} | {measured} | {verdict} |", goal.measure)?;
    }
    writeln!(text)
}

fn of_film(film: &Film) -> Vec<Goal> {
    let read = film.ns("raw look-up") + film.net("raw nothing");
    let emit = film.net("ours emit_metric");
    let rows = [
        (
            "raw call with fuel set and read / wasmi's bare call",
            BASELINE,
            film.ratio("raw call", "raw bare"),
        ),
        (
            "typed call through a lease, no deadline / raw call with fuel",
            1.05,
            film.ratio("ours lease, no timeout", "raw call"),
        ),
        (
            "typed call through a lease / raw resumable call with fuel",
            1.1,
            film.ratio("ours lease", "raw resumable"),
        ),
        (
            "typed call through the pool / raw call with fuel",
            1.25,
            film.ratio("ours pool", "raw call"),
        ),
        (
            "call by plugin and function name / raw call by name with fuel",
            1.25,
            film.ratio("ours by name", "raw by name"),
        ),
        (
            "empty host function / raw `func_wrap`",
            1.15,
            film.net("ours nothing") / film.net("raw nothing"),
        ),
        ("`emit_metric` / by hand", 1.5, emit / film.net("raw emit_metric")),
        (
            "`soch_read` of 64 bytes / (map look-up + empty raw host call)",
            1.3,
            film.net("ours soch_read") / read,
        ),
    ];
    rows.into_iter()
        .map(|(measure, goal, measured)| Goal {
            measure: measure.to_owned(),
            at_most: true,
            goal,
            measured,
            ns: measure.starts_with("`emit_metric`").then_some((60.0, emit)),
        })
        .collect()
}

fn of_peers(cells: &[Cell]) -> Vec<Goal> {
    let goal = |measure: String, at_most, goal, measured| Goal {
        measure,
        at_most,
        goal,
        measured,
        ns: None,
    };
    let mut goals = Vec::new();
    for runtime in [Runtime::Pulley, Runtime::Tinywasm] {
        // The worse of the two.
        let times = ["nothing()", "next(i32)"].map(|task| {
            find(cells, Group::HostCall, task, runtime, "")
                / find(cells, Group::HostCall, task, Runtime::Ours, "")
        });
        let measure = format!("host call, times as fast as {}", runtime.name());
        goals.push(goal(measure, false, 3.0, times[0].min(times[1])));
    }
    let large = crate::modules::Module::workload().name;
    let load = |runtime, how| find(cells, Group::Load, &large, runtime, how);
    let times = load(Runtime::Pulley, "") / load(Runtime::Ours, "eager");
    goals.push(goal(
        format!("load of {large}, times as fast as {}", Runtime::Pulley.name()),
        false,
        30.0,
        times,
    ));
    let ratio = ours_over(cells, Runtime::Raw, "fuel");
    goals.push(goal(
        "compute with fuel, slices and deadline / raw wasmi with fuel, geometric mean".into(),
        true,
        1.03,
        ratio,
    ));
    for (runtime, how) in peers(cells) {
        let name = [runtime.name(), how].join(", ");
        let measure = format!("compute / {}, geometric mean", name.trim_end_matches(", "));
        goals.push(goal(measure, true, 1.0, ours_over(cells, runtime, how)));
    }
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
