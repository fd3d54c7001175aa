//! `REPORT.md` and its plots: who does what in which time, ratios first.

mod child;
mod device;
mod film;
mod goals;
mod heap;
mod measure;
mod plot;
mod plots;
mod table;
mod tenants;

pub use crate::report::{
    heap::Counting,
    measure::{Cell, Effort},
};

use crate::{case::Group, groups};
use std::{error::Error, fmt::Write, fs, path::Path};

/// How the peers came in, and which did not.
const PEERS: &str = include_str!("peers.md");

/// What the report is about.
pub struct Options {
    /// How long to measure.
    pub effort: Effort,
    /// Print only the table of this group, and write nothing.
    pub only: Option<Group>,
}

/// Measures everything, and then writes `REPORT.md` and `plots/` into `folder`.
///
/// # Errors
///
/// Fails, and writes nothing, if raw wasmi with fuel is more than 1.1 times as slow as wasmi's bare
/// call: then the baseline of all ratios would be a slow one.
pub fn run(folder: &Path, options: &Options) -> Result<(), Box<dyn Error>> {
    if let Some(group) = options.only {
        return show(group, options.effort);
    }
    let film = film::measure(options.effort)?;
    film.check_baseline()?;
    let mut cells = Vec::new();
    for group in Group::ALL {
        eprintln!("{}", group.name());
        cells.extend(measure::cells(groups::cases(group), options.effort));
    }
    eprintln!("heap");
    let heap = tenants::measure(options.effort)?;
    let text = text(&cells, &heap, &film, options.effort)?;
    plots::draw(&folder.join("plots"), &cells, &heap)?;
    fs::write(folder.join("REPORT.md"), text)?;
    Ok(())
}

fn show(group: Group, effort: Effort) -> Result<(), Box<dyn Error>> {
    let cells = measure::cells(groups::cases(group), effort);
    let mut text = String::new();
    table::group(&mut text, group, &cells)?;
    if group == Group::Tenants {
        tenants::table(&mut text, &tenants::measure(effort)?)?;
    }
    print!("{text}");
    Ok(())
}

fn text(
    cells: &[Cell],
    heap: &[tenants::Tenants],
    film: &film::Film,
    effort: Effort,
) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    device::header(&mut text, effort)?;
    for group in Group::ALL {
        table::group(&mut text, group, cells)?;
        if group == Group::Tenants {
            tenants::table(&mut text, heap)?;
        }
        for (plot, what) in plots::of(group) {
            writeln!(text, "![{what}](plots/{plot}.svg)\n")?;
        }
    }
    goals::table(&mut text, film, cells, effort.processes)?;
    text.push_str(PEERS);
    Ok(text)
}

/// Is one of the processes that the report starts, if the command line says so, and prints what it measured.
pub fn show_one(args: &[String]) -> bool {
    let [flag, task, args @ ..] = args else { return false };
    let measured = match task.as_str() {
        _ if flag != child::FLAG => None,
        film::TASK => film::show_one(args),
        tenants::TASK => tenants::show_one(args),
        _ => None,
    };
    measured.inspect(|text| println!("{text}")).is_some()
}
