//! The report's plots.

use super::{
    measure::Cell,
    plot::{self, Bars},
    table::find,
    tenants::Tenants,
};
use crate::case::{Group, Line, Runtime};
use std::{error::Error, fs, path::Path};

/// The plots that belong to a group: file names without ending, and what they show.
pub(super) fn of(group: Group) -> &'static [(&'static str, &'static str)] {
    match group {
        Group::Compute => &[("compute", "Interpreters and a JIT against native code, per kernel")],
        Group::HostCall => &[("calls", "What a call costs, per runtime")],
        Group::Tenants => &[("tenants", "What an idle plugin takes, per runtime")],
        _ => &[],
    }
}

/// Draws all of them.
pub(super) fn draw(folder: &Path, cells: &[Cell], heap: &[Tenants]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    plot::draw(&folder.join("compute.svg"), &compute(cells))?;
    plot::draw(&folder.join("calls.svg"), &calls(cells))?;
    plot::draw(&folder.join("tenants.svg"), &tenants(heap))
}

/// The interpreters and the JIT, each in the way that is compared.
const COMPARED: [(Runtime, &str); 7] = [
    (Runtime::Raw, "fuel"),
    (Runtime::Ours, "fuel"),
    (Runtime::Pulley, "fuel"),
    (Runtime::Tinywasm, "no fuel"),
    (Runtime::Wasm3, "no fuel"),
    (Runtime::Wamr, "no fuel"),
    (Runtime::Cranelift, "fuel"),
];

fn compute(cells: &[Cell]) -> Bars {
    let kernels: Vec<_> = crate::kernels::all().into_iter().map(|kernel| kernel.name).collect();
    let times_native = |kernel: &&str, runtime, how: &str| {
        let ns = |runtime, how: &str| find(cells, Group::Compute, kernel, runtime, how);
        ns(runtime, how) / ns(Runtime::Native, "")
    };
    Bars {
        title: "Compute: times as long as native code",
        unit: "times native, log scale",
        logarithmic: true,
        series: series(|runtime, how| {
            kernels.iter().map(|kernel| times_native(kernel, runtime, how)).collect()
        }),
        groups: kernels.into_iter().map(str::to_owned).collect(),
    }
}

fn calls(cells: &[Cell]) -> Bars {
    let tasks = [
        (Group::GuestCall, "nop(i32)", "host calls guest"),
        (Group::GuestCall, "64 bytes", "64 bytes there and back"),
        (Group::HostCall, "nothing()", "guest calls host"),
    ];
    Bars {
        title: "What a call costs",
        unit: "ns, log scale",
        logarithmic: true,
        series: series(|runtime, how| {
            // Each way of calling through this library meters fuel; the first is through a lease.
            let how = if runtime == Runtime::Ours { "" } else { how };
            tasks.iter().map(|(group, task, _)| find(cells, *group, task, runtime, how)).collect()
        }),
        groups: tasks.iter().map(|(_, _, name)| (*name).to_owned()).collect(),
    }
}

fn tenants(all: &[Tenants]) -> Bars {
    let most = all.iter().map(|one| one.count).max().unwrap_or_default();
    let of_most = |runtime| all.iter().find(|one| one.count == most && one.line.runtime == runtime);
    Bars {
        title: "What an idle plugin takes",
        unit: "KiB",
        logarithmic: false,
        series: series(|runtime, _| match of_most(runtime) {
            Some(one) => vec![one.heap / 1_024.0, one.resident / 1_024.0],
            None => vec![f64::NAN; 2],
        }),
        groups: ["heap", "resident"].map(|what| format!("{what}, of {most} plugins")).into(),
    }
}

/// A series for each runtime that has a number.
fn series(values: impl Fn(Runtime, &str) -> Vec<f64>) -> Vec<plot::Series> {
    COMPARED
        .into_iter()
        .map(|(runtime, how)| {
            let name = Line { runtime, how }.to_string();
            plot::Series { runtime, name, values: values(runtime, how) }
        })
        .filter(|series| series.values.iter().any(|value| value.is_finite()))
        .collect()
}
