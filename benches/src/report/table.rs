//! Tables of ratios and of times.

use super::measure::{Cell, geometric_mean};
use crate::case::{Group, Line, Runtime};
use std::fmt::{self, Write};

/// Writes the tables of a group.
pub(super) fn group(text: &mut String, group: Group, cells: &[Cell]) -> fmt::Result {
    let cells: Vec<&Cell> = cells.iter().filter(|cell| cell.group == group).collect();
    let (title, what) = about(group);
    writeln!(text, "## {title}\n\n{what}\n")?;
    if group == Group::HostFunctions {
        return list(text, &cells);
    }
    let (lines, tasks) = (lines(&cells), tasks(&cells));
    let mean = matches!(group, Group::Compute | Group::Slicing).then_some("geometric mean");
    head(text, "ratio", tasks.iter().copied().chain(mean))?;
    for line in &lines {
        let ratios: Vec<f64> = tasks.iter().map(|task| ratio(&cells, *line, task)).collect();
        write!(text, "| {line} |")?;
        for ratio in &ratios {
            write!(text, " {} |", number(*ratio))?;
        }
        if mean.is_some() {
            write!(text, " {} |", number(geometric_mean(ratios.into_iter())))?;
        }
        writeln!(text)?;
    }
    writeln!(text)?;
    head(text, if group == Group::Load { "time for a KB" } else { "time" }, tasks.iter().copied())?;
    for line in &lines {
        write!(text, "| {line} |")?;
        for task in &tasks {
            write!(text, " {} |", time(ns(&cells, *line, task)))?;
        }
        writeln!(text)?;
    }
    writeln!(text)
}

/// What a table is called, and what stands in it.
fn about(group: Group) -> (&'static str, &'static str) {
    match group {
        Group::GuestCall => (
            "The host calls a guest",
            "`nop` and `add` are typed calls unless the line says otherwise. The bytes go through \
             `soch_alloc`, `echo` and `soch_free` of a guest, copied in and out.",
        ),
        Group::HostCall => (
            "A guest calls the host",
            "A loop in the guest calls a function of the embedder's; the time of a turn is taken \
             off.",
        ),
        Group::HostFunctions => (
            "A guest calls this library's own functions",
            "Each with its grant, its cost in fuel and its bounds checked, over an `EmbeddedHost` \
             with tables of 10,000 rows; net of the loop.",
        ),
        Group::Instantiate => (
            "Instantiate",
            "A new store and a new instance of a module compiled before, and one call of `nop`. In \
             this library: a call with `ResetPolicy::AfterCall`.",
        ),
        Group::Load => (
            "Load",
            "From bytes to something that can be instantiated, on one thread. In this library that \
             includes the checks of admission, SHA-256, the linker, and unloading; in wasm3 and \
             WAMR an instance. wasm3 and what is lazy compile a function when it is first needed.",
        ),
        Group::Compute => (
            "Compute",
            "The same Rust source for all. \"fuel\" says that the runtime counts what the guest \
             spends and would stop it; the others cannot be stopped. WAMR is its fast interpreter, \
             which checks bounds in code, as the others do.",
        ),
        Group::Slicing => (
            "Slices and pieces",
            "The same kernels. Raw wasmi runs each without a stop. This library stops at the end of \
             each slice of 40,000 fuel, with a deadline looks at the clock at every few of them, and \
             with `run` gives the call back to its host each time so much is spent.",
        ),
        Group::Tenants => {
            ("Idle tenants", "Calls of `counter` go round plugins that were loaded each by itself.")
        }
        Group::Threads => (
            "Threads",
            "The time of one call in one thread, while the others call too: the same in both \
             columns means that threads do not disturb one another.",
        ),
    }
}

/// The head of a table, whose columns but the first stand to the right.
pub(super) fn head<'a>(
    text: &mut String,
    what: &str,
    tasks: impl Iterator<Item = &'a str> + Clone,
) -> fmt::Result {
    write!(text, "| {what} |")?;
    for task in tasks.clone() {
        write!(text, " {task} |")?;
    }
    writeln!(text, "\n|---|{}", "--:|".repeat(tasks.count()))
}

/// A line for each task, of a group with one runtime.
fn list(text: &mut String, cells: &[&Cell]) -> fmt::Result {
    head(text, "function", ["time"].into_iter())?;
    for cell in cells {
        writeln!(text, "| {} | {} |", cell.task, time(cell.ns))?;
    }
    writeln!(text)
}

/// The time over that of raw wasmi's first line, or the first line's where that has no part.
fn ratio(cells: &[&Cell], line: Line, task: &str) -> f64 {
    let of_task = || cells.iter().filter(|cell| cell.task == task);
    let baseline = of_task().find(|cell| cell.line.runtime == Runtime::Raw);
    ns(cells, line, task) / baseline.map_or(f64::NAN, |cell| cell.ns)
}

fn ns(cells: &[&Cell], line: Line, task: &str) -> f64 {
    let found = cells.iter().find(|cell| cell.line == line && cell.task == task);
    found.map_or(f64::NAN, |cell| cell.ns)
}

/// Nanoseconds of the first cell of a task and a runtime, used in a way that begins with `how`.
pub(super) fn find(cells: &[Cell], group: Group, task: &str, runtime: Runtime, how: &str) -> f64 {
    let found = cells.iter().find(|cell| {
        cell.group == group
            && cell.task == task
            && cell.line.runtime == runtime
            && cell.line.how.starts_with(how)
    });
    found.map_or(f64::NAN, |cell| cell.ns)
}

fn lines(cells: &[&Cell]) -> Vec<Line> {
    let mut lines = Vec::new();
    for cell in cells {
        if !lines.contains(&cell.line) {
            lines.push(cell.line);
        }
    }
    // The order of the first task is not that of all: some lines come in with a later one.
    lines.sort_by_key(|line| line.runtime);
    lines
}

fn tasks<'a>(cells: &[&'a Cell]) -> Vec<&'a str> {
    let mut tasks = Vec::new();
    for cell in cells {
        if !tasks.contains(&&*cell.task) {
            tasks.push(&*cell.task);
        }
    }
    tasks
}

/// With three digits that mean something; `–` where there is nothing.
fn number(value: f64) -> String {
    match value {
        value if !value.is_finite() => "–".to_owned(),
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// A time in a unit that fits.
pub(super) fn time(ns: f64) -> String {
    match ns {
        ns if !ns.is_finite() => "–".to_owned(),
        ns if ns < 1e3 => format!("{} ns", number(ns)),
        ns if ns < 1e6 => format!("{} µs", number(ns / 1e3)),
        ns => format!("{} ms", number(ns / 1e6)),
    }
}
